//! The arguments of `queue.declare`: one line each in [`QUEUE_ARGUMENTS`], with the rule for its value, the queue types that
//! know it, and whether a redeclaration compares it (behaviour reference 4.1 and 4.2).

use std::fmt::Display;

use crate::error::AmqpError;
use crate::table::{Table, Value};

/// The types of queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueKind {
    /// The ordinary queue.
    #[default]
    Classic,
    /// The queue that counts deliveries, with its own rules and refusals.
    Quorum,
}

impl QueueKind {
    /// The value of `x-queue-type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }

    /// How RabbitMQ's error texts call it.
    pub const fn module(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        }
    }
}

/// What happens to a message for which a queue has no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The oldest make place.
    #[default]
    DropHead,
    /// It is refused.
    RejectPublish,
    /// It is refused, and dead-lettered.
    RejectPublishDlx,
}

/// Which returned messages a quorum queue holds back for a while before it delivers them again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayedRetry {
    /// Messages that were returned because they failed.
    pub failed: bool,
    /// Messages that were merely returned.
    pub returned: bool,
    /// The delay after the first delivery; it grows by as much with each further one.
    pub min_ms: u64,
    /// The longest delay.
    pub max_ms: u64,
}

/// The arguments of a queue, checked and typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueArguments {
    /// `x-queue-type`.
    pub kind: QueueKind,
    /// `x-message-ttl`.
    pub message_ttl_ms: Option<u64>,
    /// `x-expires`.
    pub expires_ms: Option<u64>,
    /// `x-max-length`.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`.
    pub max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub overflow: Overflow,
    /// `x-dead-letter-exchange`.
    pub dead_letter_exchange: Option<String>,
    /// `x-dead-letter-routing-key`.
    pub dead_letter_routing_key: Option<Vec<u8>>,
    /// `x-dead-letter-strategy` is `at-least-once`.
    pub dead_letter_at_least_once: bool,
    /// `x-max-priority`.
    pub max_priority: Option<u8>,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// `x-delivery-limit`; `None` for no limit. Quorum queues have 20 by default.
    pub delivery_limit: Option<u32>,
    /// `x-consumer-timeout`.
    pub consumer_timeout_ms: Option<u64>,
    /// `x-delayed-retry-type`, `-min` and `-max`.
    pub delayed_retry: Option<DelayedRetry>,
}

/// Ten years (behaviour reference 4.2).
pub const TTL_MS_MAX: i64 = 315_360_000_000;
/// The limit of a quorum queue that does not set one (behaviour reference 6.5).
const DEFAULT_DELIVERY_LIMIT: u32 = 20;

/// How long a delivery of a quorum queue may stay unacknowledged (behaviour reference 7.2).
const DEFAULT_CONSUMER_TIMEOUT_MS: u64 = 30 * 60 * 1000;

type Check = fn(&Value, &Table) -> Result<(), String>;

/// One argument of `queue.declare`.
#[derive(Debug)]
pub struct QueueArgument {
    /// Its name.
    pub name: &'static str,
    /// The queue types that know it.
    pub kinds: &'static [QueueKind],
    /// Whether a redeclaration with another value is refused.
    pub compared: bool,
    check: Check,
}

const BOTH: &[QueueKind] = &[QueueKind::Classic, QueueKind::Quorum];
const CLASSIC: &[QueueKind] = &[QueueKind::Classic];
const QUORUM: &[QueueKind] = &[QueueKind::Quorum];
const NEITHER: &[QueueKind] = &[];

const fn compared(name: &'static str, kinds: &'static [QueueKind], check: Check) -> QueueArgument {
    QueueArgument { name, kinds, compared: true, check }
}

const fn free(name: &'static str, kinds: &'static [QueueKind], check: Check) -> QueueArgument {
    QueueArgument { name, kinds, compared: false, check }
}

/// All arguments that mean something, in the order in which RabbitMQ checks and compares them. Others are stored and ignored.
pub const QUEUE_ARGUMENTS: &[QueueArgument] = &[
    compared("x-expires", BOTH, positive_ttl),
    compared("x-message-ttl", BOTH, ttl),
    compared("x-dead-letter-exchange", BOTH, any),
    compared("x-dead-letter-routing-key", BOTH, dead_letter_routing_key),
    free("x-dead-letter-strategy", QUORUM, dead_letter_strategy),
    compared("x-max-length", BOTH, non_negative),
    compared("x-max-length-bytes", BOTH, non_negative),
    free("x-max-in-memory-length", QUORUM, non_negative),
    free("x-max-in-memory-bytes", QUORUM, non_negative),
    compared("x-max-priority", CLASSIC, max_priority),
    compared("x-overflow", BOTH, overflow),
    compared("x-queue-mode", CLASSIC, any),
    compared("x-queue-version", CLASSIC, queue_version),
    compared("x-single-active-consumer", BOTH, boolean),
    compared("x-queue-type", BOTH, any),
    free("x-quorum-initial-group-size", QUORUM, positive),
    free("x-max-age", NEITHER, any),
    free("x-stream-max-segment-size-bytes", NEITHER, non_negative),
    free("x-stream-filter-size-bytes", NEITHER, any),
    free("x-initial-cluster-size", NEITHER, positive),
    compared("x-queue-leader-locator", BOTH, leader_locator),
    free("x-queue-master-locator", CLASSIC, any),
    free("x-delivery-limit", QUORUM, any),
    free("x-consumer-timeout", QUORUM, non_negative),
    free("x-consumer-disconnected-timeout", QUORUM, non_negative),
    free("x-delayed-retry-type", QUORUM, any),
    free("x-delayed-retry-min", QUORUM, any),
    free("x-delayed-retry-max", QUORUM, any),
];

