//! What a client is told while the log is late, wakes in any order, or has failed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::store::fake_log::FakeLog;
use crate::store::record::{Record, records};

const CONFIRMS: u16 = 1;
const TRANSACTIONS: u16 = 2;
const QUEUES: [&[u8]; 2] = [b"a", b"b"];

#[derive(Clone, Debug)]
enum Step {
    Publish {
        queue: usize,
        is_persistent: bool,
    },
    Declare,
    Commit {
        publishes: usize,
    },
    /// So many more appends become durable, without anybody being woken.
    Sync(u64),
    WakeDue,
    /// Somebody is woken whose time may not have come.
    WakeOne(usize),
    Fail,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..QUEUES.len(), prop::bool::weighted(0.7))
            .prop_map(|(queue, is_persistent)| Step::Publish { queue, is_persistent }),
        2 => Just(Step::Declare),
        2 => (0_usize..4).prop_map(|publishes| Step::Commit { publishes }),
        6 => (1_u64..6).prop_map(Step::Sync),
        4 => Just(Step::WakeDue),
        3 => any::<usize>().prop_map(Step::WakeOne),
        1 => Just(Step::Fail),
    ];
    vec(step, 1..80)
}

/// A client, and what it must not be told before the log is so far.
struct World {
    log: Arc<FakeLog>,
    client: Client,
    /// What each publish waits for that is not confirmed, by its number.
    unconfirmed: Vec<(u64, u64)>,
    published: u64,
    /// What the answer to the last method waits for.
    answer: Option<u64>,
    declared: u32,
    durable: u64,
    has_failed: bool,
}

fn persistent(channel: u16, queue: &[u8], is_persistent: bool) -> Vec<u8> {
    let address = [&[0, 0][..], &short(b""), &short(queue), &[0]].concat();
    let header = [&[0, 60, 0, 0][..], &5_u64.to_be_bytes(), &[0x10, 0, 1 + u8::from(is_persistent)]].concat();
    [method(channel, (60, 40), &address), frame(2, channel, &header), frame(3, channel, b"hello")].concat()
}

fn declare_durable(queue: &[u8]) -> Vec<u8> {
    method(CONFIRMS, (50, 10), &[&[0, 0][..], &short(queue), &[2], &long(b"")].concat())
}

impl World {
    fn new() -> Self {
        let log = Arc::new(FakeLog::default());
        let node = Node { log: Arc::clone(&log) as Arc<dyn crate::store::Log>, ..Node::default() };
        let mut client = Client::open(&hosting_with(node));
        client.send(&[method(CONFIRMS, (85, 10), b"\0"), method(TRANSACTIONS, (90, 10), b"")].concat());
        for queue in QUEUES {
            client.send(&declare_durable(queue));
            log.set_durable(log.head());
            client.session.deliver(0);
        }
        client.read();
        let durable = log.head();
        let (unconfirmed, answer) = (Vec::new(), None);
        Self { log, client, unconfirmed, published: 0, answer, declared: 0, durable, has_failed: false }
    }

