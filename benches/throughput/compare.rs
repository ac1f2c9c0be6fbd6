//! Two brokers in turn, A B B A: what disturbs the machine for a while then meets both.

use serde_json::json;

use crate::error::Result;
use crate::markdown::{self, short};
use crate::meter::Sample;
use crate::options::Options;
use crate::report::{Label, Spread, print};
use crate::scenario::Scenario;
use crate::target::Target;

/// One number of a run that is worth a ratio.
struct Figure {
    name: &'static str,
    decimals: usize,
    of: fn(&Sample) -> Option<f64>,
}

const FIGURES: &[Figure] = &[
    Figure { name: "broker us/msg", decimals: 3, of: Sample::broker_us },
    Figure { name: "msg/s", decimals: 0, of: |sample| Some(sample.rate()) },
    Figure { name: "RSS MiB", decimals: 1, of: |sample| Some(sample.memory?.rss_bytes as f64 / 1024.0 / 1024.0) },
    Figure { name: "peak MiB", decimals: 1, of: |sample| Some(sample.memory?.peak_bytes as f64 / 1024.0 / 1024.0) },
    Figure { name: "faults/1k msg", decimals: 1, of: Sample::faults_per_1k },
    Figure { name: "p50 us", decimals: 1, of: |sample| Some(sample.latency?.p50_us) },
    Figure { name: "p99 us", decimals: 1, of: |sample| Some(sample.latency?.p99_us) },
    Figure { name: "p99.9 us", decimals: 1, of: |sample| Some(sample.latency?.p999_us) },
    Figure { name: "written B/msg", decimals: 1, of: Sample::written_per_message },
];

/// What stands above the comparison.
pub(crate) fn heading(options: &Options) {
    if !options.json {
        print("");
        print(&format!("median (lowest-highest) of {} runs each; ratios of {0} pairs", 2 * options.repeat));
    }
}

/// One line for each scenario: what a message costs A and B, and how they compare.
#[derive(Debug, Default)]
pub(crate) struct Ratios {
    rows: Vec<String>,
}

const HEAD: &str = "\
| scenario | body | CPU us/msg, A | B | A / B | msg/s, A | B | B / A | peak MiB, A | B | p50 us, A | B |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

impl Ratios {
    /// Ratios are those of neighbouring runs; what there is no figure of stays empty.
    fn add(&mut self, label: Label<'_>, a: &[&Sample], b: &[&Sample]) {
        let middle = |samples: &[&Sample], of: fn(&Sample) -> Option<f64>| {
            Spread::of(samples.iter().filter_map(|sample| of(sample))).map_or_else(String::new, |all| short(all.median))
        };
        let ratio = |of: fn(&Sample) -> Option<f64>, above: &[&Sample], below: &[&Sample]| {
            let ratios = above.iter().zip(below).filter_map(|(above, below)| Some(of(above)? / of(below)?));
            Spread::of(ratios).map_or_else(String::new, |all| short(all.median))
        };
        let rate = |sample: &Sample| Some(sample.rate());
        let peak = |sample: &Sample| Some(sample.memory?.peak_bytes as f64 / 1024.0 / 1024.0);
        let p50 = |sample: &Sample| Some(sample.latency?.p50_us);
        let cpu = Sample::broker_us;
        let cells = [
            label.name(),
            if label.body_bytes == 0 { String::new() } else { label.body_bytes.to_string() },
            middle(a, cpu),
            middle(b, cpu),
            ratio(cpu, a, b),
            middle(a, rate),
            middle(b, rate),
            ratio(rate, b, a),
            middle(a, peak),
            middle(b, peak),
            middle(a, p50),
            middle(b, p50),
        ];
        self.rows.push(format!("| {} |\n", cells.join(" | ")));
    }

    /// Prints the table, and writes it where it was asked for.
    pub(crate) fn finish(&self, options: &Options, a: &Target, b: &Target) -> Result<()> {
        let names = format!("A is {}, B is {}: medians of {} runs each.", a.name(), b.name(), 2 * options.repeat);
        let conditions = markdown::conditions("Measured in turn, A B B A, on");
        markdown::write(options, &format!("{conditions}\n{names}\n\n{HEAD}"), &self.rows)
    }
}

/// The runs of A, and the run of B beside each.
#[derive(Default)]
struct Pairs {
    a: Vec<Vec<Sample>>,
    b: Vec<Vec<Sample>>,
}

/// Runs one scenario with both brokers and prints the ratios B / A of neighbouring runs.
pub(crate) fn run(
    options: &Options,
    scenario: &Scenario,
    body_bytes: usize,
    (a, b): (&Target, &Target),
    table: &mut Ratios,
) -> Result<()> {
    for target in [a, b] {
        if let Some(load) = scenario.verified_load(options, body_bytes).filter(|_| !options.no_verify) {
            scenario.run(target, load)?;
        }
    }
    let (load_a, load_b) = (scenario.load(a, options, body_bytes)?, scenario.load(b, options, body_bytes)?);
    let mut pairs = Pairs::default();
    for _ in 0..options.repeat {
        pairs.a.push(scenario.run(a, load_a)?);
        pairs.b.push(scenario.run(b, load_b)?);
        pairs.b.push(scenario.run(b, load_b)?);
        pairs.a.push(scenario.run(a, load_a)?);
    }
    let phases = pairs.a.first().map_or(0, Vec::len);
    for phase in 0..phases {
        let of_phase = |runs: &[Vec<Sample>], of: fn(&Sample) -> Option<f64>| -> Vec<f64> {
            runs.iter().filter_map(|samples| samples.get(phase).and_then(of)).collect()
        };
        let name = pairs.a.first().and_then(|samples| samples.get(phase)?.phase);
        let label = Label { scenario: scenario.name, phase: name, body_bytes };
        for figure in FIGURES {
            print_figure(options, label, figure, &of_phase(&pairs.a, figure.of), &of_phase(&pairs.b, figure.of));
        }
        let [of_a, of_b] =
            [&pairs.a, &pairs.b].map(|runs| runs.iter().filter_map(|run| run.get(phase)).collect::<Vec<_>>());
        table.add(label, &of_a, &of_b);
    }
    Ok(())
}

fn print_figure(options: &Options, label: Label<'_>, figure: &Figure, a: &[f64], b: &[f64]) {
    let ratios = Spread::of(a.iter().zip(b).map(|(a, b)| b / a));
    let (Some(ratio), Some(a), Some(b)) = (ratios, Spread::of(a.to_vec()), Spread::of(b.to_vec())) else { return };
    if options.json {
        let line = json!({
            "compared": label.name(), "body_bytes": label.body_bytes, "figure": figure.name,
            "a": a.json(), "b": b.json(), "ratio": ratio.json(),
        });
        return print(&line.to_string());
    }
    print(&format!(
        "{:<20} {:>6}  {:<13}  A {:<30}  B {:<30}  B/A {}",
        label.name(),
        label.body_bytes,
        figure.name,
        a.text(figure.decimals),
        b.text(figure.decimals),
        ratio.text(3),
    ));
}
