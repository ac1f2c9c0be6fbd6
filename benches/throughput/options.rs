//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::error::{Error, Result};
use crate::launch::Storage;
use crate::scenario::{Leads, SCENARIOS, Scenario};

/// Measures what a message costs an AMQP 0-9-1 broker, in CPU, memory and time.
#[derive(Debug, Parser)]
#[command(name = "throughput", version)]
pub(crate) struct Options {
    /// A running broker as amqp://user:password@host:port/vhost, or the path of a leveret binary to start.
    /// Without it, starts the leveret that cargo has just built
    #[arg(long, value_name = "BROKER")]
    pub(crate) url: Option<String>,

    /// The process of the broker at --url, for its CPU and memory
    #[arg(long, requires = "url")]
    pub(crate) pid: Option<u32>,

    /// Which scenarios to run, by name or by the beginning of their names; all of them without it
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    scenario: Vec<String>,

    /// Prints the scenarios and ends
    #[arg(long)]
    pub(crate) list: bool,

    /// Messages per run, for the scenarios that publish many. Without it, a fixed number, or less where the broker
    /// would take longer than --seconds for them
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: Option<u64>,

    /// The longest that one run should take
    #[arg(long, default_value_t = 4.0)]
    pub(crate) seconds: f64,

    /// Body size in bytes, in place of each scenario's own
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) size: Option<u32>,

    /// How many connections connections-idle opens
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) connections: u64,

    /// How many messages durable-backlog and restart-backlog store
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) backlog: u64,

    /// How far publishers run ahead of consumers: as far as a window allows, as far as the broker lets them, or first the one and
    /// then the other
    #[arg(long, value_enum, default_value_t = Leads::Both)]
    pub(crate) lead: Leads,

    /// Fails when the broker's memory has ever been more than so many MiB while it was measured
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) peak_max: Option<u64>,

    /// Starts leveret with --in-memory for the durable scenarios, too: what they cost without a disk
    #[arg(long)]
    in_memory: bool,

    /// Starts leveret with a data directory for the transient scenarios, too: as it is by default
    #[arg(long, conflicts_with = "in_memory")]
    on_disk: bool,

    /// Where fresh data directories are made, and where the disk's own fdatasync is timed [default: below target/]
    #[arg(long, value_name = "DIR")]
    pub(crate) disk: Option<PathBuf>,

    /// Runs of each scenario; with --compare, rounds of A B B A
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) repeat: u32,

    /// One JSON object per line instead of a table
    #[arg(long)]
    pub(crate) json: bool,

    /// Measures nothing, but checks that no message is lost, duplicated, reordered or damaged
    #[arg(long)]
    pub(crate) verify: bool,

    /// Measures at once; without it each scenario is verified before it is measured
    #[arg(long, conflicts_with = "verify")]
    pub(crate) no_verify: bool,

    /// Prints all figures as a Markdown table at the end
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,

    /// Writes that table into FILE, between the lines `<!-- figures:NAME -->` and `<!-- end -->`
    #[arg(long, value_name = "FILE", requires = "name")]
    pub(crate) into: Option<PathBuf>,

    /// The NAME of the place to write to
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Draws the curves as SVG files into DIR instead: cost against depth, queues, bindings, connections, channels
    #[arg(long, value_name = "DIR", conflicts_with_all = ["scenario", "verify", "json", "markdown", "into"])]
    pub(crate) curves: Option<PathBuf>,

    /// Runs two brokers in turn, A B B A, and prints the ratios B / A. Each is a URL or a binary, as for --url
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["url", "pid", "verify"])]
    pub(crate) compare: Option<Vec<String>>,

    /// The process of broker A
    #[arg(long, requires = "compare")]
    pub(crate) pid_a: Option<u32>,

    /// The process of broker B
    #[arg(long, requires = "compare")]
    pub(crate) pid_b: Option<u32>,

    /// Given by `cargo bench`, and by nobody else: `cargo test --benches` must not start a measurement
    #[arg(long, hide = true)]
    pub(crate) bench: bool,

    /// Given by some test runners
    #[arg(long, hide = true)]
    test: bool,
}

impl Options {
    /// The scenarios asked for, in the order of the table.
    pub(crate) fn scenarios(&self) -> Result<Vec<&'static Scenario>> {
        let is_wanted = |scenario: &&Scenario| {
            self.scenario.is_empty() || self.scenario.iter().any(|wanted| scenario.answers_to(wanted))
        };
        for wanted in &self.scenario {
            if !SCENARIOS.iter().any(|scenario| scenario.answers_to(wanted)) {
                return Err(Error::unexpected(format!("no scenario is called '{wanted}'; --list names them")));
            }
        }
        Ok(SCENARIOS.iter().filter(is_wanted).filter(|scenario| !self.verify || scenario.is_flow()).collect())
    }

    /// Whether a leveret started for this scenario has a disk.
    pub(crate) fn storage(&self, scenario: &Scenario) -> Storage {
        match (self.in_memory, self.on_disk) {
            (true, _) => Storage::Memory,
            (_, true) => Storage::Disk,
            _ => scenario.storage(),
        }
    }

    /// The body sizes to run a scenario with; one zero where it publishes nothing.
    pub(crate) fn body_sizes(&self, scenario: &Scenario) -> Vec<usize> {
        match self.size.map(usize::try_from) {
            _ if scenario.body_sizes.is_empty() => vec![0],
            Some(Ok(size)) => vec![size],
            _ => scenario.body_sizes.to_vec(),
        }
    }
}
