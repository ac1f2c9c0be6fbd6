//! What a policy can set: one row a key, as RabbitMQ 4.3 knows and checks them (behaviour reference 9).

use serde_json::Value;

use super::{Erlang, Merge, Subject};
use crate::broker::queue::arguments::QueueKind;

/// A key that the definition of a policy may have.
#[derive(Debug)]
pub(in crate::broker) struct PolicyKey {
    pub(super) name: &'static str,
    /// Operators may set it, too.
    of_operators: bool,
    check: Check,
    /// How RabbitMQ calls a value of it.
    noun: &'static str,
    /// Which value counts where an operator sets it as well.
    pub(super) merge: Merge,
    queues: Queues,
}

/// Which types of queues a policy with this key may hold for.
#[derive(Clone, Copy, Debug)]
enum Queues {
    All,
    Classic,
    Quorum,
    /// For streams alone, which are not there yet.
    Neither,
}

/// Which values are valid.
#[derive(Clone, Copy, Debug)]
enum Check {
    Text,
    OneOf(&'static [&'static str]),
    AtLeast(i64),
    Within(i64, i64),
    Number,
    Age,
}

/// A key of users.
const fn key(name: &'static str, check: Check, noun: &'static str) -> PolicyKey {
    PolicyKey { name, of_operators: false, check, noun, merge: Merge::First, queues: Queues::All }
}

impl PolicyKey {
    const fn of_operators(self, merge: Merge) -> Self {
        Self { of_operators: true, merge, ..self }
    }

    const fn only_for(self, queues: Queues) -> Self {
        Self { queues, ..self }
    }
}

const RETRY_TYPES: &[&str] = &["all", "failed", "returned", "disabled"];
const OVERFLOWS: &[&str] = &["drop-head", "reject-publish", "reject-publish-dlx"];
const SEGMENT_BYTES_MAX: i64 = 3_000_000_000;

const ALERT: &str = "alert threshold";

const POLICY_KEYS: &[PolicyKey] = &[
    key("alternate-exchange", Check::Text, "alternate exchange name"),
    key("consumer-disconnected-timeout", Check::AtLeast(0), "consumer disconnected timeout"),
    key("consumer-timeout", Check::AtLeast(0), "consumer timeout"),
    key("dead-letter-exchange", Check::Text, "dead letter exchange name"),
    key("dead-letter-routing-key", Check::Text, "dead letter routing key"),
    key("dead-letter-strategy", Check::OneOf(&["at-most-once", "at-least-once"]), "dead letter strategy")
        .only_for(Queues::Quorum),
    key("delayed-retry-max", Check::AtLeast(1), "delayed retry maximum delay. Must be a positive integer")
        .of_operators(Merge::Smaller),
    key("delayed-retry-min", Check::AtLeast(1), "delayed retry minimum delay. Must be a positive integer")
        .of_operators(Merge::Larger),
    key(
        "delayed-retry-type",
        Check::OneOf(RETRY_TYPES),
        "delayed retry type. Must be one of: all, failed, returned, disabled",
    )
    .of_operators(Merge::First),
    key("delivery-limit", Check::Number, "delivery limit").of_operators(Merge::SmallerLimit).only_for(Queues::Quorum),
    key("expires", Check::AtLeast(1), "queue expiry").of_operators(Merge::Smaller),
    key("initial-cluster-size", Check::AtLeast(0), "cluster size").only_for(Queues::Neither),
    // Leveret's own: the thresholds of alerts (docs/leveret-api.md).
    key("leveret-alert-dead-letter-queue", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-dead-letters", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-depth", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-growth", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-no-consumers", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-ready-age", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-redelivery-loop", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("leveret-alert-unacked-age", Check::AtLeast(0), ALERT).of_operators(Merge::Smaller),
    key("max-age", Check::Age, "max age").only_for(Queues::Neither),
    key("max-in-memory-bytes", Check::AtLeast(0), "maximum memory in bytes")
        .of_operators(Merge::Smaller)
        .only_for(Queues::Quorum),
    key("max-in-memory-length", Check::AtLeast(0), "maximum memory in bytes")
        .of_operators(Merge::Smaller)
        .only_for(Queues::Quorum),
    key("max-length", Check::AtLeast(0), "maximum length").of_operators(Merge::Smaller),
    key("max-length-bytes", Check::AtLeast(0), "maximum length in bytes").of_operators(Merge::Smaller),
    key("message-ttl", Check::AtLeast(0), "message TTL").of_operators(Merge::Smaller),
    key("overflow", Check::OneOf(OVERFLOWS), "overflow value").of_operators(Merge::First),
    key("queue-leader-locator", Check::OneOf(&["client-local", "balanced"]), "queue leader locator value"),
    key("queue-mode", Check::OneOf(&["default", "lazy"]), "queue-mode value").only_for(Queues::Classic),
    key("queue-version", Check::Within(1, 2), "queue-version value").of_operators(Merge::First),
    key("stream-filter-size-bytes", Check::Within(16, 255), "filter size. Valid range is 16-255"),
    key("stream-max-segment-size-bytes", Check::Within(0, SEGMENT_BYTES_MAX), "segment size").only_for(Queues::Neither),
    key("target-group-size", Check::AtLeast(1), "qq target count value")
        .of_operators(Merge::Larger)
        .only_for(Queues::Quorum),
];

/// Whether a policy that sets this key may hold for such things. One that is not known sets nothing.
pub(super) fn is_for(name: &str, subject: Subject) -> bool {
    let Some(key) = find(name, false) else { return true };
    match (key.queues, subject) {
        (Queues::All, _)
        | (_, Subject::Exchange)
        | (Queues::Classic, Subject::Queue(QueueKind::Classic))
        | (Queues::Quorum, Subject::Queue(QueueKind::Quorum)) => true,
        (
            Queues::Classic | Queues::Quorum | Queues::Neither,
            Subject::Queue(QueueKind::Classic | QueueKind::Quorum),
        ) => false,
    }
}

/// The key of this name.
pub(in crate::broker) fn find(name: &str, is_operator: bool) -> Option<&'static PolicyKey> {
    POLICY_KEYS.iter().find(|key| key.name == name && (key.of_operators || !is_operator))
}

