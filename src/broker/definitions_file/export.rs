//! What is defined, as RabbitMQ writes it: of the whole broker, or of one virtual host.
//!
//! What belongs to one connection is left out, and what every virtual host has. Other than in RabbitMQ's files, internal exchanges are
//! there: without them, bindings would lead nowhere, and the file could not be imported.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::broker::Broker;
use crate::broker::administration::INTERNAL_CLUSTER_ID;
use crate::broker::definitions::{GlobalParameterDefinition, ParameterDefinition, PolicyDefinition, VhostDefinition};
use crate::broker::queue::{Exclusivity, QueueHandle};
use crate::broker::topology::{BindingSnapshot, DestinationType, ExchangeSnapshot, ExchangeSpec};
use crate::broker::vhost::Vhost;
use crate::table::to_json;

/// Who writes a file.
#[derive(Clone, Copy, Debug)]
pub struct ExportOrigin<'a> {
    /// The version of RabbitMQ that the broker stands for.
    pub version: &'a str,
    /// What it calls itself.
    pub product: &'a str,
    /// The name of the cluster.
    pub cluster_name: &'a str,
}

impl ExportOrigin<'_> {
    fn head(&self, format: &str) -> Map<String, Value> {
        let head = json!({
            "rabbit_version": self.version, "rabbitmq_version": self.version,
            "product_name": self.product, "product_version": self.version, "rabbitmq_definition_format": format,
        });
        fields(head)
    }
}

impl Broker {
    /// Without what belongs to this cluster alone, as RabbitMQ writes them.
    fn exported_global_parameters(&self) -> Vec<GlobalParameterDefinition> {
        let mut parameters = self.global_parameters();
        parameters.retain(|parameter| parameter.name != INTERNAL_CLUSTER_ID);
        parameters
    }

    /// Everything that is defined.
    pub fn export(&self, origin: &ExportOrigin<'_>) -> Value {
        let mut file = origin.head("cluster");
        file.extend(fields(json!({
            "original_cluster_name": origin.cluster_name,
            "explanation": format!("Definitions of cluster '{}'", origin.cluster_name),
            "users": self.users(),
            "vhosts": self.vhost_definitions().iter().map(vhost).collect::<Vec<_>>(),
            "permissions": self.permissions(),
            "topic_permissions": self.topic_permissions(),
            "parameters": self.parameters(),
            "global_parameters": self.exported_global_parameters(),
            "policies": self.policies(false).iter().map(policy).collect::<Vec<_>>(),
        })));
        for key in ["queues", "exchanges", "bindings"] {
            file.insert(key.to_owned(), json!([]));
        }
        for vhost in self.vhosts() {
            for (key, mut things) in topology(&vhost) {
                for thing in &mut things {
                    thing.insert("vhost".to_owned(), json!(vhost.name));
                }
                let things = things.into_iter().map(Value::Object);
                if let Some(Value::Array(all)) = file.get_mut(key) {
                    all.extend(things);
                }
            }
        }
        Value::Object(file)
    }

    /// What is defined in one virtual host; `None` when there is none of this name.
    pub fn export_vhost(&self, name: &str, origin: &ExportOrigin<'_>) -> Option<Value> {
        let (there, definition) = (self.vhost(name)?, self.vhost_definition(name)?);
        let mut file = origin.head("single_virtual_host");
        let mut policies = self.policies(false);
        policies.retain(|policy| policy.vhost == name);
        let mut parameters = self.parameters();
        parameters.retain(|parameter| parameter.vhost == name);
        file.extend(fields(json!({
            "original_vhost_name": name,
            "explanation": format!("Definitions of virtual host '{name}'"),
            "metadata": metadata(&definition),
            "description": definition.description,
            "limits": definition.limits,
            "policies": policies.iter().map(policy).map(without_vhost).collect::<Vec<_>>(),
            "parameters": parameters.iter().map(parameter).map(without_vhost).collect::<Vec<_>>(),
        })));
        for (key, things) in topology(&there) {
            file.insert(key.to_owned(), json!(things));
        }
        Some(Value::Object(file))
    }
}

fn fields(object: Value) -> Map<String, Value> {
    if let Value::Object(fields) = object { fields } else { Map::new() }
}

fn without_vhost(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.remove("vhost");
    }
    object
}

