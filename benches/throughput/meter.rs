//! The clock and the counters around one measured piece of work.

use std::time::Instant;

use crate::process::{Memory, ProcessTree, Usage, own_usage};
use crate::target::Target;

/// The time, for measuring only.
#[expect(clippy::disallowed_methods, reason = "a load generator measures real time; no test steps it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A measurement that has begun.
#[derive(Debug)]
pub(crate) struct Meter {
    process: Option<ProcessTree>,
    broker: Option<Usage>,
    generator: Usage,
    begin: Instant,
}

/// What a piece of work cost.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Set where one scenario measures two things.
    pub(crate) phase: Option<&'static str>,
    /// Deliveries; or publishes, connections or operations where the scenario is about those.
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) broker: Option<Usage>,
    pub(crate) memory: Option<Memory>,
    pub(crate) generator: Usage,
    /// What only this scenario measures: name with unit, and value.
    pub(crate) extra: Vec<(&'static str, f64)>,
}

impl Meter {
    pub(crate) fn start(target: &Target) -> Self {
        let process = target.process;
        if let Some(process) = process {
            process.reset_peak();
        }
        let broker = process.map(ProcessTree::usage);
        Self { process, broker, generator: own_usage(), begin: now() }
    }

    pub(crate) fn stop(self, messages: u64) -> Sample {
        let seconds = self.begin.elapsed().as_secs_f64();
        let generator = own_usage() - self.generator;
        let broker = self.process.zip(self.broker).map(|(process, before)| process.usage() - before);
        let memory = self.process.map(ProcessTree::memory);
        Sample { phase: None, messages, seconds, broker, memory, generator, extra: Vec::new() }
    }
}

impl Sample {
    /// Per second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    /// Microseconds of a time per message.
    pub(crate) fn us_per_message(&self, time: std::time::Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.messages as f64
    }

    /// The broker's CPU, user and system, in microseconds per message.
    pub(crate) fn broker_us(&self) -> Option<f64> {
        self.broker.map(|usage| self.us_per_message(usage.user + usage.system))
    }
}
