//! `/leveret/queues/{vhost}/{queue}/messages/...`: chosen messages are deleted or moved; and pausing the queue.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::given;
use crate::auth::{Access, Resource};
use crate::broker::queue::{Choice, QueueHandle};
use crate::broker::vhost::{ForwardTo, Vhost};
use crate::http::answer::Answer;
use crate::http::queues;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::message::Message;

const CHOSEN_MAX: usize = 1_000;
/// Messages can be chosen among so many at the front of the queue.
const POSITION_MAX: u64 = 65_535;

/// A queue that the caller may read.
pub(super) fn readable(request: &Request<'_>) -> Result<(Arc<Vhost>, Arc<QueueHandle>), Refusal> {
    let vhost = request.vhost_to_change()?;
    let queue = queues::find(request, &vhost)?;
    request.caller()?.may(&vhost.name, Access::Read, Resource::Queue(&queue.spec.name))?;
    Ok((vhost, queue))
}

/// # Errors
/// 401 when the caller may not publish to this exchange.
pub(super) fn may_publish(request: &Request<'_>, vhost: &Vhost, exchange: &str) -> Result<(), Refusal> {
    request.caller()?.may(&vhost.name, Access::Write, Resource::Exchange(exchange))
}

/// The key `messages`.
fn chosen(object: &Map<String, Value>) -> Result<Vec<Choice>, Refusal> {
    let refused = || Refusal::bad_request("messages must be a list of 1 to 1000 objects with position and id");
    let Some(Value::Array(list)) = object.get("messages") else { return Err(refused()) };
    if list.is_empty() || list.len() > CHOSEN_MAX {
        return Err(refused());
    }
    let choice = |value: &Value| {
        let object = value.as_object().ok_or_else(refused)?;
        let position = given::number_in(object, "position", 0, 0..=POSITION_MAX)?;
        let id = object.get("id").and_then(Value::as_u64).ok_or_else(refused)?;
        Ok(Choice { position: usize::try_from(position).unwrap_or(usize::MAX), id })
    };
    list.iter().map(choice).collect()
}

fn missing(chosen: &[Choice], found: &[&[u64]]) -> Vec<u64> {
    let found: BTreeSet<_> = found.iter().flat_map(|ids| ids.iter().copied()).collect();
    chosen.iter().map(|choice| choice.id).filter(|id| !found.contains(id)).collect()
}

/// `POST /leveret/queues/{vhost}/{queue}/messages/delete`.
pub(in crate::http) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (vhost, queue) = readable(request)?;
    let chosen = chosen(&request.object()?)?;
    let clock = request.api.clock.clone();
    Ok(Answer::after_work(move || {
        let (deleted, position) = queue.delete_chosen(&chosen, clock.now_ms());
        vhost.node().check_memory();
        let not_found = missing(&chosen, &[&deleted]);
        Ok(Answer::json(&json!({ "deleted": deleted, "not_found": not_found })).once_durable(position))
    }))
}

/// `POST /leveret/queues/{vhost}/{queue}/messages/move`.
pub(in crate::http) fn move_on(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (vhost, queue) = readable(request)?;
    let object = request.object()?;
    let chosen = chosen(&object)?;
    let (exchange, routing_key) = target(&object)?;
    may_publish(request, &vhost, &exchange)?;
    if exchange.is_empty() && routing_key.as_deref() == Some(&*queue.spec.name) {
        return Err(Refusal::bad_request("queue must be another queue than the one that the messages are in"));
    }
    is_there(&vhost, &exchange, routing_key.as_deref())?;
    let clock = request.api.clock.clone();
    Ok(Answer::after_work(move || {
        let to = |_, message: &Message| {
            let own = || message.routing_key().to_vec();
            let routing_key = routing_key.as_ref().map_or_else(own, |key| key.clone().into_bytes());
            Some(ForwardTo { exchange: exchange.clone(), routing_key })
        };
        let forwarded = vhost.forward(&queue, &chosen, to, clock.now_ms());
        let not_found = missing(&chosen, &[&forwarded.moved, &forwarded.refused]);
        let answer = json!({ "moved": forwarded.moved, "not_found": not_found, "refused": forwarded.refused });
        Ok(Answer::json(&answer).once_durable(forwarded.position))
    }))
}

/// The exchange and the key that messages are moved to.
fn target(object: &Map<String, Value>) -> Result<(String, Option<String>), Refusal> {
    let (queue, exchange) = (given::text(object, "queue")?, given::text(object, "exchange")?);
    let routing_key = given::text(object, "routing_key")?.map(str::to_owned);
    match (queue, exchange) {
        (Some(queue), None) if routing_key.is_none() => Ok((String::new(), Some(queue.to_owned()))),
        (None, Some(exchange)) => {
            let exchange = if exchange == "amq.default" { "" } else { exchange };
            Ok((exchange.to_owned(), routing_key))
        }
        _ => Err(Refusal::bad_request("give either queue, or exchange with or without routing_key")),
    }
}

/// # Errors
/// 404 when there is no such exchange or queue.
pub(super) fn is_there(vhost: &Vhost, exchange: &str, routing_key: Option<&str>) -> Result<(), Refusal> {
    vhost.read(|topology| match (exchange, routing_key) {
        ("", Some(queue)) if topology.queue(queue).is_none() => Err(Refusal::not_found("queue_not_found")),
        _ if topology.exchange(exchange).is_none() => Err(Refusal::not_found("exchange_not_found")),
        // Both are there; where an exchange sends it on is decided when it is published.
        _ => Ok(()),
    })
}

/// `PUT /leveret/queues/{vhost}/{queue}/pause`.
pub(in crate::http) fn pause(request: &Request<'_>) -> Result<Answer, Refusal> {
    let queue = configurable(request)?;
    queue.pause(request.api.clock.now_ms());
    Ok(Answer::no_content())
}

/// `PUT /leveret/queues/{vhost}/{queue}/resume`.
pub(in crate::http) fn resume(request: &Request<'_>) -> Result<Answer, Refusal> {
    let queue = configurable(request)?;
    queue.resume_deliveries(request.api.clock.now_ms());
    Ok(Answer::no_content())
}

fn configurable(request: &Request<'_>) -> Result<Arc<QueueHandle>, Refusal> {
    let vhost = request.vhost_to_change()?;
    let queue = queues::find(request, &vhost)?;
    request.caller()?.may(&vhost.name, Access::Configure, Resource::Queue(&queue.spec.name))?;
    Ok(queue)
}
