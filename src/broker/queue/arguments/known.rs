//! What `queue.declare` may be given: one row an argument, with the queue types that know it, its place in the order in which
//! they compare it on redeclaration, the rule for its value, what it means, and the policy key that sets it, too (behaviour
//! reference 4.1, 4.2 and 9).

use std::fmt::Display;

use super::values::{self, Check, Context};
use super::{QueueArguments, QueueKind, invalid_argument, read};
use crate::broker::policies::{Applied, Merge};
use crate::broker::profile::{Profile, Timed};
use crate::error::AmqpError;
use crate::table::{Table, Value};

/// The argument that says what type of queue it is.
pub(crate) const TYPE: &str = "x-queue-type";

/// Writes what a value means into the typed arguments.
pub(super) type Read = fn(&mut QueueArguments, &Value);

/// One argument of `queue.declare`.
#[derive(Debug)]
pub(crate) struct QueueArgument {
    pub(crate) name: &'static str,
    classic: Classic,
    /// Its place in the order of quorum queues, which differs from that of the table; `None` where they do not know it.
    quorum: Option<u8>,
    check: Check,
    read: Option<Read>,
    policy: Option<FromPolicy>,
}

/// What sets the same as an argument.
#[derive(Debug)]
struct FromPolicy {
    key: &'static str,
    /// Which of the two counts: first the argument, second the policy.
    merge: Merge,
    /// The same in quorum queues.
    quorum_merge: Merge,
}

/// Whether classic queues know an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Classic {
    Knows,
    /// It is obeyed there in the profiles where deliveries of every type time out, and is not compared.
    ObeysWhereTimed,
    DoesNotKnow,
}

impl QueueArgument {
    fn is_known_to(&self, kind: QueueKind, profile: &Profile) -> bool {
        match (kind, self.classic) {
            (QueueKind::Quorum, _) => self.quorum.is_some(),
            (QueueKind::Classic, Classic::Knows) => true,
            (QueueKind::Classic, Classic::ObeysWhereTimed) => profile.consumer_timeout == Timed::EveryType,
            (QueueKind::Classic, Classic::DoesNotKnow) => false,
        }
    }

    /// What it means to the queue.
    const fn reads(self, read: Read) -> Self {
        Self { read: Some(read), ..self }
    }

    /// The policy key that sets it, too.
    const fn policy(self, key: &'static str, merge: Merge) -> Self {
        Self { policy: Some(FromPolicy { key, merge, quorum_merge: merge }), ..self }
    }

    /// As [`QueueArgument::policy`], where quorum queues merge otherwise.
    const fn policy_of_types(self, key: &'static str, merge: Merge, quorum_merge: Merge) -> Self {
        Self { policy: Some(FromPolicy { key, merge, quorum_merge }), ..self }
    }

    /// The value that counts.
    fn effective<'a>(&self, kind: QueueKind, arguments: &'a Table, applied: Option<&'a Applied>) -> Option<&'a Value> {
        let own = arguments.get(self.name);
        let Some(from) = &self.policy else { return own };
        let Some(of_policy) = applied.and_then(|applied| applied.value(from.key)) else { return own };
        let Some(argument) = own else { return Some(of_policy) };
        let merge = match kind {
            QueueKind::Classic => from.merge,
            QueueKind::Quorum => from.quorum_merge,
        };
        let number = |value: &Value| value.as_integer().map(i128::from);
        Some(if merge.prefers_first(number(argument), number(of_policy)) { argument } else { of_policy })
    }
}

const fn both(name: &'static str, quorum_place: u8, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::Knows, quorum: Some(quorum_place), check, read: None, policy: None }
}

const fn classic(name: &'static str, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::Knows, quorum: None, check, read: None, policy: None }
}

const fn quorum(name: &'static str, place: u8, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::DoesNotKnow, quorum: Some(place), check, read: None, policy: None }
}

const fn stream(name: &'static str) -> QueueArgument {
    QueueArgument { name, classic: Classic::DoesNotKnow, quorum: None, check: values::any, read: None, policy: None }
}

