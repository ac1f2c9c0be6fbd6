//! What a policy would change, before it is put: the policies as they are beside the policies as they would be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::{Applied, Candidate, PolicySet, Subject};
use crate::broker::definitions::PolicyDefinition;
use crate::broker::queue::arguments::known::policy_values;
use crate::table::{EncodedTable, Table, Value, to_json};

const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// The policies of a virtual host, and what they would be with one more, or with one of them replaced.
#[derive(Debug)]
pub(crate) struct Preview {
    candidate: Candidate,
    now: PolicySet,
    then: PolicySet,
}

/// What a policy would do to one queue or exchange.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Previewed {
    /// The policy is one for it. If not, the one that it would replace holds for it now.
    pub(crate) matches: bool,
    /// The policy would hold for it: no other one that matches has a higher priority.
    pub(crate) wins: bool,
    /// The policy that holds for it now, or the operator policy where that is what would be put.
    pub(crate) now_policy: Option<String>,
    /// The settings whose value would be another one: the values before and after, null for none.
    pub(crate) changes: BTreeMap<String, (Json, Json)>,
}

impl Preview {
    /// Of `policy`, beside all policies and operator policies of its virtual host.
    pub(crate) fn new(policy: PolicyDefinition, known: Vec<PolicyDefinition>) -> Self {
        let is_other = |known: &&PolicyDefinition| known.name != policy.name || known.is_operator != policy.is_operator;
        let mut with = known.iter().filter(is_other).cloned().collect::<Vec<_>>();
        with.push(policy.clone());
        Self { candidate: Candidate::new(policy), now: PolicySet::new(known, 0), then: PolicySet::new(with, 0) }
    }

    /// What becomes of a queue or an exchange with this name and these arguments; `None` if the policy has nothing to do with it.
    pub(crate) fn of(&self, name: &str, subject: Subject, arguments: &Table) -> Option<Previewed> {
        let policy = self.candidate.definition();
        let winner = |set: &PolicySet| {
            set.winner(name, subject, policy.is_operator).map(|winner| winner.definition().name.clone())
        };
        let (matches, now_policy) = (self.candidate.matches(name, subject), winner(&self.now));
        if !matches && now_policy.as_ref() != Some(&policy.name) {
            return None;
        }
        let wins = winner(&self.then).as_ref() == Some(&policy.name);
        let changes = self.changes(name, subject, arguments);
        Some(Previewed { matches, wins, now_policy, changes })
    }

    fn changes(&self, name: &str, subject: Subject, arguments: &Table) -> BTreeMap<String, (Json, Json)> {
        let values = |set: &PolicySet| effective(subject, arguments, set.applied(name, subject).as_deref());
        let (mut before, mut after) = (values(&self.now), values(&self.then));
        let keys: BTreeSet<_> = before.keys().chain(after.keys()).cloned().collect();
        let both = keys.into_iter().map(|key| {
            let (before, after) = (before.remove(&key).unwrap_or_default(), after.remove(&key).unwrap_or_default());
            (key, (before, after))
        });
        both.filter(|(_, (before, after))| before != after).collect()
    }
}

/// What holds for it, by the names that policies give it: settings of policies, merged with the arguments that say the same.
fn effective(subject: Subject, arguments: &Table, applied: Option<&Applied>) -> BTreeMap<String, Json> {
    let mut definition = applied.map(|applied| applied.definition.clone()).unwrap_or_default();
    match subject {
        Subject::Queue(kind) => {
            let merged = policy_values(kind, arguments, applied);
            definition.extend(to_json(EncodedTable::from(&merged).fields()));
            definition.into_iter().collect()
        }
        Subject::Exchange => {
            // The only key that means something to it, and its argument counts more than a policy (`topology/policies`).
            let of_policy = definition.remove(ALTERNATE_EXCHANGE);
            let own = arguments.get(ALTERNATE_EXCHANGE).and_then(Value::as_str).map(Json::from);
            own.or(of_policy).map(|value| (ALTERNATE_EXCHANGE.to_owned(), value)).into_iter().collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::broker::definitions::ApplyTo;
    use crate::broker::queue::arguments::QueueKind;

    const CLASSIC: Subject = Subject::Queue(QueueKind::Classic);

    fn policy(name: &str, pattern: &str, priority: i64, definition: Json) -> PolicyDefinition {
        let Json::Object(definition) = definition else { panic!("{definition}") };
        let (vhost, name, pattern, apply_to) = ("/".to_owned(), name.to_owned(), pattern.to_owned(), ApplyTo::All);
        PolicyDefinition { vhost, name, pattern, apply_to, definition, priority, is_operator: false }
    }

    #[test]
    fn the_values_before_and_after_are_those_that_are_obeyed() {
        let known = vec![policy("old", "^a", 1, json!({"max-length": 7, "expires": 5}))];
        let preview =
            Preview::new(policy("new", ".*", 2, json!({"max-length": 9, "overflow": "reject-publish"})), known);
        let found = preview.of("a", CLASSIC, &Table::new()).unwrap();
        let changes = json!({"expires": [5, null], "max-length": [7, 9], "overflow": [null, "reject-publish"]});
        assert_eq!((found.matches, found.wins, found.now_policy.as_deref()), (true, true, Some("old")));
        assert_eq!(json!(found.changes), changes);
        // The argument is smaller than both, so nothing changes of the length.
        let declared: Table = [("x-max-length", Value::I32(3))].into_iter().collect();
        let changes = json!({"expires": [5, null], "overflow": [null, "reject-publish"]});
        assert_eq!(json!(preview.of("a", CLASSIC, &declared).unwrap().changes), changes);
    }

    #[test]
    fn one_that_loses_changes_nothing() {
        let known = vec![policy("old", "^a", 1, json!({"max-length": 7}))];
        let preview = Preview::new(policy("new", "^a", 0, json!({"max-length": 9})), known);
        let found = preview.of("a", CLASSIC, &Table::new()).unwrap();
        assert_eq!((found.matches, found.wins, found.changes.len()), (true, false, 0));
        assert_eq!(preview.of("b", CLASSIC, &Table::new()), None);
    }

    #[test]
    fn what_the_replaced_policy_held_for_is_told_as_well() {
        let known = vec![policy("p", "^a", 0, json!({"max-length": 7}))];
        let preview = Preview::new(policy("p", "^b", 0, json!({"max-length": 9})), known);
        let found = preview.of("a", CLASSIC, &Table::new()).unwrap();
        assert_eq!((found.matches, found.wins, json!(found.changes)), (false, false, json!({"max-length": [7, null]})));
        let found = preview.of("b", CLASSIC, &Table::new()).unwrap();
        assert_eq!((found.matches, found.wins, json!(found.changes)), (true, true, json!({"max-length": [null, 9]})));
    }

    #[test]
    fn an_argument_of_an_exchange_counts_more_than_a_policy() {
        let preview = Preview::new(policy("p", ".*", 0, json!({"alternate-exchange": "other"})), Vec::new());
        let found = preview.of("x", Subject::Exchange, &Table::new()).unwrap();
        assert_eq!(json!(found.changes), json!({"alternate-exchange": [null, "other"]}));
        let declared: Table = [("alternate-exchange", Value::LongString(b"own".to_vec()))].into_iter().collect();
        assert!(preview.of("x", Subject::Exchange, &declared).unwrap().changes.is_empty());
    }
}