impl QueueArguments {
    /// Checks the arguments of a new queue. `queue` is how error texts name it: `queue 'q' in vhost '/'`.
    ///
    /// # Errors
    /// 406 with RabbitMQ's text for the first argument that is refused.
    pub fn parse(arguments: &Table, default_kind: QueueKind, queue: &dyn Display) -> Result<Self, AmqpError> {
        let dead_letter_exchange = dead_letter_exchange(arguments, queue)?;
        let kind = queue_kind(arguments, default_kind, queue)?;
        for known in QUEUE_ARGUMENTS {
            let Some(value) = arguments.get(known.name) else { continue };
            (known.check)(value, arguments).map_err(|reason| invalid_argument(known.name, queue, &reason))?;
        }
        for known in QUEUE_ARGUMENTS {
            if !known.kinds.contains(&kind) && arguments.get(known.name).is_some() {
                let text = format!("invalid arg '{}' for {queue} of queue type {}", known.name, kind.module());
                return Err(AmqpError::precondition_failed(text));
            }
        }
        Ok(Self::from_checked(arguments, kind, dead_letter_exchange))
    }

    fn from_checked(arguments: &Table, kind: QueueKind, dead_letter_exchange: Option<String>) -> Self {
        Self {
            kind,
            message_ttl_ms: integer(arguments, "x-message-ttl"),
            expires_ms: integer(arguments, "x-expires"),
            max_length: integer(arguments, "x-max-length"),
            max_length_bytes: integer(arguments, "x-max-length-bytes"),
            overflow: match string(arguments, "x-overflow") {
                Some("reject-publish") => Overflow::RejectPublish,
                Some("reject-publish-dlx") if kind == QueueKind::Classic => Overflow::RejectPublishDlx,
                _ => Overflow::DropHead,
            },
            dead_letter_exchange,
            dead_letter_routing_key: bytes(arguments, "x-dead-letter-routing-key").map(<[u8]>::to_vec),
            dead_letter_at_least_once: string(arguments, "x-dead-letter-strategy") == Some("at-least-once"),
            max_priority: integer(arguments, "x-max-priority").and_then(|level| u8::try_from(level).ok()),
            single_active_consumer: arguments.get("x-single-active-consumer").and_then(Value::as_bool) == Some(true),
            delivery_limit: match kind {
                QueueKind::Classic => None,
                QueueKind::Quorum => delivery_limit(arguments),
            },
            consumer_timeout_ms: match kind {
                QueueKind::Classic => None,
                QueueKind::Quorum => integer(arguments, "x-consumer-timeout").or(Some(DEFAULT_CONSUMER_TIMEOUT_MS)),
            },
            delayed_retry: delayed_retry(arguments),
        }
    }
}

/// `x-delivery-limit` is not validated by RabbitMQ: what is no integer means the default, a negative one means none.
fn delivery_limit(arguments: &Table) -> Option<u32> {
    match arguments.get("x-delivery-limit").and_then(Value::as_integer) {
        Some(limit) if limit < 0 => None,
        Some(limit) => Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        None => Some(DEFAULT_DELIVERY_LIMIT),
    }
}

fn delayed_retry(arguments: &Table) -> Option<DelayedRetry> {
    let (failed, returned) = match string(arguments, "x-delayed-retry-type")? {
        "all" => (true, true),
        "failed" => (true, false),
        "returned" => (false, true),
        _ => return None,
    };
    let min_ms = integer(arguments, "x-delayed-retry-min")?;
    let max_ms = integer(arguments, "x-delayed-retry-max").unwrap_or(u64::MAX);
    Some(DelayedRetry { failed, returned, min_ms, max_ms })
}

