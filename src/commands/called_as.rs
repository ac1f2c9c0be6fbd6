//! What the program is when it is called by another name, as by a link: one of RabbitMQ's tools.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use super::admin;
use super::ctl::{self, Tool};

/// What is done with the arguments behind the name.
type Run = fn(Vec<OsString>) -> ExitCode;

/// The names of RabbitMQ's tools. `rabbitmq-server` is `leveret serve`, and needs no row.
const NAMES: &[(&str, Run)] = &[
    ("rabbitmqctl", |arguments| ctl::run(Tool::Ctl, arguments)),
    ("rabbitmq-diagnostics", |arguments| ctl::run(Tool::Diagnostics, arguments)),
    ("rabbitmq-plugins", |arguments| ctl::run(Tool::Plugins, arguments)),
    ("rabbitmq-queues", |arguments| ctl::run(Tool::Queues, arguments)),
    ("rabbitmq-streams", |arguments| ctl::run(Tool::Streams, arguments)),
    ("rabbitmqadmin", admin::run),
    ("rabbitmq-upgrade", |arguments| ctl::run(Tool::Upgrade, arguments)),
];

/// RabbitMQ's server, which reads RabbitMQ's files where RabbitMQ has them.
const SERVER: &str = "rabbitmq-server";

/// Whether the program was called as RabbitMQ's server.
pub(super) fn is_server(name: &OsStr) -> bool {
    Path::new(name).file_name().is_some_and(|name| name == SERVER)
}

/// The tool that the program was called as.
pub(super) fn tool(name: &OsStr) -> Option<Run> {
    let name = Path::new(name).file_name()?;
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, run)| *run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_before_the_name_does_not_matter() {
        assert!(is_server(OsStr::new("/opt/rabbitmq/sbin/rabbitmq-server")));
        assert!(!is_server(OsStr::new("/usr/local/bin/leveret")));
        assert!(tool(OsStr::new("/opt/rabbitmq/sbin/rabbitmqctl")).is_some());
        assert!(tool(OsStr::new("rabbitmq-server")).is_none());
    }
}
