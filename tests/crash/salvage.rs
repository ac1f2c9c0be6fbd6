//! Power that goes, and kills, at each call of a start that salvages: another one ends as the first would have, keeps aside what it would
//! have kept, and a start without salvage is refused, or finds all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::sink::Sink;
use leveret::internals::store::StoreError;
use leveret::internals::store::disk::Disk;

use crate::damage::{place, prepare};
use crate::disk::{Fault, From, SimDisk};
use crate::history::{History, for_seeds};
use crate::probe::{identify, load_all};
use crate::world::{Basket, World};

/// It is there before anything is salvaged, under a name that a start would like to give.
const KEPT_BEFORE: &str = "lost+found/0000000000.log.1";

/// So many calls of each salvage are interrupted.
const CALLS: u64 = 12;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Checkpoints,
    CheckpointsAndLog,
    LogRecord,
    LogHead,
    MissingLogFile,
    SegmentHead,
    MissingSegmentFile,
}

/// The files with this damage, all of it synced; `None` if this history has no such file.
fn damaged(history: &mut History, damage: Damage) -> Option<Arc<SimDisk>> {
    let disk = history.world.disk.copy();
    let mut files: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (path, _) in disk.files() {
        let kind = ["wal", "segments", "checkpoint"].into_iter().find(|kind| path.starts_with(kind)).unwrap();
        files.entry(kind).or_default().push(path);
    }
    let mut missing = None;
    let mut any = |kind: &str| {
        let of_kind = files.get(kind)?;
        Some(history.random.pick(&of_kind[..]).clone())
    };
    match damage {
        Damage::Checkpoints | Damage::CheckpointsAndLog => {
            ["checkpoint", "checkpoint.copy"].into_iter().for_each(|path| disk.flip(path, 30, 1));
        }
        Damage::LogRecord => {}
        Damage::LogHead => disk.flip(&any("wal")?, 9, 1),
        Damage::SegmentHead => disk.flip(&any("segments")?, 9, 1),
        Damage::MissingLogFile => missing = any("wal"),
        Damage::MissingSegmentFile => missing = Some(any("segments")?),
    }
    if matches!(damage, Damage::LogRecord | Damage::CheckpointsAndLog) {
        let (path, offset) = place(history, "wal")?;
        disk.flip(&path, offset, 3);
    }
    let is_missing = |path: &str| missing.as_deref() == Some(path);
    let all = disk.mix(&disk, |path| if is_missing(path) { From::Nowhere } else { From::This });
    let before = all.open(KEPT_BEFORE, true).unwrap();
    before.write_at(&mut [std::io::IoSlice::new(b"kept before")], 0).unwrap();
    Some(all.mix(&all, |_| From::This))
}

/// How often each message is in each queue.
type Messages = BTreeMap<(String, u64), usize>;

fn messages(world: &World, now_ms: u64) -> Messages {
    let mut found = Messages::new();
    for vhost in world.broker.vhosts() {
        for queue in vhost.read(|topology| topology.queues().cloned().collect::<Vec<_>>()) {
            let sink: Arc<dyn Sink> = Arc::new(Basket::default());
            load_all(world, now_ms);
            while let Ok(Some((delivery, _))) = queue.get(ChannelId(9), &sink, true, now_ms) {
                *found.entry((queue.spec.name.to_string(), identify(&delivery.message))).or_default() += 1;
                load_all(world, now_ms);
            }
        }
    }
    assert!(world.wal.failure().is_none(), "{:?}", world.wal.failure());
    found
}

fn ids(messages: &Messages) -> BTreeSet<u64> {
    messages.keys().map(|(_, id)| *id).collect()
}

/// What is kept aside: by the name of the file that it was, and by what is in it.
fn kept(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    let all = disk.contents().into_iter().filter_map(|(path, bytes)| {
        let name = path.strip_prefix("lost+found/")?;
        let was = name.rsplit_once('.').map_or(name, |(was, _)| was);
        Some((was.to_owned(), bytes))
    });
    all.collect()
}

/// A start that was not interrupted.
struct Whole {
    messages: Messages,
    /// Those that were settled before. Records of them may be found where nothing tells that they are free, and not be looked for again
    /// when that is mended.
    settled: BTreeSet<u64>,
    kept: Vec<(String, Vec<u8>)>,
    calls: u64,
}

impl Whole {
    fn of(history: &History, damaged: &Arc<SimDisk>, now_ms: u64) -> Option<Self> {
        let disk = damaged.copy();
        let world = World::open(&disk, &history.scale, now_ms, true).unwrap();
        if world.report.skipped.is_empty() {
            // Nobody needs what is damaged.
            return None;
        }
        let calls = disk.calls();
        history.actor.lock().unwrap().trace.push(format!(
            "{:?} {:?} {:?}",
            damaged.files(),
            disk.files(),
            world.report
        ));
        let messages = messages(&reopened(history, &disk, now_ms), now_ms);
        let is_found_only = |id: &u64| {
            let mut queues = messages.keys().filter(|(_, other)| other == id).map(|(queue, _)| queue);
            queues.all(|queue| queue.starts_with("lost+found."))
        };
        let ledger = &history.actor.lock().unwrap().ledger;
        let is_settled = |id: &u64| ledger.entries.iter().all(|entry| entry.id != *id || entry.settled.is_some());
        let settled = ids(&messages).into_iter().filter(|id| is_found_only(id) && is_settled(id)).collect();
        Some(Self { messages, settled, kept: kept(&disk), calls })
    }

