//! What is measured: the table of scenarios, and how many messages each takes.

mod backlog;
mod churn;
mod idle;
mod latency;
mod pipe;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::consumer::Acks;
use crate::error::Result;
use crate::meter::Sample;
use crate::options::Options;
use crate::target::Target;
use pipe::{Pipe, Topology};

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The body sizes it runs with; empty where no message is published.
    pub(crate) body_sizes: &'static [usize],
    /// How many messages of [`SMALL`] it takes, or of its only size.
    messages: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Pipe(Pipe),
    Backlog,
    Latency,
    Idle,
    ChurnConnections,
    ChurnQueues,
}

/// How much of a scenario to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) body_bytes: usize,
    /// Number the messages and check each.
    pub(crate) verify: bool,
}

const SMALL: usize = 16;
const LARGE: usize = 1024;
const BOTH: &[usize] = &[SMALL, LARGE];

/// Fewer messages of [`LARGE`].
const LARGE_SHARE: u64 = 5;

/// What is enough to find a mistake.
const VERIFIED_SHARE: u64 = 25;

/// What shows how fast a broker is, and warms it: first the smallest of these parts of all messages, then the next if that
/// was over too soon to tell.
const PROBE_SHARES: [u64; 2] = [100, 10];
const PROBE_SECONDS: f64 = 0.2;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "transient-autoack",
        about: "1 publisher : 1 consumer, no_ack",
        body_sizes: BOTH,
        messages: 5_000_000,
        kind: Kind::Pipe(Pipe::AUTOACK),
    },
    Scenario {
        name: "transient-ack",
        about: "prefetch 1,000, one multiple ack for 100 deliveries",
        body_sizes: BOTH,
        messages: 5_000_000,
        kind: Kind::Pipe(Pipe { acks: Acks::Every(100), ..Pipe::AUTOACK }),
    },
    Scenario {
        name: "transient-ack-each",
        about: "prefetch 1,000, an ack for each delivery",
        body_sizes: BOTH,
        messages: 5_000_000,
        kind: Kind::Pipe(Pipe { acks: Acks::Each, ..Pipe::AUTOACK }),
    },
    Scenario {
        name: "confirms",
        about: "publisher confirms, window 1,000; consumer with no_ack",
        body_sizes: BOTH,
        messages: 5_000_000,
        kind: Kind::Pipe(Pipe { confirm_window: Some(1000), ..Pipe::AUTOACK }),
    },
    Scenario {
        name: "fanout-1-10",
        about: "1 publisher, a fanout exchange, 10 queues and consumers, no_ack; counts deliveries",
        body_sizes: BOTH,
        messages: 10_000_000,
        kind: Kind::Pipe(Pipe { topology: Topology::Fanout, width: 10, ..Pipe::AUTOACK }),
    },
    Scenario {
        name: "queues-10x10x10",
        about: "10 publishers, each to its own of 10 queues, 10 consumers, no_ack",
        body_sizes: BOTH,
        messages: 5_000_000,
        kind: Kind::Pipe(Pipe { width: 10, ..Pipe::AUTOACK }),
    },
    Scenario {
        name: "latency",
        about: "one message in flight, no_ack",
        body_sizes: &[256],
        messages: 100_000,
        kind: Kind::Latency,
    },
    Scenario {
        name: "publish-only",
        about: "fills a queue, then drains it with no_ack",
        body_sizes: BOTH,
        messages: 2_000_000,
        kind: Kind::Backlog,
    },
    Scenario {
        name: "connections-idle",
        about: "connections with one channel each (--connections)",
        body_sizes: &[],
        messages: 0,
        kind: Kind::Idle,
    },
    Scenario {
        name: "churn-connections",
        about: "connect, open, channel.open, close; one after the other",
        body_sizes: &[],
        messages: 5_000,
        kind: Kind::ChurnConnections,
    },
    Scenario {
        name: "churn-queues",
        about: "queue.declare, queue.bind, queue.delete; one after the other",
        body_sizes: &[],
        messages: 20_000,
        kind: Kind::ChurnQueues,
    },
];

impl Scenario {
    /// Whether `--scenario wanted` means this one: its name, or the words that its name begins with.
    pub(crate) fn answers_to(&self, wanted: &str) -> bool {
        let exact = SCENARIOS.iter().any(|scenario| scenario.name == wanted);
        self.name == wanted || (!exact && self.name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')))
    }

    /// Whether many messages flow, which `--messages` counts and `--verify` checks.
    pub(crate) fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Pipe(_) | Kind::Backlog)
    }

    /// How much to run: what was asked for, else the scenario's own number, or less when this broker would take too long.
    pub(crate) fn load(&self, target: &Target, options: &Options, body_bytes: usize) -> Result<Load> {
        let verify = options.verify;
        let messages = match (&self.kind, options.messages) {
            (Kind::Idle, _) => return Ok(Load { messages: options.connections, body_bytes, verify }),
            (_, Some(messages)) if self.is_flow() => return Ok(Load { messages, body_bytes, verify }),
            _ if body_bytes > SMALL && self.body_sizes.len() > 1 => self.messages / LARGE_SHARE,
            _ => self.messages,
        };
        if verify {
            return Ok(Load { messages: messages / VERIFIED_SHARE, body_bytes, verify });
        }
        let mut rate = 0.0;
        for share in PROBE_SHARES {
            let probe = self.run(target, Load { messages: messages / share, body_bytes, verify })?;
            rate = probe.first().map_or(0.0, Sample::rate);
            if probe.iter().map(|sample| sample.seconds).sum::<f64>() > PROBE_SECONDS {
                break;
            }
        }
        Ok(Load { messages: round_down((rate * options.seconds).min(messages as f64)), body_bytes, verify })
    }

    pub(crate) fn run(&self, target: &Target, load: Load) -> Result<Vec<Sample>> {
        match &self.kind {
            Kind::Pipe(pipe) => Ok(vec![pipe.run(target, load)?]),
            Kind::Backlog => backlog::run(target, load),
            Kind::Latency => Ok(vec![latency::run(target, load)?]),
            Kind::Idle => Ok(vec![idle::run(target, load)?]),
            Kind::ChurnConnections => Ok(vec![churn::connections(target, load)?]),
            Kind::ChurnQueues => Ok(vec![churn::queues(target, load)?]),
        }
    }
}

/// A name that no other run uses at the same broker: RabbitMQ holds a connection's queues for a while after the close.
fn unique_name(what: &str) -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    format!("bench-{}-{what}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

/// To two digits, so that the counts of two runs are often the same.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of messages, far below 2^53")]
fn round_down(messages: f64) -> u64 {
    let unit = 10_f64.powf(messages.log10().floor() - 1.0).max(1.0);
    ((messages / unit).floor() * unit).max(1.0) as u64
}
