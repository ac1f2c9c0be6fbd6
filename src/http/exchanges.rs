//! `/exchanges`: list, look, declare, delete.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::listing::{self, Listed};
use super::rates::Owner;
use super::refusal::Refusal;
use super::request::Request;
use super::stats::{self, CountedStats};
use super::{bindings, body, values};
use crate::auth::{Access, Resource};
use crate::broker::NOBODY;
use crate::broker::declarers::{Declarable, Declarer};
use crate::broker::topology::{DestinationType, ExchangeSnapshot};
use crate::broker::vhost::{ExchangeDeclare, Vhost};

/// What the path calls the exchange without a name.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// An exchange as the API shows it.
#[derive(Debug, Serialize)]
struct ExchangeObject {
    name: Arc<str>,
    vhost: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Arc<str>>,
    user_who_performed_action: Arc<str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_stats: Option<CountedStats>,
    #[serde(flatten)]
    details: Option<ExchangeDetails>,
}

/// What only one exchange shows.
#[derive(Debug, Serialize)]
struct ExchangeDetails {
    incoming: [u8; 0],
    outgoing: [u8; 0],
}

impl Listed for ExchangeObject {
    fn name(&self) -> &str {
        &self.name
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

/// An exchange in a list.
struct ExchangeRow {
    vhost: Arc<Vhost>,
    exchange: ExchangeSnapshot,
}

impl listing::Row for ExchangeRow {
    type Item = ExchangeObject;

    fn name(&self) -> &str {
        &self.exchange.spec.name
    }

    fn vhost(&self) -> &str {
        &self.vhost.name
    }

    fn look(&self, request: &Request<'_>) -> Option<ExchangeObject> {
        Some(object(request, &self.vhost, self.exchange.clone()))
    }
}

fn object(request: &Request<'_>, vhost: &Vhost, exchange: ExchangeSnapshot) -> ExchangeObject {
    let (stats, owner) = (exchange.stats, Owner::Exchange(exchange.id));
    // Whoever declared it, as far as that is remembered.
    let declarer = vhost.node().declarers.of(Declarable::Exchange, &vhost.name, &exchange.spec.name);
    ExchangeObject {
        vhost: Arc::clone(&vhost.name),
        kind: exchange.spec.kind.name,
        durable: exchange.spec.durable,
        auto_delete: exchange.spec.auto_delete,
        internal: exchange.spec.internal,
        arguments: values::object(exchange.spec.arguments.fields()),
        policy: exchange.policies.as_ref().and_then(|applied| applied.policy.clone()),
        user_who_performed_action: declarer.map_or_else(|| NOBODY.into(), |declarer| Arc::clone(&declarer.user)),
        message_stats: (!request.is_set("disable_stats")).then(|| stats::of_exchange(stats, request, owner)),
        name: exchange.spec.name,
        details: None,
    }
}

/// The name of the exchange of the path.
pub(super) fn name<'a>(request: &'a Request<'_>) -> &'a str {
    match request.part("exchange") {
        DEFAULT_EXCHANGE => "",
        name => name,
    }
}

/// `GET /exchanges`, `/exchanges/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut rows = Vec::new();
    for vhost in request.vhosts()? {
        rows.extend(vhost.exchanges().into_iter().map(|exchange| ExchangeRow { vhost: Arc::clone(&vhost), exchange }));
    }
    listing::rows(request, rows)
}

/// `GET /exchanges/{vhost}/{exchange}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = vhost.read(|topology| Some(topology.exchange(name(request))?.snapshot()));
    let mut object = object(request, &vhost, found.ok_or_else(Refusal::absent)?);
    object.details = Some(ExchangeDetails { incoming: [], outgoing: [] });
    Ok(listing::one(request, &object))
}

/// `PUT /exchanges/{vhost}/{exchange}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let object = request.object()?;
    let name = name(request);
    let declare = ExchangeDeclare {
        exchange: name.to_owned(),
        kind: body::text(&object, "type")?.unwrap_or("direct").to_owned(),
        durable: body::boolean(&object, "durable", false)?,
        auto_delete: body::boolean(&object, "auto_delete", false)?,
        internal: body::boolean(&object, "internal", false)?,
        arguments: body::arguments(&object, "arguments")?,
    };
    let caller = request.caller()?;
    caller.may(&vhost.name, Access::Configure, Resource::Exchange(name))?;
    if let Some(alternate) = declare.arguments.get("alternate-exchange").and_then(crate::table::Value::as_str) {
        caller.may(&vhost.name, Access::Read, Resource::Exchange(name))?;
        caller.may(&vhost.name, Access::Write, Resource::Exchange(alternate))?;
    }
    let was_there = vhost.read(|topology| topology.exchange(name).is_some());
    vhost.declare_exchange(&declare)?;
    if !was_there {
        let declarer = Declarer::over_http(caller.name(), request.api.clock.now_ms());
        vhost.node().declarers.note(Declarable::Exchange, &vhost.name, name, declarer);
        caller.log_mistyped_arguments(Declarable::Exchange, &vhost.name, name, &declare.arguments);
    }
    Ok(Answer::put(!was_there).once_durable(vhost.changed_at()))
}

/// `DELETE /exchanges/{vhost}/{exchange}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let name = name(request);
    if vhost.read(|topology| topology.exchange(name).is_none()) {
        return Err(Refusal::absent());
    }
    request.caller()?.may(&vhost.name, Access::Configure, Resource::Exchange(name))?;
    vhost.delete_exchange(name, request.is_set("if-unused"))?;
    Ok(Answer::no_content().once_durable(vhost.changed_at()))
}

/// `GET /exchanges/{vhost}/{exchange}/bindings/source`.
pub(super) fn bindings_from(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = vhost.bindings_from(name(request));
    Ok(listing::array(request, bindings::objects(&vhost, found)))
}

/// `GET /exchanges/{vhost}/{exchange}/bindings/destination`.
pub(super) fn bindings_to(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = vhost.bindings_to(DestinationType::Exchange, name(request));
    Ok(listing::array(request, bindings::objects(&vhost, found)))
}
