//! The keys of bodies: a misspelt one is refused. Ignored, a `dry-run` would be done in earnest.

use serde_json::{Map, Value};

use super::operations::{Field, OPERATIONS};
use crate::http::refusal::Refusal;
use crate::nearest::nearest;

/// Looks at a request that changes something, on a route of this path. RabbitMQ's own endpoints ignore what they do not know.
///
/// # Errors
/// 400 when the body has a key that the operation does not.
pub(in crate::http) fn check(path: &str, body: &[u8]) -> Result<(), Refusal> {
    let own = path.strip_prefix("/leveret");
    let Some(operation) = OPERATIONS.iter().find(|operation| Some(operation.path) == own && operation.method != "get")
    else {
        return Ok(());
    };
    // What is no object is refused where it is read.
    let object: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let known: Vec<_> = operation.body.iter().map(|(name, ..): &Field| *name).collect();
    among(&object, &known)
}

/// # Errors
/// 400 when the object has a key that is none of these.
pub(super) fn among(object: &Map<String, Value>, known: &[&str]) -> Result<(), Refusal> {
    let Some(unknown) = object.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let instead = match nearest(unknown, known.iter().copied()) {
        Some(likely) => format!("did you mean '{likely}'?"),
        None if known.is_empty() => "none is taken here".to_owned(),
        None => format!("there is {}", known.join(", ")),
    };
    Err(Refusal::bad_request(format!("there is no key '{unknown}'; {instead}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &str, body: &str) -> Option<String> {
        check(path, body.as_bytes()).err().map(|refusal| refusal.reason.to_string())
    }

    #[test]
    fn a_misspelt_key_is_refused_and_the_likely_one_named() {
        let redrive = "/leveret/queues/{vhost}/{queue}/redrive";
        assert_eq!(refused(redrive, r#"{"dry_run": true, "limit": 5}"#), None);
        let likely = "\"there is no key 'dry-run'; did you mean 'dry_run'?\"";
        assert_eq!(refused(redrive, r#"{"dry-run": true}"#).as_deref(), Some(likely));
        let all = "\"there is no key 'colour'; there is until, count, timeout_ms\"";
        assert_eq!(refused("/leveret/queues/{vhost}/{queue}/expect", r#"{"colour": 1}"#).as_deref(), Some(all));
        let none = "\"there is no key 'dry_run'; none is taken here\"";
        assert_eq!(refused("/leveret/vhosts/{vhost}/reset", r#"{"dry_run": true}"#).as_deref(), Some(none));
    }

    #[test]
    fn bodies_of_rabbitmqs_endpoints_and_what_is_no_object_are_left_alone() {
        assert_eq!(refused("/queues/{vhost}/{name}", r#"{"colour": 1}"#), None);
        assert_eq!(refused("/leveret/app/stop", ""), None);
        assert_eq!(refused("/leveret/app/stop", "[]"), None);
    }
}
