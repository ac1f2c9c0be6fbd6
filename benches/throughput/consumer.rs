//! Counts deliveries by the lengths of their frames, and acknowledges them without reading their tags: the first delivery
//! on a channel has tag 1, and each that follows one more.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::amqp::wire;
use crate::amqp::{CHANNEL, Connection};
use crate::error::{Error, Result};
use crate::latency::Stamps;
use crate::verify::Checker;

/// The most that one read takes.
const READ_BYTES: usize = 256 * 1024;

/// How deliveries are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acks {
    /// Not at all: the consumer asked for `no_ack`.
    None,
    /// With one `multiple` ack after so many deliveries.
    Every(u64),
    /// Each by itself; the acks for what one read brought share a write.
    Each,
}

/// What one consumer does, after `basic.consume`.
#[derive(Debug)]
pub(crate) struct Consuming<'a> {
    pub(crate) messages: u64,
    pub(crate) body_bytes: usize,
    pub(crate) acks: Acks,
    pub(crate) prefetch_count: u16,
    /// Where the publisher sees how far we are.
    pub(crate) received: &'a AtomicU64,
    pub(crate) checker: Option<Checker>,
    pub(crate) stamps: Option<&'a Stamps>,
}

impl Consuming<'_> {
    /// Receives and acknowledges all messages, and waits until the broker has handled the last ack; returns how long after
    /// their publish the deliveries came, in nanoseconds.
    pub(crate) fn run(mut self, connection: &mut Connection) -> Result<Vec<u64>> {
        let received = self.received;
        let result = self.receive(connection).and_then(|times| connection.qos(self.prefetch_count).map(|()| times));
        // A publisher must not wait for a consumer that has given up.
        received.store(u64::MAX, Ordering::Relaxed);
        result
    }

    fn receive(&mut self, connection: &mut Connection) -> Result<Vec<u64>> {
        connection.reserve(READ_BYTES);
        let bytes_of_one = u64::try_from(self.body_bytes).unwrap_or(u64::MAX).max(1);
        let (mut body_bytes, mut received, mut acked) = (0, 0, 0);
        let (mut acks, mut times) = (Vec::new(), Vec::new());
        while received < self.messages {
            body_bytes += self.read(connection)?;
            let before = received;
            received = body_bytes / bytes_of_one;
            if let Some(stamps) = self.stamps {
                stamps.arrived(before, received, &mut times);
            }
            self.received.store(received, Ordering::Relaxed);
            acked = self.encode_acks(acked, received, &mut acks);
            if !acks.is_empty() {
                connection.write(&acks)?;
                acks.clear();
            }
        }
        if received > self.messages {
            return Err(Error::verification(format!("{received} deliveries of {} messages", self.messages)));
        }
        Ok(times)
    }

    /// The bytes of bodies in all frames that have arrived.
    fn read(&mut self, connection: &mut Connection) -> Result<u64> {
        let mut body_bytes = 0;
        connection.read(|frame| {
            match frame.kind {
                wire::BODY => body_bytes += frame.payload.len(),
                wire::HEADER | wire::HEARTBEAT => {}
                _ if frame.method_id() == wire::BASIC_DELIVER => {}
                _ => return Err(frame.unexpected()),
            }
            match &mut self.checker {
                Some(checker) => checker.take(frame),
                None => Ok(()),
            }
        })?;
        Ok(u64::try_from(body_bytes).unwrap_or(u64::MAX))
    }

    /// Appends the acks that are due; returns the last tag they cover.
    fn encode_acks(&self, acked: u64, received: u64, out: &mut Vec<u8>) -> u64 {
        match self.acks {
            Acks::None => received,
            Acks::Each => {
                (acked + 1..=received).for_each(|tag| wire::ack(CHANNEL, tag, false, out));
                received
            }
            Acks::Every(count) => {
                let mut acked = acked;
                while acked + count <= received || (acked < received && received == self.messages) {
                    acked = (acked + count).min(received);
                    wire::ack(CHANNEL, acked, true, out);
                }
                acked
            }
        }
    }
}
