//! JSON values as RabbitMQ's texts have them: Erlang terms.

use std::fmt;

use serde_json::Value;

/// Prints a value as an Erlang term.
pub(in crate::broker) struct Erlang<'a>(pub(in crate::broker) &'a Value);

impl fmt::Display for Erlang<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::String(text) => write!(f, "<<{text:?}>>"),
            Value::Array(values) => {
                f.write_str("[")?;
                for (number, value) in values.iter().enumerate() {
                    write!(f, "{}{}", if number > 0 { "," } else { "" }, Self(value))?;
                }
                f.write_str("]")
            }
            Value::Object(fields) => {
                f.write_str("#{")?;
                for (number, (name, value)) in fields.iter().enumerate() {
                    write!(f, "{}<<{name:?}>> => {}", if number > 0 { "," } else { "" }, Self(value))?;
                }
                f.write_str("}")
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_in_erlang() {
        let value = serde_json::json!([{"a": 1}, null, true, "x\"y", 1.5]);
        assert_eq!(Erlang(&value).to_string(), r#"[#{<<"a">> => 1},null,true,<<"x\"y">>,1.5]"#);
    }
}
