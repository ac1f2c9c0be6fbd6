//! The cluster's name, what is configured, and statistics that begin anew. Quorum queues have one replica here, and that is where it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::api::Api;
use super::body;
use super::nodes;
use super::refusal::Refusal;
use super::request::Request;
use crate::broker::administration::{CLUSTER_NAME, CLUSTER_TAGS, INTERNAL_CLUSTER_ID};
use crate::broker::definitions::GlobalParameterDefinition;
use crate::broker::queue::arguments::QueueKind;

/// All global parameters, by name. Those of the cluster are there whether somebody has put them or not.
pub(super) fn global_parameters(api: &Api) -> Vec<GlobalParameterDefinition> {
    let mut all: BTreeMap<_, _> =
        [(CLUSTER_NAME.to_owned(), api.node().into()), (CLUSTER_TAGS.to_owned(), json!([]))].into();
    all.extend(api.broker.global_parameters().into_iter().map(|parameter| (parameter.name, parameter.value)));
    all.into_iter().map(|(name, value)| GlobalParameterDefinition { name, value }).collect()
}

fn value(api: &Api, name: &str) -> Option<Value> {
    global_parameters(api).into_iter().find(|parameter| parameter.name == name).map(|parameter| parameter.value)
}

/// The name of the cluster: what somebody called it, or else that of its node.
pub(super) fn name(api: &Api) -> String {
    api.broker.cluster_name()
}

/// What tells the cluster from all others.
pub(super) fn id(api: &Api) -> String {
    value(api, INTERNAL_CLUSTER_ID).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_else(|| name(api))
}

/// What somebody noted of the cluster.
pub(super) fn tags(api: &Api) -> Map<String, Value> {
    match value(api, CLUSTER_TAGS) {
        Some(Value::Object(tags)) => tags,
        Some(_) | None => Map::new(),
    }
}

/// `GET /cluster-name`.
pub(super) fn get_name(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!({ "name": name(request.api) })))
}

/// `PUT /cluster-name`.
pub(super) fn put_name(request: &Request<'_>) -> Result<Answer, Refusal> {
    let object = request.object()?;
    body::require(&object, &["name"])?;
    let name = body::text(&object, "name")?.unwrap_or_default();
    let parameter = GlobalParameterDefinition { name: CLUSTER_NAME.to_owned(), value: name.into() };
    request.api.broker.put_global_parameter(parameter)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /config/effective`: RabbitMQ's Erlang terms would name nothing that is here, so it is what `leveret config show` prints.
pub(super) fn configuration(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::text(request.api.operator.configuration()))
}

/// `DELETE /reset`, `/reset/{node}`: rates and samples begin anew. Counters are true counts, and stay.
pub(super) fn reset(request: &Request<'_>) -> Result<Answer, Refusal> {
    if request.has_part("node") {
        nodes::check(request)?;
    }
    request.api.rates.forget();
    Ok(Answer::no_content())
}

/// `POST /rebalance/queues`: on one node they are where they belong.
pub(super) fn rebalance(_: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::no_content())
}

/// 503 for a queue that is none with replicas.
fn not_supported() -> Refusal {
    Refusal::new(503, "service_unavailable", "classic_queue_not_supported")
}

/// The type of the queue of the path.
fn kind(request: &Request<'_>) -> Result<QueueKind, Refusal> {
    let vhost = request.vhost()?;
    let queue = vhost.read(|topology| topology.queue(request.part("queue")).cloned());
    Ok(queue.ok_or_else(Refusal::absent)?.spec.arguments.kind)
}

/// `GET /queues/quorum/{vhost}/{queue}/status`.
pub(super) fn replicas(request: &Request<'_>) -> Result<Answer, Refusal> {
    match kind(request)? {
        QueueKind::Classic => {
            let failed = json!({ "status": "failed", "reason": "classic_queue_not_supported" });
            return Ok(Answer::json_with(503, &failed));
        }
        QueueKind::Quorum => {}
    }
    Ok(Answer::json(&json!([{
        "Node Name": request.api.node(),
        "Raft State": "leader",
        "Membership": "voter",
        "Last Log Index": 0,
        "Last Written": 0,
        "Last Applied": 0,
        "Commit Index": 0,
        "Snapshot Index": 0,
        "Term": 1,
        "Machine Version": 0,
    }])))
}

/// `POST /queues/quorum/{vhost}/{queue}/replicas/add`: there is one node, whose replica is there.
pub(super) fn add_replica(request: &Request<'_>) -> Result<Answer, Refusal> {
    check_replica(request).map(|()| Answer::no_content())
}

/// `DELETE /queues/quorum/{vhost}/{queue}/replicas/delete`: it stays there.
pub(super) fn delete_replica(request: &Request<'_>) -> Result<Answer, Refusal> {
    check_replica(request).map(|()| Answer::accepted())
}

fn check_replica(request: &Request<'_>) -> Result<(), Refusal> {
    let object = request.object()?;
    body::require(&object, &["node"])?;
    let node = body::text(&object, "node")?.unwrap_or_default();
    if node != request.api.node() {
        return Err(Refusal::bad_request("Node is not a cluster member"));
    }
    match kind(request)? {
        QueueKind::Classic => Err(not_supported()),
        QueueKind::Quorum => Ok(()),
    }
}

/// `POST /queues/quorum/replicas/on/{node}/grow`.
pub(super) fn grow(request: &Request<'_>) -> Result<Answer, Refusal> {
    body::require(&request.object()?, &["vhost_pattern", "queue_pattern", "strategy"])?;
    nodes::check(request)?;
    Ok(Answer::no_content())
}

/// `DELETE /queues/quorum/replicas/on/{node}/shrink`.
pub(super) fn shrink(request: &Request<'_>) -> Result<Answer, Refusal> {
    nodes::check(request)?;
    Ok(Answer::accepted())
}

/// `GET /stream/...` of one virtual host: there are no streams.
pub(super) fn no_streams(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.vhost()?;
    Ok(Answer::json(&json!([])))
}

/// What is asked of one stream, one shovel, or one of their connections: there is none.
pub(super) fn none_such(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.vhost()?;
    Err(Refusal::absent())
}
