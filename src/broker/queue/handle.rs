//! The shell around a queue's logic: its lock, its identity, and what a transition leaves to be done outside of the lock.
//!
//! Everybody reaches a queue through an `Arc<QueueHandle>` and none holds the queue itself, so that a queue elsewhere can be a
//! later variant. Lock order: one queue, then the sinks it delivers to and the log; never two queues.

mod chosen;
mod dead_letters;
mod looking;
mod paging;
mod pause;
mod policies;
mod publishing;
mod removal;
mod returns;
mod snapshot;
mod transition;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::arguments::QueueArguments;
pub use chosen::Choice;
use dead_letters::{WhenOnDisk, publish_dead_letters};
pub(in crate::broker) use paging::LeavingSearch;
pub(in crate::broker) use removal::NotRemoved;
use removal::is_over;

use super::{ConsumerSpec, Got, NextDeadLetters, Queue, QueueCounts, Settlement};
use crate::broker::ids::{ChannelId, ConnectionId, ConsumerId, QueueId};
use crate::broker::node::Node;
use crate::broker::sink::{Delivery, Sink, Token};
use crate::broker::vhost::Vhost;
use crate::error::AmqpError;
use crate::store::failure::Remedy;
use crate::store::journal::Journal;
use crate::store::loader::{Load, Loaded, Loads};
use crate::store::{Owed, TransactionId};
use crate::table::EncodedTable;

/// Whether a queue belongs to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exclusivity {
    /// Any connection may use it.
    Shared,
    /// Only this connection may use it, and it goes with the connection.
    ExclusiveTo(ConnectionId),
}

/// What a queue was declared as; it never changes.
#[derive(Clone, Debug)]
pub struct QueueSpec {
    /// Unique in its virtual host; at most 255 bytes.
    pub name: Arc<str>,
    /// Survives a restart. An exclusive queue never does (behaviour reference 4.1).
    pub(crate) durable: bool,
    /// Goes with its last consumer.
    pub(crate) auto_delete: bool,
    /// Whether it belongs to one connection.
    pub(crate) exclusivity: Exclusivity,
    /// The arguments as the client gave them.
    pub(crate) raw_arguments: EncodedTable,
    /// The arguments, typed: queues that are declared alike share them. What the queue obeys may be something else.
    pub(crate) arguments: Arc<QueueArguments>,
}

/// A queue, as everybody but its own logic sees it.
pub struct QueueHandle {
    /// Never given again: a queue that is declared later under the same name has another one.
    pub id: QueueId,
    /// What it was declared as.
    pub spec: QueueSpec,
    vhost: Weak<Vhost>,
    node: Arc<Node>,
    /// It need not be looked at before this, in milliseconds; [`snapshot::MOVED`] once something may have changed since the last look. That
    /// is set under the lock.
    rests_until_ms: AtomicU64,
    state: Mutex<Queue>,
}

impl fmt::Debug for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueHandle").field("id", &self.id).field("name", &self.spec.name).finish_non_exhaustive()
    }
}

impl QueueHandle {
    /// An empty queue.
    pub fn new(id: QueueId, spec: QueueSpec, vhost: Weak<Vhost>, node: Arc<Node>, now_ms: u64) -> Self {
        // Neither of the two changes later, but for the deletion, which ends the keeping.
        let journal = Journal::new(id.0, spec.durable && node.log.keeps());
        let state = Mutex::new(Queue::new(Arc::clone(&spec.arguments), journal, now_ms));
        // Moved at first, so that the sampler looks at it once.
        Self { id, spec, vhost, node, rests_until_ms: AtomicU64::new(snapshot::MOVED), state }
    }

    /// Whether the queue was deleted; whoever still holds it must treat it as absent.
    pub(crate) fn is_deleted(&self) -> bool {
        self.state.lock().is_deleted()
    }

    /// How many messages and consumers it has.
    pub fn counts(&self) -> QueueCounts {
        self.state.lock().counts()
    }

    /// As [`QueueHandle::counts`], for somebody who declares the queue: that is a use of it.
    pub(in crate::broker) fn declared_again(&self, now_ms: u64) -> QueueCounts {
        let mut queue = self.state.lock();
        queue.touch(now_ms);
        queue.counts()
    }

    /// How long the queue is, as its publishers see it.
    #[cfg(test)]
    pub(crate) fn level(&self) -> u64 {
        self.state.lock().level()
    }

    /// What it takes to purge or to delete the queue, in messages.
    pub(crate) fn weight(&self) -> usize {
        self.state.lock().weight()
    }

