//! `/policies` and `/operator-policies`.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::body;
use super::listing::{self, Listed};
use super::refusal::Refusal;
use super::request::Request;
use crate::broker::administration::{Put, read_policy};
use crate::broker::definitions::{ApplyTo, PolicyDefinition};
use crate::broker::policies::Applied;

/// A policy as the API shows it.
#[derive(Debug, Serialize)]
struct PolicyObject {
    vhost: String,
    name: String,
    pattern: String,
    #[serde(rename = "apply-to")]
    apply_to: ApplyTo,
    definition: Map<String, Value>,
    priority: i64,
}

impl From<PolicyDefinition> for PolicyObject {
    fn from(policy: PolicyDefinition) -> Self {
        let PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, .. } = policy;
        Self { vhost, name, pattern, apply_to, definition, priority }
    }
}

impl Listed for PolicyObject {
    fn name(&self) -> &str {
        &self.name
    }

    fn vhost(&self) -> &str {
        &self.vhost
    }
}

/// The policies that hold for a queue, as its object shows them.
#[derive(Debug, Serialize)]
pub(super) struct AppliedObject {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Option<Arc<str>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator_policy: Option<Option<Arc<str>>>,
    effective_policy_definition: Definition,
}

/// What policies come to: nothing where there are none.
#[derive(Debug)]
struct Definition(Option<Arc<Applied>>);

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(applied) => applied.definition.serialize(serializer),
            None => Map::new().serialize(serializer),
        }
    }
}

impl AppliedObject {
    /// As it is in lists: a name that is not there has no key.
    pub(super) fn in_list(applied: Option<Arc<Applied>>) -> Self {
        let name = |name: &Option<Arc<str>>| name.clone().map(Some);
        Self {
            policy: applied.as_ref().and_then(|applied| name(&applied.policy)),
            operator_policy: applied.as_ref().and_then(|applied| name(&applied.operator_policy)),
            effective_policy_definition: Definition(applied),
        }
    }

    /// As it is where there are no statistics, or of one queue: a name that is not there is null.
    pub(super) fn with_nulls(self) -> Self {
        let named = |name: Option<Option<Arc<str>>>| Some(name.flatten());
        Self { policy: named(self.policy), operator_policy: named(self.operator_policy), ..self }
    }
}

fn list_of(request: &Request<'_>, is_operator: bool) -> Result<Answer, Refusal> {
    if request.has_part("vhost") {
        request.vhost()?;
    }
    let caller = request.caller()?;
    let is_asked = |vhost: &str| !request.has_part("vhost") || request.part("vhost") == vhost;
    let mut policies = request.api.broker.policies(is_operator);
    policies.retain(|policy| is_asked(&policy.vhost) && caller.enters(&policy.vhost));
    let objects: Vec<PolicyObject> = policies.into_iter().map(PolicyObject::from).collect();
    Ok(listing::array(request, objects))
}

fn get_one(request: &Request<'_>, is_operator: bool) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let found = request.api.broker.policy(&vhost.name, request.part("name"), is_operator);
    Ok(listing::one(request, &PolicyObject::from(found.ok_or_else(Refusal::absent)?)))
}

fn put_one(request: &Request<'_>, is_operator: bool) -> Result<Answer, Refusal> {
    let vhost = request.vhost_to_change()?;
    let object = request.object()?;
    body::require(&object, &["pattern", "definition"])?;
    let policy = read_policy((&vhost.name, request.part("name"), is_operator), &object)?;
    let put = request.api.broker.put_policy(policy, request.api.clock.now_ms())?;
    Ok(Answer::put(put == Put::Created).once_durable(request.api.broker.administered_at()))
}

fn delete_one(request: &Request<'_>, is_operator: bool) -> Result<Answer, Refusal> {
    let vhost = request.vhost()?;
    let (name, now_ms) = (request.part("name"), request.api.clock.now_ms());
    request.api.broker.delete_policy(&vhost.name, name, is_operator, now_ms)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}

/// `GET /policies`, `/policies/{vhost}`.
pub(super) fn list(request: &Request<'_>) -> Result<Answer, Refusal> {
    list_of(request, false)
}

/// `GET /policies/{vhost}/{name}`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    get_one(request, false)
}

/// `PUT /policies/{vhost}/{name}`.
pub(super) fn put(request: &Request<'_>) -> Result<Answer, Refusal> {
    put_one(request, false)
}

/// `DELETE /policies/{vhost}/{name}`.
pub(super) fn delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    delete_one(request, false)
}

/// `GET /operator-policies`, `/operator-policies/{vhost}`.
pub(super) fn operator_list(request: &Request<'_>) -> Result<Answer, Refusal> {
    list_of(request, true)
}

/// `GET /operator-policies/{vhost}/{name}`.
pub(super) fn operator_get(request: &Request<'_>) -> Result<Answer, Refusal> {
    get_one(request, true)
}

/// `PUT /operator-policies/{vhost}/{name}`.
pub(super) fn operator_put(request: &Request<'_>) -> Result<Answer, Refusal> {
    put_one(request, true)
}

/// `DELETE /operator-policies/{vhost}/{name}`.
pub(super) fn operator_delete(request: &Request<'_>) -> Result<Answer, Refusal> {
    delete_one(request, true)
}