    /// Nothing that it found and that is not settled is missing, and nothing is there more often.
    fn check_messages(&self, found: &Messages) {
        let (all, those) = (ids(&self.messages), ids(found));
        let lost: Vec<_> = all.difference(&those).filter(|id| !self.settled.contains(id)).collect();
        assert!(lost.is_empty(), "{lost:?} are lost");
        for (message, count) in found {
            let most = self.messages.get(message).copied().unwrap_or(1).max(1);
            assert!(*count <= most, "{message:?} is there {count} times");
        }
    }

    fn check_kept(&self, disk: &SimDisk) {
        let now = kept(disk);
        for (name, bytes) in &self.kept {
            // What a start went on to write is in the copy that another one makes of a file of the log.
            let is_same =
                |other: &&(String, Vec<u8>)| other.0 == *name && (other.1 == *bytes || name.ends_with(".log"));
            let names: Vec<_> = disk.files().into_iter().map(|(path, _)| path).collect();
            assert!(now.iter().any(|other| is_same(&other)), "{name} is not kept any more: {names:?}");
        }
    }
}

/// Whatever is kept aside is there once, and nothing was written over.
fn check_aside(disk: &SimDisk) {
    let kept = kept(disk);
    for (place, one) in kept.iter().enumerate() {
        assert!(!kept[..place].contains(one), "{} is kept twice", one.0);
    }
    assert_eq!(disk.contents()[KEPT_BEFORE], b"kept before");
    assert!(kept.iter().all(|(name, _)| !name.contains("unfinished")), "half of a copy is left");
}

/// The next start, without salvage, of a copy.
fn reopened(history: &History, disk: &Arc<SimDisk>, now_ms: u64) -> World {
    let world = World::open(&disk.copy(), &history.scale, now_ms, false).unwrap();
    assert!(world.report.skipped.is_empty() && world.report.mended.is_empty(), "{:?}", world.report);
    world
}

/// How often a salvage was interrupted.
fn check(history: &mut History, damage: Damage) -> u64 {
    let now_ms = history.actor.lock().unwrap().now_ms;
    let Some(damaged) = damaged(history, damage) else { return 0 };
    let Some(whole) = Whole::of(history, &damaged, now_ms) else { return 0 };
    // Some of them, others in each history: all take minutes.
    let mut interrupted = 0;
    let step = whole.calls.div_ceil(CALLS) as usize;
    let first = 1 + history.random.below(step) as u64;
    for at in (first..=whole.calls).step_by(step) {
        let disk = damaged.copy();
        disk.set_fault(Some(Fault::Power { at }));
        drop(World::open(&disk, &history.scale, now_ms, true));
        // The last calls are those of the log's own thread, which may not come to them.
        if !disk.is_off() {
            continue;
        }
        interrupted += 1;
        for left in [disk.copy(), disk.power_loss(&mut history.random)] {
            history.actor.lock().unwrap().trace.push(format!("{damage:?}, call {at} of {}", whole.calls));
            match World::open(&left.copy(), &history.scale, now_ms, false) {
                Ok(world) => whole.check_messages(&messages(&world, now_ms)),
                Err(StoreError::Corrupt { .. } | StoreError::Missing { .. } | StoreError::Foreign { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            let world = World::open(&left, &history.scale, now_ms, true).unwrap();
            history.actor.lock().unwrap().trace.push(format!("{:?}", world.report));
            let is_still_damaged = world.report.is_salvaged();
            drop(world);
            whole.check_messages(&messages(&reopened(history, &left, now_ms), now_ms));
            check_aside(&left);
            // A head of a segment file is written anew before anything else: then the second start has nothing to keep.
            if is_still_damaged {
                whole.check_kept(&left);
            }
        }
    }
    interrupted
}

fn interrupted(damage: Damage) {
    let calls = std::cell::Cell::new(0);
    for_seeds(2, |history| {
        prepare(history);
        history.actor.lock().unwrap().disconnect();
        calls.set(calls.get() + check(history, damage));
    });
    let is_known_seed = std::env::var("LEVERET_SEED").is_ok();
    assert!(calls.get() > 0 || is_known_seed, "{damage:?} was never salvaged");
}

#[test]
fn without_checkpoints_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::Checkpoints);
}

#[test]
fn without_checkpoints_and_with_a_hole_in_the_log_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::CheckpointsAndLog);
}

#[test]
fn with_a_hole_in_the_log_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::LogRecord);
}

#[test]
fn with_a_damaged_head_of_a_log_file_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::LogHead);
}

#[test]
fn with_a_missing_log_file_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::MissingLogFile);
}

#[test]
fn with_a_damaged_head_of_a_segment_file_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::SegmentHead);
}

#[test]
fn with_a_missing_segment_file_an_interrupted_salvage_can_be_done_again() {
    interrupted(Damage::MissingSegmentFile);
}
