//! What the broker says of itself, as far as it is shown.

use serde_json::Value;

use crate::commands::client::{Client, Problem};

/// What is known of a broker at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub(super) node: String,
    pub(super) version: String,
    pub(super) connections: u64,
    pub(super) channels: u64,
    pub(super) consumers: u64,
    pub(super) publish_rate: f64,
    pub(super) deliver_rate: f64,
    pub(super) queues: Vec<Queue>,
    /// How many queues there are, of which only so many were asked for.
    pub(super) queues_total: u64,
    pub(super) clients: Vec<Connection>,
    /// A sentence each.
    pub(super) alerts: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    pub(super) vhost: String,
    pub(super) name: String,
    pub(super) ready: u64,
    pub(super) unacked: u64,
    pub(super) consumers: u64,
    pub(super) publish_rate: f64,
    pub(super) deliver_rate: f64,
    /// Of the oldest message that is ready, in milliseconds; `None` if there is none.
    pub(super) age_ms: Option<u64>,
}

impl Queue {
    pub(super) const fn depth(&self) -> u64 {
        self.ready + self.unacked
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Connection {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) channels: u64,
    pub(super) state: String,
}

/// So many queues and connections are asked for: those with the most messages, and the first ones.
const QUEUES_MAX: u32 = 500;
const CONNECTIONS_MAX: u32 = 50;

impl Facts {
    /// # Errors
    /// When the broker does not answer.
    pub(super) fn of(client: &Client) -> Result<Self, Problem> {
        let overview = client.get("/overview")?;
        let sorted = "sort=messages&sort_reverse=true";
        let queues = client.get(&format!("/queues?page=1&page_size={QUEUES_MAX}&{sorted}"))?;
        let connections = client.get(&format!("/connections?page=1&page_size={CONNECTIONS_MAX}"))?;
        // RabbitMQ has no alerts.
        let alerts = client.find("/leveret/alerts?history=0")?.unwrap_or_default();
        Ok(Self::read(&overview, &queues, &connections, &alerts))
    }

    fn read(overview: &Value, queues: &Value, connections: &Value, alerts: &Value) -> Self {
        let items = |page: &Value| page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let active = alerts.get("active").and_then(Value::as_array).into_iter().flatten();
        Self {
            node: text(overview, "/node"),
            version: text(overview, "/rabbitmq_version"),
            connections: number(overview, "/object_totals/connections"),
            channels: number(overview, "/object_totals/channels"),
            consumers: number(overview, "/object_totals/consumers"),
            publish_rate: rate(overview, "/message_stats/publish_details/rate"),
            deliver_rate: rate(overview, "/message_stats/deliver_get_details/rate"),
            queues: items(queues).iter().map(queue).collect(),
            queues_total: number(queues, "/total_count"),
            clients: items(connections).iter().map(connection).collect(),
            alerts: active.map(|alert| text(alert, "/text")).collect(),
        }
    }
}

fn queue(item: &Value) -> Queue {
    Queue {
        vhost: text(item, "/vhost"),
        name: text(item, "/name"),
        ready: number(item, "/messages_ready"),
        unacked: number(item, "/messages_unacknowledged"),
        consumers: number(item, "/consumers"),
        publish_rate: rate(item, "/message_stats/publish_details/rate"),
        deliver_rate: rate(item, "/message_stats/deliver_get_details/rate"),
        age_ms: item.pointer("/oldest_ready_age_ms").and_then(Value::as_u64),
    }
}

fn connection(item: &Value) -> Connection {
    let provided = text(item, "/user_provided_name");
    Connection {
        name: if provided.is_empty() { text(item, "/name") } else { provided },
        user: text(item, "/user"),
        channels: number(item, "/channels"),
        state: text(item, "/state"),
    }
}

fn text(of: &Value, path: &str) -> String {
    of.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(of: &Value, path: &str) -> u64 {
    of.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

fn rate(of: &Value, path: &str) -> f64 {
    of.pointer(path).and_then(Value::as_f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_broker_says_is_read_and_what_it_does_not_say_is_nothing() {
        let overview = json!({
            "node": "rabbit@a", "rabbitmq_version": "4.2.0", "object_totals": { "connections": 2 },
            "message_stats": { "publish_details": { "rate": 1.5 } },
        });
        let queues = json!({ "total_count": 7, "items": [{
            "vhost": "/", "name": "q", "messages_ready": 3, "messages_unacknowledged": 1, "consumers": 2,
        }]});
        let connections = json!({ "items": [{ "name": "a -> b", "user_provided_name": "worker", "channels": 1 }] });
        let alerts = json!({ "active": [{ "text": "Queue 'q' is long." }] });
        let facts = Facts::read(&overview, &queues, &connections, &alerts);
        assert_eq!((facts.connections, facts.publish_rate, facts.queues_total), (2, 1.5, 7));
        assert_eq!((facts.queues[0].depth(), facts.queues[0].age_ms), (4, None));
        assert_eq!(facts.clients[0].name, "worker");
        assert_eq!(facts.alerts, ["Queue 'q' is long."]);
        assert_eq!(Facts::read(&Value::Null, &Value::Null, &Value::Null, &Value::Null), Facts::default());
    }
}
