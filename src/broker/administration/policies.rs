//! Policies and operator policies: checked, kept and listed.

use serde_json::{Map, Number, Value};

use super::{AdministrationError, Put};
use crate::auth::{InvalidPattern, Pattern};
use crate::broker::Broker;
use crate::broker::definitions::{Administered, ApplyTo, PolicyDefinition};
use crate::broker::metadata::MetadataState;
use crate::broker::policies::{Erlang, find_key};

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
    pub fn put_policy(&self, policy: PolicyDefinition, now_ms: u64) -> Result<Put, AdministrationError> {
        check(&policy)?;
        let vhost = policy.vhost.clone();
        self.change_policies(&vhost, now_ms, |state| {
            state.vhosts.get(&policy.vhost).ok_or(AdministrationError::NoSuchVhost)?;
            let put = Put::over(state.policy(&policy.vhost, &policy.name, policy.is_operator));
            Ok((put, vec![Administered::Policy(policy)]))
        })
    }

    /// Deletes a policy or an operator policy.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_policy(
        &self,
        vhost: &str,
        name: &str,
        is_operator: bool,
        now_ms: u64,
    ) -> Result<(), AdministrationError> {
        self.change_policies(vhost, now_ms, |state| {
            state.policy(vhost, name, is_operator).ok_or(AdministrationError::NotFound)?;
            let (vhost, name) = (vhost.to_owned(), name.to_owned());
            Ok(((), vec![Administered::PolicyDeleted { vhost, name, is_operator }]))
        })
    }

    /// Changes policies of one virtual host, and has them obeyed there.
    pub(super) fn change_policies<R>(
        &self,
        vhost: &str,
        now_ms: u64,
        decide: impl FnOnce(&MetadataState) -> Result<(R, Vec<Administered>), AdministrationError>,
    ) -> Result<R, AdministrationError> {
        let (result, vhost) = {
            // A virtual host that is being made is there as a whole, or not at all.
            let _changing = self.vhost_changes.lock();
            (self.administer(decide)?, self.vhost(vhost))
        };
        if let Some(vhost) = vhost {
            vhost.load_policies();
            vhost.apply_policies(now_ms);
        }
        Ok(result)
    }
}

/// A policy as a request describes it: `pattern` and `definition`, and if it says so `apply-to` and `priority`.
///
/// # Errors
/// Everything that is wrong with it, a line each.
pub(crate) fn read(
    (vhost, name, is_operator): (&str, &str, bool),
    fields: &Map<String, Value>,
) -> Result<PolicyDefinition, AdministrationError> {
    let (definition, wrong_definition) = match fields.get("definition") {
        Some(Value::Object(definition)) => (definition.clone(), wrong_setting(definition, is_operator)),
        other => (Map::new(), Some(format!("definition should be an object, actually was {}", printed(other)))),
    };
    let (apply_to, wrong_apply_to) = value_or_fault(fields.get("apply-to").map_or(Ok(ApplyTo::All), apply_to));
    let (pattern, wrong_pattern) = value_or_fault(match fields.get("pattern") {
        Some(Value::String(pattern)) => checked_pattern(pattern).map(str::to_owned),
        other => Err(format!("pattern should be a binary but was {}", printed(other))),
    });
    let (priority, wrong_priority) = value_or_fault(fields.get("priority").map_or(Ok(0), priority));
    all_right([wrong_definition, wrong_apply_to, wrong_pattern, wrong_priority])?;
    let (vhost, name) = (vhost.to_owned(), name.to_owned());
    Ok(PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, is_operator })
}

/// # Errors
/// Everything that is wrong with it, a line each.
pub(in crate::broker) fn check(policy: &PolicyDefinition) -> Result<(), AdministrationError> {
    let wrong_pattern = checked_pattern(&policy.pattern).err();
    all_right([wrong_setting(&policy.definition, policy.is_operator), wrong_pattern])
}

fn all_right<const N: usize>(wrong: [Option<String>; N]) -> Result<(), AdministrationError> {
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() { Ok(()) } else { Err(AdministrationError::Invalid(wrong.join("\n"))) }
}

fn value_or_fault<T: Default>(read: Result<T, String>) -> (T, Option<String>) {
    match read {
        Ok(value) => (value, None),
        Err(text) => (T::default(), Some(text)),
    }
}

fn printed(value: Option<&Value>) -> String {
    Erlang(value.unwrap_or(&Value::Null)).to_string()
}

fn checked_pattern(pattern: &str) -> Result<&str, String> {
    let refusal =
        |invalid: InvalidPattern| format!("pattern should be regular expression but is invalid: {}", invalid.reason);
    Pattern::new(pattern).map_err(refusal).map(|_| pattern)
}

/// What `apply-to` says.
///
/// # Errors
/// RabbitMQ's text when there is nothing of this name.
pub(crate) fn apply_to(value: &Value) -> Result<ApplyTo, String> {
    serde_json::from_value(value.clone()).map_err(|_unknown| {
        let name = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!(
            "apply-to '{name}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', \
             'exchanges', or 'all'"
        )
    })
}

