//! `leveret peek`: looks at the messages of a queue without touching them.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::Run;
use super::broker_options::BrokerOptions;
use super::client::escaped;
use super::ending::{Failed, end};
use super::terminal::{harmless, harmless_lines};

/// The arguments of `leveret peek`.
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is consumed: flags, counts and order stay as they are.\n\nExample: leveret peek orders --limit 3"
)]
pub(super) struct Peek {
    /// The queue
    queue: String,

    /// Its virtual host
    #[arg(long, default_value = "/", value_name = "NAME")]
    vhost: String,

    /// Which messages: ready, unacked, delayed or dead
    #[arg(long, default_value = "ready", value_parser = ["ready", "unacked", "delayed", "dead"])]
    state: String,

    /// Messages to pass over
    #[arg(long, default_value_t = 0, value_name = "N")]
    offset: u64,

    /// Messages to look at
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=500))]
    limit: u64,

    /// Write JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    broker: BrokerOptions,
}

impl Run for Peek {
    fn run(self) -> ExitCode {
        end(self.look())
    }
}

impl Peek {
    fn look(&self) -> Result<String, Failed> {
        let Self { queue, vhost, state, offset, limit, .. } = self;
        let path = format!("/leveret/queues/{}/{}/peek", escaped(vhost), escaped(queue));
        let found = self.broker.client()?.get(&format!("{path}?state={state}&offset={offset}&limit={limit}"));
        let found = found.map_err(|problem| {
            problem.naming(|| format!("queue '{}' in virtual host '{}'", harmless(queue), harmless(vhost)))
        })?;
        if self.json {
            return Ok(format!("{found:#}\n"));
        }
        let total = found.get("total").and_then(Value::as_u64).unwrap_or(0);
        let messages = if total == 1 { "message is" } else { "messages are" };
        let mut text = format!("{total} {messages} {state} in the queue {}\n", harmless(queue));
        for message in found.get("messages").and_then(Value::as_array).into_iter().flatten() {
            // Writing to a text cannot fail.
            write!(text, "\n{}", shown(message)).ok();
        }
        Ok(text)
    }
}

fn shown(message: &Value) -> String {
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| message.get(key).and_then(Value::as_u64).unwrap_or(0);
    let is_set = |key: &str| message.get(key).and_then(Value::as_bool) == Some(true);
    let marks: String =
        ["redelivered", "persistent"].iter().filter(|key| is_set(key)).map(|key| format!(", {key}")).collect();
    let properties = message.get("properties").map(|properties| harmless(&properties.to_string())).unwrap_or_default();
    let payload = match (text("payload_encoding"), is_set("payload_truncated")) {
        ("base64", _) => format!("base64: {}", text("payload")),
        (_, true) => format!("{} ...", text("payload")),
        (_, false) => text("payload").to_owned(),
    };
    format!(
        "{}  exchange '{}', routing key '{}', {} bytes{marks}\n   {properties}\n   {}\n",
        number("position"),
        harmless(text("exchange")),
        harmless(text("routing_key")),
        number("payload_bytes"),
        harmless_lines(&payload).collect::<Vec<_>>().join("\n   ")
    )
}
