//! What is measured, and how many messages each scenario takes.

mod backlog;
mod churn;
pub(crate) mod contended;
mod expiry;
mod idle;
mod latency;
mod pipe;
mod returned;
pub(crate) mod standing;
mod start;
mod table;
mod topology;

use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) use pipe::{Leads, Pipe};
pub(crate) use table::SCENARIOS;
pub(crate) use topology::Topology;

use crate::amqp::Durability;
use crate::error::Result;
use crate::launch::Storage;
use crate::meter::Sample;
use crate::options::Options;
use crate::target::Target;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// The body sizes it runs with; empty where no message is published.
    pub(crate) body_sizes: &'static [usize],
    /// How many messages it takes at most, when they are small.
    messages: u64,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Pipe(Pipe),
    Returned,
    Backlog { durability: Durability, queues: u16 },
    Expiry,
    Latency,
    Rpc,
    Confirm,
    Idle,
    ChurnConnections,
    ChurnQueues(Durability),
    ChurnBindings(Durability),
    Start,
    StartWithQueues,
    RestartAfterKill,
}

/// How much of a scenario to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) messages: u64,
    pub(crate) body_bytes: usize,
    /// Number the messages and check each.
    pub(crate) verify: bool,
    /// Only to warm up or to verify: nothing that takes long for the sake of a number.
    pub(crate) is_short: bool,
    /// How far publishers run ahead.
    pub(crate) leads: Leads,
}

/// Bodies above this make for fewer messages.
const SMALL_BYTES: usize = 16;
const LARGE_SHARE: u64 = 5;
const BYTES_MAX: u64 = 8 << 30;

/// What is enough to find a mistake.
const VERIFIED_SHARE: u64 = 25;
const VERIFIED_BYTES_MAX: u64 = 256 << 20;

/// What shows how fast a broker is, and warms it: first the smallest of these parts of all messages, then the next if that
/// was over too soon to tell.
const PROBE_SHARES: [u64; 2] = [100, 10];
const PROBE_SECONDS: f64 = 0.2;

