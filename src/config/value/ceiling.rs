//! How many of something there may be.

use super::{SettingValue, allowed};
use crate::protocol::frame::FRAME_MAX_BEFORE_TUNE;

/// So many may be open at a time; `None` for as many as come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling(pub Option<u64>);

impl SettingValue for Ceiling {
    const NAME: &'static str = "LIMIT";
    const ALLOWED: &'static str = "a whole number, or infinity";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "infinity" => Ok(Self(None)),
            _ => text.parse().map(|max| Self(Some(max))).ok().ok_or_else(allowed::<Self>),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.map_or_else(|| "infinity".to_owned(), |max| max.to_string()))
    }
}

/// How many channels a client may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelMax(pub u16);

impl Default for ChannelMax {
    /// RabbitMQ's.
    fn default() -> Self {
        Self(2047)
    }
}

impl SettingValue for ChannelMax {
    const NAME: &'static str = "CHANNELS";
    const ALLOWED: &'static str = "a number of channels from 1 to 65535, or 0 for all of them";

    fn read(text: &str) -> Result<Self, String> {
        match text.parse() {
            // Offered as a number: with none a client has no limit that it could keep to.
            Ok(0) => Ok(Self(u16::MAX)),
            Ok(max) => Ok(Self(max)),
            Err(_) => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

/// The largest frame that can be asked for: both sides hold a whole one before it is used.
const FRAME_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// The largest frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameMax(pub u32);

impl Default for FrameMax {
    /// RabbitMQ's.
    fn default() -> Self {
        Self(131_072)
    }
}

impl SettingValue for FrameMax {
    const NAME: &'static str = "FRAME_BYTES";
    const ALLOWED: &'static str = "a number of bytes from 8192 to 16777216, or 0 for the largest";

    fn read(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Ok(Self(FRAME_BYTES_MAX)),
            Ok(max) if (FRAME_MAX_BEFORE_TUNE..=FRAME_BYTES_MAX).contains(&max) => Ok(Self(max)),
            Ok(_) | Err(_) => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_limit_in_each_way() {
        assert_eq!(Ceiling::read("infinity"), Ok(Ceiling(None)));
        assert_eq!(Ceiling::read("0"), Ok(Ceiling(Some(0))));
        assert_eq!(ChannelMax::read("0"), Ok(ChannelMax(65_535)));
        assert_eq!(FrameMax::read("0"), Ok(FrameMax(16_777_216)));
        assert!(Ceiling::read("-1").is_err() && ChannelMax::read("65536").is_err() && FrameMax::read("8191").is_err());
    }
}
