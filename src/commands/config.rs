//! `leveret config`: looks at the configuration.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use leveret::config::{ConfigTask, Environment};

use super::Run;

/// The arguments of `leveret config`.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    task: ConfigTask,
}

impl Run for Config {
    fn run(self) -> ExitCode {
        let (text, code) = self.task.run(&Environment::of_process());
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_or(ExitCode::FAILURE, |()| ExitCode::from(code))
    }
}
