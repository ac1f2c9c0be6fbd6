//! A queue: ready and unacknowledged messages, and the consumers that share them.
//!
//! Pure: every transition is one method, time comes in as milliseconds since the Unix epoch, deliveries leave through
//! [`Sink`]s. The shell around it is `handle.rs`: the lock, and what a transition leaves to be done outside of it
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
mod compaction;
mod consumers;
mod dying;
mod entry;
mod handle;
mod paged;
mod paging;
mod ready;
mod unacked;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

pub use compaction::{Compacted, CompactedRecord};
pub use consumers::{ChannelCredit, ConsumerSpec, DELIVERY_OVERHEAD_BYTES};
pub use dying::{DeadLetter, DeathReason};
pub use entry::NewMessage;
pub use handle::{Exclusivity, QueueHandle, QueueSpec};
pub use paging::{Leaving, Moved, MovedPart};

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::sink::{Delivery, DeliveryCounts, Notice, Sink, Token};
use crate::store::address::Address;
use crate::store::journal::Journal;
use crate::store::loader::Load;
use crate::store::record::Counts;
use arguments::{DelayedRetry, Overflow, QueueArguments, QueueKind};
use consumers::Consumers;
use dying::Dying;
use entry::{Body, Entry};
use ready::{Head, Ready};
use unacked::{Unacked, UnackedTable};

/// How a message came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Return {
    /// `basic.reject` with requeue: the consumer failed on it.
    Rejected,
    /// `basic.nack` with requeue, or `basic.recover`: returned, not failed.
    Nacked,
    /// Its channel or connection went away.
    Lost,
    /// It was not acknowledged in time.
    TimedOut,
}

impl Return {
    /// Whether it counts against the delivery limit (behaviour reference 5.6).
    const fn is_failure(self) -> bool {
        matches!(self, Self::Rejected | Self::Lost)
    }
}

/// How a delivered message is settled for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Acknowledged.
    Acked,
    /// Refused by `basic.reject`.
    Rejected,
    /// Refused by `basic.nack`.
    Nacked,
}

/// What a transition leaves to be done once the queue is unlocked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// There are dead letters, and nobody publishes them yet: whoever gets this does.
    pub bury_dead_letters: bool,
    /// [`Queue::on_timer`] wants to be called at this time.
    pub call_at_ms: Option<u64>,
    /// To be read back, for [`Queue::loaded`].
    pub loads: SmallVec<[Load; 2]>,
}

/// Counts since the queue was declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of RabbitMQ's message_stats")]
pub struct QueueStats {
    pub publish: u64,
    pub deliver: u64,
    pub deliver_no_ack: u64,
    pub get: u64,
    pub get_no_ack: u64,
    pub get_empty: u64,
    pub ack: u64,
    pub redeliver: u64,
}

#[derive(Debug)]
struct Getter {
    sink: Arc<dyn Sink>,
    unacked: usize,
}

/// A queue's state.
#[derive(Debug)]
pub struct Queue {
    arguments: QueueArguments,
    ready: Ready,
    unacked: UnackedTable,
    consumers: Consumers,
    next_seq: u64,
    /// How many deliveries there were that must be settled.
    deliveries: u64,
    dying: Dying,
    /// Returned messages that are held back: (due, seq).
    held_back: BTreeMap<(u64, u64), Entry>,
    /// For `x-expires`: the last declare, get, or moment with a consumer.
    used_at_ms: u64,
    had_consumer: bool,
    deleted: bool,
    /// When to look for deliveries that were not acknowledged in time; none is late before. `u64::MAX` for never.
    timeout_check_ms: u64,
    /// Who to tell when a message is late that no consumer holds: taken with `basic.get`, or left by a consumer that was
    /// cancelled; and how many of these the channel has. Quorum queues only.
    getters: FxHashMap<ChannelId, Getter>,
    /// The earliest time for which a call of [`Queue::on_timer`] is ordered.
    called_at_ms: Option<u64>,
    stats: QueueStats,
    /// What is to be recorded of the transition that is under way.
    journal: Journal,
    /// Deliveries of messages in segment files that came back since they were written there, by place; quorum queues only.
    counts_since: FxHashMap<u64, Counts>,
    /// Until where the messages of each level are not in the log any more.
    moved: SmallVec<[(u8, u64); 1]>,
    /// To be read back.
    loads: SmallVec<[Load; 2]>,
    /// What was said last of the memory that entries take.
    told_entry_bytes: i64,
}

