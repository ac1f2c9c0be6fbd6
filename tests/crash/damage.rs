//! Flipped bits: found, named, refused at the start; and left out when they are to be salvaged.

use std::sync::Arc;

use leveret::internals::store::StoredLog;

use crate::disk::SimDisk;
use crate::history::{History, for_seeds};
use crate::probe::{Found, drain, load_all};
use crate::queues::{QUEUES, kind};
use crate::random::Random;
use crate::world::World;

/// Bytes in front of the first group of a file of the log.
const FILE_HEAD_BYTES: u64 = 4096;

/// What can be known of a message wherever it is.
fn essence(found: &[Found]) -> Vec<(u64, &'static str)> {
    let mut all: Vec<_> = found.iter().map(|one| (one.id, one.queue)).collect();
    all.sort_unstable();
    all
}

/// A place in a file whose bytes somebody relies on.
pub fn place(history: &mut History, kind: &str) -> Option<(String, usize)> {
    let world = &history.world;
    let files: Vec<_> = world.disk.files().into_iter().filter(|(path, _)| path.contains(kind)).collect();
    if kind != "wal" {
        let (path, length) = history.random.pick(&files[..]).clone();
        return Some((path, history.random.below(length)));
    }
    let (start, end) = (world.wal.start(), history.actor.lock().unwrap().durable);
    // After a checkpoint the log may begin behind all that anybody was told to be durable: nobody relies on its bytes then.
    let position = start + history.random.next() % end.checked_sub(start)?.max(1);
    let file_bytes = history.scale.sizes.log_file_bytes;
    let path = format!("wal/{:010}.log", position / file_bytes);
    let offset = (FILE_HEAD_BYTES + position % file_bytes) as usize;
    files.iter().any(|(file, length)| *file == path && offset < *length).then_some((path, offset))
}

pub fn prepare(history: &mut History) {
    history.run(120);
    history.make_room();
    history.run(40);
    for _ in 0..2 {
        history.world.wal.sync_everything().unwrap();
        // So the log knows what was durable, even of the last groups.
        history.world.wal.seal();
        history.world.wal.commit(false).unwrap();
    }
}

fn check(history: &mut History, kind: &str) {
    let now_ms = history.actor.lock().unwrap().now_ms;
    let open = |history: &History, disk: &Arc<SimDisk>, salvage| World::open(disk, &history.scale, now_ms, salvage);
    let whole = essence(&drain(&open(history, &history.world.disk.copy(), false).unwrap(), now_ms));
    for _ in 0..6 {
        let Some((path, offset)) = place(history, kind) else { continue };
        let damaged = history.world.disk.copy();
        damaged.flip(&path, offset, history.random.below(8));
        let is_found = match open(history, &damaged.copy(), false) {
            Err(error) => {
                let text = error.to_string();
                // What begins in one file of the log may end in the next one.
                assert!(text.contains(&path) || kind == "wal" && text.contains("wal/"), "{text} does not name {path}");
                assert!(text.contains("offset"), "{text}");
                true
            }
            Ok(world) => {
                assert_eq!(kind == "checkpoint", !world.report.mended.is_empty(), "{:?}", world.report);
                let found = essence(&drain(&world, now_ms));
                match world.wal.failure() {
                    Some(error) => panic!("{path} at {offset}: {error}"),
                    None if kind == "segments" => {
                        check_lost(&world, &found, &whole, 1);
                        // It is gone, and found to be gone: the next start has nothing to say about it.
                        world.pager.make_room().unwrap();
                        let again = open(history, &world.disk.copy(), false).unwrap();
                        drain(&again, now_ms);
                        check_lost(&again, &[], &[], 0);
                        false
                    }
                    None => {
                        assert_eq!(found, whole, "{path} at {offset} is damaged, and nobody noticed");
                        false
                    }
                }
            }
        };
        if is_found {
            check_salvaged(history, &damaged, &whole, &path, now_ms);
        }
    }
}

