//! The broker as a process: its start, its stop, its state as new.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::arguments::Invocation;
use super::failure::Failure;
use super::health::is_started;
use super::output::Output;
use super::verb::{CTL, Tool, Verb, flag};
use crate::commands::client::signal;
use crate::commands::exit;
use crate::commands::system::{Process, Told};

pub(super) const VERBS: &[Verb] = &[
    Verb::new(
        "version",
        &[Tool::Ctl, Tool::Diagnostics, Tool::Plugins],
        "Displays the version of RabbitMQ that this is like",
        |_| Ok(Output::Message(claimed_version().to_owned())),
    ),
    Verb::new("stop", CTL, "Stops the broker", stop)
        .takes(0, 1, "[<pidfile>]")
        .switches(&[flag("idempotent")])
        .says(|it| Some(format!("Stopping and halting node {} ...", it.node()))),
    Verb::new("shutdown", CTL, "Stops the broker, and waits until it has ended", shutdown)
        .takes(0, 0, "[--wait] [--timeout <timeout>]")
        .switches(&[flag("wait"), flag("no-wait")]),
    Verb::new("stop_app", CTL, "Lets no clients in any more; the process goes on", |it| app(it, "stop"))
        .says(|it| Some(format!("Stopping rabbit application on node {} ...", it.node()))),
    Verb::new("start_app", CTL, "Lets clients in again", |it| app(it, "start"))
        .says(|it| Some(format!("Starting node {} ...", it.node()))),
    Verb::new("reset", CTL, "Makes the broker as new; after stop_app", reset)
        .says(|it| Some(format!("Resetting node {} ...", it.node()))),
    Verb::new("force_reset", CTL, "Makes the broker as new; after stop_app", reset)
        .says(|it| Some(format!("Forcefully resetting node {} ...", it.node()))),
    Verb::new("suspend_listeners", CTL, "Lets no new clients in; who is connected stays", |it| app(it, "suspend"))
        .says(|it| Some(format!("Will suspend client connection listeners on node {}. The node will no longer accept client connections!", it.node()))),
    Verb::new("resume_listeners", CTL, "Lets clients in again after suspend_listeners", |it| app(it, "resume"))
        .says(|it| Some(format!("Will resume client connection listeners on node {}. The node will now accept client connections", it.node()))),
    Verb::new(
        "drain",
        &[Tool::Upgrade],
        "Puts the node into maintenance: closes all connections, and lets nobody in",
        |it| app(it, "drain"),
    )
    .says(|it| {
        let node = it.node();
        Some(format!("Will put node {node} into maintenance mode. The node will no longer serve any client traffic!"))
    }),
    Verb::new("revive", &[Tool::Upgrade], "Ends the maintenance", |it| app(it, "revive"))
        .says(|it| Some(format!("Will put node {} back into regular operating mode. The node will again serve client traffic and host primary queue replicas.", it.node()))),
    Verb::new("post_upgrade", &[Tool::Upgrade], "Does nothing: there is one node", nothing)
        .says(|_| Some("Executing post upgrade tasks...".to_owned())),
];

/// The version of RabbitMQ that clients are told unless the broker was started to be like another one.
pub(super) fn claimed_version() -> &'static str {
    leveret::Broker::rabbitmq_version()
}

fn nothing(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.get("/overview?columns=node")?;
    Ok(Output::Nothing)
}

fn process(it: &Invocation) -> Result<Process, Failure> {
    Ok(it.client()?.process()?)
}

fn terminate(process: Process) -> Result<(), Failure> {
    Ok(signal(process, Told::Terminate)?)
}

const POLL: Duration = Duration::from_millis(10);

/// Waits for the end of a process; false if it takes too long.
fn ends(process: Process, seconds: Option<u64>) -> bool {
    let steps = seconds.map_or(u64::MAX, |seconds| seconds * 100);
    for _ in 0..steps {
        if process.has_ended() {
            return true;
        }
        thread::sleep(POLL);
    }
    false
}

fn stop(it: &Invocation) -> Result<Output, Failure> {
    let process = process(it)?;
    terminate(process)?;
    let seconds = it.timeout_s(super::arguments::DEFAULT_TIMEOUT_S);
    if ends(process, seconds) {
        return Ok(Output::Nothing);
    }
    Err(Failure::TimedOut(u128::from(seconds.unwrap_or(0)) * 1000))
}

fn shutdown(it: &Invocation) -> Result<Output, Failure> {
    let process = process(it)?;
    // Asked while it still answers.
    let node = it.node().to_owned();
    let mut said = vec![format!("Shutting down RabbitMQ node {node} running at PID {process}")];
    terminate(process)?;
    if it.is_set("no-wait") {
        return Ok(Output::Message(said.join("\n")));
    }
    said.push(format!("Waiting for PID {process} to terminate"));
    let seconds = it.timeout_s(super::arguments::DEFAULT_TIMEOUT_S);
    if !ends(process, seconds) {
        return Err(Failure::TimedOut(u128::from(seconds.unwrap_or(0)) * 1000));
    }
    said.push(format!("RabbitMQ node {node} running at PID {process} successfully shut down"));
    Ok(Output::Message(said.join("\n")))
}

fn app(it: &Invocation, what: &str) -> Result<Output, Failure> {
    it.client()?.post(&format!("/leveret/app/{what}"), &json!({}))?;
    Ok(Output::Nothing)
}

fn reset(it: &Invocation) -> Result<Output, Failure> {
    if is_started(it)? {
        let text = format!(
            "Mnesia is still running on node {}.\nPlease stop the node with rabbitmqctl stop_app first.",
            it.node()
        );
        return Err(Failure::said(exit::UNAVAILABLE, text));
    }
    app(it, "reset")
}
