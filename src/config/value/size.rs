//! Numbers of bytes, with RabbitMQ's units.

use super::{SettingValue, allowed};
use crate::protocol::content::BODY_BYTES_MAX;

/// How large a message body may be, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageBytes(pub u64);

/// A number of bytes, or a share of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// So many bytes.
    Bytes(u64),
    /// So many thousandths of the memory that the machine, or the container, has.
    Permille(u32),
}

impl Share {
    /// It in bytes.
    pub(crate) fn of(self, memory_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Permille(permille) => memory_bytes / 1000 * u64::from(permille),
        }
    }
}

/// As RabbitMQ has them: `k`, `ki` and `kiB` are 1024 bytes, `kB` is 1000.
const UNITS: [(&str, u64); 22] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("ki", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mi", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gi", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("ti", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
    ("p", 1 << 50),
    ("pi", 1 << 50),
    ("pib", 1 << 50),
    ("pb", 1_000_000_000_000_000),
];

/// A number of bytes, with a unit or without.
pub(super) fn read_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit = unit.trim().to_ascii_lowercase();
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}

/// A number of bytes as some keys of `rabbitmq.conf` have it, whose units are all powers of 1024: the type `bytesize` of its schema.
pub(in crate::config) fn read_bytesize(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let bits = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << bits)
}

/// It with the largest unit that leaves a whole number.
pub(super) fn show_bytes(bytes: u64) -> String {
    let whole = |unit: u64| bytes != 0 && bytes.is_multiple_of(unit);
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| whole(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

impl SettingValue for MessageBytes {
    const NAME: &'static str = "BYTES";
    const ALLOWED: &'static str = "a whole number of bytes up to 512MiB, with a unit or without: 64MB, 16MiB, 1048576";

    fn read(text: &str) -> Result<Self, String> {
        match read_bytes(text) {
            Some(bytes) if bytes > BODY_BYTES_MAX => Err(format!("{bytes} is not in 0..={BODY_BYTES_MAX}")),
            Some(bytes) => Ok(Self(bytes)),
            None => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(show_bytes(self.0))
    }
}

impl SettingValue for Share {
    const NAME: &'static str = "BYTES";
    const ALLOWED: &'static str =
        "a whole number of bytes, with a unit or without (2GB, 512MiB, 1048576), or a share of the memory (50%)";

    fn read(text: &str) -> Result<Self, String> {
        let Some(percent) = text.strip_suffix('%') else {
            return read_bytes(text).map(Self::Bytes).ok_or_else(allowed::<Self>);
        };
        permille(percent.trim(), 1).map(Self::Permille).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(match *self {
            Self::Bytes(bytes) => show_bytes(bytes),
            Self::Permille(permille) if permille.is_multiple_of(10) => format!("{}%", permille / 10),
            Self::Permille(permille) => format!("{}.{}%", permille / 10, permille % 10),
        })
    }
}

/// A decimal number times ten to the power of `places`, without what lies beyond them; up to a hundred times the memory.
fn permille(text: &str, places: usize) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(places).collect();
    format!("{whole}{fraction}").parse().ok().filter(|permille| *permille <= 100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_rabbitmqs() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("1k", 1024),
            ("1kB", 1000),
            ("1KiB", 1024),
            ("2GB", 2_000_000_000),
            ("1GiB", 1 << 30),
            ("1G", 1 << 30),
            ("512 MiB", 512 << 20),
            ("1TB", 1_000_000_000_000),
            ("1Ti", 1 << 40),
            ("1PB", 1_000_000_000_000_000),
            ("1PiB", 1 << 50),
        ] {
            assert_eq!(read_bytes(text), Some(bytes), "{text}");
            assert_eq!(read_bytes(&show_bytes(bytes)), Some(bytes), "{text}");
        }
        for text in ["", "GB", "1.5GB", "-1", "1XB", "99999999999999999999", "99999999999TB", "50%"] {
            assert_eq!(MessageBytes::read(text), Err(allowed::<MessageBytes>()), "{text}");
        }
        assert_eq!(MessageBytes::read("1GiB"), Err("1073741824 is not in 0..=536870912".to_owned()));
    }

    #[test]
    fn a_share_is_bytes_or_a_part_of_the_memory() {
        for (text, permille) in [("50%", 500), ("0%", 0), ("62.5%", 625), ("150%", 1500)] {
            assert_eq!(Share::read(text), Ok(Share::Permille(permille)), "{text}");
            assert_eq!(Share::Permille(permille).show().as_deref(), Some(text));
        }
        assert_eq!(Share::Permille(500).of(4_000), 2_000);
        assert_eq!(Share::read("1GiB"), Ok(Share::Bytes(1 << 30)));
        for text in ["%", "-1%", "5,5%", "x%", "99999999%"] {
            assert_eq!(Share::read(text), Err(allowed::<Share>()), "{text}");
        }
    }
}
