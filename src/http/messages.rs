//! Publishing to an exchange and fetching from a queue, by hand.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::caller::Caller;
use super::queues::NO_CONNECTION;
use super::refusal::Refusal;
use super::request::Request;
use super::{body, exchanges, values};
use crate::auth::{Access, Resource};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::own::TracedBy;
use crate::broker::publisher::{
    AtOnce, Author, FoundRoute, Pending, PublishBody, PublishRequest, Publisher, RecordParts,
};
use crate::broker::queue::{QueueHandle, Return, Settlement};
use crate::broker::sink::{Delivery, Notice, Sink};
use crate::broker::vhost::Vhost;
use crate::error::AmqpError;
use crate::message::address;
use crate::properties::{Properties, PropertiesEditor, Property};
use crate::store::{LogPosition, TransactionId};

/// The properties of a message as an object; none at all are an empty list, as in RabbitMQ.
pub(super) fn properties(properties: Properties<'_>) -> Value {
    let mut object = Map::new();
    for (name, property) in Property::TEXTS {
        if let Some(text) = properties.get(property) {
            object.insert(name.to_owned(), values::text(text).into());
        }
    }
    if let Some(headers) = properties.headers() {
        object.insert("headers".to_owned(), Value::Object(values::object(headers)));
    }
    let numbers = [
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
        ("timestamp", properties.timestamp()),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            object.insert(name.to_owned(), number.into());
        }
    }
    if object.is_empty() { json!([]) } else { Value::Object(object) }
}

/// The other way round. Keys that are no properties are ignored.
fn encoded(object: &Map<String, Value>) -> Result<Vec<u8>, Refusal> {
    let mut editor = PropertiesEditor::new();
    for (name, property) in Property::TEXTS {
        match object.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => {
                editor.set(property, text);
            }
            Some(other) => return Err(Refusal::bad_request(json!([format!("not_{name}"), other]))),
        }
    }
    if let Some(value) = object.get("headers") {
        let Value::Object(headers) = value else { return Err(Refusal::bad_request(json!(["not_headers", value]))) };
        editor.set_headers(&values::table(headers)?);
    }
    let number = |name: &'static str| match object.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad_request(json!(["not_int", name]))),
        },
    };
    if let Some(mode) = number("delivery_mode")? {
        editor.set_delivery_mode(u8::try_from(mode).unwrap_or(1));
    }
    if let Some(priority) = number("priority")? {
        editor.set_priority(u8::try_from(priority).unwrap_or(u8::MAX));
    }
    if let Some(seconds) = number("timestamp")? {
        editor.set_timestamp(seconds);
    }
    Ok(editor.build())
}

/// What AMQP refuses a publish with is given to the client with its code.
fn refused(error: &AmqpError) -> Refusal {
    Refusal::bad_request(format!("{} {}", error.code.code(), error.reply_text()))
}

/// `POST /exchanges/{vhost}/{exchange}/publish`.
pub(super) fn publish(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let object = request.object()?;
    body::require(&object, &["routing_key", "properties", "payload", "payload_encoding"])?;
    let exchange = exchanges::name(request);
    if vhost.read(|topology| topology.exchange(exchange).is_none()) {
        return Err(Refusal::not_found("exchange_not_found"));
    }
    let Some(Value::String(payload)) = object.get("payload") else {
        return Err(Refusal::bad_request("payload_not_string"));
    };
    let payload = match object.get("payload_encoding").and_then(Value::as_str) {
        Some("string") => payload.as_bytes().to_vec(),
        Some("base64") => {
            STANDARD.decode(payload).map_err(|_unreadable| Refusal::bad_request(json!(["not_base64", payload])))?
        }
        _ => return Err(Refusal::bad_request(json!(["unsupported_encoding", object.get("payload_encoding")]))),
    };
    let properties = match object.get("properties") {
        Some(Value::Object(properties)) => encoded(properties)?,
        Some(Value::Array(list)) if list.is_empty() => encoded(&Map::new())?,
        other => return Err(Refusal::bad_request(json!(["not_object", other]))),
    };
    let routing_key = body::text(&object, "routing_key")?.unwrap_or_default();
    let caller = request.caller()?;
    if !caller.is_let_in(&vhost.name) {
        return Err(Refusal::not_authorised("Access refused."));
    }
    caller.check(&vhost.name, Access::Write, Resource::Exchange(exchange)).map_err(|error| refused(&error))?;
    let limit = vhost.node().message_bytes_max();
    if payload.len() as u64 > limit {
        let text = format!("message size {} is larger than configured max size {limit}", payload.len());
        return Err(refused(&AmqpError::precondition_failed(text)));
    }
    let new = Publish { exchange, routing_key, properties: &properties, payload: &payload };
    let (is_routed, position) =
        route(&vhost, &new, caller, request.api.clock.now_ms()).map_err(|error| refused(&error))?;
    Ok(Answer::json(&json!({ "routed": is_routed })).once_durable(position))
}

