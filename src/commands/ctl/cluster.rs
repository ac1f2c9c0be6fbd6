//! A cluster of one node.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::health::{ListenerFacts, listeners, own_node, raised};
use super::output::Output;
use super::status::{alarm_lines, facts, is_drained, listener_data, listener_line};
use super::verb::{BOTH, Tool, Verb};

pub(super) const VERBS: &[Verb] = &[
    Verb::new("cluster_status", BOTH, "Displays the only node", cluster_status)
        .takes(0, 0, "[--timeout <timeout>]")
        .says(|it| Some(format!("Cluster status of node {} ...", it.node()))),
    Verb::new(
        "has_reached_target_cluster_size",
        &[Tool::Ctl, Tool::Diagnostics, Tool::Upgrade],
        "Holds for the only node",
        has_reached_size,
    )
    .takes(0, 0, "[--timeout <timeout>]")
    .says(|it| Some(format!("Checking if target cluster size has been reached on node {} ...", it.node()))),
];

/// What `cluster_status` is made of.
pub(super) struct Cluster {
    node: String,
    name: String,
    version: String,
    erlang: String,
    cores: u64,
    maintenance: &'static str,
    alarms: Vec<String>,
    listeners: Vec<ListenerFacts>,
    flags: Value,
}

impl Cluster {
    pub(super) fn of(it: &Invocation) -> Result<Self, Failure> {
        let (overview, facts) = facts(it)?;
        let text = |key: &str| overview.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self {
            node: own_node(it)?,
            name: text("cluster_name"),
            version: text("rabbitmq_version"),
            erlang: text("erlang_version"),
            cores: facts.get("processors").and_then(Value::as_u64).unwrap_or(0),
            maintenance: if is_drained(&facts) { "marked for maintenance" } else { "not under maintenance" },
            alarms: raised(it)?,
            listeners: listeners(it)?,
            flags: it.client()?.get("/feature-flags")?,
        })
    }

    pub(super) fn text(&self) -> String {
        let Self { node, name, version, erlang, cores, maintenance, alarms, listeners, flags } = self;
        let flag = |flag: &Value| {
            let text = |key: &str| flag.get(key).and_then(Value::as_str).unwrap_or_default();
            format!("Flag: {}, state: {}\n", text("name"), text("state"))
        };
        let listeners: String =
            listeners.iter().map(|listener| format!("Node: {node}, {}\n", listener_line(listener))).collect();
        let flags: String = flags.as_array().into_iter().flatten().map(flag).collect();
        format!(
            "Basics\n\nCluster name: {name}\nTotal CPU cores available cluster-wide: {cores}\n\nCluster \
             Tags\n\n(none)\n\nDisk Nodes\n\n{node}\n\nRunning Nodes\n\n{node}\n\nVersions\n\n{node}: RabbitMQ {version} on \
             Erlang {erlang}\n\nCPU Cores\n\nNode: {node}, available CPU cores: {cores}\n\nMaintenance status\n\nNode: \
             {node}, status: {maintenance}\n\nAlarms\n\n{}\n\nNetwork \
             Partitions\n\n(none)\n\nListeners\n\n{listeners}\nFeature flags\n\n{flags}",
            alarm_lines(node, alarms)
        )
    }

    pub(super) fn data(&self) -> Value {
        let Self { node, name, version, erlang, cores, maintenance, alarms, listeners, flags } = self;
        let version = json!({ "rabbitmq_name": "RabbitMQ", "rabbitmq_version": version, "erlang_version": erlang });
        json!({
            "cluster_name": name, "cluster_tags": [], "disk_nodes": [node], "running_nodes": [node],
            "versions": { node.as_str(): version }, "cpu_cores": { node.as_str(): cores },
            "maintenance_status": { node.as_str(): maintenance }, "alarms": alarms, "partitions": {},
            "listeners": { node.as_str(): listener_data(node, listeners) }, "feature_flags": flags,
        })
    }
}

fn cluster_status(it: &Invocation) -> Result<Output, Failure> {
    let cluster = Cluster::of(it)?;
    Ok(Output::Report { text: cluster.text(), data: cluster.data() })
}

/// However many nodes a configuration of RabbitMQ hopes for: there will be no other one.
fn has_reached_size(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.get("/health/checks/reached-target-cluster-size")?;
    if it.is_silent() && it.format.is_none() {
        return Ok(Output::Nothing);
    }
    let text = format!("Target cluster size has been reached on node {}\n", it.node());
    Ok(Output::Report { text, data: json!({ "result": "ok" }) })
}
