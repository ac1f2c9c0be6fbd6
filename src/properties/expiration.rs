//! The property `expiration`: a number of milliseconds that the wire carries as text.

use crate::table::Characters;

/// The longest time to live in milliseconds, ten years.
pub const EXPIRATION_MS_MAX: u64 = 315_360_000_000;

/// Reads the property `expiration` in milliseconds: decimal digits, perhaps behind a sign.
///
/// # Errors
/// The reason that follows `invalid expiration '...': ` in RabbitMQ's text.
pub fn parse_expiration(text: &[u8]) -> Result<u64, String> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, leftover) = digits.split_at_checked(end).unwrap_or_default();
    if digits.is_empty() {
        return Err("no_integer".into());
    }
    if !leftover.is_empty() {
        return Err(format!("{{leftover_string,{}}}", Characters(leftover)));
    }
    // Up to 255 digits fit the property, so the number is compared as text before it is read.
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let number = String::from_utf8_lossy(digits.get(zeros..).unwrap_or_default());
    if number.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(format!("{{value_negative,-{number}}}"));
    }
    match number.parse() {
        Ok(ms) if ms <= EXPIRATION_MS_MAX => Ok(ms),
        _ => Err(format!("{{value_too_large,{number}}}")),
    }
}