impl PolicyKey {
    /// Why a value is not valid, in RabbitMQ's words.
    pub(in crate::broker) fn refusal(&self, value: &Value) -> Option<String> {
        let at_least =
            |min: i64| value.as_u64().is_some_and(|value| i64::try_from(value).map_or(true, |value| value >= min));
        let is_valid = match self.check {
            Check::Text => value.is_string(),
            Check::OneOf(known) => value.as_str().is_some_and(|value| known.contains(&value)),
            Check::AtLeast(min) => at_least(min),
            Check::Within(min, max) => value.as_i64().is_some_and(|value| (min..=max).contains(&value)),
            Check::Number => value.is_i64() || value.is_u64(),
            Check::Age => value.as_str().is_some_and(is_age),
        };
        (!is_valid).then(|| format!("{} is not a valid {}", Erlang(value), self.noun))
    }
}

/// A number and its unit: years, months, days, hours, minutes or seconds.
fn is_age(text: &str) -> bool {
    let number = text.strip_suffix(['Y', 'M', 'D', 'h', 'm', 's']);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_in_order_so_that_each_is_there_once() {
        assert!(POLICY_KEYS.is_sorted_by(|one, other| one.name < other.name));
    }

    /// Which of these values RabbitMQ 4.3.6 takes: a text, -1, 0, 1, 2^40, 1.5, `1h`.
    #[test]
    fn values_are_taken_as_by_rabbitmq() {
        let values = [json!("x"), json!(-1), json!(0), json!(1), json!(1_u64 << 40), json!(1.5), json!("1h")];
        for (name, taken) in [
            ("alternate-exchange", "1000001"),
            ("overflow", "0000000"),
            ("message-ttl", "0011100"),
            ("expires", "0001100"),
            ("delivery-limit", "0111100"),
            ("queue-version", "0001000"),
            ("stream-filter-size-bytes", "0000000"),
            ("stream-max-segment-size-bytes", "0011000"),
            ("max-age", "0000001"),
        ] {
            let key = find(name, false).unwrap();
            let is_taken = |value| if key.refusal(value).is_none() { '1' } else { '0' };
            assert_eq!(values.iter().map(is_taken).collect::<String>(), taken, "{name}");
        }
        let refusal = find("max-length", true).unwrap().refusal(&json!("x"));
        assert_eq!(refusal.as_deref(), Some("<<\"x\">> is not a valid maximum length"));
        assert!(find("dead-letter-exchange", true).is_none() && find("ha-mode", false).is_none());
    }
}
