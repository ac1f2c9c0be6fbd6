//! What waits to be written to a socket: encoded bytes, and large bodies that are written from where they are.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;

use crate::message::Message;
use crate::protocol::fast::{self, Content, ContentMethod};
use crate::protocol::frame::FRAME_END;

/// Bodies from this size on are not copied but written from their chunk.
const SHARED_BODY_BYTES_MIN: usize = 8 * 1024;
/// Slices handed to one `writev`.
pub(crate) const SLICES_MAX: usize = 64;

thread_local! {
    /// Write buffers that no connection uses now: an idle connection owns none.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

const SPARE_BUFFERS_MAX: usize = 4;
const KEPT_BUFFER_BYTES_MAX: usize = 1024 * 1024;

#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    Body { message: Message, range: Range<usize> },
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Body { message, range } => message.body().get(range.clone()).unwrap_or_default(),
        }
    }
}

/// Bytes on their way to a socket.
#[derive(Debug, Default)]
pub struct Output {
    /// What precedes `tail`; its first segment is written up to `written`.
    pieces: VecDeque<Piece>,
    tail: Vec<u8>,
    written: usize,
    segment_bytes: usize,
}

impl Output {
    /// Bytes that are not written yet.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.segment_bytes + self.tail.len() - self.written
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.pending_bytes() == 0
    }

    /// Where encoders append.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        if self.tail.capacity() == 0 {
            self.tail = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        }
        &mut self.tail
    }

    /// Appends a method with the message that it carries. A large body is only referred to.
    pub(crate) fn push_message(
        &mut self,
        method: &impl ContentMethod,
        message: &Message,
        properties: &[u8],
        frame_max: u32,
    ) {
        let body = message.body();
        let content = Content { address: message.address(), properties, body };
        if body.len() < SHARED_BODY_BYTES_MIN {
            fast::content_method(self.buffer(), method, &content, frame_max);
            return;
        }
        method.encode_head(self.buffer(), &content);
        let channel = method.channel();
        for frame in fast::body_frames(channel, body.len(), frame_max) {
            self.buffer().extend_from_slice(&frame.header);
            self.close_tail();
            self.segment_bytes += frame.range.len();
            self.pieces.push_back(Piece::Body { message: message.clone(), range: frame.range });
            self.buffer().push(FRAME_END);
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let bytes = std::mem::take(&mut self.tail);
            self.segment_bytes += bytes.len();
            self.pieces.push_back(Piece::Bytes(bytes));
        }
    }

    /// The next bytes to write, at most [`SLICES_MAX`] slices.
    pub fn slices(&self) -> Vec<IoSlice<'_>> {
        let all = self.pieces.iter().map(Piece::bytes).chain(std::iter::once(self.tail.as_slice()));
        let mut slices: Vec<_> = all.take(SLICES_MAX).map(IoSlice::new).collect();
        if let Some(first) = slices.first_mut() {
            first.advance(self.written);
        }
        slices
    }

    /// The only slice, if there is no other: spares the vector of [`Output::slices`].
    pub(crate) fn single_slice(&self) -> Option<&[u8]> {
        if self.pieces.is_empty() { self.tail.get(self.written..) } else { None }
    }

    /// Notes that `count` more bytes are written.
    pub fn advance(&mut self, count: usize) {
        self.written += count;
        // A piece is dropped once all of it is written: until then the system has only some of its bytes.
        while let Some(length) = self.pieces.front().map(|first| first.bytes().len())
            && self.written >= length
        {
            self.written -= length;
            self.segment_bytes -= length;
            if let Some(Piece::Bytes(bytes)) = self.pieces.pop_front() {
                give_back(bytes);
            }
        }
        if self.pieces.is_empty() && self.written == self.tail.len() {
            self.written = 0;
            give_back(std::mem::take(&mut self.tail));
        }
    }
}

fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_BUFFER_BYTES_MAX {
        return;
    }
    SPARE.with_borrow_mut(|spare| {
        if spare.len() < SPARE_BUFFERS_MAX {
            buffer.clear();
            spare.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message::{Facts, MemoryGauge, address};

    /// A method of one octet.
    struct Bracket;

    impl ContentMethod for Bracket {
        fn channel(&self) -> u16 {
            1
        }

        fn text_bytes(&self) -> usize {
            1
        }

        fn encode_head(&self, out: &mut Vec<u8>, _: &Content<'_>) {
            out.push(b'<');
        }
    }

    fn written(output: &mut Output, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !output.is_empty() {
            let bytes: Vec<u8> = output.slices().iter().flat_map(|slice| slice.to_vec()).take(step).collect();
            output.advance(bytes.len());
            all.extend(bytes);
        }
        all
    }

    fn sent(body: &[u8], step: usize) -> Vec<u8> {
        let gauge = Arc::new(MemoryGauge::default());
        let message = Message::standalone(&gauge, Facts::default(), &address("x", b"k"), &[0, 0], body);
        let mut output = Output::default();
        output.buffer().extend_from_slice(b"before");
        output.push_message(&Bracket, &message, message.property_bytes(), 10_000);
        output.buffer().extend_from_slice(b"after");
        written(&mut output, step)
    }

    #[test]
    fn small_bodies_are_encoded_in_place() {
        assert_eq!(sent(b"hello", 3), b"before<\x03\0\x01\0\0\0\x05hello\xceafter");
    }

    #[test]
    fn large_bodies_come_out_in_frames_however_they_are_written() {
        let body: Vec<u8> = (0..20_000u32).map(|at| at.to_le_bytes()[0]).collect();
        let whole = sent(&body, usize::MAX);
        for step in [1, 7, 4096] {
            assert_eq!(sent(&body, step), whole);
        }
        let frames = 20_000usize.div_ceil(10_000 - 8);
        assert_eq!(whole.len(), b"before<after".len() + body.len() + frames * 8);
    }
}
