//! One per channel: joins a method, its content header and its bodies into one publish, and refuses frames that are not due.
//!
//! ```text
//!            basic.publish              header, body > 0            last body
//!   Idle ------------------> HeaderDue -----------------> BodyDue -----------> Idle, publish complete
//!    | ^                         |                         |   ^
//!    +-+ any other method        +-- header, body = 0      +---+ body
//! ```
//!
//! Invariant: the octets of a body are copied once, from the read buffer into the [`BodySink`] that the caller begins when the
//! content header is there. It must be one of the channel's own, because contents of other channels may come in between.

use crate::error::{AmqpError, MethodId};
use crate::protocol::command::{BasicMethod, Command};
use crate::protocol::content::{self, ContentHeader};
use crate::protocol::frame::{Frame, FrameKind};
use crate::protocol::method::{self, BASIC_PUBLISH};

/// The arguments of a `basic.publish` whose content is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The exchange; empty for the default exchange.
    pub exchange: String,
    /// The routing key; need not be UTF-8.
    pub routing_key: Vec<u8>,
    /// Return the message if it cannot be routed.
    pub mandatory: bool,
    /// Return the message if it cannot be delivered at once; not implemented, by RabbitMQ either.
    pub immediate: bool,
}

/// Takes the body of one message, piece by piece.
pub trait BodySink {
    /// Appends the next piece.
    fn extend_body(&mut self, piece: &[u8]);
}

/// What a frame completed.
#[derive(Clone, Debug, PartialEq)]
pub enum Assembled<B> {
    /// A method without content.
    Method(Command),
    /// A `basic.publish` with its whole content.
    Publish(Publish, B),
}

/// What is due on a channel.
#[derive(Debug, Default)]
pub enum Assembler<B> {
    /// A method.
    #[default]
    Idle,
    /// The content header of this publish.
    HeaderDue(Publish),
    /// The rest of this body.
    BodyDue(PartialBody<B>),
}

/// A content whose body is on its way.
#[derive(Debug)]
pub struct PartialBody<B> {
    publish: Publish,
    /// Octets still to come; never 0.
    remaining: u64,
    body: Body<B>,
}

#[derive(Debug)]
enum Body<B> {
    Kept(B),
    /// Larger than the broker accepts: counted, so that the channel can be closed when it has arrived.
    Counted {
        body_bytes: u64,
    },
}

