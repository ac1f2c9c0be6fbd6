//! `/queues`: list, look, declare, delete, purge.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::bindings;
use super::consumers::{self, ConsumerObject};
use super::listing::{self, Listed};
use super::policies::AppliedObject;
use super::rates::{Details, Owner};
use super::refusal::Refusal;
use super::request::Request;
use super::stats::{self, PassedStats, RateKind};
use super::{body, values};
use crate::auth::{Access, Resource};
use crate::broker::declarers::{Declarable, Declarer};
use crate::broker::ids::ConnectionId;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{Exclusivity, QueueHandle, QueueSnapshot};
use crate::broker::topology::DestinationType;
use crate::broker::vhost::{QueueDeclare, Vhost};

/// What the HTTP API is in questions of exclusive queues: no connection owns it.
pub(super) const NO_CONNECTION: ConnectionId = ConnectionId(u64::MAX);

/// A queue as the API shows it.
#[derive(Debug, Serialize)]
pub(super) struct QueueObject {
    name: Arc<str>,
    vhost: Arc<str>,
    #[serde(rename = "type")]
    kind: &'static str,
    durable: bool,
    auto_delete: bool,
    exclusive: bool,
    internal: bool,
    internal_owner: bool,
    arguments: Map<String, Value>,
    node: String,
    state: &'static str,
    #[serde(flatten)]
    policies: AppliedObject,
    #[serde(flatten)]
    depths: Option<Depths>,
    #[serde(flatten)]
    statistics: Option<Statistics>,
    #[serde(flatten)]
    of_kind: Option<OfKind>,
    #[serde(flatten)]
    details: Option<QueueDetails>,
}

/// How many messages there are: what `enable_queue_totals` keeps.
#[derive(Debug, Serialize)]
struct Depths {
    messages: usize,
    messages_ready: usize,
    messages_unacknowledged: usize,
}

#[derive(Debug, Serialize)]
struct Statistics {
    messages_details: Details,
    messages_ready_details: Details,
    messages_unacknowledged_details: Details,
    message_stats: PassedStats,
    consumers: usize,
    consumer_capacity: f64,
    consumer_utilisation: f64,
    memory: u64,
    reductions: u64,
    reductions_details: Details,
    message_bytes: u64,
    message_bytes_ready: u64,
    message_bytes_unacknowledged: u64,
    oldest_ready_age_ms: Option<u64>,
    oldest_unacked_age_ms: Option<u64>,
    dead_letter_queue: bool,
    messages_persistent: usize,
    message_bytes_persistent: u64,
    message_bytes_ram: u64,
    messages_ram: usize,
    messages_ready_ram: usize,
    messages_unacknowledged_ram: usize,
    idle_since: String,
}

/// What only queues of one type have.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum OfKind {
    Classic {
        storage_version: u8,
        exclusive_consumer_tag: Option<Arc<str>>,
        head_message_timestamp: Option<u64>,
    },
    Quorum {
        leader: String,
        members: [String; 1],
        online: [String; 1],
        delivery_limit: DeliveryLimit,
        messages_delayed: usize,
        messages_dlx: usize,
    },
}

/// A number, or the word that RabbitMQ has for none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum DeliveryLimit {
    Some(u32),
    None(&'static str),
}

/// What only one queue shows, and lists do not.
#[derive(Debug, Serialize)]
struct QueueDetails {
    single_active_consumer_tag: Option<Arc<str>>,
    consumer_details: Vec<ConsumerObject>,
    deliveries: [u8; 0],
    incoming: [u8; 0],
}

impl Listed for QueueObject {
    fn name(&self) -> &str {
        &self.name
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

/// A queue in a list.
struct QueueRow<'a> {
    vhost: &'a Vhost,
    queue: Arc<QueueHandle>,
}

impl listing::Row for QueueRow<'_> {
    type Item = QueueObject;

    fn name(&self) -> &str {
        &self.queue.spec.name
    }

