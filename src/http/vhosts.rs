//! `/vhosts`.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::body;
use super::listing::{self, Listed};
use super::rates::{Details, Owner};
use super::refusal::Refusal;
use super::request::Request;
use super::stats::{PassedStats, RateKind};
use super::users;
use crate::broker::administration::{Put, VhostSettings};
use crate::broker::queue::arguments::QueueKind;
use crate::broker::registry::ConnectionInfo;
use crate::broker::vhost::Vhost;

/// A virtual host as the API shows it.
#[derive(Debug, Serialize)]
struct VhostObject {
    name: Arc<str>,
    description: String,
    tags: Vec<String>,
    default_queue_type: &'static str,
    tracing: bool,
    protected_from_deletion: bool,
    metadata: Metadata,
    cluster_state: Map<String, Value>,
    #[serde(flatten)]
    statistics: Option<Statistics>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    description: String,
    tags: Vec<String>,
    default_queue_type: &'static str,
    /// RabbitMQ has it here once it was ever set; it is missing where it is false, as in definitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    protected_from_deletion: Option<bool>,
}

#[derive(Debug, Serialize)]
struct Statistics {
    messages: usize,
    messages_ready: usize,
    messages_unacknowledged: usize,
    messages_details: Details,
    messages_ready_details: Details,
    messages_unacknowledged_details: Details,
    message_stats: PassedStats,
    recv_oct: u64,
    recv_oct_details: Details,
    send_oct: u64,
    send_oct_details: Details,
}

impl Listed for VhostObject {
    fn name(&self) -> &str {
        &self.name
    }
}

/// How many messages the queues of a virtual host have: ready, unacknowledged, all.
pub(super) fn depths(vhost: &Vhost) -> (usize, usize, usize) {
    let queues = vhost.queues();
    queues.iter().filter_map(|queue| queue.snapshot()).fold((0, 0, 0), |(ready, unacknowledged, all), queue| {
        (ready + queue.messages_ready, unacknowledged + queue.messages_unacknowledged, all + queue.messages())
    })
}

/// The connections of each virtual host, found in one walk over all.
type Connections = HashMap<Arc<str>, Vec<Arc<ConnectionInfo>>>;

fn connections(request: &Request<'_>) -> Connections {
    let mut found = Connections::new();
    if !request.is_set("disable_stats") {
        for connection in request.api.broker.node().registry.connections() {
            found.entry(Arc::clone(&connection.spec.vhost)).or_default().push(connection);
        }
    }
    found
}

fn object(request: &Request<'_>, vhost: &Vhost, connections: &Connections) -> VhostObject {
    // Absent only when it is deleted at this moment.
    let definition = request.api.broker.vhost_definition(&vhost.name);
    let default_queue_type = definition.as_ref().map(|vhost| vhost.default_queue_kind).unwrap_or_default().name();
    let (description, tags) =
        definition.as_ref().map(|vhost| (vhost.description.clone(), vhost.tags.clone())).unwrap_or_default();
    let is_protected = definition.as_ref().is_some_and(|vhost| vhost.protected_from_deletion);
    let protected_from_deletion = is_protected.then_some(true);
    VhostObject {
        name: Arc::clone(&vhost.name),
        description: description.clone(),
        tags: tags.clone(),
        default_queue_type,
        tracing: definition.as_ref().is_some_and(|vhost| vhost.tracing),
        protected_from_deletion: is_protected,
        metadata: Metadata { description, tags, default_queue_type, protected_from_deletion },
        cluster_state: [(request.api.node().to_owned(), json!("running"))].into_iter().collect(),
        statistics: (!request.is_set("disable_stats"))
            .then(|| statistics(request, vhost, connections.get(&vhost.name).map_or(&[], Vec::as_slice))),
    }
}

