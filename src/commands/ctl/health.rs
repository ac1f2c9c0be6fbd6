//! Health checks, which container platforms run every few seconds.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table};
use super::verb::{BOTH, DIAGNOSTICS, Tool, Verb, flag, value};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("ping", BOTH, "Checks that the broker answers", ping).says(|it| {
        let timeout = it.timeout_s(super::arguments::DEFAULT_TIMEOUT_S).map_or(0, |seconds| seconds * 1000);
        Some(format!(
            "Will ping {}. This only checks if the OS process is running and registered with epmd. Timeout: {timeout} ms.",
            it.node()
        ))
    }),
    Verb::new("check_running", DIAGNOSTICS, "Fails unless the broker is started", running)
        .says(|it| Some(format!("Checking if RabbitMQ is running on node {} ...", it.node()))),
    Verb::new("is_running", DIAGNOSTICS, "Says whether the broker is started", running)
        .says(|it| Some(format!("Asking node {} for its status ...", it.node()))),
    Verb::new("is_booting", DIAGNOSTICS, "Says whether the broker is still starting", booting)
        .says(|it| Some(format!("Asking node {} for its boot status ...", it.node()))),
    Verb::new("check_port_connectivity", DIAGNOSTICS, "Connects to all ports on which the broker listens", connectivity)
        .takes(0, 0, "[--address <ip_address>] [--timeout <timeout>]")
        .switches(&[value("address")])
        .says(|it| {
            let node = it.node();
            Some(format!(
                "Testing TCP connections to all active listeners on node {node} using hostname resolution ..."
            ))
        }),
    Verb::new("check_port_listener", DIAGNOSTICS, "Fails unless the broker listens on a port", port_listener)
        .takes(1, 1, "<port>")
        .checks(|it| match it.argument(0).parse::<u16>() {
            Ok(port) if port > 0 => Ok(()),
            _ => Err(Failure::Arguments {
                code: exit::DATA,
                text: "Bad argument: Argument must be a positive integer".to_owned(),
            }),
        })
        .says(|it| Some(format!("Asking node {} if there's an active listener on port {} ...", it.node(), it.argument(0)))),
    Verb::new("check_protocol_listener", DIAGNOSTICS, "Fails unless the broker speaks a protocol", protocol_listener)
        .takes(1, 1, "<protocol>")
        .says(|it| {
            Some(format!("Asking node {} if there's an active listener for protocol {} ...", it.node(), it.argument(0)))
        }),
    Verb::new("check_alarms", DIAGNOSTICS, "Fails if memory or disk space is short", check_alarms)
        .says(|it| Some(format!("Asking node {} to report any local resource alarms ...", it.node()))),
    Verb::new("check_local_alarms", DIAGNOSTICS, "Fails if memory or disk space is short here", check_local_alarms)
        .says(|it| Some(format!("Asking node {} to report any local resource alarms ...", it.node()))),
    Verb::new("alarms", DIAGNOSTICS, "Says whether memory or disk space is short", alarms)
        .says(|it| Some(format!("Asking node {} to report any known resource alarms ...", it.node()))),
    Verb::new("check_virtual_hosts", DIAGNOSTICS, "Fails unless all virtual hosts are there", virtual_hosts)
        .says(|it| Some(format!("Checking if all vhosts are running on node {} ...", it.node()))),
    Verb::new("check_certificate_expiration", DIAGNOSTICS, "Fails if a certificate ends soon", certificates)
        .takes(0, 0, "[--within <period>] [--unit <unit>]")
        .switches(&[value("within"), value("unit")])
        .says(|it| Some(format!("Checking certificate expiration for all certificates on node {} ...", it.node()))),
    Verb::new("check_if_node_is_quorum_critical", &[Tool::Diagnostics, Tool::Queues], "Holds for the only node", |it| {
        only_node(it, "check")
    })
    .says(|it| Some(format!("Checking if node {} is critical for quorum of any queues/streams ...", it.node()))),
    Verb::new("check_if_node_is_mirror_sync_critical", &[Tool::Diagnostics, Tool::Queues], "Does nothing any more", |it| {
        it.client()?.get("/overview?columns=node")?;
        Ok(Output::Message("ok".to_owned()))
    })
    .says(|_| Some("This command is DEPRECATED and is a no-op. It will be removed in a future version.".to_owned())),
    Verb::new("check_if_any_deprecated_features_are_used", BOTH, "Lists deprecated features in use", deprecated)
        .says(|_| Some("Checking if any deprecated features are used ...".to_owned())),
    Verb::new("node_health_check", BOTH, "Does nothing any more but ask the broker", |it| {
        it.client()?.get("/overview?columns=node")?;
        Ok(Output::Nothing)
    })
    .says(|_| {
        Some(
            "This command is DEPRECATED and is a no-op. It will be removed in a future version. \nUse one of the options \
             covered in https://www.rabbitmq.com/monitoring.html#health-checks instead."
                .to_owned(),
        )
    }),
    Verb::new("await_online_quorum_plus_one", &[Tool::Upgrade], "Holds for the only node", |it| {
        it.client()?.get("/overview?columns=node")?;
        Ok(Output::Message(
            "Target node seems to be the only one in a single node cluster, the command does not apply".to_owned(),
        ))
    })
    .says(|it| {
        let seconds = it.timeout_s(120).map_or_else(|| "infinity".to_owned(), |seconds| seconds.to_string());
        Some(format!(
            "Will wait for a quorum + 1 of nodes to be online for all quorum queues and streams for {seconds} seconds..."
        ))
    }),
    Verb::new("list_node_auth_attempt_stats", BOTH, "Lists how often clients logged in, and failed to", login_attempts)
        .takes(0, 0, "[--by-source]")
        .switches(&[flag("by-source")])
        .says(|it| Some(format!("Listing authentication attempts for node \"{}\" ...", it.node()))),
];