    /// Orders the timer for a queue that was just declared.
    pub fn start(self: &Arc<Self>, now_ms: u64) {
        self.transition(now_ms, |_| {});
    }

    /// Tells that the first dead letter that was handed out is published, in this transaction. What was owed for it is to be kept
    /// until the transaction is recorded.
    pub(in crate::broker) fn dead_letter_published(self: &Arc<Self>, transaction: TransactionId) -> Option<Owed> {
        let change = |queue: &mut Queue| {
            queue.journal().set_transaction(transaction);
            queue.dead_letter_published()
        };
        self.transition_aside(change).0
    }

    /// Settles messages for good. Dead letters that this makes are recorded, with the end of what they were, before this returns;
    /// unless somebody else is publishing them, or what must be read first cannot be read now. Until they are recorded, they are owed:
    /// what the same client is told later is true only with them.
    pub fn settle(
        self: &Arc<Self>,
        tokens: impl IntoIterator<Item = Token>,
        settlement: Settlement,
        transaction: TransactionId,
        now_ms: u64,
    ) {
        // One iterator over all steps: each takes 1,024 tokens of it, and the lock is free in between.
        let mut tokens = tokens.into_iter().peekable();
        self.answered(now_ms, |queue| {
            // In each step, because the record of a step resets it.
            queue.journal().set_transaction(transaction);
            queue.settle(&mut tokens, settlement);
            tokens.peek().is_some()
        });
    }

    /// Takes the head for `basic.get`; with the number of messages still ready.
    ///
    /// # Errors
    /// When so much has expired at the head that the question is to be asked again, aside from those who have no time.
    pub fn get(
        self: &Arc<Self>,
        channel: ChannelId,
        sink: &Arc<dyn Sink>,
        no_ack: bool,
        now_ms: u64,
    ) -> Result<Option<(Delivery, usize)>, Busy> {
        // Each turn of the loop reads one block. Another client may take what it brought before this one asks
        // again; then the next is read. Whoever asked first has no claim: nothing is delivered yet.
        loop {
            let got = self.transition(now_ms, |queue| {
                let got = queue.get(channel, no_ack, now_ms);
                // In the same transition, so that the delivery cannot be late before it is known whom to tell.
                if !no_ack && matches!(got, Got::Delivery(..)) {
                    queue.remember_getter(channel, sink);
                }
                got
            });
            match got {
                Got::Delivery(delivery, ready) => return Ok(Some((*delivery, ready))),
                Got::Empty => return Ok(None),
                Got::Busy => return Err(Busy),
                // The client waits for the answer to this and nothing else, so the block is read here and now. If it cannot
                // be, the client finds nothing, and may ask again.
                Got::OnDisk(load) => {
                    let order = || self.transition(now_ms, Queue::order_head);
                    let Some(loaded) = self.read(load, order) else { return Ok(None) };
                    self.transition(now_ms, |queue| self.take(queue, loaded));
                }
            }
        }
    }

    /// Adds a consumer, which gets its first messages with [`QueueHandle::resume`]; the client is told its tag before.
    ///
    /// # Errors
    /// 403 when the queue is in exclusive use, 404 when it was deleted meanwhile.
    pub fn consume(self: &Arc<Self>, spec: ConsumerSpec, now_ms: u64) -> Result<(), AmqpError> {
        self.transition(now_ms, |queue| {
            // The queue was looked up before its lock was taken. Whoever deletes it takes out all consumers
            // under the same lock, so a consumer that comes in between is refused or is told of the end.
            if queue.is_deleted() {
                return Err(self.not_found());
            }
            if !queue.may_consume(spec.exclusive) {
                return Err(AmqpError::access_refused(format!("{self} in exclusive use")));
            }
            queue.consume(spec);
            Ok(())
        })
    }

    /// Takes a consumer off. Deletes the queue if it was the last one and the queue is auto-delete.
    pub(crate) fn cancel(self: &Arc<Self>, consumer: ConsumerId, now_ms: u64) {
        let removed = self.transition(now_ms, |queue| {
            // False for a consumer that is not there: cancelling an unknown one must not delete a queue that
            // was never consumed from.
            let was_last = queue.cancel(consumer, now_ms);
            queue.pump(now_ms);
            is_over(queue, was_last && self.spec.auto_delete)
        });
        // Outside of the lock: it takes the queue out of the topology, and a topology is never
        // locked while a queue is.
        self.delete(removed);
    }

