//! What stands in a definitions file, with RabbitMQ's defaults for what is left out. Keys that are not known are passed over.

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::auth::{HashingAlgorithm, PasswordHash, User, UserLimits, tags};
use crate::broker::administration::AdministrationError;
use crate::broker::definitions::VhostDefinition;
use crate::broker::queue::arguments::{QueueKind, known};
use crate::broker::vhost::{ExchangeDeclare, QueueDeclare};
use crate::table::{Table, from_json};

/// A virtual host. What is not said of one that is there stays as it is. What counts is said where RabbitMQ 4.3 looks for it.
#[derive(Debug, Deserialize)]
pub(super) struct VhostEntry {
    pub(super) name: String,
    description: Option<String>,
    #[serde(default, deserialize_with = "some_tags")]
    tags: Option<Vec<String>>,
    tracing: Option<bool>,
    /// It says more than what stands beside it.
    #[serde(default, deserialize_with = "metadata")]
    metadata: VhostMetadata,
    /// What is said beside the metadata, and does not count there.
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
struct VhostMetadata {
    description: Option<String>,
    #[serde(default, deserialize_with = "some_tags")]
    tags: Option<Vec<String>>,
    #[serde(default, deserialize_with = "queue_kind")]
    default_queue_type: Option<QueueKind>,
    protected_from_deletion: Option<bool>,
}

/// Keys that count in the metadata alone.
const OF_METADATA: [&str; 2] = ["default_queue_type", "protected_from_deletion"];

impl VhostEntry {
    pub(super) const fn default_queue_kind(&self) -> Option<QueueKind> {
        self.metadata.default_queue_type
    }

    pub(super) fn apply_to(&self, definition: &mut VhostDefinition) {
        let VhostMetadata { description, tags, default_queue_type, protected_from_deletion } = &self.metadata;
        if let Some(description) = description.as_ref().or(self.description.as_ref()) {
            definition.description.clone_from(description);
        }
        if let Some(tags) = tags.as_ref().or(self.tags.as_ref()) {
            definition.tags.clone_from(tags);
        }
        definition.default_queue_kind = default_queue_type.unwrap_or(definition.default_queue_kind);
        definition.tracing = self.tracing.unwrap_or(definition.tracing);
        let protected = *protected_from_deletion;
        definition.protected_from_deletion = protected.unwrap_or(definition.protected_from_deletion);
    }

    /// Limits that do not count: those that do are parameters. RabbitMQ writes them in both places.
    pub(super) fn limits(&self) -> Option<&Map<String, Value>> {
        self.others.get("limits").and_then(Value::as_object).filter(|limits| !limits.is_empty())
    }

    /// Keys that count in the metadata alone, and do not stand there.
    pub(super) fn misplaced(&self) -> impl Iterator<Item = &'static str> {
        let VhostMetadata { default_queue_type, protected_from_deletion, .. } = &self.metadata;
        let stands_there = [default_queue_type.is_some(), protected_from_deletion.is_some()];
        let says = |key: &str| self.others.get(key).is_some_and(|value| !is_unsaid(value));
        OF_METADATA.into_iter().zip(stands_there).filter(move |(key, there)| !there && says(key)).map(|(key, _)| key)
    }
}

/// Nothing, or what RabbitMQ 3 writes for it.
fn is_unsaid(value: &Value) -> bool {
    matches!(value.as_str(), Some("" | "undefined")) || *value == Value::Bool(false)
}

/// A user, with a hash or a password in clear, or neither: then it cannot log in with one.
#[derive(Deserialize)]
pub(super) struct UserEntry {
    pub(super) name: String,
    password_hash: Option<String>,
    hashing_algorithm: Option<String>,
    password: Option<String>,
    #[serde(default, deserialize_with = "tags")]
    tags: Vec<String>,
    #[serde(default, deserialize_with = "user_limits")]
    pub(super) limits: Option<UserLimits>,
}

/// Without its password.
impl fmt::Debug for UserEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

impl UserEntry {
    /// # Errors
    /// When its hash is none.
    pub(super) fn check(&self) -> Result<(), String> {
        self.given_hash(HashingAlgorithm::default()).map(drop)
    }

    /// The hash that the file says, if it says one.
    fn given_hash(&self, usual: HashingAlgorithm) -> Result<Option<PasswordHash>, String> {
        let Some(hash) = &self.password_hash else { return Ok(None) };
        // As over HTTP: an unknown name is taken as the usual one.
        let algorithm = self.hashing_algorithm.as_deref().and_then(HashingAlgorithm::from_name).unwrap_or(usual);
        PasswordHash::from_base64(hash, algorithm).map(Some).ok_or_else(|| "its password_hash is not base64".to_owned())
    }

