//! `/leveret/routes/{vhost}`: which queues a message would reach, and why.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::given;
use crate::broker::router::{Explained, ExplainedBinding, RoutingKeys};
use crate::broker::vhost::Vhost;
use crate::http::answer::Answer;
use crate::http::bindings::{self, BindingObject};
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::values;
use crate::properties::{Properties, PropertiesEditor};

const QUEUES_MAX: usize = 1_000;
const BINDINGS_MAX: usize = 500;

#[derive(Debug, Serialize)]
struct Explanation {
    #[serde(flatten)]
    binding: BindingObject,
    matches: bool,
    why: String,
}

#[derive(Debug, Serialize)]
struct Reached {
    name: Arc<str>,
    through: Vec<BindingObject>,
}

/// `POST /leveret/routes/{vhost}`. Nothing is published.
pub(in crate::http) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let object = request.object()?;
    let exchange = given::text(&object, "exchange")?.ok_or_else(|| Refusal::bad_request("exchange must be given"))?;
    let exchange = if exchange == "amq.default" { "" } else { exchange };
    let routing_key = given::text(&object, "routing_key")?.unwrap_or_default();
    let mut properties = PropertiesEditor::new();
    match object.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(headers)) => drop(properties.set_headers(&values::table(headers)?)),
        Some(_) => return Err(Refusal::bad_request("headers must be an object")),
    }
    let properties = properties.build();
    let properties = Properties::new(&properties);
    let keys = RoutingKeys::with_copies(routing_key.as_bytes(), properties);
    if vhost.read(|topology| topology.exchange(exchange).is_none()) {
        return Err(Refusal::not_found("exchange_not_found"));
    }
    let explained = Explained::of(&vhost, exchange, &keys, properties, vhost.node().random.next())
        .ok_or_else(|| Refusal::bad_request("routing this message would take too many steps"))?;
    Ok(Answer::json(&shown(&vhost, exchange, routing_key, explained)))
}

fn shown(vhost: &Vhost, exchange: &str, routing_key: &str, explained: Explained) -> Value {
    let Explained { queues, exchanges, bindings, left_out, is_held } = explained;
    let through = |name: &Arc<str>| {
        let to_it = |explained: &&ExplainedBinding| explained.matches && explained.binding.is_to_queue(name);
        let ways = bindings.iter().filter(to_it).map(|explained| bindings::object(vhost, explained.binding.clone()));
        Reached { name: Arc::clone(name), through: ways.collect() }
    };
    let reached: Vec<_> = queues.iter().take(QUEUES_MAX).map(through).collect();
    let left_out = left_out + bindings.len().saturating_sub(BINDINGS_MAX);
    let exchanges: Vec<_> = exchanges
        .into_iter()
        .map(|passed| json!({ "name": passed.name, "type": passed.kind, "note": passed.note }))
        .collect();
    let explanations: Vec<_> = bindings
        .into_iter()
        .take(BINDINGS_MAX)
        .map(|ExplainedBinding { binding, matches, why }| Explanation {
            binding: bindings::object(vhost, binding),
            matches,
            why,
        })
        .collect();
    json!({
        "exchange": exchange,
        "routing_key": routing_key,
        "unroutable": queues.is_empty() && !is_held,
        "queues": reached,
        "bindings": explanations,
        "bindings_left_out": left_out,
        "exchanges": exchanges,
    })
}
