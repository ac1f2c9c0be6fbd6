//! What the values of queue arguments mean. They were checked, or come from a policy, which has rules of its own: what makes no sense
//! is as if it had not been said.

use std::sync::Arc;

use super::{DeadLetters, DelayedRetry, Overflow, QueueArguments, QueueKind};
use crate::table::Value;

/// A delay that nobody has said yet. No argument has so large a value.
const UNSAID_MS: u64 = u64::MAX;

fn number(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|value| u64::try_from(value).ok())
}

pub(super) fn expires(typed: &mut QueueArguments, value: &Value) {
    typed.expires_ms = number(value);
}

pub(super) fn message_ttl(typed: &mut QueueArguments, value: &Value) {
    typed.message_ttl_ms = number(value);
}

pub(super) fn max_length(typed: &mut QueueArguments, value: &Value) {
    typed.max_length = number(value);
}

pub(super) fn max_length_bytes(typed: &mut QueueArguments, value: &Value) {
    typed.max_length_bytes = number(value);
}

pub(super) fn dead_letter_exchange(typed: &mut QueueArguments, value: &Value) {
    typed.dead_letters =
        value.as_str().map(|exchange| Arc::new(DeadLetters { exchange: exchange.into(), routing_key: None }));
}

/// Its row is behind that of the exchange, without which it means nothing.
pub(super) fn dead_letter_routing_key(typed: &mut QueueArguments, value: &Value) {
    if let (Some(dead_letters), Value::LongString(key)) = (&mut typed.dead_letters, value) {
        Arc::make_mut(dead_letters).routing_key = Some(key.as_slice().into());
    }
}

pub(super) fn dead_letter_strategy(typed: &mut QueueArguments, value: &Value) {
    typed.dead_letter_at_least_once = value.as_str() == Some("at-least-once");
}

pub(super) fn max_priority(typed: &mut QueueArguments, value: &Value) {
    typed.max_priority = number(value).and_then(|level| u8::try_from(level).ok());
}

pub(super) fn overflow(typed: &mut QueueArguments, value: &Value) {
    typed.overflow = match (value.as_str(), typed.kind) {
        (Some("reject-publish"), _) => Overflow::RejectPublish,
        (Some("reject-publish-dlx"), QueueKind::Classic) => Overflow::RejectPublishDlx,
        _ => Overflow::DropHead,
    };
}

pub(super) fn single_active_consumer(typed: &mut QueueArguments, value: &Value) {
    typed.single_active_consumer = value.as_bool() == Some(true);
}

/// RabbitMQ does not validate it: what is no integer means the default, a negative one means none.
pub(super) fn delivery_limit(typed: &mut QueueArguments, value: &Value) {
    match value.as_integer() {
        Some(limit) if limit < 0 => typed.delivery_limit = None,
        Some(limit) => typed.delivery_limit = Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        None => {}
    }
}

pub(super) fn consumer_timeout(typed: &mut QueueArguments, value: &Value) {
    typed.consumer_timeout_ms = number(value).or(typed.consumer_timeout_ms);
}

/// Its row is before those of the delays. Without a shortest one nothing is held back.
pub(super) fn delayed_retry_type(typed: &mut QueueArguments, value: &Value) {
    let (failed, returned) = match value.as_str() {
        Some("all") => (true, true),
        Some("failed") => (true, false),
        Some("returned") => (false, true),
        _ => return,
    };
    typed.delayed_retry = Some(DelayedRetry { failed, returned, min_ms: UNSAID_MS, max_ms: UNSAID_MS });
}

pub(super) fn delayed_retry_min(typed: &mut QueueArguments, value: &Value) {
    if let (Some(retry), Some(min_ms)) = (&mut typed.delayed_retry, number(value)) {
        (retry.min_ms, retry.max_ms) = (min_ms, min_ms);
    }
}

pub(super) fn delayed_retry_max(typed: &mut QueueArguments, value: &Value) {
    if let (Some(retry), Some(max_ms)) = (&mut typed.delayed_retry, number(value)) {
        retry.max_ms = max_ms;
    }
}

/// What can only be said once all rows were read.
pub(super) fn finish(typed: &mut QueueArguments) {
    typed.delayed_retry.take_if(|retry| retry.min_ms == UNSAID_MS);
}
