//! Messages that an `x-delayed-message` exchange holds back until they are due.
//!
//! To the store they are a queue of their own, whose messages expire when they are due and are known one by one.

mod looking;
mod moving;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::ids::{ExchangeId, QueueId};
use super::node::Node;
use super::queue::{NewMessage, tell_lost};
use super::vhost::Vhost;
use crate::message::{DeliveryCounts, Message};
use crate::properties::parse_expiration;
use crate::store::address::{Address, Place};
use crate::store::checkpoint::{QueueState, Single};
use crate::store::failure::Remedy;
use crate::store::journal::{Extent, Journal};
use crate::store::loader::Load;
use crate::store::record::Enqueued;
use crate::store::recovery::RecoveredQueue;
use crate::store::seq::Seq;
use crate::store::{AppendGuard, LogPosition, LogTransaction, StoreError, TransactionId};

pub(crate) use looking::SeenDelayed;

/// What could not be read back is tried again after so long.
const READ_AGAIN_MS: u64 = 500;

/// The delayed messages of a virtual host, in the order in which they are due; equal times keep the order of publishing.
#[derive(Debug)]
pub struct DelayedMessages {
    id: QueueId,
    vhost: Weak<Vhost>,
    node: Arc<Node>,
    waiting: Mutex<Waiting>,
    /// Held by whoever delivers or cancels, so that no message is delivered twice. It comes before `waiting`.
    delivering: Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    /// By the time when they are due, and their place in the order of arrival.
    by_due: BTreeMap<DueKey, DelayedMessage>,
    next_seq: Seq,
    journal: Journal,
}

/// A message that is held back.
#[derive(Clone, Debug)]
struct DelayedMessage {
    exchange: ExchangeId,
    /// `None` while it is in a segment file only.
    new: Option<NewMessage>,
    address: Address,
    /// What it takes in its segment file, if it is there.
    bytes: u32,
    body_bytes: u32,
    is_stored: bool,
}

impl DelayedMessage {
    const fn extent(&self) -> Extent {
        let Self { address, bytes, body_bytes, is_stored, .. } = *self;
        Extent { address, bytes, body_bytes, is_stored }
    }
}

/// When a message is due, and its place in the order of arrival.
pub(crate) type DueKey = (u64, Seq);

impl Waiting {
    /// Which messages of this exchange there are among the next ones from a place on, and where to go on.
    fn of_exchange(&self, exchange: ExchangeId, start: DueKey) -> (Vec<DueKey>, Option<DueKey>) {
        let mut places = self.by_due.range(start..);
        let looked_at = places.by_ref().take(LOOKED_AT_MAX);
        let wanted = looked_at.filter(|(_, held)| held.exchange == exchange).map(|(key, _)| *key).collect();
        (wanted, places.next().map(|(key, _)| *key))
    }
}

/// Messages that are delivered before others get their turn, if each goes to one queue.
const DELIVERED_MAX: usize = 256;

/// Messages that are looked at under one lock: some tenths of a millisecond's work.
const LOOKED_AT_MAX: usize = 4096;

/// A message that was routed onwards.
struct Delivered {
    /// Where the log has that.
    recorded: LogPosition,
    /// As many messages that go to one queue take as long.
    worth_messages: usize,
}

impl DelayedMessages {
    /// None yet.
    pub fn new(id: QueueId, vhost: Weak<Vhost>, node: &Arc<Node>) -> Self {
        let journal = Journal::new(id.0, node.log.keeps());
        let waiting = Mutex::new(Waiting { by_due: BTreeMap::new(), next_seq: Seq::FIRST, journal });
        Self { id, vhost, node: Arc::clone(node), waiting, delivering: Mutex::default() }
    }

    /// What the store knows them by.
    pub(crate) const fn id(&self) -> QueueId {
        self.id
    }

