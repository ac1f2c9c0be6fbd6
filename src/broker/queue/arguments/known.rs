//! What `queue.declare` may be given: one line an argument, with the queue types that know it, its place in the order in which
//! they compare it on redeclaration, and the rule for its value (behaviour reference 4.1 and 4.2).

use std::fmt::Display;

use super::{QueueKind, TTL_MS_MAX, invalid_argument};
use crate::broker::profile::{Profile, QueueModes, Timed};
use crate::error::AmqpError;
use crate::table::{Table, Value};

/// The argument that says what type of queue it is.
pub const TYPE: &str = "x-queue-type";

/// What a check may look at beside the value.
struct Context<'a> {
    arguments: &'a Table,
    profile: &'a Profile,
}

type Check = fn(&Value, &Context<'_>) -> Result<(), String>;

/// One argument of `queue.declare`.
#[derive(Debug)]
pub struct QueueArgument {
    /// Its name.
    pub name: &'static str,
    classic: Classic,
    /// Its place in the order of quorum queues, which differs from that of the table; `None` where they do not know it.
    quorum: Option<u8>,
    check: Check,
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
}

const fn both(name: &'static str, quorum_place: u8, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::Knows, quorum: Some(quorum_place), check }
}

const fn classic(name: &'static str, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::Knows, quorum: None, check }
}

const fn quorum(name: &'static str, place: u8, check: Check) -> QueueArgument {
    QueueArgument { name, classic: Classic::DoesNotKnow, quorum: Some(place), check }
}

const fn stream(name: &'static str) -> QueueArgument {
    QueueArgument { name, classic: Classic::DoesNotKnow, quorum: None, check: any }
}

/// All arguments that mean something, in the order in which RabbitMQ checks them, and classic queues compare them. Others are
/// stored and ignored.
const QUEUE_ARGUMENTS: &[QueueArgument] = &[
    both("x-expires", 4, positive_ttl),
    both("x-message-ttl", 14, ttl),
    both("x-dead-letter-exchange", 1, any),
    both("x-dead-letter-routing-key", 2, dead_letter_routing_key),
    quorum("x-dead-letter-strategy", 3, dead_letter_strategy),
    both("x-max-length", 5, non_negative),
    both("x-max-length-bytes", 6, non_negative),
    quorum("x-max-in-memory-length", 7, non_negative),
    quorum("x-max-in-memory-bytes", 8, non_negative),
    classic("x-max-priority", max_priority),
    both("x-overflow", 9, overflow),
    classic("x-queue-mode", queue_mode),
    classic("x-queue-version", queue_version),
    both("x-single-active-consumer", 10, boolean),
    both(TYPE, 11, any),
    quorum("x-quorum-initial-group-size", 12, positive),
    stream("x-max-age"),
    stream("x-stream-max-segment-size-bytes"),
    stream("x-stream-filter-size-bytes"),
    stream("x-initial-cluster-size"),
    classic("x-queue-master-locator", any),
    both("x-queue-leader-locator", 15, leader_locator),
    quorum("x-delivery-limit", 13, any),
    quorum("x-consumer-disconnected-timeout", 16, non_negative),
    QueueArgument {
        name: "x-consumer-timeout",
        classic: Classic::ObeysWhereTimed,
        quorum: Some(17),
        check: non_negative,
    },
    quorum("x-delayed-retry-type", 18, any),
    quorum("x-delayed-retry-min", 19, delayed_retry_min),
    quorum("x-delayed-retry-max", 20, any),
];

/// The arguments that a redeclaration of a queue of this type compares, in its order.
pub fn compared(kind: QueueKind) -> Vec<&'static QueueArgument> {
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

pub(super) fn unacceptable_type(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

/// Any integer type, or RabbitMQ's words for what it is instead.
pub(crate) fn check_integer(value: &Value) -> Result<i64, String> {
    value.as_integer().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn any(_: &Value, _: &Context<'_>) -> Result<(), String> {
    Ok(())
}

fn non_negative(value: &Value, _: &Context<'_>) -> Result<(), String> {
    match check_integer(value)? {
        negative if negative < 0 => Err(format!("{{value_negative,{negative}}}")),
        _ => Ok(()),
    }
}

fn positive(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        0 => Err("{value_zero,0}".to_owned()),
        _ => Ok(()),
    }
}

fn ttl(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        large if large > TTL_MS_MAX => Err(format!("{{value_too_large,{large}}}")),
        _ => Ok(()),
    }
}

fn positive_ttl(value: &Value, context: &Context<'_>) -> Result<(), String> {
    ttl(value, context)?;
    positive(value, context)
}

fn max_priority(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
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

fn dead_letter_routing_key(value: &Value, context: &Context<'_>) -> Result<(), String> {
    if value.as_str().is_none() {
        return Err(unacceptable_type(value));
    }
    match context.arguments.get("x-dead-letter-exchange") {
        Some(_) => Ok(()),
        None => Err("routing_key_but_no_dlx_defined".to_owned()),
    }
}

fn dead_letter_strategy(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

/// RabbitMQ takes anything, and holds nothing back when it is negative: a retry that was to be later would come at once.
fn delayed_retry_min(value: &Value, context: &Context<'_>) -> Result<(), String> {
    if value.as_integer().is_some() { non_negative(value, context) } else { Ok(()) }
}

fn overflow(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
}

fn leader_locator(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["client-local", "balanced", "random", "least-leaders", "min-masters"], "invalid_queue_locator_arg")
}

fn queue_mode(value: &Value, context: &Context<'_>) -> Result<(), String> {
    match (context.profile.queue_modes, value.as_str()) {
        (QueueModes::Any, _) | (QueueModes::Known, Some("default" | "lazy")) => Ok(()),
        (QueueModes::Known, Some(other)) => Err(format!("\"unsupported queue mode '{other}'\"")),
        (QueueModes::Known, None) => Err(unacceptable_type(value)),
    }
}

fn queue_version(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        version if context.profile.queue_versions.contains(&version) => Ok(()),
        other => Err(format!("\"unsupported queue version '{other}'\"")),
    }
}

fn boolean(value: &Value, _: &Context<'_>) -> Result<(), String> {
    value.as_bool().map(|_| ()).ok_or_else(|| unacceptable_type(value))
}
