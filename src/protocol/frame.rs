//! Frames: cut from the read buffer as borrowed slices, and refused with RabbitMQ's texts when they are malformed.
//!
//! A frame is `type (u8), channel (u16), size (u32), payload, 0xCE`. What the payload means is for [`super::method`],
//! [`super::content`] and the channel's [`super::assembler`]; what needs no channel to be judged is judged here.

use crate::error::{AmqpError, MethodId};
use crate::protocol::octets;

/// Octets in front of a frame's payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 7;
/// Octets around a frame's payload: the header and the end marker.
pub(crate) const FRAME_OVERHEAD_BYTES: usize = FRAME_HEADER_BYTES + 1;
/// The octet that ends every frame.
pub(crate) const FRAME_END: u8 = 0xCE;
/// The largest frame before `frame_max` is negotiated, and the least that may be negotiated. The specification's own minimum
/// is 4096, which RabbitMQ refuses.
// spec: connection.tune-ok/frame-max/minimum
pub(crate) const FRAME_MAX_BEFORE_TUNE: u32 = 8192;

/// Class and method.
const METHOD_BYTES_MIN: usize = 4;
/// Class, weight, body size and property flags.
const CONTENT_HEADER_BYTES_MIN: usize = 14;

pub(super) const METHOD: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const BODY: u8 = 3;
pub(super) const HEARTBEAT: u8 = 8;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A method with its arguments.
    Method = METHOD,
    /// The header of a content: its size and properties.
    Header = HEADER,
    /// A piece of a content's body.
    Body = BODY,
    /// A sign of life.
    Heartbeat = HEARTBEAT,
}

/// One frame, as it stands in the read buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: FrameKind,
    /// The channel; 0 is the connection itself.
    pub channel: u16,
    /// What stands between the header and the end marker.
    pub payload: &'a [u8],
}

/// Cuts the first frame from `buffer`; with it, the number of octets that it took. `Ok(None)`: more octets are needed.
///
/// A frame that is too large is refused as soon as its header is there.
///
/// # Errors
///
/// 501 for a frame that is malformed, 505 for one that its channel can never take; both with class and method 0. The stream
/// cannot be read on after either.
pub fn next_frame(buffer: &[u8], frame_max: u32) -> Result<Option<(Frame<'_>, usize)>, AmqpError> {
    let Some(Cut { kind, channel, payload }) = cut(buffer, frame_max)? else { return Ok(None) };
    let frame = check(kind, channel, payload)?;
    Ok(Some((frame, payload.len() + FRAME_OVERHEAD_BYTES)))
}

/// As [`next_frame`], when nobody is told any more what was wrong: instead of a frame that makes no sense there is none, and the
/// stream can be read on.
///
/// # Errors
/// When it cannot be told where the frame ends.
pub(crate) fn next_frame_or_nonsense(
    buffer: &[u8],
    frame_max: u32,
) -> Result<Option<(Option<Frame<'_>>, usize)>, AmqpError> {
    let Some(Cut { kind, channel, payload }) = cut(buffer, frame_max)? else { return Ok(None) };
    Ok(Some((check(kind, channel, payload).ok(), payload.len() + FRAME_OVERHEAD_BYTES)))
}

/// A frame, whatever it says.
struct Cut<'a> {
    kind: u8,
    channel: u16,
    payload: &'a [u8],
}

#[inline]
fn cut(buffer: &[u8], frame_max: u32) -> Result<Option<Cut<'_>>, AmqpError> {
    let Some((&[kind, c0, c1, s0, s1, s2, s3], rest)) = buffer.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Ok(None);
    };
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    // Strictly it is the whole frame that `frame_max` limits; RabbitMQ tolerates these 8 octets and so clients may rely on it.
    if size > frame_max {
        return Err(too_large(kind, size, frame_max));
    }
    let Some((payload, end)) = usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size)) else {
        return Ok(None);
    };
    let Some(&end) = end.first() else { return Ok(None) };
    if end != FRAME_END {
        return Err(frame_error(kind, payload, &format!("{{invalid_frame_end_marker,{end}}}")));
    }
    Ok(Some(Cut { kind, channel: u16::from_be_bytes([c0, c1]), payload }))
}

/// The error for a method or content that is malformed as a whole: too short to be one, or of an unknown kind.
pub(super) fn unknown_frame(kind: u8, payload: &[u8]) -> AmqpError {
    frame_error(kind, payload, "unknown_frame")
}

/// The error for a frame that its channel cannot take at all, such as a content on channel 0.
pub(super) fn unexpected_frame(kind: u8, payload: &[u8]) -> AmqpError {
    AmqpError::unexpected_frame(octets::frame_text(kind, payload)).with_method(MethodId::NONE)
}

/// The header of a frame to send.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "methods and headers are small, and bodies are cut to frame_max")]
pub(super) fn header(kind: u8, channel: u16, size: usize) -> [u8; FRAME_HEADER_BYTES] {
    let [c0, c1] = channel.to_be_bytes();
    let [s0, s1, s2, s3] = (size as u32).to_be_bytes();
    [kind, c0, c1, s0, s1, s2, s3]
}

