//! Whole publishes and settlements, read in place.

use std::borrow::Cow;

use crate::properties;
use crate::protocol::content::BASIC_CLASS;
use crate::protocol::frame::{BODY, FRAME_END, FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, HEADER, METHOD};
use crate::protocol::method::{self, short_string};

const PUBLISH: [u8; 4] = method::BASIC_PUBLISH.to_bytes();
const ACK: [u8; 4] = method::BASIC_ACK.to_bytes();
const REJECT: [u8; 4] = method::BASIC_REJECT.to_bytes();
const NACK: [u8; 4] = method::BASIC_NACK.to_bytes();
/// Octets of class, method, delivery tag and flags: `basic.ack`, `basic.reject` and `basic.nack` are all alike.
const SETTLEMENT_BYTES: usize = 13;
/// Octets of class, weight and body size in a content header.
const CONTENT_FIXED_BYTES: usize = 12;

/// One `basic.publish` with its whole content, as it stands in the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastPublish<'a> {
    /// The channel; never 0.
    pub channel: u16,
    /// The exchange and the routing key as two short strings, which is also how `basic.deliver` carries them.
    pub(crate) address: &'a [u8],
    /// The exchange; empty for the default exchange.
    pub exchange: &'a str,
    /// The routing key; need not be UTF-8.
    pub routing_key: &'a [u8],
    /// Return the message if it cannot be routed.
    pub mandatory: bool,
    /// Return the message if it cannot be delivered at once; not implemented, by RabbitMQ either.
    pub immediate: bool,
    /// The property flags and values, in the form in which they are sent on; borrowed when that is how they came.
    pub properties: Cow<'a, [u8]>,
    /// The size of the body.
    pub(crate) body_bytes: u32,
    /// The body, in one piece for each body frame that is not empty.
    pub body: BodyPieces<'a>,
    /// Octets that the publish takes in the buffer.
    pub consumed: usize,
}

/// The pieces of a body, one for each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPieces<'a> {
    /// Whole and regular body frames.
    frames: &'a [u8],
}

/// One `basic.ack`, `basic.nack` or `basic.reject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FastSettlement {
    /// The channel; never 0.
    pub channel: u16,
    /// The delivery, or the last one of many.
    pub delivery_tag: u64,
    /// Which method it is.
    pub kind: SettlementKind,
    /// Octets that the method takes in the buffer.
    pub consumed: usize,
}

/// How deliveries are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub enum SettlementKind {
    /// `basic.ack`
    Ack { multiple: bool },
    /// `basic.nack`
    Nack { multiple: bool, requeue: bool },
    /// `basic.reject`
    Reject { requeue: bool },
}

/// The `basic.publish` at the start of `buffer`, if all its frames are there, one behind the other, and none is larger than
/// `frame_max` nor the body larger than `max_message_size`. The channel must be open, and a method due on it.
#[inline]
pub fn next_publish(buffer: &[u8], frame_max: u32, max_message_size: u64) -> Option<FastPublish<'_>> {
    let (channel, method, rest) = next_frame(buffer, METHOD, frame_max)?;
    let (address, exchange, routing_key, bits) = publish_arguments(method)?;
    // The slow path words the refusal.
    if channel == 0 {
        return None;
    }
    let (header_channel, header, rest) = next_frame(rest, HEADER, frame_max)?;
    let (body_bytes, properties) = content_header(header)?;
    if header_channel != channel || u64::from(body_bytes) > max_message_size {
        return None;
    }
    let (body, rest) = body_frames(rest, channel, body_bytes, frame_max)?;
    // Last, because it is the dearest and a large body is seldom all there.
    let properties = properties::receive(properties).ok()?;
    Some(FastPublish {
        channel,
        address,
        exchange,
        routing_key,
        mandatory: bits & 1 != 0,
        immediate: bits & 2 != 0,
        properties,
        body_bytes,
        body,
        consumed: buffer.len() - rest.len(),
    })
}

