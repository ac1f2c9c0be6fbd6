//! What the broker says of itself: status, listeners, memory, cluster.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::health::{ListenerFacts, listeners, own_node, raised};
use super::output::Output;
use super::verb::{BOTH, DIAGNOSTICS, Verb, value};
use crate::commands::client::escaped;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("status", BOTH, "Displays the status of the broker", status)
        .takes(0, 0, "[--unit <unit>] [--timeout <timeout>]")
        .switches(&[value("unit")])
        .says(|it| Some(format!("Status of node {} ...", it.node()))),
    Verb::new("listeners", DIAGNOSTICS, "Lists on which ports the broker listens", list_listeners)
        .says(|it| Some(format!("Asking node {} to report its protocol listeners ...", it.node()))),
    Verb::new("server_version", DIAGNOSTICS, "Displays the version that the broker tells its clients", version)
        .says(|it| Some(format!("Asking node {} for its RabbitMQ version...", it.node()))),
    Verb::new("erlang_version", DIAGNOSTICS, "Displays the version of Erlang that clients are told", erlang_version)
        .says(|it| Some(format!("Asking node {} for its Erlang/OTP version...", it.node()))),
    Verb::new("memory_breakdown", DIAGNOSTICS, "Displays what takes how much memory", memory_breakdown)
        .takes(0, 0, "[--unit <unit>] [--timeout <timeout>]")
        .switches(&[value("unit")])
        .says(|it| Some(format!("Reporting memory breakdown on node {}...", it.node()))),
    Verb::new("log_location", DIAGNOSTICS, "Displays where the log goes", log_location)
        .says(|it| Some(format!("Log file location(s) on node {} ...", it.node()))),
];

/// Bytes in the unit that was asked for.
fn in_unit(it: &Invocation, bytes: u64) -> String {
    let (divisor, unit) = match it.option("unit").unwrap_or("gb") {
        "b" | "bytes" => return format!("{bytes} bytes"),
        "mb" => (1e6, "mb"),
        "tb" => (1e12, "tb"),
        _ => (1e9, "gb"),
    };
    format!("{:?} {unit}", rounded(bytes, divisor, 1e4))
}

#[expect(clippy::cast_precision_loss, reason = "it is shown with four digits")]
fn rounded(bytes: u64, divisor: f64, digits: f64) -> f64 {
    (bytes as f64 / divisor * digits).round() / digits
}

fn percent(bytes: u64, total: u64) -> String {
    format!("{:?}", rounded(bytes.saturating_mul(100), rounded(total.max(1), 1.0, 1.0), 100.0))
}

/// What takes memory.
struct Memory {
    /// The most first.
    parts: Vec<(String, u64)>,
    total: u64,
    data: Value,
}

fn memory(it: &Invocation) -> Result<Memory, Failure> {
    let found = it.client()?.get(&format!("/nodes/{}/memory", escaped(&own_node(it)?)))?;
    let memory = found.get("memory").cloned().unwrap_or_default();
    let total = memory.pointer("/total/rss").and_then(Value::as_u64).unwrap_or(0);
    let parts = memory.as_object().into_iter().flatten();
    let mut parts: Vec<_> = parts.filter_map(|(name, bytes)| Some((name.clone(), bytes.as_u64()?))).collect();
    parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok(Memory { parts, total, data: memory })
}

fn memory_breakdown(it: &Invocation) -> Result<Output, Failure> {
    let Memory { parts, total, .. } = memory(it)?;
    let data = |(name, bytes): &(String, u64)| {
        let percentage = rounded(bytes.saturating_mul(100), rounded(total.max(1), 1.0, 1.0), 100.0);
        (name.clone(), json!({ "bytes": bytes, "percentage": percentage }))
    };
    let data = Value::Object(parts.iter().map(data).collect());
    let line =
        |(name, bytes): &(String, u64)| format!("{name}: {} ({}%)\n", in_unit(it, *bytes), percent(*bytes, total));
    let text: String = parts.iter().map(line).collect();
    Ok(Output::Report { text: text + "\n", data })
}

/// The interface as RabbitMQ writes it.
fn interface(address: &str) -> String {
    match address {
        "::" => "[::]".to_owned(),
        address if address.contains(':') => format!("[{address}]"),
        address => address.to_owned(),
    }
}

