//! `leveret ping`: whether a broker answers.

use std::process::ExitCode;

use clap::Args;

use super::Run;
use super::broker_options::BrokerOptions;
use super::ending::{Failed, end};

/// The arguments of `leveret ping`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 it answers, 69 it does not.\n\nExample: leveret ping --quiet")]
pub(super) struct Ping {
    #[command(flatten)]
    broker: BrokerOptions,

    /// Say nothing when it answers
    #[arg(long, short)]
    quiet: bool,
}

impl Run for Ping {
    fn run(self) -> ExitCode {
        end(self.ping())
    }
}

impl Ping {
    fn ping(&self) -> Result<String, Failed> {
        let client = self.broker.client()?;
        client.get("/overview?columns=node")?;
        Ok(if self.quiet { String::new() } else { format!("{} answers\n", client.target()) })
    }
}
