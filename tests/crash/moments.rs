//! Files of two moments: whatever is missing, emptied, exchanged or put back from earlier, the start is refused with the name of a
//! file, or what it finds is what was there at one moment.

use std::sync::Arc;

use leveret::internals::store::{StoreError, StoredLog};

use crate::disk::{From, SimDisk};
use crate::history::{Crash, History, for_seeds};
use crate::ledger::{Ledger, Look};
use crate::probe::drain;
use crate::world::World;

/// The files at a moment, and what must be in the queues.
struct Moment {
    disk: Arc<SimDisk>,
    ledger: Ledger,
    durable: u64,
    /// Where the log began that the run found.
    run_start: u64,
}

/// Everything is synced, and the log knows it.
fn now(history: &History, run_start: u64) -> Moment {
    let actor = history.actor.lock().unwrap();
    history.world.wal.sync_everything().unwrap();
    let durable = history.world.wal.head();
    history.world.wal.seal();
    history.world.wal.commit(false).unwrap();
    Moment { disk: history.world.disk.copy(), ledger: actor.ledger.clone(), durable, run_start }
}

/// Opens such a directory; what must be is checked against the ledger that knows about where its log ends.
fn check(history: &History, mixed: &Arc<SimDisk>, moments: [&Moment; 2], durable_min: u64) -> bool {
    let now_ms = history.actor.lock().unwrap().now_ms;
    let files = mixed.files();
    let world = match World::open(&mixed.copy(), &history.scale, now_ms, false) {
        Ok(world) => world,
        Err(error) => {
            let is_damage =
                matches!(error, StoreError::Corrupt { .. } | StoreError::Missing { .. } | StoreError::Foreign { .. });
            assert!(is_damage, "{error}");
            let left = mixed.files();
            assert_eq!(left, files, "a refused start changes nothing");
            return false;
        }
    };
    if world.report.is_new {
        assert!(files.iter().all(|(path, bytes)| path == "wal/0000000000.log" && *bytes <= 4096), "{files:?}");
        return true;
    }
    let head = world.head;
    assert!(head >= durable_min, "{durable_min} was durable, and the log ends at {head}: {files:?}");
    let moment = moments.into_iter().rev().find(|moment| head >= moment.run_start);
    let Some(moment) = moment else { panic!("the log ends at {head}, before both moments: {files:?}") };
    let found = drain(&world, now_ms);
    assert!(world.wal.failure().is_none(), "{:?}", world.wal.failure());
    moment.ledger.clone().check(&found, Look { head, now_ms, is_restarted: true });
    true
}

/// Two moments, with more or less between them.
fn two_moments(history: &mut History) -> [Moment; 2] {
    history.run(100);
    let mut run_start = 0;
    if history.random.one_in(2) {
        history.crash(Crash::Killed);
        run_start = history.world.head;
        history.run(60);
    }
    history.make_room();
    let before = now(history, run_start);
    for _ in 0..history.random.below(3) {
        match history.random.below(6) {
            0 => {
                history.crash(Crash::Killed);
                run_start = history.world.head;
            }
            1 => {
                history.stop();
                run_start = history.world.head;
            }
            2 | 3 => history.make_room(),
            _ => {}
        }
        let steps = history.random.below(80);
        history.run(steps);
    }
    [before, now(history, run_start)]
}

#[test]
fn any_files_of_two_moments_are_whole_or_refused() {
    for_seeds(30, |history| {
        let [before, after] = two_moments(history);
        let mut random = crate::random::Random::new(history.random.next());
        for _ in 0..24 {
            let rare = 1 + random.below(6);
            let odd = *random.pick(&[From::Nowhere, From::Empty, From::Other]);
            let mixed = after.disk.mix(&before.disk, |_| match random.below(rare + 1) {
                0 => odd,
                1 => *random.pick(&[From::Nowhere, From::Empty, From::Other, From::This]),
                _ => From::This,
            });
            check(history, &mixed, [&before, &after], 0);
        }
    });
}

/// One file at a time: nothing that was confirmed is missing then without a word, unless a whole older state was put back.
#[test]
fn one_file_that_is_missing_emptied_or_exchanged_is_noticed() {
    for_seeds(12, |history| {
        let [before, after] = two_moments(history);
        let files: Vec<_> = after.disk.files().into_iter().map(|(path, _)| path).collect();
        for path in &files {
            for from in [From::Nowhere, From::Empty] {
                let mixed = after.disk.mix(&before.disk, |other| if other == path { from } else { From::This });
                check(history, &mixed, [&before, &after], after.durable);
            }
            let mixed = after.disk.mix(&before.disk, |other| if other == path { From::Other } else { From::This });
            check(history, &mixed, [&before, &after], before.durable);
            let twin = history.random.pick(&files[..]).clone();
            let swapped = after.disk.copy();
            swapped.swap(path, &twin);
            check(history, &swapped, [&before, &after], after.durable);
        }
        for directory in ["wal/", "segments/", "checkpoint"] {
            let is_in = |path: &str| path.starts_with(directory);
            for from in [From::Nowhere, From::Empty] {
                let mixed = after.disk.mix(&before.disk, |path| if is_in(path) { from } else { From::This });
                let is_started = check(history, &mixed, [&before, &after], after.durable);
                assert!(!is_started || directory == "segments/", "{directory} is gone");
            }
            let mixed = after.disk.mix(&before.disk, |path| if is_in(path) { From::Other } else { From::This });
            check(history, &mixed, [&before, &after], before.durable);
        }
    });
}
