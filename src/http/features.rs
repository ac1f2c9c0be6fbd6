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

/// Those that came with a version, and by which programs tell it. The last one can be enabled, those before are required.
const OF_VERSIONS: [(&str, &str); 4] = [
    ("rabbitmq_4.0.0", "Allows rolling upgrades from 3.13.x to 4.0.x"),
    ("rabbitmq_4.1.0", "Allows rolling upgrades to 4.1.x"),
    ("rabbitmq_4.2.0", "Allows rolling upgrades to 4.2.x"),
    ("rabbitmq_4.3.0", "Allows rolling upgrades to 4.3.x"),
];

/// The name of a flag, what it is for, and how stable it is.
type Flag = (&'static str, &'static str, &'static str);

/// All flags that the version has which is told to clients.
fn known(request: &Request<'_>) -> impl Iterator<Item = Flag> {
    let version = request.api.broker.node().settings.profile().version;
    // A flag says the first version of a series, and a series is one digit here.
    let of_versions = OF_VERSIONS.iter().filter(move |(name, _)| name.trim_start_matches("rabbitmq_") <= version);
    let last = of_versions.clone().next_back().map(|(name, _)| *name);
    let stability = move |name| if Some(name) == last { "stable" } else { "required" };
    FEATURE_FLAGS.iter().chain(of_versions).map(move |(name, description)| (*name, *description, stability(*name)))
}

/// `GET /feature-flags`.
pub(super) fn flags(request: &Request<'_>) -> Result<Answer, Refusal> {
    let shown = |(name, description, stability): Flag| {
        json!({
            "name": name,
            "desc": description,
            "doc_url": "",
            "state": "enabled",
            "stability": stability,
            "require_level": if stability == "stable" { "none" } else { "hard" },
            "experiment_level": "supported",
            "callbacks": [],
            "provided_by": "rabbit",
        })
    };
    Ok(Answer::json(&known(request).map(shown).collect::<Vec<_>>()))
}

/// `PUT /feature-flags/{name}/enable`: all are.
pub(super) fn enable(request: &Request<'_>) -> Result<Answer, Refusal> {
    let name = request.part("name");
    if known(request).any(|(known, ..)| known == name) {
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
