//! The property `expiration`: a number of milliseconds that the wire carries as text.

use std::fmt;

use crate::table::Characters;

/// The longest time to live in milliseconds, ten years.
pub(crate) const EXPIRATION_MS_MAX: u64 = 315_360_000_000;

/// Why a text is no time to live. It prints as what follows `invalid expiration '...': ` in RabbitMQ's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InvalidExpiration {
    /// It does not begin with a number.
    NoInteger,
    /// This follows the number.
    Leftover(Vec<u8>),
    /// The digits of a negative number.
    Negative(String),
    /// The digits of a number above [`EXPIRATION_MS_MAX`].
    TooLarge(String),
}

impl fmt::Display for InvalidExpiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInteger => f.write_str("no_integer"),
            Self::Leftover(text) => write!(f, "{{leftover_string,{}}}", Characters(text)),
            Self::Negative(digits) => write!(f, "{{value_negative,-{digits}}}"),
            Self::TooLarge(digits) => write!(f, "{{value_too_large,{digits}}}"),
        }
    }
}

/// Reads a number of milliseconds, as in the property `expiration`: decimal digits, perhaps behind a sign.
///
/// # Errors
/// Why it is none.
pub(crate) fn parse_expiration(text: &[u8]) -> Result<u64, InvalidExpiration> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, leftover) = digits.split_at_checked(end).unwrap_or_default();
    if digits.is_empty() {
        return Err(InvalidExpiration::NoInteger);
    }
    if !leftover.is_empty() {
        return Err(InvalidExpiration::Leftover(leftover.to_vec()));
    }
    // There may be any number of digits, so the number is compared as text before it is read.
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let number = String::from_utf8_lossy(digits.get(zeros..).unwrap_or_default());
    if number.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(InvalidExpiration::Negative(number.into_owned()));
    }
    match number.parse() {
        Ok(ms) if ms <= EXPIRATION_MS_MAX => Ok(ms),
        _ => Err(InvalidExpiration::TooLarge(number.into_owned())),
    }
}
