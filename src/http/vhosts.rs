//! `/vhosts`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::listing::{self, Listed};
use super::rates::Owner;
use super::refusal::Refusal;
use super::request::Request;
use super::stats::Passed;
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
}

#[derive(Debug, Serialize)]
struct Statistics {
    messages: usize,
    messages_ready: usize,
    messages_unacknowledged: usize,
    message_stats: Passed,
    recv_oct: u64,
    send_oct: u64,
}

impl Listed for VhostObject {
    fn name(&self) -> &str {
        &self.name
    }
}

/// How many messages the queues of a virtual host have: ready, unacknowledged, all.
pub(super) fn depths(vhost: &Vhost) -> (usize, usize, usize) {
    let queues: Vec<_> = vhost.read(|topology| topology.queues().cloned().collect());
    queues.iter().filter_map(|queue| queue.snapshot()).fold((0, 0, 0), |(ready, unacknowledged, all), queue| {
        (ready + queue.messages_ready, unacknowledged + queue.messages_unacknowledged, all + queue.messages())
    })
}

fn object(request: &Request<'_>, vhost: &Vhost) -> VhostObject {
    let default_queue_type = vhost.default_queue_kind().name();
    let description = if &*vhost.name == "/" { "Default virtual host" } else { "" };
    VhostObject {
        name: Arc::clone(&vhost.name),
        description: description.to_owned(),
        tags: Vec::new(),
        default_queue_type,
        tracing: false,
        protected_from_deletion: false,
        metadata: Metadata { description: description.to_owned(), tags: Vec::new(), default_queue_type },
        cluster_state: [(request.api.node().to_owned(), json!("running"))].into_iter().collect(),
        statistics: (!request.is_set("disable_stats")).then(|| statistics(request, vhost)),
    }
}

fn statistics(request: &Request<'_>, vhost: &Vhost) -> Statistics {
    let (messages_ready, messages_unacknowledged, messages) = depths(vhost);
    let registry = &vhost.node().registry;
    let connections = registry.connections();
    let own = || connections.iter().filter(|connection| connection.spec.vhost == vhost.name);
    Statistics {
        messages,
        messages_ready,
        messages_unacknowledged,
        message_stats: Passed::new(
            registry.message_stats_of(&vhost.name),
            request,
            Owner::Vhost(Arc::clone(&vhost.name)),
        ),
        recv_oct: own().map(|connection| connection.counters.received_bytes.get()).sum(),
        send_oct: own().map(|connection| connection.counters.sent_bytes.get()).sum(),
    }
}

/// `GET /vhosts`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    let caller = request.caller()?;
    let mut vhosts = request.api.broker.vhosts();
    vhosts.retain(|vhost| caller.is_monitor() || caller.enters(&vhost.name));
    listing::paged(request, vhosts.iter().map(|vhost| object(request, vhost)).collect())
}

/// `GET /vhosts/{vhost}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let vhost = request.api.broker.vhost(request.part("vhost")).ok_or_else(Refusal::absent)?;
    Ok(listing::one(request, &object(request, &vhost)))
}
