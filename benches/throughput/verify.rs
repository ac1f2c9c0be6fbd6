//! Reads every delivery in full: nothing lost, duplicated, reordered, redelivered or damaged.

use crate::amqp::Frame;
use crate::amqp::wire;
use crate::error::{Error, Result};
use crate::publisher::{SEQUENCE_BYTES, body};

/// What one consumer must see: messages numbered without a gap, in `lanes` that overtake each other but keep their own order.
/// A queue and a priority are lanes, and so is a publisher among several to the same queue.
#[derive(Debug)]
pub(crate) struct Checker {
    first_sequence: u64,
    /// Of each lane, how many of its messages have come. Message n belongs to lane n modulo their number.
    lanes: Vec<u64>,
    expected_body: Vec<u8>,
    /// Complete deliveries so far.
    deliveries: u64,
    part: Part,
}

/// The part of a delivery that comes next.
#[derive(Debug)]
enum Part {
    Method,
    Header,
    Body(Vec<u8>),
}

impl Checker {
    pub(crate) fn new(first_sequence: u64, lanes: u64, body_bytes: usize) -> Self {
        let lanes = vec![0; usize::try_from(lanes).unwrap_or(usize::MAX)];
        Self { first_sequence, lanes, expected_body: body(body_bytes), deliveries: 0, part: Part::Method }
    }

    /// Checks the next frame.
    pub(crate) fn take(&mut self, frame: &Frame<'_>) -> Result<()> {
        if frame.kind == wire::HEARTBEAT {
            return Ok(());
        }
        match (&mut self.part, frame.kind) {
            (Part::Method, wire::METHOD) => {
                self.check_deliver(frame)?;
                self.part = Part::Header;
            }
            (Part::Header, wire::HEADER) => {
                self.check_header(frame)?;
                self.part = Part::Body(Vec::new());
            }
            (Part::Body(arrived), wire::BODY) => {
                arrived.extend(frame.payload);
                if arrived.len() >= self.expected_body.len() {
                    let arrived = std::mem::take(arrived);
                    self.check_body(&arrived)?;
                    self.deliveries += 1;
                    self.part = Part::Method;
                }
            }
            (part, kind) => {
                return Err(Error::verification(format!("a frame of type {kind} where {part:?} was due")));
            }
        }
        Ok(())
    }

    fn check_deliver(&self, frame: &Frame<'_>) -> Result<()> {
        let mut arguments = frame.arguments();
        arguments.short_string()?;
        let (delivery_tag, redelivered) = (arguments.long_long()?, arguments.octet()?);
        if delivery_tag != self.deliveries + 1 {
            let due = self.deliveries + 1;
            return Err(Error::verification(format!("delivery tag {delivery_tag} came where {due} was due")));
        }
        if redelivered != 0 {
            return Err(Error::verification(format!("delivery {delivery_tag} is marked as redelivered")));
        }
        Ok(())
    }

    fn check_header(&self, frame: &Frame<'_>) -> Result<()> {
        let mut header = frame.arguments();
        let body_bytes = header.long_long()?;
        if usize::try_from(body_bytes) == Ok(self.expected_body.len()) {
            return Ok(());
        }
        Err(Error::verification(format!("a header announces {body_bytes} bytes, not {}", self.expected_body.len())))
    }

    fn check_body(&mut self, arrived: &[u8]) -> Result<()> {
        let Some((sequence, filling)) = arrived.split_first_chunk() else {
            return Err(Error::verification(format!("a body must have {SEQUENCE_BYTES} bytes to be verified")));
        };
        if Some(filling) != self.expected_body.get(SEQUENCE_BYTES..) {
            return Err(Error::verification(format!("the body of delivery {} is damaged", self.deliveries + 1)));
        }
        let (sequence, lanes) = (u64::from_be_bytes(*sequence), u64::try_from(self.lanes.len()).unwrap_or(1));
        let number = sequence.wrapping_sub(self.first_sequence);
        let lane = usize::try_from(number % lanes).unwrap_or(0);
        let Some(come) = self.lanes.get_mut(lane) else { return Ok(()) };
        let due = self.first_sequence + *come * lanes + number % lanes;
        if sequence == due {
            *come += 1;
            return Ok(());
        }
        let why = if sequence > due { "lost or reordered" } else { "duplicated or reordered" };
        Err(Error::verification(format!("message {sequence:#x} came where {due:#x} was due: {why}")))
    }
}
