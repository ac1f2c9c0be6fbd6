//! Dead letters: messages that left the order of the queue and are not in another one yet.
//!
//! They stay the queue's until they are published, so that no crash can lose them on the way: the log hears of their end in the
//! same transaction as of their arrival elsewhere.

mod letters;

use std::sync::Arc;

use letters::{Death, Letters};
pub(super) use letters::{Dying, OwedLetters};

use super::Queue;
use super::arguments::{DeadLetters, Overflow};
use super::entry::{Body, Entry, NewMessage, State, counted_bytes};
use super::ready::neighbours;
use crate::message::DeliveryCounts;
use crate::message::Message;
use crate::store::Owed;
use crate::store::address::Address;
use crate::store::loader::Load;
use crate::store::seq::Seq;

/// How often dead letters without a queue are tried again.
const DEAD_LETTER_RETRY_MS: u64 = 1_000;

/// Dead letters that are handed out at a time.
const LETTERS_MAX: usize = 256;

/// Why a message is dead-lettered (behaviour reference 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeathReason {
    /// `basic.reject` or `basic.nack` without requeue.
    Rejected,
    /// Its time to live ran out.
    Expired,
    /// The queue is too long.
    MaxLength,
    /// A quorum queue delivered it too often.
    DeliveryLimit,
}

impl DeathReason {
    /// Every reason there is.
    pub(crate) const ALL: [Self; 4] = [Self::Rejected, Self::Expired, Self::MaxLength, Self::DeliveryLimit];

    /// The value of `reason` in `x-death`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// What becomes of messages that die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum DeadLetterStrategy {
    /// They are dropped.
    #[default]
    Disabled,
    /// They are published once.
    AtMostOnce,
    /// They are published until a queue takes them.
    AtLeastOnce,
}

impl DeadLetterStrategy {
    /// RabbitMQ's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AtMostOnce => "at_most_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

/// A message that left its queue by dying.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter {
    /// The message as it was in the queue.
    pub(crate) message: Message,
    /// Why it died.
    pub(crate) reason: DeathReason,
    /// Where it goes.
    pub(crate) target: Arc<DeadLetters>,
    /// Deliveries that failed, here and in the queues in which it died before.
    pub(crate) failed: u32,
}

/// What is to be done next about the dead letters of a queue.
#[derive(Clone, Debug)]
pub(crate) enum NextDeadLetters {
    /// They are to be published.
    Letters(Vec<DeadLetter>),
    /// The first must be read back, for [`Queue::loaded`], which ends the publishing until then.
    OnDisk(Load),
    /// There are none, or the first is being read: the publishing that [`Aftermath`] asked for is over.
    ///
    /// [`Aftermath`]: super::Aftermath
    Over,
}

impl Queue {
    pub(super) fn dead_letter(&mut self, entry: Entry, reason: DeathReason) {
        self.passed.count_deaths(reason, 1);
        match &self.arguments.dead_letters {
            // The target is kept with the letter: what a policy changes later is for those that die later.
            Some(target) => self.order.dying.letters().push(entry, reason, Arc::clone(target)),
            // Nothing is to become of it, so its end is recorded now.
            None => self.backing.gone(&entry),
        }
    }

    /// Tries again what found no queue, if it is time: where dead letters go now.
    pub(super) fn retry_dead_letters(&mut self, now_ms: u64) {
        let Some(letters) = &mut self.order.dying.0 else { return };
        // A policy took the dead letter exchange away while they waited.
        for entry in letters.retry(now_ms, self.arguments.dead_letters.as_ref()) {
            self.backing.gone(&entry);
        }
    }

    /// A message dies that the queue never took.
    pub(super) fn die_unqueued(&mut self, new: NewMessage) {
        let entry = Entry {
            counted_bytes: counted_bytes(&new.message, self.arguments.kind),
            body: Body::InMemory(new.message),
            // The log was told of no message of this queue: there is nothing to be freed, and it is lost in a
            // crash before it is published, as its publisher was not told of it.
            address: Address::NOWHERE,
            // It was never given a number, and must not be found by any.
            seq: Seq::BEHIND_ALL,
            expires_at_ms: u64::MAX,
            counts: DeliveryCounts::failed(new.failed),
            priority: 0,
            redelivered: false,
            is_stored: false,
        };
        self.dead_letter(entry, DeathReason::MaxLength);
    }

