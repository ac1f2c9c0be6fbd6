//! What holds for a queue or an exchange: a policy, an operator policy, or both.

use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};

use super::keys;
use crate::broker::definitions::PolicyDefinition;
use crate::table::{Table, Value, from_json};

/// The policy and the operator policy that hold for something, and what they come to. Whatever they hold for shares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The name of the policy.
    pub(crate) policy: Option<Arc<str>>,
    /// The name of the operator policy.
    pub(crate) operator_policy: Option<Arc<str>>,
    /// Both merged: `effective_policy_definition` of the management API.
    pub(crate) definition: Map<String, Json>,
    /// The same with the types that queue arguments have.
    values: Table,
}

impl Applied {
    /// What a policy and an operator policy come to; `None` when there is neither.
    pub(super) fn new(user: Option<&PolicyDefinition>, operator: Option<&PolicyDefinition>) -> Option<Self> {
        if user.is_none() && operator.is_none() {
            return None;
        }
        let name = |policy: &PolicyDefinition| policy.name.as_str().into();
        let mut definition = user.map(|policy| policy.definition.clone()).unwrap_or_default();
        for (key, value) in operator.iter().flat_map(|policy| &policy.definition) {
            let is_kept = definition.get(key).is_some_and(|own| !prefers_operator(key, value, own));
            if !is_kept {
                definition.insert(key.clone(), value.clone());
            }
        }
        let (policy, operator_policy) = (user.map(name), operator.map(name));
        let values = values(&definition);
        Some(Self { policy, operator_policy, definition, values })
    }

    /// What it sets a key to.
    pub(crate) fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }
}

fn prefers_operator(key: &str, operators: &Json, users: &Json) -> bool {
    let number = |value: &Json| value.as_number().and_then(Number::as_i128);
    keys::find(key, true).is_none_or(|key| key.merge.prefers_first(number(operators), number(users)))
}

/// The keys that mean something; a file of RabbitMQ 3 may bring others.
fn values(definition: &Map<String, Json>) -> Table {
    let is_known = |(key, value): &(&String, &Json)| keys::find(key, false).is_some() && !value.is_null();
    let known = definition.iter().filter(is_known).map(|(key, value)| (key.clone(), value.clone())).collect();
    from_json(&known).unwrap_or_default()
}
