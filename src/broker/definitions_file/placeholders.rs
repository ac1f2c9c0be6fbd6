//! What looks as if something were to stand in for it, such as `${PASSWORD}`: nothing does, here or in RabbitMQ.

use serde_json::{Map, Value};

/// So many are told: a file that is a template of thousands of queues is understood after these.
pub(super) const TOLD_MAX: usize = 10;

/// The lists that a file may have.
const SECTIONS: [&str; 10] = [
    "vhosts",
    "users",
    "permissions",
    "topic_permissions",
    "parameters",
    "global_parameters",
    "policies",
    "queues",
    "exchanges",
    "bindings",
];

/// The first of them, each with its place: `${KEY} in routing_key of entry 1 of 'bindings'`.
pub(super) fn of(file: &Map<String, Value>) -> Vec<String> {
    let sections = SECTIONS.iter().filter_map(|section| Some((section, file.get(*section)?.as_array()?)));
    let entries =
        sections.flat_map(|(section, list)| (1..).zip(list).map(move |(number, entry)| (section, number, entry)));
    let found = entries.flat_map(|(section, number, entry): (_, usize, _)| {
        let fields = entry.as_object().into_iter().flatten();
        fields.filter_map(move |(field, value)| {
            Some(format!("{} in {field} of entry {number} of '{section}'", within(value)?))
        })
    });
    found.take(TOLD_MAX).collect()
}

/// The first one in a value.
fn within(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => placeholder(text),
        Value::Array(items) => items.iter().find_map(within),
        Value::Object(fields) => fields.values().find_map(within),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// `${NAME}` or `$(NAME)`, also with `env:` or a default. The end of a line and a group in a regular expression are none.
fn placeholder(text: &str) -> Option<&str> {
    text.match_indices('$').find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let close = match rest.as_bytes().get(1)? {
            b'{' => '}',
            b'(' => ')',
            _ => return None,
        };
        let name = rest.get(2..rest.find(close)?)?;
        let is_name = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '.' | ':' | '-');
        let found = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_') && name.chars().all(is_name);
        found.then(|| rest.get(..=name.len() + 2)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_after_a_dollar_are_placeholders() {
        for (text, expected) in [
            ("${A}", Some("${A}")),
            ("x-$(DLX)-y", Some("$(DLX)")),
            ("$ ${env:PASS_1}", Some("${env:PASS_1}")),
            ("${A:-b.c}", Some("${A:-b.c}")),
            ("^a$|(b|c)$", None),
            ("a{2}$", None),
            ("$(b|c)", None),
            ("${}", None),
            ("${A", None),
            ("$", None),
            ("ä${ö}", None),
        ] {
            assert_eq!(placeholder(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_are_told() {
        let queues = vec![serde_json::json!({ "name": "q", "arguments": { "a": [1, "$(B)"] } }); 20];
        let told = of(serde_json::json!({ "queues": queues, "policies": 1 }).as_object().unwrap());
        assert_eq!(told.len(), TOLD_MAX);
        assert_eq!(told[9], "$(B) in arguments of entry 10 of 'queues'");
    }
}
