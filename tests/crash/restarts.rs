//! What only a second start shows.

use std::sync::Arc;

use leveret::internals::broker::ids::{ChannelId, ConsumerId};
use leveret::internals::broker::queue::{ConsumerSpec, NewMessage, QueueHandle, Return, Settlement};
use leveret::internals::broker::sink::{Delivery, Sink};
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::failure::Call;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, StoredLog, TransactionId};

use crate::disk::{Fault, SimDisk};
use crate::history::{Crash, for_seeds};
use crate::probe::{body, drain, identify};
use crate::random::Random;
use crate::world::{Basket, Scale, World};

const NOW_MS: u64 = 1_000_000;
const CHANNEL: ChannelId = ChannelId(7);
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

struct Broker {
    scale: Scale,
    world: World,
}

impl Broker {
    fn new() -> Self {
        Self::of(Scale::of(&mut Random::new(1)))
    }

    fn of(scale: Scale) -> Self {
        let world = World::open(&Arc::new(SimDisk::default()), &scale, NOW_MS, false).unwrap();
        Self { scale, world }
    }

    /// Writes what is in the log, kills the broker and starts it again.
    fn kill(self) -> Self {
        while Wal::place_of(self.world.wal.durable().unwrap()) < self.world.wal.head() {
            self.world.wal.commit(true).unwrap();
        }
        let disk = self.world.disk.copy();
        let world = World::open(&disk, &self.scale, NOW_MS, false).unwrap();
        Self { world, ..self }
    }

    fn queue(&self, name: &str) -> Arc<QueueHandle> {
        self.world.vhost.read(|topology| topology.queue(name).cloned()).unwrap()
    }

    fn publish(&self, queue: &str, id: u64, transaction: TransactionId) {
        let facts = Facts { persistent: true, ..Facts::default() };
        let memory = Arc::clone(&self.world.broker.node().memory);
        let properties = PropertiesEditor::new().build();
        let message = Message::standalone(&memory, facts, &address("", queue.as_bytes()), &properties, &body(id, 10));
        let new = NewMessage::published(message, None);
        self.queue(queue).publish([new], transaction, NOW_MS, |_| panic!("{queue} refuses"));
    }

    fn get(&self, queue: &str) -> Delivery {
        let sink: Arc<dyn Sink> = Arc::new(Basket::default());
        crate::probe::load_all(&self.world, NOW_MS);
        self.queue(queue).get(CHANNEL, &sink, false, NOW_MS).unwrap().unwrap().0
    }

    /// How many messages have counts that a checkpoint would tell of.
    fn recounted(&self, queue: &str) -> usize {
        self.queue(queue).state(|_| false).map_or(0, |state| state.counts.len())
    }
}

/// What is delivered before its transaction is committed leaves records that tell of its place.
#[test]
fn the_place_of_a_message_that_was_never_committed_is_not_given_to_another() {
    let broker = Broker::new();
    broker.publish("plain", 1, TransactionId::NONE);
    let spec = ConsumerSpec {
        raw_arguments: leveret::internals::table::EncodedTable::default(),
        id: ConsumerId(broker.world.broker.node().ids.fresh()),
        channel: CHANNEL,
        consumer_tag: "tag".into(),
        sink: Arc::new(Basket::default()),
        no_ack: true,
        exclusive: false,
        priority: 0,
        prefetch_count: 0,
        channel_credit: Arc::default(),
        timeout_ms: None,
    };
    let id = spec.id;
    broker.queue("plain").consume(spec, NOW_MS).unwrap();
    broker.queue("plain").resume(id, NOW_MS);
    let transaction = broker.world.wal.new_transaction();
    broker.publish("plain", 2, transaction);
    let broker = broker.kill();
    broker.publish("plain", 3, TransactionId::NONE);
    let broker = broker.kill();
    let found = drain(&broker.world, NOW_MS);
    assert_eq!(found.iter().map(|found| (found.id, found.redelivered)).collect::<Vec<_>>(), [(3, false)]);
}

#[test]
fn counts_of_messages_that_are_gone_go_with_them_after_a_restart() {
    let broker = Broker::new();
    for id in 1..=3 {
        broker.publish("quorum", id, TransactionId::NONE);
    }
    broker.world.pager.finish().unwrap();
    let mut broker = broker.kill();
    for round in 1..=3 {
        for _ in 0..2 {
            let delivery = broker.get("quorum");
            broker.queue("quorum").requeue(delivery.token.into_iter().collect(), Return::Nacked, NOW_MS);
        }
        let delivery = broker.get("quorum");
        assert_eq!(identify(&delivery.message), round);
        broker.queue("quorum").settle(delivery.token, Settlement::Acked, TransactionId::NONE, NOW_MS);
        broker = broker.kill();
    }
    assert_eq!(broker.recounted("quorum"), 0);
}

/// The file that tells which message is gone goes with a checkpoint; the log that has the message stays.
#[test]
fn what_only_a_segment_file_told_is_known_when_that_file_is_gone() {
    let scale = Scale { budget_bytes: 1, window_bytes: u64::MAX, ..Scale::of(&mut Random::new(1)) };
    let broker = Broker::of(scale);
    // Not two: the place of one that moves later would tell of those before it.
    broker.publish("plain", 1, TransactionId::NONE);
    let at = broker.world.disk.calls_of(Call::Rename) + 1;
    broker.world.disk.set_fault(Some(Fault::Failing { call: Call::Rename, at, calls: 1, errno: ENOSPC }));
    broker.world.pager.make_room().unwrap_err();
    broker.world.disk.set_fault(None);
    let delivery = broker.get("plain");
    assert_eq!(identify(&delivery.message), 1);
    broker.queue("plain").settle(delivery.token, Settlement::Acked, TransactionId::NONE, NOW_MS);
    let broker = broker.kill();
    let of_first_start = broker.world.wal.head() - broker.world.head;
    let broker = broker.kill();
    assert!(broker.world.wal.head() - broker.world.head < of_first_start, "it is recorded once");
    broker.world.pager.make_room().unwrap();
    let broker = broker.kill();
    let found = drain(&broker.world, NOW_MS);
    assert!(found.is_empty(), "{found:?}");
}

/// What a failed sync leaves can be read as long as there is power: a start must not take it for what is on the device.
#[test]
fn what_a_failed_sync_left_is_not_believed_until_power_is_lost() {
    for_seeds(100, |history| {
        let call = *history.random.pick(&[Call::SyncLog, Call::SyncNew, Call::SyncDirectory]);
        let at = history.world.disk.calls_of(call) + 1 + history.random.below(6) as u64;
        history.world.disk.set_fault(Some(Fault::Failing { call, at, calls: 1, errno: EIO }));
        history.run(150);
        history.crash(Crash::Killed);
        let steps = history.random.below(60);
        history.run(steps);
        history.crash(Crash::PowerLoss);
        history.run(30);
        history.check_live();
    });
}
