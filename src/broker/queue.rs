//! A queue: ready and unacknowledged messages, and the consumers that share them.
//!
//! Pure: every transition is one method, time comes in as milliseconds since the Unix epoch, deliveries leave through
//! [`Sink`](crate::broker::sink::Sink)s. The shell around it is `handle.rs`: the lock, and what a transition leaves to be done outside of it
//! ([`Aftermath`]). The life of a message:
//!
//! ```text
//!  publish --> ready --pump, get--> unacked --ack--> gone
//!                ^  \                  |  \
//!                |   \ expired,        |   \ rejected,
//!                |    \ maxlen         |    \ delivery_limit
//!                |     v               |     v
//!                |   dying <-----------|--- dying --> published to the dead letter exchange, outside of the lock
//!                +----- requeue, lost -+
//! ```
//!
//! Invariants: a message is in one of these places; a message that is delivered without acknowledgement leaves at once;
//! within a priority, messages are delivered in the order of `seq`.

pub(crate) mod arguments;
mod backing;
mod chosen;
mod chunks;
mod compaction;
mod consumers;
mod credit;
mod delivery;
mod dying;
mod effective;
mod entry;
mod handle;
mod held_back;
#[cfg(debug_assertions)]
mod invariants;
mod limits;
mod looking;
mod order;
mod pace;
mod paged;
mod paging;
mod passed;
mod pieces;
mod ready;
mod recounted;
mod relocation;
mod removal;
mod returning;
mod rings;
mod sample;
mod service;
mod settling;
mod snapshot;
mod sorted_run;
mod timers;
mod transition;
mod turn;
mod unacked;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use chosen::ChosenMessage;
pub(crate) use chunks::ChunkRelief;
pub(crate) use compaction::{Compacted, CompactedRecord, Compacting};
pub use consumers::ConsumerSpec;
pub(crate) use consumers::{ConsumerState, DELIVERY_OVERHEAD_BYTES};
pub(crate) use credit::{ChannelCredit, Wanting};
pub(crate) use delivery::Got;
pub(crate) use dying::{DeadLetter, DeadLetterStrategy, DeathReason, NextDeadLetters};
pub(crate) use effective::Effective;
pub use entry::NewMessage;
pub use handle::{Choice, QueueHandle};
pub(crate) use handle::{Exclusivity, QueueSpec};
pub(in crate::broker) use handle::{LeavingSearch, NotRemoved};
pub use looking::MessageState;
pub(crate) use looking::SeenMessage;
pub(in crate::broker) use paging::tell_lost;
pub(crate) use paging::{FreshLeaving, Leaving, Moved, MovedPart, Moving, Searching};
pub(crate) use removal::{Removed, Retired};
pub(crate) use sample::QueueSample;
pub use settling::{Return, Settlement};
pub(crate) use snapshot::{ConsumerSnapshot, QueueSnapshot};
pub(crate) use transition::Aftermath;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::policies::Applied;
use crate::message::DeliveryCounts;
use crate::store::address::Address;
use crate::store::journal::Journal;
use arguments::{Overflow, QueueArguments, QueueKind};
use backing::Backing;
use entry::{Body, Entry, counted_bytes};
use order::Order;
use passed::Passed;
use returning::Returning;
use service::Service;
use turn::Turn;

/// How much a queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that can be delivered.
    pub ready: usize,
    /// Messages that were delivered and are not settled.
    pub unacked: usize,
    /// Consumers, those included that have no credit left.
    pub consumers: usize,
}

/// A queue's state: four parts, each with invariants of its own, and what it obeys.
#[derive(Debug)]
pub(crate) struct Queue {
    /// What it obeys now.
    arguments: Arc<QueueArguments>,
    policies: Option<Arc<Applied>>,
    /// The messages, and in which order they are delivered, returned or dead-lettered.
    order: Order,
    /// Their consumers, and other users.
    service: Service,
    /// What the store knows of them.
    backing: Backing,
    /// What this transition may do, and what it leaves.
    turn: Turn,
    /// What passed through, in numbers.
    passed: Passed,
    /// What was said last of the memory that entries take.
    told_entry_bytes: i64,
}

