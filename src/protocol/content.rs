//! Content headers: `class (u16), weight (u16), body size (u64), property flags, properties`.

use std::borrow::Cow;

use crate::error::AmqpError;
use crate::properties::{self, PropertiesError};
use crate::protocol::method::BASIC_PUBLISH;
use crate::protocol::{assembler, frame};

/// The only class with contents.
pub(super) const BASIC_CLASS: u16 = 60;
/// The largest body that may be announced: RabbitMQ's ceiling for `max_message_size`.
pub(crate) const BODY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Memory that a content header's word alone may claim; beyond it, memory grows with the data that really comes.
const RESERVED_BYTES_MAX: u64 = 1024 * 1024;
/// Octets of class, weight and body size; the property flags take two more.
const FIXED_BYTES: usize = 12;
const FLAGS_BYTES: usize = 2;

/// A content header, as it stands in the read buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentHeader<'a> {
    /// The size of the body that follows.
    pub(crate) body_bytes: u64,
    /// The property flags and values, in the form in which they are sent on; borrowed when that is how they came.
    pub properties: Cow<'a, [u8]>,
}

impl ContentHeader<'_> {
    /// Octets to make room for at once: the whole body, unless it is so large that a lying client could exhaust memory.
    pub fn body_bytes_to_reserve(&self) -> usize {
        // At most `RESERVED_BYTES_MAX`, which fits.
        usize::try_from(self.body_bytes.min(RESERVED_BYTES_MAX)).unwrap_or_default()
    }
}

/// Reads a header frame's payload.
///
/// # Errors
///
/// 505 for another class than `basic` or a weight, 501 for a header cut short, an announced body beyond 512 MiB, 502 for
/// malformed properties (RabbitMQ answers those with 541).
pub(crate) fn decode_header(payload: &[u8]) -> Result<ContentHeader<'_>, AmqpError> {
    let Some((&fixed, properties)) = payload.split_first_chunk::<FIXED_BYTES>().filter(|(_, p)| p.len() >= FLAGS_BYTES)
    else {
        return Err(frame::unknown_frame(frame::HEADER, payload));
    };
    let [c0, c1, w0, w1, size @ ..] = fixed;
    let class = u16::from_be_bytes([c0, c1]);
    if [w0, w1] != [0, 0] {
        return Err(assembler::header_due());
    }
    if class != BASIC_CLASS {
        return Err(header_of_another_class(class));
    }
    let body_bytes = u64::from_be_bytes(size);
    if body_bytes > BODY_BYTES_MAX {
        return Err(body_too_large(body_bytes));
    }
    // Last: what is announced is refused without a look at the properties, which are the dearest part.
    let properties = properties::receive(properties).map_err(|error| malformed_properties(&error))?;
    Ok(ContentHeader { body_bytes, properties })
}

fn header_of_another_class(class: u16) -> AmqpError {
    AmqpError::unexpected_frame(format!(
        "expected content header for class {BASIC_CLASS}, got one for class {class} instead"
    ))
    .with_method(BASIC_PUBLISH)
}

fn malformed_properties(error: &PropertiesError) -> AmqpError {
    AmqpError::syntax_error(format!("malformed content header: {error}")).with_method(BASIC_PUBLISH)
}

fn body_too_large(body_bytes: u64) -> AmqpError {
    AmqpError::frame_error(format!("content body size {body_bytes} exceeds maximum allowed size {BODY_BYTES_MAX}"))
        .with_method(BASIC_PUBLISH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ReplyCode;

    fn header(class: u16, weight: u16, body_bytes: u64, properties: &[u8]) -> Vec<u8> {
        [&class.to_be_bytes()[..], &weight.to_be_bytes(), &body_bytes.to_be_bytes(), properties].concat()
    }

    #[track_caller]
    fn refused(payload: &[u8], code: ReplyCode, explanation: &str) {
        let error = decode_header(payload).unwrap_err();
        assert_eq!((error.code, error.explanation.as_str()), (code, explanation));
        assert_eq!(error.method, Some(BASIC_PUBLISH));
    }

    #[test]
    fn properties_stay_where_they_are() {
        let payload = header(60, 0, 5, &[0x10, 0, 2]);
        let header = decode_header(&payload).unwrap();
        assert_eq!(header.body_bytes, 5);
        assert!(matches!(header.properties, Cow::Borrowed([0x10, 0, 2])));
    }

    #[test]
    fn headers_are_sorted_as_rabbitmq_sends_them_on() {
        let payload = header(60, 0, 0, b"\x20\0\0\0\0\x06\x01bV\x01aV");
        assert_eq!(&*decode_header(&payload).unwrap().properties, b"\x20\0\0\0\0\x06\x01aV\x01bV");
    }

    #[test]
    fn another_class_is_refused() {
        refused(
            &header(50, 0, 0, &[0, 0]),
            ReplyCode::UnexpectedFrame,
            "expected content header for class 60, got one for class 50 instead",
        );
    }

    #[test]
    fn a_weight_is_refused_before_the_class() {
        refused(
            &header(50, 1, 0, &[0, 0]),
            ReplyCode::UnexpectedFrame,
            "expected content header for class 60, got non content header frame instead",
        );
    }

    #[test]
    fn a_body_beyond_512_mib_is_refused() {
        assert!(decode_header(&header(60, 0, BODY_BYTES_MAX, &[0, 0])).is_ok());
        refused(
            &header(60, 0, 1 << 40, &[0, 0]),
            ReplyCode::FrameError,
            "content body size 1099511627776 exceeds maximum allowed size 536870912",
        );
    }

    #[test]
    fn malformed_properties_are_refused() {
        refused(
            &header(60, 0, 0, &[0x10, 0]),
            ReplyCode::SyntaxError,
            "malformed content header: the properties end in the middle of a value",
        );
    }

    #[test]
    fn a_header_that_ends_early_is_no_header() {
        let payload = header(60, 0, 0, &[0, 0]);
        for end in 0..payload.len() {
            let error = decode_header(&payload[..end]).unwrap_err();
            assert_eq!(error.code, ReplyCode::FrameError);
            assert!(error.explanation.ends_with(": unknown_frame"));
        }
    }

    #[test]
    fn a_header_alone_claims_little_memory() {
        let payload = header(60, 0, BODY_BYTES_MAX, &[0, 0]);
        assert_eq!(decode_header(&payload).unwrap().body_bytes_to_reserve(), 1024 * 1024);
        let payload = header(60, 0, 10, &[0, 0]);
        assert_eq!(decode_header(&payload).unwrap().body_bytes_to_reserve(), 10);
    }
}
