//! `leveret status`: the broker in ten lines.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::Run;
use super::broker_options::BrokerOptions;
use super::client::escaped;
use super::ending::{Failed, end};

/// The arguments of `leveret status`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret status --json")]
pub(super) struct Status {
    #[command(flatten)]
    broker: BrokerOptions,

    /// Write one JSON object
    #[arg(long)]
    json: bool,
}

impl Run for Status {
    fn run(self) -> ExitCode {
        end(self.status())
    }
}

impl Status {
    fn status(&self) -> Result<String, Failed> {
        let client = self.broker.client()?;
        let overview = client.get("/overview")?;
        let name = overview.get("node").and_then(Value::as_str).unwrap_or_default();
        let node = client.get(&format!("/nodes/{}", escaped(name)))?;
        let found = facts(&overview, &node);
        if self.json {
            return Ok(format!("{found}\n"));
        }
        let line = |(key, value): (&String, &Value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{:<16} {value}\n", key.replace('_', " "))
        };
        Ok(format!("{}\n{}", client.target(), found.as_object().into_iter().flatten().map(line).collect::<String>()))
    }
}

fn facts(overview: &Value, node: &Value) -> Value {
    let of = |value: &Value, path: &str| value.pointer(path).cloned().unwrap_or_default();
    let number = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let listeners = overview.get("listeners").and_then(Value::as_array).into_iter().flatten();
    let listeners: Vec<_> = listeners
        .filter_map(|it| {
            let (protocol, address) = (it.get("protocol")?.as_str()?, it.get("ip_address")?.as_str()?);
            Some(format!("{protocol} {address}:{}", it.get("port")?))
        })
        .collect();
    let alarms = [("mem_alarm", "memory"), ("disk_free_alarm", "disk")];
    let alarms: Vec<_> =
        alarms.iter().filter(|(key, _)| node.get(*key) == Some(&Value::Bool(true))).map(|(_, name)| *name).collect();
    json!({
        "node": of(overview, "/node"),
        "like_rabbitmq": of(overview, "/rabbitmq_version"),
        "pid": of(node, "/os_pid"),
        "uptime_seconds": number(node, "/uptime") / 1000,
        "data_directory": of(node, "/db_dir"),
        "listens_on": listeners.join(", "),
        "connections": of(overview, "/object_totals/connections"),
        "queues": of(overview, "/object_totals/queues"),
        "messages": of(overview, "/queue_totals/messages"),
        "memory_mib": number(node, "/mem_used") / (1 << 20),
        "disk_free_mib": number(node, "/disk_free") / (1 << 20),
        "alarms": if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") },
    })
}
