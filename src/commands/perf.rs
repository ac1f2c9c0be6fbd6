//! `leveret perf`: publishes and consumes as fast as it is told to, and says how fast that is; with the common flags of RabbitMQ's PerfTest,
//! against any broker.
//!
//! `plan` says who does what, `meter` counts, both without a connection; `spelling` has PerfTest's flags; `load`, `declared` and
//! `confirms` speak AMQP, `secured` does so over TLS, `report` writes.

mod confirms;
mod declared;
mod load;
mod meter;
mod plan;
mod report;
mod secured;
mod spelling;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{ArgAction, Args};

use super::Run;
use super::broker_options::TlsArguments;
use super::ending::{Failed, end};
use plan::Plan;

pub(super) use spelling::spelled_out;

/// The arguments of `leveret perf`.
#[derive(Clone, Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "PerfTest's other spellings are understood as well: -ad, -qa, -qq, -qp, -qpf, -qpt, -ms, --id, --confirm 100.\n\
                  Latency is measured from the first bytes of the bodies, where publishers put the time.\n\n\
                  Example: leveret perf -x 1 -y 1 -u perf-test -z 1"
)]
pub(super) struct Perf {
    /// Where the broker is [default: what AMQP_URL says, or amqp://guest:guest@localhost:5672/%2f]
    #[arg(long, short = 'h', value_name = "URI")]
    uri: Option<String>,

    /// Publishers, each on a connection of its own
    #[arg(long, short = 'x', value_name = "N", default_value_t = 1)]
    producers: usize,

    /// Channels of each publisher
    #[arg(long, short = 'X', value_name = "N", default_value_t = 1, value_parser = positive)]
    producer_channel_count: usize,

    /// Consumers, each on a connection of its own
    #[arg(long, short = 'y', value_name = "N", default_value_t = 1)]
    consumers: usize,

    /// Channels of each consumer
    #[arg(long, short = 'Y', value_name = "N", default_value_t = 1, value_parser = positive)]
    consumer_channel_count: usize,

    /// Messages of each publisher that may wait for their confirms; without it none are asked for
    #[arg(long, short = 'c', value_name = "N", value_parser = positive)]
    confirm: Option<usize>,

    /// Deliveries that a consumer may hold without an acknowledgement; 0 for any number
    #[arg(long, short = 'q', value_name = "N", default_value_t = 0)]
    qos: u16,

    /// Bytes of a message; 12 at least, if latency is to be measured
    #[arg(long, short = 's', value_name = "BYTES", default_value_t = 12)]
    size: usize,

    /// Messages a second of each publisher
    #[arg(long, short = 'r', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,

    /// Messages a second that each consumer takes
    #[arg(long, short = 'R', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    consumer_rate: Option<u64>,

    /// Seconds after which it ends
    #[arg(long, short = 'z', value_name = "SECONDS")]
    time: Option<u64>,

    /// Messages of each publisher
    #[arg(long, short = 'C', value_name = "N")]
    pmessages: Option<u64>,

    /// Messages of each consumer
    #[arg(long, short = 'D', value_name = "N")]
    cmessages: Option<u64>,

    /// Seconds between two lines
    #[arg(long, short = 'i', value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,

    /// The queue
    #[arg(long, short = 'u', value_name = "NAME")]
    queue: Option<String>,

    /// Several queues: a name with %d for the number, in turn for publishers and consumers
    #[arg(long, value_name = "PATTERN", conflicts_with = "queue", requires = "queue_pattern_to")]
    queue_pattern: Option<String>,

    /// The first number
    #[arg(long, value_name = "N", default_value_t = 1)]
    queue_pattern_from: u32,

    /// The last number
    #[arg(long, value_name = "N", requires = "queue_pattern")]
    queue_pattern_to: Option<u32>,

    /// Arguments of the queues: x-max-length=10,x-queue-mode=lazy
    #[arg(long, value_name = "NAME=VALUE,...", value_delimiter = ',')]
    queue_args: Vec<String>,

    /// Quorum queues
    #[arg(long)]
    quorum_queue: bool,

    /// Whether queues and exchange go when nobody uses them any more
    #[arg(long, value_name = "true|false", default_value_t = true, action = ArgAction::Set)]
    auto_delete: bool,

    /// The exchange [default: the one without a name; with --type one of the type's name]
    #[arg(long, short = 'e', value_name = "NAME")]
    exchange: Option<String>,

    /// Its type
    #[arg(long, short = 't', value_name = "TYPE")]
    r#type: Option<String>,

    /// The routing key [default: the queue's name]
    #[arg(long, short = 'k', value_name = "KEY")]
    routing_key: Option<String>,

    /// Queues and exchange are there already
    #[arg(long, short = 'p')]
    predeclared: bool,

    /// Consumers acknowledge nothing
    #[arg(long, short = 'a')]
    autoack: bool,

    /// Consumers acknowledge so many messages at a time
    #[arg(long, short = 'A', value_name = "N", value_parser = positive)]
    multi_ack_every: Option<usize>,

    /// persistent or mandatory; can be given several times
    #[arg(long, short = 'f', value_name = "FLAG", value_parser = ["persistent", "mandatory"])]
    flag: Vec<String>,

    /// Measure latency in milliseconds, for publishers and consumers on different machines
    #[arg(long)]
    use_millis: bool,

    /// What this run is called in its lines
    #[arg(long, short = 'd', value_name = "NAME")]
    id: Option<String>,

    #[command(flatten)]
    tls: TlsArguments,

    /// Print help
    #[arg(long, short = '?', action = ArgAction::Help)]
    help: Option<bool>,
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "allowed is a whole number from 1".to_owned())
}

impl Run for Perf {
    fn run(mut self) -> ExitCode {
        // `leveret run` tells its command so where the broker is.
        self.uri = self.uri.or_else(|| std::env::var("AMQP_URL").ok());
        let plan = match Plan::of(&self) {
            Ok(plan) => plan,
            Err(why) => return end(Err(Failed::other(super::exit::USAGE, why))),
        };
        let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return end(Err(Failed::other(1, format!("cannot start its threads: {error}")))),
        };
        match runtime.block_on(load::run(plan)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                writeln!(io::stderr(), "leveret: {error}").ok();
                ExitCode::from(super::exit::UNAVAILABLE)
            }
        }
    }
}
