//! The octets of refused frames and methods, as RabbitMQ's texts show them.
//!
//! Clients log these texts and their users search for them, so the form is kept. What is not kept are the line breaks that
//! Erlang's pretty-printer puts into a term beyond column 80.

use crate::table::Bytes;

/// Octets that an error text shows of a frame's payload.
const OCTETS_SHOWN: usize = 16;

/// The payload of a frame that is refused: `type 1, all octets = <<0,50,0>>`, cut to its first 16 octets.
pub(crate) fn frame_text(frame_type: u8, payload: &[u8]) -> String {
    match payload.get(..OCTETS_SHOWN) {
        Some(first) if payload.len() > OCTETS_SHOWN => {
            format!("type {frame_type}, first {OCTETS_SHOWN} octets = {}", Bytes(first))
        }
        _ => format!("type {frame_type}, all octets = {}", Bytes(payload)),
    }
}

/// Octets as numbers even when they are printable, unlike [`Bytes`]: `<<97,98>>`.
pub(crate) fn numbers(octets: &[u8]) -> String {
    let mut text = String::from("<<");
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&octet.to_string());
    }
    text.push_str(">>");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_shows_its_first_16_octets() {
        assert_eq!(frame_text(9, b"abcdefghijklmnop"), r#"type 9, all octets = <<"abcdefghijklmnop">>"#);
        assert_eq!(frame_text(9, b"abcdefghijklmnopq"), r#"type 9, first 16 octets = <<"abcdefghijklmnop">>"#);
        assert_eq!(frame_text(1, b""), "type 1, all octets = <<>>");
    }

    #[test]
    fn a_payload_in_utf8_shows_as_text_and_says_so() {
        assert_eq!(frame_text(9, "€uro".as_bytes()), r#"type 9, all octets = <<"€uro"/utf8>>"#);
    }

    #[test]
    fn numbers_stay_numbers() {
        assert_eq!(numbers(b""), "<<>>");
        assert_eq!(numbers(b"ab"), "<<97,98>>");
    }
}
