//! `leveret routes`: where a message would go, and why not elsewhere. Nothing is published.

use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use super::broker_options::BrokerOptions;
use super::client::escaped;
use super::ending::{Failed, end};
use super::terminal::harmless;
use super::{Run, exit};

/// The arguments of `leveret routes`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret routes amq.topic order.new")]
pub(super) struct Routes {
    /// The exchange; amq.default is the one without a name
    exchange: String,

    /// The routing key
    #[arg(default_value = "")]
    routing_key: String,

    /// A header of the message, for exchanges that look at them; can be given several times. A number or a truth value is one
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,

    /// The virtual host
    #[arg(long, default_value = "/", value_name = "NAME")]
    vhost: String,

    /// Write JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    broker: BrokerOptions,
}

impl Run for Routes {
    fn run(self) -> ExitCode {
        end(self.explain())
    }
}

impl Routes {
    fn explain(&self) -> Result<String, Failed> {
        let exchange = if self.exchange == "amq.default" { "" } else { &self.exchange };
        let body = json!({ "exchange": exchange, "routing_key": self.routing_key, "headers": self.headers()? });
        let found = self.broker.client()?.post(&format!("/leveret/routes/{}", escaped(&self.vhost)), &body);
        let what = || format!("exchange '{}' in virtual host '{}'", harmless(&self.exchange), harmless(&self.vhost));
        let found = found.map_err(|problem| problem.naming(what))?;
        Ok(if self.json { format!("{found:#}\n") } else { shown(&found) })
    }

    fn headers(&self) -> Result<Map<String, Value>, Failed> {
        let read = |header: &String| match header.split_once('=') {
            Some((name, value)) => {
                let plain: Option<Value> =
                    serde_json::from_str(value).ok().filter(|it: &Value| it.is_number() || it.is_boolean());
                Ok((name.to_owned(), plain.unwrap_or_else(|| Value::from(value))))
            }
            None => Err(Failed::other(exit::USAGE, format!("--header {header}: write NAME=VALUE"))),
        };
        self.headers.iter().map(read).collect()
    }
}

fn shown(found: &Value) -> String {
    let list = |key: &str| found.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let text = |of: &Value, key: &str| harmless(of.get(key).and_then(Value::as_str).unwrap_or_default());
    let queues: Vec<_> = list("queues").iter().map(|queue| text(queue, "name")).collect();
    let mut out = if queues.is_empty() { "no queue\n".to_owned() } else { queues.join("\n") + "\n" };
    // Writing to a text cannot fail.
    for exchange in list("exchanges").iter().filter(|exchange| !text(exchange, "note").is_empty()) {
        writeln!(out, "  {}: {}", text(exchange, "name"), text(exchange, "note")).ok();
    }
    for binding in list("bindings") {
        let mark = if binding.get("matches").and_then(Value::as_bool) == Some(true) { "+" } else { "-" };
        let (source, destination) = (text(&binding, "source"), text(&binding, "destination"));
        writeln!(
            out,
            "  {mark} {source} -> {} {destination}: {}",
            text(&binding, "destination_type"),
            text(&binding, "why")
        )
        .ok();
    }
    out
}
