//! AMQP tables as JSON, and back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

use super::refusal::Refusal;
use crate::table::{self, Table, TableRef, ValueRef};

/// How deep a body may nest arguments, as AMQP tables may.
const DEPTH_MAX: usize = 100;

/// A table as an object.
pub(super) fn object(table: TableRef<'_>) -> Map<String, Value> {
    let field = |(name, value): (&[u8], ValueRef<'_>)| (text(name), json(value, 0));
    table.iter().map(field).collect()
}

/// Bytes as text; those that are no UTF-8 are replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(value: ValueRef<'_>, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        // A client may nest deeper than those who read JSON can.
        return Value::String("...".to_owned());
    }
    let float = |value: f64| Number::from_f64(value).map_or(Value::Null, Value::Number);
    match value {
        ValueRef::Bool(value) => Value::Bool(value),
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
        ValueRef::LongString(bytes) => Value::String(text(bytes)),
        ValueRef::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        ValueRef::Timestamp(seconds) => seconds.into(),
        ValueRef::Table(table) => {
            Value::Object(table.iter().map(|(name, value)| (text(name), json(value, depth + 1))).collect())
        }
        ValueRef::Array(array) => array.iter().map(|value| json(value, depth + 1)).collect(),
        ValueRef::Void => Value::Null,
    }
}

/// An object as a table, with the types that RabbitMQ chooses: `long` for integers, `double` for others.
///
/// # Errors
/// 400 when something in it is null.
pub(super) fn table(fields: &Map<String, Value>) -> Result<Table, Refusal> {
    let mut table = Table::new();
    for (name, value) in fields {
        table.insert(name.as_bytes(), amqp(value)?);
    }
    Ok(table)
}

fn amqp(value: &Value) -> Result<table::Value, Refusal> {
    Ok(match value {
        Value::Null => return Err(Refusal::bad_request("null_not_allowed")),
        Value::Bool(value) => table::Value::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => table::Value::I64(value),
            None => table::Value::F64(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => table::Value::LongString(text.as_bytes().to_vec()),
        Value::Array(values) => table::Value::Array(values.iter().map(amqp).collect::<Result<_, _>>()?),
        Value::Object(fields) => table::Value::Table(table(fields)?),
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
        let encoded = EncodedTable::from(&table(given.as_object().unwrap()).unwrap());
        assert_eq!(Value::Object(object(encoded.fields())), given);
    }

    #[test]
    fn null_is_refused_wherever_it_is() {
        let given = json!({ "deep": { "list": [null] } });
        assert_eq!(table(given.as_object().unwrap()).unwrap_err().reason, "null_not_allowed");
    }
}
