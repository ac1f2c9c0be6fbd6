//! The firehose: of a virtual host that is traced, each message that is published or delivered goes to `amq.rabbitmq.trace` once more, with
//! headers that say what became of it. As RabbitMQ's.

use super::{TRACE_EXCHANGE, is_own_exchange};
use crate::broker::publisher::{Turn, visible_properties};
use crate::broker::router::{Route, RoutingKeys};
use crate::broker::vhost::Vhost;
use crate::message::Message;
use crate::properties::{Properties, PropertiesEditor, Property};
use crate::table::{Table, Value};

/// Where a message died first. A trace that died may not be traced again, or it would come back for ever.
const FIRST_DEATH: &str = "x-first-death-exchange";

/// Who published a message, or got it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TracedBy<'a> {
    /// The name of the connection.
    pub(crate) connection: &'a str,
    /// The number of the channel.
    pub(crate) channel: u16,
    pub(crate) user: &'a str,
}

impl Vhost {
    /// Shows a message that was published, on its way to the queues of its route. That is work for `turn`, as it is below.
    #[cold]
    pub(crate) fn trace_published(
        &self,
        message: &Message,
        route: &Route,
        by: TracedBy<'_>,
        now_ms: u64,
        turn: &mut impl Turn,
    ) {
        if is_shown(message) {
            let queues = route.queues.iter().map(|queue| text(&*queue.spec.name)).collect();
            let mut headers = self.trace_headers(message, &visible_properties(message), by);
            headers.insert("routed_queues", Value::Array(queues));
            self.publish_trace(&["publish", message.exchange()], message, &headers, now_ms, turn);
        }
    }

    /// Shows a message that is delivered from a queue, with the properties that its consumer sees.
    #[cold]
    pub(crate) fn trace_delivered(
        &self,
        queue: &str,
        (message, properties): (&Message, &[u8]),
        is_redelivered: bool,
        by: TracedBy<'_>,
        now_ms: u64,
        turn: &mut impl Turn,
    ) {
        if is_shown(message) {
            let mut headers = self.trace_headers(message, properties, by);
            headers.insert("redelivered", Value::I32(is_redelivered.into()));
            self.publish_trace(&["deliver", queue], message, &headers, now_ms, turn);
        }
    }

    fn trace_headers(&self, message: &Message, properties: &[u8], by: TracedBy<'_>) -> Table {
        let keys = RoutingKeys::of(message).iter().map(text).collect();
        [
            ("exchange_name", text(message.exchange())),
            ("routing_keys", Value::Array(keys)),
            ("properties", Value::Table(table_of(Properties::new(properties)))),
            ("node", text(&*self.node().settings.node_name)),
            ("vhost", text(&*self.name)),
            ("connection", text(by.connection)),
            ("channel", Value::I32(by.channel.into())),
            ("user", text(by.user)),
        ]
        .into_iter()
        .collect()
    }

    fn publish_trace(&self, key: &[&str; 2], message: &Message, headers: &Table, now_ms: u64, turn: &mut impl Turn) {
        let mut editor = PropertiesEditor::new();
        editor.set_headers(headers);
        let (key, properties) = (key.join("."), editor.build());
        self.publish_own(TRACE_EXCHANGE, key.as_bytes(), &properties, message.body(), now_ms, turn);
    }
}

/// Messages of the broker's own are not shown, nor what became of them.
fn is_shown(message: &Message) -> bool {
    let died_in = || message.properties().headers()?.get(FIRST_DEATH)?.as_bytes();
    !is_own_exchange(message.exchange())
        && !died_in().is_some_and(|exchange| std::str::from_utf8(exchange).is_ok_and(is_own_exchange))
}

fn text(bytes: impl AsRef<[u8]>) -> Value {
    Value::LongString(bytes.as_ref().to_vec())
}

/// RabbitMQ writes 32 bits whatever the number is; larger ones keep their value here.
fn number(number: u64) -> Value {
    i32::try_from(number).map_or_else(|_| Value::I64(i64::try_from(number).unwrap_or(i64::MAX)), Value::I32)
}

/// The properties that a message has, by their names.
fn table_of(properties: Properties<'_>) -> Table {
    let texts =
        Property::TEXTS.into_iter().filter_map(|(name, property)| Some((name, text(properties.get(property)?))));
    let numbers = [
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
        ("timestamp", properties.timestamp()),
    ];
    let numbers = numbers.into_iter().filter_map(|(name, value)| Some((name, number(value?))));
    let headers = properties.headers().map(|headers| ("headers", Value::Table(headers.to_owned())));
    texts.chain(numbers).chain(headers).collect()
}
