//! What is told of what administrators put and delete: RabbitMQ's events and headers.

use serde_json::{Map, Value as Json};

use super::Event;
use crate::auth::User;
use crate::broker::definitions::{Administered, PolicyDefinition, VhostDefinition};
use crate::broker::metadata::State;
use crate::table::{Value, from_json};

impl Event {
    /// What changes are told as, that are about to be made to what there is.
    pub(in crate::broker) fn administered(before: &State, changes: &[Administered]) -> Vec<Self> {
        changes.iter().flat_map(|change| told(before, change)).collect()
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

fn told(before: &State, change: &Administered) -> Vec<Event> {
    match change {
        Administered::Begun => Vec::new(),
        Administered::Vhost(definition) => vhost(before.vhosts.get(&definition.name), definition),
        Administered::VhostDeleted { name } => vec![Event::of("vhost.deleted", name)],
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
        let is_any = all.iter().any(|(_, limit)| limit.is_some());
        let event = Event::of(&limits("vhost", is_any), "limits").text("vhost", &now.name);
        return vec![with_limits(event, &all)];
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
    vec![Event::of("user.password.changed", name), tags()]
}

fn policy(new: &PolicyDefinition) -> Vec<Event> {
    let apply_to = serde_json::to_value(new.apply_to).unwrap_or_default();
    let definition = Json::Object(new.definition.clone());
    let set = Event::of("policy.set", &new.name)
        .text("vhost", &new.vhost)
        .text("pattern", &new.pattern)
        .json("apply-to", &apply_to)
        .json("definition", &definition)
        .with("priority", Value::I64(new.priority));
    if !new.is_operator {
        return vec![set];
    }
    let value = serde_json::json!({
        "pattern": new.pattern, "apply-to": apply_to, "definition": definition, "priority": new.priority,
    });
    vec![parameter("parameter.set", "operator_policy", &new.name).text("vhost", &new.vhost).json("value", &value), set]
}