fn ping(it: &Invocation) -> Result<Output, Failure> {
    let answered = it.client().and_then(|client| Ok(client.get("/overview?columns=node")?));
    match answered {
        Ok(_) => Ok(Output::Message("Ping succeeded".to_owned())),
        Err(Failure::Unreachable(why)) => {
            let timeout = it.timeout_s(super::arguments::DEFAULT_TIMEOUT_S).map_or(0, |seconds| seconds * 1000);
            let node = it.node();
            let text = format!("Failed to connect and authenticate to {node} in {timeout} ms\n * {why}");
            Err(Failure::said(exit::UNAVAILABLE, text))
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the broker serves clients, and has not been told to stop doing so.
pub(super) fn is_started(it: &Invocation) -> Result<bool, Failure> {
    let app = it.client()?.find("/leveret/app")?.unwrap_or_default();
    // RabbitMQ has no such path, and is started if it answers.
    Ok(app.get("running").and_then(Value::as_bool).unwrap_or(true))
}

fn running(it: &Invocation) -> Result<Output, Failure> {
    let node = it.node();
    if is_started(it)? {
        return Ok(Output::Message(format!("RabbitMQ on node {node} is fully booted and running")));
    }
    Err(Failure::said(
        exit::UNAVAILABLE,
        format!("RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting)"),
    ))
}

fn booting(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.get("/overview?columns=node")?;
    let node = it.node();
    Ok(Output::Message(format!(
        "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has not started booting yet"
    )))
}

/// Something that the broker listens with.
#[derive(Clone, Debug)]
pub(super) struct ListenerFacts {
    pub(super) protocol: String,
    pub(super) address: String,
    pub(super) port: u16,
}

/// What the broker listens with, each port and protocol once.
pub(super) fn listeners(it: &Invocation) -> Result<Vec<ListenerFacts>, Failure> {
    let overview = it.client()?.get("/overview?columns=listeners")?;
    let read = |listener: &Value| {
        Some(ListenerFacts {
            protocol: listener.get("protocol")?.as_str()?.to_owned(),
            address: listener.get("ip_address")?.as_str()?.to_owned(),
            port: u16::try_from(listener.get("port")?.as_u64()?).ok()?,
        })
    };
    let mut found: Vec<_> =
        overview.get("listeners").and_then(Value::as_array).into_iter().flatten().filter_map(read).collect();
    found.dedup_by(|one, other| one.port == other.port && one.protocol == other.protocol);
    Ok(found)
}

fn connectivity(it: &Invocation) -> Result<Output, Failure> {
    let node = it.node().to_owned();
    let (mut said, mut failed, mut ports) = (Vec::new(), Vec::new(), Vec::new());
    for listener in listeners(it)? {
        let host = match it.option("address") {
            Some(address) => address.to_owned(),
            None if matches!(listener.address.as_str(), "0.0.0.0" | "::" | "127.0.0.1" | "::1") => {
                "localhost".to_owned()
            }
            None => listener.address.clone(),
        };
        said.push(format!("Will connect to {host}:{}", listener.port));
        ports.push(listener.port);
        if !connects(&host, listener.port) {
            failed.push(listener.port);
        }
    }
    ports.sort_unstable();
    if failed.is_empty() {
        let ports = joined(&ports);
        said.push(format!("Successfully connected to ports {ports} on node {node} (using node hostname resolution)"));
        return Ok(Output::Message(said.join("\n")));
    }
    let text = format!("Connection to ports of the following listeners on node {node} failed: {}", joined(&failed));
    Err(Failure::bare(exit::UNAVAILABLE, text))
}

fn connects(host: &str, port: u16) -> bool {
    let Ok(addresses) = (host, port).to_socket_addrs() else { return false };
    addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok())
}

fn joined(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

fn port_listener(it: &Invocation) -> Result<Output, Failure> {
    let (port, node) = (it.argument(0), it.node());
    let mut ports: Vec<_> = listeners(it)?.into_iter().map(|listener| listener.port).collect();
    ports.sort_unstable();
    if ports.iter().any(|found| found.to_string() == port) {
        return Ok(Output::Message(format!("A listener for port {port} is running on node {node}.")));
    }
    let text = format!(
        "No listener for port {port} is active on node {node}. Found listeners that use the following ports: {}",
        joined(&ports)
    );
    Err(Failure::bare(exit::UNAVAILABLE, text))
}

fn protocol_listener(it: &Invocation) -> Result<Output, Failure> {
    let (wanted, node) = (it.argument(0), it.node());
    let protocols: Vec<_> = listeners(it)?.into_iter().map(|listener| listener.protocol).collect();
    match it.client()?.get(&format!("/health/checks/protocol-listener/{}", escaped(wanted))) {
        Ok(_) => Ok(Output::Message(format!("A listener for protocol {wanted} is running on node {node}."))),
        Err(Problem::Refused { .. }) => Err(Failure::bare(
            exit::UNAVAILABLE,
            format!(
                "No listener for protocol {wanted} is active on node {node}. Found listeners for the following protocols: {}",
                protocols.join(", ")
            ),
        )),
        Err(problem) => Err(problem.into()),
    }
}

/// The resources that are short.
pub(super) fn raised(it: &Invocation) -> Result<Vec<String>, Failure> {
    let path = format!("/nodes/{}?columns=mem_alarm,disk_free_alarm", escaped(&own_node(it)?));
    let node = it.client()?.get(&path)?;
    let is_raised = |key: &str| node.get(key).and_then(Value::as_bool) == Some(true);
    let resources = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")];
    Ok(resources.into_iter().filter(|(key, _)| is_raised(key)).map(|(_, name)| name.to_owned()).collect())
}

/// The name that the broker gives itself.
pub(super) fn own_node(it: &Invocation) -> Result<String, Failure> {
    let overview = it.client()?.get("/overview?columns=node")?;
    Ok(overview.get("node").and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn alarms_text(node: &str, raised: &[String]) -> String {
    let lines = raised.iter().map(|resource| format!("{} alarm on node {node}", capital(resource)));
    lines.collect::<Vec<_>>().join("\n")
}

fn capital(resource: &str) -> &'static str {
    if resource == "disk" { "Free disk space" } else { "Memory" }
}

fn checked(it: &Invocation, none: &str) -> Result<Output, Failure> {
    let (raised, node) = (raised(it)?, it.node());
    if raised.is_empty() {
        return Ok(Output::Remark(format!("Node {node} reported {none}")));
    }
    let text = format!("Node {node} reported the following alarms:\n{}", alarms_text(node, &raised));
    Err(Failure::bare(exit::UNAVAILABLE, text))
}

fn check_alarms(it: &Invocation) -> Result<Output, Failure> {
    checked(it, "no alarms, local or clusterwide")
}

fn check_local_alarms(it: &Invocation) -> Result<Output, Failure> {
    checked(it, "no local alarms")
}

fn alarms(it: &Invocation) -> Result<Output, Failure> {
    let (raised, node) = (raised(it)?, it.node());
    let text = if raised.is_empty() {
        format!("Node {node} reported no alarms, local or clusterwide")
    } else {
        format!("Node {node} reported the following alarms:\n{}", alarms_text(node, &raised))
    };
    let data = serde_json::json!({ "result": "ok", "node": node, "alarms": raised });
    Ok(Output::Report { text: text + "\n", data })
}

fn virtual_hosts(it: &Invocation) -> Result<Output, Failure> {
    let node = it.node();
    match it.client()?.get("/health/checks/virtual-hosts") {
        Ok(_) => Ok(Output::Remark(format!("Node {node} reported all vhosts as running"))),
        Err(Problem::Refused { reason, .. }) => Err(Failure::bare(exit::UNAVAILABLE, reason)),
        Err(problem) => Err(problem.into()),
    }
}

fn certificates(it: &Invocation) -> Result<Output, Failure> {
    let (within, unit) = (it.option("within").unwrap_or("4"), it.option("unit").unwrap_or("weeks"));
    match it.client()?.get(&format!("/health/checks/certificate-expiration/{}/{}", escaped(within), escaped(unit))) {
        Ok(_) => Ok(Output::Message(format!("No certificates are expiring within {within} {unit}."))),
        Err(Problem::Refused { status: 400, reason, .. }) => Err(Failure::usage(reason)),
        Err(Problem::Refused { reason, .. }) => Err(Failure::bare(exit::UNAVAILABLE, reason)),
        Err(problem) => Err(problem.into()),
    }
}

fn only_node(it: &Invocation, what: &str) -> Result<Output, Failure> {
    it.client()?.get("/health/checks/node-is-quorum-critical")?;
    let node = it.node();
    Ok(Output::Message(format!(
        "Node {node} seems to be the only one in a single node cluster, the {what} does not apply"
    )))
}

fn login_attempts(it: &Invocation) -> Result<Output, Failure> {
    let source = if it.is_set("by-source") { "/source" } else { "" };
    let found = it.client()?.get(&format!("/auth/attempts/{}{source}", escaped(&own_node(it)?)))?;
    let columns = ["protocol", "auth_attempts", "auth_attempts_failed", "auth_attempts_succeeded"];
    let of_source = ["remote_address", "username"];
    let columns: Vec<_> =
        if source.is_empty() { columns.to_vec() } else { [of_source.as_slice(), columns.as_slice()].concat() };
    let row = |item: &Value| {
        let cell = |key: &&str| Cell::Plain(item.get(*key).cloned().unwrap_or_default());
        columns.iter().map(cell).collect()
    };
    Ok(Table::new(&columns, found.as_array().into_iter().flatten().map(row).collect()).drawn().into())
}

fn deprecated(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/deprecated-features/used")?;
    let found = found.as_array().cloned().unwrap_or_default();
    if found.is_empty() {
        return Ok(Output::Message("Cluster reported no deprecated features in use".to_owned()));
    }
    let columns = ["name", "deprecation_phase", "state"];
    let row =
        |item: &Value| columns.iter().map(|key| Cell::Plain(item.get(*key).cloned().unwrap_or_default())).collect();
    Ok(Table::new(&columns, found.iter().map(row).collect()).drawn().into())
}
