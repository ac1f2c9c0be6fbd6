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
        // Before the list is taken: what comes behind that wakes the task again.
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
        // Under the lock of the list: whoever is added behind this sets the flag itself.
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
        if self.is_patient.load(Ordering::SeqCst) {
            // It sets a timer for the end of the pause only if somebody waits.
            if !was_watched {
                self.wake_up();
            }
            return true;
        }
        // Or a connection that tells its queues would find what they put down meanwhile, and tell them again, for ever.
        let mut watched = self.watched.lock();
        watched.remove(consumer);
        self.is_watched.store(!watched.is_empty(), Ordering::SeqCst);
        false
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let bytes = deliveries.iter().map(delivery_bytes).sum();
        let mut waiting = self.waiting.lock();
        if waiting.is_closed {
            drop(waiting);
            return deliveries.clear();
        }
        // Under the lock, so that `close` does not set the count to zero in between.
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

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::message::{Facts, MemoryGauge, Message, address};

    const ONE: ConsumerId = ConsumerId(1);
    const TWO: ConsumerId = ConsumerId(2);

    fn delivery(body_bytes: usize) -> Delivery {
        let gauge = Arc::new(MemoryGauge::default());
        let message = Message::standalone(&gauge, Facts::default(), &address("", b"k"), &[0, 0], &vec![7; body_bytes]);
        Delivery { consumer: ONE, message, token: None, redelivered: false, counts: Default::default() }
    }

    /// So many bytes wait.
    fn filled(bytes: usize) -> Outbox {
        let outbox = Outbox::default();
        outbox.deliver(&mut vec![delivery(bytes - DELIVERY_OVERHEAD_BYTES)]);
        outbox
    }

    /// Whether the connection's task was woken since somebody asked.
    fn is_woken(outbox: &Outbox) -> bool {
        let filled = pin!(outbox.filled());
        filled.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn take(outbox: &Outbox) -> (usize, usize) {
        let (mut deliveries, mut notices) = (Vec::new(), Vec::new());
        outbox.take(&mut deliveries, &mut notices);
        (deliveries.len(), notices.len())
    }

    #[test]
    fn consumers_without_room_are_resumed_in_turn_while_there_is_room() {
        let outbox = filled(HIGH_WATER_BYTES);
        assert_eq!(outbox.room_bytes(), 0);
        outbox.starve(ONE);
        outbox.starve(TWO);
        outbox.encoded(HIGH_WATER_BYTES / 2);
        assert!(!outbox.relieves_starvation(), "half of the room is still taken");
        outbox.encoded(1);
        assert!(outbox.relieves_starvation() && !outbox.relieves_starvation(), "once");
        assert_eq!(outbox.next_starved(), Some(ONE));
        // The first one took all of it.
        outbox.deliver(&mut vec![delivery(HIGH_WATER_BYTES)]);
        assert_eq!(outbox.next_starved(), None);
        outbox.encoded(HIGH_WATER_BYTES + DELIVERY_OVERHEAD_BYTES);
        assert!(outbox.relieves_starvation(), "the other one is not forgotten");
        assert_eq!((outbox.next_starved(), outbox.next_starved()), (Some(TWO), None));
        outbox.encoded(HIGH_WATER_BYTES / 2 - 1);
        assert!(!outbox.relieves_starvation(), "nobody waits any more");
    }

    #[test]
    fn queues_are_told_one_by_one_once_there_is_no_work() {
        let outbox = filled(1_000);
        assert!(outbox.watch(ONE) && outbox.watch(TWO) && outbox.is_watched());
        assert_eq!(outbox.next_watched(), None, "there is work");
        outbox.set_refused(true);
        assert!(!outbox.has_work(), "the client takes nothing");
        assert_eq!(outbox.next_watched(), Some(ONE));
        assert!(outbox.is_watched(), "there is another one");
        outbox.set_refused(false);
        outbox.encoded(1_000);
        assert_eq!((outbox.next_watched(), outbox.is_watched()), (Some(TWO), false));
        assert!(!outbox.watch(ONE), "whoever asks now looks itself");
        assert_eq!((outbox.next_watched(), outbox.is_watched()), (None, false), "and is not told");
    }

    #[test]
    fn publishers_that_wait_for_a_pause_make_the_connection_set_its_timer_once() {
        let outbox = Outbox::default();
        outbox.set_patient(true);
        assert!(outbox.watch(ONE) && is_woken(&outbox));
        assert!(outbox.watch(TWO) && !is_woken(&outbox));
        assert_eq!(outbox.next_watched(), None, "the pause is not over");
        outbox.set_patient(false);
        assert_eq!((outbox.next_watched(), outbox.next_watched()), (Some(ONE), Some(TWO)));
    }

    #[test]
    fn nobody_is_told_of_a_consumer_that_is_gone() {
        let outbox = filled(HIGH_WATER_BYTES);
        for consumer in [ONE, TWO] {
            outbox.starve(consumer);
            outbox.watch(consumer);
        }
        outbox.forget(ONE);
        outbox.encoded(HIGH_WATER_BYTES);
        assert_eq!((outbox.next_starved(), outbox.next_starved()), (Some(TWO), None));
        assert_eq!((outbox.next_watched(), outbox.next_watched()), (Some(TWO), None));
    }

    /// Notices are few, and each must be seen.
    #[test]
    fn the_connection_is_woken_once_for_all_deliveries_and_for_each_notice() {
        let outbox = Outbox::default();
        assert!(!is_woken(&outbox));
        outbox.deliver(&mut vec![delivery(1)]);
        assert!(is_woken(&outbox));
        outbox.deliver(&mut vec![delivery(1)]);
        outbox.reply(delivery(1));
        assert!(!is_woken(&outbox), "it was woken already");
        for _ in 0..2 {
            outbox.notify(Notice::AlarmChanged);
            assert!(is_woken(&outbox));
        }
        assert_eq!(take(&outbox), (3, 2));
        outbox.reply(delivery(1));
        assert!(is_woken(&outbox), "it took what it was woken for");
    }

    #[test]
    fn nothing_is_kept_or_counted_for_a_connection_that_has_ended() {
        let budget = Arc::new(ReplyBudget::default());
        let outbox = Outbox::new(Arc::clone(&budget));
        outbox.reply(delivery(HIGH_WATER_BYTES));
        outbox.notify(Notice::AlarmChanged);
        outbox.close();
        let mut deliveries = vec![delivery(1), delivery(1)];
        outbox.deliver(&mut deliveries);
        outbox.reply(delivery(1));
        outbox.notify(Notice::AlarmChanged);
        assert_eq!((deliveries.len(), take(&outbox)), (0, (0, 0)));
        assert_eq!((outbox.room_bytes(), outbox.has_work()), (HIGH_WATER_BYTES, false));
        assert_eq!(outbox.reply_bytes.load(Ordering::Relaxed), 0, "the budget has it back");
    }

    /// Other deliveries wait beside them, and which of them were encoded is not known.
    #[test]
    fn the_budget_of_replies_has_back_what_waits_no_more() {
        let outbox = Outbox::default();
        let bytes = 100 + DELIVERY_OVERHEAD_BYTES;
        (0..3).for_each(|_| outbox.reply(delivery(100)));
        outbox.deliver(&mut vec![delivery(100)]);
        let held = || outbox.reply_bytes.load(Ordering::Relaxed);
        assert_eq!(held(), 3 * bytes);
        outbox.encoded(bytes);
        assert_eq!(held(), 3 * bytes, "three of them may be replies");
        outbox.encoded(bytes);
        assert_eq!(held(), 2 * bytes);
        outbox.encoded(2 * bytes);
        assert_eq!(held(), 0);
    }
}
