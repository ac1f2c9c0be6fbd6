//! `/bindings`: list, make, remove.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::listing::{self, Listed};
use super::queues::NO_CONNECTION;
use super::refusal::Refusal;
use super::request::Request;
use super::{body, values};
use crate::auth::{Access, Resource};
use crate::broker::router::RoutingKeys;
use crate::broker::topology::{BindingSnapshot, DestinationType};
use crate::broker::vhost::Vhost;
use crate::table::{EncodedTable, Table};

/// A binding as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct BindingObject {
    source: Arc<str>,
    vhost: Arc<str>,
    destination: Arc<str>,
    destination_type: &'static str,
    routing_key: String,
    arguments: Map<String, Value>,
    properties_key: String,
}

impl Listed for BindingObject {
    fn name(&self) -> &str {
        &self.source
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

/// Bindings as the API shows them.
pub(super) fn objects(vhost: &Vhost, bindings: Vec<BindingSnapshot>) -> Vec<BindingObject> {
    bindings.into_iter().map(|binding| object(vhost, binding)).collect()
}

pub(super) fn object(vhost: &Vhost, binding: BindingSnapshot) -> BindingObject {
    BindingObject {
        properties_key: properties_key(&binding),
        vhost: Arc::clone(&vhost.name),
        destination_type: match binding.destination_type {
            DestinationType::Queue => "queue",
            DestinationType::Exchange => "exchange",
        },
        routing_key: values::text(binding.routing_key()),
        arguments: arguments(&binding).map(|table| values::object(table.fields())).unwrap_or_default(),
        source: binding.source,
        destination: binding.destination,
    }
}

fn arguments(binding: &BindingSnapshot) -> Option<EncodedTable> {
    let arguments = binding.binding.as_ref()?.arguments();
    (!arguments.is_empty()).then(|| EncodedTable::from(&arguments.to_owned()))
}

/// What a routing key keeps as it is in a properties key.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// What names a binding between its two ends: the routing key, and a hash of the arguments, if there are any. RabbitMQ hashes as
/// Erlang does; ours is another number with the same properties.
fn properties_key(binding: &BindingSnapshot) -> String {
    with_hash(utf8_percent_encode(&values::text(binding.routing_key()), KEPT).to_string(), binding)
}

/// A routing key, and the hash behind it.
fn with_hash(key: String, binding: &BindingSnapshot) -> String {
    match binding.binding.as_ref().map(|binding| binding.arguments()).filter(|arguments| !arguments.is_empty()) {
        // The arguments of a binding are in the order of their names.
        Some(arguments) => {
            let hash = crc32fast::hash(arguments.as_bytes()).to_be_bytes();
            format!("{key}~{}", URL_SAFE_NO_PAD.encode(hash))
        }
        None if key.is_empty() => "~".to_owned(),
        None => key,
    }
}

/// `GET /bindings`, `/bindings/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut items = Vec::new();
    for vhost in request.vhosts()? {
        items.extend(objects(&vhost, vhost.bindings()));
    }
    Ok(listing::array(request, items))
}

/// Between which two things: the source and the destination of the path.
struct Ends<'a> {
    source: &'a str,
    destination: &'a str,
    destination_type: DestinationType,
}

impl<'a> Ends<'a> {
    fn of(request: &'a Request<'_>) -> Result<Self, Refusal> {
        let destination_type = match request.part("type") {
            "q" => DestinationType::Queue,
            "e" => DestinationType::Exchange,
            _ => return Err(Refusal::absent()),
        };
        let source = super::exchanges::name(request);
        Ok(Self { source, destination: request.part("destination"), destination_type })
    }

    fn find(&self, vhost: &Vhost) -> Vec<BindingSnapshot> {
        let mut bindings = vhost.bindings_to(self.destination_type, self.destination);
        bindings.retain(|binding| &*binding.source == self.source);
        bindings
    }

