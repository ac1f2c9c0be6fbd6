//! `leveret definitions`: everything that is declared, as a file of RabbitMQ's form.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::broker_options::BrokerOptions;
use super::client::{Client, Problem, escaped};
use super::ending::{Failed, end};
use super::exit;
use super::target::TlsOptions;
use super::{Run, system};

/// The arguments of `leveret definitions`.
#[derive(Debug, Args)]
pub(super) struct Definitions {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the definitions of a running broker
    #[command(after_help = "Example: leveret definitions export definitions.json")]
    Export(Arguments),
    /// Have a running broker take definitions: all that can be looked at first, then all
    #[command(after_help = "Example: leveret definitions import definitions.json")]
    Import(Arguments),
    /// Look at a file with a broker of its own, in memory, which is gone afterwards. Exit codes: 0 can be imported, 65 cannot
    #[command(after_help = "Example: leveret definitions check definitions.json")]
    Check(CheckArguments),
}

#[derive(Debug, Args)]
struct Arguments {
    /// The file; the standard input or output without it, or with -
    file: Option<PathBuf>,

    /// Only of this virtual host
    #[arg(long, value_name = "NAME")]
    vhost: Option<String>,

    #[command(flatten)]
    broker: BrokerOptions,
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// The file; the standard input without it, or with -
    file: Option<PathBuf>,
}

impl Run for Definitions {
    fn run(self) -> ExitCode {
        end(match self.task {
            Task::Export(arguments) => export(&arguments),
            Task::Import(arguments) => import(&arguments),
            Task::Check(arguments) => check(arguments.file.as_deref()),
        })
    }
}

/// A file that was named; `None` is the standard input or output.
fn named(file: Option<&Path>) -> Option<&Path> {
    file.filter(|file| *file != Path::new("-"))
}

fn path(vhost: Option<&str>) -> String {
    vhost.map_or_else(|| "/definitions".to_owned(), |vhost| format!("/definitions/{}", escaped(vhost)))
}

fn export(arguments: &Arguments) -> Result<String, Failed> {
    let found: Value = arguments.broker.client()?.get(&path(arguments.vhost.as_deref()))?;
    // For people, and for tools that compare lines.
    let text = format!("{found:#}\n");
    let Some(file) = named(arguments.file.as_deref()) else { return Ok(text) };
    let unwritable = |error| Failed::other(exit::DATA, format!("cannot write {}: {error}", file.display()));
    system::write_for_one_user(file, text.as_bytes()).map_err(unwritable)?;
    Ok(String::new())
}

fn read(file: Option<&Path>) -> Result<Vec<u8>, Failed> {
    let read = match named(file) {
        Some(file) => std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display())),
        None => {
            let mut bytes = Vec::new();
            let read = std::io::stdin().read_to_end(&mut bytes);
            read.map(|_| bytes).map_err(|error| format!("cannot read the standard input: {error}"))
        }
    };
    read.map_err(|text| Failed::other(exit::DATA, text))
}

fn post(client: &Client, path: &str, definitions: Vec<u8>) -> Result<(), Failed> {
    match client.bytes(&Method::POST, path, definitions) {
        Ok(_) => Ok(()),
        Err(Problem::Refused { status: 400, reason, .. }) => Err(Failed::other(exit::DATA, reason)),
        Err(problem) => Err(problem.into()),
    }
}

fn import(arguments: &Arguments) -> Result<String, Failed> {
    let definitions = read(arguments.file.as_deref())?;
    post(&arguments.broker.client()?, &path(arguments.vhost.as_deref()), definitions)?;
    Ok("imported\n".to_owned())
}

/// The one check that cannot disagree with an import is an import.
fn check(file: Option<&Path>) -> Result<String, Failed> {
    let definitions = read(file)?;
    let software = |error: &dyn std::fmt::Display| Failed::other(exit::SOFTWARE, error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| software(&error))?;
    let builder = leveret::Broker::builder().in_memory().http_listen(([127, 0, 0, 1], 0).into());
    let broker = runtime.block_on(builder.start()).map_err(|error| software(&error))?;
    let address = broker.http_address().ok_or_else(|| software(&"there is no HTTP API"))?;
    let target = super::target::http(&address.to_string(), None, None, &TlsOptions::default())
        .map_err(|error| software(&error))?;
    let checked = post(&Client::new(target, None)?, "/definitions", definitions);
    runtime.block_on(broker.stop());
    checked.map(|()| "can be imported\n".to_owned())
}
