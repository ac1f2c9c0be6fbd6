//! Tables as JSON, and back, as RabbitMQ's management interface and its definitions files have them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json};

use super::{Table, TableRef, Value, ValueRef};

/// Deeper than that JSON is not written: a client may nest deeper than those who read it can.
const DEPTH_MAX: usize = 100;

/// There is no `null` in a table that JSON can describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("null_not_allowed")]
pub(crate) struct NullNotAllowed;

/// A table as an object. Numbers lose their width, and bytes that are no text are replaced.
pub(crate) fn to_json(table: TableRef<'_>) -> Map<String, Json> {
    object(table, 0)
}

fn object(table: TableRef<'_>, depth: usize) -> Map<String, Json> {
    table.iter().map(|(name, value)| (text(name), json(value, depth))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(value: ValueRef<'_>, depth: usize) -> Json {
    if depth > DEPTH_MAX {
        return Json::String("...".to_owned());
    }
    let float = |value: f64| Number::from_f64(value).map_or(Json::Null, Json::Number);
    match value {
        ValueRef::Bool(value) => Json::Bool(value),
        ValueRef::I8(value) => value.into(),
        ValueRef::U8(value) => value.into(),
        ValueRef::I16(value) => value.into(),
        ValueRef::U16(value) => value.into(),
        ValueRef::I32(value) => value.into(),
        ValueRef::U32(value) => value.into(),
        ValueRef::I64(value) => value.into(),
        ValueRef::F32(value) => float(value.into()),
        ValueRef::F64(value) => float(value),
        ValueRef::Decimal { scale, value } => float(f64::from(value) / 10f64.powi(scale.into())),
        ValueRef::LongString(bytes) => Json::String(text(bytes)),
        ValueRef::Bytes(bytes) => Json::String(STANDARD.encode(bytes)),
        ValueRef::Timestamp(seconds) => seconds.into(),
        ValueRef::Table(table) => Json::Object(object(table, depth + 1)),
        ValueRef::Array(array) => array.iter().map(|value| json(value, depth + 1)).collect(),
        ValueRef::Void => Json::Null,
    }
}

/// An object as a table, with the types that RabbitMQ chooses: `long` for integers, `double` for others.
///
/// # Errors
/// When something in it is null.
pub(crate) fn from_json(fields: &Map<String, Json>) -> Result<Table, NullNotAllowed> {
    let mut table = Table::new();
    for (name, value) in fields {
        table.insert(name.as_bytes(), amqp(value)?);
    }
    Ok(table)
}

fn amqp(value: &Json) -> Result<Value, NullNotAllowed> {
    Ok(match value {
        Json::Null => return Err(NullNotAllowed),
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(value) => Value::I64(value),
            None => Value::F64(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::LongString(text.as_bytes().to_vec()),
        Json::Array(values) => Value::Array(values.iter().map(amqp).collect::<Result<_, _>>()?),
        Json::Object(fields) => Value::Table(from_json(fields)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::EncodedTable;

    #[test]
    fn a_table_survives_json() {
        let given = json!({ "x-max-length": 5, "x-queue-type": "classic", "deep": { "list": [1, true, 1.5] } });
        let encoded = EncodedTable::from(&from_json(given.as_object().unwrap()).unwrap());
        assert_eq!(Json::Object(to_json(encoded.fields())), given);
    }

    #[test]
    fn null_is_refused_wherever_it_is() {
        let given = json!({ "deep": { "list": [null] } });
        assert_eq!(from_json(given.as_object().unwrap()), Err(NullNotAllowed));
    }
}