    fn resource(&self) -> Resource<'a> {
        match self.destination_type {
            DestinationType::Queue => Resource::Queue(self.destination),
            DestinationType::Exchange => Resource::Exchange(self.destination),
        }
    }

    fn may_change(&self, request: &Request<'_>, vhost: &Vhost, routing_key: &[u8]) -> Result<(), Refusal> {
        let caller = request.caller()?;
        caller.may(&vhost.name, Access::Write, self.resource())?;
        caller.may(&vhost.name, Access::Read, Resource::Exchange(self.source))?;
        let checked = caller.may_use_topics(Access::Read, vhost, self.source, &RoutingKeys::single(routing_key));
        checked.map_err(|error| Refusal::not_authorised(error.reply_text()))
    }
}

/// `GET /bindings/{vhost}/e/{exchange}/{type}/{destination}`.
pub(super) fn between(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = Ends::of(request)?.find(&vhost);
    Ok(listing::array(request, objects(&vhost, found)))
}

/// `POST /bindings/{vhost}/e/{exchange}/{type}/{destination}`.
pub(super) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let ends = Ends::of(request)?;
    let object = request.object()?;
    let routing_key = body::text(&object, "routing_key")?.unwrap_or_default();
    let arguments = body::arguments(&object, "arguments")?;
    ends.may_change(request, &vhost, routing_key.as_bytes())?;
    let now_ms = request.api.clock.now_ms();
    let (source, destination, key) = (ends.source, ends.destination, routing_key.as_bytes());
    match ends.destination_type {
        DestinationType::Queue => vhost.bind_queue(destination, source, key, arguments.clone(), NO_CONNECTION, now_ms),
        DestinationType::Exchange => vhost.bind_exchange(destination, source, key, arguments.clone(), now_ms),
    }?;
    let made = ends.find(&vhost).into_iter().find(|binding| is_like(binding, key, &arguments));
    // Somebody may have removed it already.
    let properties_key = made.map(|binding| properties_key(&binding)).unwrap_or_default();
    let encoded = |text: &str| utf8_percent_encode(text, KEPT).to_string();
    let location = format!("{}/{}", encoded(destination), encoded(&properties_key).replace("%7E", "~"));
    Ok(Answer::created().with_header("location", location).once_durable(vhost.changed_at()))
}

fn is_like(binding: &BindingSnapshot, routing_key: &[u8], arguments: &Table) -> bool {
    let mut sorted = arguments.clone();
    sorted.sort();
    let sorted = EncodedTable::from(&sorted);
    let own = binding.binding.as_ref();
    binding.routing_key() == routing_key
        && own.is_some_and(|own| own.arguments().as_bytes() == sorted.fields().as_bytes())
}

/// The binding of the path. Clients that put the properties key there as it is have its escapes decoded with those of the path: what
/// is left names the routing key itself, as it does for RabbitMQ.
fn find(request: &Request<'_>, vhost: &Vhost) -> Result<BindingSnapshot, Refusal> {
    let wanted = request.part("props");
    let bindings = Ends::of(request)?.find(vhost);
    let encoded = bindings.iter().position(|binding| properties_key(binding) == wanted);
    let decoded =
        || bindings.iter().position(|binding| with_hash(values::text(binding.routing_key()), binding) == wanted);
    let place = encoded.or_else(decoded).ok_or_else(Refusal::absent)?;
    bindings.into_iter().nth(place).ok_or_else(Refusal::absent)
}

/// `GET /bindings/{vhost}/e/{exchange}/{type}/{destination}/{props}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let binding = find(request, &vhost)?;
    Ok(listing::one(request, &object(&vhost, binding)))
}

/// `DELETE /bindings/{vhost}/e/{exchange}/{type}/{destination}/{props}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let ends = Ends::of(request)?;
    let binding = find(request, &vhost)?;
    ends.may_change(request, &vhost, binding.routing_key())?;
    let arguments = binding.binding.as_ref().map(|binding| binding.arguments().to_owned()).unwrap_or_default();
    let key = binding.routing_key();
    match ends.destination_type {
        DestinationType::Queue => vhost.unbind_queue(ends.destination, ends.source, key, arguments, NO_CONNECTION),
        DestinationType::Exchange => vhost.unbind_exchange(ends.destination, ends.source, key, arguments),
    }?;
    Ok(Answer::no_content().once_durable(vhost.changed_at()))
}
