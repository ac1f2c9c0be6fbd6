//! The types of settings: how a value is read from text, and shown. Flags, variables and files all give text.

mod auth;
mod ceiling;
mod choice;
mod listen;
mod log;
mod log_filter;
mod path;
mod rotation;
mod size;
mod syslog;
mod text;
mod time;
mod tls;
mod url;
mod vhost_default;

pub(crate) use auth::{Algorithm, AskWith, AuthBackend, BackendKind, DirectoryQuery, Named, TagQueries, WebAddress};
pub(crate) use ceiling::{Ceiling, ChannelMax, FrameMax};
pub(crate) use choice::LogFormat;
pub use listen::Listen;
pub(crate) use listen::{Backlog, PortNumber};
pub(in crate::config) use log::CATEGORIES;
pub(crate) use log::{CategoryLevel, FileBytes, FileCount, LogFileName, LogLevel};
pub(crate) use log_filter::LogFilter;
pub(crate) use path::UrlPath;
pub(crate) use rotation::RotationDate;
pub(in crate::config) use size::read_bytesize;
pub(crate) use size::{MessageBytes, Share};
pub(crate) use syslog::{SyslogFacility, SyslogIdentity, SyslogProtocol, SyslogTransport};
pub(crate) use text::{Expression, Secret, SystemGroup};
pub(crate) use time::{Seconds, Timeout};
pub(crate) use tls::{CertificatePart, Index};
pub(crate) use url::HttpUrl;
pub(crate) use vhost_default::{LimitProperties, PolicyProperties, PropertyValue, UserProperties, VhostDefault};

/// A type of settings.
pub(super) trait SettingValue: Sized {
    /// What stands for a value in the help.
    const NAME: &'static str;
    /// What may be said, for whoever said something else.
    const ALLOWED: &'static str;
    /// Several values may be given.
    const IS_LIST: bool = false;
    /// A flag without a value means yes.
    const IS_SWITCH: bool = false;
    /// Nobody is shown what it is.
    const IS_SECRET: bool = false;

    /// Reads one value.
    ///
    /// # Errors
    /// What is wrong and what is allowed, as the end of a sentence.
    fn read(text: &str) -> Result<Self, String>;

    /// Reads what was given. Of a setting that is no list the last value counts.
    ///
    /// # Errors
    /// As for [`SettingValue::read`].
    fn read_all(texts: &[String]) -> Result<Self, String> {
        Self::read(texts.last().map_or("", String::as_str))
    }

    /// Looks at one value.
    ///
    /// # Errors
    /// As for [`SettingValue::read`].
    fn check(text: &str) -> Result<(), String> {
        Self::read(text).map(drop)
    }

    /// It as it would be given; `None` when nothing was.
    fn show(&self) -> Option<String>;

    /// The same of each value of a list.
    fn items(&self) -> Vec<String> {
        self.show().into_iter().collect()
    }
}

/// One value of a list.
pub(super) trait Item: SettingValue {}

impl<T: Item> SettingValue for Vec<T> {
    const NAME: &'static str = T::NAME;
    const ALLOWED: &'static str = T::ALLOWED;
    const IS_LIST: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        Ok(vec![T::read(text)?])
    }

    fn read_all(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| T::read(text)).collect()
    }

    fn show(&self) -> Option<String> {
        let shown = self.items();
        (!shown.is_empty()).then(|| shown.join(","))
    }

    fn items(&self) -> Vec<String> {
        self.iter().filter_map(T::show).collect()
    }
}

impl<T: SettingValue> SettingValue for Option<T> {
    const NAME: &'static str = T::NAME;
    const ALLOWED: &'static str = T::ALLOWED;
    const IS_LIST: bool = T::IS_LIST;
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(text: &str) -> Result<Self, String> {
        T::read(text).map(Some)
    }

    fn read_all(texts: &[String]) -> Result<Self, String> {
        T::read_all(texts).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(T::show)
    }

    fn items(&self) -> Vec<String> {
        self.as_ref().map(T::items).unwrap_or_default()
    }
}

/// The end of a sentence that says what is allowed.
fn allowed<T: SettingValue>() -> String {
    format!("allowed is {}", T::ALLOWED)
}
