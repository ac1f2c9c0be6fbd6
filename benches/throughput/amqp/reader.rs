//! Cuts what a socket delivers into frames, without copying them.

use std::io::{ErrorKind, Read};

use super::wire::{CHANNEL_CLOSE, CONNECTION_CLOSE, FRAME_END, FRAME_OVERHEAD, Fields, METHOD, MethodId};
use crate::error::{Error, Result};

/// One frame, borrowed from the read buffer.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The class and method ids of a method frame.
    pub(crate) fn method_id(&self) -> MethodId {
        self.payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// The arguments of a method frame.
    pub(crate) fn arguments(&self) -> Fields<'a> {
        Fields(self.payload.get(4..).unwrap_or_default())
    }

    /// The error that this frame makes when nobody waits for it; a close is reported in the broker's words.
    pub(crate) fn unexpected(&self) -> Error {
        let scope = match self.method_id() {
            CHANNEL_CLOSE if self.kind == METHOD => "channel",
            CONNECTION_CLOSE if self.kind == METHOD => "connection",
            id => return Error::unexpected(format!("a frame nobody waits for: type {}, method {id:#010x}", self.kind)),
        };
        let mut arguments = self.arguments();
        match (arguments.short(), arguments.short_string()) {
            (Ok(reply_code), Ok(reply_text)) => Error::Closed { scope, reply_code, reply_text },
            (Err(error), _) | (_, Err(error)) => error,
        }
    }
}

/// A read buffer; what is left of a frame at its end moves to the front before the next read.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl FrameReader {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes], start: 0, end: 0 }
    }

    /// Makes the buffer at least `bytes` long.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        if self.buffer.len() < bytes {
            self.buffer.resize(bytes, 0);
        }
    }

    /// Reads once, waiting until there is something.
    ///
    /// # Errors
    ///
    /// The broker closed the socket, or was silent for as long as the socket's read timeout.
    pub(crate) fn fill(&mut self, socket: &mut impl Read) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.reserve(self.end * 2);
        }
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        let count = socket.read(free).map_err(|error| {
            // A read timeout is the first on Linux, the second elsewhere.
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                return Error::Silent;
            }
            Error::Io(error)
        })?;
        if count == 0 {
            return Err(Error::unexpected("the broker closed the socket"));
        }
        self.end += count;
        Ok(())
    }

    /// The next complete frame in the buffer; `None` asks for [`FrameReader::fill`].
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>> {
        let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
        let Some(&[kind, _, _, s0, s1, s2, s3]) = unread.first_chunk() else { return Ok(None) };
        let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
        let Some(end) = unread.get(FRAME_OVERHEAD - 1 + size) else { return Ok(None) };
        if *end != FRAME_END {
            return Err(Error::unexpected(format!("a frame of type {kind} and {size} bytes has no frame-end")));
        }
        self.start += size + FRAME_OVERHEAD;
        let payload = unread.get(FRAME_OVERHEAD - 1..FRAME_OVERHEAD - 1 + size).unwrap_or_default();
        Ok(Some(Frame { kind, payload }))
    }
}
