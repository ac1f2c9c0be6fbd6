//! A load generator for AMQP 0-9-1 brokers that costs little itself: what it sends was encoded beforehand, and what it
//! receives it counts by length. `benches/README.md` tells how to run it and what the numbers mean.
//!
//! Reading order: `scenario` (what is measured), `publisher` and `consumer` (the two sides), `meter` (how), `report`.

mod amqp;
mod compare;
mod confirms;
mod consumer;
mod curves;
mod error;
mod floor;
mod latency;
mod launch;
mod markdown;
mod meter;
mod options;
mod process;
mod publisher;
mod report;
mod scenario;
mod svg;
mod target;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use error::{Error, Result};
use markdown::Table;
use meter::Sample;
use options::Options;
use report::{Label, print};
use scenario::{SCENARIOS, Scenario};
use target::Target;

fn main() -> ExitCode {
    let options = Options::parse();
    if !options.bench {
        print("nothing measured: `cargo bench --bench throughput` does that");
        return ExitCode::SUCCESS;
    }
    process::raise_files_max();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    if options.list {
        SCENARIOS.iter().for_each(|scenario| print(&format!("{:<22} {}", scenario.name, scenario.about)));
        return Ok(());
    }
    // What the command line gets wrong is said before a broker is started.
    let scenarios = options.scenarios()?;
    if let Some([a, b]) = options.compare.as_deref() {
        let mut a = Target::new(Some(a), options.pid_a, options)?;
        let mut b = Target::new(Some(b), options.pid_b, options)?;
        report::conditions(options, &[&a, &b]);
        if let Some(directory) = &options.curves {
            return curves::draw(options, directory, &mut [&mut a, &mut b]);
        }
        compare::heading(options);
        let mut table = compare::Ratios::default();
        let result = each(options, &scenarios, |scenario, body_bytes| {
            let storage = options.storage(scenario);
            a.renew(storage).and_then(|()| b.renew(storage))?;
            compare::run(options, scenario, body_bytes, (&a, &b), &mut table)
        });
        table.finish(options, &a, &b)?;
        return result;
    }
    let mut target = Target::new(options.url.as_deref(), options.pid, options)?;
    report::conditions(options, &[&target]);
    if let Some(directory) = &options.curves {
        return curves::draw(options, directory, &mut [&mut target]);
    }
    let mut table = Table::default();
    if !options.verify {
        report::heading(options);
    }
    let result = each(options, &scenarios, |scenario, body_bytes| {
        target.renew(options.storage(scenario))?;
        if !options.no_verify {
            verify(options, &target, scenario, body_bytes)?;
        }
        if options.verify { Ok(()) } else { measure(options, &target, scenario, body_bytes, &mut table) }
    });
    // What was measured is worth keeping, even when something else failed.
    table.finish(options, &target)?;
    result
}

/// Calls `run` for every scenario and body size, also after one has failed.
fn each(
    options: &Options,
    scenarios: &[&'static Scenario],
    mut run: impl FnMut(&'static Scenario, usize) -> Result<()>,
) -> Result<()> {
    let mut failed = 0;
    for scenario in scenarios {
        for body_bytes in options.body_sizes(scenario) {
            let Err(error) = run(scenario, body_bytes) else { continue };
            complain(&format!("{} {body_bytes} B: {error}", scenario.name));
            failed += u32::from(!matches!(error, Error::Skipped(_)));
        }
    }
    if failed == 0 { Ok(()) } else { Err(Error::unexpected(format!("{failed} scenarios failed"))) }
}

fn measure(
    options: &Options,
    target: &Target,
    scenario: &Scenario,
    body_bytes: usize,
    table: &mut Table,
) -> Result<()> {
    let load = scenario.load(target, options, body_bytes)?;
    let mut samples = Vec::new();
    for _ in 0..options.repeat {
        for sample in scenario.run(target, load)? {
            report::run(options, Label { scenario: scenario.name, phase: sample.phase, body_bytes }, &sample);
            sample.check_peak(options.peak_max)?;
            samples.push(sample);
        }
    }
    let mut phases: Vec<_> = samples.iter().map(|sample| sample.phase).collect();
    phases.truncate(samples.len() / usize::try_from(options.repeat).unwrap_or(1).max(1));
    for phase in phases {
        let label = Label { scenario: scenario.name, phase, body_bytes };
        let of_phase: Vec<&Sample> = samples.iter().filter(|sample| sample.phase == phase).collect();
        report::repeated(options, label, &of_phase);
        table.add(label, &of_phase);
    }
    Ok(())
}

/// Whether every message is where it should be: a fast wrong answer must not count.
fn verify(options: &Options, target: &Target, scenario: &Scenario, body_bytes: usize) -> Result<()> {
    let Some(load) = scenario.verified_load(options, body_bytes) else { return Ok(()) };
    scenario.run(target, load)?;
    if options.verify {
        print(&format!("ok  {:<22} {body_bytes:>6} B {:>8} messages", scenario.name, load.messages));
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "an error must not mix with the numbers")]
fn complain(text: &str) {
    eprintln!("error: {text}");
}
