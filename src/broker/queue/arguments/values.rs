//! The rules for the values of queue arguments (behaviour reference 4.2).

use super::TTL_MS_MAX;
use crate::broker::profile::{Profile, QueueModes};
use crate::table::{Table, Value};

/// What a check may look at beside the value.
pub(super) struct Context<'a> {
    pub(super) arguments: &'a Table,
    pub(super) profile: &'a Profile,
}

pub(super) type Check = fn(&Value, &Context<'_>) -> Result<(), String>;

pub(super) fn unacceptable_type(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

/// Any integer type, or RabbitMQ's words for what it is instead.
pub(crate) fn check_integer(value: &Value) -> Result<i64, String> {
    value.as_integer().ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

/// For arguments of which RabbitMQ takes whatever comes.
pub(super) fn any(_: &Value, _: &Context<'_>) -> Result<(), String> {
    Ok(())
}

pub(super) fn non_negative(value: &Value, _: &Context<'_>) -> Result<(), String> {
    match check_integer(value)? {
        negative if negative < 0 => Err(format!("{{value_negative,{negative}}}")),
        _ => Ok(()),
    }
}

pub(super) fn positive(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        0 => Err("{value_zero,0}".to_owned()),
        _ => Ok(()),
    }
}

pub(super) fn ttl(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        large if large > TTL_MS_MAX => Err(format!("{{value_too_large,{large}}}")),
        _ => Ok(()),
    }
}

pub(super) fn positive_ttl(value: &Value, context: &Context<'_>) -> Result<(), String> {
    ttl(value, context)?;
    positive(value, context)
}

pub(super) fn max_priority(value: &Value, context: &Context<'_>) -> Result<(), String> {
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

pub(super) fn dead_letter_routing_key(value: &Value, context: &Context<'_>) -> Result<(), String> {
    if value.as_str().is_none() {
        return Err(unacceptable_type(value));
    }
    match context.arguments.get("x-dead-letter-exchange") {
        Some(_) => Ok(()),
        None => Err("routing_key_but_no_dlx_defined".to_owned()),
    }
}

pub(super) fn dead_letter_strategy(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["at-most-once", "at-least-once"], "invalid_dlx_strategy")
}

/// RabbitMQ takes anything, and holds nothing back when it is negative: a retry that was to be later would come at once.
pub(super) fn delayed_retry_min(value: &Value, context: &Context<'_>) -> Result<(), String> {
    if value.as_integer().is_some() { non_negative(value, context) } else { Ok(()) }
}

pub(super) fn overflow(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["drop-head", "reject-publish", "reject-publish-dlx"], "invalid_overflow")
}

pub(super) fn leader_locator(value: &Value, _: &Context<'_>) -> Result<(), String> {
    one_of(value, &["client-local", "balanced", "random", "least-leaders", "min-masters"], "invalid_queue_locator_arg")
}

pub(super) fn queue_mode(value: &Value, context: &Context<'_>) -> Result<(), String> {
    match (context.profile.queue_modes, value.as_str()) {
        (QueueModes::Any, _) | (QueueModes::Known, Some("default" | "lazy")) => Ok(()),
        (QueueModes::Known, Some(other)) => Err(format!("\"unsupported queue mode '{other}'\"")),
        (QueueModes::Known, None) => Err(unacceptable_type(value)),
    }
}

pub(super) fn queue_version(value: &Value, context: &Context<'_>) -> Result<(), String> {
    non_negative(value, context)?;
    match check_integer(value)? {
        version if context.profile.queue_versions.contains(&version) => Ok(()),
        other => Err(format!("\"unsupported queue version '{other}'\"")),
    }
}

pub(super) fn boolean(value: &Value, _: &Context<'_>) -> Result<(), String> {
    value.as_bool().map(|_| ()).ok_or_else(|| unacceptable_type(value))
}
