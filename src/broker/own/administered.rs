//! What is told of what administrators put and delete: RabbitMQ's events and headers.

use serde_json::{Map, Value as Json};

use super::Event;
use super::told::queue_type;
use crate::auth::User;
use crate::broker::actor::NOBODY;
use crate::broker::administration::{LIMITS, VHOST_LIMITS};
use crate::broker::definitions::{Administered, PolicyDefinition, VhostDefinition, VhostLimits};
use crate::broker::metadata::MetadataState;
use crate::broker::queue::QueueSpec;
use crate::table::{Value, from_json};

impl Event {
    /// What changes are told as, that are about to be made to what there is.
    pub(in crate::broker) fn administered(
        before: &MetadataState,
        changes: &[Administered],
        node_name: &str,
    ) -> Vec<Self> {
        changes.iter().flat_map(|change| events_of(before, change, node_name)).collect()
    }

    /// Other policies hold for a queue than before. RabbitMQ names the one that was put, not all that hold.
    pub(in crate::broker) fn queue_policy(vhost: &str, spec: &QueueSpec, put: Option<&PolicyDefinition>) -> Self {
        let key = if put.is_some() { "queue.policy.updated" } else { "queue.policy.cleared" };
        let event = Self::of(key, &spec.name).text("vhost", vhost).text("type", queue_type(spec.arguments.kind));
        put.into_iter().fold(event, Self::defined_by)
    }

    fn defined_by(self, policy: &PolicyDefinition) -> Self {
        self.text("pattern", &policy.pattern)
            .json("apply-to", &apply_to(policy))
            .json("definition", &Json::Object(policy.definition.clone()))
            .with("priority", Value::I64(policy.priority))
    }

    fn json(self, name: &str, value: &Json) -> Self {
        let object: Map<_, _> = [("value".to_owned(), value.clone())].into_iter().collect();
        match from_json(&object).ok().and_then(|table| table.get("value").cloned()) {
            Some(value) => self.with(name, value),
            // There is no null among AMQP's values.
            None => self.with(name, Value::Void),
        }
    }

    fn of(key: &str, name: &str) -> Self {
        Self::by_actor(key).text("name", name)
    }
}

fn apply_to(policy: &PolicyDefinition) -> Json {
    serde_json::to_value(policy.apply_to).unwrap_or_default()
}

fn events_of(before: &MetadataState, change: &Administered, node_name: &str) -> Vec<Event> {
    match change {
        Administered::Begun => Vec::new(),
        Administered::Vhost(definition) => vhost(before.vhosts.get(&definition.name), definition),
        Administered::VhostDeleted { name } => vhost_deleted(before, name, node_name),
        Administered::User(new) => user(before.users.get(&*new.name).map(|known| &**known), new),
        Administered::UserDeleted { name } => vec![Event::of("user.deleted", name)],
        Administered::Permission(permission) => {
            let event = of_user("permission.created", &permission.user, &permission.vhost);
            let event = event.text("configure", &permission.configure);
            vec![event.text("write", &permission.write).text("read", &permission.read)]
        }
        Administered::PermissionDeleted { user, vhost } => vec![of_user("permission.deleted", user, vhost)],
        Administered::TopicPermission(permission) => {
            let event = of_user("topic.permission.created", &permission.user, &permission.vhost);
            let event = event.text("exchange", &permission.exchange);
            vec![event.text("write", &permission.write).text("read", &permission.read)]
        }
        Administered::TopicPermissionDeleted { user, vhost, .. } => {
            vec![of_user("topic.permission.deleted", user, vhost)]
        }
        Administered::Policy(definition) => policy(definition),
        Administered::PolicyDeleted { vhost, name, is_operator: false } => {
            vec![Event::of("policy.cleared", name).text("vhost", vhost)]
        }
        Administered::PolicyDeleted { vhost, name, is_operator: true } => vec![
            parameter("parameter.cleared", "operator_policy", name).text("vhost", vhost),
            Event::of("operator.policy.cleared", name).text("vhost", vhost),
        ],
        Administered::Parameter(new) => {
            vec![
                parameter("parameter.set", &new.component, &new.name)
                    .text("vhost", &new.vhost)
                    .json("value", &new.value),
            ]
        }
        Administered::ParameterDeleted { vhost, component, name } => {
            vec![parameter("parameter.cleared", component, name).text("vhost", vhost)]
        }
        Administered::GlobalParameter(new) => {
            vec![parameter("parameter.set", "global", &new.name).json("value", &new.value)]
        }
        Administered::GlobalParameterDeleted { name } => vec![parameter("parameter.cleared", "global", name)],
    }
}

