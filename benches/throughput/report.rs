//! What is printed: the conditions, a line for each run, and the spread of repeated ones.

use std::{fs, thread};

use serde_json::{Map, Value, json};

use crate::latency::Latency;
use crate::meter::{RssPoint, Sample};
use crate::options::Options;
use crate::publisher::{AHEAD_BYTES_MAX, AHEAD_MESSAGES_MAX, WRITE_BYTES};
use crate::target::Target;

/// The one place that writes to standard output.
#[expect(clippy::print_stdout, reason = "the numbers are what this program is for")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

/// Which run a line is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) scenario: &'a str,
    pub(crate) phase: Option<&'static str>,
    pub(crate) body_bytes: usize,
}

impl Label<'_> {
    pub(crate) fn name(&self) -> String {
        let phase = self.phase.map(|phase| format!("/{phase}")).unwrap_or_default();
        format!("{}{phase}", self.scenario)
    }
}

/// The middle of several numbers, and their ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` where there is nothing to spread.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let upper = sorted.get(sorted.len() / 2)?;
        let lower = sorted.get((sorted.len() - 1) / 2)?;
        Some(Self { median: (lower + upper) / 2.0, min: *sorted.first()?, max: *sorted.last()? })
    }

    pub(crate) fn json(&self) -> Value {
        json!({ "median": self.median, "min": self.min, "max": self.max })
    }

    pub(crate) fn text(&self, decimals: usize) -> String {
        format!("{:.decimals$} ({:.decimals$}-{:.decimals$})", self.median, self.min, self.max)
    }
}

/// What the numbers depend on, beside the broker.
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown CPU".to_owned()),
            kernel: kernel.trim().to_owned(),
            load: load.split_whitespace().next().unwrap_or("unknown").to_owned(),
        }
    }
}

/// Says what is measured, and where.
pub(crate) fn conditions(options: &Options, targets: &[&Target]) {
    let Machine { cores, cpu, kernel, load } = Machine::new();
    let brokers: Vec<String> = targets.iter().map(|target| target.describe()).collect();
    if options.json {
        let conditions = json!({
            "brokers": brokers, "cores": cores, "cpu": cpu, "kernel": kernel, "load": load, "write_bytes": WRITE_BYTES,
            "ahead_messages_max": AHEAD_MESSAGES_MAX, "ahead_bytes_max": AHEAD_BYTES_MAX,
        });
        return print(&json!({ "conditions": conditions }).to_string());
    }
    for broker in brokers {
        print(&format!("broker     {broker}"));
    }
    print(&format!("machine    {cores} cores, {cpu}, Linux {kernel}, load {load}"));
    print(&format!(
        "generator  writes up to {} KiB, publishers at most {AHEAD_MESSAGES_MAX} messages or {} MiB ahead of consumers; \
         /free: no such window",
        WRITE_BYTES / 1024,
        AHEAD_BYTES_MAX / 1024 / 1024,
    ));
}

/// The table's head.
pub(crate) fn heading(options: &Options) {
    if !options.json {
        print("");
        print(
            "                                                broker CPU, us/msg        switches   faults    RSS   peak gen. us",
        );
        print(
            "scenario                 body messages     msg/s    total     user   system  /1k msg  /1k msg    MiB    MiB    /msg",
        );
    }
}

/// The line of one run.
pub(crate) fn run(options: &Options, label: Label<'_>, sample: &Sample) {
    print(&if options.json { json_of(label, sample).to_string() } else { row(label, sample) });
}

