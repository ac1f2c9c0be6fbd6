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

pub mod arguments;
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
mod pace;
mod paged;
mod paging;
mod ready;
mod recounted;
mod relocation;
mod removal;
mod returning;
mod rings;
mod sample;
mod settling;
mod snapshot;
mod sorted_run;
mod timers;
mod transition;
mod unacked;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use smallvec::SmallVec;

pub use chosen::ChosenMessage;
pub use chunks::ChunkRelief;
pub use compaction::{Compacted, CompactedRecord, Compacting};
pub use consumers::{ConsumerSpec, ConsumerState, DELIVERY_OVERHEAD_BYTES};
pub use credit::{ChannelCredit, Wanting};
pub use delivery::Got;
pub use dying::{Burial, DeadLetter, DeadLetterStrategy, DeathReason};
pub use effective::Effective;
pub use entry::NewMessage;
pub use handle::{Choice, Exclusivity, LookedAt, QueueHandle, QueueSpec};
pub(in crate::broker) use handle::{LeavingSearch, NotRemoved};
pub use looking::{MessageState, SeenMessage};
pub(in crate::broker) use paging::tell_lost;
pub use paging::{FreshLeaving, Leaving, Moved, MovedPart, Moving, Searching};
pub use removal::{Removed, Retired};
pub use sample::QueueSample;
pub use settling::{Return, Settlement};
pub use snapshot::{ConsumerSnapshot, QueueSnapshot};
pub use transition::Aftermath;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::policies::Applied;
use crate::broker::publisher::PublisherWaits;
use crate::broker::sink::DeliveryCounts;
use crate::metrics::{DeathStats, MessageStats};
use crate::store::address::Address;
use crate::store::journal::Journal;
use crate::store::loader::Load;
use crate::store::record::Counts;
use arguments::{Overflow, QueueArguments, QueueKind};
use consumers::Consumers;
use dying::Dying;
use entry::{Body, Entry, counted_bytes};
use held_back::HeldBack;
use pace::Pace;
use ready::Ready;
use recounted::Recounted;
use returning::{RETURNS_MAX, Returning};
use unacked::UnackedTable;
use walk::Walk;

/// How much a queue has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// Messages that can be delivered.
    pub ready: usize,
    /// Messages that were delivered and are not settled.
    pub unacked: usize,
    /// Consumers.
    pub consumers: usize,
}

/// A queue's state.
#[derive(Debug)]
pub struct Queue {
    /// What it obeys now.
    arguments: Arc<QueueArguments>,
    policies: Option<Arc<Applied>>,
    ready: Ready,
    unacked: UnackedTable,
    returning: Returning,
    consumers: Consumers,
    next_seq: u64,
    /// How many deliveries there were that must be settled.
    deliveries: u64,
    dying: Dying,
    held_back: HeldBack,
    /// For `x-expires`: the last declare, get, or moment with a consumer.
    used_at_ms: u64,
    deleted: bool,
    /// The earliest time for which a call of [`Queue::on_timer`] is ordered.
    called_at_ms: Option<u64>,
    stats: MessageStats,
    deaths: DeathStats,
    /// What is to be recorded of the transition that is under way.
    journal: Journal,
    /// Deliveries of messages in segment files that came back since they were written there, by place.
    recounted: Recounted,
    /// Until where the messages of each level are not in the log any more.
    moved: SmallVec<[(u8, u64); 1]>,
    /// The pager goes past all messages, in steps.
    walk: Option<Box<Walk>>,
    /// To be read back.
    loads: SmallVec<[Load; 2]>,
    /// What was said last of the memory that entries take.
    told_entry_bytes: i64,
    /// So many more messages may be dropped in this transition.
    drops_left: usize,
    /// So many more messages may be put back in this transition.
    returns_left: u16,
    /// How many that are at its beginning. Tests have fewer.
    returns_max: u16,
    /// Nothing is delivered until somebody ends the pause.
    is_paused: bool,
    /// The queue is too long, and goes on dropping with the next call of [`Queue::on_timer`].
    is_behind: bool,
    /// Publishers that are ahead of the consumers.
    pace: Pace<Arc<PublisherWaits>>,
    /// The transition that is under way must offer something to the consumers.
    #[cfg(debug_assertions)]
    owes_pump: bool,
}

/// Messages that one transition drops because they expired or are too many: what is left is dropped by the next ones, the first
/// of which is called at once. So nobody waits for the queue's lock until a million have expired.
const DROPS_MAX: usize = 1024;

/// The level of a message without priority in a quorum queue, and the highest one (behaviour reference 7.1).
const QUORUM_PRIORITY_DEFAULT: u8 = 4;
const QUORUM_PRIORITY_MAX: u8 = 31;

