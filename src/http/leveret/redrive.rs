//! `/leveret/queues/{vhost}/{queue}/redrive`: dead letters go back to where they came from.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::message::{DeathEntry, deaths};
use super::messages::{is_there, may_publish, readable};
use super::{given, keys};
use crate::auth::{Access, Resource};
use crate::broker::queue::{Choice, DeathReason, MessageState, QueueHandle};
use crate::broker::vhost::{ForwardTo, Vhost};
use crate::clock::Clock;
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::later;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::message::Message;
use crate::store::LogPosition;

const LIMIT_DEFAULT: u64 = 1_000;
const LIMIT_MAX: u64 = 100_000;
/// Messages that are looked at.
const EXAMINED_MAX: usize = 100_000;
/// Messages that are looked at and sent on before the next ones.
const STEP_MESSAGES: usize = 256;
const DESTINATIONS_MAX: usize = 100;

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Back {
    /// To the queue in which they died last.
    ToQueue,
    /// To the exchange and the key with which they came there.
    ToExchange,
    /// To this queue.
    To(String),
}

/// Which of them.
#[derive(Clone, Debug, Default)]
struct Filter {
    reason: Option<String>,
    queue: Option<String>,
    exchange: Option<String>,
    routing_key: Option<String>,
}

/// What one request asks for.
struct Redrive {
    vhost: Arc<Vhost>,
    queue: Arc<QueueHandle>,
    caller: Caller,
    clock: Clock,
    back: Back,
    filter: Filter,
    limit: usize,
    is_dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Default)]
struct Done {
    examined: usize,
    redriven: usize,
    destinations: BTreeMap<ForwardTo, usize>,
    reasons: BTreeMap<String, usize>,
    position: LogPosition,
}

/// `POST /leveret/queues/{vhost}/{queue}/redrive`.
pub(in crate::http) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (vhost, queue) = readable(request)?;
    let object = request.object()?;
    let back = back(&object)?;
    if let Back::To(name) = &back {
        may_publish(request, &vhost, "")?;
        is_there(&vhost, "", Some(name))?;
        if **name == *queue.spec.name {
            return Err(Refusal::bad_request("destination_queue must be another queue"));
        }
    }
    let limit = given::number_in(&object, "limit", LIMIT_DEFAULT, 1..=LIMIT_MAX)?;
    let redrive = Redrive {
        vhost,
        queue,
        caller: request.caller()?.clone(),
        clock: request.api.clock.clone(),
        back,
        filter: filter(&object)?,
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        is_dry_run: crate::http::body::boolean(&object, "dry_run", false)?,
    };
    Ok(Answer::after_work(move || Ok(redrive.run())))
}

fn back(object: &Map<String, Value>) -> Result<Back, Refusal> {
    if let Some(name) = given::text(object, "destination_queue")? {
        return Ok(Back::To(name.to_owned()));
    }
    match given::text(object, "to")? {
        None | Some("queue") => Ok(Back::ToQueue),
        Some("exchange") => Ok(Back::ToExchange),
        Some(_) => Err(Refusal::bad_request("to must be queue or exchange")),
    }
}

fn filter(object: &Map<String, Value>) -> Result<Filter, Refusal> {
    let empty = Map::new();
    let given = match object.get("filter") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(filter)) => filter,
        Some(_) => return Err(Refusal::bad_request("filter must be an object")),
    };
    keys::among(given, &["reason", "queue", "exchange", "routing_key"])?;
    let text = |name| given::text(given, name).map(|text| text.map(str::to_owned));
    let reason = text("reason")?;
    let names = DeathReason::ALL.map(DeathReason::name);
    if reason.as_deref().is_some_and(|reason| !names.contains(&reason)) {
        return Err(Refusal::bad_request(format!("reason must be one of {}", names.join(", "))));
    }
    Ok(Filter { reason, queue: text("queue")?, exchange: text("exchange")?, routing_key: text("routing_key")? })
}

impl Filter {
    fn takes(&self, message: &Message, last: Option<&DeathEntry>) -> bool {
        let fits = |wanted: &Option<String>, found: Option<&String>| {
            wanted.as_ref().is_none_or(|wanted| found.is_some_and(|found| found == wanted))
        };
        let is_key = self.routing_key.as_ref().is_none_or(|key| key.as_bytes() == message.routing_key());
        is_key
            && fits(&self.reason, last.map(|death| &death.reason))
            && fits(&self.queue, last.map(|death| &death.queue))
            && fits(&self.exchange, last.map(|death| &death.exchange))
    }
}

