//! What other tasks hand to a connection: deliveries and notices, bounded in bytes, with one wake-up for a batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::broker::ids::ConsumerId;
use crate::broker::queue::{DELIVERY_OVERHEAD_BYTES, Wanting};
use crate::broker::reply_to::ReplyBudget;
use crate::broker::sink::{Delivery, Notice, Sink};
use crate::error::AmqpError;
use crate::store::Wake;

/// Above so many bytes queues hand over no more: what bounds the memory of a consumer that does not read.
const HIGH_WATER_BYTES: usize = 1024 * 1024;

/// The receiving side of a connection.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// Bytes that were handed over and are not encoded yet.
    bytes: AtomicUsize,
    /// The connection's task was woken for deliveries, and has not taken them yet.
    is_woken_for_deliveries: AtomicBool,
    is_starved: AtomicBool,
    /// Consumers that found no room. Locked under a queue's lock, and nothing is locked under it.
    starved: Mutex<Wanting>,
    /// The socket takes nothing more of what is written.
    is_refused: AtomicBool,
    /// Publishers wait although there is nothing to do: the client took much before (`patience`).
    is_patient: AtomicBool,
    /// Consumers whose queues are to look again when there is nothing more to do. Locked under a queue's lock, and nothing is locked
    /// under it.
    watched: Mutex<Wanting>,
    is_watched: AtomicBool,
    wake: Notify,
    /// What all requesters together may keep waiting.
    budget: Arc<ReplyBudget>,
    /// What was taken from the budget for direct replies, at most `bytes`. Changed only while `waiting` is locked.
    reply_bytes: AtomicUsize,
    /// The last direct reply was dropped.
    drops_replies: AtomicBool,
}

#[derive(Debug, Default)]
struct Waiting {
    deliveries: Vec<Delivery>,
    notices: Vec<Notice>,
    /// The connection has ended: whatever comes is dropped.
    is_closed: bool,
}

/// Why a connection is to be closed, if one of these notices says so.
pub(super) fn close_reason(notices: &[Notice]) -> Option<AmqpError> {
    notices.iter().find_map(|notice| match notice {
        Notice::Close(error) => Some(error.clone()),
        Notice::AlarmChanged
        | Notice::ConsumerCancelled(_)
        | Notice::ConsumerTimedOut(..)
        | Notice::GetTimedOut(..) => None,
    })
}

/// What a delivery counts for.
pub(crate) fn delivery_bytes(delivery: &Delivery) -> usize {
    delivery.message.body_bytes() + DELIVERY_OVERHEAD_BYTES
}

impl Outbox {
    /// An empty one, whose direct replies share this budget with those of others.
    pub fn new(budget: Arc<ReplyBudget>) -> Self {
        Self { budget, ..Self::default() }
    }

    /// Waits until there is something to look at. Cancel safe.
    pub(crate) async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Exchanges what waits for the two empty vectors.
    pub(crate) fn take(&self, deliveries: &mut Vec<Delivery>, notices: &mut Vec<Notice>) {
        debug_assert!(deliveries.is_empty() && notices.is_empty(), "what was taken before is dealt with");
        self.is_woken_for_deliveries.store(false, Ordering::SeqCst);
        let mut waiting = self.waiting.lock();
        std::mem::swap(&mut waiting.deliveries, deliveries);
        std::mem::swap(&mut waiting.notices, notices);
    }

    /// Makes room, because that many bytes were encoded.
    pub(crate) fn encoded(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        if self.reply_bytes.load(Ordering::Relaxed) > 0 {
            let waiting = self.waiting.lock();
            self.keep_reply_bytes(self.bytes.load(Ordering::SeqCst));
            drop(waiting);
        }
    }

    /// Gives back to the budget what more was taken from it than waits at all. Which of the deliveries are replies is not looked at,
    /// so it may come later than the reply goes out; at the latest when nothing waits. To be called while `waiting` is locked.
    fn keep_reply_bytes(&self, waiting_bytes: usize) {
        let held = self.reply_bytes.load(Ordering::Relaxed);
        if let Some(spare) = held.checked_sub(waiting_bytes) {
            self.budget.give_back(spare);
            self.reply_bytes.store(held - spare, Ordering::Relaxed);
        }
    }

    /// The connection has ended: drops what waits, and whatever else comes.
    pub(crate) fn close(&self) {
        let mut waiting = self.waiting.lock();
        let dropped = std::mem::replace(&mut *waiting, Waiting { is_closed: true, ..Waiting::default() });
        self.bytes.store(0, Ordering::SeqCst);
        self.keep_reply_bytes(0);
        drop(waiting);
        drop(dropped);
    }

