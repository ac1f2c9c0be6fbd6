//! The configuration: what is set, where it was said, and what is wrong with it.
//!
//! `settings` is the table of all settings. Flags (`arguments`), variables (`environment`) and files (`toml_file`) give texts with their
//! origins; `merged` makes of them what holds. Only `load` touches files.

mod advice;
mod arguments;
mod environment;
#[cfg(feature = "cli")]
mod flags;
mod given;
mod load;
mod merged;
mod pairs;
mod rabbitmq;
mod setting;
mod settings;
mod shown;
#[cfg(feature = "cli")]
mod tasks;
mod toml_file;
mod value;

pub use arguments::Serve;
pub use environment::Environment;
pub use given::{Origin, ProblemSeverity};
pub use load::{load, read_text};
pub use merged::Configuration;
pub use setting::Setting;
pub use settings::Settings;
pub(crate) use settings::{DISK_FREE_LIMIT_BYTES_DEFAULT, SETTINGS};
pub(crate) use shown::reference;
#[cfg(feature = "cli")]
pub(crate) use tasks::CheckFormat;
#[cfg(feature = "cli")]
pub use tasks::{CheckTask, ConfigTask, EXIT_CONFIGURATION};
pub use value::Listen;
pub(crate) use value::{
    AskWith, AuthBackend, BackendKind, CertificatePart, ChannelMax, DirectoryQuery, FileBytes, FileCount, FrameMax,
    HttpUrl, LogFilter, LogFormat, Named, PropertyValue, RotationDate, Secret, Share, SyslogProtocol, SyslogTransport,
    SystemGroup, Timeout, VhostDefault, WebAddress,
};
#[cfg(test)]
pub(crate) use value::{LogLevel, PortNumber, Seconds};

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests;