fn row(label: Label<'_>, sample: &Sample) -> String {
    let mut row = format!("{:<22} {:>6} {:>8} {:>9.0}", label.name(), label.body_bytes, sample.messages, sample.rate());
    let none = String::from("-");
    let us = |time| format!("{:.3}", sample.us_per_message(time));
    let (total, user, system, switches) = match sample.broker {
        Some(usage) => (us(usage.user + usage.system), us(usage.user), us(usage.system), switches_per_1k(sample)),
        None => (none.clone(), none.clone(), none.clone(), 0.0),
    };
    let mebibytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1024.0 / 1024.0);
    let (rss, peak) = match sample.memory {
        Some(memory) => (mebibytes(memory.rss_bytes), mebibytes(memory.peak_bytes)),
        None => (none.clone(), none),
    };
    let generator = us(sample.generator.user + sample.generator.system);
    let faults = sample.faults_per_1k().unwrap_or_default();
    row +=
        &format!(" {total:>8} {user:>8} {system:>8} {switches:>8.1} {faults:>8.1} {rss:>6} {peak:>6} {generator:>7}");
    if let Some(latency) = sample.latency {
        let Latency { p50_us, p99_us, p999_us } = latency;
        row += &format!("  p50/p99/p99.9 us {p50_us:.1} {p99_us:.1} {p999_us:.1}");
    }
    if let Some(written) = sample.written_per_message().filter(|written| *written >= 0.1) {
        row += &format!("  written B/msg {written:.1}");
    }
    for (name, value) in &sample.extra {
        row += &format!("  {name} {value:.1}");
    }
    row
}

fn json_of(label: Label<'_>, sample: &Sample) -> Value {
    let mut line = Map::new();
    let mut put = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
    put("scenario", json!(label.name()));
    put("body_bytes", json!(label.body_bytes));
    put("messages", json!(sample.messages));
    put("seconds", json!(sample.seconds));
    put("messages_per_second", json!(sample.rate()));
    put("generator_us", json!(sample.us_per_message(sample.generator.user + sample.generator.system)));
    if let Some(usage) = sample.broker {
        put("broker_us", json!(sample.broker_us()));
        put("broker_user_us", json!(sample.us_per_message(usage.user)));
        put("broker_system_us", json!(sample.us_per_message(usage.system)));
        put("switches_per_1000", json!(switches_per_1k(sample)));
        put("faults_per_1000", json!(sample.faults_per_1k()));
    }
    if let Some(memory) = sample.memory {
        put("rss_bytes", json!(memory.rss_bytes));
        put("peak_bytes", json!(memory.peak_bytes));
    }
    if let Some(latency) = sample.latency {
        put("p50_us", json!(latency.p50_us));
        put("p99_us", json!(latency.p99_us));
        put("p99.9_us", json!(latency.p999_us));
    }
    if let Some(written_bytes) = sample.written_bytes {
        put("written_bytes", json!(written_bytes));
    }
    if !sample.rss_curve.is_empty() {
        let point = |point: &RssPoint| json!([point.seconds, point.rss_bytes]);
        put("rss_curve", sample.rss_curve.iter().map(point).collect());
    }
    for (name, value) in &sample.extra {
        put(name, json!(value));
    }
    Value::Object(line)
}

/// The middle and the ends of several runs of the same scenario.
pub(crate) fn repeated(options: &Options, label: Label<'_>, samples: &[&Sample]) {
    let rate = Spread::of(samples.iter().map(|sample| sample.rate()));
    let broker_us = Spread::of(samples.iter().filter_map(|sample| sample.broker_us()));
    let Some(rate) = rate.filter(|_| samples.len() > 1) else { return };
    if options.json {
        let broker_us = broker_us.map(|spread| spread.json());
        let line = json!({
            "repeated": label.name(), "body_bytes": label.body_bytes, "runs": samples.len(),
            "messages_per_second": rate.json(), "broker_us": broker_us,
        });
        return print(&line.to_string());
    }
    let mut line = format!("  {}: median (lowest-highest) of {}: {} msg/s", label.name(), samples.len(), rate.text(0));
    if let Some(broker_us) = broker_us {
        line += &format!(", {} us/msg", broker_us.text(3));
    }
    print(&line);
}

fn switches_per_1k(sample: &Sample) -> f64 {
    sample.broker.map_or(0.0, |usage| usage.switches as f64 * 1e3 / sample.messages as f64)
}

fn line_of(file: &str, label: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(label))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