impl<B: BodySink> Assembler<B> {
    /// Takes the next frame of the channel; `Ok(None)` when more frames are due before something is complete. `begin` makes
    /// the sink for a body of at most `max_message_size` octets.
    ///
    /// After an error nothing is due; most errors close the connection anyway.
    ///
    /// # Errors
    ///
    /// 505 for a frame that is not due; 501 for a malformed header, a body beyond its announced size or a malformed method
    /// (see [`method::decode`]); 406, for the channel alone, when a whole body beyond `max_message_size` has arrived.
    pub fn frame(
        &mut self,
        frame: &Frame<'_>,
        max_message_size: u64,
        begin: impl FnOnce(&Publish, &ContentHeader<'_>) -> B,
    ) -> Result<Option<Assembled<B>>, AmqpError> {
        // The state is taken out, and each arm that goes on puts one back: so after an error nothing is due,
        // without a word in the arms that refuse.
        match (std::mem::replace(self, Self::Idle), frame.kind) {
            (state, FrameKind::Heartbeat) => {
                *self = state;
                Ok(None)
            }
            (Self::Idle, FrameKind::Method) => Ok(self.method(method::decode(frame.payload)?)),
            (Self::Idle, FrameKind::Header | FrameKind::Body) => Err(method_due()),
            (Self::HeaderDue(publish), FrameKind::Header) => {
                let header = content::decode_header(frame.payload)?;
                // Judged by what is announced, so that of a message that is too large not one octet is kept.
                let body = if header.body_bytes > max_message_size {
                    Body::Counted { body_bytes: header.body_bytes }
                } else {
                    Body::Kept(begin(&publish, &header))
                };
                self.proceed(PartialBody { publish, remaining: header.body_bytes, body }, max_message_size)
            }
            (Self::HeaderDue(_), FrameKind::Method | FrameKind::Body) => Err(header_due()),
            (Self::BodyDue(partial), FrameKind::Body) => {
                self.proceed(partial.extended(frame.payload)?, max_message_size)
            }
            (Self::BodyDue(_), FrameKind::Method | FrameKind::Header) => Err(body_due()),
        }
    }

    /// Whether a method is due; only then may the fast path look for whole publishes.
    pub fn is_idle(&self) -> bool {
        matches!(self, Self::Idle)
    }

    fn method(&mut self, command: Command) -> Option<Assembled<B>> {
        if let Command::Basic(BasicMethod::Publish { exchange, routing_key, mandatory, immediate }) = command {
            *self = Self::HeaderDue(Publish { exchange, routing_key, mandatory, immediate });
            return None;
        }
        Some(Assembled::Method(command))
    }

    /// Waits for more, or hands out the publish when its body is complete.
    fn proceed(&mut self, partial: PartialBody<B>, max_message_size: u64) -> Result<Option<Assembled<B>>, AmqpError> {
        if partial.remaining > 0 {
            *self = Self::BodyDue(partial);
            return Ok(None);
        }
        match partial.body {
            Body::Kept(body) => Ok(Some(Assembled::Publish(partial.publish, body))),
            Body::Counted { body_bytes } => Err(message_too_large(body_bytes, max_message_size)),
        }
    }
}

impl<B: BodySink> PartialBody<B> {
    fn extended(mut self, piece: &[u8]) -> Result<Self, AmqpError> {
        self.remaining = self.remaining.checked_sub(piece.len() as u64).ok_or_else(body_exceeds_size)?;
        // A piece without octets is no error: as much is due as before.
        if let Body::Kept(body) = &mut self.body {
            body.extend_body(piece);
        }
        Ok(self)
    }
}

/// The error for a content frame where a method is due; also on a channel that is not open.
pub(crate) fn method_due() -> AmqpError {
    AmqpError::unexpected_frame("expected method frame, got non method frame instead").with_method(MethodId::NONE)
}

/// The error for any other frame where a content header is due.
pub(super) fn header_due() -> AmqpError {
    AmqpError::unexpected_frame("expected content header for class 60, got non content header frame instead")
        .with_method(BASIC_PUBLISH)
}

fn body_due() -> AmqpError {
    AmqpError::unexpected_frame("expected content body, got non content body frame instead").with_method(BASIC_PUBLISH)
}

fn body_exceeds_size() -> AmqpError {
    AmqpError::frame_error("content body frame exceeds remaining content size").with_method(BASIC_PUBLISH)
}

fn message_too_large(body_bytes: u64, max_message_size: u64) -> AmqpError {
    AmqpError::precondition_failed(format!(
        "message size {body_bytes} is larger than configured max size {max_message_size}"
    ))
    .with_method(BASIC_PUBLISH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ReplyCode, Scope};
    use crate::protocol::command::TxMethod;

    impl BodySink for Vec<u8> {
        fn extend_body(&mut self, piece: &[u8]) {
            self.extend_from_slice(piece);
        }
    }

    const MAX: u64 = 1000;

    /// `basic.publish` to the default exchange with routing key `q`.
    const PUBLISH: Frame<'_> =
        Frame { kind: FrameKind::Method, channel: 1, payload: &[0, 60, 0, 40, 0, 0, 0, 1, b'q', 0] };
    const TX_SELECT: Frame<'_> = Frame { kind: FrameKind::Method, channel: 1, payload: &[0, 90, 0, 10] };

    fn header(body_bytes: u64) -> Vec<u8> {
        [&[0, 60, 0, 0][..], &body_bytes.to_be_bytes(), &[0, 0]].concat()
    }

    fn header_frame(payload: &[u8]) -> Frame<'_> {
        Frame { kind: FrameKind::Header, channel: 1, payload }
    }