    /// Whether queues wait for room, and there is half of it again; the question is answered with yes once.
    pub(crate) fn relieves_starvation(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) < HIGH_WATER_BYTES / 2 && self.is_starved.swap(false, Ordering::SeqCst)
    }

    /// Who is to be resumed next, as long as there is room; whoever is left waits for the next relief.
    pub(super) fn next_starved(&self) -> Option<ConsumerId> {
        let mut starved = self.starved.lock();
        if self.room_bytes() > 0 {
            return starved.pop();
        }
        if !starved.is_empty() {
            self.is_starved.store(true, Ordering::SeqCst);
        }
        None
    }

    /// Forgets a consumer that is gone.
    pub(super) fn forget(&self, consumer: ConsumerId) {
        self.starved.lock().remove(consumer);
        self.watched.lock().remove(consumer);
    }

    /// Notes whether the socket takes what is written.
    pub(super) fn set_refused(&self, is_refused: bool) {
        // Only the connection's own task changes it.
        if self.is_refused.load(Ordering::Relaxed) != is_refused {
            self.is_refused.store(is_refused, Ordering::SeqCst);
        }
    }

    /// Notes whether publishers wait for a pause of the client.
    pub(super) fn set_patient(&self, is_patient: bool) {
        // Only the connection's own task changes it.
        if self.is_patient.load(Ordering::Relaxed) != is_patient {
            self.is_patient.store(is_patient, Ordering::SeqCst);
        }
    }

    /// Whether there is something to be written to a client that takes it.
    pub(super) fn has_work(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) > 0 && !self.is_refused.load(Ordering::SeqCst)
    }

    /// Whether queues are to be told when nobody is to be waited for any more.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::SeqCst)
    }

    /// Whose queues are to look again now, one after the other.
    pub(super) fn next_watched(&self) -> Option<ConsumerId> {
        if !self.is_watched() || self.has_work() || self.is_patient.load(Ordering::SeqCst) {
            return None;
        }
        let mut watched = self.watched.lock();
        let next = watched.pop();
        self.is_watched.store(!watched.is_empty(), Ordering::SeqCst);
        next
    }

    /// Wakes the connection's task.
    pub(crate) fn wake_up(&self) {
        self.wake.notify_one();
    }

    /// Wakes the connection's task, unless it was woken for deliveries and has not taken them: as long as the client does not read,
    /// there is no room for more. Nothing but deliveries may depend on that.
    fn wake_for_deliveries(&self) {
        if !self.is_woken_for_deliveries.swap(true, Ordering::SeqCst) {
            self.wake_up();
        }
    }

    /// Why somebody wants the connection closed, if somebody does. The notice stays where it is.
    pub(crate) fn close_reason(&self) -> Option<AmqpError> {
        close_reason(&self.waiting.lock().notices)
    }
}

impl Wake for Outbox {
    fn wake(&self) {
        self.wake_up();
    }
}

impl Sink for Outbox {
    fn room_bytes(&self) -> usize {
        HIGH_WATER_BYTES.saturating_sub(self.bytes.load(Ordering::SeqCst))
    }

    fn starve(&self, consumer: ConsumerId) {
        self.starved.lock().add(consumer);
        self.is_starved.store(true, Ordering::SeqCst);
    }

    /// The queue puts its consumer down and then looks, the connection does its work and then looks: one of them sees the other.
    fn watch(&self, consumer: ConsumerId) -> bool {
        let mut watched = self.watched.lock();
        watched.add(consumer);
        let was_watched = self.is_watched.swap(true, Ordering::SeqCst);
        drop(watched);
        if self.has_work() {
            return true;
        }
        let is_patient = self.is_patient.load(Ordering::SeqCst);
        if is_patient && !was_watched {
            // It sets a timer for the end of the pause only if somebody waits.
            self.wake_up();
        }
        is_patient
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let bytes = deliveries.iter().map(delivery_bytes).sum();
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            drop(waiting);
            return deliveries.clear();
        }
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        waiting.deliveries.append(deliveries);
        drop(waiting);
        self.wake_for_deliveries();
    }

    fn reply(&self, reply: Delivery) {
        let bytes = delivery_bytes(&reply);
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            return;
        }
        let held = self.reply_bytes.load(Ordering::Relaxed);
        if self.budget.take(held, bytes) {
            self.reply_bytes.store(held + bytes, Ordering::Relaxed);
            self.bytes.fetch_add(bytes, Ordering::SeqCst);
            waiting.deliveries.push(reply);
            drop(waiting);
            self.drops_replies.store(false, Ordering::Relaxed);
            self.wake_for_deliveries();
        } else if !self.drops_replies.swap(true, Ordering::Relaxed) {
            drop(waiting);
            tracing::warn!("direct replies are dropped: the requester does not read those that wait already");
        }
    }

    fn notify(&self, notice: Notice) {
        let mut waiting = self.waiting.lock();
        if !waiting.is_closed {
            waiting.notices.push(notice);
            drop(waiting);
            self.wake_up();
        }
    }
}
