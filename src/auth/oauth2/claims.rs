//! Where in a token scopes stand: `scope`, `authorization.permissions.scopes` (Keycloak), `authorization_details` (rich requests), and
//! the claims that `auth_oauth2.additional_scopes_key` names.

use serde_json::{Map, Value};

use super::rich;
use super::token::Rules;

/// Where Keycloak has them.
const REQUESTING_PARTY: &str = "authorization.permissions.scopes";

/// The scopes that concern this broker, without their prefix, each once.
pub(super) fn scopes(claims: &Map<String, Value>, rules: &Rules) -> Vec<String> {
    let mut scopes = claims.get("scope").map(|value| listed(value, rules)).unwrap_or_default();
    let paths = std::iter::once(REQUESTING_PARTY).chain(rules.additional_scopes_key.split(' '));
    for path in paths.filter(|path| !path.is_empty()) {
        let words: Vec<_> = path.split('.').filter(|word| !word.is_empty()).collect();
        found(claims, &words, rules, &mut scopes);
    }
    let aliased = scopes.iter().filter_map(|scope| rules.scope_aliases.get(scope)).flatten().cloned();
    scopes.extend(aliased.collect::<Vec<_>>());
    scopes.extend(rich::scopes(claims, rules));
    let mut own: Vec<_> =
        scopes.iter().filter_map(|scope| scope.strip_prefix(rules.scope_prefix.as_str())).map(str::to_owned).collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// Scopes that a value lists: in an array, between blanks, or by the name of a resource server.
fn listed(value: &Value, rules: &Rules) -> Vec<String> {
    let words = |text: &str| text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    match value {
        Value::String(text) => words(text),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(of_servers) => {
            let own = match of_servers.get(&rules.resource_server_id) {
                Some(Value::String(text)) => words(text),
                Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                _ => Vec::new(),
            };
            own.into_iter().map(|scope| format!("{}.{scope}", rules.resource_server_id)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Adds the scopes at the end of a path, which may lead through lists.
fn found(claims: &Map<String, Value>, path: &[&str], rules: &Rules, scopes: &mut Vec<String>) {
    let Some((first, rest)) = path.split_first() else { return };
    match claims.get(*first) {
        Some(value) if rest.is_empty() => scopes.extend(listed(value, rules)),
        Some(Value::Object(inner)) => found(inner, rest, rules, scopes),
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_object).for_each(|inner| found(inner, rest, rules, scopes));
        }
        _ => {}
    }
}
