//! What a policy can set: one row a key, as RabbitMQ 4.3 knows and checks them (behaviour reference 9).

use serde_json::Value;

use super::erlang::Erlang;

/// One key.
#[derive(Debug)]
pub(super) struct PolicyKey {
    pub(super) name: &'static str,
    /// Operators may set it, too.
    pub(super) of_operators: bool,
    check: Check,
    /// How RabbitMQ calls a value of it.
    noun: &'static str,
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

const fn key(name: &'static str, of_operators: bool, check: Check, noun: &'static str) -> PolicyKey {
    PolicyKey { name, of_operators, check, noun }
}

const RETRY_TYPES: &[&str] = &["all", "failed", "returned", "disabled"];
const OVERFLOWS: &[&str] = &["drop-head", "reject-publish", "reject-publish-dlx"];
const SEGMENT_BYTES_MAX: i64 = 3_000_000_000;

/// All keys.
const POLICY_KEYS: &[PolicyKey] = &[
    key("alternate-exchange", false, Check::Text, "alternate exchange name"),
    key("consumer-disconnected-timeout", false, Check::AtLeast(0), "consumer disconnected timeout"),
    key("consumer-timeout", false, Check::AtLeast(0), "consumer timeout"),
    key("dead-letter-exchange", false, Check::Text, "dead letter exchange name"),
    key("dead-letter-routing-key", false, Check::Text, "dead letter routing key"),
    key("dead-letter-strategy", false, Check::OneOf(&["at-most-once", "at-least-once"]), "dead letter strategy"),
    key("delayed-retry-max", true, Check::AtLeast(1), "delayed retry maximum delay. Must be a positive integer"),
    key("delayed-retry-min", true, Check::AtLeast(1), "delayed retry minimum delay. Must be a positive integer"),
    key(
        "delayed-retry-type",
        true,
        Check::OneOf(RETRY_TYPES),
        "delayed retry type. Must be one of: all, failed, returned, disabled",
    ),
    key("delivery-limit", true, Check::Number, "delivery limit"),
    key("expires", true, Check::AtLeast(1), "queue expiry"),
    key("initial-cluster-size", false, Check::AtLeast(0), "cluster size"),
    key("max-age", false, Check::Age, "max age"),
    key("max-in-memory-bytes", true, Check::AtLeast(0), "maximum memory in bytes"),
    key("max-in-memory-length", true, Check::AtLeast(0), "maximum memory in bytes"),
    key("max-length", true, Check::AtLeast(0), "maximum length"),
    key("max-length-bytes", true, Check::AtLeast(0), "maximum length in bytes"),
    key("message-ttl", true, Check::AtLeast(0), "message TTL"),
    key("overflow", true, Check::OneOf(OVERFLOWS), "overflow value"),
    key("queue-leader-locator", false, Check::OneOf(&["client-local", "balanced"]), "queue leader locator value"),
    key("queue-mode", false, Check::OneOf(&["default", "lazy"]), "queue-mode value"),
    key("queue-version", true, Check::Within(1, 2), "queue-version value"),
    key("stream-filter-size-bytes", false, Check::Within(16, 255), "filter size. Valid range is 16-255"),
    key("stream-max-segment-size-bytes", false, Check::Within(0, SEGMENT_BYTES_MAX), "segment size"),
    key("target-group-size", true, Check::AtLeast(1), "qq target count value"),
];

/// The key of this name.
pub(super) fn find(name: &str, is_operator: bool) -> Option<&'static PolicyKey> {
    POLICY_KEYS.iter().find(|key| key.name == name && (key.of_operators || !is_operator))
}

impl PolicyKey {
    /// Why a value is not valid, in RabbitMQ's words.
    pub(super) fn refusal(&self, value: &Value) -> Option<String> {
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
