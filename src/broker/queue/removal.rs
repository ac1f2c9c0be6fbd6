//! What a purge or a deletion took out of its queue, and how its end is recorded: in steps, so that the queue is never locked for
//! longer than one step takes, however many messages there were.
//!
//! Taking them out is one transition that costs the same for a million: from then on they are nobody's, no later message is
//! among them, and their number is known. Each step then tells the log, and the segment files, of some more. A crash in
//! between brings the others back: nobody was told yet that they are gone.

use std::fmt;
use std::iter;

use super::Queue;
use super::consumers::Consumers;
use super::dying::{DeadLetterStrategy, Dying, OwedLetters};
use super::entry::Entry;
use super::paged::Cleared;
use super::recounted::Recounted;
use crate::broker::sink::Notice;
use crate::metrics::{DeathStats, MessageStats};
use crate::store::record::Freed;

/// Messages whose end is recorded under one lock.
pub(super) const STEP_MESSAGES: usize = 1024;

/// Messages that left their queue, while their end is not recorded. [`Queue::forget`] does that, in steps. Those of a queue that is
/// deleted come with its consumers, for [`Removed::tell_consumers`].
#[must_use = "the end of the messages is to be recorded"]
pub(crate) struct Removed {
    /// How many of them the client is told of.
    pub(crate) count: usize,
    /// How many were known one by one, and how many parts have the others: so many are to be told of.
    pub(crate) weight: usize,
    /// Of a queue that is deleted.
    consumers: Consumers,
    entries: Box<dyn Iterator<Item = Entry> + Send>,
    /// What is to be freed of messages that were not known one by one.
    stretches: Box<dyn Iterator<Item = Freed> + Send>,
    /// What a queue counted that is deleted.
    pub(crate) retired: Retired,
    /// Until their end is recorded.
    _owed: OwedLetters,
    /// What was counted of deliveries: to be dropped when nothing is locked.
    _counts: Recounted,
}

/// What a queue counted in its time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retired {
    /// What passed through it.
    pub(crate) stats: MessageStats,
    /// What died in it.
    pub(crate) deaths: DeathStats,
    /// What became of that.
    pub(crate) dead_letters: DeadLetterStrategy,
}

impl Removed {
    fn new(count: usize, weight: usize, entries: impl Iterator<Item = Entry> + Send + 'static) -> Self {
        let stretches = Box::new(iter::empty());
        let entries = Box::new(entries);
        let (consumers, retired) = (Consumers::default(), Retired::default());
        Self {
            count,
            weight,
            consumers,
            entries,
            stretches,
            retired,
            _owed: OwedLetters::default(),
            _counts: Recounted::default(),
        }
    }

    /// With others that were not ready.
    pub(super) fn and(self, weight: usize, others: impl Iterator<Item = Entry> + Send + 'static) -> Self {
        Self { weight: self.weight + weight, entries: Box::new(self.entries.chain(others)), ..self }
    }

    /// With consumers that lost their queue.
    pub(super) fn with_consumers(self, consumers: Consumers) -> Self {
        Self { consumers, ..self }
    }

    /// With what was counted of deliveries.
    pub(super) fn with_counts(self, counts: Recounted) -> Self {
        Self { _counts: counts, ..self }
    }

    /// With what the queue counted.
    pub(super) fn of_retired(self, retired: Retired) -> Self {
        Self { retired, ..self }
    }

    /// Tells the consumers that their queue is gone. They may be many: nothing should be locked.
    pub(crate) fn tell_consumers(&mut self) {
        for consumer in std::mem::take(&mut self.consumers).iter() {
            consumer.spec.sink.notify(Notice::ConsumerCancelled(consumer.spec.id));
        }
    }

    /// With what was owed for some of them.
    pub(super) fn owing(self, owed: OwedLetters) -> Self {
        Self { _owed: owed, ..self }
    }
}

impl fmt::Debug for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removed").field("count", &self.count).finish_non_exhaustive()
    }
}

/// Messages of one step, to be dropped outside of the queue's lock.
#[derive(Debug)]
pub(crate) struct Forgotten {
    _entries: Vec<Entry>,
    /// There are no more.
    pub(crate) is_last: bool,
}

impl Queue {
    /// Takes out all messages but those that are unacknowledged.
    pub(crate) fn purge(&mut self) -> Removed {
        // RabbitMQ's purge drops what is held back and what waits as a dead letter, too
        // (behaviour reference 6.5).
        let held_back = std::mem::take(&mut self.order.held_back);
        let mut kept_dead =
            if self.dead_letters_at_least_once() { self.order.dying.take_all() } else { Dying::default() };
        let out_of_order = held_back.len() + kept_dead.len();
        // Kept in `removed`, which is dropped when the last step has recorded the last end.
        let owed = kept_dead.take_owed();
        let out_of_order_entries = held_back.into_values().chain(kept_dead.into_entries());
        let mut removed = self.purge_ready().and(out_of_order, out_of_order_entries).owing(owed);
        // RabbitMQ's `purge-ok` counts them, too (behaviour reference 6.5).
        removed.count += out_of_order;
        removed
    }

    pub(super) fn purge_ready(&mut self) -> Removed {
        // Before they are taken out, when it is still known.
        let weight = self.order.ready.known_len();
        let (count, entries, cleared) = self.order.ready.take_all();
        let parts: usize = cleared.iter().map(|cleared| cleared.len()).sum();
        let stretches = Box::new(cleared.into_iter().flat_map(Cleared::stretches));
        Removed { stretches, ..Removed::new(count, weight + parts, entries) }
    }

    /// Records the end of some messages, or of some parts, that were taken out.
    pub(crate) fn forget(&mut self, removed: &mut Removed) -> Forgotten {
        let entries: Vec<_> = removed.entries.by_ref().take(STEP_MESSAGES).collect();
        // Only recorded. They are dropped outside of the lock, because that may free a chunk for each.
        for entry in &entries {
            self.backing.gone(entry);
        }
        // Parts follow when the last message is told, in the same budget.
        let stretches = removed.stretches.by_ref().take(STEP_MESSAGES - entries.len());
        let freed = stretches.map(|stretch| self.backing.freed(stretch)).count();
        // Fewer than a step may take: both lists have ended.
        Forgotten { is_last: entries.len() + freed < STEP_MESSAGES, _entries: entries }
    }
}
