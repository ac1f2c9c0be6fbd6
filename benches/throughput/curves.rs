//! What a message costs as there is more of something: messages in the queue, queues, bindings, connections, channels.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::launch::Storage;
use crate::meter::Sample;
use crate::options::Options;
use crate::report::print;
use crate::scenario::{Leads, Load, Pipe, SCENARIOS, Topology, contended, standing};
use crate::svg::{Scale, Series, chart};
use crate::target::Target;

/// One chart: how to measure a message's cost with so many of something.
struct Curve {
    file: &'static str,
    title: &'static str,
    x_title: &'static str,
    at: &'static [u64],
    /// Messages for one point, at most.
    messages: u64,
    run: fn(&Target, Load, u64) -> Result<Sample>,
}

const CURVES: &[Curve] = &[
    Curve {
        file: "depth",
        title: "Cost of a message, by queue depth",
        x_title: "messages that stand in the queue",
        at: &[1, 1_000, 10_000, 100_000, 1_000_000],
        messages: 1_000_000,
        run: standing::run,
    },
    Curve {
        file: "queues",
        title: "Cost of a message, by number of queues",
        x_title: "queues, used in turn",
        at: &[1, 10, 100, 1000],
        messages: 2_000_000,
        run: |target, load, width| pipe(target, load, Topology::Spread, width),
    },
    Curve {
        file: "direct",
        title: "Cost of a message, by bindings of a direct exchange",
        x_title: "bindings, used in turn",
        at: &[1, 10, 100, 1000, 10_000],
        messages: 2_000_000,
        run: |target, load, width| pipe(target, load, Topology::Direct, width),
    },
    Curve {
        file: "topic",
        title: "Cost of a message, by bindings of a topic exchange",
        x_title: "bindings, used in turn",
        at: &[1, 10, 100, 1000, 10_000],
        messages: 2_000_000,
        run: |target, load, width| pipe(target, load, Topology::Topic { keys: u16::MAX }, width),
    },
    Curve {
        file: "fanout",
        title: "Cost of a delivery, by bindings of a fanout exchange",
        x_title: "queues, each with a consumer",
        at: &[1, 3, 10, 30, 100],
        messages: 4_000_000,
        run: |target, load, width| pipe(target, load, Topology::Fanout, width),
    },
    Curve {
        file: "connections",
        title: "Cost of a message, by connections",
        x_title: "pairs of a publisher and a consumer with a queue of their own",
        at: &[1, 2, 4, 8, 20, 50, 100],
        messages: 2_000_000,
        run: |target, load, width| pipe(target, load, Topology::Pairs, width),
    },
    Curve {
        file: "contended",
        title: "Cost of a message, by clients of one queue",
        x_title: "publishers, and as many consumers, of one queue",
        at: &[1, 2, 4, 8, 16],
        messages: 2_000_000,
        run: contended::run,
    },
    Curve {
        file: "channels",
        title: "Cost of a message, by channels of one publisher",
        x_title: "channels, used in turn",
        at: &[1, 10, 100, 1000],
        messages: 2_000_000,
        run: |target, load, width| pipe(target, load, Topology::Channels, width),
    },
];

const BODY_BYTES: usize = 256;

/// A run that warms the broker and shows how many messages it can do.
const PROBE_MESSAGES: u64 = 50_000;

/// Draws a chart for every curve, with a line for each broker, and one of the memory of a durable backlog.
pub(crate) fn draw(options: &Options, directory: &Path, targets: &mut [&mut Target]) -> Result<()> {
    fs::create_dir_all(directory)?;
    for curve in CURVES {
        let mut cost = Vec::new();
        for target in &mut *targets {
            let mut points = Vec::new();
            for &count in curve.at {
                target.renew(Storage::Memory)?;
                let us = curve.cost(options, target, count)?;
                print(&format!("{:<12} {count:>9}  {us:.3} us  {}", curve.file, target.name()));
                points.push((count as f64, us));
            }
            cost.push(Series { name: target.name().to_owned(), points });
        }
        let svg = chart(curve.title, curve.x_title, "CPU us", Scale::Logarithmic, &cost);
        fs::write(directory.join(curve.file).with_extension("svg"), svg)?;
    }
    memory(options, directory, targets)
}

impl Curve {
    /// The median of `--repeat` runs.
    fn cost(&self, options: &Options, target: &Target, count: u64) -> Result<f64> {
        let load =
            |messages| Load { messages, body_bytes: BODY_BYTES, verify: false, is_short: true, leads: Leads::Window };
        let rate = (self.run)(target, load(PROBE_MESSAGES.min(self.messages)), count)?.rate();
        let messages = crate::scenario::rounded(rate * options.seconds).min(self.messages);
        let mut costs = Vec::new();
        for _ in 0..options.repeat {
            let sample = (self.run)(target, load(messages), count)?;
            costs.push(sample.broker_us().ok_or_else(|| Error::unexpected("a curve needs the broker's --pid"))?);
        }
        costs.sort_by(f64::total_cmp);
        Ok(costs.get(costs.len() / 2).copied().unwrap_or_default())
    }
}

fn pipe(target: &Target, load: Load, topology: Topology, width: u64) -> Result<Sample> {
    let width = u16::try_from(width).unwrap_or(u16::MAX);
    Pipe { topology, width, ..Pipe::AUTOACK }.run(target, load)
}

/// How the resident memory moves while a durable queue is filled, rests and is drained.
fn memory(options: &Options, directory: &Path, targets: &mut [&mut Target]) -> Result<()> {
    let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.name == "durable-backlog") else { return Ok(()) };
    let mut series = Vec::new();
    for target in targets {
        target.renew(options.storage(scenario))?;
        let load = scenario.load(target, options, *scenario.body_sizes.first().unwrap_or(&BODY_BYTES))?;
        let (mut points, mut begin) = (Vec::new(), 0.0);
        for sample in scenario.run(target, load)? {
            let point = |rss: &crate::meter::RssPoint| (begin + rss.seconds, rss.rss_bytes as f64 / 1024.0 / 1024.0);
            points.extend(sample.rss_curve.iter().map(point));
            begin += sample.seconds;
        }
        series.push(Series { name: target.name().to_owned(), points });
    }
    let title = format!("Memory while {} messages of 1 KiB come, rest and go", options.backlog);
    let svg = chart(&title, "seconds", "RSS MiB", Scale::Linear, &series);
    Ok(fs::write(directory.join("backlog-memory.svg"), svg)?)
}