    fn vhost(&self) -> &str {
        &self.vhost.name
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn number(&self, request: &Request<'_>, key: &str) -> Option<Option<f64>> {
        if request.is_set("disable_stats") {
            return None;
        }
        let snapshot = || self.queue.snapshot();
        let ages = |snapshot: &QueueSnapshot| {
            let (alerts, now_ms) = (&request.api.broker.node().alerts, request.api.clock.now_ms());
            alerts.oldest_ages(&self.vhost.name, self.queue.id, snapshot, now_ms)
        };
        let number = match key {
            "messages" => snapshot().map(|queue| queue.messages() as f64),
            "messages_ready" => snapshot().map(|queue| queue.messages_ready as f64),
            "messages_unacknowledged" => snapshot().map(|queue| queue.messages_unacknowledged as f64),
            "consumers" => snapshot().map(|queue| queue.consumers as f64),
            "oldest_ready_age_ms" => snapshot().and_then(|queue| Some(ages(&queue).ready_ms? as f64)),
            "oldest_unacked_age_ms" => snapshot().and_then(|queue| Some(ages(&queue).unacked_ms? as f64)),
            _ => return stats::rate_of(request, &Owner::Queue(self.queue.id), key).map(Some),
        };
        Some(number)
    }

    fn look(&self, request: &Request<'_>) -> Option<QueueObject> {
        QueueObject::new(request, self.vhost, &self.queue)
    }
}

/// No member of another node: a cluster has one.
const STORAGE_VERSION: u8 = 2;

impl QueueObject {
    fn new(request: &Request<'_>, vhost: &Vhost, queue: &QueueHandle) -> Option<Self> {
        let snapshot = queue.snapshot()?;
        let spec = &queue.spec;
        let policies = AppliedObject::in_list(snapshot.policies.clone());
        let has_stats = !request.is_set("disable_stats");
        let has_depths = has_stats || request.is_set("enable_queue_totals");
        Some(Self {
            name: Arc::clone(&spec.name),
            vhost: Arc::clone(&vhost.name),
            kind: spec.arguments.kind.name(),
            durable: spec.durable,
            auto_delete: spec.auto_delete,
            exclusive: spec.exclusivity != Exclusivity::Shared,
            internal: false,
            internal_owner: false,
            arguments: values::object(spec.raw_arguments.fields()),
            node: request.api.node().to_owned(),
            state: if snapshot.is_paused { "paused" } else { "running" },
            policies: if has_stats { policies } else { policies.with_nulls() },
            depths: has_depths.then(|| Depths {
                messages: snapshot.messages(),
                messages_ready: snapshot.messages_ready,
                messages_unacknowledged: snapshot.messages_unacknowledged,
            }),
            of_kind: Some(of_kind(request, queue, &snapshot)),
            statistics: has_stats.then(|| statistics(request, vhost, queue, snapshot)),
            details: None,
        })
    }

    fn with_details(mut self, request: &Request<'_>, vhost: &Vhost, queue: &QueueHandle) -> Self {
        let snapshot = queue.snapshot().unwrap_or_default();
        self.policies = self.policies.with_nulls();
        self.details = Some(QueueDetails {
            single_active_consumer_tag: snapshot.single_active_consumer_tag,
            consumer_details: consumers::of_queue(&consumers::ChannelsById::of(request.api), vhost, queue, request.api),
            deliveries: [],
            incoming: [],
        });
        self
    }
}

fn statistics(request: &Request<'_>, vhost: &Vhost, queue: &QueueHandle, snapshot: QueueSnapshot) -> Statistics {
    let depths = request.moves(Owner::QueueDepth(queue.id), 3, RateKind::Lengths);
    let [messages_details, messages_ready_details, messages_unacknowledged_details] = depths.first_three();
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    let capacity = match snapshot.consumers {
        0 => 0.0,
        consumers => snapshot.consumers_waiting as f64 / consumers as f64,
    };
    let alerts = &request.api.broker.node().alerts;
    let now_ms = request.api.clock.now_ms();
    let (ages, dead_letter_queue) = alerts.ages_and_end(&vhost.name, queue.id, &snapshot, now_ms);
    Statistics {
        messages_details,
        messages_ready_details,
        messages_unacknowledged_details,
        message_stats: PassedStats::new(snapshot.stats, request, Owner::Queue(queue.id)),
        consumers: snapshot.consumers,
        consumer_capacity: capacity,
        consumer_utilisation: capacity,
        memory: snapshot.entry_bytes,
        reductions: 0,
        reductions_details: Details::default(),
        message_bytes: snapshot.message_bytes(),
        message_bytes_ready: snapshot.message_bytes_ready,
        message_bytes_unacknowledged: snapshot.message_bytes_unacknowledged,
        oldest_ready_age_ms: ages.ready_ms,
        oldest_unacked_age_ms: ages.unacked_ms,
        dead_letter_queue,
        messages_persistent: snapshot.messages_persistent,
        message_bytes_persistent: snapshot.message_bytes_persistent,
        message_bytes_ram: snapshot.message_bytes_ram,
        messages_ram: snapshot.messages_ram,
        messages_ready_ram: snapshot.messages_ready_ram(),
        messages_unacknowledged_ram: snapshot.messages_unacknowledged,
        idle_since: super::overview::timestamp(snapshot.used_at_ms),
    }
}

fn of_kind(request: &Request<'_>, queue: &QueueHandle, snapshot: &QueueSnapshot) -> OfKind {
    let node = || request.api.node().to_owned();
    match queue.spec.arguments.kind {
        QueueKind::Classic => OfKind::Classic {
            storage_version: STORAGE_VERSION,
            exclusive_consumer_tag: snapshot.exclusive_consumer_tag.clone(),
            head_message_timestamp: snapshot.head_message_timestamp,
        },
        QueueKind::Quorum => OfKind::Quorum {
            leader: node(),
            members: [node()],
            online: [node()],
            delivery_limit: snapshot.delivery_limit.map_or(DeliveryLimit::None("unlimited"), DeliveryLimit::Some),
            messages_delayed: snapshot.messages_delayed,
            messages_dlx: snapshot.messages_dlx,
        },
    }
}

/// `GET /queues`, `/queues/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (vhosts, mut rows) = (request.vhosts()?, Vec::new());
    for vhost in &vhosts {
        rows.extend(vhost.queues().into_iter().map(|queue| QueueRow { vhost, queue }));
    }
    listing::rows(request, rows)
}

