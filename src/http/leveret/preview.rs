//! `/leveret/policies/preview`: what a policy would change, before anybody puts it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::given;
use crate::broker::administration::read_policy;
use crate::broker::policies::Previewed;
use crate::http::answer::Answer;
use crate::http::body;
use crate::http::refusal::Refusal;
use crate::http::request::Request;

/// Queues and exchanges that are told of.
const MATCHES_MAX: usize = 1_000;

/// A policy without a name would be a new one. Of several with the same priority the first name counts: here, any other one.
const NEW: &str = "\u{10ffff}";

#[derive(Debug, Serialize)]
struct Match {
    kind: &'static str,
    name: String,
    matches: bool,
    wins: bool,
    now_policy: Option<String>,
    changes: BTreeMap<String, (Value, Value)>,
}

impl Match {
    fn of(kind: &'static str) -> impl Fn((String, Previewed)) -> Self {
        move |(name, Previewed { matches, wins, now_policy, changes })| Self {
            kind,
            name,
            matches,
            wins,
            now_policy,
            changes,
        }
    }
}

/// `POST /leveret/policies/preview`. Nothing is changed.
pub(in crate::http) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    preview(request, &request.object()?)
}

/// `GET /leveret/policies/preview`: the keys are in the query.
pub(in crate::http) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut object = Map::new();
    for (name, text) in &request.query {
        let value = match &**name {
            "definition" | "priority" | "operator" => serde_json::from_str(text)
                .map_err(|error| Refusal::bad_request(format!("{name} must be JSON: {error}")))?,
            _ => text.as_str().into(),
        };
        object.insert(name.clone(), value);
    }
    preview(request, &object)
}

fn preview(request: &Request<'_>, object: &Map<String, Value>) -> Result<Answer, Refusal> {
    body::require(object, &["vhost", "pattern", "definition"])?;
    let name = given::text(object, "vhost")?.unwrap_or_default();
    let vhost = request.api.broker.vhost(name).filter(|_| request.caller().is_ok_and(|caller| caller.enters(name)));
    let vhost = vhost.ok_or_else(|| Refusal::not_found("vhost_not_found"))?;
    let name = given::text(object, "name")?.unwrap_or(NEW);
    let policy = read_policy((&vhost.name, name, body::boolean(object, "operator", false)?), object)?;
    let found = vhost.preview_policy(policy);
    let total = found.queues.len() + found.exchanges.len();
    let queues = found.queues.into_iter().map(Match::of("queue"));
    let exchanges = found.exchanges.into_iter().map(Match::of("exchange"));
    let matches: Vec<_> = queues.chain(exchanges).take(MATCHES_MAX).collect();
    Ok(Answer::json(&json!({ "truncated": matches.len() < total, "total": total, "matches": matches })))
}