    /// What a client is to do next, it does only when it is read.
    fn is_read(&self) -> bool {
        self.client.unused.is_empty() && self.answer.is_none()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Publish { queue, is_persistent } if self.is_read() => {
                self.client.send(&persistent(CONFIRMS, QUEUES[queue], is_persistent));
                self.published += 1;
                let needs = if is_persistent { self.log.head() } else { 0 };
                self.unconfirmed.push((self.published, needs));
            }
            Step::Declare if self.is_read() => {
                self.declared += 1;
                self.client.send(&declare_durable(format!("q{}", self.declared).as_bytes()));
                self.answer = Some(self.log.head());
            }
            Step::Commit { publishes } if self.is_read() => self.commit(publishes),
            Step::Publish { .. } | Step::Declare | Step::Commit { .. } => {}
            Step::Sync(appends) => {
                self.durable = self.log.head().min(self.durable + appends);
                self.log.set_durable(self.durable);
            }
            Step::WakeDue => self.log.wake_due(),
            Step::WakeOne(which) => _ = self.log.wake_one(which),
            Step::Fail => {
                self.hear();
                self.log.break_down();
                self.has_failed = true;
            }
        }
        assert!(!self.log.is_guarded(), "bodies could never move again");
        self.hear();
    }

    fn commit(&mut self, publishes: usize) {
        let before = self.log.head();
        for at in 0..publishes {
            self.client.send(&persistent(TRANSACTIONS, QUEUES[at % QUEUES.len()], true));
        }
        assert_eq!(self.log.head(), before, "nothing of a transaction happens before it is committed");
        self.client.send(&method(TRANSACTIONS, (90, 20), b""));
        self.answer = Some(self.log.head());
        let appended = self.log.appended_from(before);
        let all: Vec<_> = appended.iter().flat_map(|bytes| records(bytes)).map(|record| record.unwrap()).collect();
        let Some((Record::Committed { transaction: committed }, changes)) = all.split_last() else {
            panic!("it does not end with its commit: {all:?}");
        };
        let stored = changes.iter().map(|change| {
            let Record::Enqueued { transaction, messages, .. } = change else { panic!("no publish made {change:?}") };
            assert_eq!(transaction, committed, "a start would not take this for a part of it");
            messages.len()
        });
        assert_eq!(stored.sum::<usize>(), publishes);
    }

    /// The connection does what it was woken for, and what it says is looked at.
    fn hear(&mut self) {
        self.client.session.deliver(0);
        self.client.send(b"");
        let output = self.client.read();
        let mut rest = output.as_slice();
        while let [1, _, _, a, b, c, d, later @ ..] = rest {
            let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap();
            self.hear_method(&later[..length]);
            rest = &later[length + 1..];
        }
        assert_eq!(rest, b"", "only methods are expected");
    }

    fn hear_method(&mut self, method: &[u8]) {
        assert!(!self.has_failed, "the client was told {method:?} by a log that has failed");
        let durable = self.durable;
        match method {
            [0, 60, 0, 80, arguments @ ..] => {
                let tag = u64::from_be_bytes(arguments[..8].try_into().unwrap());
                let is_multiple = arguments[8] == 1;
                let is_confirmed = |number: u64| number == tag || is_multiple && number < tag;
                for (number, needs) in self.unconfirmed.extract_if(.., |(number, _)| is_confirmed(*number)) {
                    assert!(needs <= durable, "publish {number} is confirmed at {durable}, and needs {needs}");
                }
            }
            [0, 50, 0, 11, ..] | [0, 90, 0, 21] => {
                let needs = self.answer.take().expect("a method waits for its answer");
                assert!(needs <= durable, "{method:?} is said at {durable}, and needs {needs}");
            }
            other => panic!("nobody asked for {other:?}"),
        }
    }
}

proptest! {
    /// However late the log is and in whatever order it wakes: nothing is told too early, and everything in the end.
    #[test]
    fn a_client_is_told_what_is_durable_and_nothing_else(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        if !world.has_failed {
            world.take(&Step::Sync(u64::MAX / 2));
            world.take(&Step::WakeDue);
            prop_assert_eq!((&world.unconfirmed, world.answer), (&Vec::new(), None), "what is durable is told");
            prop_assert!(world.client.session.wants_read());
        }
    }
}

/// A connection that was woken for one confirm asks again for those that are left.
#[test]
fn confirms_come_one_by_one_as_the_log_moves() {
    let mut world = World::new();
    for queue in [0, 1, 0] {
        world.take(&Step::Publish { queue, is_persistent: true });
    }
    for left in [2, 1, 0] {
        // A chunk and its record.
        world.take(&Step::Sync(2));
        world.take(&Step::WakeDue);
        assert_eq!(world.unconfirmed.len(), left);
    }
}

/// A publisher that only adds to what the log cannot take is not read until the log has caught up.
#[test]
fn a_publisher_waits_while_the_log_is_behind() {
    let mut world = World::new();
    world.log.set_behind(true);
    world.take(&Step::Publish { queue: 0, is_persistent: true });
    assert!(!world.client.session.wants_read());
    world.take(&Step::Sync(9));
    world.take(&Step::WakeDue);
    assert!(world.unconfirmed.is_empty() && !world.client.session.wants_read(), "it is told, and goes on waiting");
    world.log.set_behind(false);
    world.hear();
    assert!(world.client.session.wants_read());
}
