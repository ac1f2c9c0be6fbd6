//! Random policies, compared with a list that is searched anew for each question.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::broker::definitions::{ApplyTo, PolicyDefinition};
use crate::broker::node::NodeSettings;
use crate::broker::queue::arguments::{Overflow, QueueArguments, QueueKind};
use crate::table::{Table, Value as Argument};

const SUBJECTS: [Subject; 3] =
    [Subject::Queue(QueueKind::Classic), Subject::Queue(QueueKind::Quorum), Subject::Exchange];

/// A pattern, and what it means.
type Meaning = (&'static str, fn(&str) -> bool);

const PATTERNS: [Meaning; 5] = [
    (".*", |_| true),
    ("^a", |name| name.starts_with('a')),
    ("b$", |name| name.ends_with('b')),
    ("^(?!a)", |name| !name.starts_with('a')),
    ("(", |_| false),
];

/// What each `apply-to` is for: classic queues, quorum queues, exchanges.
const TARGETS: [(ApplyTo, [bool; 3]); 6] = [
    (ApplyTo::All, [true, true, true]),
    (ApplyTo::Queues, [true, true, false]),
    (ApplyTo::ClassicQueues, [true, false, false]),
    (ApplyTo::QuorumQueues, [false, true, false]),
    (ApplyTo::Streams, [false, false, false]),
    (ApplyTo::Exchanges, [false, false, true]),
];

/// A key, and how a value of the user and one of the operator merge.
type Merging = (&'static str, fn(i64, i64) -> i64);

const KEYS: [Merging; 5] = [
    ("max-length", i64::min),
    ("target-group-size", i64::max),
    ("delayed-retry-min", i64::max),
    ("queue-version", |_, operators| operators),
    (
        "delivery-limit",
        |users, operators| if users.min(operators) < 0 { users.max(operators) } else { users.min(operators) },
    ),
];

fn a_policy() -> impl Strategy<Value = PolicyDefinition> {
    let definition = btree_map(0..KEYS.len(), -2..5_i64, 1..4);
    let places = (0..PATTERNS.len(), 0..TARGETS.len());
    ("[p-s]", places, definition, -1..3_i64, any::<bool>()).prop_map(
        |(name, (pattern, target), definition, priority, is_operator)| PolicyDefinition {
            vhost: "/".to_owned(),
            name,
            pattern: PATTERNS[pattern].0.to_owned(),
            apply_to: TARGETS[target].0,
            definition: definition.into_iter().map(|(key, value)| (KEYS[key].0.to_owned(), json!(value))).collect(),
            priority,
            is_operator,
        },
    )
}

/// Whether a policy is one for this, looked up in the tables above.
fn matches(policy: &PolicyDefinition, name: &str, place: usize) -> bool {
    let (_, meaning) = PATTERNS.iter().find(|(text, _)| *text == policy.pattern).unwrap();
    let (_, targets) = TARGETS.iter().find(|(target, _)| *target == policy.apply_to).unwrap();
    let of_quorum = ["target-group-size", "delivery-limit"];
    let is_for_type = place != 0 || !of_quorum.iter().any(|key| policy.definition.contains_key(*key));
    meaning(name) && targets[place] && is_for_type
}

/// What a list says: of those that match, sorted, the first one.
fn winner<'a>(
    all: &'a [PolicyDefinition],
    is_operator: bool,
    name: &str,
    place: usize,
) -> Option<&'a PolicyDefinition> {
    let mut matching: Vec<_> = all.iter().filter(|policy| policy.is_operator == is_operator).collect();
    matching.retain(|policy| matches(policy, name, place));
    matching.sort_by_key(|policy| (-policy.priority, policy.name.clone()));
    matching.first().copied()
}

