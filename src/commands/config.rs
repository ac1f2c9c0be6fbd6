//! `leveret config`: looks at the configuration, and has a running broker read it again.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use leveret::Broker;
use leveret::internals::config::{ConfigTask, EXIT_CONFIGURATION, Environment, load};

use super::Run;
use super::broker_options::BrokerOptions;
use super::ending::{Failed, end};
use super::system::Told;

/// The arguments of `leveret config`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret config show")]
pub(super) struct Config {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    #[command(flatten)]
    Look(ConfigTask),
    /// Have a running broker of this machine read its configuration again, as a hang-up (SIGHUP) does; its log says what it took over
    Reload(BrokerOptions),
}

impl Run for Config {
    fn run(self) -> ExitCode {
        match self.task {
            Task::Look(task) => look(&task),
            Task::Reload(broker) => end(reload(&broker)),
        }
    }
}

fn look(task: &ConfigTask) -> ExitCode {
    let environment = Environment::of_process();
    let (mut text, mut code) = task.run(&environment);
    // What the settings say can be read; what the files hold that they name is told by the start alone.
    if let ConfigTask::Check(serve) = task
        && code != EXIT_CONFIGURATION
        && let Err(error) = Broker::check_files(&load(serve, &environment).settings)
    {
        // Writing to a text cannot fail.
        writeln!(text, "{error}").ok();
        code = EXIT_CONFIGURATION;
    }
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_or(ExitCode::FAILURE, |()| ExitCode::from(code))
}

fn reload(broker: &BrokerOptions) -> Result<String, Failed> {
    let process = broker.client()?.process()?;
    super::client::signal(process, Told::HangUp)?;
    Ok(format!("process {process} reads its configuration again\n"))
}
