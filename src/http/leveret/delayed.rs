//! `/leveret/delayed/{vhost}`: messages that exchanges hold back.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::given;
use super::message::{MessageObject, Shown};
use crate::auth::{Access, Resource};
use crate::broker::delayed::{DueKey, SeenDelayed};
use crate::broker::ids::ExchangeId;
use crate::broker::vhost::Vhost;
use crate::http::answer::Answer;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::store::seq::Seq;

const SHOWN_DEFAULT: usize = 50;
const SHOWN_MAX: usize = 500;
const TRUNCATE_DEFAULT: usize = 4 * 1024;
const TRUNCATE_MAX: usize = 1024 * 1024;
/// Bytes of bodies in one answer, after which it ends early.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const CHOSEN_MAX: usize = 1_000;

#[derive(Debug, Serialize)]
struct DelayedObject {
    id: u64,
    due_at: u64,
    due_in_ms: u64,
    #[serde(flatten)]
    message: MessageObject,
    persistent: bool,
    on_disk: bool,
}

/// The names of the delayed exchanges that the caller may use so.
fn exchanges(request: &Request<'_>, vhost: &Vhost, access: Access) -> Result<HashMap<ExchangeId, Arc<str>>, Refusal> {
    let caller = request.caller()?;
    let only = request.parameter("exchange");
    let all: Vec<_> = vhost.read(|topology| {
        let delayed = topology.exchanges().filter(|exchange| exchange.spec.kind.name == "x-delayed-message");
        delayed.map(|exchange| (exchange.id, Arc::clone(&exchange.spec.name))).collect()
    });
    let is_wanted = |name: &str| {
        only.is_none_or(|only| only == name) && caller.may(&vhost.name, access, Resource::Exchange(name)).is_ok()
    };
    Ok(all.into_iter().filter(|(_, name)| is_wanted(name)).collect())
}

/// `GET /leveret/delayed/{vhost}`.
pub(in crate::http) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let exchanges = exchanges(request, &vhost, Access::Read)?;
    let offset = given::count(request, "offset", 0, 0..=usize::MAX)?;
    let limit = given::count(request, "limit", SHOWN_DEFAULT, 1..=SHOWN_MAX)?;
    let shown = Shown::of(request, TRUNCATE_DEFAULT, TRUNCATE_MAX)?;
    let clock = request.api.clock.clone();
    Ok(Answer::after_work(move || {
        let (mut messages, mut bytes) = (Vec::new(), 0);
        let now_ms = clock.now_ms();
        let show = |seen: SeenDelayed| {
            bytes += seen.message.as_ref().map_or(0, |message| shown.bytes_of(message.body()));
            messages.push(object(&seen, shown, now_ms));
            if bytes < ANSWER_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let (total, next) = vhost.delayed().look_at(|id| exchanges.contains_key(&id), offset, limit, show);
        Ok(Answer::json(&json!({
            "vhost": vhost.name,
            "offset": offset,
            "total": total,
            "next_offset": next,
            "messages": messages,
        })))
    }))
}

fn object(seen: &SeenDelayed, shown: Shown, now_ms: u64) -> DelayedObject {
    DelayedObject {
        id: seen.id,
        due_at: seen.due_ms,
        due_in_ms: seen.due_ms.saturating_sub(now_ms),
        message: MessageObject::new(seen.message.as_ref(), shown),
        persistent: seen.message.as_ref().map_or(seen.is_stored, |message| message.facts().persistent),
        on_disk: seen.is_on_disk,
    }
}

/// What is to be done with chosen messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Cancel,
    Publish,
}

/// `POST /leveret/delayed/{vhost}/cancel`.
pub(in crate::http) fn cancel(request: &Request<'_>) -> Result<Answer, Refusal> {
    act(request, Deed::Cancel)
}

/// `POST /leveret/delayed/{vhost}/publish`.
pub(in crate::http) fn publish(request: &Request<'_>) -> Result<Answer, Refusal> {
    act(request, Deed::Publish)
}

/// Messages of exchanges that the caller may not write to are not there for it.
fn act(request: &Request<'_>, deed: Deed) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let chosen = chosen(request)?;
    let exchanges = exchanges(request, &vhost, Access::Write)?;
    let clock = request.api.clock.clone();
    Ok(Answer::after_work(move || {
        let delayed = vhost.delayed();
        let is_wanted = |key: &&DueKey| delayed.exchange_of(**key).is_some_and(|id| exchanges.contains_key(&id));
        let keys: Vec<_> = chosen.iter().filter(is_wanted).copied().collect();
        let (done, position) = match deed {
            Deed::Cancel => delayed.cancel(&keys),
            Deed::Publish => delayed.publish_now(&vhost, &keys, clock.now_ms()),
        };
        vhost.node().check_memory();
        let found: BTreeSet<_> = done.iter().copied().collect();
        let missing: Vec<_> = chosen.iter().map(|(_, seq)| seq.0).filter(|id| !found.contains(id)).collect();
        Ok(Answer::json(&json!({ "done": done, "not_found": missing })).once_durable(position))
    }))
}

fn chosen(request: &Request<'_>) -> Result<Vec<DueKey>, Refusal> {
    let refused = || Refusal::bad_request("messages must be a list of 1 to 1000 objects with due_at and id");
    let object = request.object()?;
    let Some(Value::Array(list)) = object.get("messages") else { return Err(refused()) };
    if list.is_empty() || list.len() > CHOSEN_MAX {
        return Err(refused());
    }
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64).ok_or_else(refused);
    list.iter().map(|value| Ok((number(value, "due_at")?, Seq(number(value, "id")?)))).collect()
}
