//! What is said of queues, exchanges, bindings, connections, channels and consumers: RabbitMQ's headers. Where they name an Erlang
//! process, these have the name of the connection or the channel.

use super::Event;
use crate::broker::exchange::Binding;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{Exclusivity, QueueSpec};
use crate::broker::registry::ConnectionSpec;
use crate::broker::topology::{DestinationType, ExchangeSpec};
use crate::table::{Bytes, ErlangText, Table, TableRef, Value};

const QUEUE_TYPE: &str = "x-queue-type";

/// What RabbitMQ calls a type of queues among itself.
pub(in crate::broker) const fn queue_type(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "rabbit_classic_queue",
        QueueKind::Quorum => "rabbit_quorum_queue",
    }
}

/// Arguments as Erlang terms, a text each: RabbitMQ's plugin writes them like that.
fn terms(arguments: &Table) -> impl Iterator<Item = String> + '_ {
    arguments.iter().map(|(name, value)| format!("{{{},{},{}}}", Bytes(name), value.type_name(), ErlangText(value)))
}

fn with_arguments(event: Event, arguments: TableRef<'_>) -> Event {
    event.texts("arguments", terms(&arguments.to_owned()))
}

impl Event {
    /// A queue was declared.
    pub(in crate::broker) fn queue_created(vhost: &str, spec: &QueueSpec) -> Self {
        let kind = spec.arguments.kind;
        let mut arguments = spec.raw_arguments.fields().to_owned();
        if arguments.get(QUEUE_TYPE).is_none() {
            arguments.insert(QUEUE_TYPE, Value::LongString(kind.name().into()));
        }
        Self::by_actor("queue.created")
            .text("name", &*spec.name)
            .text("vhost", vhost)
            .text("type", queue_type(kind))
            .flag("durable", spec.durable)
            .flag("auto_delete", spec.auto_delete)
            .flag("exclusive", spec.exclusivity != Exclusivity::Shared)
            .texts("arguments", terms(&arguments))
    }

    /// A queue is gone.
    pub(in crate::broker) fn queue_deleted(vhost: &str, spec: &QueueSpec) -> Self {
        Self::by_actor("queue.deleted")
            .text("name", &*spec.name)
            .text("vhost", vhost)
            .text("type", queue_type(spec.arguments.kind))
    }

    /// An exchange was declared.
    pub(in crate::broker) fn exchange_created(vhost: &str, spec: &ExchangeSpec) -> Self {
        let event = Self::by_actor("exchange.created")
            .text("name", &*spec.name)
            .text("vhost", vhost)
            .text("type", spec.kind.name)
            .flag("durable", spec.durable)
            .flag("auto_delete", spec.auto_delete)
            .flag("internal", spec.internal)
            .text("policy", "");
        with_arguments(event, spec.arguments.fields())
    }

    /// An exchange is gone.
    pub(in crate::broker) fn exchange_deleted(vhost: &str, name: &str) -> Self {
        Self::by_actor("exchange.deleted").text("name", name).text("vhost", vhost)
    }

    /// A binding was made, or is gone: `created` or `deleted`.
    pub(in crate::broker) fn binding(
        what: &str,
        vhost: &str,
        (source, destination): (&str, &str),
        kind: DestinationType,
        binding: &Binding,
    ) -> Self {
        let destination_kind = match kind {
            DestinationType::Exchange => "exchange",
            DestinationType::Queue => "queue",
        };
        let event = Self::by_actor(format!("binding.{what}"))
            .text("source_name", source)
            .text("source_kind", "exchange")
            .text("destination_name", destination)
            .text("destination_kind", destination_kind)
            .text("routing_key", binding.routing_key())
            .text("vhost", vhost);
        with_arguments(event, binding.arguments())
    }

    /// A client logged in, or tried to: `success` or `failure`. `error` says why it failed.
    pub(crate) fn login(what: &str, user: &str, mechanism: &str, connection: &ConnectionEnds, error: &str) -> Self {
        let event = Self::new(format!("user.authentication.{what}"))
            .text("name", user)
            .text("auth_mechanism", mechanism)
            .text("connection_type", "network")
            .text("connection_name", &connection.name)
            .text("peer_host", &connection.peer_host)
            .number("peer_port", connection.peer_port.into())
            .text("host", &connection.host)
            .text("protocol", "{0,9,1}")
            .flag("ssl", connection.is_encrypted);
        if error.is_empty() { event } else { event.text("error", error) }
    }

