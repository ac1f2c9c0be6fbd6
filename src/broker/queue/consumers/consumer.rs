//! A consumer as its queue sees it: what it asked for, and whether it may have one more message.

use std::sync::Arc;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::credit::ChannelCredit;
use crate::broker::queue::unacked::HolderId;
use crate::broker::sink::{Delivery, Sink};
use crate::table::EncodedTable;

/// What a client asked for with `basic.consume`.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Unique among all consumers of the broker, and never used again.
    pub id: ConsumerId,
    /// The channel that it was started on.
    pub channel: ChannelId,
    /// Its name on that channel.
    pub consumer_tag: Arc<str>,
    /// Where its deliveries go.
    pub sink: Arc<dyn Sink>,
    /// Deliveries need no acknowledgement.
    pub no_ack: bool,
    /// No other consumer is to be allowed.
    pub exclusive: bool,
    /// `x-priority`; higher ones are served first.
    pub priority: i64,
    /// How many unacknowledged messages it may have; 0 for no limit.
    pub prefetch_count: u16,
    /// The prefetch that its channel's consumers share.
    pub channel_credit: Arc<ChannelCredit>,
    /// `x-consumer-timeout`, of quorum queues.
    pub timeout_ms: Option<u64>,
    /// The arguments as the client gave them.
    pub raw_arguments: EncodedTable,
}

/// Who a delivery is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::queue) struct Taker {
    /// `None` for `basic.get`.
    pub(in crate::broker::queue) consumer: Option<ConsumerId>,
    pub(in crate::broker::queue) channel: ChannelId,
    /// Where it is until it is settled; `None` for what the channel takes with `basic.get`.
    pub(in crate::broker::queue) holder: Option<HolderId>,
    pub(in crate::broker::queue) no_ack: bool,
    /// The consumer's own `x-consumer-timeout`.
    pub(in crate::broker::queue) timeout_ms: Option<u64>,
}

/// What a consumer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Waiting,
    Full,
    Stalled,
}

/// A consumer asks for so much room at a time: others of its connection are told the same before it has used it.
const ROOM_BYTES_AT_ONCE: usize = 64 * 1024;

/// A thousand consumers keep room for so many deliveries each.
const KEPT_DELIVERIES: usize = 256;

/// What a delivery costs beside its body, as the outbox counts it.
pub(crate) const DELIVERY_OVERHEAD_BYTES: usize = 96;

/// A consumer as its queue sees it.
#[derive(Debug)]
pub(in crate::broker::queue) struct Consumer {
    pub(in crate::broker::queue) spec: ConsumerSpec,
    pub(in crate::broker::queue) unacked: u32,
    /// Where what it has not acknowledged is; `None` if it need not.
    pub(in crate::broker::queue) holder: Option<HolderId>,
    /// Its place in the order of registration.
    pub(super) number: u64,
    pub(super) turn: Turn,
    /// Bytes that its connection still takes in this pump.
    pub(super) room_bytes: usize,
    /// Deliveries of this pump, handed over together.
    pub(super) outgoing: Vec<Delivery>,
}

impl Consumer {
    /// Takes credit and room for a message of this size, or says what is missing.
    pub(super) fn admit(&mut self, body_bytes: usize) -> Turn {
        // Its own limit first: it costs nothing to ask.
        if !self.spec.no_ack {
            let limit = u32::from(self.spec.prefetch_count);
            if limit > 0 && self.unacked >= limit {
                return Turn::Full;
            }
        }
        if self.room_bytes == 0 {
            // What it was handed in this pump takes room only once its connection has it.
            self.hand_over();
            self.room_bytes = self.ask_for_room();
            if self.room_bytes == 0 {
                // Asked again after the request, so that a drain in between is not missed.
                self.spec.sink.starve(self.spec.id);
                self.room_bytes = self.ask_for_room();
            }
            if self.room_bytes == 0 {
                return Turn::Stalled;
            }
        }
        // Last, because it is taken from what all consumers of the channel share. If anything could still
        // refuse after it, it would have to be given back.
        if !self.spec.no_ack && !self.spec.channel_credit.take(self.spec.id) {
            return Turn::Full;
        }
        self.room_bytes = self.room_bytes.saturating_sub(body_bytes + DELIVERY_OVERHEAD_BYTES);
        Turn::Waiting
    }

    /// What its queue must know to deliver to it. Those that are given something in this pump are noted.
    pub(super) fn chosen(&self, touched: &mut Vec<ConsumerId>) -> Taker {
        let ConsumerSpec { id, channel, no_ack, timeout_ms, .. } = self.spec;
        // Its first delivery of this pump.
        if self.outgoing.is_empty() {
            touched.push(id);
        }
        // What need not be acknowledged is never late.
        let timeout_ms = timeout_ms.filter(|_| !no_ack);
        Taker { consumer: Some(id), channel, holder: self.holder, no_ack, timeout_ms }
    }

    fn ask_for_room(&self) -> usize {
        self.spec.sink.room_bytes().min(ROOM_BYTES_AT_ONCE)
    }

    pub(super) fn hand(&mut self, delivery: Delivery) {
        if delivery.token.is_some() {
            self.unacked += 1;
        }
        self.outgoing.push(delivery);
    }

    pub(super) fn hand_over(&mut self) {
        if !self.outgoing.is_empty() {
            self.spec.sink.deliver(&mut self.outgoing);
        }
        // It is empty now, in any case: the outbox has taken all.
        if self.outgoing.capacity() > KEPT_DELIVERIES {
            self.outgoing = Vec::new();
        }
    }
}