struct Publish<'a> {
    exchange: &'a str,
    routing_key: &'a str,
    properties: &'a [u8],
    payload: &'a [u8],
}

/// Publishes one message: whether some queue took it, and what must be durable before the client is told.
fn route(
    vhost: &Arc<Vhost>,
    new: &Publish<'_>,
    caller: &Caller,
    now_ms: u64,
) -> Result<(bool, LogPosition), AmqpError> {
    let address = address(new.exchange, new.routing_key.as_bytes());
    let request = PublishRequest::new(&address, new.exchange, new.routing_key.as_bytes(), new.properties);
    let author = Author { user: caller.name(), may_impersonate: caller.user().is_impersonator };
    let expiration_ms = request.check(author)?;
    let mut publisher = Publisher::new(Arc::clone(vhost));
    // Whether the caller may write was asked before the size of the message was.
    let FoundRoute { route, .. } = publisher.route(
        &request,
        |keys| caller.may_use_topics(Access::Write, vhost, new.exchange, keys),
        &mut AtOnce,
    )?;
    let queues = route.queues.len();
    let parts = RecordParts { address: &address, facts: request.facts(), properties: new.properties };
    let payload_bytes = u32::try_from(new.payload.len()).unwrap_or(u32::MAX);
    let body = PublishBody::Pieces(std::iter::once(new.payload), payload_bytes);
    publisher.add(Pending { ticket: (), expiration_ms, route }, &parts, body);
    let batch = publisher.take_batch();
    if vhost.is_traced() {
        let connection = connection_name(vhost);
        let by = TracedBy { connection: &connection, channel: 1, user: caller.name() };
        for (pending, message) in &batch {
            vhost.trace_published(message, &pending.route, by, now_ms, &mut AtOnce);
        }
    }
    let published = publisher.publish(&batch, TransactionId::NONE, now_ms, &mut AtOnce);
    let outcome = published.outcomes().at(0);
    vhost.node().check_memory();
    let is_taken = outcome.refusals == 0 || outcome.refusals < queues;
    Ok((!outcome.is_unroutable && is_taken, outcome.position))
}

/// What stands for a connection where messages are traced. RabbitMQ shows an Erlang process of the node.
fn connection_name(vhost: &Vhost) -> String {
    format!("<{}.http>", vhost.node().settings.node_name)
}

/// A fetched message.
#[derive(Debug, Serialize)]
struct Fetched {
    payload_bytes: usize,
    redelivered: bool,
    exchange: String,
    routing_key: String,
    message_count: usize,
    properties: Value,
    payload: String,
    payload_encoding: &'static str,
}

/// What becomes of messages that were fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckMode {
    AckRequeueTrue,
    AckRequeueFalse,
    RejectRequeueTrue,
    RejectRequeueFalse,
}

const ACK_MODES: [(&str, AckMode); 4] = [
    ("ack_requeue_true", AckMode::AckRequeueTrue),
    ("ack_requeue_false", AckMode::AckRequeueFalse),
    ("reject_requeue_true", AckMode::RejectRequeueTrue),
    ("reject_requeue_false", AckMode::RejectRequeueFalse),
];

impl AckMode {
    fn read(value: Option<&Value>) -> Result<Self, Refusal> {
        let given = value.and_then(Value::as_str).unwrap_or_default();
        let known = ACK_MODES.iter().find(|(name, _)| *name == given);
        known.map(|(_, mode)| *mode).ok_or_else(|| {
            let names: Vec<_> = ACK_MODES.iter().map(|(name, _)| *name).collect();
            Refusal::bad_request(format!("Invalid ackmode value: {given}. Valid values are: {}", names.join(", ")))
        })
    }
}

