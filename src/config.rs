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
mod nearest;
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
pub use given::{FilePlace, Origin, Problem, ProblemSeverity};
pub use load::{load, read_text};
pub use merged::Configuration;
pub use setting::Setting;
pub use settings::{DISK_FREE_LIMIT_BYTES_DEFAULT, SETTINGS, Settings};
pub use shown::reference;
#[cfg(feature = "cli")]
pub use tasks::{CheckFormat, CheckTask, ConfigTask, EXIT_CONFIGURATION};
pub use value::{
    Algorithm, AskWith, AuthBackend, BackendKind, Backlog, CategoryLevel, CertificatePart, DirectoryQuery, Expression,
    FileBytes, FileCount, HttpUrl, Index, Listen, LogFileName, LogFilter, LogFormat, LogLevel, MessageBytes, Named,
    PortNumber, RotationDate, Seconds, Secret, Share, SyslogFacility, SyslogIdentity, SyslogProtocol, SyslogTransport,
    SystemGroup, TagQueries, Timeout, WebAddress,
};

#[cfg(test)]
#[cfg(feature = "cli")]
mod tests;
