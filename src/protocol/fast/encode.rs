//! Methods with content, and what answers publishes, written straight into the write buffer.

use std::ops::Range;

use crate::error::MethodId;
use crate::protocol::content::BASIC_CLASS;
use crate::protocol::frame::{
    self, BODY, FRAME_END, FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES, HEADER, HEARTBEAT, METHOD,
};
use crate::protocol::method::{BASIC_ACK, BASIC_DELIVER, BASIC_GET_OK, BASIC_NACK, BASIC_RETURN};

/// A message as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content<'a> {
    /// The exchange and the routing key as two short strings.
    pub address: &'a [u8],
    /// The property flags and values.
    pub properties: &'a [u8],
    /// What was published, without header and frames.
    pub body: &'a [u8],
}

/// The arguments of `basic.deliver`, but for the message's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deliver<'a> {
    /// The number of the channel that it goes out on.
    pub channel: u16,
    /// The consumer; cut to 255 octets.
    pub consumer_tag: &'a [u8],
    /// The delivery's number on the channel.
    pub delivery_tag: u64,
    /// Whether the message may have been delivered before.
    pub redelivered: bool,
}

/// The arguments of `basic.get-ok`, but for the message's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GetOk {
    /// The number of the channel that it goes out on.
    pub(crate) channel: u16,
    /// The delivery's number on the channel.
    pub(crate) delivery_tag: u64,
    /// Whether the message may have been delivered before.
    pub(crate) redelivered: bool,
    /// Ready messages left in the queue.
    pub(crate) message_count: u32,
}

/// The arguments of `basic.return`, but for the message's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReturnMethod<'a> {
    /// The number of the channel that it goes out on.
    pub(crate) channel: u16,
    /// Why the message comes back.
    pub(crate) reply_code: u16,
    /// The same in words; cut to 255 octets.
    pub(crate) reply_text: &'a str,
}

/// Octets of a delivery besides its variable parts, rounded up: three frames and their fixed arguments.
const FIXED_BYTES_MAX: usize = 64;

/// A method that carries a message.
pub trait ContentMethod {
    /// The number of the channel that it goes out on.
    fn channel(&self) -> u16;

    /// Octets of its own texts.
    fn text_bytes(&self) -> usize;

    /// Appends the method and the content header; the body is to follow in [`body_frames`].
    fn encode_head(&self, out: &mut Vec<u8>, content: &Content<'_>);
}

/// Appends a method with its whole content.
#[inline]
pub fn content_method(out: &mut Vec<u8>, method: &impl ContentMethod, content: &Content<'_>, frame_max: u32) {
    // Room for a delivery with one body frame. Each frame more takes 8 octets that are not counted, which may
    // cost one allocation more.
    out.reserve(
        FIXED_BYTES_MAX + method.text_bytes() + content.address.len() + content.properties.len() + content.body.len(),
    );
    method.encode_head(out, content);
    body(out, method.channel(), content.body, frame_max);
}

impl ContentMethod for Deliver<'_> {
    #[inline]
    fn channel(&self) -> u16 {
        self.channel
    }

    #[inline]
    fn text_bytes(&self) -> usize {
        self.consumer_tag.len()
    }

    #[inline]
    fn encode_head(&self, out: &mut Vec<u8>, content: &Content<'_>) {
        let (length, tag) = short(self.consumer_tag);
        method_start(out, self.channel, 4 + 1 + tag.len() + 9 + content.address.len(), BASIC_DELIVER);
        out.push(length);
        out.extend_from_slice(tag);
        out.extend_from_slice(&tag_and_bit(self.delivery_tag, self.redelivered));
        out.extend_from_slice(content.address);
        content_header(out, self.channel, content);
    }
}

impl ContentMethod for GetOk {
    fn channel(&self) -> u16 {
        self.channel
    }

    fn text_bytes(&self) -> usize {
        0
    }

    fn encode_head(&self, out: &mut Vec<u8>, content: &Content<'_>) {
        method_start(out, self.channel, 4 + 9 + content.address.len() + 4, BASIC_GET_OK);
        out.extend_from_slice(&tag_and_bit(self.delivery_tag, self.redelivered));
        out.extend_from_slice(content.address);
        out.extend_from_slice(&self.message_count.to_be_bytes());
        content_header(out, self.channel, content);
    }
}

impl ContentMethod for ReturnMethod<'_> {
    fn channel(&self) -> u16 {
        self.channel
    }

    fn text_bytes(&self) -> usize {
        self.reply_text.len()
    }

    fn encode_head(&self, out: &mut Vec<u8>, content: &Content<'_>) {
        let (length, text) = short(self.reply_text.as_bytes());
        method_start(out, self.channel, 4 + 2 + 1 + text.len() + content.address.len(), BASIC_RETURN);
        out.extend_from_slice(&self.reply_code.to_be_bytes());
        out.push(length);
        out.extend_from_slice(text);
        out.extend_from_slice(content.address);
        content_header(out, self.channel, content);
    }
}