/// A fetch takes at most so many messages, and so many bytes of bodies: an answer is one piece.
const FETCHED_MAX: usize = 10_000;
const FETCHED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// `POST /queues/{vhost}/{queue}/get`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let object = request.object()?;
    body::require(&object, &["ackmode", "count", "encoding"])?;
    let name = request.part("queue");
    if vhost.read(|topology| topology.queue(name).is_none()) {
        return Err(Refusal::not_found("queue_not_found"));
    }
    let count = usize::try_from(body::integer(object.get("count").unwrap_or_default())?).unwrap_or(0);
    let mode = AckMode::read(object.get("ackmode"))?;
    let is_base64 = match object.get("encoding").and_then(Value::as_str) {
        Some("auto") => false,
        Some("base64") => true,
        _ => return Err(Refusal::bad_request("Unsupported encoding. Please use auto or base64.")),
    };
    let truncate = object.get("truncate").map(body::integer).transpose()?;
    // A negative number cuts nothing off.
    let truncate = truncate.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
    let caller = request.caller()?;
    if !caller.is_let_in(&vhost.name) {
        return Err(Refusal::not_authorised("Access refused."));
    }
    caller
        .check(&vhost.name, Access::Read, Resource::Queue(name))
        .map_err(|error| Refusal::not_authorised(error.reply_text()))?;
    let queue = vhost.queue(name, NO_CONNECTION).map_err(|error| refused(&error))?;
    let channel = ChannelId(vhost.node().ids.fresh());
    let taken = take(&queue, channel, count.min(FETCHED_MAX), request.api.clock.now_ms());
    trace(&vhost, &queue, &taken, caller.name(), request.api.clock.now_ms());
    let shown: Vec<_> = taken.iter().map(|(taken, left)| fetched(taken, *left, is_base64, truncate)).collect();
    settle(&queue, taken, mode, request.api.clock.now_ms());
    vhost.node().check_memory();
    Ok(Answer::json(&shown))
}

/// Messages with the number of those that are left behind each.
fn take(queue: &Arc<QueueHandle>, channel: ChannelId, count: usize, now_ms: u64) -> Vec<(Delivery, usize)> {
    let sink: Arc<dyn Sink> = Arc::new(Nobody);
    let mut taken = Vec::new();
    let mut bytes = 0;
    while taken.len() < count && bytes < FETCHED_BYTES_MAX {
        match queue.get(channel, &sink, false, now_ms) {
            Ok(Some((delivery, left))) => {
                bytes += delivery.message.body_bytes();
                taken.push((delivery, left));
            }
            Ok(None) => break,
            // So much has expired that it is dropped in several turns.
            Err(_busy) => {}
        }
    }
    taken
}

fn trace(vhost: &Vhost, queue: &QueueHandle, taken: &[(Delivery, usize)], user: &str, now_ms: u64) {
    if vhost.is_traced() {
        let connection = connection_name(vhost);
        let by = TracedBy { connection: &connection, channel: 1, user };
        for (Delivery { message, redelivered, .. }, _) in taken {
            let shown = (message, message.property_bytes());
            vhost.trace_delivered(&queue.spec.name, shown, *redelivered, by, now_ms, &mut AtOnce);
        }
    }
}

fn fetched(delivery: &Delivery, message_count: usize, is_base64: bool, truncate: usize) -> Fetched {
    let message = &delivery.message;
    let body = message.body();
    let shown = body.get(..truncate).unwrap_or(body);
    let (payload, payload_encoding) = match std::str::from_utf8(shown) {
        Ok(text) if !is_base64 => (text.to_owned(), "string"),
        Ok(_) | Err(_) => (STANDARD.encode(shown), "base64"),
    };
    Fetched {
        payload_bytes: body.len(),
        redelivered: delivery.redelivered,
        exchange: message.exchange().to_owned(),
        routing_key: values::text(message.routing_key()),
        message_count,
        properties: properties(message.properties()),
        payload,
        payload_encoding,
    }
}

fn settle(queue: &Arc<QueueHandle>, taken: Vec<(Delivery, usize)>, mode: AckMode, now_ms: u64) {
    let tokens: Vec<_> = taken.into_iter().filter_map(|(delivery, _)| delivery.token).collect();
    match mode {
        AckMode::AckRequeueFalse => queue.settle(tokens, Settlement::Acked, TransactionId::NONE, now_ms),
        AckMode::RejectRequeueFalse => queue.settle(tokens, Settlement::Rejected, TransactionId::NONE, now_ms),
        AckMode::AckRequeueTrue => queue.requeue(tokens, Return::Nacked, now_ms),
        AckMode::RejectRequeueTrue => queue.requeue(tokens, Return::Rejected, now_ms),
    }
}

/// The receiving side of a fetch: nothing is delivered to it unasked.
#[derive(Debug)]
struct Nobody;

impl Sink for Nobody {
    fn room_bytes(&self) -> usize {
        0
    }

    fn starve(&self, _: ConsumerId) {}

    fn deliver(&self, _: &mut Vec<Delivery>) {}

    fn reply(&self, _: Delivery) {}

    fn notify(&self, _: Notice) {}
}
