//! `rabbitmq-server`: `leveret serve`, and in the background with `-detached`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitCode, Stdio};

use super::system;

/// RabbitMQ's spelling has one dash.
const DETACHED: [&str; 2] = ["-detached", "--detached"];

/// Starts the server in the background if that is asked for; `None` if it is not.
pub(super) fn start(arguments: &[OsString]) -> Option<ExitCode> {
    let (name, rest) = arguments.split_first()?;
    let is_detached = |argument: &OsString| DETACHED.iter().any(|flag| argument == flag);
    if !rest.iter().any(is_detached) {
        return None;
    }
    let started = std::env::current_exe().and_then(|program| {
        let mut command = Command::new(program);
        // Under the name that this was called by: it decides whether RabbitMQ's files are read
        // where RabbitMQ has them.
        system::detach(&mut command, name);
        command.args(rest.iter().filter(|argument| !is_detached(argument)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    });
    Some(match started {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(io::stderr(), "leveret: cannot start in the background: {error}").ok();
            ExitCode::FAILURE
        }
    })
}
