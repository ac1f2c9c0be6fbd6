//! A message of the naive queue, and where it is.

use std::cmp::Reverse;

use crate::broker::sink::Token;
use crate::message::DeliveryCounts;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Ready,
    /// Ready in front of the others: a quorum queue's returned messages, in the order of return.
    Returned(u64),
    HeldBack {
        until_ms: u64,
    },
    Unacked(Unacked),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unacked {
    pub(super) token: Token,
    pub(super) channel: u64,
    /// Who answers for it, if not its channel.
    pub(super) consumer: Option<u64>,
    /// It went to a consumer, whatever became of that.
    pub(super) is_consumed: bool,
    /// When it is late; `u64::MAX` for never.
    pub(super) deadline_ms: u64,
    /// Its place in the order of deliveries.
    pub(super) delivery: u64,
}

#[derive(Clone, Debug)]
pub(super) struct ModelMessage {
    pub(super) id: u32,
    pub(super) seq: u64,
    pub(super) level: u8,
    pub(super) body_bytes: u64,
    pub(super) counted_bytes: u64,
    pub(super) expires_at_ms: u64,
    pub(super) redelivered: bool,
    pub(super) counts: DeliveryCounts,
    pub(super) place: Place,
}

impl ModelMessage {
    pub(super) fn unacked(&self) -> Option<Unacked> {
        if let Place::Unacked(unacked) = self.place { Some(unacked) } else { None }
    }

    pub(super) fn held_until_ms(&self) -> Option<u64> {
        if let Place::HeldBack { until_ms } = self.place { Some(until_ms) } else { None }
    }

    /// The lane in which it is ready. Each lane has a head of its own, which is the only one that can expire.
    pub(super) fn lane(&self) -> Option<(u8, Reverse<u8>)> {
        match self.place {
            Place::Returned(_) => Some((0, Reverse(0))),
            Place::Ready => Some((1, Reverse(self.level))),
            Place::HeldBack { .. } | Place::Unacked(_) => None,
        }
    }

    /// Its place in its lane.
    pub(super) fn rank(&self) -> u64 {
        if let Place::Returned(at) = self.place { at } else { self.seq }
    }
}
