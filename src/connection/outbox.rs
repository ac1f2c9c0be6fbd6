//! What other tasks hand to a connection: deliveries and notices, bounded in bytes, with one wake-up for a batch.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::broker::queue::DELIVERY_OVERHEAD_BYTES;
use crate::broker::sink::{Delivery, Notice, Sink};
use crate::store::Wake;

/// Above so many bytes queues hand over no more: what bounds the memory of a consumer that does not read.
const HIGH_WATER_BYTES: usize = 1024 * 1024;

/// The receiving side of a connection.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    /// Bytes that were handed over and are not encoded yet.
    bytes: AtomicUsize,
    /// The connection's task was woken and did not look yet.
    is_armed: AtomicBool,
    is_starved: AtomicBool,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    deliveries: Vec<Delivery>,
    notices: Vec<Notice>,
}

/// What a delivery counts for.
pub fn delivery_bytes(delivery: &Delivery) -> usize {
    delivery.message.body_bytes() + DELIVERY_OVERHEAD_BYTES
}

impl Outbox {
    /// Waits until there is something to look at. Cancel safe.
    pub async fn filled(&self) {
        self.wake.notified().await;
    }

    /// Exchanges what waits for the two empty vectors.
    pub fn take(&self, deliveries: &mut Vec<Delivery>, notices: &mut Vec<Notice>) {
        self.is_armed.store(false, Ordering::SeqCst);
        let mut waiting = self.waiting.lock();
        std::mem::swap(&mut waiting.deliveries, deliveries);
        std::mem::swap(&mut waiting.notices, notices);
    }

    /// Makes room, because that many bytes were encoded.
    pub fn encoded(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// Whether queues wait for room, and there is half of it again; the question is answered with yes once.
    pub fn relieves_starvation(&self) -> bool {
        self.bytes.load(Ordering::SeqCst) < HIGH_WATER_BYTES / 2 && self.is_starved.swap(false, Ordering::SeqCst)
    }

    /// Wakes the connection's task.
    pub fn wake_up(&self) {
        if !self.is_armed.swap(true, Ordering::SeqCst) {
            self.wake.notify_one();
        }
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

    fn waiting_bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    fn starve(&self) {
        self.is_starved.store(true, Ordering::SeqCst);
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let bytes = deliveries.iter().map(delivery_bytes).sum();
        self.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.waiting.lock().deliveries.append(deliveries);
        self.wake_up();
    }

    fn notify(&self, notice: Notice) {
        self.waiting.lock().notices.push(notice);
        self.wake_up();
    }
}
