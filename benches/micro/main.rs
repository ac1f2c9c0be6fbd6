//! Counts the instructions of single pieces of the broker. Unlike times they are the same on a busy machine, so that CI can
//! compare them with recorded ones. `benches/README.md` tells how to run it.
//!
//! Each case runs twice under `valgrind --tool=callgrind`, in a process of its own: with some number of operations, and with
//! twice as many. The difference is what the operations cost, without start and preparation.

mod cases;
mod client;
mod curves;
mod disk;
mod waits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use cases::{CASES, Case};
use clap::Parser;
use curves::{CURVES, Curve, MULTIPLES};
use waits::ATTACKS;

/// A change of this part of the recorded number needs a new recording.
const TOLERANCE: f64 = 0.03;

const HEAD: &str = "\
# Instructions per operation, as `cargo bench --bench micro -- --record` found them. A change of more than 3 % in either
# direction fails `cargo bench --bench micro`; record anew when it is meant, and say why in the commit.
";

/// Counts instructions per operation and compares them with the recorded ones.
#[derive(Debug, Parser)]
#[command(name = "micro", version)]
struct Options {
    /// Writes what was counted into recorded.toml instead of comparing
    #[arg(long)]
    record: bool,

    /// Measures how costs grow, and nothing else
    #[arg(long)]
    curves: bool,

    /// Measures how long a client waits for the topology while another does its worst there, and nothing else
    #[arg(long)]
    waits: bool,

    /// Only the cases, curves and attacks whose names contain this
    filter: Option<String>,

    /// Runs one case without counting; for valgrind, perf, and ourselves
    #[arg(long, num_args = 2, value_names = ["CASE", "OPERATIONS"])]
    case: Option<Vec<String>>,

    /// Given by `cargo bench`, and by nobody else
    #[arg(long, hide = true)]
    bench: bool,