fn vhost(definition: &VhostDefinition) -> Map<String, Value> {
    let VhostDefinition { name, limits, .. } = definition;
    let mut object = fields(json!({ "name": name, "metadata": metadata(definition), "limits": limits }));
    if definition.tracing {
        object.insert("tracing".to_owned(), json!(true));
    }
    object
}

fn metadata(definition: &VhostDefinition) -> Map<String, Value> {
    let VhostDefinition { description, tags, default_queue_kind, protected_from_deletion, .. } = definition;
    let kind = default_queue_kind.name();
    let mut metadata = fields(json!({ "description": description, "tags": tags, "default_queue_type": kind }));
    if *protected_from_deletion {
        metadata.insert("protected_from_deletion".to_owned(), json!(true));
    }
    metadata
}

fn policy(policy: &PolicyDefinition) -> Value {
    let PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, .. } = policy;
    json!({
        "vhost": vhost, "name": name, "pattern": pattern, "apply-to": apply_to, "definition": definition,
        "priority": priority,
    })
}

fn parameter(parameter: &ParameterDefinition) -> Value {
    json!(parameter)
}

/// Things of a virtual host under the key that they have in a file.
type Things = (&'static str, Vec<Map<String, Value>>);

/// Queues and exchanges by name, and bindings as they were made, in which order hash exchanges number their buckets.
fn topology(vhost: &Vhost) -> [Things; 3] {
    let mut queues = vhost.queues();
    queues.retain(|queue| queue.spec.exclusivity == Exclusivity::Shared && !queue.is_deleted());
    queues.sort_unstable_by(|one, other| one.spec.name.cmp(&other.spec.name));
    let (mut exchanges, mut bindings) = (vhost.exchanges(), vhost.bindings_as_made());
    exchanges.retain(|exchange| !exchange.spec.name.is_empty() && !exchange.spec.name.starts_with("amq."));
    exchanges.sort_unstable_by(|one, other| one.spec.name.cmp(&other.spec.name));
    keep_whole(&mut bindings, &queues, &exchanges);
    let queues = queues.iter().map(|queue| {
        let spec = &queue.spec;
        fields(json!({
            "name": spec.name, "type": spec.arguments.kind.name(), "durable": spec.durable,
            "auto_delete": spec.auto_delete, "arguments": to_json(spec.raw_arguments.fields()),
        }))
    });
    let exchanges = exchanges.iter().map(|snapshot| exchange(&snapshot.spec));
    [
        ("queues", queues.collect()),
        ("exchanges", exchanges.collect()),
        ("bindings", bindings.iter().map(binding).collect()),
    ]
}

/// Leaves out bindings of what came or went while the lists were made: a file is not to name what it does not have.
fn keep_whole(bindings: &mut Vec<BindingSnapshot>, queues: &[Arc<QueueHandle>], exchanges: &[ExchangeSnapshot]) {
    let queues: HashSet<_> = queues.iter().map(|queue| &*queue.spec.name).collect();
    let exchanges: HashSet<_> = exchanges.iter().map(|exchange| &*exchange.spec.name).collect();
    let is_exchange = |name: &str| exchanges.contains(name) || name.starts_with("amq.") || name.is_empty();
    bindings.retain(|binding| {
        let leads_somewhere = match binding.destination_type {
            DestinationType::Queue => queues.contains(&*binding.destination),
            DestinationType::Exchange => is_exchange(&binding.destination),
        };
        leads_somewhere && is_exchange(&binding.source)
    });
}

fn exchange(spec: &ExchangeSpec) -> Map<String, Value> {
    let mut object = fields(json!({
        "name": spec.name, "type": spec.kind.name, "durable": spec.durable, "auto_delete": spec.auto_delete,
        "arguments": to_json(spec.arguments.fields()),
    }));
    if spec.internal {
        object.insert("internal".to_owned(), json!(true));
    }
    object
}

fn binding(snapshot: &BindingSnapshot) -> Map<String, Value> {
    let destination_type = match snapshot.destination_type {
        DestinationType::Queue => "queue",
        DestinationType::Exchange => "exchange",
    };
    let arguments = snapshot.binding.as_ref().map(|binding| to_json(binding.arguments())).unwrap_or_default();
    fields(json!({
        "source": snapshot.source, "destination": snapshot.destination, "destination_type": destination_type,
        "routing_key": String::from_utf8_lossy(snapshot.routing_key()), "arguments": arguments,
    }))
}
