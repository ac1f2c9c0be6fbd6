//! A message in a queue: the message, its place in the order, and what the queue remembers of it.

use crate::broker::sink::DeliveryCounts;
use crate::message::Message;

/// A message as it is handed to a queue.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// The message.
    pub message: Message,
    /// Its `expiration` property.
    pub expiration_ms: Option<u64>,
    /// Delivered as redelivered from the start: what a dead-lettered message brings along (behaviour reference 6.2).
    pub redelivered: bool,
    /// Deliveries by the quorum queue in which it died before.
    pub counts: DeliveryCounts,
}

impl NewMessage {
    /// A message that comes from a publisher.
    pub fn published(message: Message, expiration_ms: Option<u64>) -> Self {
        Self { message, expiration_ms, redelivered: false, counts: DeliveryCounts::default() }
    }
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) message: Message,
    /// Its place in the order of the queue: dense, ascending, never reused.
    pub(super) seq: u64,
    /// When it expires; `u64::MAX` for never.
    pub(super) expires_at_ms: u64,
    pub(super) counts: DeliveryCounts,
    pub(super) priority: u8,
    pub(super) redelivered: bool,
}

impl Entry {
    pub(super) fn body_bytes(&self) -> u64 {
        self.message.body_bytes() as u64
    }
}