/// The level of a message without priority in a quorum queue, and the highest one (behaviour reference 7.1).
const QUORUM_PRIORITY_DEFAULT: u8 = 4;
const QUORUM_PRIORITY_MAX: u8 = 31;

impl Queue {
    /// An empty queue, which records its changes in this journal.
    pub fn new(arguments: QueueArguments, journal: Journal, now_ms: u64) -> Self {
        Self {
            consumers: Consumers::new(arguments.single_active_consumer),
            arguments,
            ready: Ready::default(),
            unacked: UnackedTable::default(),
            next_seq: 0,
            deliveries: 0,
            dying: Dying::default(),
            held_back: BTreeMap::new(),
            used_at_ms: now_ms,
            had_consumer: false,
            deleted: false,
            timeout_check_ms: u64::MAX,
            getters: FxHashMap::default(),
            called_at_ms: None,
            stats: QueueStats::default(),
            journal,
            counts_since: FxHashMap::default(),
            moved: SmallVec::new(),
            loads: SmallVec::new(),
            told_entry_bytes: 0,
        }
    }

    /// What is to be recorded.
    pub fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// How many bytes more, or fewer, the queue keeps for its messages than when this was asked last; their own bytes aside.
    pub fn change_of_entry_bytes(&mut self) -> i64 {
        let entries = self.ready.known_len() + self.unacked.len() + self.held_back.len() + self.dying.len();
        let bytes = i64::try_from(entries * size_of::<Entry>()).unwrap_or(i64::MAX);
        bytes - std::mem::replace(&mut self.told_entry_bytes, bytes)
    }

    /// Whether a message of this durability survives a restart here. A quorum queue keeps all (behaviour reference 4.2).
    pub fn stores(&self, is_persistent: bool) -> bool {
        self.journal.is_kept() && (is_persistent || self.arguments.kind == QueueKind::Quorum)
    }