    fn body(payload: &[u8]) -> Frame<'_> {
        Frame { kind: FrameKind::Body, channel: 1, payload }
    }

    /// Feeds the frames; all but the last must complete nothing.
    fn feed(frames: &[Frame<'_>]) -> Result<Option<Assembled<Vec<u8>>>, AmqpError> {
        let mut assembler = Assembler::default();
        let (last, first) = frames.split_last().unwrap();
        for frame in first {
            assert_eq!(assembler.frame(frame, MAX, |_, _| Vec::new()).unwrap(), None);
        }
        assembler.frame(last, MAX, |_, _| Vec::new())
    }

    #[track_caller]
    fn published(frames: &[Frame<'_>], body: &[u8]) {
        let publish =
            Publish { exchange: String::new(), routing_key: b"q".to_vec(), mandatory: false, immediate: false };
        assert_eq!(feed(frames), Ok(Some(Assembled::Publish(publish, body.to_vec()))));
    }

    #[track_caller]
    fn refused(frames: &[Frame<'_>], code: ReplyCode, explanation: &str, method: MethodId) {
        let error = feed(frames).unwrap_err();
        assert_eq!((error.code, error.explanation.as_str()), (code, explanation));
        assert_eq!(error.method, Some(method));
    }

    #[test]
    fn a_method_without_content_is_complete_at_once() {
        assert_eq!(feed(&[TX_SELECT]), Ok(Some(Assembled::Method(Command::Tx(TxMethod::Select)))));
    }

    #[test]
    fn a_publish_is_complete_with_its_last_body() {
        published(&[PUBLISH, header_frame(&header(5)), body(b"he"), body(b"llo")], b"hello");
    }

    #[test]
    fn an_empty_body_needs_no_frame() {
        published(&[PUBLISH, header_frame(&header(0))], b"");
    }

    #[test]
    fn empty_body_frames_in_the_middle_are_read_over() {
        published(&[PUBLISH, header_frame(&header(2)), body(b""), body(b"a"), body(b""), body(b"b")], b"ab");
    }

    #[test]
    fn a_content_without_method_is_refused() {
        const TEXT: &str = "expected method frame, got non method frame instead";
        refused(&[header_frame(&header(0))], ReplyCode::UnexpectedFrame, TEXT, MethodId::NONE);
        refused(&[body(b"x")], ReplyCode::UnexpectedFrame, TEXT, MethodId::NONE);
    }

    #[test]
    fn another_frame_where_a_header_is_due_is_refused() {
        const TEXT: &str = "expected content header for class 60, got non content header frame instead";
        refused(&[PUBLISH, TX_SELECT], ReplyCode::UnexpectedFrame, TEXT, BASIC_PUBLISH);
        refused(&[PUBLISH, body(b"x")], ReplyCode::UnexpectedFrame, TEXT, BASIC_PUBLISH);
    }

    #[test]
    fn another_frame_where_a_body_is_due_is_refused() {
        const TEXT: &str = "expected content body, got non content body frame instead";
        let header = header(1);
        refused(&[PUBLISH, header_frame(&header), TX_SELECT], ReplyCode::UnexpectedFrame, TEXT, BASIC_PUBLISH);
        refused(
            &[PUBLISH, header_frame(&header), header_frame(&header)],
            ReplyCode::UnexpectedFrame,
            TEXT,
            BASIC_PUBLISH,
        );
    }

    #[test]
    fn a_body_beyond_its_announced_size_is_refused() {
        refused(
            &[PUBLISH, header_frame(&header(3)), body(b"ab"), body(b"cd")],
            ReplyCode::FrameError,
            "content body frame exceeds remaining content size",
            BASIC_PUBLISH,
        );
    }

    #[test]
    fn a_message_of_exactly_the_largest_size_passes() {
        published(&[PUBLISH, header_frame(&header(MAX)), body(&[7; 1000])], &[7; 1000]);
    }

    #[test]
    fn a_message_too_large_closes_the_channel_when_it_has_arrived() {
        let mut assembler = Assembler::<Vec<u8>>::default();
        let begin = |_: &Publish, _: &ContentHeader<'_>| -> Vec<u8> { panic!("its body is not kept") };
        for frame in [PUBLISH, header_frame(&header(1001)), body(&[0; 1000])] {
            assert_eq!(assembler.frame(&frame, MAX, begin), Ok(None));
        }
        let error = assembler.frame(&body(&[0]), MAX, begin).unwrap_err();
        assert_eq!(error.scope, Scope::Channel);
        assert_eq!(
            error.reply_text(),
            "PRECONDITION_FAILED - message size 1001 is larger than configured max size 1000"
        );
        assert_eq!(error.method, Some(BASIC_PUBLISH));
        assert!(assembler.is_idle());
    }
}
