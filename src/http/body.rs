//! How the values of a JSON body are read: RabbitMQ takes some of them as text, too, and says which key it does not understand.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::values;
use crate::table::Table;

/// Characters of a line that Erlang prints.
const LINE_MAX: usize = 79;

/// # Errors
/// 400 with all keys of `wanted` that are missing, as `[{key_missing,count}]`.
pub(super) fn require(object: &Map<String, Value>, wanted: &[&str]) -> Result<(), Refusal> {
    let missing: Vec<_> = wanted.iter().filter(|key| !object.contains_key(**key)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let terms: Vec<_> = missing.iter().map(|key| format!("{{key_missing,{key}}}")).collect();
    let line = terms.join(",");
    // Erlang breaks a list into lines that is too long for one.
    let list = if line.len() + 2 > LINE_MAX { terms.join(",\n ") } else { line };
    Err(Refusal::bad_request(format!("[{list}]")))
}

/// A boolean, `true` or `"true"`.
///
/// # Errors
/// 400 for anything else.
pub(super) fn boolean(object: &Map<String, Value>, key: &str, default: bool) -> Result<bool, Refusal> {
    match object.get(key) {
        None => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => Err(Refusal::bad_request(json!(["not_boolean", other]))),
    }
}

/// An integer, `1`, `"1"` or `1.5`, which is cut off.
///
/// # Errors
/// 400 for anything else.
pub(super) fn integer(value: &Value) -> Result<i64, Refusal> {
    let number = match value {
        #[expect(clippy::cast_possible_truncation, reason = "a number with a fraction is cut off")]
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|number| number as i64)),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.ok_or_else(|| Refusal::bad_request(json!(["not_integer", value])))
}

/// A text.
///
/// # Errors
/// 400 for anything else.
pub(super) fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Refusal::bad_request(json!(["not_string", other]))),
    }
}

/// AMQP arguments. An empty list means none.
///
/// # Errors
/// 400 when it is no object, or when something in it is null.
pub(super) fn arguments(object: &Map<String, Value>, key: &str) -> Result<Table, Refusal> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(Table::new()),
        Some(Value::Array(list)) if list.is_empty() => Ok(Table::new()),
        Some(Value::Object(fields)) => values::table(fields),
        Some(other) => Err(Refusal::bad_request(json!(["not_object", other]))),
    }
}
