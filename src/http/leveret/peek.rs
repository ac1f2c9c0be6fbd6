//! `/leveret/queues/{vhost}/{queue}/peek`: messages of a queue, which are left as they are.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::given;
use super::message::{DeathEntry, MessageObject, Shown, deaths};
use crate::auth::{Access, Resource};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::{MessageState, QueueHandle, SeenMessage};
use crate::broker::registry::Registry;
use crate::broker::vhost::Vhost;
use crate::clock::Clock;
use crate::http::answer::Answer;
use crate::http::queues;
use crate::http::refusal::Refusal;
use crate::http::request::Request;

const SHOWN_DEFAULT: usize = 50;
const SHOWN_MAX: usize = 500;
const TRUNCATE_DEFAULT: usize = 4 * 1024;
const TRUNCATE_MAX: usize = 1024 * 1024;
/// Bytes of bodies in one answer, after which it ends early.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

const STATES: [(&str, MessageState); 4] = [
    ("ready", MessageState::Ready),
    ("unacked", MessageState::Unacked),
    ("delayed", MessageState::Delayed),
    ("dead", MessageState::Dead),
];

#[derive(Debug, Serialize)]
struct SeenObject {
    position: usize,
    id: u64,
    state: &'static str,
    #[serde(flatten)]
    message: MessageObject,
    redelivered: bool,
    acquired_count: u32,
    delivery_count: u32,
    priority: u8,
    persistent: bool,
    on_disk: bool,
    expires_at: Option<u64>,
    due_at: Option<u64>,
    age_ms: Option<u64>,
    consumer: Option<Holder>,
    deaths: Vec<DeathEntry>,
}

/// Who has a message that is not acknowledged.
#[derive(Clone, Debug, Serialize)]
struct Holder {
    consumer_tag: Option<Arc<str>>,
    channel: Option<String>,
    connection: Option<String>,
}

/// What one request wants to see.
#[derive(Debug)]
struct Wanted {
    queue: Arc<QueueHandle>,
    vhost: Arc<Vhost>,
    state: (&'static str, MessageState),
    offset: usize,
    limit: usize,
    shown: Shown,
    clock: Clock,
}

/// `GET /leveret/queues/{vhost}/{queue}/peek`.
pub(in crate::http) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let queue = queues::find(request, &vhost)?;
    request.caller()?.may(&vhost.name, Access::Read, Resource::Queue(&queue.spec.name))?;
    let name = request.parameter("state").unwrap_or("ready");
    let state = STATES.into_iter().find(|(known, _)| *known == name);
    let state = state.ok_or_else(|| Refusal::bad_request("state must be ready, unacked, delayed or dead"))?;
    let wanted = Wanted {
        queue,
        vhost,
        state,
        offset: given::count(request, "offset", 0, 0..=usize::MAX)?,
        limit: given::count(request, "limit", SHOWN_DEFAULT, 1..=SHOWN_MAX)?,
        shown: Shown::of(request, TRUNCATE_DEFAULT, TRUNCATE_MAX)?,
        clock: request.api.clock.clone(),
    };
    Ok(Answer::after_work(move || Ok(wanted.look())))
}

impl Wanted {
    fn look(&self) -> Answer {
        let holders = match self.state.1 {
            MessageState::Unacked => Holders::of(&self.queue, &self.vhost.node().registry),
            MessageState::Ready | MessageState::Delayed | MessageState::Dead => Holders::default(),
        };
        let (mut messages, mut bytes) = (Vec::new(), 0);
        let looked = self.queue.look_at(self.state.1, self.offset, self.limit, |seen| {
            bytes += seen.message.as_ref().map_or(0, |message| self.shown.bytes_of(message.body()));
            messages.push(self.object(seen, &holders));
            if bytes < ANSWER_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        Answer::json(&json!({
            "vhost": self.vhost.name,
            "queue": self.queue.spec.name,
            "state": self.state.0,
            "offset": self.offset,
            "total": looked.total,
            "next_offset": looked.next,
            "messages": messages,
        }))
    }

    /// How long it has been there at least.
    fn age_ms(&self, seen: &SeenMessage) -> Option<u64> {
        let (alerts, now_ms) = (&self.vhost.node().alerts, self.clock.now_ms());
        match seen.delivery {
            Some(delivery) => alerts.age_of_delivery_ms(&self.vhost.name, self.queue.id, delivery, now_ms),
            None => alerts.age_of_ready_ms(&self.vhost.name, self.queue.id, seen.id, now_ms),
        }
    }

    fn object(&self, seen: SeenMessage, holders: &Holders) -> SeenObject {
        SeenObject {
            position: seen.position,
            id: seen.id,
            state: self.state.0,
            message: MessageObject::new(seen.message.as_ref(), self.shown),
            redelivered: seen.redelivered,
            acquired_count: seen.counts.acquired,
            delivery_count: seen.counts.failed,
            priority: seen.priority,
            persistent: seen.message.as_ref().map_or(seen.is_stored, |message| message.facts().persistent),
            on_disk: seen.is_on_disk,
            expires_at: seen.expires_at_ms,
            due_at: seen.due_at_ms,
            age_ms: self.age_ms(&seen),
            consumer: seen.holder.map(|holder| holders.get(holder)),
            deaths: seen.message.as_ref().map(deaths).unwrap_or_default(),
        }
    }
}

/// The names of those who hold messages.
#[derive(Debug, Default)]
struct Holders {
    tags: HashMap<ConsumerId, Arc<str>>,
    channels: HashMap<ChannelId, (String, String)>,
}

impl Holders {
    fn of(queue: &QueueHandle, registry: &Registry) -> Self {
        let tags = queue.consumers().into_iter().map(|consumer| (consumer.id, consumer.consumer_tag)).collect();
        let mut channels = HashMap::new();
        for connection in registry.connections() {
            let name = connection.spec.name();
            for channel in connection.channels() {
                channels.insert(channel.id, (format!("{name} ({})", channel.number), name.clone()));
            }
        }
        Self { tags, channels }
    }

    fn get(&self, (channel, consumer): (ChannelId, Option<ConsumerId>)) -> Holder {
        let names = self.channels.get(&channel).cloned();
        let (channel, connection) = names.unzip();
        Holder { consumer_tag: consumer.and_then(|id| self.tags.get(&id).cloned()), channel, connection }
    }
}
