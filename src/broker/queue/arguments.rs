//! The arguments of a queue, checked and typed (behaviour reference 4.1 and 4.2). Which there are says [`known`].
//!
//! A queue is declared with some, which never change. What it obeys are the *effective* ones: the same, merged with what policies say.

mod kind;
pub(crate) mod known;
mod read;
mod shared;
mod values;

use std::fmt::Display;
use std::sync::Arc;

use crate::broker::node::NodeSettings;
use crate::broker::policies::Applied;
use crate::broker::profile::{Counted, Timed};
use crate::error::AmqpError;
use crate::table::Table;

pub use kind::QueueKind;
pub(crate) use shared::SharedArguments;
pub(crate) use values::check_integer;

/// What happens to a message for which a queue has no place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Overflow {
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
pub(crate) struct DelayedRetry {
    /// Messages that were returned because they failed.
    pub(crate) failed: bool,
    /// Messages that were merely returned.
    pub(crate) returned: bool,
    /// The delay after the first failed delivery; it grows by as much with each further one.
    pub(crate) min_ms: u64,
    /// The longest delay.
    pub(crate) max_ms: u64,
}

/// Where the dead letters of a queue go. Each keeps it from its death on, whatever the queue obeys later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeadLetters {
    /// The exchange that they are published to.
    pub(crate) exchange: Box<str>,
    /// The routing key; their own where there is none.
    pub(crate) routing_key: Option<Box<[u8]>>,
}

/// The arguments of a queue, checked and typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct QueueArguments {
    /// `x-queue-type`.
    pub(crate) kind: QueueKind,
    /// `x-message-ttl`.
    pub(crate) message_ttl_ms: Option<u64>,
    /// `x-expires`.
    pub(crate) expires_ms: Option<u64>,
    /// `x-max-length`.
    pub(crate) max_length: Option<u64>,
    /// `x-max-length-bytes`.
    pub(crate) max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub(crate) overflow: Overflow,
    /// `x-dead-letter-exchange`, and `x-dead-letter-routing-key`.
    pub(crate) dead_letters: Option<Arc<DeadLetters>>,
    /// `x-dead-letter-strategy` is `at-least-once`.
    pub(crate) dead_letter_at_least_once: bool,
    /// `x-max-priority`.
    pub(crate) max_priority: Option<u8>,
    /// `x-single-active-consumer`.
    pub(crate) single_active_consumer: bool,
    /// `x-delivery-limit`; `None` for no limit. Quorum queues have 20 by default.
    pub(crate) delivery_limit: Option<u32>,
    /// Which returns count towards the delivery limit.
    pub(crate) counted: Counted,
    /// Deliveries may time out, now or under a policy that comes later.
    pub(crate) is_timed: bool,
    /// `x-consumer-timeout`.
    pub(crate) consumer_timeout_ms: Option<u64>,
    /// `x-delayed-retry-type`, `-min` and `-max`.
    pub(crate) delayed_retry: Option<DelayedRetry>,
}

/// Ten years (behaviour reference 4.2).
pub(crate) const TTL_MS_MAX: i64 = 315_360_000_000;

impl QueueArguments {
    /// Checks the arguments of a new queue. `queue` is how error texts name it: `queue 'q' in vhost '/'`.
    ///
    /// # Errors
    /// 406 with RabbitMQ's text for the first argument that is refused.
    pub(crate) fn parse(
        arguments: &Table,
        default_kind: QueueKind,
        queue: &dyn Display,
        settings: &NodeSettings,
    ) -> Result<Self, AmqpError> {
        check_dead_letter_exchange(arguments, queue)?;
        let kind =
            queue_kind(arguments, default_kind).map_err(|reason| invalid_argument(known::TYPE, queue, &reason))?;
        known::check(arguments, kind, queue, settings.profile())?;
        Ok(Self::of(arguments, kind, None, settings))
    }

    /// The arguments of a queue that is there already. Nothing is refused: it may have been declared under another profile.
    pub(crate) fn restored(arguments: &Table, settings: &NodeSettings) -> Self {
        Self::of(arguments, queue_kind(arguments, QueueKind::Classic).unwrap_or_default(), None, settings)
    }

    /// What a queue that was declared with these obeys under policies.
    #[must_use]
    pub(crate) fn under(&self, arguments: &Table, applied: &Applied, settings: &NodeSettings) -> Self {
        Self::of(arguments, self.kind, Some(applied), settings)
    }

    /// What a queue that was declared with these obeys under other settings.
    #[must_use]
    pub(super) fn anew(&self, arguments: &Table, settings: &NodeSettings) -> Self {
        Self::of(arguments, self.kind, None, settings)
    }

    /// Whether what no policy can change is the same.
    pub(super) fn is_same_for_good(&self, other: &Self) -> bool {
        let fixed = |typed: &Self| (typed.kind, typed.max_priority, typed.single_active_consumer, typed.counted);
        fixed(self) == fixed(other)
    }

    fn of(arguments: &Table, kind: QueueKind, applied: Option<&Applied>, settings: &NodeSettings) -> Self {
        let profile = settings.profile();
        let is_timed = kind.rules().is_timed || profile.consumer_timeout == Timed::EveryType;
        let mut typed = Self {
            kind,
            is_timed,
            delivery_limit: match kind {
                QueueKind::Classic => None,
                QueueKind::Quorum => profile.default_delivery_limit,
            },
            counted: profile.counted_deliveries,
            consumer_timeout_ms: settings.consumer_timeout.ms().filter(|_| is_timed),
            ..Self::default()
        };
        known::read_all(&mut typed, arguments, applied, profile);
        read::finish(&mut typed);
        typed
    }
}

/// Checked before all others, with a text of its own (behaviour reference 4.2).
fn check_dead_letter_exchange(arguments: &Table, queue: &dyn Display) -> Result<(), AmqpError> {
    match arguments.get("x-dead-letter-exchange") {
        Some(value) if value.as_str().is_none() => Err(AmqpError::precondition_failed(format!(
            "invalid type '{}' for arg 'x-dead-letter-exchange' in {queue}",
            value.type_name()
        ))),
        // It is a text, or was not given.
        _ => Ok(()),
    }
}

fn queue_kind(arguments: &Table, default_kind: QueueKind) -> Result<QueueKind, String> {
    let Some(value) = arguments.get(known::TYPE) else { return Ok(default_kind) };
    match value.as_str() {
        Some("" | "undefined") => Ok(default_kind),
        Some("stream") => Err(
            "\"queues of type 'stream' are not available in this version of Leveret; declare it as 'classic' or 'quorum'\""
                .to_owned(),
        ),
        Some(other) => QueueKind::from_name(other).ok_or_else(|| format!("\"unsupported queue type '{other}'\"")),
        None => Err(values::unacceptable_type(value)),
    }
}

/// `invalid arg ... for queue ...: reason`.
pub(crate) fn invalid_argument(name: &str, queue: &dyn Display, reason: &str) -> AmqpError {
    AmqpError::precondition_failed(format!("invalid arg '{name}' for {queue}: {reason}"))
}
