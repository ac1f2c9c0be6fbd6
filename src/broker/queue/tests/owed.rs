//! What a client's answers are owed for until it is recorded, where dead letters of one batch end at different times: the log must tell
//! nothing that came later before the last of them is recorded.

use std::sync::Arc;

use super::*;
use crate::store::fake_log::FakeLog;
use crate::store::{Log, LogPosition, Owed};

/// Messages of a batch, of which some are handed out at a time.
const MESSAGES: u32 = 600;
const COUNT: usize = MESSAGES as usize;

struct Rejected {
    log: Arc<FakeLog>,
    queue: Queue,
    /// Where the log has what a client is to be told that rejected the first batch.
    later: LogPosition,
}

impl Rejected {
    /// Batches of so many were rejected.
    fn of(batches: &[usize]) -> Self {
        let arguments = QueueArguments {
            dead_letters: Some(Arc::default()),
            dead_letter_at_least_once: true,
            overflow: Overflow::RejectPublish,
            ..quorum()
        };
        let mut harness = Harness::new(arguments);
        harness.publish((0..MESSAGES).map(fresh).collect());
        let mut tokens: Vec<_> = harness.get_all(CHANNEL).into_iter().filter_map(|delivery| delivery.token).collect();
        let (log, mut queue, now_ms) = (Arc::<FakeLog>::default(), harness.into_queue(), 1_000_000);
        let as_log = Arc::clone(&log) as Arc<dyn Log>;
        let mut later = None;
        for count in batches {
            let (_, aftermath) = queue.transition(|queue| {
                queue.settle(&mut tokens.drain(..*count), Settlement::Rejected);
                queue.owe_dead_letters(|| Owed::begin(&as_log));
                queue.pump(now_ms);
            });
            assert_eq!(aftermath.publish_dead_letters, later.is_none());
            later.get_or_insert_with(|| log.append(b"later"));
        }
        Self { log, queue, later: later.unwrap() }
    }

    fn hand_out(&mut self) -> usize {
        match self.queue.next_dead_letters() {
            NextDeadLetters::Letters(letters) => letters.len(),
            NextDeadLetters::OnDisk(_) | NextDeadLetters::Over => 0,
        }
    }

    /// Publishes the next one, and records it.
    fn publish(&mut self) {
        let (owed, _) = self.queue.transition(Queue::dead_letter_published);
        self.log.append(b"published");
        drop(owed);
    }

    /// Whether clients may be told of what came later, now that all of the log is durable.
    fn is_told(&self) -> bool {
        self.log.set_durable(self.log.head());
        self.log.durable().unwrap().includes(self.later)
    }
}

#[test]
fn what_a_purge_left_to_its_publisher_is_owed_like_the_rest() {
    for is_published_first in [true, false] {
        let mut rejected = Rejected::of(&[COUNT]);
        let handed = rejected.hand_out();
        assert!(handed > 0 && handed < COUNT, "{handed}");
        let (mut removed, _) = rejected.queue.transition(Queue::purge);
        assert_eq!(removed.count, COUNT - handed, "what is handed out is not purged");
        let forget = |rejected: &mut Rejected| {
            while !rejected.queue.transition(|queue| queue.forget(&mut removed)).0.is_last {}
            rejected.log.append(b"forgotten");
            drop(removed);
        };
        let publish = |rejected: &mut Rejected| (0..handed).for_each(|_| rejected.publish());
        if is_published_first {
            publish(&mut rejected);
            assert!(!rejected.is_told(), "the purge is not recorded");
            forget(&mut rejected);
        } else {
            forget(&mut rejected);
            assert!(!rejected.is_told(), "what was handed out is not recorded");
            (1..handed).for_each(|_| rejected.publish());
            assert!(!rejected.is_told(), "the last one is not recorded");
            rejected.publish();
        }
        assert!(rejected.is_told());
        assert_eq!((rejected.hand_out(), rejected.queue.dead_letter_count()), (0, 0));
    }
}

#[test]
fn a_batch_that_was_handed_out_before_a_purge_is_owed_until_it_is_recorded() {
    const FIRST: usize = 100;
    let mut rejected = Rejected::of(&[FIRST, COUNT - FIRST]);
    assert!(rejected.hand_out() > FIRST);
    let (removed, _) = rejected.queue.transition(Queue::purge);
    for number in 0..FIRST {
        assert!(!rejected.is_told(), "{number} are recorded");
        rejected.publish();
    }
    assert!(rejected.is_told(), "the second batch is owed for what came later still");
    drop(removed);
}

/// They cannot be read. The last of the batch is among them, and later the rest.
#[test]
fn what_is_owed_for_lost_dead_letters_is_owed_for_the_others_of_their_batch() {
    let losses: [fn(u64) -> bool; 3] = [|seq| seq > 500, |seq| seq.is_multiple_of(3), |_| true];
    for lost in losses {
        let mut rejected = Rejected::of(&[COUNT]);
        let handed = rejected.hand_out();
        let (gone, aftermath) = rejected.queue.transition(|queue| {
            let gone = queue.order.dying.remove(|entry| lost(entry.seq.0));
            gone.iter().for_each(|entry| queue.backing.gone(entry));
            gone.len()
        });
        rejected.log.append(b"lost");
        drop(aftermath);
        let left = COUNT - gone;
        assert!(gone > 0 && left >= handed, "what is handed out stays");
        for number in 0..left {
            assert!(!rejected.is_told(), "{number} of {left} are recorded");
            if number >= handed && (number - handed).is_multiple_of(256) {
                assert!(rejected.hand_out() > 0);
            }
            rejected.publish();
        }
        assert!(rejected.is_told());
    }
}