impl Queue {
    /// An empty queue, which records its changes in this journal.
    pub fn new(arguments: impl Into<Arc<QueueArguments>>, journal: Journal, now_ms: u64) -> Self {
        let arguments = arguments.into();
        Self {
            consumers: Consumers::new(arguments.single_active_consumer),
            ready: Ready::new(arguments.kind),
            arguments,
            policies: None,
            unacked: UnackedTable::default(),
            returning: Returning::default(),
            next_seq: 0,
            deliveries: 0,
            dying: Dying::default(),
            held_back: HeldBack::default(),
            used_at_ms: now_ms,
            deleted: false,
            called_at_ms: None,
            stats: MessageStats::default(),
            deaths: DeathStats::default(),
            journal,
            recounted: Recounted::default(),
            moved: SmallVec::new(),
            walk: None,
            loads: SmallVec::new(),
            told_entry_bytes: 0,
            drops_left: DROPS_MAX,
            returns_left: RETURNS_MAX,
            returns_max: RETURNS_MAX,
            is_paused: false,
            is_behind: false,
            pace: Pace::default(),
            #[cfg(debug_assertions)]
            owes_pump: false,
        }
    }

    /// Has fewer messages put back in one transition.
    #[cfg(test)]
    fn set_returns_max(&mut self, returns_max: u16) {
        (self.returns_max, self.returns_left) = (returns_max, returns_max);
    }

    /// What is to be recorded.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// How many bytes more, or fewer, the queue keeps for its messages than when this was asked last; their own bytes aside.
    fn change_of_entry_bytes(&mut self) -> i64 {
        let counts = self.recounted.len() * size_of::<(u64, Counts)>();
        let bytes = i64::try_from(self.known_len() * size_of::<Entry>() + counts).unwrap_or(i64::MAX);
        bytes - std::mem::replace(&mut self.told_entry_bytes, bytes)
    }

    /// Messages that are known one by one, wherever they are.
    pub fn known_len(&self) -> usize {
        self.ready.known_len() + self.unacked.len() + self.held_back.len() + self.dying.len()
    }

    /// How many things a purge takes out one by one: messages that are known so, and parts of files.
    pub fn weight(&self) -> usize {
        self.known_len() + self.ready.unread_part_count()
    }

    /// Whether a message of this durability survives a restart here. A quorum queue keeps all (behaviour reference 4.2).
    pub fn stores(&self, is_persistent: bool) -> bool {
        self.journal.is_kept() && (is_persistent || self.arguments.kind.rules().keeps_all)
    }

    /// Messages that can be delivered.
    pub fn ready_count(&self) -> usize {
        self.ready.len()
    }

    /// Returned messages that are held back before they are delivered again.
    pub fn held_back_count(&self) -> usize {
        self.held_back.len()
    }

    /// Dead letters that are not delivered yet.
    pub fn dead_letter_count(&self) -> usize {
        self.dying.len()
    }

    /// Messages that were delivered and not settled.
    pub fn unacked_count(&self) -> usize {
        self.unacked.len()
    }

    /// Consumers.
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// Whether the queue was deleted; whoever still holds it must treat it as absent.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// How many messages and consumers it has.
    pub fn counts(&self) -> QueueCounts {
        QueueCounts { ready: self.ready.len(), unacked: self.unacked.len(), consumers: self.consumers.len() }
    }

    /// Counts messages that were found to be unreadable elsewhere.
    pub fn note_unreadable(&mut self, count: usize) {
        self.stats.unreadable += count as u64;
    }

    /// Takes a message, or refuses it because the queue is full. [`Queue::pump`] must follow the last one of a batch.
    pub fn publish(&mut self, new: NewMessage, now_ms: u64) -> Result<(), Full> {
        self.owe_pump();
        self.stats.publish += 1;
        if self.refuses(&new) {
            // What came before in the same batch may be a consumer's already, and take no place.
            self.pump(now_ms);
        }
        if self.refuses(&new) {
            if self.arguments.overflow == Overflow::RejectPublishDlx {
                self.die_unqueued(new);
            }
            return Err(Full);
        }
        let entry = self.entry(new, now_ms);
        if entry.is_stored {
            self.journal.enqueued(&entry.record());
        }
        self.ready.push(entry);
        Ok(())
    }