    /// Messages that can be delivered.
    pub fn ready_count(&self) -> usize {
        self.ready.len()
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

    /// Counts since the queue was declared.
    pub fn stats(&self) -> QueueStats {
        self.stats
    }

    /// Takes a message, or refuses it because the queue is full. [`Queue::pump`] must follow the last one of a batch.
    pub fn publish(&mut self, new: NewMessage, now_ms: u64) -> Result<(), Full> {
        self.stats.publish += 1;
        let body_bytes = new.message.body_bytes() as u64;
        if self.refuses(body_bytes) {
            // What came before in the same batch may be a consumer's already, and take no place.
            self.pump(now_ms);
        }
        if self.refuses(body_bytes) {
            if self.arguments.overflow == Overflow::RejectPublishDlx {
                self.die_unqueued(new.message);
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
            redelivered: new.redelivered,
            counts: match self.arguments.kind {
                QueueKind::Classic => DeliveryCounts::default(),
                QueueKind::Quorum => new.counts,
            },
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

    fn refuses(&self, body_bytes: u64) -> bool {
        if self.arguments.overflow == Overflow::DropHead {
            return false;
        }
        let count = self.ready.len() as u64;
        match self.arguments.kind {
            QueueKind::Classic => {
                self.arguments.max_length.is_some_and(|max| count + 1 > max)
                    || self.arguments.max_length_bytes.is_some_and(|max| self.ready.bytes() + body_bytes > max)
            }
            // The limit is soft there: an empty queue always takes one (behaviour reference 5.8).
            QueueKind::Quorum => {
                count > 0
                    && (self.arguments.max_length.is_some_and(|max| count >= max)
                        || self.arguments.max_length_bytes.is_some_and(|max| self.ready.bytes() >= max))
            }
        }
    }

    /// Delivers what can be delivered now, then drops what expired and what is too much. Every transition that adds messages,
    /// consumers or credit ends with it.
    pub fn pump(&mut self, now_ms: u64) {
        self.deliver_ready(now_ms);
        self.expire(now_ms);
        self.trim();
    }

    fn deliver_ready(&mut self, now_ms: u64) {
        if self.consumers.is_empty() {
            return;
        }
        while let Some(head) = self.ready.head() {
            let Head::Held(head) = head else { break };
            // A message whose time to live is zero is still delivered in the same moment (behaviour reference 6.1).
            if head.expires_at_ms < now_ms {
                self.expire_before(now_ms);
                continue;
            }
            let Some(consumer) = self.consumers.next(usize::try_from(head.body_bytes()).unwrap_or(usize::MAX)) else {
                break;
            };
            let Some(entry) = self.ready.pop() else { break };
            let (id, channel) = (consumer.spec.id, consumer.spec.channel);
            let timeout_ms = if consumer.spec.no_ack { None } else { consumer.spec.timeout_ms };
            let taker = Taker { consumer: Some(id), channel, no_ack: consumer.spec.no_ack, timeout_ms };
            if let Some(delivery) = self.hand_out(entry, taker, now_ms) {
                self.consumers.hand(id, delivery);
            }
        }
        self.consumers.flush();
        if self.consumers.is_waiting() {
            let load = self.ready.load_head();
            self.loads.extend(load);
        }
    }

    /// Makes a delivery of an entry that was taken out; it is unacked from now on, or gone.
    fn hand_out(&mut self, mut entry: Entry, taker: Taker, now_ms: u64) -> Option<Delivery> {
        let message = entry.message()?.clone();
        let redelivered = std::mem::replace(&mut entry.redelivered, true);
        let counts = entry.counts;
        if entry.is_stored {
            self.journal.delivered(entry.priority, entry.seq);
        }
        self.count_delivery(&taker, redelivered);
        let token = if taker.no_ack {
            self.gone(&entry);
            None
        } else {
            let deadline_ms = deadline_ms(taker.timeout_ms.or(self.arguments.consumer_timeout_ms), now_ms);
            self.timeout_check_ms = self.timeout_check_ms.min(deadline_ms);
            self.deliveries += 1;
            let Taker { consumer, channel, .. } = taker;
            let delivery = self.deliveries;
            Some(self.unacked.insert(Unacked { entry, channel, consumer, deadline_ms, delivery }))
        };
        Some(Delivery { consumer: taker.consumer.unwrap_or(ConsumerId(0)), message, token, redelivered, counts })
    }

    fn count_delivery(&mut self, taker: &Taker, redelivered: bool) {
        let stats = &mut self.stats;
        let count = match (taker.consumer, taker.no_ack) {
            (Some(_), false) => &mut stats.deliver,
            (Some(_), true) => &mut stats.deliver_no_ack,
            (None, false) => &mut stats.get,
            (None, true) => &mut stats.get_no_ack,
        };
        *count += 1;
        stats.redeliver += u64::from(redelivered && taker.consumer.is_some());
    }

    /// A message has left the queue for good: the store need not keep it.
    fn gone(&mut self, entry: &Entry) {
        match entry.extent() {
            Some(extent) => {
                self.journal.freed(&extent);
                self.counts_since.remove(&entry.seq);
            }
            None if entry.is_stored => self.journal.settled(entry.seq),
            None => {}
        }
    }

    /// Drops what is due at `now_ms`, from the heads.
    fn expire(&mut self, now_ms: u64) {
        self.expire_before(now_ms.saturating_add(1));
    }

    fn expire_before(&mut self, limit_ms: u64) {
        let is_dropped = self.arguments.dead_letter_exchange.is_none();
        let is_due = |entry: &Entry| entry.expires_at_ms < limit_ms && (is_dropped || !entry.is_away());
        loop {
            while let Some(entry) = self.ready.pop_due(is_due) {
                self.bury(entry, DeathReason::Expired, false);
            }
            // Nobody wants to see what is dropped: it need not be read.
            let part = if is_dropped { self.ready.pop_due_part(limit_ms) } else { None };
            let Some(part) = part else { break };
            self.journal.freed_stretch(part.stretch());
        }
        let load = self.ready.load_due(limit_ms);
        self.loads.extend(load);
    }

    /// Drops from the head until the queue is within its limits.
    fn trim(&mut self) {
        let (max, max_bytes) = (self.arguments.max_length, self.arguments.max_length_bytes);
        if max.is_none() && max_bytes.is_none() || self.arguments.overflow != Overflow::DropHead {
            return;
        }
        let (max, max_bytes) = (max.unwrap_or(u64::MAX), max_bytes.unwrap_or(u64::MAX));
        while self.ready.len() as u64 > max || self.ready.bytes() > max_bytes {
            if !matches!(self.ready.head(), Some(Head::Held(_))) {
                // What is to be dropped must be read first; until then the queue is a little too long.
                let load = self.ready.load_head();
                self.loads.extend(load);
                break;
            }
            let Some(entry) = self.ready.pop() else { break };
            self.bury(entry, DeathReason::MaxLength, false);
        }
    }

    /// Takes the head for `basic.get`; with the number of messages still ready.
    pub fn get(&mut self, channel: ChannelId, no_ack: bool, now_ms: u64) -> Got {
        self.used_at_ms = now_ms;
        self.expire(now_ms);
        if matches!(self.ready.head(), Some(Head::Away(_)))
            && let Some(load) = self.ready.head_load()
        {
            return Got::Away(load);
        }
        let taker = Taker { consumer: None, channel, no_ack, timeout_ms: None };
        let delivery = self.ready.pop().and_then(|entry| self.hand_out(entry, taker, now_ms));
        match delivery {
            Some(delivery) => Got::Delivery(Box::new(delivery), self.ready.len()),
            None => {
                self.stats.get_empty += 1;
                Got::Empty
            }
        }
    }

    /// Remembers whom to tell when the message that this channel just took with `basic.get` is not acknowledged in time.
    pub fn remember_getter(&mut self, channel: ChannelId, sink: &Arc<dyn Sink>) {
        if self.arguments.kind == QueueKind::Quorum {
            self.getter(channel, sink).unacked += 1;
        }
    }

    fn getter(&mut self, channel: ChannelId, sink: &Arc<dyn Sink>) -> &mut Getter {
        self.getters.entry(channel).or_insert_with(|| Getter { sink: Arc::clone(sink), unacked: 0 })
    }

    /// Counts a message that is not unacknowledged any more.
    fn release(&mut self, channel: ChannelId, consumer: Option<ConsumerId>) {
        if let Some(consumer) = consumer {
            self.consumers.settled(consumer);
        } else if let Some(getter) = self.getters.get_mut(&channel) {
            getter.unacked -= 1;
            if getter.unacked == 0 {
                self.getters.remove(&channel);
            }
        }
    }

    /// Settles messages for good; tokens that the queue took back before are ignored. [`Queue::pump`] must follow.
    pub fn settle(&mut self, tokens: impl IntoIterator<Item = Token>, settlement: Settlement) {
        for token in tokens {
            let Some(unacked) = self.unacked.remove(token) else { continue };
            self.release(unacked.channel, unacked.consumer);
            match settlement {
                Settlement::Acked => {
                    self.stats.ack += 1;
                    self.gone(&unacked.entry);
                }
                Settlement::Rejected => self.bury(unacked.entry, DeathReason::Rejected, true),
                Settlement::Nacked => self.bury(unacked.entry, DeathReason::Rejected, false),
            }
        }
        self.promote();
    }

    /// Puts messages back; tokens that the queue took back before are ignored. [`Queue::pump`] must follow.
    pub fn requeue(&mut self, tokens: impl IntoIterator<Item = Token>, cause: Return, now_ms: u64) {
        let returned: Vec<_> = tokens.into_iter().filter_map(|token| self.unacked.remove(token)).collect();
        self.take_back(returned, cause, now_ms);
    }

    /// Puts everything back that this channel did not settle, because it is closed. [`Queue::pump`] must follow.
    pub fn requeue_all_of(&mut self, channel: ChannelId, now_ms: u64) {
        let returned = self.unacked.remove_where(|unacked| unacked.channel == channel);
        self.take_back(returned, Return::Lost, now_ms);
    }

    fn take_back(&mut self, returned: Vec<Unacked>, cause: Return, now_ms: u64) {
        let mut entries = Vec::with_capacity(returned.len());
        for Unacked { mut entry, channel, consumer, .. } in returned {
            self.release(channel, consumer);
            match self.arguments.kind {
                QueueKind::Classic => entries.push(entry),
                QueueKind::Quorum => {
                    entry.counts.acquired += 1;
                    entry.counts.failed += u32::from(cause.is_failure());
                    self.note_counts(&entry);
                    self.take_back_quorum(entry, cause, now_ms);
                }
            }
        }
        self.ready.requeue(entries);
        self.promote();
    }

    fn take_back_quorum(&mut self, entry: Entry, cause: Return, now_ms: u64) {
        if self.arguments.delivery_limit.is_some_and(|limit| entry.counts.failed > limit) {
            self.bury(entry, DeathReason::DeliveryLimit, true);
            return;
        }
        let held_back = |retry: &DelayedRetry| if cause.is_failure() { retry.failed } else { retry.returned };
        match self.arguments.delayed_retry.filter(held_back) {
            Some(retry) => {
                let delay_ms = retry.min_ms.saturating_mul(u64::from(entry.counts.acquired)).min(retry.max_ms);
                self.held_back.insert((now_ms.saturating_add(delay_ms), entry.seq), entry);
            }
            None => self.ready.push_returned(entry),
        }
    }

    /// Deliveries are to survive a restart: in the log, and, if the message is not there any more, in the checkpoints.
    fn note_counts(&mut self, entry: &Entry) {
        let counts = (entry.counts.acquired, entry.counts.failed);
        if entry.is_stored {
            self.journal.counted(entry.seq, counts);
            if !entry.address.is_in_log() {
                self.counts_since.insert(entry.seq, counts);
            }
        }
    }

    /// Adds a consumer. [`Queue::pump`] must follow, once the client was told its consumer tag.
    pub fn consume(&mut self, spec: ConsumerSpec) {
        self.had_consumer = true;
        self.consumers.add(spec);
        self.promote();
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
        let Some(spec) = self.consumers.remove(consumer) else { return false };
        self.adopt(&spec);
        self.consumers.is_empty()
    }

    /// From now on the channel answers for what a cancelled consumer left unacknowledged, as for what it took with `basic.get`.
    fn adopt(&mut self, spec: &ConsumerSpec) {
        if self.arguments.kind != QueueKind::Quorum {
            return;
        }
        let of_consumer = self.unacked.iter_mut().filter(|unacked| unacked.consumer == Some(spec.id));
        let adopted = of_consumer.map(|unacked| unacked.consumer = None).count();
        if adopted > 0 {
            self.getter(spec.channel, &spec.sink).unacked += adopted;
        }
    }

    /// Takes off all consumers of a channel that is closed. Tells whether they were the last ones. [`Queue::requeue_all_of`] must
    /// follow.
    pub fn cancel_all_of(&mut self, channel: ChannelId, now_ms: u64) -> bool {
        let of_channel = self.consumers.iter().filter(|consumer| consumer.spec.channel == channel);
        let ids: Vec<_> = of_channel.map(|consumer| consumer.spec.id).collect();
        for id in &ids {
            self.used_at_ms = now_ms;
            self.consumers.remove(*id);
        }
        !ids.is_empty() && self.consumers.is_empty()
    }

    /// Makes consumers try again, because their connection has room or their channel has credit. [`Queue::pump`] must follow.
    pub fn resume(&mut self, consumer: ConsumerId) {
        self.consumers.resume(consumer);
    }

    fn promote(&mut self) {
        if self.arguments.kind == QueueKind::Quorum && self.arguments.single_active_consumer {
            self.consumers.promote();
        }
    }

    /// Drops all ready messages and tells how many.
    pub fn purge(&mut self) -> usize {
        let mut ready = std::mem::take(&mut self.ready);
        let (count, freed) = ready.clear(|entry| self.gone(entry));
        self.ready = ready;
        for stretch in freed {
            self.journal.freed_stretch(stretch);
        }
        count
    }

    /// Notes a use, for `x-expires`.
    pub fn touch(&mut self, now_ms: u64) {
        self.used_at_ms = now_ms;
    }

    /// Marks the queue as deleted and tells its consumers; with the number of ready messages.
    pub fn delete(&mut self) -> usize {
        self.deleted = true;
        for consumer in self.consumers.iter() {
            consumer.spec.sink.notify(Notice::ConsumerCancelled(consumer.spec.id));
        }
        self.consumers = Consumers::default();
        // The queue's definition goes, and everything with it: until the log says so, nothing is lost.
        self.journal.stop_keeping();
        self.getters.clear();
        let count = self.purge();
        let unacked = std::mem::take(&mut self.unacked).into_entries();
        let held_back = std::mem::take(&mut self.held_back).into_values();
        let dying = std::mem::take(&mut self.dying).into_entries();
        for entry in unacked.chain(held_back).chain(dying) {
            self.gone(&entry);
        }
        count
    }

    /// Does what is due. Tells whether the queue itself is due to be deleted (`x-expires`).
    pub fn on_timer(&mut self, now_ms: u64) -> bool {
        self.called_at_ms = None;
        self.time_out_unacked(now_ms);
        while let Some(due) = self.held_back.first_entry().filter(|due| due.key().0 <= now_ms) {
            self.ready.push_returned(due.remove());
        }
        self.dying.retry(now_ms);
        self.pump(now_ms);
        self.queue_expiry_ms().is_some_and(|at_ms| at_ms <= now_ms)
    }

    fn queue_expiry_ms(&self) -> Option<u64> {
        let expires_ms = self.arguments.expires_ms.filter(|_| self.consumers.is_empty())?;
        Some(self.used_at_ms.saturating_add(expires_ms))
    }

    /// Takes back what was not acknowledged in time: all that its consumer, or its channel's gets, hold.
    fn time_out_unacked(&mut self, now_ms: u64) {
        if self.timeout_check_ms > now_ms {
            return;
        }
        let late = self.unacked.iter().filter(|unacked| unacked.deadline_ms <= now_ms);
        let late: BTreeSet<_> = late.map(|unacked| (unacked.channel, unacked.consumer)).collect();
        for (channel, consumer) in late {
            let returned = self.unacked.remove_where(|other| other.channel == channel && other.consumer == consumer);
            match consumer {
                Some(id) => {
                    if let Some(spec) = self.consumers.remove(id) {
                        spec.sink.notify(Notice::ConsumerTimedOut(id));
                    }
                }
                None => {
                    if let Some(getter) = self.getters.remove(&channel) {
                        getter.sink.notify(Notice::GetTimedOut(channel));
                    }
                }
            }
            self.take_back(returned, Return::TimedOut, now_ms);
        }
        self.timeout_check_ms = self.unacked.iter().map(|unacked| unacked.deadline_ms).min().unwrap_or(u64::MAX);
    }

    /// Copies messages that keep large shared chunks alive, so that these can go.
    pub fn compact(&mut self) {
        let held_back = self.held_back.values_mut();
        let unacked = self.unacked.iter_mut().map(|unacked| &mut unacked.entry);
        for entry in self.ready.iter_mut().chain(unacked).chain(held_back) {
            if let Body::Held(message) = &mut entry.body
                && message.pins_memory()
            {
                *message = message.compacted();
            }
        }
    }

    /// What is left to be done once the queue is unlocked.
    pub fn aftermath(&mut self) -> Aftermath {
        let bury_dead_letters = self.dying.wants_burier();
        let load = self.dying.load();
        self.loads.extend(load);
        Aftermath { bury_dead_letters, call_at_ms: self.order_call(), loads: std::mem::take(&mut self.loads) }
    }

    /// The time to be called at, unless an earlier call is ordered already.
    fn order_call(&mut self) -> Option<u64> {
        let times = [
            self.ready.next_expiry_ms(),
            self.queue_expiry_ms(),
            Some(self.timeout_check_ms).filter(|&at_ms| at_ms != u64::MAX),
            self.dying.retry_ms(),
            self.held_back.keys().next().map(|&(due_ms, _)| due_ms),
        ];
        let next = times.into_iter().flatten().min();
        let next = next.filter(|&next| self.called_at_ms.is_none_or(|ordered| next < ordered));
        if next.is_some() {
            self.called_at_ms = next;
        }
        next
    }
}

/// When a delivery is late; `u64::MAX` for never.
fn deadline_ms(timeout_ms: Option<u64>, now_ms: u64) -> u64 {
    timeout_ms.map_or(u64::MAX, |timeout_ms| now_ms.saturating_add(timeout_ms))
}

/// Who a delivery is for.
struct Taker {
    /// `None` for `basic.get`.
    consumer: Option<ConsumerId>,
    channel: ChannelId,
    no_ack: bool,
    /// The consumer's own `x-consumer-timeout`.
    timeout_ms: Option<u64>,
}

/// The answer to `basic.get`.
#[derive(Debug)]
pub enum Got {
    /// A message, and the number of messages still ready.
    Delivery(Box<Delivery>, usize),
    /// The head is in a segment file: it is to be read, and the question to be asked again.
    Away(Load),
    /// There is none.
    Empty,
}

/// The queue is full and refuses new messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;
