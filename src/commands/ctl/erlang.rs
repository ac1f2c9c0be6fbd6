//! Field tables as Erlang terms, as RabbitMQ's tools write them.

use serde_json::{Map, Value, json};

use crate::commands::terminal::harmless;

/// A field table in a list: `[{"x-max-length",10}]`.
pub(super) fn proplist(arguments: &Map<String, Value>) -> String {
    let pairs: Vec<_> =
        arguments.iter().map(|(name, value)| format!("{{{},{}}}", quoted(name), shown(value))).collect();
    format!("[{}]", pairs.join(","))
}

/// A value in a list.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(shown).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => proplist(fields),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", harmless(&text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// The fields of an object, one behind the other: `{<<"expires">>,60000}{<<"max-length">>,6}`.
pub(super) fn terms(fields: &Map<String, Value>) -> String {
    fields.iter().map(|(name, value)| format!("{{<<{}>>,{}}}", quoted(name), term(value))).collect()
}

/// A field table for programs: name, type and value of each field.
pub(super) fn typed(arguments: &Map<String, Value>) -> Value {
    arguments.iter().map(|(name, value)| json!([name, type_of(value), value_of(value)])).collect()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "void",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "long",
        Value::String(_) => "longstr",
        Value::Array(_) => "array",
        Value::Object(_) => "table",
    }
}

fn value_of(value: &Value) -> Value {
    match value {
        Value::Object(fields) => typed(fields),
        Value::Array(values) => values.iter().map(|value| json!([type_of(value), value_of(value)])).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// A value as a term: texts are binaries, names of columns atoms.
pub(super) fn term(value: &Value) -> String {
    match value {
        Value::Null => "undefined".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("<<{}>>", quoted(text)),
        Value::Array(values) => format!("[{}]", values.iter().map(term).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let pairs: Vec<_> =
                fields.iter().map(|(name, value)| format!("{{<<{}>>,{}}}", quoted(name), term(value))).collect();
            format!("[{}]", pairs.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_tables_look_as_in_rabbitmqs_lists() {
        let arguments = json!({ "x-max-length": 10, "x-queue-type": "classic", "nested": { "a\"": [true, 1.5] } });
        let arguments = arguments.as_object().unwrap();
        assert_eq!(
            proplist(arguments),
            r#"[{"nested",[{"a\"",[true,1.5]}]},{"x-max-length",10},{"x-queue-type","classic"}]"#
        );
        let expected = json!([
            ["nested", "table", [["a\"", "array", [["bool", true], ["double", 1.5]]]]],
            ["x-max-length", "long", 10],
            ["x-queue-type", "longstr", "classic"],
        ]);
        assert_eq!(typed(arguments), expected);
        assert_eq!(proplist(&Map::new()), "[]");
    }
}