/// Messages that one transition drops because they expired or are too many: what is left is dropped by the next ones, the first
/// of which is called at once. So nobody waits for the queue's lock until a million have expired.
const DROPS_MAX: usize = 1024;

/// The level of a message without priority in a quorum queue, and the highest one (behaviour reference 7.1).
const QUORUM_PRIORITY_DEFAULT: u8 = 4;
const QUORUM_PRIORITY_MAX: u8 = 31;

impl Queue {
    /// An empty queue, which records its changes in this journal.
    pub(crate) fn new(arguments: impl Into<Arc<QueueArguments>>, journal: Journal, now_ms: u64) -> Self {
        let arguments = arguments.into();
        Self {
            order: Order::new(arguments.kind),
            service: Service::new(arguments.single_active_consumer, now_ms),
            backing: Backing::new(journal),
            turn: Turn::default(),
            passed: Passed::default(),
            arguments,
            policies: None,
            told_entry_bytes: 0,
        }
    }

    /// Has fewer messages put back in one transition.
    #[cfg(test)]
    fn set_returns_max(&mut self, returns_max: u16) {
        self.turn.set_returns_max(returns_max);
    }

    /// What is to be recorded.
    pub(crate) fn journal(&mut self) -> &mut Journal {
        self.backing.journal()
    }

    /// How many bytes more, or fewer, the queue keeps for its messages than when this was asked last; their own bytes aside.
    fn change_of_entry_bytes(&mut self) -> i64 {
        let bytes = self.known_len() * size_of::<Entry>() + self.backing.bytes();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        bytes - std::mem::replace(&mut self.told_entry_bytes, bytes)
    }

    /// Messages that are known one by one, wherever they are.
    pub(crate) fn known_len(&self) -> usize {
        self.order.known_len()
    }

    /// How many things a purge takes out one by one: messages that are known so, and parts of files.
    pub(crate) fn weight(&self) -> usize {
        self.order.weight()
    }

    /// Whether a message of this durability survives a restart here. A quorum queue keeps all (behaviour reference 4.2).
    pub(crate) fn stores(&self, is_persistent: bool) -> bool {
        self.backing.is_kept() && (is_persistent || self.arguments.kind.rules().keeps_all)
    }

    /// Messages that can be delivered.
    #[cfg(test)]
    pub(crate) fn ready_count(&self) -> usize {
        self.order.ready.len()
    }

    /// Returned messages that are held back before they are delivered again.
    #[cfg(test)]
    pub(crate) fn held_back_count(&self) -> usize {
        self.order.held_back.len()
    }

    /// Dead letters that are not delivered yet.
    #[cfg(test)]
    pub(crate) fn dead_letter_count(&self) -> usize {
        self.order.dying.len()
    }

    /// Messages that were delivered and not settled.
    #[cfg(test)]
    pub(crate) fn unacked_count(&self) -> usize {
        self.order.unacked.len()
    }

    #[cfg(test)]
    pub(crate) fn consumer_count(&self) -> usize {
        self.service.consumers.len()
    }

    /// Whether the queue was deleted; whoever still holds it must treat it as absent.
    pub(crate) fn is_deleted(&self) -> bool {
        self.service.is_deleted()
    }

    /// How many messages and consumers it has.
    pub(crate) fn counts(&self) -> QueueCounts {
        QueueCounts {
            ready: self.order.ready.len(),
            unacked: self.order.unacked.len(),
            consumers: self.service.consumers.len(),
        }
    }

    /// Counts messages that were found to be unreadable elsewhere.
    pub(crate) fn note_unreadable(&mut self, count: usize) {
        self.passed.count_unreadable(count);
    }