    fn entry(&mut self, new: NewMessage, now_ms: u64) -> Entry {
        let ttl_ms = match (new.expiration_ms, self.arguments.message_ttl_ms) {
            (Some(own), Some(of_queue)) => Some(own.min(of_queue)),
            (own, of_queue) => own.or(of_queue),
        };
        let seq = self.next_seq;
        self.next_seq += 1;
        let facts = new.message.facts();
        let is_stored = self.stores(facts.persistent);
        Entry {
            seq,
            address: if is_stored { Address::of(&new.message) } else { Address::NOWHERE },
            expires_at_ms: ttl_ms.map_or(u64::MAX, |ttl_ms| now_ms.saturating_add(ttl_ms)),
            priority: self.level_of(facts.priority),
            redelivered: new.failed > 0,
            counts: DeliveryCounts { acquired: 0, failed: new.failed },
            counted_bytes: counted_bytes(&new.message, self.arguments.kind),
            body: Body::Held(new.message),
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

    /// A message has left the queue for good: the store need not keep it.
    fn gone(&mut self, entry: &Entry) {
        match entry.extent() {
            Some(extent) => {
                self.journal.freed(&extent);
                self.recounted.forget(entry.seq);
            }
            None if entry.is_stored => self.journal.settled(entry.seq),
            None => {}
        }
    }

    /// Adds a consumer. [`Queue::pump`] must follow, once the client was told its consumer tag.
    pub fn consume(&mut self, spec: ConsumerSpec) {
        let priority = spec.priority;
        let holder = (!spec.no_ack).then(|| self.unacked.add_consumer(spec.channel, spec.id));
        self.consumers.add(spec, holder);
        if self.arguments.kind.rules().active_yields {
            self.consumers.yield_to(priority);
            self.promote();
        }
    }

    /// Whether a new consumer may be added (behaviour reference 5.3).
    pub fn may_consume(&self, exclusive: bool) -> bool {
        match self.arguments.kind {
            QueueKind::Quorum => true,
            QueueKind::Classic if exclusive => self.consumers.is_empty() && !self.arguments.single_active_consumer,
            QueueKind::Classic => !self.consumers.has_exclusive(),
        }
    }

    /// Takes a consumer off; its unacknowledged messages stay with its channel. Tells whether it was the last one.
    /// [`Queue::pump`] must follow.
    pub fn cancel(&mut self, consumer: ConsumerId, now_ms: u64) -> bool {
        self.used_at_ms = now_ms;
        self.owe_pump();
        self.take_off(consumer) && self.consumers.is_empty()
    }

    /// What the consumer has not acknowledged is its channel's from now on.
    fn take_off(&mut self, consumer: ConsumerId) -> bool {
        let Some(consumer) = self.consumers.remove(consumer) else { return false };
        if let Some(holder) = consumer.holder {
            self.unacked.leave(holder, Some(&consumer.spec.sink).filter(|_| self.is_timed()));
        }
        true
    }

    /// Takes off all consumers of a channel that is closed. Tells whether they were the last ones. [`Queue::requeue_all_of`] must
    /// follow.
    pub fn cancel_all_of(&mut self, channel: ChannelId, now_ms: u64) -> bool {
        self.owe_pump();
        let ids = self.consumers.of_channel(channel);
        for id in &ids {
            self.used_at_ms = now_ms;
            self.take_off(*id);
        }
        !ids.is_empty() && self.consumers.is_empty()
    }

    /// Makes consumers try again, because their connection has room or their channel has credit. [`Queue::pump`] must follow.
    pub fn resume(&mut self, consumer: ConsumerId) {
        self.owe_pump();
        self.consumers.resume(consumer);
    }

    /// Stops deliveries, or allows them again; then [`Queue::pump`] must follow.
    pub fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
        if !is_paused {
            self.owe_pump();
        }
    }

    /// Notes a use, for `x-expires`.
    pub fn touch(&mut self, now_ms: u64) {
        self.used_at_ms = now_ms;
    }

    /// Marks the queue as deleted, and takes out all consumers and messages.
    pub fn delete(&mut self) -> Removed {
        self.deleted = true;
        self.has_pumped();
        let consumers = std::mem::take(&mut self.consumers);
        // The queue's definition goes, and everything with it: until the log says so, nothing is lost.
        self.journal.stop_keeping();
        self.recounted = Recounted::default();
        self.returning = Returning::default();
        let ready = self.purge_ready();
        let weight = self.known_len();
        let unacked = std::mem::take(&mut self.unacked).into_entries();
        let held_back = std::mem::take(&mut self.held_back).into_values();
        let owed = self.dying.take_owed();
        let dying = std::mem::take(&mut self.dying).into_entries();
        let (stats, deaths) = (std::mem::take(&mut self.stats), std::mem::take(&mut self.deaths));
        let retired = Retired { stats, deaths, dead_letters: self.dead_letter_strategy() };
        let removed = ready.and(weight, unacked.chain(held_back).chain(dying)).with_consumers(consumers).owing(owed);
        removed.of_retired(retired)
    }

    /// How many messages were dropped or put back in this transition.
    pub fn moved_in_turn(&self) -> usize {
        DROPS_MAX - self.drops_left + usize::from(self.returns_max - self.returns_left)
    }
}

/// The queue is full and refuses new messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;
