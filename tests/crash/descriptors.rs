//! Descriptors: few are needed however many segment files there are, and without any the store waits.

use std::sync::Arc;

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::{NewMessage, Settlement};
use leveret::internals::broker::sink::Sink;
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::store::disk::Disk;
use leveret::internals::store::failure::Call;
use leveret::internals::store::segments::{Label, SegmentWriter, Segments, Written};
use leveret::internals::store::{Log, Seq, Sizes, StoredLog, TransactionId};

use crate::disk::{Fault, SimDisk};
use crate::history::{Crash, for_seeds};
use crate::probe::load_all;
use crate::random::Random;
use crate::world::{Basket, Scale, World};

const FILES: u64 = 5_000;

fn message() -> Message {
    Message::standalone(
        &Arc::default(),
        Facts { persistent: true, ..Facts::default() },
        &address("x", b"key"),
        &[0, 0],
        b"body",
    )
}

/// Each message gets a file of its own.
fn write_files(disk: &Arc<SimDisk>, files: u64) -> (Segments, Vec<Written>) {
    let sizes = Sizes { segment_file_bytes: 1, ..Sizes::default() };
    let segments = Segments::new(Arc::clone(disk) as Arc<dyn Disk>, Arc::default()).with_sizes(sizes);
    let mut written = Vec::new();
    for seq in 0..files {
        let mut writer = SegmentWriter::new(&segments);
        written.push(
            writer.push(&Label { queue: 7, seq: Seq(seq), is_stored: true, ..Label::default() }, &message()).unwrap(),
        );
        writer.flush(true).unwrap();
        writer.finish();
    }
    (segments, written)
}

#[test]
fn few_files_are_open_however_many_there_are() {
    let disk = Arc::new(SimDisk::default());
    let (segments, written) = write_files(&disk, FILES);
    assert_eq!((segments.files().len() as u64, disk.open_files()), (FILES, 0));
    for _ in 0..2 {
        for (seq, place) in written.iter().enumerate() {
            let block = segments.read(place.segment, place.offset, place.offset + place.bytes, 1, 7).unwrap();
            assert_eq!(block.records.iter().map(|record| record.label.seq.0).collect::<Vec<_>>(), [seq as u64]);
            assert!(disk.open_files() <= 32, "{} files are open", disk.open_files());
        }
    }
}

#[test]
fn files_that_are_kept_open_give_way_to_the_one_that_is_read() {
    let disk = Arc::new(SimDisk::default());
    let (segments, written) = write_files(&disk, 3);
    let read = |at: usize| {
        let place = &written[at];
        segments.read(place.segment, place.offset, place.offset + place.bytes, 1, 7).unwrap().records.len()
    };
    assert_eq!((read(0), read(1), disk.open_files()), (1, 1, 2));
    let at = disk.calls_of(Call::Open) + 1;
    disk.set_fault(Some(Fault::Failing { call: Call::Open, at, calls: 1, errno: 24 }));
    assert_eq!((read(2), disk.open_files()), (1, 1));
}

/// What a client is told must not outlive what it did before: a rejection whose dead letter cannot be read yet.
#[test]
fn nothing_is_told_after_a_rejection_that_is_not_recorded() {
    let scale = Scale { window_bytes: 0, ..Scale::of(&mut Random::new(1)) };
    let world = World::open(&Arc::default(), &scale, 0, false).unwrap();
    let queue = |name| world.vhost.read(|topology| topology.queue(name).cloned()).unwrap();
    let publish = |name| queue(name).publish([NewMessage::published(message(), None)], TransactionId::NONE, 0, |_| ());
    publish("cellar");
    let basket: Arc<dyn Sink> = Arc::<Basket>::default();
    let (delivery, _) = queue("cellar").get(ChannelId(1), &basket, false, 0).unwrap().unwrap();
    // What is unacknowledged leaves the log, and memory, too.
    for _ in 0..300 {
        publish("twin");
    }
    world.wal.sync_everything().unwrap();
    world.pager.make_room().unwrap();
    let at = world.disk.calls_of(Call::Read) + 1;
    world.disk.set_fault(Some(Fault::Failing { call: Call::Read, at, calls: 1 << 40, errno: 12 }));
    queue("cellar").settle(delivery.token, Settlement::Rejected, TransactionId::NONE, 0);
    let position = publish("plain");
    world.wal.sync_everything().unwrap();
    let durable = || world.wal.durable().unwrap();
    assert!(world.wal.owes() && !durable().includes(position), "a later message is confirmed");
    world.disk.set_fault(None);
    load_all(&world, 0);
    assert!(!world.wal.owes() && !durable().includes(position), "the rejection is not durable yet");
    world.wal.sync_everything().unwrap();
    assert!(durable().includes(position));
}

/// A client that asks again and again while nothing can be read orders the message once.
#[test]
fn what_is_asked_for_again_is_read_once() {
    let scale = Scale { budget_bytes: 1, ..Scale::of(&mut Random::new(1)) };
    let world = World::open(&Arc::default(), &scale, 0, false).unwrap();
    let queue = world.vhost.read(|topology| topology.queue("plain").cloned()).unwrap();
    queue.publish([NewMessage::published(message(), None)], TransactionId::NONE, 0, |_| ());
    world.wal.sync_everything().unwrap();
    world.pager.make_room().unwrap();
    let at = world.disk.calls_of(Call::Read) + 1;
    world.disk.set_fault(Some(Fault::Failing { call: Call::Read, at, calls: 1 << 40, errno: 12 }));
    let basket: Arc<dyn Sink> = Arc::<Basket>::default();
    for _ in 0..10 {
        assert!(queue.get(ChannelId(1), &basket, true, 0).unwrap().is_none());
    }
    world.disk.set_fault(None);
    assert!(world.loader.step(0).unwrap());
    assert!(!world.loader.step(0).unwrap(), "it was ordered twice");
    assert!(queue.get(ChannelId(1), &basket, true, 0).unwrap().is_some());
}

/// No descriptor for a while, of the process (EMFILE) or of the system (ENFILE): messages are read later, and none is lost.
#[test]
fn without_descriptors_the_store_waits() {
    wait(&[Call::Open, Call::Open, Call::Create], &[24, 23]);
}

/// No memory to read with for a while (ENOMEM): as without descriptors.
#[test]
fn without_memory_to_read_the_store_waits() {
    wait(&[Call::Read], &[12]);
}

fn wait(calls_that_fail: &[Call], errnos: &[i32]) {
    for_seeds(60, |history| {
        history.run(120);
        history.make_room();
        for _ in 0..3 {
            let errno = *history.random.pick(errnos);
            let call = *history.random.pick(calls_that_fail);
            let at = history.world.disk.calls_of(call) + 1 + history.random.below(6) as u64;
            let calls = 1 + history.random.below(40) as u64;
            history.world.disk.set_fault(Some(Fault::Failing { call, at, calls, errno }));
            history.run(60);
            assert!(history.world.wal.failure().is_none(), "{:?}", history.world.wal.failure());
            history.world.disk.set_fault(None);
            history.actor.lock().unwrap().load_all(&history.world);
            history.run(20);
            if history.random.one_in(2) {
                history.crash(Crash::PowerLoss);
            }
        }
        history.make_room();
        history.check_live();
    });
}