/// A number with a fraction is cut off.
fn priority(value: &Value) -> Result<i64, String> {
    #[expect(clippy::cast_possible_truncation, reason = "a number with a fraction is cut off")]
    let cut_off = |number: &Number| number.as_i64().or_else(|| number.as_f64().map(|number| number as i64));
    let number = value.as_number().and_then(cut_off);
    number.ok_or_else(|| format!("priority should be a number, actually was {}", Erlang(value)))
}

/// As in RabbitMQ, of several settings that make no sense the first one is named.
fn wrong_setting(definition: &Map<String, Value>, is_operator: bool) -> Option<String> {
    if definition.is_empty() {
        return Some("no policy provided".to_owned());
    }
    let unknown: Vec<_> = definition
        .iter()
        .filter(|(name, _)| find_key(name, is_operator).is_none())
        .map(|(name, value)| format!("{{<<\"{name}\">>,{}}}", Erlang(value)))
        .collect();
    if !unknown.is_empty() {
        return Some(format!("[{}] are not recognised policy settings", unknown.join(",")));
    }
    let refusal = |(name, value): (&String, &Value)| find_key(name, is_operator)?.refusal(value);
    definition.iter().find_map(refusal).or_else(|| missing_retry_delay(definition))
}

/// A retry that is delayed needs a delay.
fn missing_retry_delay(definition: &Map<String, Value>) -> Option<String> {
    let retried = definition.get("delayed-retry-type")?.as_str().filter(|retried| *retried != "disabled")?;
    let is_missing = !definition.contains_key("delayed-retry-min");
    is_missing.then(|| format!("delayed-retry-min is required when delayed-retry-type is {retried}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::administration::tests::begun;
    use serde_json::json;

    fn policy(definition: Value) -> PolicyDefinition {
        let Value::Object(definition) = definition else { panic!("{definition}") };
        let (vhost, name, pattern) = ("/".to_owned(), "p".to_owned(), "^a".to_owned());
        PolicyDefinition { vhost, name, pattern, apply_to: ApplyTo::All, definition, priority: 0, is_operator: false }
    }

    #[test]
    fn everything_that_is_wrong_with_a_request_is_named() {
        let fields = json!({"pattern": "(", "definition": {"bogus": 1}, "apply-to": "zz", "priority": "y"});
        let Err(AdministrationError::Invalid(text)) = read(("/", "p", false), fields.as_object().unwrap()) else {
            panic!("it is wrong");
        };
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "[{<<\"bogus\">>,1}] are not recognised policy settings");
        assert!(lines[1].starts_with("apply-to 'zz' unrecognised; should be one of: 'queues', 'classic_queues',  'qu"));
        assert!(lines[2].starts_with("pattern should be regular expression but is invalid: "));
        assert_eq!(lines[3], "priority should be a number, actually was <<\"y\">>");
        let fields = json!({"pattern": "", "definition": {"max-length": 1}, "priority": 1.5});
        let read = read(("v", "n", true), fields.as_object().unwrap()).unwrap();
        assert_eq!((read.priority, read.apply_to, &*read.vhost, &*read.name), (1, ApplyTo::All, "v", "n"));
    }

    #[test]
    fn policies_and_operator_policies_of_one_name_are_two() {
        let broker = begun();
        let (user, operator) = (policy(json!({"max-length": 1})), policy(json!({"max-length": 2})));
        let operator = PolicyDefinition { is_operator: true, ..operator };
        assert_eq!(broker.put_policy(user.clone(), 0), Ok(Put::Created));
        assert_eq!(broker.put_policy(operator.clone(), 0), Ok(Put::Created));
        assert_eq!(broker.put_policy(user.clone(), 0), Ok(Put::Replaced));
        assert_eq!((broker.policies(false), broker.policies(true)), (vec![user], vec![operator.clone()]));
        assert_eq!(broker.delete_policy("/", "p", false, 0), Ok(()));
        assert_eq!(broker.delete_policy("/", "p", false, 0), Err(AdministrationError::NotFound));
        assert_eq!(broker.policy("/", "p", true), Some(operator));
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_rabbitmqs_words() {
        let broker = begun();
        let refusal = |policy| match broker.put_policy(policy, 0) {
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
        let two = policy(json!({"max-length": -1, "expires": 0, "overflow": "x"}));
        assert_eq!(refusal(two), "0 is not a valid queue expiry");
        let retry = policy(json!({"delayed-retry-type": "all"}));
        assert_eq!(refusal(retry), "delayed-retry-min is required when delayed-retry-type is all");
        let elsewhere = PolicyDefinition { vhost: "no".to_owned(), ..policy(json!({"max-length": 1})) };
        assert_eq!(broker.put_policy(elsewhere, 0), Err(AdministrationError::NoSuchVhost));
        assert!(broker.policies(false).is_empty());
    }
}