    /// How many messages wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.lock().by_due.len()
    }

    /// When they are due, in this order.
    pub fn due_times(&self) -> Vec<u64> {
        self.waiting.lock().by_due.keys().map(|(due_ms, _)| *due_ms).collect()
    }

    /// Holds a message back until `due_ms`. What is to be durable before anybody is told that it is safe.
    pub(in crate::broker) fn hold(
        self: &Arc<Self>,
        due_ms: u64,
        exchange: ExchangeId,
        new: NewMessage,
        transaction: TransactionId,
    ) -> LogPosition {
        let log = &*self.node.log;
        let is_stored = log.keeps() && new.message.facts().persistent;
        // The body goes to the log first, and its record only under the lock: it must not be moved in between.
        let _guard = (is_stored && log.capabilities().moves_bodies).then(|| AppendGuard::begin(log));
        if is_stored {
            log.append_chunk(new.message.chunk());
        }
        let mut waiting = self.waiting.lock();
        let is_first = waiting.by_due.keys().next().is_none_or(|&(first_ms, _)| due_ms < first_ms);
        let seq = waiting.next_seq;
        waiting.next_seq = seq.next();
        let address = if is_stored { Address::of(&new.message) } else { Address::NOWHERE };
        if is_stored {
            let origin = exchange.0;
            waiting.journal.set_transaction(transaction);
            let counts = DeliveryCounts::failed(new.failed);
            let enqueued = Enqueued { seq, address, expires_at_ms: due_ms, counts, origin, ..Enqueued::default() };
            waiting.journal.enqueued(&enqueued);
        }
        let body_bytes = u32::try_from(new.message.body_bytes()).unwrap_or(u32::MAX);
        waiting.by_due.insert(
            (due_ms, seq),
            DelayedMessage { exchange, new: Some(new), address, bytes: 0, body_bytes, is_stored },
        );
        let position = self.record(&mut waiting);
        drop(waiting);
        if is_first {
            self.node.deadlines.order_delayed(due_ms, self);
        }
        position
    }

    fn record(&self, waiting: &mut Waiting) -> LogPosition {
        let mut records = Vec::new();
        let freed = waiting.journal.take(&mut records);
        waiting.journal.set_transaction(TransactionId::NONE);
        let position = if records.is_empty() { LogPosition::START } else { self.node.log.append(&records) };
        // Only then, so that no checkpoint sees what the log does not tell of.
        if let Some(loader) = self.node.loader.as_ref().filter(|_| !freed.is_empty()) {
            loader.segments().free(&freed);
        }
        position
    }

    /// Routes what is due, or as much as is done in one turn, and orders the next call: how many there were, as [`DELIVERED_MAX`]
    /// counts them.
    pub(in crate::broker) fn deliver_due(self: &Arc<Self>, now_ms: u64) -> usize {
        let Some(vhost) = self.vhost.upgrade() else { return 0 };
        let mut delivered = 0;
        while delivered < DELIVERED_MAX {
            let Some(key) = self.first_due(now_ms) else { break };
            let Some(done) = self.deliver(&vhost, key, now_ms) else {
                // In their order, or not yet.
                self.node.deadlines.order_delayed(now_ms.saturating_add(READ_AGAIN_MS), self);
                return delivered;
            };
            delivered += done.worth_messages;
        }
        self.order_next();
        delivered
    }

    fn order_next(self: &Arc<Self>) {
        let next_ms = self.waiting.lock().by_due.keys().next().map(|&(due_ms, _)| due_ms);
        if let Some(next_ms) = next_ms {
            self.node.deadlines.order_delayed(next_ms, self);
        }
    }

    fn first_due(&self, now_ms: u64) -> Option<DueKey> {
        self.waiting.lock().by_due.keys().next().copied().filter(|(due_ms, _)| *due_ms <= now_ms)
    }

    /// Publishes one message and forgets it, in one transaction. `None` when it cannot be read back now.
    fn deliver(&self, vhost: &Vhost, key: DueKey, now_ms: u64) -> Option<Delivered> {
        let _turn = self.delivering.lock();
        let Some(held) = self.waiting.lock().by_due.get(&key).cloned() else {
            return Some(Delivered { recorded: LogPosition::START, worth_messages: 1 });
        };
        let new = match held.new.map_or_else(|| self.read(held.address, held.bytes), |new| Ok(Some(new))) {
            Ok(new) => new,
            Err(error) if error.remedy() == Remedy::Wait => {
                tracing::warn!(vhost = %vhost.name, %error, "a delayed message is read back later");
                return None;
            }
            Err(error) => {
                self.node.log.fail(error);
                return None;
            }
        };
        let log = &*self.node.log;
        let transaction = LogTransaction::begin(log);
        let worth_messages = match new {
            // What has to be durable is part of the transaction.
            Some(new) => vhost.publish_delayed(held.exchange, &new, transaction.id(), now_ms).worth_messages,
            None => {
                tracing::error!(vhost = %vhost.name, "a delayed message cannot be read back and is lost");
                self.node.registry.count_unreadable(&vhost.name, 1);
                1
            }
        };
        let mut waiting = self.waiting.lock();
        waiting.journal.set_transaction(transaction.id());
        // With an exchange that was deleted meanwhile it has gone already.
        if let Some(held) = waiting.by_due.remove(&key) {
            gone(&mut waiting.journal, key.1, &held);
        }
        self.record(&mut waiting);
        drop(waiting);
        Some(Delivered { recorded: transaction.commit(), worth_messages })
    }

    /// The message at this place; `None` if it is not there any more.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, address: Address, bytes: u32) -> Result<Option<NewMessage>, StoreError> {
        let Place::Segment(segment, start) = address.place() else { return Ok(None) };
        let Some(loader) = &self.node.loader else { return Ok(None) };
        let load = Load { level: 0, segment, start, end: start.saturating_add(bytes) };
        let loaded = loader.read(load, self.id.0)?;
        for damaged in loaded.damaged {
            tell_lost(&"a delayed exchange", damaged);
        }
        Ok(loaded.records.into_iter().next().map(|record| published(record.message, record.label.counts)))
    }

    /// Forgets the messages of an exchange that was deleted: step by step, because others are held back here, too. One that is due
    /// meanwhile finds no exchange.
    pub(in crate::broker) fn forget(&self, exchange: ExchangeId) {
        let mut from = Some((0, Seq::FIRST));
        while let Some(start) = from {
            let mut waiting = self.waiting.lock();
            let (wanted, next) = waiting.of_exchange(exchange, start);
            let Waiting { by_due, journal, .. } = &mut *waiting;
            let forgotten: Vec<_> = wanted.iter().filter_map(|key| by_due.remove_entry(key)).collect();
            for ((_, seq), held) in &forgotten {
                gone(journal, *seq, held);
            }
            self.record(&mut waiting);
            from = next;
        }
    }

    /// Looks at all messages, some under each lock. Only the pager gives them other places, and it does one thing after the other. So
    /// what comes meanwhile is in the log, behind what the pager asks for, and what goes is in the log, too: whether they are
    /// looked at does not matter.
    fn look_at_all(&self, mut look: impl FnMut(DueKey, &DelayedMessage)) {
        let mut from = Some((0, Seq::FIRST));
        while let Some(start) = from {
            let waiting = self.waiting.lock();
            let mut places = waiting.by_due.range(start..);
            places.by_ref().take(LOOKED_AT_MAX).for_each(|(key, held)| look(*key, held));
            from = places.next().map(|(key, _)| *key);
        }
    }

    /// What a checkpoint says of them. Those that come while they are looked at have later numbers than `next_seq`, and the log tells
    /// of them.
    pub(in crate::broker) fn state(&self) -> QueueState {
        let next_seq = self.waiting.lock().next_seq;
        let (mut singles, mut below) = (Vec::new(), next_seq);
        self.look_at_all(|(due_ms, seq), held| {
            let DelayedMessage { address, bytes, body_bytes, exchange, .. } = *held;
            match address.place() {
                Place::Segment(..) => {
                    singles.push(Single { seq, address, bytes, body_bytes, due_ms, origin: exchange.0 });
                }
                Place::Log(_) => below = below.min(seq),
                Place::Nowhere => {}
            }
        });
        QueueState {
            queue: self.id.0,
            next_seq,
            moved: [(0, below)].into_iter().collect(),
            singles,
            ..QueueState::default()
        }
    }

    /// Takes over what was found at the start, and orders the first call. `exchange_of` says which exchange delivers what one held back;
    /// messages that none delivers are dropped.
    pub(in crate::broker) fn restore(
        self: &Arc<Self>,
        recovered: RecoveredQueue,
        is_free: impl Fn(&Single) -> bool,
        exchange_of: impl Fn(ExchangeId) -> Option<ExchangeId>,
    ) {
        let mut waiting = self.waiting.lock();
        let Waiting { by_due, next_seq, journal } = &mut *waiting;
        *next_seq = recovered.state.next_seq;
        for single in recovered.state.singles.iter().filter(|single| !is_free(single)) {
            let Single { seq, address, bytes, body_bytes, due_ms, origin } = *single;
            let exchange = ExchangeId(origin);
            by_due.insert(
                (due_ms, seq),
                DelayedMessage { exchange, new: None, address, bytes, body_bytes, is_stored: true },
            );
        }
        for (enqueued, message) in recovered.in_log {
            let Enqueued { seq, address, expires_at_ms, counts, origin, .. } = enqueued;
            let body_bytes = u32::try_from(message.body_bytes()).unwrap_or(u32::MAX);
            let (exchange, new) = (ExchangeId(origin), Some(published(message, counts)));
            by_due.insert(
                (expires_at_ms, seq),
                DelayedMessage { exchange, new, address, bytes: 0, body_bytes, is_stored: true },
            );
        }
        by_due.retain(|(_, seq), held| match exchange_of(held.exchange) {
            Some(exchange) => {
                held.exchange = exchange;
                true
            }
            None => {
                gone(journal, *seq, held);
                false
            }
        });
        self.record(&mut waiting);
        drop(waiting);
        self.order_next();
    }
}

fn gone(journal: &mut Journal, seq: Seq, held: &DelayedMessage) {
    if matches!(held.address.place(), Place::Segment(..)) {
        journal.freed(&held.extent());
    } else if held.is_stored {
        journal.settled(seq);
    }
}

/// A message that comes back; its expiration was checked when it came.
fn published(message: Message, counts: DeliveryCounts) -> NewMessage {
    let expiration_ms = message.properties().expiration().and_then(|text| parse_expiration(text).ok());
    NewMessage { message, expiration_ms, failed: counts.failed }
}