    /// What the one who publishes dead letters does next. Each letter that is handed out, in the order of death, is to be told of with
    /// [`Queue::dead_letter_published`] or [`Queue::keep_unrouted`], in the same order.
    pub(crate) fn next_dead_letters(&mut self) -> NextDeadLetters {
        let Some(letters) = &mut self.order.dying.0 else { return NextDeadLetters::Over };
        let Letters { waiting, handed, has_publisher, loading, .. } = &mut **letters;
        let letters: Vec<_> = waiting
            .iter()
            .take(LETTERS_MAX)
            // Up to the first that is in a file: those behind it must not overtake it.
            .map_while(|Death { entry, reason, target, .. }| {
                // Copies of pointers. The letters stay here until they are published: a crash, or a publisher
                // that gives up, loses none.
                let (message, target) = (entry.message()?.clone(), Arc::clone(target));
                Some(DeadLetter { message, reason: *reason, target, failed: entry.counts.failed })
            })
            .collect();
        *handed = letters.len();
        // Noted together with the answer: who is told that it is over publishes no more, and the next
        // transition may ask somebody else.
        *has_publisher = !letters.is_empty();
        if *has_publisher {
            return NextDeadLetters::Letters(letters);
        }
        // The level is of no use here. What is read finds its letters by their addresses.
        match neighbours(waiting.iter().map(|death| &death.entry), 0).filter(|_| loading.is_none()) {
            Some(load) => {
                // Nobody orders the same a second time, and nobody is asked to publish before it has arrived.
                *loading = Some(load);
                NextDeadLetters::OnDisk(load)
            }
            None => NextDeadLetters::Over,
        }
    }

    /// What died of what a client said is owed to it until it is recorded.
    pub(crate) fn owe_dead_letters(&mut self, begin: impl FnOnce() -> Owed) {
        if let Some(letters) = &mut self.order.dying.0 {
            letters.owe(begin);
        }
    }

    /// The first of the dead letters that were handed out is published, or dropped on purpose. What was owed for it is to be kept until
    /// that is recorded.
    pub(crate) fn dead_letter_published(&mut self) -> Option<Owed> {
        // RabbitMQ counts as confirmed only what the at-least-once strategy delivered.
        self.passed.count_confirmed(u64::from(self.dead_letters_at_least_once()));
        // None are handed out: the queue was deleted meanwhile, and its messages with it.
        let letters = self.order.dying.0.as_mut().filter(|letters| letters.handed > 0)?;
        let (Death { entry, .. }, owed) = letters.pop()?;
        // In the transaction of its arrival elsewhere: a start finds it in one of the two queues,
        // never in both or in none.
        self.backing.gone(&entry);
        owed
    }

    /// The first of the dead letters that were handed out found no queue: keeps it, if this queue promises to deliver it at least
    /// once. As for [`Queue::dead_letter_published`].
    pub(crate) fn keep_unrouted(&mut self, now_ms: u64) -> Option<Owed> {
        if !self.dead_letters_at_least_once() {
            return self.dead_letter_published();
        }
        let letters = self.order.dying.0.as_mut().filter(|letters| letters.handed > 0)?;
        let (Death { mut entry, reason, .. }, owed) = letters.pop()?;
        // It goes from the letters that wait to those that found no queue, which a walk visits before them.
        self.backing.meet(&mut entry, State::Dying);
        if entry.counts.acquired == 0 {
            // Messages behind it are delivered while it waits: a start must not take it for one that was out.
            entry.counts.acquired = 1;
            self.backing.note_counts(&entry, entry.counts);
        }
        // All of them are tried again together, a second after the first one found no queue.
        self.order.dying.letters().keep((entry, reason), now_ms + DEAD_LETTER_RETRY_MS);
        owed
    }

    /// What becomes of messages that die here.
    pub(super) fn dead_letter_strategy(&self) -> DeadLetterStrategy {
        match self.arguments.dead_letters {
            None => DeadLetterStrategy::Disabled,
            Some(_) if self.dead_letters_at_least_once() => DeadLetterStrategy::AtLeastOnce,
            Some(_) => DeadLetterStrategy::AtMostOnce,
        }
    }

    /// The strategy takes effect only together with `reject-publish` (behaviour reference 6.5).
    pub(super) fn dead_letters_at_least_once(&self) -> bool {
        self.arguments.dead_letter_at_least_once && self.arguments.overflow == Overflow::RejectPublish
    }
}
