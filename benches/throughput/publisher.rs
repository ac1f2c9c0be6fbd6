//! Publishes from bytes that were encoded before the clock started.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::amqp::Connection;
use crate::amqp::wire::{self, FRAME_OVERHEAD, Publish};
use crate::confirms::Confirms;
use crate::error::{Error, Result};
use crate::latency::Stamps;
use crate::meter::now;

/// The most that one write carries.
pub(crate) const WRITE_BYTES: usize = 256 * 1024;

/// How far a publisher may run ahead of its slowest consumer, in messages and in bytes of bodies.
pub(crate) const AHEAD_MESSAGES_MAX: u64 = 100_000;
pub(crate) const AHEAD_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A sequence number in a body is this long.
pub(crate) const SEQUENCE_BYTES: usize = 8;

/// A paced publisher that has nothing due looks again after this long.
const PACE: Duration = Duration::from_micros(100);

/// Equal publishes, or several kinds in turn; at least as many as fit into one write.
#[derive(Debug)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    message_bytes: usize,
    body_offset: usize,
}

impl Batch {
    /// # Errors
    ///
    /// The publishes differ in length: then the place of a message could not be computed.
    pub(crate) fn new(publishes: &[Publish], body_bytes: usize, frame_max: usize) -> Result<Self> {
        let body = body(body_bytes);
        let mut bytes = Vec::new();
        for publish in publishes {
            wire::publish(publish, &body, frame_max, &mut bytes);
        }
        let message_bytes = bytes.len() / publishes.len().max(1);
        let first = publishes.first().map(|publish| {
            let mut first = Vec::new();
            wire::publish(publish, &body, frame_max, &mut first);
            first
        });
        let first = first.filter(|first| first.len() == message_bytes).ok_or_else(unequal)?;
        let bodies = body.chunks(frame_max - FRAME_OVERHEAD).map(|part| part.len() + FRAME_OVERHEAD).sum::<usize>();
        let body_offset = first.len() - bodies + FRAME_OVERHEAD - 1;
        let times = WRITE_BYTES.div_ceil(bytes.len());
        Ok(Self { bytes: bytes.repeat(times), message_bytes, body_offset })
    }

    /// How many messages it holds.
    fn count(&self) -> u64 {
        u64::try_from(self.bytes.len() / self.message_bytes).unwrap_or(u64::MAX)
    }

    /// How many messages one write takes.
    fn write_count(&self) -> u64 {
        u64::try_from(WRITE_BYTES / self.message_bytes).unwrap_or(u64::MAX).max(1)
    }

    /// The encoding of `count` messages from the `position`th of all on, or of fewer where it ends before.
    pub(crate) fn part(&mut self, position: u64, count: u64) -> &mut [u8] {
        let from = usize::try_from(position % self.count()).unwrap_or(0) * self.message_bytes;
        let bytes = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(self.message_bytes);
        let to = from.saturating_add(bytes).min(self.bytes.len());
        self.bytes.get_mut(from..to).unwrap_or_default()
    }
}

/// Writes sequence numbers into the bodies of encoded messages.
fn number(messages: &mut [u8], message_bytes: usize, body_offset: usize, sequences: impl Iterator<Item = u64>) {
    for (sequence, message) in sequences.zip(messages.chunks_mut(message_bytes)) {
        if let Some(place) = message.get_mut(body_offset..body_offset + SEQUENCE_BYTES) {
            place.copy_from_slice(&sequence.to_be_bytes());
        }
    }
}

/// A body in which each byte tells its place, so that a damaged one is noticed.
pub(crate) fn body(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

/// The numbers that a publisher writes into its bodies: `first`, `first + step`, ...
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequences {
    pub(crate) first: u64,
    pub(crate) step: u64,
}

/// What one publisher does.
#[derive(Debug)]
pub(crate) struct Publishing<'a> {
    pub(crate) messages: u64,
    /// `None` leaves the bodies as they are.
    pub(crate) sequences: Option<Sequences>,
    /// How many messages may wait for their confirm; `None` publishes without confirms.
    pub(crate) confirm_window: Option<u64>,
    /// How far to run ahead of the slowest consumer.
    pub(crate) ahead_max: u64,
    /// What the consumers of this publisher's messages have received; none at all means no need to wait for them.
    pub(crate) received: &'a [AtomicU64],
    /// Messages per second, when not as many as possible.
    pub(crate) pace: Option<f64>,
    pub(crate) stamps: Option<&'a Stamps>,
}

impl Publishing<'_> {
    /// Publishes all messages and waits for their confirms, if any; returns how long those took, in nanoseconds.
    pub(crate) fn run(&self, connection: &mut Connection, batch: &mut Batch) -> Result<Vec<u64>> {
        let mut confirms = Confirms::new(self.stamps.filter(|_| self.confirm_window.is_some()));
        let (message_bytes, body_offset) = (batch.message_bytes, batch.body_offset);
        let begin = now();
        let mut sent = 0;
        while sent < self.messages {
            let mut count = batch.write_count().min(self.messages - sent).min(self.wait_for_consumers(sent));
            if let Some(pace) = self.pace {
                count = count.min(wait_until_due(pace, begin, sent));
            }
            if let Some(window) = self.confirm_window {
                count = count.min(confirms.wait_for_room(connection, sent, window)?);
            }
            let part = batch.part(sent, count);
            let count = u64::try_from(part.len() / message_bytes).unwrap_or(u64::MAX);
            if let Some(Sequences { first, step }) = self.sequences {
                number(part, message_bytes, body_offset, (sent..).map(|index| first + index * step));
            }
            if let Some(stamps) = self.stamps {
                stamps.sent(sent, count);
            }
            connection.write(part)?;
            sent += count;
        }
        if self.confirm_window.is_some() {
            confirms.wait_for_room(connection, sent, 1)?;
        }
        Ok(confirms.into_times())
    }

    /// How many more messages may be published; waits when that is none, until half of the limit is free again, so that
    /// what follows is a full write.
    fn wait_for_consumers(&self, sent: u64) -> u64 {
        let limit = self.ahead_max;
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

/// How many messages should have been sent by now and are not; waits until there is one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of messages, far below 2^53")]
fn wait_until_due(pace: f64, begin: std::time::Instant, sent: u64) -> u64 {
    loop {
        let due = (begin.elapsed().as_secs_f64() * pace) as u64 + 1;
        if due > sent {
            return due - sent;
        }
        thread::sleep(PACE);
    }
}

/// The bound on the backlog for bodies of this size, of which each publish makes `copies`.
pub(crate) fn ahead_max(body_bytes: usize, copies: u64) -> u64 {
    let body_bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX).max(1);
    ((AHEAD_BYTES_MAX / body_bytes).min(AHEAD_MESSAGES_MAX) / copies.max(1)).max(16)
}

fn unequal() -> Error {
    Error::unexpected("publishes of different lengths in one batch")
}
