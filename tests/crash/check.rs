//! What `leveret store check` stands on: a disk laid over another one behaves as a copy of it and leaves it alone, and what an
//! inspection finds is what a start finds.

use std::io::IoSlice;
use std::sync::Arc;

use leveret::internals::store::check::inspect;
use leveret::internals::store::disk::{Disk, Overlay};
use leveret::internals::store::recovery::finding::Finding;

use crate::disk::SimDisk;
use crate::history::for_seeds;
use crate::random::Random;
use crate::world::World;

const NAMES: [&str; 5] = ["wal/1", "wal/2", "segments/1", "checkpoint", "lost+found/1"];

/// All that a disk tells of itself.
fn whole(disk: &dyn Disk) -> Vec<(String, Option<Vec<u8>>)> {
    let read = |name: &str| {
        let file = disk.open(name, false).ok()?;
        let mut bytes = vec![0xee; file.size().unwrap() as usize + 3];
        let count = file.read_at(&mut bytes, 0).unwrap();
        bytes.truncate(count);
        Some(bytes)
    };
    let mut all: Vec<_> = NAMES.iter().map(|name| ((*name).to_owned(), read(name))).collect();
    for directory in ["wal", "segments", "lost+found"] {
        let mut names = disk.list(directory).unwrap();
        names.sort();
        all.extend(names.into_iter().map(|name| (format!("in {directory}: {name}"), None)));
    }
    all
}

/// One call, which depends on nothing but chance; what it answers.
fn act(disk: &dyn Disk, random: &mut Random) -> Result<Vec<u8>, std::io::ErrorKind> {
    let (name, other) = (*random.pick(&NAMES), *random.pick(&NAMES));
    let (offset, length) = (random.below(10_000) as u64, random.below(9_000));
    let bytes = vec![random.below(256) as u8; length];
    let (half, create) = (random.below(length + 1), random.one_in(2));
    let done = |result: std::io::Result<()>| result.map(|()| Vec::new()).map_err(|error| error.kind());
    match random.below(8) {
        0 => done(disk.remove(name)),
        1 if name != other => done(disk.rename(name, other)),
        2 => done(disk.sync_directory("wal")),
        3..=5 => {
            let file = disk.open(name, create).map_err(|error| error.kind())?;
            done(file.write_at(&mut [IoSlice::new(&bytes[..half]), IoSlice::new(&bytes[half..])], offset))
        }
        _ => {
            let file = disk.open(name, create).map_err(|error| error.kind())?;
            let mut bytes = vec![0xee; length];
            let count = file.read_at(&mut bytes, offset).map_err(|error| error.kind())?;
            bytes.truncate(count);
            Ok(bytes)
        }
    }
}

#[test]
fn a_disk_laid_over_another_behaves_as_a_copy_and_leaves_it_alone() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let base = Arc::new(SimDisk::default());
        for _ in 0..random.below(30) {
            act(base.as_ref(), &mut random).ok();
        }
        let (model, before) = (base.copy(), whole(base.as_ref()));
        let calls = base.calls();
        let overlay = Overlay::new(Arc::clone(&base) as Arc<dyn Disk>);
        for step in 0..60 {
            let chance = random.next();
            let (got, expected) =
                (act(&overlay, &mut Random::new(chance)), act(model.as_ref(), &mut Random::new(chance)));
            assert!(got == expected, "seed {seed}, step {step}: {:?} {:?}", got.is_ok(), expected.is_ok());
        }
        assert!(whole(&overlay) == whole(model.as_ref()), "seed {seed}");
        assert!(whole(base.as_ref()) == before && base.calls() == calls, "seed {seed}: what is below has changed");
    }
}

#[test]
fn what_an_inspection_finds_is_what_a_start_finds() {
    for_seeds(60, |history| {
        history.run(150);
        history.make_room();
        history.run(30);
        let mut random = Random::new(history.random.next());
        let disk =
            if random.one_in(2) { history.world.disk.copy() } else { history.world.disk.power_loss(&mut random) };
        let flips = random.below(3);
        for _ in 0..flips {
            let files = disk.files();
            let (path, length) = random.pick(&files[..]).clone();
            if length > 0 {
                disk.flip(&path, random.below(length), random.below(8));
            }
        }
        let (calls, files) = (disk.calls(), disk.files());
        let below = Arc::clone(&disk) as Arc<dyn Disk>;
        let inspection = inspect(&below, history.scale.sizes);
        let now_ms = history.actor.lock().unwrap().now_ms;
        let started = World::open(&disk.copy(), &history.scale, now_ms, false);
        match (inspection, started) {
            (Ok(inspection), started) => {
                let error = started.as_ref().err().map(ToString::to_string);
                assert_eq!(inspection.refused.as_ref().map(ToString::to_string), error);
                let mut findings: Vec<Finding> = inspection.findings();
                assert!(flips > 0 || findings.is_empty() && error.is_none(), "{findings:?} {error:?}");
                for (_, queue) in inspection.queues() {
                    inspection.read(queue, false, &mut findings).unwrap();
                }
                assert!(flips > 0 || findings.is_empty(), "{findings:?}");
            }
            (Err(error), started) => assert_eq!(started.err().map(|it| it.to_string()), Some(error.to_string())),
        }
        assert!(disk.calls() == calls && disk.files() == files, "an inspection changes nothing");
    });
}