fn purpose(protocol: &str) -> &str {
    match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
        other => other,
    }
}

pub(super) fn listener_line(listener: &ListenerFacts) -> String {
    let ListenerFacts { protocol, address, port } = listener;
    format!("interface: {}, port: {port}, protocol: {protocol}, purpose: {}", interface(address), purpose(protocol))
}

pub(super) fn listener_data(node: &str, listeners: &[ListenerFacts]) -> Value {
    let data = |listener: &ListenerFacts| {
        json!({
            "node": node, "port": listener.port, "protocol": listener.protocol,
            "interface": interface(&listener.address), "purpose": purpose(&listener.protocol),
        })
    };
    listeners.iter().map(data).collect()
}

fn capitalised(listeners: &[ListenerFacts]) -> String {
    listeners.iter().map(|listener| listener_line(listener).replacen('i', "I", 1) + "\n").collect()
}

fn list_listeners(it: &Invocation) -> Result<Output, Failure> {
    let (node, found) = (own_node(it)?, listeners(it)?);
    Ok(Output::Report {
        text: capitalised(&found),
        data: json!({ "result": "ok", "node": node, "listeners": listener_data(&node, &found) }),
    })
}

fn version(it: &Invocation) -> Result<Output, Failure> {
    let overview = it.client()?.get("/overview")?;
    Ok(Output::Message(overview.get("rabbitmq_version").and_then(Value::as_str).unwrap_or_default().to_owned()))
}

fn erlang_version(it: &Invocation) -> Result<Output, Failure> {
    let overview = it.client()?.get("/overview")?;
    let version = overview.get("erlang_version").and_then(Value::as_str).unwrap_or_default();
    Ok(Output::Message(format!("Erlang/OTP {version}")))
}

pub(super) fn facts(it: &Invocation) -> Result<(Value, Value), Failure> {
    let client = it.client()?;
    let node = client.get(&format!("/nodes/{}", escaped(&own_node(it)?)))?;
    Ok((client.get("/overview")?, node))
}

fn log_location(it: &Invocation) -> Result<Output, Failure> {
    let (_, node) = facts(it)?;
    Ok(Output::Lines(texts(node.get("log_files"))))
}

