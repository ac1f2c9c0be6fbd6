//! Waiting for a broker to start.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::arguments::Invocation;
use super::failure::Failure;
use super::health::is_started;
use super::output::Output;
use super::verb::{BOTH, CTL, Switch, Verb};
use crate::commands::exit;
use crate::commands::system::Process;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("await_startup", CTL, "Waits until the broker serves clients", await_startup).takes(0, 0, ""),
    Verb::new("await_online_nodes", CTL, "Waits for so many nodes; there is one", await_nodes)
        .takes(1, 1, "<count> [--timeout <timeout>]")
        .checks(|it| match it.argument(0).parse::<u32>() {
            Ok(count) if count > 0 => Ok(()),
            _ => Err(Failure::usage("the number of nodes is a positive number")),
        })
        .says(|it| {
            let seconds = it.timeout_s(STARTUP_S).map_or_else(|| "infinity".to_owned(), |seconds| seconds.to_string());
            Some(format!(
                "Will wait for at least {} nodes to join the cluster of {}. Timeout: {seconds} seconds.",
                it.argument(0),
                it.node()
            ))
        }),
    Verb::new("wait", BOTH, "Waits for a pid file, and until the broker of that process serves clients", wait)
        .takes(0, 1, "[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]")
        .switches(&[Switch { name: "pid", letter: Some('P'), takes_value: true }])
        .checks(|it| match (it.arguments.first(), it.option("pid")) {
            (None, None) => Err(Failure::usage("\"No pid or pidfile specified\"")),
            (Some(_), Some(_)) => Err(Failure::usage("\"Cannot specify both pid and pidfile\"")),
            (Some(_), None) | (None, Some(_)) => Ok(()),
        })
        .says(|it| it.arguments.first().map(|file| format!("Waiting for pid file '{file}' to appear"))),
];

/// How long the tools wait for a start unless they are told otherwise, in seconds.
const STARTUP_S: u64 = 300;
const WAIT_S: u64 = 10;
const POLL_MS: u64 = 50;

/// Asks again and again, until there is an answer or the time is over.
fn until<T>(
    it: &Invocation,
    otherwise_s: u64,
    mut ask: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let seconds = it.timeout_s(otherwise_s);
    let mut left_ms = seconds.map_or(u64::MAX, |seconds| seconds * 1000);
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if left_ms == 0 {
            return Err(Failure::TimedOut(u128::from(seconds.unwrap_or(0)) * 1000));
        }
        let pause_ms = POLL_MS.min(left_ms);
        // Only pauses are counted: what one attempt takes is bounded by itself.
        left_ms -= pause_ms;
        thread::sleep(Duration::from_millis(pause_ms));
    }
}

/// A broker that cannot be reached may be there in a moment.
fn started(it: &Invocation) -> Result<Option<()>, Failure> {
    match is_started(it) {
        Ok(is_started) => Ok(is_started.then_some(())),
        Err(Failure::Unreachable(_) | Failure::TimedOut(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn await_startup(it: &Invocation) -> Result<Output, Failure> {
    until(it, STARTUP_S, || started(it))?;
    Ok(Output::Nothing)
}

fn await_nodes(it: &Invocation) -> Result<Output, Failure> {
    until(it, STARTUP_S, || started(it))?;
    if it.argument(0) == "1" {
        return Ok(Output::Nothing);
    }
    // There will never be more.
    Err(Failure::said(exit::TEMPORARY, format!("this broker is one node, and will not become {}", it.argument(0))))
}

fn wait(it: &Invocation) -> Result<Output, Failure> {
    let pid = match it.option("pid") {
        Some(pid) => pid.to_owned(),
        None => until(it, WAIT_S, || Ok(pid_in(Path::new(it.argument(0)))))?,
    };
    let process = pid.parse().ok().and_then(Process::numbered);
    let process = process.ok_or_else(|| Failure::said(exit::DATA, format!("Garbage in pid file: {pid}")))?;
    let node = it.option("node").unwrap_or("rabbit@localhost");
    let mut said = vec![
        format!("pid is {pid}"),
        format!("Waiting for erlang distribution on node '{node}' while OS process '{pid}' is running"),
    ];
    until(it, WAIT_S, || {
        if process.is_gone() {
            return Err(Failure::said(exit::UNAVAILABLE, "process_not_running"));
        }
        started(it)
    })?;
    let node = it.node();
    said.push(format!("Waiting for applications 'rabbit_and_plugins' to start on node '{node}'"));
    said.push(format!("Applications 'rabbit_and_plugins' are running on node '{node}'"));
    Ok(if it.is_quiet() { Output::Nothing } else { Output::Message(said.join("\n")) })
}

/// What stands in a pid file, as soon as it is whole.
fn pid_in(file: &Path) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    Some(text.trim().to_owned()).filter(|pid| !pid.is_empty())
}
