//! Devices that fail or fill up at any call, and power that goes at every call in turn.

use leveret::internals::store::failure::{Call, Cause, Remedy};
use leveret::internals::store::{Log, StoredLog};

use crate::administration;
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
        history.make_room();
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
            history.make_room();
            history.make_room();
            check_files(history);
        }
        let now_ms = history.actor.lock().unwrap().now_ms;
        history.actor.lock().unwrap().disconnect();
        drain(&history.world, now_ms);
        // What waits there for a queue is never let go.
        history.world.vhost.delete_queue("limbo", false, false, NOBODY).unwrap();
        // A virtual host takes its messages along, also those in files.
        history.world.broker.delete_vhost(administration::VHOST).ok();
        history.make_room();
        check_files(history);
        let left: Vec<_> = history.world.disk.files().into_iter().filter(|(path, _)| path.ends_with(".seg")).collect();
        assert_eq!(left, []);
        history.world.wal.commit(true).unwrap();
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

/// An error of each kind that the table tells apart.
const fn errno(cause: Cause) -> i32 {
    match cause {
        Cause::NoSpace => 28,
        Cause::NoDescriptor => 24,
        Cause::NoMemory => 12,
        Cause::Busy => 16,
        Cause::Broken => 5,
    }
}

/// Whether the running store makes this call; the others are made at the start only, and refuse it.
const fn is_made_while_running(call: Call) -> bool {
    match call {
        Call::MakeDirectory | Call::List | Call::Start => false,
        Call::Open
        | Call::Create
        | Call::Remove
        | Call::Rename
        | Call::SyncDirectory
        | Call::FreeBytes
        | Call::Read
        | Call::Write
        | Call::SyncLog
        | Call::SyncNew => true,
    }
}

/// Each call fails with each error, now and then; what follows is what the table says, and nothing is lost.
#[test]
fn each_failing_call_has_the_remedy_of_the_table() {
    for call in Call::ALL.into_iter().filter(|call| is_made_while_running(*call)) {
        for cause in Cause::ALL {
            let remedy = Remedy::of(call, cause);
            let hits = std::cell::Cell::new(0);
            for_seeds(6, |history| {
                hits.set(hits.get() + u64::from(fail(history, call, cause)));
                history.crash(Crash::PowerLoss);
                history.run(30);
                history.make_room();
                history.check_live();
            });
            assert!(hits.get() > 0, "{call:?} never failed with {cause:?}: {remedy:?}");
        }
    }
}

/// Has a few calls fail; whether they did.
fn fail(history: &mut History, call: Call, cause: Cause) -> bool {
    let world = &history.world;
    world.wal.on_low_space(1 << 20, Box::new(|_| ()));
    let at = world.disk.calls_of(call) + 1 + history.random.below(4) as u64;
    // The same is read once more, page by page: a device that can do that has lost nothing.
    let is_lossy = call == Call::Read && cause == Cause::Broken;
    let calls = if is_lossy { 1 } else { 1 + history.random.below(12) as u64 };
    world.disk.set_fault(Some(Fault::Failing { call, at, calls, errno: errno(cause) }));
    history.run(150);
    (0..8).for_each(|_| history.world.wal.check_space());
    let failure = history.world.wal.failure().map(ToString::to_string);
    let has_failed = history.world.disk.failed() > 0;
    match Remedy::of(call, cause) {
        Remedy::Wait | Remedy::Refuse => assert_eq!(failure, None, "{call:?} {cause:?}"),
        Remedy::Stop => assert_eq!(failure.is_some(), has_failed, "{call:?} {cause:?}: {failure:?}"),
    }
    history.world.disk.set_fault(None);
    if failure.is_none() {
        history.run(30);
        history.make_room();
        history.check_live();
    }
    has_failed
}
