//! Times, with units.

use super::{SettingValue, allowed};

const UNITS_MS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 24 * 3_600_000)];

/// Milliseconds; a number without a unit is in `plain_ms`.
fn read_ms(text: &str, plain_ms: u64) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_ms = match unit.trim() {
        "" => plain_ms,
        unit => UNITS_MS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// Milliseconds, as the schema of `rabbitmq.conf` has them: units follow each other, as in `1h30m`.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    const LONGER_MS: [(&str, u64); 2] = [("w", 7 * 24 * 3_600_000), ("f", 14 * 24 * 3_600_000)];
    if let Ok(ms) = text.parse() {
        return i64::try_from(ms).is_ok().then_some(ms);
    }
    let (mut rest, mut sum_ms) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let (number, behind) = rest.split_at_checked(digits)?;
        let letters = behind.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at_checked(letters)?;
        let (_, unit_ms) = UNITS_MS.iter().chain(&LONGER_MS).find(|(name, _)| *name == unit)?;
        sum_ms = sum_ms.checked_add(number.parse::<u64>().ok()?.checked_mul(*unit_ms)?)?;
        rest = next;
    }
    (!text.is_empty() && i64::try_from(sum_ms).is_ok()).then_some(sum_ms)
}

/// It with the largest unit that leaves a whole number.
fn show_ms(ms: u64) -> String {
    let fits = |unit_ms: u64| ms != 0 && ms.is_multiple_of(unit_ms);
    let unit = UNITS_MS.iter().rev().find(|(_, unit_ms)| fits(*unit_ms));
    unit.map_or_else(|| format!("{ms}ms"), |(name, unit_ms)| format!("{}{name}", ms / unit_ms))
}

/// How long something may take, in milliseconds; or as long as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub Option<u64>);

impl SettingValue for Timeout {
    const NAME: &'static str = "TIME";
    const ALLOWED: &'static str = "a time (30m, 90s, 500ms; without a unit milliseconds), or off";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" | "undefined" | "infinity" | "false" => Ok(Self(None)),
            _ => match read_ms(text, 1) {
                Some(0) | None => Err(allowed::<Self>()),
                Some(ms) => Ok(Self(Some(ms))),
            },
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.map_or_else(|| "off".to_owned(), show_ms))
    }
}

/// A number of seconds that AMQP can tell a client; 0 is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(pub u16);

impl SettingValue for Seconds {
    const NAME: &'static str = "TIME";
    const ALLOWED: &'static str = "whole seconds up to 65535 (60s, 2m; without a unit seconds), or 0 for none";

    fn read(text: &str) -> Result<Self, String> {
        let ms = read_ms(text, 1_000).filter(|ms| ms.is_multiple_of(1_000)).ok_or_else(allowed::<Self>)?;
        u16::try_from(ms / 1_000).ok().map(Self).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(format!("{}s", self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_take_units() {
        for (text, ms) in [("500ms", 500), ("500", 500), ("30s", 30_000), ("30m", 1_800_000), ("1 h", 3_600_000)] {
            assert_eq!(Timeout::read(text), Ok(Timeout(Some(ms))), "{text}");
            assert_eq!(read_ms(&show_ms(ms), 1), Some(ms), "{text}");
        }
        assert_eq!(Timeout::read("off"), Ok(Timeout(None)));
        for text in ["", "0", "-1", "1.5s", "1y", "s", "999999999999999999d"] {
            assert_eq!(Timeout::read(text), Err(allowed::<Timeout>()), "{text}");
        }
    }

    #[test]
    fn heartbeats_are_whole_seconds() {
        for (text, seconds) in [("60", 60), ("0", 0), ("2m", 120), ("65535", 65_535)] {
            assert_eq!(Seconds::read(text), Ok(Seconds(seconds)), "{text}");
        }
        for text in ["500ms", "65536", "x", ""] {
            assert_eq!(Seconds::read(text), Err(allowed::<Seconds>()), "{text}");
        }
    }
}