    /// Makes a consumer try again, because its connection has room or its channel has credit.
    pub fn resume(self: &Arc<Self>, consumer: ConsumerId, now_ms: u64) {
        self.transition(now_ms, |queue| {
            queue.resume(consumer);
            queue.pump(now_ms);
        });
    }

    /// Looks again who has to wait for consumers, because a connection that this told so has done its work, or waits for its client.
    pub(crate) fn look_at_pace(self: &Arc<Self>) {
        // Every transition ends with the question who goes on, so one that changes nothing is enough. The
        // caller is the task of a consumer, which has no time for dead letters.
        self.transition_aside(|_| ());
    }

    /// Does what is due, or as much as is done in one turn: how much it was.
    pub(crate) fn on_timer(self: &Arc<Self>, now_ms: u64) -> usize {
        let (removed, dropped) = self.transition(now_ms, |queue| {
            // A call that was ordered before the deletion comes all the same: calls are not taken back.
            let is_due = !queue.is_deleted() && queue.on_timer(now_ms);
            let dropped = queue.moved_in_turn();
            (is_over(queue, is_due), dropped)
        });
        self.delete(removed);
        dropped
    }

    /// Tells that the first dead letter that was handed out found no queue: it is kept if this queue promises to deliver it.
    pub(in crate::broker) fn keep_unrouted(self: &Arc<Self>, now_ms: u64) {
        // Dropped only here, when its record was appended.
        let (_owed, _) = self.transition_aside(|queue| queue.keep_unrouted(now_ms));
    }

    /// The 404 for this queue.
    pub(crate) fn not_found(&self) -> AmqpError {
        AmqpError::not_found(format!("no {self}"))
    }

    /// Reads here and now; `None` when the store has failed, or when it cannot be read yet: then `order` has it read later.
    fn read(&self, load: Load, order: impl FnOnce()) -> Option<Loaded> {
        match self.node.loader.as_ref()?.read(load, self.id.0) {
            Ok(loaded) => Some(loaded),
            // Descriptors or memory are scarce: nothing is wrong with the file, and nothing of
            // the queue is given up.
            Err(error) if error.remedy() == Remedy::Wait => {
                tracing::warn!(queue = %self.spec.name, %error, "a message cannot be read back now");
                order();
                None
            }
            Err(error) => {
                // The file cannot be read at all. Nothing more is confirmed from now on: what else
                // it has may be lost, too.
                self.node.log.fail(error);
                None
            }
        }
    }

    /// Takes over what was read back, and says what is lost.
    fn take(&self, queue: &mut Queue, loaded: Loaded) {
        let lost = queue.loaded(loaded);
        self.count_unreadable(lost.len());
        for damaged in lost {
            super::tell_lost(self, damaged);
        }
    }

    /// Counts lost messages for the virtual host, too.
    fn count_unreadable(&self, count: usize) {
        if let Some(vhost) = self.vhost.upgrade().filter(|_| count > 0) {
            self.node.registry.count_unreadable(&vhost.name, count);
        }
    }

    fn order(self: &Arc<Self>, load: Load) {
        if let Some(loader) = &self.node.loader {
            loader.order(load, Arc::clone(self) as Arc<dyn Loads>);
        }
    }

    /// Goes on with dead letters that were too many for one turn: how many it published, each copy of one counted in part.
    pub(in crate::broker) fn go_on_with_dead_letters(self: &Arc<Self>, now_ms: u64) -> usize {
        publish_dead_letters(vec![Arc::clone(self)], WhenOnDisk::Order, now_ms)
    }

    fn next_dead_letters(&self) -> NextDeadLetters {
        self.state.lock().next_dead_letters()
    }
}

impl Loads for QueueHandle {
    fn queue(&self) -> u64 {
        self.id.0
    }

    fn loaded(self: Arc<Self>, loaded: Loaded, now_ms: u64) {
        self.transition(now_ms, |queue| {
            // First, so that the pump at the end can order the next block.
            queue.arrived(loaded.load);
            self.take(queue, loaded);
            queue.pump(now_ms);
        });
    }
}

/// How error texts name the queue: `queue 'q' in vhost '/'`.
impl fmt::Display for QueueHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vhost = self.vhost.upgrade();
        let vhost = vhost.as_ref().map_or("", |vhost| &vhost.name);
        write!(f, "queue '{}' in vhost '{vhost}'", self.spec.name)
    }
}

/// So many messages have expired at the head that not all could be dropped yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;