    /// A connection was opened.
    pub(crate) fn connection_created(spec: &ConnectionSpec, node_name: &str) -> Self {
        let encryption = spec.encryption.as_deref();
        let certificate = encryption.and_then(|encryption| encryption.peer_certificate.as_ref());
        let event = Self::new("connection.created")
            .text("user_who_performed_action", &*spec.user)
            .text("pid", spec.name())
            .text("name", spec.name())
            .text("user_provided_name", spec.user_provided_name.as_deref().unwrap_or_default())
            .text("host", &spec.local.host)
            .number("port", spec.local.port.into())
            .text("peer_host", &spec.peer.host)
            .number("peer_port", spec.peer.port.into())
            .text("user", &*spec.user)
            .text("vhost", &*spec.vhost)
            .text("node", node_name)
            .text("type", "network")
            .text("protocol", "{0,9,1}")
            .text("auth_mechanism", spec.auth_mechanism)
            .number("timeout", spec.heartbeat.into())
            .number("frame_max", spec.frame_max.into())
            .number("channel_max", spec.channel_max.into())
            .number("connected_at", spec.connected_at_ms)
            .flag("ssl", encryption.is_some())
            .text("ssl_protocol", encryption.map_or("", |encryption| encryption.protocol))
            .text("ssl_key_exchange", encryption.map_or("", |encryption| encryption.key_exchange))
            .text("ssl_cipher", encryption.map_or("", |encryption| encryption.cipher))
            .text("ssl_hash", encryption.map_or("", |encryption| encryption.hash))
            .text("peer_cert_subject", certificate.map_or("", |certificate| &certificate.subject))
            .text("peer_cert_issuer", certificate.map_or("", |certificate| &certificate.issuer))
            .text("peer_cert_validity", certificate.map_or("", |certificate| &certificate.validity));
        event.texts("client_properties", terms(&spec.client_properties.fields().to_owned()))
    }

    /// A connection has ended.
    pub(crate) fn connection_closed(spec: &ConnectionSpec, node_name: &str) -> Self {
        Self::new("connection.closed")
            .text("pid", spec.name())
            .text("name", spec.name())
            .text("user_provided_name", spec.user_provided_name.as_deref().unwrap_or_default())
            .text("node", node_name)
            .texts("client_properties", terms(&spec.client_properties.fields().to_owned()))
    }

    /// A channel was opened.
    pub(crate) fn channel_created(connection: &ConnectionSpec, number: u16) -> Self {
        let name = channel_name(connection, number);
        Self::new("channel.created")
            .text("user_who_performed_action", &*connection.user)
            .text("pid", &name)
            .text("name", &name)
            .text("connection", connection.name())
            .number("number", number.into())
            .text("user", &*connection.user)
            .text("vhost", &*connection.vhost)
    }

    /// A channel has ended.
    pub(crate) fn channel_closed(connection: &ConnectionSpec, number: u16, consumers: usize) -> Self {
        Self::new("channel.closed")
            .text("user_who_performed_action", &*connection.user)
            .text("pid", channel_name(connection, number))
            .number("consumer_count", consumers as u64)
    }

    /// A consumer has ended, or has begun if more is said of it.
    pub(crate) fn consumer(what: &str, connection: &ConnectionSpec, number: u16, (tag, queue): (&str, &str)) -> Self {
        Self::new(format!("consumer.{what}"))
            .text("user_who_performed_action", &*connection.user)
            .text("consumer_tag", tag)
            .text("queue", queue)
            .text("channel", channel_name(connection, number))
            .text("vhost", &*connection.vhost)
    }

    /// The arguments with which something was asked for.
    pub(crate) fn arguments(self, arguments: &Table) -> Self {
        self.texts("arguments", terms(arguments))
    }

    /// An alarm was set, or is over: `set` or `cleared`.
    pub(in crate::broker) fn alarm(what: &str, source: &str, node_name: &str) -> Self {
        Self::new(format!("alarm.{what}")).text("source", source).text("node", node_name)
    }
}

/// Both ends of a connection that nobody has logged in on yet.
#[derive(Debug)]
pub(crate) struct ConnectionEnds {
    pub(crate) name: String,
    pub(crate) peer_host: String,
    pub(crate) peer_port: u16,
    pub(crate) host: String,
    pub(crate) is_encrypted: bool,
}

fn channel_name(connection: &ConnectionSpec, number: u16) -> String {
    format!("{} ({number})", connection.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_terms() {
        let arguments: Table =
            [("x-max-length", Value::I32(5)), ("x", Value::LongString(b"y".to_vec()))].into_iter().collect();
        let told: Vec<_> = terms(&arguments).collect();
        assert_eq!(told, ["{<<\"x-max-length\">>,signedint,5}", "{<<\"x\">>,longstr,<<\"y\">>}"]);
    }
}
