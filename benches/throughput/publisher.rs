//! Publishes from bytes that were encoded before the clock started.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::amqp::wire::{self, FRAME_OVERHEAD, Method};
use crate::amqp::{CHANNEL, Connection, Frame};
use crate::error::{Error, Result};

/// The most that one write carries.
pub(crate) const WRITE_BYTES: usize = 256 * 1024;

/// How far a publisher may run ahead of its slowest consumer, in messages and in bytes of bodies.
pub(crate) const AHEAD_MESSAGES_MAX: u64 = 100_000;
pub(crate) const AHEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A sequence number in a body is this long.
pub(crate) const SEQUENCE_BYTES: usize = 8;

/// As many equal publishes as fit into one write.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    message_bytes: usize,
    body_offset: usize,
}

impl Batch {
    pub(crate) fn new(exchange: &str, routing_key: &str, body_bytes: usize, frame_max: usize) -> Self {
        let mut message = Vec::new();
        Method::new(CHANNEL, wire::BASIC_PUBLISH)
            .short(0)
            .short_string(exchange)
            .short_string(routing_key)
            .octet(0)
            .encode(&mut message);
        wire::content_header(CHANNEL, u64::try_from(body_bytes).unwrap_or(u64::MAX), &mut message);
        let body_offset = message.len() + FRAME_OVERHEAD - 1;
        for part in body(body_bytes).chunks(frame_max - FRAME_OVERHEAD) {
            wire::frame(wire::BODY, CHANNEL, part, &mut message);
        }
        let count = (WRITE_BYTES / message.len()).max(1);
        Self { bytes: message.repeat(count), message_bytes: message.len(), body_offset }
    }

    fn count(&self) -> u64 {
        u64::try_from(self.bytes.len() / self.message_bytes).unwrap_or(u64::MAX)
    }

    /// The encoding of the first `count` messages.
    pub(crate) fn first(&self, count: u64) -> &[u8] {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.bytes.get(..count.saturating_mul(self.message_bytes)).unwrap_or(&self.bytes)
    }

    /// Writes consecutive sequence numbers into the bodies.
    fn number(&mut self, first: u64) {
        for (sequence, message) in (first..).zip(self.bytes.chunks_mut(self.message_bytes)) {
            if let Some(place) = message.get_mut(self.body_offset..self.body_offset + SEQUENCE_BYTES) {
                place.copy_from_slice(&sequence.to_be_bytes());
            }
        }
    }
}

/// A body in which each byte tells its place, so that a damaged one is noticed.
pub(crate) fn body(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

/// What one publisher does.
#[derive(Debug)]
pub(crate) struct Publishing<'a> {
    pub(crate) messages: u64,
    pub(crate) body_bytes: usize,
    /// The first sequence number to write into the bodies; `None` leaves them as they are.
    pub(crate) first_sequence: Option<u64>,
    /// How many messages may wait for their confirm; `None` publishes without confirms.
    pub(crate) confirm_window: Option<u64>,
    /// What the consumers of this publisher's messages have received; none at all means no need to wait for them.
    pub(crate) received: &'a [AtomicU64],
}

impl Publishing<'_> {
    /// Publishes all messages and waits for their confirms, if any.
    pub(crate) fn run(&self, connection: &mut Connection, batch: &mut Batch) -> Result<()> {
        let mut confirms = Confirms::default();
        let mut sent = 0;
        while sent < self.messages {
            let count = batch.count().min(self.messages - sent).min(self.wait_for_consumers(sent));
            let count = match self.confirm_window {
                Some(window) => count.min(confirms.wait_for_room(connection, sent, window)?),
                None => count,
            };
            if let Some(first) = self.first_sequence {
                batch.number(first + sent);
            }
            connection.write(batch.first(count))?;
            sent += count;
        }
        if self.confirm_window.is_some() {
            confirms.wait_for_room(connection, sent, 1)?;
        }
        Ok(())
    }

    /// How many more messages may be published; waits when that is none, until half of the limit is free again, so that
    /// what follows is a full write.
    fn wait_for_consumers(&self, sent: u64) -> u64 {
        let limit = ahead_max(self.body_bytes);
        let ahead = || {
            let slowest = self.received.iter().map(|count| count.load(Ordering::Relaxed)).min();
            sent.saturating_sub(slowest.unwrap_or(sent))
        };
        if ahead() >= limit {
            while ahead() > limit / 2 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        limit.saturating_sub(ahead()).max(1)
    }
}

/// The bound on the backlog for bodies of this size.
pub(crate) fn ahead_max(body_bytes: usize) -> u64 {
    let body_bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX).max(1);
    (AHEAD_BYTES_MAX / body_bytes).clamp(1, AHEAD_MESSAGES_MAX)
}

/// Which publishes the broker has confirmed.
#[derive(Debug, Default)]
struct Confirms {
    /// All up to here are confirmed.
    through: u64,
    /// Confirmed one by one, ahead of `through`.
    early: BTreeSet<u64>,
}

impl Confirms {
    /// Reads confirms until fewer than `window` publishes wait for theirs; returns how many more fit.
    fn wait_for_room(&mut self, connection: &mut Connection, sent: u64, window: u64) -> Result<u64> {
        loop {
            let waiting = sent - self.through - u64::try_from(self.early.len()).unwrap_or(u64::MAX);
            if waiting < window {
                return Ok(window - waiting);
            }
            connection.read(|frame| self.take(frame, sent))?;
        }
    }

    fn take(&mut self, frame: &Frame<'_>, sent: u64) -> Result<()> {
        if frame.kind == wire::METHOD && frame.method_id() == wire::BASIC_NACK {
            return Err(Error::unexpected("the broker answered a publish with basic.nack"));
        }
        if frame.kind != wire::METHOD || frame.method_id() != wire::BASIC_ACK {
            return Err(frame.unexpected());
        }
        let mut arguments = frame.arguments();
        let (delivery_tag, multiple) = (arguments.long_long()?, arguments.octet()? & 1 == 1);
        if delivery_tag <= self.through || delivery_tag > sent {
            return Err(Error::verification(format!("{delivery_tag} was confirmed twice, or before it was published")));
        }
        if multiple {
            self.through = delivery_tag;
            self.early = self.early.split_off(&(delivery_tag + 1));
        } else if !self.early.insert(delivery_tag) {
            return Err(Error::verification(format!("{delivery_tag} was confirmed twice")));
        }
        while self.early.remove(&(self.through + 1)) {
            self.through += 1;
        }
        Ok(())
    }
}