fn statistics(request: &Request<'_>, vhost: &Vhost, connections: &[Arc<ConnectionInfo>]) -> Statistics {
    let (messages_ready, messages_unacknowledged, messages) = depths(vhost);
    let moves = request.details(Owner::VhostDepth(Arc::clone(&vhost.name)), 3, RateKind::Lengths);
    let [messages_details, messages_ready_details, messages_unacknowledged_details] =
        moves.try_into().unwrap_or_default();
    let (mut recv_oct_details, mut send_oct_details) = (Details::default(), Details::default());
    let mut passed = vhost.node().registry.message_stats_of_ended(&vhost.name);
    for connection in connections {
        passed += connection.message_stats();
        let moves = request.details(Owner::Connection(connection.spec.id), 2, RateKind::DataRates);
        for (sum, one) in [&mut recv_oct_details, &mut send_oct_details].into_iter().zip(&moves) {
            sum.add(one);
        }
    }
    Statistics {
        messages,
        messages_ready,
        messages_unacknowledged,
        messages_details,
        messages_ready_details,
        messages_unacknowledged_details,
        message_stats: PassedStats::new(passed, request, Owner::Vhost(Arc::clone(&vhost.name))),
        recv_oct_details,
        send_oct_details,
        recv_oct: connections.iter().map(|connection| connection.counters.received_bytes.get()).sum(),
        send_oct: connections.iter().map(|connection| connection.counters.sent_bytes.get()).sum(),
    }
}

/// `GET /vhosts`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let caller = request.caller()?;
    let mut vhosts = request.api.broker.vhosts();
    vhosts.retain(|vhost| caller.is_monitor() || caller.enters(&vhost.name));
    let connections = connections(request);
    listing::paged(request, vhosts.iter().map(|vhost| object(request, vhost, &connections)).collect())
}

/// `GET /vhosts/{vhost}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.api.broker.vhost(request.part("vhost")).ok_or_else(Refusal::absent)?;
    Ok(listing::one(request, &object(request, &vhost, &connections(request))))
}

/// `PUT /vhosts/{vhost}`. Who makes one may do everything in it.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    let object = request.object()?;
    let default_queue_kind = match body::text(&object, "default_queue_type")? {
        None | Some("" | "undefined") => None,
        Some(name) => Some(
            QueueKind::from_name(name)
                .ok_or_else(|| Refusal::bad_request(format!("{name} is not a valid queue type")))?,
        ),
    };
    let settings = VhostSettings {
        description: body::text(&object, "description")?.unwrap_or_default().to_owned(),
        tags: users::tags(&object, "tags")?,
        default_queue_kind,
        tracing: optional(&object, "tracing")?,
        protected_from_deletion: optional(&object, "protected_from_deletion")?,
    };
    let owner = request.caller()?.as_owner();
    let put = request.api.broker.put_vhost(request.part("vhost"), settings, owner)?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

fn optional(object: &Map<String, Value>, key: &str) -> Result<Option<bool>, Refusal> {
    object.contains_key(key).then(|| body::boolean(object, key, false)).transpose()
}

/// `DELETE /vhosts/{vhost}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.api.broker.delete_vhost(request.part("vhost"))?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `POST /vhosts/{vhost}/deletion/protection`.
pub(super) fn protect(request: &Request<'_>) -> Result<Answer, Refusal> {
    let name = request.part("vhost");
    if request.api.broker.vhost(name).is_none() {
        let text = format!("Cannot enable deletion protection of virtual host '{name}' because it does not exist");
        return Err(Refusal::not_found(text));
    }
    request.api.broker.protect_vhost(name, true)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `DELETE /vhosts/{vhost}/deletion/protection`.
pub(super) fn unprotect(request: &Request<'_>) -> Result<Answer, Refusal> {
    if request.api.broker.vhost(request.part("vhost")).is_none() {
        return Err(Refusal::absent());
    }
    request.api.broker.protect_vhost(request.part("vhost"), false)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `POST /vhosts/{vhost}/start/{node}`: every one that is there has started.
pub(super) fn start(request: &Request<'_>) -> Result<Answer, Refusal> {
    let (vhost, node) = (request.part("vhost"), request.part("node"));
    if request.api.broker.vhost(vhost).is_none() {
        let text = format!("Request to node {node} failed with {{no_such_vhost,<<\"{vhost}\">>}}");
        return Err(Refusal::bad_request(text));
    }
    Ok(Answer::no_content())
}
