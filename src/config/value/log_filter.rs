//! What of the log is written.

use super::{SettingValue, allowed};
use crate::nearest::nearest;

/// Levels of the log, in the words of `tracing`, such as `info` or `info,leveret::http=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFilter(pub String);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

/// RabbitMQ's levels, and those of the log here. RabbitMQ's finer grades of errors are all errors.
const LEVELS: [(&str, &str); 13] = [
    ("trace", "trace"),
    ("debug", "debug"),
    ("info", "info"),
    ("notice", "info"),
    ("warning", "warn"),
    ("warn", "warn"),
    ("error", "error"),
    ("critical", "error"),
    ("alert", "error"),
    ("emergency", "error"),
    ("none", "off"),
    ("off", "off"),
    ("all", "trace"),
];

/// A level in RabbitMQ's words, in those of `tracing`.
pub(super) fn rabbitmqs_level(text: &str) -> Option<&'static str> {
    let text = text.trim().to_ascii_lowercase();
    LEVELS.iter().find(|(name, _)| *name == text).map(|(_, level)| *level)
}

impl SettingValue for LogFilter {
    const NAME: &'static str = "LEVEL";
    const ALLOWED: &'static str = "debug, info, warning, error or none, and levels of parts: info,leveret::http=debug";

    fn read(text: &str) -> Result<Self, String> {
        let directive = |part: &str| match part.split_once('=') {
            None => rabbitmqs_level(part).map(str::to_owned).ok_or_else(|| refused_level(part, Self::ALLOWED)),
            Some((target, of_it)) if is_target(target) => {
                let level = rabbitmqs_level(of_it).ok_or_else(|| refused_level(of_it, Self::ALLOWED))?;
                Ok(format!("{}={level}", target.trim()))
            }
            Some(_) => Err(allowed::<Self>()),
        };
        let directives: Result<Vec<_>, _> = text.split(',').map(directive).collect();
        directives.map(|directives| Self(directives.join(",")))
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// A path of modules, and nothing of what else a filter can hold.
fn is_target(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || "_:".contains(character))
}

/// Why a word is no level: what is allowed, and what was probably meant.
pub(super) fn refused_level(word: &str, allowed: &str) -> String {
    let likely = nearest(word, LEVELS.iter().map(|(name, _)| *name));
    let likely = likely.map(|likely| format!("; did you mean {likely}?")).unwrap_or_default();
    format!("allowed is {allowed}{likely}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_rabbitmqs_too() {
        for (text, filter) in [
            ("info", "info"),
            ("WARNING", "warn"),
            ("critical", "error"),
            ("none", "off"),
            ("info,leveret::http=debug", "info,leveret::http=debug"),
        ] {
            assert_eq!(LogFilter::read(text), Ok(LogFilter(filter.to_owned())), "{text}");
        }
    }

    /// Such a word names a part of the program for `tracing`, and an empty filter is one that lets nothing through: both silence the log.
    #[test]
    fn what_would_silence_the_log_is_refused() {
        for text in ["verbose", "", ",", "info,", "leveret", "leveret=loud", "[x]=info"] {
            assert!(LogFilter::read(text).is_err(), "{text}");
        }
        assert!(LogFilter::read("infoo").unwrap_err().ends_with("did you mean info?"));
    }
}
