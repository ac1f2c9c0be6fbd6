//! What can be declared and deleted: a table of its path, its keys and how they are written.

use serde_json::{Map, Value};

use super::arguments::Request;
use crate::commands::client::escaped;

/// How the value of a key is written in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Boolean,
    Number,
    Json,
}

/// A key of an object.
#[derive(Clone, Copy, Debug)]
struct Key {
    /// As it is written on the command line.
    name: &'static str,
    /// As the API has it.
    api: &'static str,
    form: Form,
    is_required: bool,
}

const fn text(name: &'static str) -> Key {
    Key { name, api: name, form: Form::Text, is_required: false }
}

const fn json(name: &'static str) -> Key {
    Key { form: Form::Json, ..text(name) }
}

const fn boolean(name: &'static str) -> Key {
    Key { form: Form::Boolean, ..text(name) }
}

const fn required(key: Key) -> Key {
    Key { is_required: true, ..key }
}

/// Something that can be declared.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: &'static str,
    /// Its path, with keys in braces; `{vhost}` is the virtual host that was chosen.
    path: &'static str,
    keys: &'static [Key],
}

const POLICY: &[Key] = &[
    required(text("pattern")),
    required(json("definition")),
    Key { form: Form::Number, ..text("priority") },
    Key { api: "apply-to", ..text("apply_to") },
];

pub(super) const OBJECTS: &[Object] = &[
    Object {
        name: "queue",
        path: "/queues/{vhost}/{name}",
        keys: &[boolean("durable"), boolean("auto_delete"), json("arguments"), text("queue_type"), text("type")],
    },
    Object {
        name: "exchange",
        path: "/exchanges/{vhost}/{name}",
        keys: &[
            required(text("type")),
            boolean("durable"),
            boolean("auto_delete"),
            boolean("internal"),
            json("arguments"),
        ],
    },
    Object {
        name: "vhost",
        path: "/vhosts/{name}",
        keys: &[boolean("tracing"), text("description"), text("tags"), text("default_queue_type")],
    },
    Object { name: "user", path: "/users/{name}", keys: &[text("password"), text("password_hash"), text("tags")] },
    Object {
        name: "permission",
        path: "/permissions/{vhost}/{user}",
        keys: &[required(text("configure")), required(text("write")), required(text("read"))],
    },
    Object { name: "policy", path: "/policies/{vhost}/{name}", keys: POLICY },
    Object { name: "operator_policy", path: "/operator-policies/{vhost}/{name}", keys: POLICY },
    Object { name: "parameter", path: "/parameters/{component}/{vhost}/{name}", keys: &[required(json("value"))] },
    Object { name: "vhost_limit", path: "/vhost-limits/{vhost}/{name}", keys: &[required(json("value"))] },
    Object { name: "user_limit", path: "/user-limits/{user}/{name}", keys: &[required(json("value"))] },
];

/// Finds it by name.
pub(super) fn find(name: &str) -> Option<&'static Object> {
    // The second version has the plural in some places.
    let one = match name.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None => name.strip_suffix('s').unwrap_or(name).to_owned(),
    };
    OBJECTS.iter().find(|object| object.name == name || object.name == one)
}

impl Object {
    /// # Errors
    /// When a key of the path is missing.
    pub(super) fn path(&self, request: &Request) -> Result<String, String> {
        let mut path = String::new();
        for part in self.path.split('/').skip(1) {
            path.push('/');
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some("vhost") => path += &escaped(request.own_vhost()),
                Some(key) => path += &escaped(request.required(key)?),
                None => path += part,
            }
        }
        Ok(path)
    }

    /// # Errors
    /// When a key is missing, is not known, or cannot be read.
    pub(super) fn body(&self, request: &Request) -> Result<Value, String> {
        let mut body = Map::new();
        for key in self.keys {
            match request.pair(key.name) {
                Some(text) => drop(body.insert(key.api.to_owned(), value(*key, text)?)),
                None if key.is_required => return Err(format!("mandatory argument '{}' is missing", key.name)),
                None => {}
            }
        }
        let in_path = |key: &str| key == "vhost" || self.path.contains(&format!("{{{key}}}"));
        let is_known = |key: &str| in_path(key) || key == "node" || self.keys.iter().any(|known| known.name == key);
        if let Some(unknown) = request.pairs.keys().find(|key| !is_known(key)) {
            return Err(format!("a {} has no argument '{unknown}'", self.name));
        }
        if matches!(self.name, "queue" | "exchange") {
            // Both versions of RabbitMQ's tool do. The HTTP API itself takes what is not said for transient.
            body.entry("durable").or_insert(Value::from(true));
        }
        match self.name {
            "queue" => typed(&mut body)?,
            "user" if !body.contains_key("tags") => drop(body.insert("tags".to_owned(), Value::from(""))),
            _ => {}
        }
        Ok(Value::Object(body))
    }
}

/// The type of a queue is one of its arguments.
fn typed(body: &mut Map<String, Value>) -> Result<(), String> {
    let (queue_type, kind) = (body.remove("queue_type"), body.remove("type"));
    let Some(kind) = queue_type.or(kind) else { return Ok(()) };
    let arguments = body.entry("arguments").or_insert_with(|| Value::Object(Map::new()));
    let arguments = arguments.as_object_mut().ok_or("arguments are a JSON object")?;
    arguments.insert("x-queue-type".to_owned(), kind);
    Ok(())
}

fn value(key: Key, text: &str) -> Result<Value, String> {
    let wrong = |what: &str| format!("{}={text} is no {what}", key.name);
    match key.form {
        Form::Text => Ok(Value::from(text)),
        Form::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::from(true)),
            "false" | "no" | "0" => Ok(Value::from(false)),
            _ => Err(wrong("truth value; write true or false")),
        },
        Form::Number => text.parse::<i64>().map(Value::from).map_err(|_none| wrong("number")),
        Form::Json => serde_json::from_str(text).map_err(|error| format!("{}: {error}", wrong("JSON"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(line: &str) -> Value {
        let request = Request::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap();
        find(request.word(1)).unwrap().body(&request).unwrap()
    }

    #[test]
    fn queues_and_exchanges_are_durable_unless_told_otherwise() {
        let is_durable = |line: &str| body(line).get("durable").and_then(Value::as_bool);
        assert_eq!(is_durable("declare queue name=q"), Some(true));
        assert_eq!(is_durable("declare queue --name q --type quorum"), Some(true));
        assert_eq!(is_durable("declare exchange name=e type=topic"), Some(true));
        assert_eq!(is_durable("declare queue name=q durable=false"), Some(false));
        assert_eq!(is_durable("declare exchange --name e --type topic --durable false"), Some(false));
        assert_eq!(is_durable("declare vhost name=v"), None);
    }
}
