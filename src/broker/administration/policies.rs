//! Policies and operator policies: checked, kept and listed.

use serde_json::{Map, Value};

use super::erlang::Erlang;
use super::{AdministrationError, Put, policy_keys};
use crate::auth::Pattern;
use crate::broker::Broker;
use crate::broker::definitions::{Administered, PolicyDefinition};

impl Broker {
    /// All policies, or all operator policies, by virtual host and name.
    pub fn policies(&self, is_operator: bool) -> Vec<PolicyDefinition> {
        let of_kind = |policy: &&PolicyDefinition| policy.is_operator == is_operator;
        self.node().metadata.read(|state| state.policies().filter(of_kind).cloned().collect())
    }

    /// A policy.
    pub fn policy(&self, vhost: &str, name: &str, is_operator: bool) -> Option<PolicyDefinition> {
        self.node().metadata.read(|state| state.policy(vhost, name, is_operator).cloned())
    }

    /// Puts a policy or an operator policy.
    ///
    /// # Errors
    /// When its virtual host is missing, or it makes no sense.
    pub fn put_policy(&self, policy: PolicyDefinition) -> Result<Put, AdministrationError> {
        check(&policy)?;
        self.administer(|state| {
            state.vhosts.get(&policy.vhost).ok_or(AdministrationError::NoSuchVhost)?;
            let put = Put::over(state.policy(&policy.vhost, &policy.name, policy.is_operator));
            Ok((put, vec![Administered::Policy(policy)]))
        })
    }

    /// Deletes a policy or an operator policy.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_policy(&self, vhost: &str, name: &str, is_operator: bool) -> Result<(), AdministrationError> {
        self.administer(|state| {
            state.policy(vhost, name, is_operator).ok_or(AdministrationError::NotFound)?;
            let (vhost, name) = (vhost.to_owned(), name.to_owned());
            Ok(((), vec![Administered::PolicyDeleted { vhost, name, is_operator }]))
        })
    }
}

/// # Errors
/// Everything that is wrong with it, a line each.
pub(in crate::broker) fn check(policy: &PolicyDefinition) -> Result<(), AdministrationError> {
    let mut wrong = wrong_settings(&policy.definition, policy.is_operator);
    if let Err(invalid) = Pattern::new(&policy.pattern) {
        wrong.push(format!("pattern should be regular expression but is invalid: {}", invalid.reason));
    }
    if wrong.is_empty() { Ok(()) } else { Err(AdministrationError::Invalid(wrong.join("\n"))) }
}

fn wrong_settings(definition: &Map<String, Value>, is_operator: bool) -> Vec<String> {
    if definition.is_empty() {
        return vec!["no policy provided".to_owned()];
    }
    let unknown: Vec<_> = definition
        .iter()
        .filter(|(name, _)| policy_keys::find(name, is_operator).is_none())
        .map(|(name, value)| format!("{{<<\"{name}\">>,{}}}", Erlang(value)))
        .collect();
    if !unknown.is_empty() {
        return vec![format!("[{}] are not recognised policy settings", unknown.join(","))];
    }
    let refusal = |(name, value): (&String, &Value)| policy_keys::find(name, is_operator)?.refusal(value);
    definition.iter().filter_map(refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::administration::tests::begun;
    use crate::broker::definitions::ApplyTo;
    use serde_json::json;

    fn policy(definition: Value) -> PolicyDefinition {
        let Value::Object(definition) = definition else { panic!("{definition}") };
        let (vhost, name, pattern) = ("/".to_owned(), "p".to_owned(), "^a".to_owned());
        PolicyDefinition { vhost, name, pattern, apply_to: ApplyTo::All, definition, priority: 0, is_operator: false }
    }

    #[test]
    fn policies_and_operator_policies_of_one_name_are_two() {
        let broker = begun();
        let (user, operator) = (policy(json!({"max-length": 1})), policy(json!({"max-length": 2})));
        let operator = PolicyDefinition { is_operator: true, ..operator };
        assert_eq!(broker.put_policy(user.clone()), Ok(Put::Created));
        assert_eq!(broker.put_policy(operator.clone()), Ok(Put::Created));
        assert_eq!(broker.put_policy(user.clone()), Ok(Put::Replaced));
        assert_eq!((broker.policies(false), broker.policies(true)), (vec![user], vec![operator.clone()]));
        assert_eq!(broker.delete_policy("/", "p", false), Ok(()));
        assert_eq!(broker.delete_policy("/", "p", false), Err(AdministrationError::NotFound));
        assert_eq!(broker.policy("/", "p", true), Some(operator));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_rabbitmqs_words() {
        let broker = begun();
        let refusal = |policy| match broker.put_policy(policy) {
            Err(AdministrationError::Invalid(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal(policy(json!({}))), "no policy provided");
        assert_eq!(
            refusal(policy(json!({"max-length": 1, "bogus": 2, "zzz": "a"}))),
            "[{<<\"bogus\">>,2},{<<\"zzz\">>,<<\"a\">>}] are not recognised policy settings"
        );
        let bad = PolicyDefinition { pattern: "(".to_owned(), ..policy(json!({"max-length": -1})) };
        let text = refusal(bad);
        let start = "-1 is not a valid maximum length\npattern should be regular expression but is invalid: ";
        assert!(text.starts_with(start), "{text}");
        let operator = PolicyDefinition { is_operator: true, ..policy(json!({"dead-letter-exchange": "x"})) };
        assert!(refusal(operator).ends_with("are not recognised policy settings"));
        let elsewhere = PolicyDefinition { vhost: "no".to_owned(), ..policy(json!({"max-length": 1})) };
        assert_eq!(broker.put_policy(elsewhere), Err(AdministrationError::NoSuchVhost));
        assert!(broker.policies(false).is_empty());
    }
}
