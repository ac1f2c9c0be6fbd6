//! `/leveret/tail`: what is published, as it passes, as server-sent events.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::message::{MessageObject, Shown};
use crate::auth::{Access, Resource};
use crate::broker::node::Node;
use crate::broker::tails::{Tail, TailFilter, TailedMessage};
use crate::http::answer::Answer;
use crate::http::caller::Caller;
use crate::http::events::{EventSource, Happened};
use crate::http::later;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::store::Wake;

const TRUNCATE_DEFAULT: usize = 1_024;
const TRUNCATE_MAX: usize = 64 * 1024;

#[derive(Debug, Serialize)]
struct PassedObject<'a> {
    at: u64,
    vhost: &'a str,
    #[serde(flatten)]
    message: MessageObject,
    queues: &'a [Arc<str>],
}

/// A tail that somebody reads; dropping it ends it.
struct Reading {
    node: Arc<Node>,
    tail: Arc<Tail>,
    caller: Caller,
    shown: Shown,
}

/// `GET /leveret/tail`.
pub(in crate::http) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let name = request.parameter("vhost").ok_or_else(|| Refusal::bad_request("vhost must be given"))?;
    let caller = request.caller()?.clone();
    let vhost = request.api.broker.vhost(name).filter(|vhost| caller.enters(&vhost.name));
    let vhost = vhost.ok_or_else(Refusal::absent)?;
    let text = |name: &str| request.parameter(name).map(str::to_owned);
    let filter = TailFilter {
        vhost: Arc::clone(&vhost.name),
        exchange: text("exchange").map(|exchange| if exchange == "amq.default" { String::new() } else { exchange }),
        queue: text("queue"),
        key: text("key"),
        body_bytes_max: TRUNCATE_MAX,
    };
    let shown = Shown::of(request, TRUNCATE_DEFAULT, TRUNCATE_MAX)?;
    let node = Arc::clone(vhost.node());
    Ok(Answer::events(Box::new(move |wake: Arc<dyn Wake>| {
        let tail = node.tails.add(filter, wake);
        Box::new(Reading { node, tail, caller, shown }) as Box<dyn EventSource>
    })))
}

impl EventSource for Reading {
    fn take(&mut self) -> Vec<Happened> {
        let (passed, dropped) = self.tail.take();
        let mut events: Vec<_> =
            passed.iter().filter(|passed| self.may_see(passed)).map(|one| self.event(one)).collect();
        // What passes while a backend is asked is not shown.
        if self.caller.asks() {
            let caller = self.caller.clone();
            later::begin(async move { caller.learn().await });
        }
        if dropped > 0 {
            events.push(Happened { name: "dropped", data: json!({ "count": dropped }).to_string() });
        }
        events
    }
}

impl Reading {
    /// Rights are asked live: who loses them sees nothing more.
    fn may_see(&self, passed: &TailedMessage) -> bool {
        let vhost = &self.tail.filter().vhost;
        let reads = |resource: Resource<'_>| self.caller.may(vhost, Access::Read, resource).is_ok();
        reads(Resource::Exchange(passed.message.exchange()))
            || passed.queues.iter().any(|queue| reads(Resource::Queue(queue)))
    }

    fn event(&self, passed: &TailedMessage) -> Happened {
        let object = PassedObject {
            at: passed.at_ms,
            vhost: &self.tail.filter().vhost,
            message: MessageObject::of_part(&passed.message, passed.body_bytes, self.shown),
            queues: &passed.queues,
        };
        // Nothing in it can fail to be written.
        Happened { name: "message", data: serde_json::to_string(&object).unwrap_or_default() }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.node.tails.remove(&self.tail);
    }
}
