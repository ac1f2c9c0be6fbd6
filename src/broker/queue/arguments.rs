//! The arguments of a queue, checked and typed (behaviour reference 4.1 and 4.2). Which there are says [`known`].

pub mod known;
mod shared;

use std::fmt::Display;

use crate::broker::node::Settings;
use crate::broker::profile::{Counted, Profile, Timed};
use crate::error::AmqpError;
use crate::table::{Table, Value};

pub use shared::SharedArguments;

/// The types of queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Classic, Self::Quorum].into_iter().find(|kind| kind.name() == name)
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
    /// The delay after the first failed delivery; it grows by as much with each further one.
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
    /// Which returns count towards the delivery limit.
    pub counted: Counted,
    /// `x-consumer-timeout`.
    pub consumer_timeout_ms: Option<u64>,
    /// `x-delayed-retry-type`, `-min` and `-max`.
    pub delayed_retry: Option<DelayedRetry>,
}

/// Ten years (behaviour reference 4.2).
pub const TTL_MS_MAX: i64 = 315_360_000_000;

impl QueueArguments {
    /// Checks the arguments of a new queue. `queue` is how error texts name it: `queue 'q' in vhost '/'`.
    ///
    /// # Errors
    /// 406 with RabbitMQ's text for the first argument that is refused.
    pub fn parse(
        arguments: &Table,
        default_kind: QueueKind,
        queue: &dyn Display,
        settings: &Settings,
    ) -> Result<Self, AmqpError> {
        check_dead_letter_exchange(arguments, queue)?;
        let kind =
            queue_kind(arguments, default_kind).map_err(|reason| invalid_argument(known::TYPE, queue, &reason))?;
        known::check(arguments, kind, queue, settings.profile())?;
        Ok(Self::of(arguments, kind, settings))
    }

    /// The arguments of a queue that is there already. Nothing is refused: it may have been declared under another profile.
    pub fn restored(arguments: &Table, settings: &Settings) -> Self {
        Self::of(arguments, queue_kind(arguments, QueueKind::Classic).unwrap_or_default(), settings)
    }

    fn of(arguments: &Table, kind: QueueKind, settings: &Settings) -> Self {
        let profile = settings.profile();
        let is_timed = kind == QueueKind::Quorum || profile.consumer_timeout == Timed::EveryType;
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
            dead_letter_exchange: string(arguments, "x-dead-letter-exchange").map(str::to_owned),
            dead_letter_routing_key: bytes(arguments, "x-dead-letter-routing-key").map(<[u8]>::to_vec),
            dead_letter_at_least_once: string(arguments, "x-dead-letter-strategy") == Some("at-least-once"),
            max_priority: integer(arguments, "x-max-priority").and_then(|level| u8::try_from(level).ok()),
            single_active_consumer: arguments.get("x-single-active-consumer").and_then(Value::as_bool) == Some(true),
            delivery_limit: match kind {
                QueueKind::Classic => None,
                QueueKind::Quorum => delivery_limit(arguments, profile),
            },
            counted: profile.counted_deliveries,
            consumer_timeout_ms: if is_timed {
                integer(arguments, "x-consumer-timeout").or(settings.consumer_timeout_ms)
            } else {
                None
            },
            delayed_retry: delayed_retry(arguments),
        }
    }
}

/// `x-delivery-limit` is not validated by RabbitMQ: what is no integer means the default, a negative one means none.
fn delivery_limit(arguments: &Table, profile: &Profile) -> Option<u32> {
    match arguments.get("x-delivery-limit").and_then(Value::as_integer) {
        Some(limit) if limit < 0 => None,
        Some(limit) => Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        None => profile.default_delivery_limit,
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
    let max_ms = integer(arguments, "x-delayed-retry-max").unwrap_or(min_ms);
    Some(DelayedRetry { failed, returned, min_ms, max_ms })
}

/// Checked before all others, with a text of its own (behaviour reference 4.2).
fn check_dead_letter_exchange(arguments: &Table, queue: &dyn Display) -> Result<(), AmqpError> {
    match arguments.get("x-dead-letter-exchange") {
        Some(value) if value.as_str().is_none() => Err(AmqpError::precondition_failed(format!(
            "invalid type '{}' for arg 'x-dead-letter-exchange' in {queue}",
            value.type_name()
        ))),
        _ => Ok(()),
    }
}

fn queue_kind(arguments: &Table, default_kind: QueueKind) -> Result<QueueKind, String> {
    let Some(value) = arguments.get(known::TYPE) else { return Ok(default_kind) };
    match value.as_str() {
        Some("classic") => Ok(QueueKind::Classic),
        Some("quorum") => Ok(QueueKind::Quorum),
        Some("" | "undefined") => Ok(default_kind),
        Some("stream") => Err(
            "\"queues of type 'stream' are not available in this version of Leveret; declare it as 'classic' or 'quorum'\""
                .to_owned(),
        ),
        Some(other) => Err(format!("\"unsupported queue type '{other}'\"")),
        None => Err(known::unacceptable_type(value)),
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
