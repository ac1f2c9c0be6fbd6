//! One of a few words.

use super::{SettingValue, allowed};
use crate::auth::HashingAlgorithm;
use crate::broker::profile::Compatibility;
use crate::broker::queue::arguments::QueueKind;
use crate::nearest::nearest;

impl SettingValue for bool {
    const NAME: &'static str = "true|false";
    const ALLOWED: &'static str = "true or false";
    const IS_SWITCH: Self = true;

    fn read(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl SettingValue for LogFormat {
    const NAME: &'static str = "text|json";
    const ALLOWED: &'static str = "text or json";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "text" | "plaintext" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        let name = match self {
            Self::Text => "text",
            Self::Json => "json",
        };
        Some(name.to_owned())
    }
}

impl SettingValue for QueueKind {
    const NAME: &'static str = "classic|quorum";
    const ALLOWED: &'static str = "classic or quorum";

    fn read(text: &str) -> Result<Self, String> {
        // RabbitMQ takes the names of its modules, too.
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == text || kind.module() == text);
        kind.ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(self.name().to_owned())
    }
}

const HASHES: [(&str, HashingAlgorithm); 3] =
    [("sha256", HashingAlgorithm::Sha256), ("sha512", HashingAlgorithm::Sha512), ("md5", HashingAlgorithm::Md5)];

impl SettingValue for HashingAlgorithm {
    const NAME: &'static str = "sha256|sha512|md5";
    const ALLOWED: &'static str = "sha256, sha512 or md5";

    fn read(text: &str) -> Result<Self, String> {
        let known = HASHES.into_iter().find(|(name, _)| *name == text).map(|(_, algorithm)| algorithm);
        known.or_else(|| Self::from_name(text)).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        HASHES.iter().find(|(_, algorithm)| algorithm == self).map(|(name, _)| (*name).to_owned())
    }
}

const VERSIONS: [(&str, Compatibility); 3] =
    [("3.13", Compatibility::V3_13), ("4.2", Compatibility::V4_2), ("4.3", Compatibility::V4_3)];

impl SettingValue for Compatibility {
    const NAME: &'static str = "VERSION";
    const ALLOWED: &'static str = "3.13, 4.2 or 4.3";

    fn read(text: &str) -> Result<Self, String> {
        if let Some((_, version)) = VERSIONS.iter().find(|(name, _)| *name == text) {
            return Ok(*version);
        }
        Err(match closest_version(text) {
            Some(closest) => format!("{}; {closest} is closest to it", allowed::<Self>()),
            None => allowed::<Self>(),
        })
    }

    fn show(&self) -> Option<String> {
        VERSIONS.iter().find(|(_, version)| version == self).map(|(name, _)| (*name).to_owned())
    }
}

/// The version that differs least from one that is not there: of the same major version the next one that is not older, else
/// the nearest.
fn closest_version(text: &str) -> Option<&'static str> {
    let number = |text: &str| {
        let mut parts = text.trim_start_matches('v').split('.').map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next().and_then(Result::ok).unwrap_or(0)))
    };
    let Some((major, minor)) = number(text) else {
        return nearest(text, VERSIONS.iter().map(|(name, _)| *name));
    };
    let same_major = VERSIONS.iter().filter(|(name, _)| number(name).is_some_and(|(known, _)| known == major));
    let distance = |name: &str| {
        let (_, known) = number(name).unwrap_or_default();
        // An older one is further away: what it lacks hurts, what a newer one has besides does not.
        if known >= minor { (known - minor) * 2 } else { (minor - known) * 2 + 1 }
    };
    match same_major.min_by_key(|(name, _)| distance(name)) {
        Some((name, _)) => Some(name),
        None if major < 4 => VERSIONS.first().map(|(name, _)| *name),
        None => VERSIONS.last().map(|(name, _)| *name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_version_is_one_that_there_is() {
        let closest = ["4.1", "4.0", "4", "v4.2.1", "4.4", "3.8", "3.12", "2.0", "5.0", "latest"].map(closest_version);
        let expected = [
            Some("4.2"),
            Some("4.2"),
            Some("4.2"),
            Some("4.2"),
            Some("4.3"),
            Some("3.13"),
            Some("3.13"),
            Some("3.13"),
            Some("4.3"),
            None,
        ];
        assert_eq!(closest, expected);
    }

    #[test]
    fn a_switch_takes_the_usual_words() {
        for text in ["true", "TRUE", "yes", "on", "1"] {
            assert_eq!(bool::read(text), Ok(true), "{text}");
        }
        for text in ["false", "no", "off", "0"] {
            assert_eq!(bool::read(text), Ok(false), "{text}");
        }
        assert!(bool::read("").is_err());
    }
}
