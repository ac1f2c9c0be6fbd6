//! What the queue is used by: messages, consumers, and the connections of these.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::CHANNEL;
use crate::broker::ids::ConsumerId;
use crate::broker::queue::{DELIVERY_OVERHEAD_BYTES, NewMessage};
use crate::broker::sink::{Delivery, Notice, Sink, Token};
use crate::message::{Facts, MemoryGauge, Message, address};

/// A message that is to be published; its routing key is its number.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::queue::tests) struct Fresh {
    pub(in crate::broker::queue::tests) id: u32,
    pub(in crate::broker::queue::tests) body_bytes: usize,
    pub(in crate::broker::queue::tests) priority: Option<u8>,
    pub(in crate::broker::queue::tests) expiration_ms: Option<u64>,
    /// Deliveries that failed in other queues before.
    pub(in crate::broker::queue::tests) failed: u32,
}

pub(in crate::broker::queue::tests) fn fresh(id: u32) -> Fresh {
    Fresh { id, body_bytes: 0, priority: None, expiration_ms: None, failed: 0 }
}

impl Fresh {
    pub(in crate::broker::queue::tests) fn sized(self, body_bytes: usize) -> Self {
        Self { body_bytes, ..self }
    }

    pub(in crate::broker::queue::tests) fn priority(self, priority: u8) -> Self {
        Self { priority: Some(priority), ..self }
    }

    pub(super) fn message(self) -> NewMessage {
        let facts = Facts { priority: self.priority, ..Facts::default() };
        let address = address("", &self.id.to_be_bytes());
        let body = vec![0; self.body_bytes];
        let message = Message::standalone(&Arc::new(MemoryGauge::default()), facts, &address, &[0, 0], &body);
        NewMessage { message, expiration_ms: self.expiration_ms, failed: self.failed }
    }
}

/// The number of a published message.
pub(in crate::broker::queue::tests) fn id_of(message: &Message) -> u32 {
    u32::from_be_bytes(message.routing_key().try_into().expect("the routing key is the number"))
}

pub(in crate::broker::queue::tests) fn ids(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(|delivery| id_of(&delivery.message)).collect()
}

/// A consumer that is to be added.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::queue::tests) struct NewConsumer {
    pub(in crate::broker::queue::tests) id: u64,
    pub(in crate::broker::queue::tests) channel: u64,
    pub(in crate::broker::queue::tests) no_ack: bool,
    pub(in crate::broker::queue::tests) exclusive: bool,
    pub(in crate::broker::queue::tests) priority: i64,
    pub(in crate::broker::queue::tests) prefetch_count: u16,
    pub(in crate::broker::queue::tests) timeout_ms: Option<u64>,
    pub(in crate::broker::queue::tests) room_bytes: usize,
}

pub(in crate::broker::queue::tests) fn consumer(id: u64) -> NewConsumer {
    NewConsumer {
        id,
        channel: CHANNEL,
        no_ack: false,
        exclusive: false,
        priority: 0,
        prefetch_count: 0,
        timeout_ms: None,
        room_bytes: usize::MAX,
    }
}

impl NewConsumer {
    pub(in crate::broker::queue::tests) fn prefetch(self, prefetch_count: u16) -> Self {
        Self { prefetch_count, ..self }
    }

    pub(in crate::broker::queue::tests) fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    pub(in crate::broker::queue::tests) fn timeout_ms(self, timeout_ms: u64) -> Self {
        Self { timeout_ms: Some(timeout_ms), ..self }
    }

    pub(in crate::broker::queue::tests) fn room(self, room_bytes: usize) -> Self {
        Self { room_bytes, ..self }
    }
}

/// The connection of one consumer: keeps what it is handed, and has room for so many bytes.
#[derive(Debug, Default)]
pub(in crate::broker::queue::tests) struct FakeSink {
    deliveries: Mutex<Vec<Delivery>>,
    tokens: Mutex<Vec<Token>>,
    room_bytes: AtomicUsize,
    is_starved: AtomicBool,
    pub(in crate::broker::queue::tests) notices: Mutex<Vec<Notice>>,
}

impl FakeSink {
    /// What arrived since the last look.
    pub(in crate::broker::queue::tests) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.deliveries.lock().unwrap())
    }

    /// As [`FakeSink::take`]; the tokens are kept for [`FakeSink::tokens`].
    pub(in crate::broker::queue::tests) fn take_keeping_tokens(&self) -> Vec<Delivery> {
        let taken = self.take();
        self.tokens.lock().unwrap().extend(taken.iter().filter_map(|delivery| delivery.token));
        taken
    }

    pub(in crate::broker::queue::tests) fn tokens(&self) -> Vec<Token> {
        std::mem::take(&mut *self.tokens.lock().unwrap())
    }

    /// Makes room; whoever starved is to be resumed now.
    pub(in crate::broker::queue::tests) fn give_room(&self, bytes: usize) {
        self.room_bytes.store(bytes, Ordering::Relaxed);
        self.is_starved.store(false, Ordering::Relaxed);
    }

    pub(in crate::broker::queue::tests) fn is_starved(&self) -> bool {
        self.is_starved.load(Ordering::Relaxed)
    }
}

impl Sink for FakeSink {
    fn room_bytes(&self) -> usize {
        self.room_bytes.load(Ordering::Relaxed)
    }

    fn starve(&self, _: ConsumerId) {
        self.is_starved.store(true, Ordering::Relaxed);
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let bytes: usize =
            deliveries.iter().map(|delivery| delivery.message.body_bytes() + DELIVERY_OVERHEAD_BYTES).sum();
        let room_bytes = self.room_bytes();
        if room_bytes != usize::MAX {
            self.room_bytes.store(room_bytes.saturating_sub(bytes), Ordering::Relaxed);
        }
        self.deliveries.lock().unwrap().append(deliveries);
    }

    fn reply(&self, _: Delivery) {}

    fn notify(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}