    /// Takes a message, or refuses it because the queue is full. [`Queue::pump`] must follow the last one of a batch.
    pub(crate) fn publish(&mut self, new: NewMessage, now_ms: u64) -> Result<(), Full> {
        // Only noted here: the caller publishes up to 256 messages under one lock, and offers all of
        // them to consumers at once.
        self.turn.owe_pump();
        // Before the refusal: what is refused was offered, too.
        self.passed.count_publish();
        if self.refuses(&new) {
            // What came before in the same batch may be a consumer's already, and take no place.
            self.pump(now_ms);
        }
        if self.refuses(&new) {
            // A plain `reject-publish` makes no dead letter of what it refuses (behaviour reference 6.1).
            if self.arguments.overflow == Overflow::RejectPublishDlx {
                self.die_unqueued(new);
            }
            return Err(Full);
        }
        let entry = self.entry(new, now_ms);
        self.backing.enqueued(&entry);
        self.order.ready.push(entry);
        Ok(())
    }

    fn entry(&mut self, new: NewMessage, now_ms: u64) -> Entry {
        // The shorter of both holds (behaviour reference 6.1). The time is fixed here: a policy that changes
        // `message-ttl` later changes nothing for what waits.
        let ttl_ms = match (new.expiration_ms, self.arguments.message_ttl_ms) {
            (Some(own), Some(of_queue)) => Some(own.min(of_queue)),
            (own, of_queue) => own.or(of_queue),
        };
        let seq = self.order.give_seq();
        let facts = new.message.facts();
        let is_stored = self.stores(facts.persistent);
        Entry {
            seq,
            // A message that need not survive has no address, although its bytes may stand in a chunk that is
            // in the log for another queue: nothing may rely on their staying there.
            address: if is_stored { Address::of(&new.message) } else { Address::NOWHERE },
            // `u64::MAX` stands for never: 8 bytes less an entry than an `Option`.
            expires_at_ms: ttl_ms.map_or(u64::MAX, |ttl_ms| now_ms.saturating_add(ttl_ms)),
            priority: self.level_of(facts.priority),
            // It failed in the queue in which it died, so its next consumer must expect to see it a second time
            // (behaviour reference 6.3).
            redelivered: new.failed > 0,
            counts: DeliveryCounts::failed(new.failed),
            counted_bytes: counted_bytes(&new.message, self.arguments.kind),
            body: Body::InMemory(new.message),
            is_stored,
        }
    }

    fn level_of(&self, priority: Option<u8>) -> u8 {
        match (self.arguments.kind, self.arguments.max_priority) {
            (QueueKind::Quorum, _) => priority.unwrap_or(QUORUM_PRIORITY_DEFAULT).min(QUORUM_PRIORITY_MAX),
            (QueueKind::Classic, Some(max)) => priority.unwrap_or(0).min(max),
            (QueueKind::Classic, None) => 0,
        }
    }

    /// Adds a consumer. [`Queue::pump`] must follow, once the client was told its consumer tag.
    pub(crate) fn consume(&mut self, spec: ConsumerSpec) {
        let priority = spec.priority;
        // Its place is there before the first delivery, and stays while it holds nothing: no
        // delivery has to look for one.
        let holder = (!spec.no_ack).then(|| self.order.unacked.add_consumer(spec.channel, spec.id));
        self.service.consumers.add(spec, holder);
        // Quorum queues only: there a consumer of higher priority displaces the single active one, which gets
        // nothing more until it has nothing unacknowledged (behaviour reference 5.3).
        if self.arguments.kind.rules().active_yields {
            self.service.consumers.yield_to(priority);
            self.promote();
        }
    }

    /// Whether a new consumer may be added (behaviour reference 5.3).
    pub(crate) fn may_consume(&self, exclusive: bool) -> bool {
        match self.arguments.kind {
            QueueKind::Quorum => true,
            QueueKind::Classic if exclusive => {
                self.service.consumers.is_empty() && !self.arguments.single_active_consumer
            }
            QueueKind::Classic => !self.service.consumers.has_exclusive(),
        }
    }