pub(super) fn texts(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn bullets(lines: &[String]) -> String {
    if lines.is_empty() {
        return "(none)\n".to_owned();
    }
    lines.iter().map(|line| format!(" * {line}\n")).collect()
}

fn text(of: &Value, key: &str) -> String {
    of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(of: &Value, key: &str) -> u64 {
    of.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// What `status` is made of.
pub(super) struct Status {
    pub(super) name: String,
    overview: Value,
    node: Value,
    memory: Memory,
    alarms: Vec<String>,
    listeners: Vec<ListenerFacts>,
    vhosts: usize,
}

/// Whether the node is in maintenance.
pub(super) fn is_drained(node: &Value) -> bool {
    node.get("being_drained").and_then(Value::as_bool).unwrap_or(false)
}

impl Status {
    pub(super) fn of(it: &Invocation) -> Result<Self, Failure> {
        let (overview, node) = facts(it)?;
        let vhosts = it.client()?.get("/vhosts?columns=name")?.as_array().map_or(0, Vec::len);
        let (alarms, listeners) = (raised(it)?, listeners(it)?);
        Ok(Self { name: own_node(it)?, overview, node, memory: memory(it)?, alarms, listeners, vhosts })
    }

    fn count(&self, key: &str) -> u64 {
        self.overview.get("object_totals").map_or(0, |totals| number(totals, key))
    }

    fn runtime(&self) -> String {
        format!(
            "Runtime\n\nOS PID: {}\nOS: Linux\nUptime (seconds): {}\nIs under maintenance?: {}\nRabbitMQ version: \
             {}\nRabbitMQ release series support status: see https://www.rabbitmq.com/release-information\nNode name: \
             {}\nErlang configuration: {}\nCrypto library: \nErlang processes: {} used, {} limit\nScheduler run queue: \
             0\nCluster heartbeat timeout (net_ticktime): 60\n\n",
            text(&self.node, "os_pid"),
            number(&self.node, "uptime") / 1000,
            is_drained(&self.node),
            text(&self.overview, "rabbitmq_version"),
            self.name,
            text(&self.overview, "erlang_full_version"),
            number(&self.node, "proc_used"),
            number(&self.node, "proc_total"),
        )
    }

    fn files(&self) -> String {
        let data_dir = text(&self.node, "db_dir");
        format!(
            "Plugins\n\nEnabled plugin file: {}\nEnabled plugins:\n\n{}\nData directory\n\nNode data directory: \
             {data_dir}\nRaft data directory: {data_dir}\n\nConfig files\n\n{}\nLog file(s)\n\n{}\n",
            super::plugins::file().display(),
            bullets(&texts(self.node.get("enabled_plugins"))),
            bullets(&texts(self.node.get("config_files"))),
            bullets(&texts(self.node.get("log_files"))),
        )
    }

    fn resources(&self, it: &Invocation) -> String {
        let Memory { parts, total, .. } = &self.memory;
        let line = |(part, bytes): &(String, u64)| {
            format!("{part}: {} ({} %)\n", in_unit(it, *bytes), percent(*bytes, *total))
        };
        format!(
            "Alarms\n\n{}\n\nTags\n\n(none)\n\nMemory\n\nTotal memory used: {}\nCalculation strategy: rss\nMemory high \
             watermark setting: computed to: {}\n\n{}\nFree Disk Space\n\nLow free disk space watermark: {}\nFree disk \
             space: {}\n\n",
            alarm_lines(&self.name, &self.alarms),
            in_unit(it, *total),
            in_unit(it, number(&self.node, "mem_limit")),
            parts.iter().map(line).collect::<String>(),
            in_unit(it, number(&self.node, "disk_free_limit")),
            in_unit(it, number(&self.node, "disk_free")),
        )
    }

    pub(super) fn text(&self, it: &Invocation) -> String {
        format!(
            "{}{}{}Totals\n\nConnection count: {}\nQueue count: {}\nVirtual host count: {}\n\nListeners\n\n{}",
            self.runtime(),
            self.files(),
            self.resources(it),
            self.count("connections"),
            self.count("queues"),
            self.vhosts,
            capitalised(&self.listeners)
        )
    }

    pub(super) fn data(&self) -> Value {
        let (node, data_dir) = (&self.node, text(&self.node, "db_dir"));
        let totals = json!({
            "connection_count": self.count("connections"), "queue_count": self.count("queues"),
            "virtual_host_count": self.vhosts,
        });
        json!({
            "pid": text(node, "os_pid").parse::<u64>().unwrap_or(0), "os": "Linux",
            "uptime": number(node, "uptime") / 1000, "is_under_maintenance": is_drained(node),
            "rabbitmq_version": self.overview.get("rabbitmq_version"), "product_name": "", "product_version": "",
            "erlang_version": self.overview.get("erlang_full_version"), "crypto_lib_version": "",
            "processes": { "used": node.get("proc_used"), "limit": node.get("proc_total") },
            "run_queue": 0, "net_ticktime": 60,
            "active_plugins": node.get("enabled_plugins"), "enabled_plugin_file": super::plugins::file(),
            "data_directory": data_dir, "raft_data_directory": data_dir,
            "config_files": node.get("config_files"), "log_files": node.get("log_files"),
            "alarms": self.alarms, "tags": [], "memory": self.memory.data,
            "vm_memory_calculation_strategy": "rss", "vm_memory_high_watermark_limit": node.get("mem_limit"),
            "disk_free_limit": node.get("disk_free_limit"), "disk_free": node.get("disk_free"),
            "totals": totals, "listeners": listener_data(&self.name, &self.listeners),
        })
    }
}

pub(super) fn alarm_lines(node: &str, alarms: &[String]) -> String {
    if alarms.is_empty() {
        return "(none)".to_owned();
    }
    alarms.iter().map(|resource| format!("{resource} alarm on node {node}")).collect::<Vec<_>>().join("\n")
}

fn status(it: &Invocation) -> Result<Output, Failure> {
    let status = Status::of(it)?;
    Ok(Output::Report { text: status.text(it), data: status.data() })
}
