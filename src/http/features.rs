//! `/feature-flags` and `/deprecated-features`.

use serde_json::{Value, json};

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;
use crate::broker::deprecated::DeprecatedFeature;
use crate::broker::profile::Permission;

/// The feature flags of RabbitMQ that programs ask for: all of them are on here, whatever they were in an old cluster.
const FEATURE_FLAGS: [(&str, &str); 13] = [
    ("classic_queue_type_delivery_support", "Bug fix for classic queue deliveries using mixed versions"),
    (
        "detailed_queues_endpoint",
        "Add a detailed queues HTTP API endpoint. Reduce number of metrics in the default endpoint.",
    ),
    ("direct_exchange_routing_v2", "v2 direct exchange routing implementation"),
    ("drop_unroutable_metric", "Count unroutable publishes to be dropped in stats"),
    ("empty_basic_get_metric", "Count AMQP `basic.get` on empty queues in stats"),
    ("feature_flags_v2", "Feature flags subsystem V2"),
    ("implicit_default_bindings", "Default bindings are now implicit, instead of being stored in the database"),
    ("khepri_db", "New Raft-based metadata store."),
    ("message_containers", "Message containers."),
    ("quorum_queue", "Support queues of type `quorum`"),
    ("stream_queue", "Support queues of type `stream`"),
    ("user_limits", "Configure connection and channel limits for a user"),
    ("virtual_host_metadata", "Virtual host metadata (description, tags, etc)"),
];

/// `GET /feature-flags`.
pub(super) fn flags(_: &Request<'_>) -> Result<Answer, Refusal> {
    let flags: Vec<_> = FEATURE_FLAGS
        .iter()
        .map(|(name, description)| {
            json!({
                "name": name,
                "desc": description,
                "doc_url": "",
                "state": "enabled",
                "stability": "required",
                "require_level": "hard",
                "experiment_level": "supported",
                "callbacks": [],
                "provided_by": "rabbit",
            })
        })
        .collect();
    Ok(Answer::json(&flags))
}

/// `PUT /feature-flags/{name}/enable`: all are.
pub(super) fn enable(request: &Request<'_>) -> Result<Answer, Refusal> {
    let name = request.part("name");
    if FEATURE_FLAGS.iter().any(|(known, _)| *known == name) {
        Ok(Answer::no_content())
    } else {
        Err(Refusal::bad_request("unsupported"))
    }
}

fn deprecated(request: &Request<'_>, is_used: bool) -> Vec<Value> {
    let node = request.api.broker.node();
    let profile = node.settings.profile();
    let shown = DeprecatedFeature::ALL.iter().filter(|feature| !is_used || node.deprecated.count(**feature) > 0);
    shown
        .map(|feature| {
            let is_permitted = feature.permission(profile) == Permission::Permitted;
            json!({
                "name": feature.name(),
                "state": if is_permitted { "permitted" } else { "denied" },
                "desc": "",
                "deprecation_phase": if is_permitted { "permitted_by_default" } else { "denied_by_default" },
                "doc_url": "",
                "provided_by": "rabbit",
            })
        })
        .collect()
}

/// `GET /deprecated-features`.
pub(super) fn deprecated_features(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&deprecated(request, false)))
}

/// `GET /deprecated-features/used`.
pub(super) fn deprecated_features_used(request: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&deprecated(request, true)))
}