/// So many messages are lost at most, and each was told of.
fn check_lost(world: &World, found: &[(u64, &str)], whole: &[(u64, &str)], most: usize) {
    let lost: Vec<_> = whole.iter().filter(|one| !found.iter().any(|(id, _)| *id == one.0)).collect();
    assert!(lost.len() <= most, "{lost:?}");
    let unreadable: u64 = QUEUES
        .iter()
        .filter_map(|kind| world.vhost.read(|topology| topology.queue(kind.name).cloned()))
        .map(|queue| queue.snapshot().map_or(0, |queue| queue.stats.unreadable))
        .sum();
    assert!(unreadable as usize <= most, "{unreadable} are told of");
    // Delayed messages have no queue yet.
    let of_delayed = lost.iter().filter(|(_, queue)| ["plain", "prio", "ttl"].contains(queue)).count();
    assert!(lost.len() <= unreadable as usize + of_delayed, "{lost:?}, and {unreadable} are told of");
    assert!(world.wal.failure().is_none(), "{:?}", world.wal.failure());
}

fn is_steady(name: &str) -> bool {
    let kind = kind(name);
    kind.max_length.is_none() && !kind.keeps_dead && !kind.is_slow && name != "dead"
}

/// Records that become damaged under a running broker cost themselves, and the queues go on.
#[test]
fn a_damaged_record_that_is_read_while_running_costs_one_message() {
    for_seeds(40, |history| {
        prepare(history);
        history.actor.lock().unwrap().disconnect();
        load_all(&history.world, history.actor.lock().unwrap().now_ms);
        let now_ms = history.actor.lock().unwrap().now_ms;
        history.world.wal.sync_everything().unwrap();
        let whole = World::open(&history.world.disk.copy(), &history.scale, now_ms, false).unwrap();
        // Where messages die or are dropped while they are taken out, a start and the live broker need not agree.
        let mut whole = essence(&drain(&whole, now_ms));
        whole.retain(|(_, name)| is_steady(name));
        if history.world.loader.segments().usage().files == 0 {
            return;
        }
        let Some((path, offset)) = place(history, "segments") else { return };
        history.world.disk.flip(&path, offset, history.random.below(8));
        let found = essence(&drain(&history.world, now_ms));
        check_lost(&history.world, &found, &whole, 1);
    });
}

fn check_salvaged(history: &History, damaged: &Arc<SimDisk>, whole: &[(u64, &str)], path: &str, now_ms: u64) {
    let world = World::open(damaged, &history.scale, now_ms, true).unwrap();
    let found = essence(&drain(&world, now_ms));
    assert!(world.wal.failure().is_none(), "{:?}", world.wal.failure());
    if path.starts_with("wal") {
        assert!(!world.report.skipped.is_empty());
    }
    if !path.starts_with("checkpoint") {
        let kept = whole.iter().filter(|one| found.iter().any(|(id, _)| *id == one.0)).count();
        assert!(kept + 40 >= whole.len(), "{path}: only {kept} of {} are left", whole.len());
    }
}

#[test]
fn a_flipped_bit_of_the_log_is_noticed() {
    for_seeds(25, |history| {
        prepare(history);
        check(history, "wal");
    });
}

#[test]
fn a_flipped_bit_of_a_segment_file_is_noticed() {
    for_seeds(25, |history| {
        prepare(history);
        if history.world.loader.segments().usage().files > 0 {
            check(history, "segments");
        }
    });
}

#[test]
fn a_flipped_bit_of_a_checkpoint_is_noticed() {
    for_seeds(20, |history| {
        prepare(history);
        check(history, "checkpoint");
    });
}

/// Any number of flipped bits, anywhere: whatever is found is whole, and nothing hangs.
#[test]
fn much_damage_is_survived() {
    for_seeds(25, |history| {
        prepare(history);
        let now_ms = history.actor.lock().unwrap().now_ms;
        let mut random = Random::new(history.random.next());
        let damaged = history.world.disk.copy();
        for _ in 0..random.below(40) {
            let files = damaged.files();
            let (path, length) = random.pick(&files[..]).clone();
            if length > 0 {
                damaged.flip(&path, random.below(length), random.below(8));
            }
        }
        for salvage in [false, true] {
            if let Ok(world) = World::open(&damaged.copy(), &history.scale, now_ms, salvage) {
                drain(&world, now_ms);
            }
        }
    });
}