/// `GET /queues/detailed`.
pub(super) fn detailed(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut items = Vec::new();
    for vhost in request.vhosts()? {
        let queues = vhost.queues();
        let objects = queues
            .iter()
            .filter_map(|queue| Some(QueueObject::new(request, &vhost, queue)?.with_details(request, &vhost, queue)));
        items.extend(objects);
    }
    listing::paged(request, items)
}

/// A queue by the names of the path, whoever owns it.
///
/// # Errors
/// 404 when there is none.
pub(super) fn find(request: &Request<'_>, vhost: &Vhost) -> Result<Arc<QueueHandle>, Refusal> {
    let name = request.part("queue");
    vhost.read(|topology| topology.queue(name).cloned()).ok_or_else(Refusal::absent)
}

/// `GET /queues/{vhost}/{queue}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let queue = find(request, &vhost)?;
    let object = QueueObject::new(request, &vhost, &queue).ok_or_else(Refusal::absent)?;
    Ok(listing::one(request, &object.with_details(request, &vhost, &queue)))
}

/// `PUT /queues/{vhost}/{queue}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let name = request.part("queue");
    let object = request.object()?;
    let declare = QueueDeclare {
        queue: name.to_owned(),
        durable: body::boolean(&object, "durable", false)?,
        exclusive: body::boolean(&object, "exclusive", false)?,
        auto_delete: body::boolean(&object, "auto_delete", false)?,
        arguments: body::arguments(&object, "arguments")?,
    };
    if let Some(node) = body::text(&object, "node")?
        && node != request.api.node()
    {
        return Err(Refusal::bad_request(format!("Node {node} is not a cluster member")));
    }
    let caller = request.caller()?;
    caller.may(&vhost.name, Access::Configure, Resource::Queue(name))?;
    if let Some(exchange) = declare.arguments.get("x-dead-letter-exchange").and_then(crate::table::Value::as_str) {
        caller.may(&vhost.name, Access::Read, Resource::Queue(name))?;
        caller.may(&vhost.name, Access::Write, Resource::Exchange(exchange))?;
    }
    let declared = vhost.declare_queue(&declare, NO_CONNECTION, request.api.clock.now_ms())?;
    if declared.created {
        let declarer = Declarer::over_http(caller.name(), request.api.clock.now_ms());
        let name = &declared.queue.spec.name;
        vhost.node().declarers.note(Declarable::Queue, &vhost.name, name, declarer);
        caller.log_mistyped_arguments(Declarable::Queue, &vhost.name, name, &declare.arguments);
    }
    Ok(Answer::put(declared.created).once_durable(vhost.changed_at()))
}

/// `DELETE /queues/{vhost}/{queue}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let queue = find(request, &vhost)?;
    request.caller()?.may(&vhost.name, Access::Configure, Resource::Queue(&queue.spec.name))?;
    vhost.delete_queue(&queue.spec.name, request.is_set("if-unused"), request.is_set("if-empty"), NO_CONNECTION)?;
    Ok(Answer::no_content().once_durable(vhost.changed_at()))
}

/// `DELETE /queues/{vhost}/{queue}/contents`.
pub(super) fn purge(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let queue = find(request, &vhost)?;
    request.caller()?.may(&vhost.name, Access::Read, Resource::Queue(&queue.spec.name))?;
    let (_, position) = vhost.purge_queue(&queue.spec.name, NO_CONNECTION, request.api.clock.now_ms())?;
    Ok(Answer::no_content().once_durable(position))
}

/// `GET /queues/{vhost}/{queue}/bindings`.
pub(super) fn bindings(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = vhost.bindings_to(DestinationType::Queue, request.part("queue"));
    Ok(listing::array(request, bindings::objects(&vhost, found)))
}

/// `POST /queues/{vhost}/{queue}/actions`: there is none that makes sense on one node.
pub(super) fn actions(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    find(request, &vhost)?;
    let object = request.object()?;
    body::require(&object, &["action"])?;
    Err(Refusal::bad_request(json!(["unknown", object.get("action")])))
}