impl Scenario {
    /// Whether `--scenario wanted` means this one: its name, or the words that its name begins with.
    pub(crate) fn answers_to(&self, wanted: &str) -> bool {
        let exact = SCENARIOS.iter().any(|scenario| scenario.name == wanted);
        self.name == wanted || (!exact && self.name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')))
    }

    /// Whether many messages flow, which `--messages` counts and `--verify` checks.
    pub(crate) fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::Pipe(_) | Kind::Returned | Kind::Backlog { .. } | Kind::Expiry)
    }

    /// What a leveret that is started for it keeps.
    pub(crate) fn storage(&self) -> Storage {
        let durability = match self.kind {
            Kind::Pipe(pipe) => pipe.durability,
            Kind::Backlog { durability, .. } | Kind::ChurnQueues(durability) | Kind::ChurnBindings(durability) => {
                durability
            }
            Kind::Confirm | Kind::StartWithQueues | Kind::RestartAfterKill => Durability::Durable,
            Kind::Returned | Kind::Expiry | Kind::Latency | Kind::Rpc => Durability::Transient,
            Kind::Idle | Kind::ChurnConnections | Kind::Start => Durability::Transient,
        };
        match durability {
            Durability::Transient => Storage::Memory,
            Durability::Durable => Storage::Disk,
        }
    }

    /// How much to run: what was asked for, else the scenario's own number, or less when this broker would take too long.
    pub(crate) fn load(&self, target: &Target, options: &Options, body_bytes: usize) -> Result<Load> {
        let (messages, leads) = (self.messages_max(options, body_bytes), options.lead);
        let load = Load { messages, body_bytes, verify: false, is_short: false, leads };
        let is_paced = matches!(&self.kind, Kind::Pipe(pipe) if pipe.pace.is_some());
        let is_fixed = matches!(
            self.kind,
            Kind::Idle
                | Kind::Start
                | Kind::StartWithQueues
                | Kind::RestartAfterKill
                | Kind::Expiry
                | Kind::Backlog { durability: Durability::Durable, .. }
        );
        if is_fixed || is_paced || (options.messages.is_some() && self.is_flow()) {
            return Ok(load);
        }
        let mut rate = 0.0;
        for share in PROBE_SHARES {
            let probe = Load { messages: (load.messages / share).max(1), is_short: true, ..load };
            let probe = self.run(target, probe)?;
            rate = probe.first().map_or(0.0, Sample::rate);
            if probe.iter().map(|sample| sample.seconds).sum::<f64>() > PROBE_SECONDS {
                break;
            }
        }
        Ok(Load { messages: rounded((rate * options.seconds).min(load.messages as f64)), ..load })
    }

    /// How much is enough to see whether every message is where it should be; `None` where no messages flow.
    pub(crate) fn verified_load(&self, options: &Options, body_bytes: usize) -> Option<Load> {
        let bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX).max(1);
        let messages = self.messages_max(options, body_bytes);
        let messages = match (&self.kind, options.messages) {
            (_, Some(messages)) => messages,
            (Kind::Pipe(pipe), None) if pipe.confirm_window == Some(1) => messages / VERIFIED_SHARE / 4,
            _ => (messages / VERIFIED_SHARE).min(VERIFIED_BYTES_MAX / bytes),
        };
        let leads = options.lead;
        let load = Load { messages: messages.max(1), body_bytes, verify: true, is_short: true, leads };
        self.is_flow().then_some(load)
    }

    fn messages_max(&self, options: &Options, body_bytes: usize) -> u64 {
        let bytes = u64::try_from(body_bytes).unwrap_or(u64::MAX).max(1);
        match (&self.kind, options.messages) {
            (Kind::Idle, _) => options.connections,
            (Kind::Backlog { durability: Durability::Durable, .. } | Kind::RestartAfterKill, _) => options.backlog,
            (_, Some(messages)) if self.is_flow() => messages,
            _ if body_bytes > SMALL_BYTES && self.body_sizes.len() > 1 => {
                (self.messages / LARGE_SHARE).min(BYTES_MAX / bytes)
            }
            _ => self.messages,
        }
    }

    /// One run, or two where the second times what the first was too full for.
    pub(crate) fn run(&self, target: &Target, load: Load) -> Result<Vec<Sample>> {
        match &self.kind {
            Kind::Pipe(pipe) if load.is_short => pipe.run_short(target, load),
            Kind::Pipe(pipe) => pipe.measure(target, load),
            Kind::Returned => Ok(vec![returned::run(target, load)?]),
            Kind::Backlog { durability, queues } => backlog::run(target, load, *durability, *queues),
            Kind::Expiry => expiry::run(target, load),
            Kind::Latency => Ok(vec![latency::to_consumer(target, load)?]),
            Kind::Rpc => Ok(vec![latency::rpc(target, load)?]),
            Kind::Confirm => Ok(vec![latency::confirm(target, load)?]),
            Kind::Idle => Ok(vec![idle::run(target, load)?]),
            Kind::ChurnConnections => Ok(vec![churn::connections(target, load)?]),
            Kind::ChurnQueues(durability) => churn::queues(target, load, *durability),
            Kind::ChurnBindings(durability) => churn::bindings(target, load, *durability),
            Kind::Start => Ok(vec![start::empty(target, load)?]),
            Kind::StartWithQueues => Ok(vec![start::with_queues(target, load)?]),
            Kind::RestartAfterKill => Ok(vec![start::after_kill(target, load)?]),
        }
    }
}

/// A name that no other run uses at the same broker: RabbitMQ holds a connection's queues for a while after the close. All
/// of one kind are equally long.
pub(crate) fn unique_name(what: &str) -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    format!("bench-{}-{what}-{:07}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

/// Down to two digits, so that the counts of two runs are often the same.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of messages, far below 2^53")]
pub(crate) fn rounded(messages: f64) -> u64 {
    let unit = 10_f64.powf(messages.log10().floor() - 1.0).max(1.0);
    ((messages / unit).floor() * unit).max(1.0) as u64
}
