//! Queues, exchanges, bindings, messages, and what rules them.

use rabbitmq_http_client::commons::{BindingDestinationType, PolicyTarget};
use rabbitmq_http_client::requests::{
    BindingDeletionParams, ExchangeParams, GlobalRuntimeParameterDefinition, PolicyDefinitionBuilder, PolicyParams,
    QueueParams, RuntimeParameterDefinition,
};
use serde_json::{Map, Value, json};

use crate::check;
use crate::harness::{Outcome, Stage, equal, refused, unique, until};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub fn queues_and_messages(s: &Stage) -> Outcome {
    let (api, vhost, name) = (&s.api, s.vhost.as_str(), "100 %/?#");
    let arguments = json!({ "x-max-length": 7 });
    api.declare_queue(vhost, &QueueParams::new_durable_classic_queue(name, Some(object(&arguments))))?;
    let told = api.get_queue_info(vhost, name)?;
    equal("durable", told.durable, true)?;
    equal("argument", told.arguments.0.get("x-max-length"), Some(&json!(7)))?;
    let other = QueueParams::new_durable_classic_queue(name, None);
    refused(400, api.declare_queue(vhost, &other))?;

    let properties = object(&json!({ "message_id": "m", "headers": { "n": 1 } }));
    equal("routed", api.publish_message(vhost, "amq.default", name, "one", properties)?.routed, true)?;
    equal("not routed", api.publish_message(vhost, "amq.default", "nowhere", "x", Map::new())?.routed, false)?;
    until("it is counted", || Ok(api.get_queue_info(vhost, name)?.message_count == 1))?;
    let looked = api.get_messages(vhost, name, 1, "ack_requeue_true")?.remove(0);
    equal("payload", looked.payload, "one")?;
    equal("message id", looked.properties.0.get("message_id"), Some(&json!("m")))?;
    equal("headers", looked.properties.0.get("headers"), Some(&json!({ "n": 1 })))?;
    let taken = api.get_messages(vhost, name, 5, "ack_requeue_false")?;
    equal("taken", (taken.len(), taken[0].redelivered), (1, true))?;
    api.purge_queue(vhost, name)?;
    api.delete_queue(vhost, name, false)?;
    refused(404, api.get_queue_info(vhost, name).map(|queue| queue.name))?;
    refused(404, api.delete_queue(vhost, name, false))?;
    Ok(api.delete_queue(vhost, name, true)?)
}

pub fn exchanges_and_bindings(s: &Stage) -> Outcome {
    let (api, vhost) = (&s.api, s.vhost.as_str());
    api.declare_exchange(vhost, &ExchangeParams::durable_topic("source", None))?;
    api.declare_exchange(vhost, &ExchangeParams::durable_fanout("target", None))?;
    api.declare_classic_queue(vhost, "q")?;
    api.bind_queue(vhost, "q", "source", Some("a.#"), Some(object(&json!({ "n": 1 }))))?;
    api.bind_queue(vhost, "q", "source", None, None)?;
    api.bind_exchange(vhost, "target", "source", Some("k/e y"), None)?;
    equal("bindings of the queue", api.list_queue_bindings(vhost, "q")?.len(), 3)?;
    equal("bindings from the source", api.list_exchange_bindings_with_source(vhost, "source")?.len(), 3)?;
    let mut found = api.list_exchange_bindings_with_destination(vhost, "target")?;
    equal("bindings to the target", found.len(), 1)?;
    let deletion = BindingDeletionParams::from_binding_info(&found[0]);
    api.delete_binding(&deletion, false)?;
    check!(api.delete_binding(&deletion, false).is_err(), "it is gone");
    api.recreate_binding(&found.remove(0))?;
    let of_queue = BindingDeletionParams {
        virtual_host: vhost,
        source: "source",
        destination: "q",
        destination_type: BindingDestinationType::Queue,
        routing_key: "a.#",
        arguments: Some(object(&json!({ "n": 1 }))),
    };
    api.delete_binding(&of_queue, false)?;
    equal("bindings that are left", api.list_exchange_bindings_with_source(vhost, "source")?.len(), 2)?;
    equal("type", api.get_exchange_info(vhost, "source")?.exchange_type, "topic")?;
    api.delete_exchanges(vhost, &["source", "target"], false)?;
    refused(404, api.get_exchange_info(vhost, "source").map(|exchange| exchange.name))
}