    /// Takes a consumer off; its unacknowledged messages stay with its channel. Tells whether it was the last one.
    /// [`Queue::pump`] must follow.
    pub(crate) fn cancel(&mut self, consumer: ConsumerId, now_ms: u64) -> bool {
        // The end of a consumer is a use: `x-expires` counts from here, and not from the last declare.
        self.service.touch(now_ms);
        // If it was the active one, the next takes over and is to be served.
        self.turn.owe_pump();
        self.take_off(consumer) && self.service.consumers.is_empty()
    }

    /// What the consumer has not acknowledged is its channel's from now on.
    fn take_off(&mut self, consumer: ConsumerId) -> bool {
        let Some(consumer) = self.service.consumers.remove(consumer) else { return false };
        // The messages stay out: the channel can still settle them after `basic.cancel`
        // (behaviour reference 5.4).
        if let Some(holder) = consumer.holder {
            // The sink is kept only if something can be late: then the channel must be told, as there is
            // no consumer to be told.
            self.order.unacked.leave(holder, Some(&consumer.spec.sink).filter(|_| self.is_timed()));
        }
        true
    }

    /// Takes off all consumers of a channel that is closed. Tells whether they were the last ones. [`Queue::requeue_all_of`] must
    /// follow.
    pub(crate) fn cancel_all_of(&mut self, channel: ChannelId, now_ms: u64) -> bool {
        self.turn.owe_pump();
        // A list of its own, because each step changes what is looked up here.
        let ids = self.service.consumers.of_channel(channel);
        for id in &ids {
            self.service.touch(now_ms);
            self.take_off(*id);
        }
        !ids.is_empty() && self.service.consumers.is_empty()
    }

    /// Makes consumers try again, because their connection has room or their channel has credit. [`Queue::pump`] must follow.
    pub(crate) fn resume(&mut self, consumer: ConsumerId) {
        self.turn.owe_pump();
        self.service.consumers.resume(consumer);
    }

    /// Stops deliveries, or allows them again; then [`Queue::pump`] must follow.
    pub(crate) fn set_paused(&mut self, is_paused: bool) {
        self.service.set_paused(is_paused);
        if !is_paused {
            self.turn.owe_pump();
        }
    }

    /// Notes a use, for `x-expires`.
    pub(crate) fn touch(&mut self, now_ms: u64) {
        self.service.touch(now_ms);
    }

    /// Marks the queue as deleted, and takes out all consumers and messages.
    pub(crate) fn delete(&mut self) -> Removed {
        // No pump follows: there is nobody and nothing left.
        self.turn.note_pump();
        let consumers = self.service.delete();
        // From here on nothing of the queue is recorded. The record of its deletion tells all, and until it is
        // there a crash brings back the queue with its messages, which is as if nobody had deleted it.
        let counts = self.backing.stop_keeping();
        // Before the unacknowledged messages are taken: what was to come back is among them.
        self.order.returning = Returning::default();
        let ready = self.purge_ready();
        // Known after the ready ones are out: what is left is unacknowledged, held back or dying.
        let weight = self.known_len();
        let unacked = std::mem::take(&mut self.order.unacked).into_entries();
        let held_back = std::mem::take(&mut self.order.held_back).into_values();
        // Kept with the messages until their end is recorded, so that their client is not told of
        // anything later before.
        let owed = self.order.dying.take_owed();
        let dying = std::mem::take(&mut self.order.dying).into_entries();
        // With the strategy that holds now, under which metrics go on to count what died here.
        let retired = self.passed.retire(self.dead_letter_strategy());
        let removed = ready.and(weight, unacked.chain(held_back).chain(dying)).with_consumers(consumers).owing(owed);
        removed.with_counts(counts).of_retired(retired)
    }

    /// How many messages were dropped or put back in this transition.
    pub(crate) fn moved_in_turn(&self) -> usize {
        self.turn.effort()
    }
}

/// The queue is full and refuses new messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;
