//! `leveret store`: looks after a data directory that no broker uses now.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use leveret::internals::config::CheckTask;
use leveret::internals::server::check::{self, CheckVerdict};

use super::Run;

/// The arguments of `leveret store`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret store check --data-dir ./data")]
pub(super) struct Store {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Read everything and say what is wrong, without changing anything. Exit codes: 0 whole, 1 damaged, 2 cannot be checked.
    Check(CheckTask),
}

impl Run for Store {
    fn run(self) -> ExitCode {
        let Task::Check(check) = self.task;
        match check::check(&check, &mut io::stdout().lock()) {
            Ok(CheckVerdict::Whole) => ExitCode::SUCCESS,
            Ok(CheckVerdict::Damaged) => ExitCode::from(1),
            Err(error) => {
                writeln!(io::stderr(), "leveret: {error}").ok();
                ExitCode::from(2)
            }
        }
    }
}