fn of_user(key: &str, user: &str, vhost: &str) -> Event {
    Event::by_actor(key).text("user", user).text("vhost", vhost)
}

fn parameter(key: &str, component: &str, name: &str) -> Event {
    Event::of(key, name).text("component", component)
}

/// Limits are a part of what is put as a whole here, and something of their own in RabbitMQ.
fn limits(key: &str, is_any: bool) -> String {
    format!("{key}.limits.{}", if is_any { "set" } else { "cleared" })
}

fn vhost(before: Option<&VhostDefinition>, now: &VhostDefinition) -> Vec<Event> {
    if before.is_some_and(|before| before.limits != now.limits) {
        let all = [("max-connections", now.limits.max_connections), ("max-queues", now.limits.max_queues)];
        return limits_of_vhost(&now.name, &all);
    }
    let key = if before.is_some() { "vhost.updated" } else { "vhost.created" };
    vec![
        Event::of(key, &now.name)
            .text("description", &now.description)
            .texts("tags", now.tags.iter().cloned())
            .text("default_queue_type", now.default_queue_kind.name())
            .flag("tracing", now.tracing)
            .flag("protected_from_deletion", now.protected_from_deletion),
    ]
}

/// They are parameters, too.
fn limits_of_vhost(vhost: &str, all: &[(&str, Option<i64>)]) -> Vec<Event> {
    let is_any = all.iter().any(|(_, limit)| limit.is_some());
    let value: Map<_, _> =
        all.iter().filter_map(|(name, limit)| limit.map(|limit| ((*name).to_owned(), limit.into()))).collect();
    let parameter = |key| parameter(key, VHOST_LIMITS, LIMITS).text("vhost", vhost);
    let of_parameter = if is_any {
        parameter("parameter.set").json("value", &Json::Object(value))
    } else {
        parameter("parameter.cleared")
    };
    let event = Event::of(&limits("vhost", is_any), LIMITS).text("vhost", vhost);
    vec![of_parameter, with_limits(event, all)]
}

fn vhost_deleted(before: &MetadataState, name: &str, node_name: &str) -> Vec<Event> {
    let permissions = before.permissions().filter(|permission| permission.vhost == name);
    let mut events: Vec<_> = permissions.map(|it| of_user("permission.deleted", &it.user, name)).collect();
    if before.vhosts.get(name).is_some_and(|vhost| vhost.limits != VhostLimits::default()) {
        events.extend(limits_of_vhost(name, &[]));
    }
    events.push(Event::of("vhost.deleted", name));
    let down = Event::new("vhost.down").text("user_who_performed_action", NOBODY);
    events.push(down.text("name", name).text("node", node_name));
    events
}

fn with_limits(event: Event, all: &[(&str, Option<i64>)]) -> Event {
    let set = all.iter().filter_map(|(name, limit)| limit.map(|limit| (*name, limit)));
    set.fold(event, |event, (name, limit)| event.with(name, Value::I64(limit)))
}

fn user(before: Option<&User>, now: &User) -> Vec<Event> {
    let name = &*now.name;
    let tags = || Event::of("user.tags.set", name).texts("tags", now.tags.iter().map(ToString::to_string));
    let Some(before) = before else { return vec![Event::of("user.created", name), tags()] };
    if before.limits != now.limits {
        let all = [("max-connections", now.limits.max_connections), ("max-channels", now.limits.max_channels)];
        let is_any = all.iter().any(|(_, limit)| limit.is_some());
        let event = Event::of(&limits("user", is_any), "limits").text("username", name);
        return vec![with_limits(event, &all)];
    }
    if now.password.is_none() {
        return vec![tags(), Event::of("user.password.cleared", name)];
    }
    vec![Event::of("user.password.changed", name), tags()]
}

fn policy(new: &PolicyDefinition) -> Vec<Event> {
    let set = Event::of("policy.set", &new.name).text("vhost", &new.vhost).defined_by(new);
    if !new.is_operator {
        return vec![set];
    }
    let value = serde_json::json!({
        "pattern": new.pattern, "apply-to": apply_to(new), "definition": new.definition, "priority": new.priority,
    });
    vec![parameter("parameter.set", "operator_policy", &new.name).text("vhost", &new.vhost).json("value", &value), set]
}
