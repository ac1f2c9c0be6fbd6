//! Devices that fail or fill up at any call, and power that goes at every call in turn.

use leveret::store::Log;
use leveret::store::wal::Committed;

use crate::disk::Fault;
use crate::history::{Crash, History, for_seeds};
use crate::probe::drain;
use crate::queues::NOBODY;

#[test]
fn power_may_go_at_every_call_of_a_history() {
    const STEPS: usize = 60;
    for seed in [3, 5, 8] {
        let mut whole = History::new(seed);
        whole.run(STEPS);
        for at in 1..=whole.world.disk.calls() {
            let mut history = History::new(seed);
            history.world.disk.set_fault(Some(Fault::Power { at }));
            history.run(STEPS);
            history.crash(Crash::PowerLoss);
            history.check_live();
        }
    }
}

#[test]
fn a_start_gives_the_live_state() {
    for_seeds(40, |history| {
        let steps = 50 + history.random.below(250);
        history.run(steps);
        history.check_live();
    });
}

#[test]
fn a_device_that_fails_ends_the_store_and_loses_nothing() {
    for_seeds(80, |history| {
        let at = history.world.disk.calls() + 1 + history.random.below(100) as u64;
        history.world.disk.set_fault(Some(Fault::Broken { at }));
        history.run(200);
        if history.world.wal.failure().is_some() {
            let durable = history.actor.lock().unwrap().durable;
            history.go_on(30);
            assert!(history.world.wal.durable().is_err());
            assert_eq!(history.actor.lock().unwrap().durable, durable);
        }
        history.crash(Crash::PowerLoss);
        history.run(30);
        history.check_live();
    });
}

#[test]
fn a_full_disk_loses_nothing_and_goes_on_when_there_is_space() {
    for_seeds(80, |history| {
        for _ in 0..3 {
            let at = history.world.disk.calls() + 1 + history.random.below(60) as u64;
            let calls = 1 + history.random.below(30) as u64;
            history.world.disk.set_fault(Some(Fault::Full { at, calls }));
            history.run(60);
            history.world.disk.set_fault(None);
            assert!(history.world.wal.failure().is_none(), "{:?}", history.world.wal.failure());
            if history.random.one_in(2) {
                history.crash(Crash::PowerLoss);
            }
        }
        history.relieve();
        history.check_live();
    });
}

#[test]
fn files_go_when_nothing_needs_them() {
    for_seeds(40, |history| {
        for _ in 0..4 {
            history.run(120);
            history.calm();
            // What the first one leaves free, the second one rewrites.
            history.relieve();
            history.relieve();
            check_files(history);
        }
        let now_ms = history.actor.lock().unwrap().now_ms;
        history.actor.lock().unwrap().disconnect();
        drain(&history.world, now_ms);
        // What waits there for a queue is never let go.
        history.world.vhost.delete_queue("limbo", false, false, NOBODY).unwrap();
        history.relieve();
        check_files(history);
        let left: Vec<_> = history.world.disk.files().into_iter().filter(|(path, _)| path.ends_with(".seg")).collect();
        assert_eq!(left, []);
        while history.world.wal.commit(true).unwrap() != Committed::Done {}
    });
}

/// The log is as long as its window and a few files to be used again; each segment file has messages.
fn check_files(history: &History) {
    let world = &history.world;
    let files = world.disk.files();
    let count = |ending: &str| files.iter().filter(|(path, _)| path.ends_with(ending)).count();
    let usage = world.loader.segments().usage();
    assert_eq!(count(".seg"), usage.files, "{files:?}");
    assert!(usage.files == 0 || usage.free_bytes < usage.bytes);
    let excess_bytes = history.scale.sizes.excess_bytes;
    assert_eq!(usage.excess(excess_bytes), 0, "{usage:?}");
    let in_segments: usize = files.iter().filter(|(path, _)| path.ends_with(".seg")).map(|(_, bytes)| bytes).sum();
    let wanted_bytes = usage.bytes - usage.free_bytes;
    // Headers, and gaps between queues.
    let overhead_bytes = usage.files as u64 * 256;
    assert!(in_segments as u64 <= (2 * wanted_bytes + overhead_bytes).saturating_add(excess_bytes), "{files:?}");
    let window = world.wal.head() - world.wal.start();
    let cut_bytes = history.scale.sizes.log_file_bytes / 16;
    assert!(window <= history.scale.window_bytes + cut_bytes + 4096, "the log has {window} bytes");
    let of_window = (window / history.scale.sizes.log_file_bytes) as usize + 2;
    assert!(count(".log") <= of_window + 7, "{of_window} {files:?}");
}
