//! Where the log goes, how much of it, and when its files are rotated.

use std::path::{Path, PathBuf};

use super::log_filter::{LogFilter, rabbitmqs_level, refused_level};
use super::size::{read_bytes, show_bytes};
use super::{Item, SettingValue, allowed};

/// A level of the log: how bad something must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(&'static str);

/// From the one that writes nothing.
const BY_DETAIL: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl LogLevel {
    /// Only what went wrong.
    #[cfg(test)]
    pub(crate) const ERROR: Self = Self("error");

    /// Whichever writes less.
    #[must_use]
    pub(crate) fn at_most(self, other: Self) -> Self {
        let detail = |level: Self| BY_DETAIL.iter().position(|word| *word == level.0);
        if detail(self) <= detail(other) { self } else { other }
    }
}

impl SettingValue for LogLevel {
    const NAME: &'static str = "LEVEL";
    const ALLOWED: &'static str = "debug, info, warning, error or none";

    fn read(text: &str) -> Result<Self, String> {
        rabbitmqs_level(text).map(Self).ok_or_else(|| refused_level(text, Self::ALLOWED))
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

/// The level of one category: `connection=debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CategoryLevel {
    /// The category, which is the target of its events.
    pub(crate) category: &'static str,
    /// Lines of the category below this level are not written.
    pub(crate) level: LogLevel,
}

/// The categories that lines of the log belong to, in RabbitMQ's words.
pub(in crate::config) const CATEGORIES: [&str; 4] = ["connection", "channel", "queue", "exchange"];

impl SettingValue for CategoryLevel {
    const NAME: &'static str = "CATEGORY=LEVEL";
    const ALLOWED: &'static str =
        "connection, channel, queue or exchange, and its level: connection=debug, channel=error";

    fn read(text: &str) -> Result<Self, String> {
        let (category, level) = text.split_once('=').ok_or_else(allowed::<Self>)?;
        let category = CATEGORIES.into_iter().find(|known| *known == category.trim()).ok_or_else(allowed::<Self>)?;
        Ok(Self { category, level: LogLevel::read(level)? })
    }

    fn show(&self) -> Option<String> {
        Some(format!("{}={}", self.category, self.level.0))
    }
}

impl Item for CategoryLevel {}

impl LogFilter {
    /// What an output writes: at most its own level, if it has one, and of categories what theirs say.
    #[must_use]
    pub(crate) fn of_output(&self, output: Option<LogLevel>, categories: &[CategoryLevel]) -> Self {
        let mut directives = vec![output.map_or_else(|| self.0.clone(), |level| level.0.to_owned())];
        for CategoryLevel { category, level } in categories {
            let level = output.map_or(*level, |output| output.at_most(*level));
            directives.push(format!("{category}={}", level.0));
        }
        Self(directives.join(","))
    }
}

/// The file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogFileName {
    /// There is to be none.
    Off,
    /// This one; a name without directories is one in the directory of the log.
    At(PathBuf),
}

impl LogFileName {
    /// Where it is, if these are the directory of the log and the file that is there unless another one is named.
    pub(crate) fn path(this: Option<&Self>, directory: Option<&Path>, default_name: &str) -> Option<PathBuf> {
        match (this, directory) {
            (Some(Self::Off), _) | (None, None) => None,
            (None, Some(directory)) => Some(directory.join(format!("{default_name}.log"))),
            // An absolute path stays what it is: `join` puts it in place of the directory.
            (Some(Self::At(file)), directory) => Some(directory.map_or_else(|| file.clone(), |it| it.join(file))),
        }
    }
}

impl SettingValue for LogFileName {
    const NAME: &'static str = "FILE";
    const ALLOWED: &'static str = "a path that is not empty, or false";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "" => Err(allowed::<Self>()),
            "false" | "-" => Ok(Self::Off),
            path => Ok(Self::At(PathBuf::from(path))),
        }
    }

    fn show(&self) -> Option<String> {
        Some(match self {
            Self::Off => "false".to_owned(),
            Self::At(path) => path.display().to_string(),
        })
    }
}

/// How large a file may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBytes(pub u64);

impl SettingValue for FileBytes {
    const NAME: &'static str = "BYTES";
    const ALLOWED: &'static str = "a whole number of bytes above 0, with a unit or without: 10MB, 16MiB, 1048576";

    fn read(text: &str) -> Result<Self, String> {
        read_bytes(text).filter(|bytes| *bytes > 0).map(Self).ok_or_else(allowed::<Self>)
    }

    fn show(&self) -> Option<String> {
        Some(show_bytes(self.0))
    }
}

/// How many rotated files are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileCount(pub u16);

impl SettingValue for FileCount {
    const NAME: &'static str = "COUNT";
    const ALLOWED: &'static str = "a whole number from 0 to 65535";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_not_a_number| allowed::<Self>())
    }

    fn show(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(output: Option<&str>, categories: &[&str]) -> String {
        let output = output.map(|level| LogLevel::read(level).unwrap());
        let categories: Vec<_> = categories.iter().map(|text| CategoryLevel::read(text).unwrap()).collect();
        LogFilter::default().of_output(output, &categories).0
    }

    /// A category is written no more verbosely than its output, as in RabbitMQ.
    #[test]
    fn the_less_verbose_of_output_and_category_holds() {
        assert_eq!(filter(None, &[]), "info");
        assert_eq!(filter(None, &["queue=debug", "channel=none"]), "info,queue=debug,channel=off");
        assert_eq!(filter(Some("warning"), &["queue=debug", "channel=critical"]), "warn,queue=warn,channel=error");
        assert_eq!(filter(Some("debug"), &["connection=error"]), "debug,connection=error");
    }

    #[test]
    fn a_category_that_there_is_not_is_refused() {
        for text in ["queues=debug", "queue", "queue=", "=debug", "queue=loud"] {
            assert!(CategoryLevel::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_directory_alone_has_the_file_of_the_node() {
        let path = |file: Option<&str>, directory: Option<&str>| {
            let file = file.map(|file| LogFileName::read(file).unwrap());
            LogFileName::path(file.as_ref(), directory.map(Path::new), "rabbit@a")
                .map(|path| path.display().to_string())
        };
        assert_eq!(path(None, None), None);
        assert_eq!(path(None, Some("/var/log")).as_deref(), Some("/var/log/rabbit@a.log"));
        assert_eq!(path(Some("a.log"), Some("/var/log")).as_deref(), Some("/var/log/a.log"));
        assert_eq!(path(Some("/tmp/a.log"), Some("/var/log")).as_deref(), Some("/tmp/a.log"));
        assert_eq!(path(Some("a.log"), None).as_deref(), Some("a.log"));
        assert_eq!(path(Some("false"), Some("/var/log")), None);
    }
}
