//! How the parameters of Leveret's own endpoints are read: a value that is out of its bounds is refused, and its name said.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::http::refusal::Refusal;
use crate::http::request::Request;

/// A number of the query.
///
/// # Errors
/// 400 when it is none, or out of its bounds.
pub(super) fn number(
    request: &Request<'_>,
    name: &str,
    default: u64,
    bounds: RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    let Some(text) = request.parameter(name) else { return Ok(default) };
    within(name, text.parse().ok(), bounds)
}

/// As [`number`], of things that are counted.
///
/// # Errors
/// As for [`number`].
pub(super) fn count(
    request: &Request<'_>,
    name: &str,
    default: usize,
    bounds: RangeInclusive<usize>,
) -> Result<usize, Refusal> {
    let (from, to) = bounds.into_inner();
    let found = number(request, name, default as u64, from as u64..=to as u64)?;
    Ok(usize::try_from(found).unwrap_or(to))
}

/// A number of a JSON body.
///
/// # Errors
/// As for [`number`].
pub(super) fn number_in(
    object: &Map<String, Value>,
    name: &str,
    default: u64,
    bounds: RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => within(name, value.as_u64(), bounds),
    }
}

fn within(name: &str, given: Option<u64>, bounds: RangeInclusive<u64>) -> Result<u64, Refusal> {
    given.filter(|given| bounds.contains(given)).ok_or_else(|| {
        let (from, to) = bounds.into_inner();
        Refusal::bad_request(format!("{name} must be a whole number from {from} to {to}"))
    })
}

/// A text of a JSON body.
///
/// # Errors
/// 400 when it is something else.
pub(super) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::bad_request(format!("{name} must be a string"))),
    }
}