pub fn policies(s: &Stage) -> Outcome {
    let (api, vhost) = (&s.api, s.vhost.as_str());
    let limit = |length| PolicyDefinitionBuilder::new().max_length(length).build();
    let policy = PolicyParams::new(vhost, "limit", "^limited", limit(2)).apply_to(PolicyTarget::Queues).priority(3);
    api.declare_policy(&policy)?;
    api.declare_operator_policy(&PolicyParams::new(vhost, "roof", "^limited", limit(1)).apply_to(PolicyTarget::Queues))?;
    api.declare_classic_queue(vhost, "limited")?;
    let told = api.get_policy(vhost, "limit")?;
    equal("policy", (told.pattern.as_str(), told.priority, told.apply_to), ("^limited", 3, PolicyTarget::Queues))?;
    equal("operator policy", api.get_operator_policy(vhost, "roof")?.name, "roof")?;
    equal("policies", api.list_policies_in(vhost)?.len(), 1)?;
    equal("operator policies", api.list_operator_policies_in(vhost)?.len(), 1)?;
    equal("matching", api.list_matching_policies(vhost, "limited", PolicyTarget::Queues)?.len(), 1)?;
    let holds = || Ok(api.get_queue_info(vhost, "limited")?.operator_policy.as_deref() == Some("roof"));
    until("the operator policy holds", holds)?;
    let effective = api.get_queue_info(vhost, "limited")?.effective_policy_definition;
    equal("what it comes to", effective.map(|definition| json!(definition)), Some(json!({ "max-length": 1 })))?;
    api.delete_operator_policy(vhost, "roof", false)?;
    api.delete_policy(vhost, "limit", false)?;
    refused(404, api.get_policy(vhost, "limit").map(|policy| policy.name))?;
    let wrong = object(&json!({ "max-length": "two" }));
    refused(400, api.declare_policy(&PolicyParams::new(vhost, "wrong", "", wrong)))
}

pub fn parameters(s: &Stage) -> Outcome {
    let (api, vhost, name) = (&s.api, s.vhost.as_str(), unique("parameter"));
    let value = object(&json!({ "max-connections": 10 }));
    let parameter = RuntimeParameterDefinition { name: "limits", vhost, component: "vhost-limits", value };
    api.upsert_runtime_parameter(&parameter)?;
    let told = api.get_runtime_parameter("vhost-limits", vhost, "limits")?;
    equal("value", json!(told.value), json!({ "max-connections": 10 }))?;
    equal("in", api.list_runtime_parameters_of_component_in("vhost-limits", vhost)?.len(), 1)?;
    api.clear_runtime_parameter("vhost-limits", vhost, "limits", false)?;
    equal("none is left", api.list_runtime_parameters_of_component_in("vhost-limits", vhost)?.len(), 0)?;

    let value = object(&json!({ "a": [1, null, "x"] }));
    api.upsert_global_runtime_parameter(&GlobalRuntimeParameterDefinition { name: &name, value: value.clone() })?;
    let told = api.get_global_runtime_parameter(&name)?;
    api.clear_global_runtime_parameter(&name)?;
    equal("global value", json!(told.value), json!(value))
}

pub fn definitions(s: &Stage) -> Outcome {
    let (api, vhost) = (&s.api, s.vhost.as_str());
    api.declare_quorum_queue(vhost, "defined")?;
    api.bind_queue(vhost, "defined", "amq.topic", Some("k"), None)?;
    let whole = api.export_cluster_wide_definitions_as_data()?;
    check!(whole.queues.iter().any(|queue| queue.name == "defined"), "the queue is in {:?}", whole.queues);
    check!(whole.virtual_hosts.iter().any(|each| each.name == *vhost), "so is the virtual host");
    let own = api.export_vhost_definitions_as_data(vhost)?;
    equal("queues", own.queues.len(), 1)?;
    let text = api.export_vhost_definitions_as_string(vhost)?;
    api.delete_queue(vhost, "defined", false)?;
    api.import_vhost_definitions(vhost, serde_json::from_str(&text)?)?;
    equal("type of the queue that is back", api.get_queue_info(vhost, "defined")?.queue_type, "quorum")?;
    equal("its bindings", api.list_queue_bindings(vhost, "defined")?.len(), 2)
}
