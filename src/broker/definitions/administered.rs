//! What administrators define: everything durable but exchanges, queues and bindings. In the log each change is JSON, with RabbitMQ's
//! own names where its definitions files have the same.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::auth::User;
use crate::broker::ids::QueueId;
use crate::broker::queue::arguments::QueueKind;

/// A virtual host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VhostDefinition {
    /// Clients name it when they connect; it never changes.
    pub name: String,
    /// The type of queues that do not name one.
    #[serde(rename = "default_queue_type", with = "kind")]
    pub(crate) default_queue_kind: QueueKind,
    /// What its delayed messages are known by.
    #[serde(with = "queue_id")]
    pub(crate) delayed: QueueId,
    /// What it is for, as an administrator wrote it.
    #[serde(default)]
    pub(crate) description: String,
    /// Words of an administrator, which mean nothing to the broker.
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    /// Its messages are to be traced.
    #[serde(default)]
    pub(crate) tracing: bool,
    /// It cannot be deleted.
    #[serde(default)]
    pub(crate) protected_from_deletion: bool,
    /// What may be in it at a time.
    #[serde(default)]
    pub(crate) limits: VhostLimits,
}

impl VhostDefinition {
    /// One of which nothing else was said.
    pub fn new(name: &str, default_queue_kind: QueueKind, delayed: QueueId) -> Self {
        Self {
            name: name.to_owned(),
            default_queue_kind,
            delayed,
            description: String::new(),
            tags: Vec::new(),
            tracing: false,
            protected_from_deletion: false,
            limits: VhostLimits::default(),
        }
    }
}

/// What may be in a virtual host at a time. A negative number is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct VhostLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_connections: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_queues: Option<i64>,
}

/// What a user may do in a virtual host: three regular expressions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are RabbitMQ's")]
pub struct PermissionDefinition {
    pub user: String,
    pub vhost: String,
    pub configure: String,
    pub write: String,
    pub read: String,
}

/// Which routing keys a user may use with a topic exchange: two regular expressions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are RabbitMQ's")]
pub struct TopicPermissionDefinition {
    pub user: String,
    pub vhost: String,
    pub exchange: String,
    pub write: String,
    pub read: String,
}

/// Which things a policy is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are RabbitMQ's")]
pub enum ApplyTo {
    #[default]
    All,
    Queues,
    ClassicQueues,
    QuorumQueues,
    Streams,
    Exchanges,
}

/// A policy, or an operator policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyDefinition {
    /// It holds for queues and exchanges of this virtual host.
    pub vhost: String,
    /// What it is called in its virtual host; an operator policy may have the name of a policy.
    pub name: String,
    /// A regular expression on the names of queues and exchanges.
    pub pattern: String,
    /// What it is for.
    #[serde(rename = "apply-to", default)]
    pub apply_to: ApplyTo,
    /// What it sets.
    pub definition: serde_json::Map<String, Value>,
    /// Of several that match, the highest one counts.
    #[serde(default)]
    pub priority: i64,
    /// It is an operator's, which a user cannot undo.
    #[serde(default)]
    pub is_operator: bool,
}

/// A parameter of a component, in a virtual host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are RabbitMQ's")]
pub struct ParameterDefinition {
    pub vhost: String,
    pub component: String,
    pub name: String,
    pub value: Value,
}

/// A parameter of the whole broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are RabbitMQ's")]
pub struct GlobalParameterDefinition {
    pub name: String,
    pub value: Value,
}

/// One change of what administrators define. What belongs to a virtual host or a user goes with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "what was put is described above; what was deleted is named")]
pub enum Administered {
    /// What a new broker has was made once, and what was deleted of it since stays deleted.
    Begun,
    Vhost(VhostDefinition),
    VhostDeleted {
        name: String,
    },
    User(User),
    UserDeleted {
        name: String,
    },
    Permission(PermissionDefinition),
    PermissionDeleted {
        user: String,
        vhost: String,
    },
    TopicPermission(TopicPermissionDefinition),
    TopicPermissionDeleted {
        user: String,
        vhost: String,
        exchange: String,
    },
    Policy(PolicyDefinition),
    PolicyDeleted {
        vhost: String,
        name: String,
        is_operator: bool,
    },
    Parameter(ParameterDefinition),
    ParameterDeleted {
        vhost: String,
        component: String,
        name: String,
    },
    GlobalParameter(GlobalParameterDefinition),
    GlobalParameterDeleted {
        name: String,
    },
}

/// Values that are nested deeper could be written, and not read again.
const JSON_DEPTH_MAX: usize = 64;

/// Whether a value can be read back by whoever finds it in the log.
pub(crate) fn is_shallow(value: &Value) -> bool {
    let mut level: Vec<&Value> = vec![value];
    // Level by level, without recursion: the value is a client's.
    for _ in 0..JSON_DEPTH_MAX {
        level = level
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(values) => values.iter().collect::<Vec<_>>(),
                Value::Object(fields) => fields.values().collect(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
            })
            .collect();
        if level.is_empty() {
            return true;
        }
    }
    false
}

mod kind {
    use super::{Deserialize, Deserializer, QueueKind, Serializer};
    use serde::de::Error;

    pub(super) fn serialize<S: Serializer>(kind: &QueueKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QueueKind, D::Error> {
        let name = String::deserialize(deserializer)?;
        QueueKind::from_name(&name).ok_or_else(|| D::Error::custom("no such queue type"))
    }
}

mod queue_id {
    use super::{Deserialize, Deserializer, QueueId, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &QueueId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(id.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<QueueId, D::Error> {
        u64::deserialize(deserializer).map(QueueId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_again_is_too_deep() {
        let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(is_shallow(&nested(JSON_DEPTH_MAX - 1)) && !is_shallow(&nested(JSON_DEPTH_MAX)));
        let name = || "n".to_owned();
        let value = nested(JSON_DEPTH_MAX - 1);
        let change =
            Administered::Parameter(ParameterDefinition { vhost: name(), component: name(), name: name(), value });
        let json = serde_json::to_vec(&change).unwrap();
        assert_eq!(serde_json::from_slice::<Administered>(&json).unwrap(), change);
    }
}
