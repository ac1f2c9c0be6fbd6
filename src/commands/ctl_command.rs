//! `leveret ctl`: the same as `rabbitmqctl`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::Run;
use super::ctl::{self, Tool};

/// The arguments of `leveret ctl`, which `ctl` reads itself.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = "Example: leveret ctl list_queues name messages")]
pub(super) struct Ctl {
    /// What rabbitmqctl takes; 'leveret ctl help' lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl Run for Ctl {
    fn run(self) -> ExitCode {
        ctl::run(Tool::Ctl, self.arguments)
    }
}