/// The `basic.ack`, `basic.nack` or `basic.reject` at the start of `buffer`, if it is all there. The channel must be open, and
/// a method due on it.
#[inline]
pub fn next_settlement(buffer: &[u8]) -> Option<FastSettlement> {
    const WHOLE: usize = SETTLEMENT_BYTES + FRAME_OVERHEAD_BYTES;
    let frame: &[u8; WHOLE] = buffer.first_chunk()?;
    // One pattern for all that is fixed. 13 is the size of the payload, so a method with more or fewer
    // octets goes the slow way.
    let [METHOD, h0, h1, 0, 0, 0, 13, m0, m1, m2, m3, tag @ .., bits, FRAME_END] = *frame else { return None };
    let kind = match [m0, m1, m2, m3] {
        ACK => SettlementKind::Ack { multiple: bits & 1 != 0 },
        NACK => SettlementKind::Nack { multiple: bits & 1 != 0, requeue: bits & 2 != 0 },
        REJECT => SettlementKind::Reject { requeue: bits & 1 != 0 },
        _ => return None,
    };
    let channel = u16::from_be_bytes([h0, h1]);
    (channel != 0).then_some(FastSettlement { channel, delivery_tag: u64::from_be_bytes(tag), kind, consumed: WHOLE })
}

impl<'a> BodyPieces<'a> {
    /// The whole body, if it is in one piece.
    #[inline]
    pub fn single(self) -> Option<&'a [u8]> {
        let mut pieces = self;
        let first = pieces.next().unwrap_or_default();
        pieces.frames.is_empty().then_some(first)
    }
}

impl<'a> Iterator for BodyPieces<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        // The sizes were looked at when the frames were cut.
        let (_, piece, rest) = next_frame(self.frames, BODY, u32::MAX)?;
        self.frames = rest;
        Some(piece)
    }
}

/// The channel and payload of a whole frame of this type, and what is behind it.
#[inline]
fn next_frame(buffer: &[u8], kind: u8, frame_max: u32) -> Option<(u16, &[u8], &[u8])> {
    let (&[k, c0, c1, s0, s1, s2, s3], rest) = buffer.split_first_chunk::<FRAME_HEADER_BYTES>()?;
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    if k != kind || size > frame_max {
        return None;
    }
    let (payload, rest) = rest.split_at_checked(size as usize)?;
    let (&end, rest) = rest.split_first()?;
    (end == FRAME_END).then_some((u16::from_be_bytes([c0, c1]), payload, rest))
}

/// The address as it stands, the exchange and the routing key in it, and the flags.
#[inline]
fn publish_arguments(method: &[u8]) -> Option<(&[u8], &str, &[u8], u8)> {
    // Two octets of reserved ticket stand behind class and method.
    let (&[m0, m1, m2, m3, _, _], arguments) = method.split_first_chunk::<6>()?;
    if [m0, m1, m2, m3] != PUBLISH {
        return None;
    }
    let (&bits, address) = arguments.split_last()?;
    let (exchange, rest) = short_string(address)?;
    let (routing_key, rest) = short_string(rest)?;
    let exchange = std::str::from_utf8(exchange).ok()?;
    rest.is_empty().then_some((address, exchange, routing_key, bits))
}

/// Body size and property bytes.
#[inline]
fn content_header(header: &[u8]) -> Option<(u32, &[u8])> {
    let (&[c0, c1, w0, w1, size @ ..], properties) = header.split_first_chunk::<CONTENT_FIXED_BYTES>()?;
    if u16::from_be_bytes([c0, c1]) != BASIC_CLASS || [w0, w1] != [0, 0] {
        return None;
    }
    // A body of 4 GiB is far above what may be announced, 512 MiB, and the slow path refuses it.
    let body_bytes = u32::try_from(u64::from_be_bytes(size)).ok()?;
    Some((body_bytes, properties))
}

/// The frames of a body of this size, and what is behind them.
#[inline]
fn body_frames(buffer: &[u8], channel: u16, body_bytes: u32, frame_max: u32) -> Option<(BodyPieces<'_>, &[u8])> {
    let mut rest = buffer;
    let mut remaining = body_bytes as usize;
    while remaining > 0 {
        let (body_channel, piece, behind) = next_frame(rest, BODY, frame_max)?;
        if body_channel != channel {
            return None;
        }
        // A frame may be empty. One that brings too much is left to the slow path, as is a body of
        // which a frame is missing.
        remaining = remaining.checked_sub(piece.len())?;
        rest = behind;
    }
    let (frames, rest) = buffer.split_at_checked(buffer.len() - rest.len())?;
    Some((BodyPieces { frames }, rest))
}