fn merged(user: Option<&PolicyDefinition>, operator: Option<&PolicyDefinition>) -> Map<String, Value> {
    let value = |policy: Option<&PolicyDefinition>, key: &str| policy?.definition.get(key)?.as_i64();
    let both = |(key, merge): &Merging| {
        let value = match (value(user, key), value(operator, key)) {
            (Some(users), Some(operators)) => merge(users, operators),
            (users, operators) => users.or(operators)?,
        };
        Some(((*key).to_owned(), json!(value)))
    };
    KEYS.iter().filter_map(both).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_set_finds_what_a_list_would(mut policies in vec(a_policy(), 0..8), names in vec("[ab]{0,3}", 1..6)) {
        // Of one name there is one, as in the metadata.
        policies.sort_by(|one, other| (one.is_operator, &one.name).cmp(&(other.is_operator, &other.name)));
        policies.dedup_by(|one, other| (one.is_operator, &one.name) == (other.is_operator, &other.name));
        let set = PolicySet::new(policies.clone(), 7);
        prop_assert_eq!(set.revision(), 7);
        for name in &names {
            for (place, subject) in SUBJECTS.into_iter().enumerate() {
                let [user, operator] = [false, true].map(|is_operator| winner(&policies, is_operator, name, place));
                let applied = set.applied(name, subject);
                prop_assert_eq!(applied.is_some(), user.is_some() || operator.is_some());
                let Some(applied) = applied else { continue };
                prop_assert_eq!(applied.policy.as_deref(), user.map(|policy| policy.name.as_str()));
                prop_assert_eq!(applied.operator_policy.as_deref(), operator.map(|policy| policy.name.as_str()));
                prop_assert_eq!(&applied.definition, &merged(user, operator));
                let again = set.applied(name, subject);
                prop_assert!(again.is_some_and(|again| std::sync::Arc::ptr_eq(&again, &applied)), "it is made once");
            }
        }
    }

    /// The smaller number counts, wherever it is from; what only one says holds.
    #[test]
    fn limits_of_a_queue_merge_with_those_of_its_policy(
        own in proptest::option::of(0..100_i64),
        policys in proptest::option::of(0..100_i64),
        is_quorum: bool,
    ) {
        let kind = if is_quorum { "quorum" } else { "classic" };
        let names = ["message-ttl", "expires", "max-length", "max-length-bytes"];
        let mut raw: Table = [("x-queue-type", kind)].into_iter().collect();
        own.into_iter().for_each(|own| names.iter().for_each(|name| drop(raw.insert(format!("x-{name}"), Argument::I64(own)))));
        let definition = names.iter().filter_map(|name| Some(((*name).to_owned(), json!(policys?)))).collect();
        let found = under(&raw, definition);
        let expected = own.into_iter().chain(policys).min().map(|limit| u64::try_from(limit).unwrap());
        let limits = [found.message_ttl_ms, found.expires_ms, found.max_length, found.max_length_bytes];
        prop_assert_eq!(limits, [expected; 4]);
    }
}

/// What a queue obeys that was declared with `raw`, under a policy.
fn under(raw: &Table, definition: Map<String, Value>) -> QueueArguments {
    let policy = PolicyDefinition {
        vhost: "/".to_owned(),
        name: "p".to_owned(),
        pattern: String::new(),
        apply_to: ApplyTo::All,
        definition,
        priority: 0,
        is_operator: false,
    };
    let (settings, declared) = (NodeSettings::default(), QueueArguments::restored(raw, &NodeSettings::default()));
    match PolicySet::new(vec![policy], 1).applied("q", Subject::Queue(declared.kind)) {
        Some(applied) => declared.under(raw, &applied, &settings),
        None => declared,
    }
}

/// As RabbitMQ 4.3.6 merges, one row a rule.
#[test]
fn arguments_that_are_no_limits_merge_by_their_own_rules() {
    let declared = |kind: &str, arguments: &[(&str, &str)]| -> Table {
        [("x-queue-type", kind)].into_iter().chain(arguments.iter().copied()).collect()
    };
    let obeyed = |raw: &Table, definition: Value| under(raw, definition.as_object().unwrap().clone());
    for (kind, own, policys, expected) in [
        ("classic", "drop-head", "reject-publish", Overflow::DropHead),
        ("classic", "reject-publish", "drop-head", Overflow::RejectPublish),
        ("quorum", "drop-head", "reject-publish", Overflow::RejectPublish),
        ("quorum", "reject-publish", "drop-head", Overflow::DropHead),
    ] {
        let found = obeyed(&declared(kind, &[("x-overflow", own)]), json!({ "overflow": policys }));
        assert_eq!(found.overflow, expected, "{kind} {own} {policys}");
    }
    for (own, policys, expected) in
        [(3, 5, Some(3)), (5, 3, Some(3)), (-1, 5, Some(5)), (5, -1, Some(5)), (-1, -1, None)]
    {
        let mut raw = declared("quorum", &[]);
        raw.insert("x-delivery-limit", Argument::I32(own));
        assert_eq!(obeyed(&raw, json!({ "delivery-limit": policys })).delivery_limit, expected, "{own} {policys}");
    }
    let own = declared("classic", &[("x-dead-letter-exchange", "own")]);
    let found =
        obeyed(&own, json!({ "dead-letter-exchange": "x", "dead-letter-routing-key": "k" })).dead_letters.unwrap();
    assert_eq!((&*found.exchange, found.routing_key.as_deref()), ("own", Some(b"k".as_slice())));
    let retry = json!({ "delayed-retry-type": "failed", "delayed-retry-min": 5, "delayed-retry-max": 9, "consumer-timeout": 7 });
    let found = obeyed(&declared("quorum", &[]), retry);
    let delays = found.delayed_retry.map(|retry| (retry.failed, retry.returned, retry.min_ms, retry.max_ms));
    assert_eq!((delays, found.consumer_timeout_ms), (Some((true, false, 5, 9)), Some(7)));
    // Nothing that only other types know, and nothing for which there is no key.
    let found = obeyed(&declared("classic", &[]), json!({ "delayed-retry-min": 7, "max-priority": 3 }));
    assert_eq!(found, QueueArguments::restored(&declared("classic", &[]), &NodeSettings::default()));
}