impl Redrive {
    /// Goes through the messages that are ready now, each once: what was sent on is not there any more, so the next ones move up.
    fn run(&self) -> Answer {
        let mut done = Done { position: LogPosition::START, ..Done::default() };
        let mut left = self.queue.count_in(MessageState::Ready).min(EXAMINED_MAX);
        let mut from = 0;
        while left > 0 && done.redriven < self.limit {
            let mut wanted = BTreeMap::new();
            let (mut chosen, mut seen) = (Vec::new(), 0);
            self.queue.look_at(MessageState::Ready, from, left.min(STEP_MESSAGES), |message| {
                seen += 1;
                done.examined += 1;
                match self.target(message.message.as_ref()) {
                    Ok(to) => {
                        chosen.push(Choice { position: message.position, id: message.id });
                        wanted.insert(message.id, to);
                    }
                    Err(reason) => *done.reasons.entry(reason).or_default() += 1,
                }
                if done.redriven + chosen.len() < self.limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            });
            if seen == 0 {
                break;
            }
            left -= seen;
            let gone = if self.is_dry_run { 0 } else { self.send(&chosen, &wanted, &mut done) };
            if self.is_dry_run {
                chosen.iter().filter_map(|choice| wanted.get(&choice.id)).for_each(|to| done.count(to));
            }
            from += seen - gone;
        }
        done.answer(self.is_dry_run)
    }

    /// How many are not in the queue any more.
    fn send(&self, chosen: &[Choice], wanted: &BTreeMap<u64, ForwardTo>, done: &mut Done) -> usize {
        let forwarded = self.vhost.forward(&self.queue, chosen, |id, _| wanted.get(&id).cloned(), self.clock.now_ms());
        done.position = done.position.and(forwarded.position);
        forwarded.moved.iter().filter_map(|id| wanted.get(id)).for_each(|to| done.count(to));
        let missing = chosen.len() - forwarded.moved.len() - forwarded.refused.len();
        for (count, reason) in [
            (forwarded.refused.len(), "no queue takes it there"),
            (missing, "somebody else took it, or it cannot be read"),
        ] {
            if count > 0 {
                *done.reasons.entry(reason.to_owned()).or_default() += count;
            }
        }
        chosen.len() - forwarded.refused.len()
    }

    /// Where a message goes, or why it stays.
    fn target(&self, message: Option<&Message>) -> Result<ForwardTo, String> {
        let message = message.ok_or("its body cannot be read")?;
        let deaths = deaths(message);
        let last = deaths.first();
        if !self.filter.takes(message, last) {
            return Err("the filter does not take it".to_owned());
        }
        let died = || last.ok_or_else(|| "the message has no x-death header".to_owned());
        let to = match &self.back {
            Back::To(queue) => return Ok(ForwardTo::queue(queue)),
            Back::ToQueue => ForwardTo::queue(&died()?.queue),
            Back::ToExchange => {
                let death = died()?;
                let routing_key = death.routing_keys.first().map(|key| key.clone().into_bytes()).unwrap_or_default();
                ForwardTo { exchange: death.exchange.clone(), routing_key }
            }
        };
        self.check(&to)?;
        Ok(to)
    }

    /// Waits for a backend that is asked: this is work that is done aside.
    fn may_write(&self, exchange: &str) -> bool {
        let may = || self.caller.may(&self.vhost.name, Access::Write, Resource::Exchange(exchange)).is_ok();
        may() || (later::wait_for(self.caller.learn()) && self.may_write(exchange))
    }

    fn check(&self, to: &ForwardTo) -> Result<(), String> {
        if !self.may_write(&to.exchange) {
            return Err(format!("the user may not write to exchange '{}'", to.exchange));
        }
        let key = String::from_utf8_lossy(&to.routing_key);
        if to.exchange.is_empty() && *key == *self.queue.spec.name {
            return Err("it died in this queue".to_owned());
        }
        self.vhost.read(|topology| match &*to.exchange {
            "" if topology.queue(&key).is_none() => Err(format!("there is no queue '{key}' any more")),
            exchange if topology.exchange(exchange).is_none() => {
                Err(format!("there is no exchange '{exchange}' any more"))
            }
            // Both are there; that nothing may be bound to the exchange is found when it is published.
            _ => Ok(()),
        })
    }
}

impl Done {
    fn count(&mut self, to: &ForwardTo) {
        self.redriven += 1;
        *self.destinations.entry(to.clone()).or_default() += 1;
    }

    fn answer(self, is_dry_run: bool) -> Answer {
        let mut destinations: Vec<_> = self.destinations.into_iter().collect();
        destinations.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let destinations: Vec<_> = destinations
            .into_iter()
            .take(DESTINATIONS_MAX)
            .map(|(to, count)| {
                let key = String::from_utf8_lossy(&to.routing_key).into_owned();
                json!({ "exchange": to.exchange, "routing_key": key, "count": count })
            })
            .collect();
        let mut reasons: Vec<_> = self.reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let skipped: usize = reasons.iter().map(|(_, count)| count).sum();
        let reasons: Vec<_> = reasons
            .into_iter()
            .take(DESTINATIONS_MAX)
            .map(|(reason, count)| json!({ "reason": reason, "count": count }))
            .collect();
        let answer = json!({
            "dry_run": is_dry_run,
            "examined": self.examined,
            "redriven": self.redriven,
            "skipped": skipped,
            "destinations": destinations,
            "reasons": reasons,
        });
        Answer::json(&answer).once_durable(self.position)
    }
}
