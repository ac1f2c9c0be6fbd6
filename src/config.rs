//! Every setting of the command line, once: its name, unit, default and range.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::broker::node::MESSAGE_BYTES_MAX_DEFAULT;
use crate::broker::profile::Compatibility;
use crate::protocol::content::BODY_BYTES_MAX;

/// Below so many bytes of free disk space publishers wait, unless told otherwise. RabbitMQ's 50 MB are less than what is
/// written in the second that it takes to notice.
pub const DISK_FREE_LIMIT_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

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
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn serve(arguments: &[&str]) -> Serve {
        let command = Serve::augment_args(Command::new("serve").no_binary_name(true));
        Serve::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn the_profile_is_4_2_unless_told_otherwise() {
        assert_eq!(serve(&[]).compatibility, CompatibilityProfile::V4_2);
        assert_eq!(serve(&["--compatibility", "4.3"]).compatibility, CompatibilityProfile::V4_3);
    }
}