/// All arguments that mean something, in the order in which RabbitMQ checks them, and classic queues compare them. Others are
/// stored and ignored.
const QUEUE_ARGUMENTS: &[QueueArgument] = &[
    both("x-expires", 4, values::positive_ttl).reads(read::expires).policy("expires", Merge::Smaller),
    both("x-message-ttl", 14, values::ttl).reads(read::message_ttl).policy("message-ttl", Merge::Smaller),
    both("x-dead-letter-exchange", 1, values::any)
        .reads(read::dead_letter_exchange)
        .policy("dead-letter-exchange", Merge::First),
    both("x-dead-letter-routing-key", 2, values::dead_letter_routing_key)
        .reads(read::dead_letter_routing_key)
        .policy("dead-letter-routing-key", Merge::First),
    quorum("x-dead-letter-strategy", 3, values::dead_letter_strategy)
        .reads(read::dead_letter_strategy)
        .policy("dead-letter-strategy", Merge::First),
    both("x-max-length", 5, values::non_negative).reads(read::max_length).policy("max-length", Merge::Smaller),
    both("x-max-length-bytes", 6, values::non_negative)
        .reads(read::max_length_bytes)
        .policy("max-length-bytes", Merge::Smaller),
    quorum("x-max-in-memory-length", 7, values::non_negative),
    quorum("x-max-in-memory-bytes", 8, values::non_negative),
    classic("x-max-priority", values::max_priority).reads(read::max_priority),
    both("x-overflow", 9, values::overflow).reads(read::overflow).policy_of_types(
        "overflow",
        Merge::First,
        Merge::Second,
    ),
    classic("x-queue-mode", values::queue_mode),
    classic("x-queue-version", values::queue_version),
    both("x-single-active-consumer", 10, values::boolean).reads(read::single_active_consumer),
    both(TYPE, 11, values::any),
    quorum("x-quorum-initial-group-size", 12, values::positive),
    stream("x-max-age"),
    stream("x-stream-max-segment-size-bytes"),
    stream("x-stream-filter-size-bytes"),
    stream("x-initial-cluster-size"),
    classic("x-queue-master-locator", values::any),
    both("x-queue-leader-locator", 15, values::leader_locator),
    quorum("x-delivery-limit", 13, values::any)
        .reads(read::delivery_limit)
        .policy("delivery-limit", Merge::SmallerLimit),
    quorum("x-consumer-disconnected-timeout", 16, values::non_negative),
    QueueArgument { classic: Classic::ObeysWhereTimed, ..quorum("x-consumer-timeout", 17, values::non_negative) }
        .reads(read::consumer_timeout)
        .policy("consumer-timeout", Merge::First),
    quorum("x-delayed-retry-type", 18, values::any)
        .reads(read::delayed_retry_type)
        .policy("delayed-retry-type", Merge::First),
    quorum("x-delayed-retry-min", 19, values::delayed_retry_min)
        .reads(read::delayed_retry_min)
        .policy("delayed-retry-min", Merge::First),
    quorum("x-delayed-retry-max", 20, values::any)
        .reads(read::delayed_retry_max)
        .policy("delayed-retry-max", Merge::First),
];

/// The names of all arguments.
pub(crate) fn known_arguments() -> impl Iterator<Item = &'static str> + Clone {
    QUEUE_ARGUMENTS.iter().map(|argument| argument.name)
}

/// The arguments that a redeclaration of a queue of this type compares, in its order.
pub(crate) fn compared(kind: QueueKind) -> Vec<&'static QueueArgument> {
    let known = QUEUE_ARGUMENTS.iter();
    match kind {
        QueueKind::Classic => known.filter(|argument| argument.classic == Classic::Knows).collect(),
        QueueKind::Quorum => {
            let mut known: Vec<_> = known.filter(|argument| argument.quorum.is_some()).collect();
            known.sort_by_key(|argument| argument.quorum);
            known
        }
    }
}

/// Checks the values of the arguments that the type knows, then looks for those that only other types know.
///
/// # Errors
/// 406 with RabbitMQ's text for the first argument that is refused.
pub(super) fn check(
    arguments: &Table,
    kind: QueueKind,
    queue: &dyn Display,
    profile: &Profile,
) -> Result<(), AmqpError> {
    let context = Context { arguments, profile };
    for known in QUEUE_ARGUMENTS.iter().filter(|known| known.is_known_to(kind, profile)) {
        let Some(value) = arguments.get(known.name) else { continue };
        (known.check)(value, &context).map_err(|reason| invalid_argument(known.name, queue, &reason))?;
    }
    let is_foreign = |name: &[u8]| {
        let known = QUEUE_ARGUMENTS.iter().find(|known| known.name.as_bytes() == name);
        known.is_some_and(|known| !known.is_known_to(kind, profile))
    };
    match arguments.iter().find(|(name, _)| is_foreign(name)) {
        Some((name, _)) => Err(AmqpError::precondition_failed(format!(
            "invalid arg '{}' for {queue} of queue type {}",
            String::from_utf8_lossy(name),
            kind.module()
        ))),
        None => Ok(()),
    }
}

/// Reads what each argument that the type knows means, with what policies make of it.
pub(super) fn read_all(typed: &mut QueueArguments, arguments: &Table, applied: Option<&Applied>, profile: &Profile) {
    let kind = typed.kind;
    for known in QUEUE_ARGUMENTS.iter().filter(|known| known.is_known_to(kind, profile)) {
        if let (Some(read), Some(value)) = (known.read, known.effective(kind, arguments, applied)) {
            read(typed, value);
        }
    }
}

/// What holds of everything that policies can set, by the policy's keys: for those who look at it, not for the queue.
pub(crate) fn policy_values(kind: QueueKind, arguments: &Table, applied: Option<&Applied>) -> Table {
    let values = QUEUE_ARGUMENTS.iter().filter_map(|known| {
        let value = known.effective(kind, arguments, applied)?;
        Some((known.policy.as_ref()?.key, value.clone()))
    });
    values.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::policies::find_key;

    #[test]
    fn what_a_policy_sets_is_a_key_that_policies_have() {
        let keys: Vec<_> = QUEUE_ARGUMENTS.iter().filter_map(|known| Some(known.policy.as_ref()?.key)).collect();
        assert!(!keys.is_empty() && keys.iter().all(|key| find_key(key, false).is_some()), "{keys:?}");
    }
}