/// Gives the frame type its name, and refuses what no channel could make sense of.
fn check(kind: u8, channel: u16, payload: &[u8]) -> Result<Frame<'_>, AmqpError> {
    let frame_kind = match kind {
        METHOD => FrameKind::Method,
        HEADER => FrameKind::Header,
        BODY => FrameKind::Body,
        HEARTBEAT => FrameKind::Heartbeat,
        _ => return Err(unknown_frame(kind, payload)),
    };
    // Everything clients can send is longer than these, so a channel or a content that is due has no say in it.
    let malformed = match frame_kind {
        FrameKind::Method => payload.len() < METHOD_BYTES_MIN,
        FrameKind::Header => payload.len() < CONTENT_HEADER_BYTES_MIN,
        FrameKind::Body => false,
        FrameKind::Heartbeat => !payload.is_empty(),
    };
    if malformed {
        return Err(unknown_frame(kind, payload));
    }
    match frame_kind {
        FrameKind::Heartbeat if channel != 0 => Err(unexpected_frame(kind, payload)),
        FrameKind::Header | FrameKind::Body if channel == 0 => Err(unexpected_frame(kind, payload)),
        FrameKind::Method | FrameKind::Header | FrameKind::Body | FrameKind::Heartbeat => {
            Ok(Frame { kind: frame_kind, channel, payload })
        }
    }
}

fn too_large(kind: u8, size: u32, frame_max: u32) -> AmqpError {
    let payload_max = frame_max.saturating_sub(8);
    frame_error(kind, &[], &format!("{{frame_too_large,{size},{payload_max}}}"))
}

fn frame_error(kind: u8, payload: &[u8], reason: &str) -> AmqpError {
    AmqpError::frame_error(format!("{}: {reason}", octets::frame_text(kind, payload))).with_method(MethodId::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ReplyCode;

    fn octets(kind: u8, channel: u16, payload: &[u8], end: u8) -> Vec<u8> {
        [&header(kind, channel, payload.len()), payload, &[end]].concat()
    }

    #[track_caller]
    fn refused(bytes: &[u8], code: ReplyCode, explanation: &str) {
        let error = next_frame(bytes, 131_072).unwrap_err();
        assert_eq!((error.code, error.explanation.as_str()), (code, explanation));
        assert_eq!(error.method, Some(MethodId::NONE));
    }

    #[test]
    fn a_frame_is_cut_from_the_buffer_in_place() {
        let mut buffer = octets(BODY, 7, b"abc", FRAME_END);
        buffer.extend_from_slice(b"next");
        let (frame, consumed) = next_frame(&buffer, 8192).unwrap().unwrap();
        assert_eq!(frame, Frame { kind: FrameKind::Body, channel: 7, payload: b"abc" });
        assert_eq!(consumed, 11);
    }

    #[test]
    fn a_frame_cut_short_anywhere_waits_for_more() {
        let buffer = octets(BODY, 7, b"abc", FRAME_END);
        for end in 0..buffer.len() {
            assert_eq!(next_frame(&buffer[..end], 8192), Ok(None), "{end} octets");
        }
    }

    #[test]
    fn a_frame_too_large_is_refused_by_its_header_alone() {
        refused(
            &header(BODY, 1, 131_073),
            ReplyCode::FrameError,
            "type 3, all octets = <<>>: {frame_too_large,131073,131064}",
        );
    }

    #[test]
    fn eight_octets_more_than_frame_max_allows_are_tolerated() {
        assert_eq!(next_frame(&header(BODY, 1, 131_072), 131_072), Ok(None));
    }

    #[test]
    fn a_wrong_end_marker_is_refused() {
        refused(
            &octets(METHOD, 1, &[0, 90, 0, 10], 255),
            ReplyCode::FrameError,
            "type 1, all octets = <<0,90,0,10>>: {invalid_frame_end_marker,255}",
        );
    }

    #[test]
    fn an_unknown_type_is_refused_on_any_channel() {
        for channel in [0, 1, 65535] {
            refused(
                &octets(9, channel, b"abc", FRAME_END),
                ReplyCode::FrameError,
                r#"type 9, all octets = <<"abc">>: unknown_frame"#,
            );
        }
        refused(
            &octets(9, 1, b"abcdefghijklmnopq", FRAME_END),
            ReplyCode::FrameError,
            r#"type 9, first 16 octets = <<"abcdefghijklmnop">>: unknown_frame"#,
        );
    }

    #[test]
    fn a_method_or_header_too_short_to_be_one_is_refused() {
        refused(
            &octets(METHOD, 1, &[0, 50, 0], FRAME_END),
            ReplyCode::FrameError,
            "type 1, all octets = <<0,50,0>>: unknown_frame",
        );
        refused(
            &octets(HEADER, 1, &[0, 60, 0, 0, 0], FRAME_END),
            ReplyCode::FrameError,
            "type 2, all octets = <<0,60,0,0,0>>: unknown_frame",
        );
    }

    #[test]
    fn a_heartbeat_must_be_empty_and_on_channel_0() {
        refused(&octets(HEARTBEAT, 1, b"", FRAME_END), ReplyCode::UnexpectedFrame, "type 8, all octets = <<>>");
        refused(
            &octets(HEARTBEAT, 0, b"xyz", FRAME_END),
            ReplyCode::FrameError,
            r#"type 8, all octets = <<"xyz">>: unknown_frame"#,
        );
    }

    #[test]
    fn a_content_on_channel_0_is_refused() {
        refused(&octets(BODY, 0, b"abc", FRAME_END), ReplyCode::UnexpectedFrame, r#"type 3, all octets = <<"abc">>"#);
    }
}