/// Appends `basic.ack`.
#[inline]
pub(crate) fn ack(out: &mut Vec<u8>, channel: u16, delivery_tag: u64, multiple: bool) {
    settlement(out, channel, BASIC_ACK, delivery_tag, u8::from(multiple));
}

/// Appends `basic.nack`, with its `requeue` bit set as RabbitMQ's is; clients ignore it.
#[inline]
pub(crate) fn nack(out: &mut Vec<u8>, channel: u16, delivery_tag: u64, multiple: bool) {
    settlement(out, channel, BASIC_NACK, delivery_tag, u8::from(multiple) | 2);
}

/// Appends a heartbeat.
pub(crate) fn heartbeat(out: &mut Vec<u8>) {
    out.extend_from_slice(&[HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);
}

/// How a body is cut into frames: their headers, and the ranges of the body that follow them. Each frame is
/// to end with [`FRAME_END`].
#[derive(Clone, Debug)]
pub(crate) struct BodyFrames {
    channel: u16,
    at: usize,
    body_bytes: usize,
    piece_bytes_max: usize,
}

/// One frame of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BodyFrame {
    /// What stands in front of the piece.
    pub(crate) header: [u8; FRAME_HEADER_BYTES],
    /// Where the piece lies within the body, in bytes.
    pub(crate) range: Range<usize>,
}

/// The frames of a body of `body_bytes`; none when it is empty.
#[inline]
pub(crate) fn body_frames(channel: u16, body_bytes: usize, frame_max: u32) -> BodyFrames {
    // A frame_max below 8192 is never agreed on; at least one octet keeps the iteration finite all the same.
    let piece_bytes_max = (frame_max as usize).saturating_sub(FRAME_OVERHEAD_BYTES).max(1);
    BodyFrames { channel, at: 0, body_bytes, piece_bytes_max }
}

impl Iterator for BodyFrames {
    type Item = BodyFrame;

    #[inline]
    fn next(&mut self) -> Option<BodyFrame> {
        let start = self.at;
        let length = (self.body_bytes - start).min(self.piece_bytes_max);
        if length == 0 {
            return None;
        }
        self.at += length;
        Some(BodyFrame { header: frame::header(BODY, self.channel, length), range: start..self.at })
    }
}

#[inline]
fn body(out: &mut Vec<u8>, channel: u16, body: &[u8], frame_max: u32) {
    for frame in body_frames(channel, body.len(), frame_max) {
        out.extend_from_slice(&frame.header);
        out.extend_from_slice(body.get(frame.range).unwrap_or_default());
        out.push(FRAME_END);
    }
}

/// Frame header, class and method.
#[inline]
fn method_start(out: &mut Vec<u8>, channel: u16, size: usize, method: MethodId) {
    let [k, h0, h1, s0, s1, s2, s3] = frame::header(METHOD, channel, size);
    let [c0, c1, m0, m1] = method.to_bytes();
    out.extend_from_slice(&[k, h0, h1, s0, s1, s2, s3, c0, c1, m0, m1]);
}

/// The end of the method's frame, and the content header's frame.
#[inline]
fn content_header(out: &mut Vec<u8>, channel: u16, content: &Content<'_>) {
    let [k, h0, h1, s0, s1, s2, s3] = frame::header(HEADER, channel, 12 + content.properties.len());
    let [c0, c1] = BASIC_CLASS.to_be_bytes();
    let [b0, b1, b2, b3, b4, b5, b6, b7] = (content.body.len() as u64).to_be_bytes();
    let fixed = [FRAME_END, k, h0, h1, s0, s1, s2, s3, c0, c1, 0, 0, b0, b1, b2, b3, b4, b5, b6, b7];
    out.extend_from_slice(&fixed);
    out.extend_from_slice(content.properties);
    out.push(FRAME_END);
}

#[inline]
fn settlement(out: &mut Vec<u8>, channel: u16, method: MethodId, delivery_tag: u64, bits: u8) {
    let [h0, h1] = channel.to_be_bytes();
    let [c0, c1, m0, m1] = method.to_bytes();
    let [t0, t1, t2, t3, t4, t5, t6, t7] = delivery_tag.to_be_bytes();
    let frame = [METHOD, h0, h1, 0, 0, 0, 13, c0, c1, m0, m1, t0, t1, t2, t3, t4, t5, t6, t7, bits, FRAME_END];
    out.extend_from_slice(&frame);
}

#[inline]
fn tag_and_bit(delivery_tag: u64, redelivered: bool) -> [u8; 9] {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = delivery_tag.to_be_bytes();
    [t0, t1, t2, t3, t4, t5, t6, t7, u8::from(redelivered)]
}

/// As much as fits a short string, and its length.
#[inline]
fn short(text: &[u8]) -> (u8, &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length) => (length, text),
        Err(_) => (u8::MAX, text.get(..usize::from(u8::MAX)).unwrap_or_default()),
    }
}
