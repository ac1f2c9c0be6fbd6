//! `/leveret/queues/{vhost}/{queue}/expect`: waits until a queue is as a test wants it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::given;
use crate::broker::queue::{QueueHandle, QueueSnapshot};
use crate::http::answer::Answer;
use crate::http::later::Watch;
use crate::http::queues;
use crate::http::refusal::Refusal;
use crate::http::request::Request;

const TIMEOUT_MS_DEFAULT: u64 = 10_000;
const TIMEOUT_MS_MAX: u64 = 60_000;

/// What is expected: its name, when it is met with a number, and how a text says so.
#[derive(Clone, Copy)]
struct Expectation {
    name: &'static str,
    is_met: fn(&QueueSnapshot, u64) -> bool,
    text: fn(u64) -> String,
}

const fn count(len: usize) -> u64 {
    len as u64
}

/// Every expectation there is.
const EXPECTATIONS: &[Expectation] = &[
    Expectation { name: "empty", is_met: |queue, _| queue.messages() == 0, text: |_| "be empty".into() },
    Expectation {
        name: "messages",
        is_met: |queue, wanted| count(queue.messages()) >= wanted,
        text: |wanted| format!("have at least {wanted} messages"),
    },
    Expectation {
        name: "exactly",
        is_met: |queue, wanted| count(queue.messages()) == wanted,
        text: |wanted| format!("have exactly {wanted} messages"),
    },
    Expectation {
        name: "no_unacked",
        is_met: |queue, _| queue.messages_unacknowledged == 0,
        text: |_| "have no unacknowledged message".into(),
    },
    Expectation {
        name: "consumers",
        is_met: |queue, wanted| count(queue.consumers) >= wanted,
        text: |wanted| format!("have at least {wanted} consumers"),
    },
    Expectation { name: "no_consumers", is_met: |queue, _| queue.consumers == 0, text: |_| "have no consumer".into() },
];

/// A queue that is waited for.
struct Expected {
    queue: Arc<QueueHandle>,
    expectation: Expectation,
    count: u64,
    timeout_ms: u64,
}

/// `POST /leveret/queues/{vhost}/{queue}/expect`.
pub(in crate::http) fn post(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let queue = queues::find(request, &vhost)?;
    let object = request.object()?;
    let name = given::text(&object, "until")?.unwrap_or_default();
    let expectation = EXPECTATIONS.iter().find(|known| known.name == name).copied().ok_or_else(|| {
        let names: Vec<_> = EXPECTATIONS.iter().map(|known| known.name).collect();
        Refusal::bad_request(format!("until must be one of {}", names.join(", ")))
    })?;
    let count = given::number_in(&object, "count", 1, 0..=u64::MAX)?;
    let timeout_ms = given::number_in(&object, "timeout_ms", TIMEOUT_MS_DEFAULT, 0..=TIMEOUT_MS_MAX)?;
    Ok(Answer::after_watch(Expected { queue, expectation, count, timeout_ms }))
}

impl Watch for Expected {
    fn look(&mut self, waited_ms: u64) -> Option<Result<Answer, Refusal>> {
        let Some(found) = self.queue.snapshot() else {
            return Some(Err(Refusal::not_found(format!("{} was deleted meanwhile", self.queue))));
        };
        let is_met = (self.expectation.is_met)(&found, self.count);
        if !is_met && waited_ms < self.timeout_ms {
            return None;
        }
        let mut answer = Map::new();
        answer.insert("met".to_owned(), is_met.into());
        for (key, number) in [
            ("waited_ms", waited_ms),
            ("messages", count(found.messages())),
            ("messages_ready", count(found.messages_ready)),
            ("messages_unacknowledged", count(found.messages_unacknowledged)),
            ("consumers", count(found.consumers)),
        ] {
            answer.insert(key.to_owned(), number.into());
        }
        if is_met {
            return Some(Ok(Answer::json(&answer)));
        }
        answer.insert("error".to_owned(), "expectation_not_met".into());
        answer.insert("reason".to_owned(), self.reason(&found).into());
        Some(Ok(Answer::json_with(409, &Value::Object(answer))))
    }
}

impl Expected {
    fn reason(&self, found: &QueueSnapshot) -> String {
        format!(
            "{} still has {} messages ({} ready, {} unacknowledged) and {} consumers after {} ms; it was to {}",
            self.queue,
            found.messages(),
            found.messages_ready,
            found.messages_unacknowledged,
            found.consumers,
            self.timeout_ms,
            (self.expectation.text)(self.count)
        )
    }
}
