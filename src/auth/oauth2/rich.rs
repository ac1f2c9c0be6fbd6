//! Rich authorization requests (RFC 9396): permissions as objects with a type, actions and locations.

use serde_json::{Map, Value};

use super::token::Rules;
use super::wildcard::matches;

const TAGS: [&str; 4] = ["monitoring", "administrator", "management", "policymaker"];
const ACTIONS: [&str; 3] = ["read", "write", "configure"];

/// The scopes that the claim `authorization_details` comes to, with the prefix of this resource server.
pub(super) fn scopes(claims: &Map<String, Value>, rules: &Rules) -> Vec<String> {
    let Some(Value::Array(details)) = claims.get("authorization_details") else { return Vec::new() };
    let is_own = |detail: &&Map<String, Value>| {
        let kind = detail.get("type").and_then(Value::as_str);
        !rules.resource_server_type.is_empty() && kind == Some(rules.resource_server_type.as_str())
    };
    details.iter().filter_map(Value::as_object).filter(is_own).flat_map(|detail| of_detail(detail, rules)).collect()
}

fn of_detail(detail: &Map<String, Value>, rules: &Rules) -> Vec<String> {
    let locations = texts(detail.get("locations"));
    let paths: Vec<_> = locations.iter().filter_map(|location| path(location, &rules.resource_server_id)).collect();
    if paths.is_empty() {
        return Vec::new();
    }
    let id = &rules.resource_server_id;
    let of_action = |action: &str| match action {
        tag if TAGS.contains(&tag) => vec![format!("{id}.tag:{tag}")],
        action if ACTIONS.contains(&action) => paths.iter().map(|path| format!("{id}.{action}:{path}")).collect(),
        _ => Vec::new(),
    };
    texts(detail.get("actions")).iter().flat_map(|action| of_action(action)).collect()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// `cluster:C/vhost:V/queue:Q` as the part of a scope behind its colon; `None` when it is not of this cluster.
fn path(location: &str, resource_server_id: &str) -> Option<String> {
    let words = location.split('/').filter_map(|attribute| attribute.split_once(':'));
    let attributes: Vec<_> = words.map(|(key, value)| (key, value.split(':').next().unwrap_or(value))).collect();
    let of = |key: &str| attributes.iter().rev().find(|(known, _)| *known == key).map(|(_, value)| *value);
    if !of("cluster").is_some_and(|cluster| matches(resource_server_id, cluster)) {
        return None;
    }
    let resource = match (of("queue"), of("exchange")) {
        (Some(queue), Some(exchange)) if queue != exchange => return None,
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => "*",
    };
    Some(format!("{}/{resource}/{}", of("vhost").unwrap_or("*"), of("routing-key").unwrap_or("*")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_of_this_cluster_become_scopes() {
        let rules = Rules {
            resource_server_id: "rabbitmq".to_owned(),
            resource_server_type: "rabbitmq-type".to_owned(),
            ..Rules::default()
        };
        let check = |detail: Value, expected: &[&str]| {
            let claims = json!({ "authorization_details": [detail] });
            assert_eq!(scopes(claims.as_object().unwrap(), &rules), expected, "{claims}");
        };
        check(
            json!({"type": "rabbitmq-type", "locations": ["cluster:rabbit*/vhost:v/queue:q"], "actions": ["read", "paint"]}),
            &["rabbitmq.read:v/q/*"],
        );
        check(
            json!({"type": "rabbitmq-type", "locations": "cluster:*", "actions": ["write", "administrator"]}),
            &["rabbitmq.write:*/*/*", "rabbitmq.tag:administrator"],
        );
        check(json!({"type": "rabbitmq-type", "locations": ["vhost:v"], "actions": ["read"]}), &[]);
        check(json!({"type": "other", "locations": ["cluster:*"], "actions": ["read"]}), &[]);
        check(
            json!({"type": "rabbitmq-type", "locations": ["cluster:*/queue:a/exchange:b"], "actions": ["read"]}),
            &[],
        );
    }
}
