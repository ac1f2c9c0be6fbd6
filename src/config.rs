//! Every setting of the command line, once: its name, unit, default and range.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::broker::node::MESSAGE_BYTES_MAX_DEFAULT;
use crate::broker::profile::Compatibility;
use crate::protocol::content::BODY_BYTES_MAX;

/// Below so many bytes of free disk space publishers wait, unless told otherwise. RabbitMQ's 50 MB are less than what is
/// written in the second that it takes to notice.
pub const DISK_FREE_LIMIT_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

/// A message broker that every RabbitMQ client connects to unchanged.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker (what happens without a command, too).
    Serve(Serve),
    /// Look after a data directory that no broker uses now.
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Read everything and say what is wrong, without changing anything. Exit codes: 0 whole, 1 damaged, 2 cannot be checked.
    Check(Check),
}

/// What is to be done.
#[derive(Debug)]
pub enum Task {
    /// To run the broker.
    Serve(Serve),
    /// To check a data directory.
    Check(Check),
}

/// How to check a data directory.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// The directory to check [default: the platform's directory for data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// How to write what was found
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
}

/// The value of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

impl CommandLine {
    /// What it asks for.
    pub fn into_task(self) -> Task {
        match self.command {
            Some(Command::Serve(serve)) => Task::Serve(serve),
            Some(Command::Store(StoreCommand::Check(check))) => Task::Check(check),
            None => Task::Serve(self.serve),
        }
    }
}

/// How to run the broker.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Listen for AMQP on this address and port; port 0 takes a free one. Can be given several times
    /// [default: port 5672 of localhost, IPv4 and IPv6]
    #[arg(long, value_name = "ADDR:PORT")]
    pub amqp_listen: Vec<SocketAddr>,

    /// Serve the management HTTP API on this address and port; port 0 takes a free one. Can be given several times
    /// [default: 10000 ports above AMQP, so 15672 of localhost]
    #[arg(long, value_name = "ADDR:PORT")]
    pub http_listen: Vec<SocketAddr>,

    /// Serve no management HTTP API
    #[arg(long, conflicts_with = "http_listen")]
    pub no_http: bool,

    /// Keep durable queues and persistent messages in this directory [default: the platform's directory for data]
    #[arg(long, value_name = "DIR", conflicts_with = "in_memory")]
    pub data_dir: Option<PathBuf>,

    /// Keep everything in memory: nothing survives a stop
    #[arg(long)]
    pub in_memory: bool,

    /// Go on without what cannot be read of a damaged data directory, and report what that is
    #[arg(long, conflicts_with = "in_memory")]
    pub salvage: bool,

    /// Block publishers when fewer than this many bytes are free on the disk
    #[arg(long, value_name = "BYTES", default_value_t = DISK_FREE_LIMIT_BYTES_DEFAULT)]
    pub disk_free_limit: u64,

    /// Which RabbitMQ to be like: 4.2 accepts what 4.3 denies, and warns; 3.13 is for clients of before 4.0
    #[arg(long, value_name = "VERSION", default_value = "4.2")]
    pub compatibility: CompatibilityProfile,

    /// Write the chosen ports to this file as JSON once the broker is ready
    #[arg(long, value_name = "FILE")]
    pub ports_file: Option<PathBuf>,

    /// How to write the log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Block publishers when messages take more than this many bytes [default: 60 % of the memory]
    #[arg(long, value_name = "BYTES")]
    pub memory_high_watermark: Option<u64>,

    /// Refuse message bodies larger than this many bytes
    #[arg(long, value_name = "BYTES", default_value_t = MESSAGE_BYTES_MAX_DEFAULT,
          value_parser = clap::value_parser!(u64).range(0..=BODY_BYTES_MAX))]
    pub max_message_size: u64,

    /// Let clients in without credentials, as guest
    #[arg(long)]
    pub anonymous_login: bool,

    /// Wait for acknowledgements as long as it takes where a queue does not say how long, instead of 30 minutes
    #[arg(long)]
    pub no_consumer_timeout: bool,

    /// Let guest log in from other machines, too
    #[arg(long)]
    pub guest_from_anywhere: bool,
}

/// The value of `--compatibility`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the variants are versions")]
pub enum CompatibilityProfile {
    #[value(name = "3.13")]
    V3_13,
    #[value(name = "4.2")]
    V4_2,
    #[value(name = "4.3")]
    V4_3,
}

impl From<CompatibilityProfile> for Compatibility {
    fn from(profile: CompatibilityProfile) -> Self {
        match profile {
            CompatibilityProfile::V3_13 => Self::V3_13,
            CompatibilityProfile::V4_2 => Self::V4_2,
            CompatibilityProfile::V4_3 => Self::V4_3,
        }
    }
}

/// The value of `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn serve(arguments: &[&str]) -> Serve {
        let arguments = std::iter::once("leveret").chain(arguments.iter().copied());
        match CommandLine::try_parse_from(arguments).unwrap().into_task() {
            Task::Serve(serve) => serve,
            Task::Check(check) => panic!("{check:?}"),
        }
    }

    #[test]
    fn serve_is_what_happens_without_a_command() {
        assert!(serve(&["--in-memory"]).in_memory);
        assert!(serve(&["serve", "--in-memory"]).in_memory);
        assert!(!serve(&[]).in_memory);
    }

    #[test]
    fn the_profile_is_4_2_unless_told_otherwise() {
        assert_eq!(serve(&[]).compatibility, CompatibilityProfile::V4_2);
        assert_eq!(serve(&["--compatibility", "4.3"]).compatibility, CompatibilityProfile::V4_3);
    }

    #[test]
    fn a_data_directory_excludes_memory() {
        assert!(CommandLine::try_parse_from(["leveret", "--in-memory", "--data-dir", "x"]).is_err());
    }

    #[test]
    fn the_readme_lists_every_flag() {
        let readme = include_str!("../README.md");
        let mut command = CommandLine::command();
        command.build();
        let serve = command.find_subcommand("serve").unwrap();
        let check = command.find_subcommand("store").unwrap().find_subcommand("check").unwrap();
        let arguments = [serve, check].into_iter().flat_map(|command| command.get_arguments());
        let flags = arguments.filter_map(|argument| argument.get_long());
        let missing: Vec<_> = flags.filter(|flag| *flag != "help" && !readme.contains(&format!("--{flag}"))).collect();
        assert_eq!(missing, [""; 0], "flags that README.md does not name");
    }
}