    /// Given by some test runners
    #[arg(long, hide = true)]
    test: bool,
}

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let options = Options::parse();
    let result = match &options.case {
        Some(words) => run_case(words),
        None if !options.bench => {
            print("nothing counted: `cargo bench --bench micro` does that");
            Ok(())
        }
        None => count_all(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run_case(words: &[String]) -> Result<()> {
    let [name, operations] = words else { return Err("a case and a number of operations".to_owned()) };
    let cases = CASES.iter().map(|case| (case.name, case.run));
    let curves = CURVES.iter().map(|curve| (curve.name, curve.run));
    let found = cases.chain(curves).find(|(present, _)| present == name);
    let (_, run) = found.ok_or_else(|| format!("no case is called '{name}'"))?;
    let operations = operations.parse().map_err(|error| format!("{operations}: {error}"))?;
    run(operations);
    Ok(())
}

fn measure_waits(options: &Options) {
    print("attack                        rounds        p99    longest  of an attack that took");
    let is_wanted = |name: &str| options.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    for attack in ATTACKS.iter().filter(|attack| is_wanted(attack.name)) {
        let waits::Waited { rounds, p99, longest, attack: took } = attack.run();
        print(&format!("{:<25} {rounds:>10} {p99:>10.1?} {longest:>10.1?} {took:>10.1?}", attack.name));
    }
}

fn count_all(options: &Options) -> Result<()> {
    if options.waits {
        measure_waits(options);
        return Ok(());
    }
    require_valgrind()?;
    let curves = count_curves(options);
    if options.curves {
        return curves;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/micro/recorded.toml");
    let mut recorded = read(&file)?;
    let is_wanted = |case: &&Case| options.filter.as_ref().is_none_or(|filter| case.name.contains(filter.as_str()));
    let mut changed = Vec::new();
    print("case                      instructions   recorded   change");
    for case in CASES.iter().filter(is_wanted) {
        let counted = count(case)?;
        let before = recorded.insert(case.name.to_owned(), counted);
        let change = before.map_or(f64::INFINITY, |before| counted / before - 1.0);
        let recorded = before.map_or_else(|| "-".to_owned(), |before| format!("{before:.1}"));
        print(&format!("{:<25} {counted:>12.1} {recorded:>10} {:>+7.1} %", case.name, change * 100.0));
        if change.abs() > TOLERANCE {
            changed.push(case.name);
        }
    }
    if options.record {
        recorded.retain(|name, _| CASES.iter().any(|case| case.name == name));
        write(&file, &recorded)?;
        return curves;
    }
    if changed.is_empty() {
        return curves;
    }
    let names = changed.join(", ");
    Err(format!("changed by more than 3 %: {names}. If that is meant: cargo bench --bench micro -- --record"))
}

/// Measures every curve that is wanted; an error names those that grow faster than n log n.
fn count_curves(options: &Options) -> Result<()> {
    let is_wanted = |curve: &&Curve| options.filter.as_ref().is_none_or(|filter| curve.name.contains(filter.as_str()));
    let mut too_steep = Vec::new();
    print("curve                         n       instructions for n, 2n, 4n, 8n");
    for curve in CURVES.iter().filter(is_wanted) {
        let nothing = instructions(curve.name, 0)?;
        let costs: Result<Vec<f64>> =
            MULTIPLES.iter().map(|multiple| Ok(instructions(curve.name, multiple * curve.n)? - nothing)).collect();
        let costs = costs?;
        let words: String = costs.iter().map(|cost| format!(" {cost:>13.0}")).collect();
        print(&format!("{:<25} {:>5}{words}", curve.name, curve.n));
        if !curves::is_linearithmic(curve.n, &costs) {
            too_steep.push(curve.name);
        }
    }
    if too_steep.is_empty() {
        return Ok(());
    }
    Err(format!("the cost grows faster than n log n: {}", too_steep.join(", ")))
}

/// Instructions per operation.
fn count(case: &Case) -> Result<f64> {
    let once = instructions(case.name, case.operations)?;
    let twice = instructions(case.name, 2 * case.operations)?;
    Ok((twice - once) / f64::from(case.operations))
}

fn instructions(name: &str, operations: u32) -> Result<f64> {
    let own: PathBuf = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(own);
    command.args(["--case", name, &operations.to_string()]);
    // What the environment holds lies on the stack, and moves what is aligned there.
    command.env_clear();
    let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
    let log = String::from_utf8_lossy(&output.stderr);
    let collected = log.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    collected.filter(|_| output.status.success()).ok_or_else(|| format!("{name} under valgrind: {log}"))
}

/// Installs valgrind where nobody is asked, in CI as root; elsewhere says what to do.
fn require_valgrind() -> Result<()> {
    let runs = || Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success());
    if runs() {
        return Ok(());
    }
    let user = Command::new("id").arg("-u").output().map(|output| output.stdout).unwrap_or_default();
    if env::var_os("CI").is_some() && user.trim_ascii() == b"0" {
        print("valgrind is not installed; installing it with apt-get");
        let install = "apt-get update -q && apt-get install -y -q --no-install-recommends valgrind libc6-dbg";
        let status = Command::new("sh").args(["-c", install]).status();
        if status.is_ok_and(|status| status.success()) && runs() {
            return Ok(());
        }
        return Err("valgrind could not be installed with apt-get".to_owned());
    }
    Err("valgrind is not installed, and instructions cannot be counted without it: apt-get install valgrind".to_owned())
}

fn read(file: &Path) -> Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, number) = line.split_once('=')?;
        Some((name.trim().to_owned(), number.trim().parse().ok()?))
    });
    parsed.collect::<Option<_>>().ok_or_else(|| format!("{}: not lines of name = number", file.display()))
}

fn write(file: &Path, recorded: &BTreeMap<String, f64>) -> Result<()> {
    let lines: String = recorded.iter().map(|(name, number)| format!("{name} = {number:.1}\n")).collect();
    fs::write(file, format!("{HEAD}{lines}")).map_err(|error| format!("{}: {error}", file.display()))
}

#[expect(clippy::print_stdout, reason = "the numbers are what this program is for")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "an error must not mix with the numbers")]
fn complain(text: &str) {
    eprintln!("error: {text}");
}
