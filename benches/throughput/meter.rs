//! The clock and the counters around one measured piece of work.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::latency::Latency;
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
    written_bytes: Option<u64>,
    generator: Usage,
    begin: Instant,
    recorder: Option<Recorder>,
}

/// Notes the resident memory at intervals.
#[derive(Debug)]
struct Recorder {
    stop: Sender<()>,
    thread: JoinHandle<Vec<RssPoint>>,
}

/// How much memory there was, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RssPoint {
    pub(crate) seconds: f64,
    pub(crate) rss_bytes: u64,
}

/// Often enough for a curve, and seldom enough to cost nothing.
const RECORD_EVERY: Duration = Duration::from_millis(250);

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
    /// What the broker caused to be written to disks.
    pub(crate) written_bytes: Option<u64>,
    pub(crate) latency: Option<Latency>,
    pub(crate) generator: Usage,
    pub(crate) rss_curve: Vec<RssPoint>,
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
        let written_bytes = process.and_then(ProcessTree::written_bytes);
        Self { process, broker, written_bytes, generator: own_usage(), begin: now(), recorder: None }
    }

    /// Also notes how the broker's memory grows and shrinks.
    pub(crate) fn recording(mut self) -> Self {
        let begin = self.begin;
        self.recorder = self.process.map(|process| {
            let (stop, stopped) = channel();
            Recorder { stop, thread: thread::spawn(move || record(process, begin, &stopped)) }
        });
        self
    }

    pub(crate) fn stop(self, messages: u64) -> Sample {
        let seconds = self.begin.elapsed().as_secs_f64();
        let generator = own_usage() - self.generator;
        let broker = self.process.zip(self.broker).map(|(process, before)| process.usage() - before);
        let memory = self.process.map(ProcessTree::memory);
        let written = self.process.and_then(ProcessTree::written_bytes).zip(self.written_bytes);
        Sample {
            phase: None,
            messages,
            seconds,
            broker,
            memory,
            written_bytes: written.map(|(after, before)| after.saturating_sub(before)),
            latency: None,
            generator,
            rss_curve: self.recorder.map(Recorder::stop).unwrap_or_default(),
            extra: Vec::new(),
        }
    }
}

impl Recorder {
    fn stop(self) -> Vec<RssPoint> {
        // One of the two ends first; both end.
        drop(self.stop);
        self.thread.join().unwrap_or_default()
    }
}

fn record(process: ProcessTree, begin: Instant, stopped: &Receiver<()>) -> Vec<RssPoint> {
    let mut points = Vec::new();
    loop {
        let rss_bytes = process.memory().rss_bytes;
        points.push(RssPoint { seconds: begin.elapsed().as_secs_f64(), rss_bytes });
        match stopped.recv_timeout(RECORD_EVERY) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return points,
        }
    }
}

impl Sample {
    pub(crate) fn of_phase(self, phase: &'static str) -> Self {
        Self { phase: Some(phase), ..self }
    }

    /// # Errors
    ///
    /// The broker has had more memory than so many MiB.
    pub(crate) fn check_peak(&self, mebibytes_max: Option<u64>) -> Result<()> {
        let peak_bytes = self.memory.map_or(0, |memory| memory.peak_bytes);
        match mebibytes_max {
            Some(max) if peak_bytes > max << 20 => {
                let peak = peak_bytes >> 20;
                Err(Error::unexpected(format!("the broker has had {peak} MiB of memory, and {max} are allowed")))
            }
            _ => Ok(()),
        }
    }

    /// Per second.
    pub(crate) fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    /// Microseconds of a time per message.
    pub(crate) fn us_per_message(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.messages as f64
    }

    pub(crate) fn written_per_message(&self) -> Option<f64> {
        self.written_bytes.map(|bytes| bytes as f64 / self.messages as f64)
    }

    /// The broker's page faults for a thousand messages.
    pub(crate) fn faults_per_1k(&self) -> Option<f64> {
        self.broker.map(|usage| usage.faults as f64 * 1e3 / self.messages as f64)
    }

    /// The broker's CPU, user and system, in microseconds per message.
    pub(crate) fn broker_us(&self) -> Option<f64> {
        self.broker.map(|usage| self.us_per_message(usage.user + usage.system))
    }
}
