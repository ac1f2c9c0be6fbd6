//! `leveret tail`: what is published, as it passes. Nothing is consumed, and no publisher waits.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Run;
use super::broker_options::BrokerOptions;
use super::ending::{Failed, end};
use super::events::Events;
use super::terminal::harmless;

/// The arguments of `leveret tail`.
#[derive(Debug, Args)]
#[command(
    after_help = "All filters that are given must hold. It goes on until it is interrupted, or has shown --limit messages.\n\n\
                  Example: leveret tail --exchange amq.topic --key 'order.*' --limit 10"
)]
pub(super) struct Tail {
    /// Only what is published to this exchange; amq.default is the one without a name
    #[arg(long, value_name = "NAME")]
    exchange: Option<String>,

    /// Only what reaches this queue
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,

    /// Only routing keys like this, as topic exchanges have it: order.*, #.new
    #[arg(long, value_name = "PATTERN")]
    key: Option<String>,

    /// The virtual host
    #[arg(long, default_value = "/", value_name = "NAME")]
    vhost: String,

    /// Bytes of each body to show
    #[arg(long, default_value_t = 1024, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(0..=65_536))]
    truncate: u64,

    /// End after so many messages
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Write a JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    broker: BrokerOptions,
}

impl Run for Tail {
    fn run(self) -> ExitCode {
        end(self.follow().map(|()| String::new()))
    }
}

impl Tail {
    fn follow(&self) -> Result<(), Failed> {
        let (client, mut events) = (self.broker.client()?, Events::default());
        let (mut shown, mut is_over) = (0, self.limit == Some(0));
        if is_over {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        let followed = client.stream(&self.path(), |part| {
            for event in events.feed(part) {
                let Ok(data) = serde_json::from_str::<Value>(&event.data) else { continue };
                let written = writeln!(stdout, "{}", self.line(&event.name, &data)).and_then(|()| stdout.flush());
                shown += u64::from(event.name == MESSAGE);
                // Whoever reads it may have gone.
                is_over = written.is_err() || self.limit.is_some_and(|limit| shown >= limit);
                if is_over {
                    break;
                }
            }
            !is_over
        });
        Ok(followed.map_err(|problem| problem.naming(|| format!("virtual host '{}'", harmless(&self.vhost))))?)
    }

    fn path(&self) -> String {
        let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let filters = [("exchange", &self.exchange), ("queue", &self.queue), ("key", &self.key)];
        let filters =
            filters.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", escaped(value.as_ref()?))));
        format!(
            "/leveret/tail?vhost={}&truncate={}{}",
            escaped(&self.vhost),
            self.truncate,
            filters.collect::<String>()
        )
    }

    fn line(&self, event: &str, data: &Value) -> String {
        match (self.json, event) {
            (true, _) => data.to_string(),
            (false, MESSAGE) => shown(data),
            (false, _) => {
                let count = data.get("count").and_then(Value::as_u64).unwrap_or(0);
                format!("({count} messages passed faster than they could be shown)")
            }
        }
    }
}

const MESSAGE: &str = "message";

/// One line for people: a body may hold anything, and must not act on the terminal.
fn shown(message: &Value) -> String {
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    let queues = message.get("queues").and_then(Value::as_array).into_iter().flatten();
    let queues: Vec<_> = queues.filter_map(Value::as_str).collect();
    let at = message.get("at").and_then(Value::as_u64).unwrap_or(0) / 1000;
    let encoding = if text("payload_encoding") == "base64" { "base64:" } else { "" };
    let rest = if message.get("payload_truncated") == Some(&Value::Bool(true)) { "..." } else { "" };
    format!(
        "{:02}:{:02}:{:02} exchange '{}' key '{}' -> [{}] {} bytes: {encoding}{}{rest}",
        at / 3600 % 24,
        at / 60 % 60,
        at % 60,
        harmless(text("exchange")),
        harmless(text("routing_key")),
        harmless(&queues.join(", ")),
        message.get("payload_bytes").and_then(Value::as_u64).unwrap_or(0),
        harmless(text("payload"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_one_line_that_does_nothing_to_the_terminal() {
        let message = json!({
            "at": 1_760_000_000_000_u64, "exchange": "shop", "routing_key": "order.new", "queues": ["a", "b"],
            "payload": "x\n\u{1b}[2J", "payload_encoding": "string", "payload_bytes": 9, "payload_truncated": true,
        });
        let expected = r"08:53:20 exchange 'shop' key 'order.new' -> [a, b] 9 bytes: x\n\u{1b}[2J...";
        assert_eq!(shown(&message), expected);
    }
}
