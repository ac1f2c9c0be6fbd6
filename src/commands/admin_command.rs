//! `leveret admin`: the same as `rabbitmqadmin`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use super::Run;
use super::admin;

/// The arguments of `leveret admin`, which `admin` reads itself.
#[derive(Debug, Args)]
#[command(disable_help_flag = true, after_help = "Example: leveret admin list queues")]
pub(super) struct Admin {
    /// What rabbitmqadmin takes; 'leveret admin help' lists it
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl Run for Admin {
    fn run(self) -> ExitCode {
        admin::run(self.arguments)
    }
}