    /// The user, without its limits. A password in clear is hashed in the usual way, whatever algorithm stands beside it, as in RabbitMQ.
    ///
    /// # Errors
    /// When its hash is none, or its password cannot be hashed.
    pub(super) fn user(&self, usual: HashingAlgorithm) -> Result<User, AdministrationError> {
        let password = match (self.given_hash(usual).map_err(AdministrationError::Invalid)?, self.password.as_deref()) {
            (Some(hash), _) => hash,
            (None, Some(password)) if !password.is_empty() => usual.hash(password.as_bytes())?,
            (None, _) => usual.no_password(),
        };
        Ok(User::new(&self.name, password, self.tags.clone()))
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct QueueEntry {
    pub(super) vhost: String,
    pub(super) name: String,
    #[serde(default = "yes")]
    durable: bool,
    #[serde(default)]
    auto_delete: bool,
    #[serde(default, deserialize_with = "arguments")]
    arguments: Table,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// RabbitMQ passes these over, too: the default exchange is always there, and `amq.` is reserved.
fn is_reserved(name: &str) -> bool {
    name.is_empty() || name.starts_with("amq.")
}

impl QueueEntry {
    pub(super) fn is_imported(&self) -> bool {
        !is_reserved(&self.name)
    }

    /// The key `type` counts where the arguments do not say one, so that a queue keeps its type in a virtual host with another default.
    pub(super) fn declare(&self, default: Option<QueueKind>) -> QueueDeclare {
        let mut arguments = self.arguments.clone();
        let default = default.filter(|_| self.durable && !self.auto_delete).map(QueueKind::name);
        if let (None, Some(kind)) = (arguments.get(known::TYPE), self.kind.as_deref().or(default)) {
            arguments.insert(known::TYPE, kind);
        }
        QueueDeclare {
            queue: self.name.clone(),
            durable: self.durable,
            exclusive: false,
            auto_delete: self.auto_delete,
            arguments,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ExchangeEntry {
    pub(super) vhost: String,
    pub(super) name: String,
    #[serde(rename = "type", default = "direct")]
    kind: String,
    #[serde(default = "yes")]
    durable: bool,
    #[serde(default)]
    auto_delete: bool,
    #[serde(default)]
    internal: bool,
    #[serde(default, deserialize_with = "arguments")]
    arguments: Table,
}

impl ExchangeEntry {
    pub(super) fn is_imported(&self) -> bool {
        !is_reserved(&self.name)
    }

    pub(super) fn declare(&self) -> ExchangeDeclare {
        ExchangeDeclare {
            exchange: self.name.clone(),
            kind: self.kind.clone(),
            durable: self.durable,
            auto_delete: self.auto_delete,
            internal: self.internal,
            arguments: self.arguments.clone(),
        }
    }
}

/// What a binding leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    #[default]
    Queue,
    Exchange,
}

#[derive(Debug, Deserialize)]
pub(super) struct BindingEntry {
    pub(super) vhost: String,
    pub(super) source: String,
    pub(super) destination: String,
    #[serde(default)]
    pub(super) destination_type: End,
    #[serde(default)]
    pub(super) routing_key: String,
    #[serde(default, deserialize_with = "arguments")]
    pub(super) arguments: Table,
}

impl BindingEntry {
    /// The default exchange has no bindings of its own. A binding to a queue that was passed over is passed over as well.
    pub(super) fn is_imported(&self) -> bool {
        let is_to_reserved_queue = self.destination_type == End::Queue && is_reserved(&self.destination);
        !self.source.is_empty() && !is_to_reserved_queue
    }
}

const fn yes() -> bool {
    true
}

fn direct() -> String {
    "direct".to_owned()
}

fn some_tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    tags(deserializer).map(Some)
}

/// An empty list means none.
fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VhostMetadata, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if is_empty_list(&value) {
        return Ok(VhostMetadata::default());
    }
    VhostMetadata::deserialize(value).map_err(serde::de::Error::custom)
}

/// Nothing, and what RabbitMQ 3 writes for it, is no type.
fn queue_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<QueueKind>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    match name.as_deref() {
        None | Some("" | "undefined") => Ok(None),
        Some(name) => QueueKind::from_name(name)
            .map(Some)
            .ok_or_else(|| serde::de::Error::custom(format!("{name} is not a valid queue type"))),
    }
}

/// RabbitMQ 3 writes an empty list for no limits.
fn user_limits<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UserLimits>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if is_empty_list(&value) {
        return Ok(Some(UserLimits::default()));
    }
    UserLimits::deserialize(value).map(Some).map_err(serde::de::Error::custom)
}

/// An empty list means none.
fn arguments<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match value.as_object() {
        Some(fields) => from_json(fields).map_err(serde::de::Error::custom),
        None if is_empty_list(&value) => Ok(Table::new()),
        None => Err(serde::de::Error::custom("its arguments are no object")),
    }
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}