/// Checked before all others, with a text of its own (behaviour reference 4.2).
fn dead_letter_exchange(arguments: &Table, queue: &dyn Display) -> Result<Option<String>, AmqpError> {
    match arguments.get("x-dead-letter-exchange") {
        None => Ok(None),
        Some(value) => match value.as_str() {
            Some(name) => Ok(Some(name.to_owned())),
            None => Err(AmqpError::precondition_failed(format!(
                "invalid type '{}' for arg 'x-dead-letter-exchange' in {queue}",
                value.type_name()
            ))),
        },
    }
}

fn queue_kind(arguments: &Table, default_kind: QueueKind, queue: &dyn Display) -> Result<QueueKind, AmqpError> {
    let Some(value) = arguments.get("x-queue-type") else { return Ok(default_kind) };
    let refuse = |reason: String| Err(invalid_argument("x-queue-type", queue, &reason));
    match value.as_str() {
        Some("classic") => Ok(QueueKind::Classic),
        Some("quorum") => Ok(QueueKind::Quorum),
        Some("" | "undefined") => Ok(default_kind),
        Some("stream") => refuse(
            "\"queues of type 'stream' are not available in this version of Leveret; declare it as 'classic' or 'quorum'\""
                .to_owned(),
        ),
        Some(other) => refuse(format!("\"unsupported queue type '{other}'\"")),
        None => refuse(unacceptable_type(value)),
    }
}

/// `invalid arg ... for queue ...: reason`.
pub(crate) fn invalid_argument(name: &str, queue: &dyn Display, reason: &str) -> AmqpError {
    AmqpError::precondition_failed(format!("invalid arg '{name}' for {queue}: {reason}"))
}

fn integer(arguments: &Table, name: &str) -> Option<u64> {
    arguments.get(name).and_then(Value::as_integer).and_then(|value| u64::try_from(value).ok())
}

fn string<'a>(arguments: &'a Table, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str)
}

fn bytes<'a>(arguments: &'a Table, name: &str) -> Option<&'a [u8]> {
    match arguments.get(name) {
        Some(Value::LongString(bytes)) => Some(bytes),
        _ => None,
    }
}

fn unacceptable_type(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

/// Any integer type, or RabbitMQ's words for what it is instead.
pub(crate) fn check_integer(value: &Value) -> Result<i64, String> {
    value.as_integer().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn any(_: &Value, _: &Table) -> Result<(), String> {
    Ok(())
}

fn non_negative(value: &Value, _: &Table) -> Result<(), String> {
    match check_integer(value)? {
        negative if negative < 0 => Err(format!("{{value_negative,{negative}}}")),
        _ => Ok(()),
    }
}

fn positive(value: &Value, arguments: &Table) -> Result<(), String> {
    non_negative(value, arguments)?;
    match check_integer(value)? {
        0 => Err("{value_zero,0}".to_owned()),
        _ => Ok(()),
    }
}

fn ttl(value: &Value, arguments: &Table) -> Result<(), String> {
    non_negative(value, arguments)?;
    match check_integer(value)? {
        large if large > TTL_MS_MAX => Err(format!("{{value_too_large,{large}}}")),
        _ => Ok(()),
    }
}

fn positive_ttl(value: &Value, arguments: &Table) -> Result<(), String> {
    ttl(value, arguments)?;
    positive(value, arguments)
}

fn max_priority(value: &Value, arguments: &Table) -> Result<(), String> {
    non_negative(value, arguments)?;
    match check_integer(value)? {
        large if large > i64::from(u8::MAX) => Err(format!("{{max_value_exceeded,{large}}}")),
        _ => Ok(()),
    }
}

fn one_of(value: &Value, allowed: &[&str], otherwise: &str) -> Result<(), String> {
    match value.as_str() {
        Some(name) if allowed.contains(&name) => Ok(()),
        Some(_) => Err(otherwise.to_owned()),
        None => Err(unacceptable_type(value)),
    }
}

fn dead_letter_routing_key(value: &Value, arguments: &Table) -> Result<(), String> {
    if value.as_str().is_none() {
        return Err(unacceptable_type(value));
    }
    match arguments.get("x-dead-letter-exchange") {
        Some(_) => Ok(()),
        None => Err("routing_key_but_no_dlx_defined".to_owned()),
    }
}

fn dead_letter_strategy(value: &Value, _: &Table) -> Result<(), String> {
    one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

fn overflow(value: &Value, _: &Table) -> Result<(), String> {
    one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
}

fn leader_locator(value: &Value, _: &Table) -> Result<(), String> {
    one_of(value, &["client-local", "balanced", "random", "least-leaders", "min-masters"], "invalid_queue_locator_arg")
}

fn queue_version(value: &Value, _: &Table) -> Result<(), String> {
    match check_integer(value)? {
        2 => Ok(()),
        other => Err(format!("\"unsupported queue version '{other}'\"")),
    }
}

fn boolean(value: &Value, _: &Table) -> Result<(), String> {
    value.as_bool().map(|_| ()).ok_or_else(|| unacceptable_type(value))
}
