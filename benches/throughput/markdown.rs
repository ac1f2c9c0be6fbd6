//! The figures as a Markdown table, for a person or for `docs/performance.md`.

use std::fs;
use std::process::Command;

use crate::error::{Error, Result};
use crate::meter::Sample;
use crate::options::Options;
use crate::report::{Label, Machine, Spread, print};
use crate::target::Target;

const HEAD: &str = "\
| scenario | body | msg/s | CPU us/msg | user + system | p50 / p99 us | RSS / peak MiB | faults /1k msg | written B/msg | |
|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
";

/// The rows so far.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<String>,
}

impl Table {
    /// Adds what several runs of one thing have in the middle, with the ends of the two that matter most.
    pub(crate) fn add(&mut self, label: Label<'_>, samples: &[&Sample]) {
        let spread = |of: &dyn Fn(&Sample) -> Option<f64>| Spread::of(samples.iter().filter_map(|sample| of(sample)));
        let middle = |of: &dyn Fn(&Sample) -> Option<f64>| spread(of).map(|spread| spread.median);
        let rate =
            spread(&|sample| Some(sample.rate())).map_or_else(String::new, |rate| with_ends(rate, samples.len()));
        let cpu = spread(&Sample::broker_us).map_or_else(String::new, |cpu| with_ends(cpu, samples.len()));
        let user = middle(&|sample| Some(sample.us_per_message(sample.broker?.user)));
        let system = middle(&|sample| Some(sample.us_per_message(sample.broker?.system)));
        let p50 = middle(&|sample| Some(sample.latency?.p50_us));
        let p99 = middle(&|sample| Some(sample.latency?.p99_us));
        let rss = middle(&|sample| Some(sample.memory?.rss_bytes as f64 / 1024.0 / 1024.0));
        let peak = middle(&|sample| Some(sample.memory?.peak_bytes as f64 / 1024.0 / 1024.0));
        let faults = middle(&Sample::faults_per_1k);
        let written = middle(&Sample::written_per_message).filter(|written| *written >= 0.1);
        let pair = |pair: Option<(f64, f64)>, between| {
            pair.map_or_else(String::new, |(one, other)| format!("{} {between} {}", short(one), short(other)))
        };
        let alone = |number: Option<f64>| number.map_or_else(String::new, short);
        let others = extra(samples);
        let body = if label.body_bytes == 0 { String::new() } else { label.body_bytes.to_string() };
        self.rows.push(format!(
            "| {} | {body} | {rate} | {cpu} | {} | {} | {} | {} | {} | {} |\n",
            label.name(),
            pair(user.zip(system), "+"),
            pair(p50.zip(p99), "/"),
            pair(rss.zip(peak), "/"),
            alone(faults),
            alone(written),
            others.join(", "),
        ));
    }

    /// Prints the table, and writes it where it was asked for.
    pub(crate) fn finish(&self, options: &Options, target: &Target) -> Result<()> {
        let conditions = conditions(&format!("{} on", target.name()));
        let head = format!("{conditions} Median (lowest-highest) of {}.\n\n{HEAD}", options.repeat);
        write(options, &head, &self.rows)
    }
}

/// Prints a table, and writes it where it was asked for.
pub(crate) fn write(options: &Options, head: &str, rows: &[String]) -> Result<()> {
    let text = format!("{head}{}", rows.concat());
    if options.markdown {
        print(&text);
    }
    match (&options.into, &options.name) {
        (Some(file), Some(name)) if !rows.is_empty() => {
            let page = fs::read_to_string(file)?;
            Ok(fs::write(file, replaced(&page, name, &text)?)?)
        }
        _ => Ok(()),
    }
}

/// What only this scenario measures. How memory grew is known from the first run alone: the next ones find it there already.
fn extra(samples: &[&Sample]) -> Vec<String> {
    let Some((first, _)) = samples.split_first() else { return Vec::new() };
    let of = |sample: &Sample, name| sample.extra.iter().find(|(extra, _)| *extra == name).map(|(_, value)| *value);
    let text = |(name, value): &(&'static str, f64)| {
        let middle = Spread::of(samples.iter().filter_map(|sample| of(sample, *name))).map_or(*value, |all| all.median);
        let value = if name.starts_with("rss_") { *value } else { middle };
        format!("{name} {}", short(value))
    };
    first.extra.iter().map(text).collect()
}

/// `page` with `text` in the place called `name`.
fn replaced(page: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- figures:{name} -->\n"), "<!-- end -->");
    let missing =
        || Error::unexpected(format!("there is no line <!-- figures:{name} --> with an <!-- end --> below it"));
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

/// When and where, and how loaded the machine was before.
pub(crate) fn conditions(what: &str) -> String {
    let Machine { cores, cpu, kernel, load } = Machine::new();
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
        output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (date, commit) = (said("date", &["-u", "+%F"]), said("git", &["rev-parse", "--short", "HEAD"]));
    format!("{what} {date}, bench of commit {commit}; {cores} cores, {cpu}, Linux {kernel}, load {load}.")
}

fn with_ends(spread: Spread, runs: usize) -> String {
    let Spread { median, min, max } = spread;
    if runs > 1 { format!("{} ({}-{})", short(median), short(min), short(max)) } else { short(median) }
}

/// Three digits, with commas between thousands.
pub(crate) fn short(number: f64) -> String {
    let digits = number.abs().max(1e-9).log10().floor();
    if digits < 0.0 {
        return format!("{number:.3}");
    }
    if digits < 1.0 {
        return format!("{number:.2}");
    }
    if digits < 2.0 {
        return format!("{number:.1}");
    }
    let unit = 10_f64.powf(digits - 2.0);
    let text = format!("{:.0}", (number / unit).round() * unit);
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
