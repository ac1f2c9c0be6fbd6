//! Scopes: `read:VHOST/NAME`, `write:VHOST/EXCHANGE/ROUTING_KEY`, `configure:...`, `tag:administrator`.

use serde_json::{Map, Value};

use super::wildcard::{literal, matches};
use crate::auth::{Access, Question};

const TAG: &str = "tag:";

/// Whether one of these scopes allows this. `{vhost}` and `{CLAIM}` stand for what they name, and for nothing else: a name is no pattern.
pub(super) fn allow(scopes: &[String], claims: &Map<String, Value>, question: &Question) -> bool {
    let vhost = match question {
        Question::Vhost { vhost, .. } | Question::Resource { vhost, .. } | Question::Topic { vhost, .. } => vhost,
    };
    scopes.iter().any(|scope| {
        let scope = expanded(scope, claims, vhost);
        Permission::read(&scope).is_some_and(|permission| permission.allows(question))
    })
}

/// The tags among scopes.
pub(super) fn tags(scopes: &[String]) -> Vec<String> {
    scopes.iter().filter_map(|scope| scope.strip_prefix(TAG)).map(str::to_owned).collect()
}

/// A scope that is about virtual hosts.
struct Permission<'a> {
    access: Access,
    vhost: &'a str,
    name: &'a str,
    key: Option<&'a str>,
}

impl<'a> Permission<'a> {
    fn read(scope: &'a str) -> Option<Self> {
        let (access, rest) = scope.split_once(':')?;
        let access = match access {
            "read" => Access::Read,
            "write" => Access::Write,
            "configure" => Access::Configure,
            _ => return None,
        };
        let mut parts = rest.split('/');
        let permission = Self { access, vhost: parts.next()?, name: parts.next()?, key: parts.next() };
        parts.next().is_none().then_some(permission)
    }

    fn allows(&self, question: &Question) -> bool {
        match question {
            Question::Vhost { vhost, .. } => matches(vhost, self.vhost),
            Question::Resource { vhost, access, name, .. } => {
                *access == self.access && matches(vhost, self.vhost) && matches(name, self.name)
            }
            Question::Topic { vhost, access, exchange, key } => {
                let allows_key = self.key.is_some_and(|pattern| matches(key, pattern));
                allows_key && *access == self.access && matches(vhost, self.vhost) && matches(exchange, self.name)
            }
        }
    }
}

/// A scope in which names in braces are replaced. One whose braces are malformed is empty, as in RabbitMQ, and allows nothing.
fn expanded(scope: &str, claims: &Map<String, Value>, vhost: &str) -> String {
    let mut rest = scope;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        let end = after.find(['{', '.', '*', '}']);
        let Some((name, behind)) = end.and_then(|end| after.split_at_checked(end)) else { return String::new() };
        let Some(behind) = behind.strip_prefix('}') else { return String::new() };
        let value = if name == "vhost" { vhost } else { claims.get(name).and_then(Value::as_str).unwrap_or(name) };
        text.push_str(before);
        text.push_str(&literal(value));
        rest = behind;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::*;
    use crate::auth::Resource;

    fn allowed(scope: &str, question: &Question) -> bool {
        let claims = json!({ "client_id": "app", "star": "*", "number": 5 });
        allow(&[scope.to_owned()], claims.as_object().unwrap(), question)
    }

    fn queue(vhost: &str, access: Access, name: &str) -> Question {
        Question::resource(&vhost.into(), access, Resource::Queue(name))
    }

    #[test]
    fn a_scope_allows_one_kind_of_access() {
        let read = queue("/", Access::Read, "orders");
        for scope in ["read:*/*", "read:%2F/orders", "read:*/ord*", "read:%2f/orders/*", "read:{vhost}/*"] {
            assert!(allowed(scope, &read), "{scope}");
        }
        for scope in [
            "write:*/*",
            "read:other/*",
            "read:*/x*",
            "read:*",
            "read:/",
            "read:*/*/*/*",
            "*:*/*",
            "tag:administrator",
            "",
        ] {
            assert!(!allowed(scope, &read), "{scope}");
        }
    }

    #[test]
    fn any_scope_of_a_virtual_host_lets_in() {
        let enter = Question::Vhost { vhost: "v".into(), from: Ipv4Addr::LOCALHOST.into() };
        assert!(
            allowed("configure:v/nothing", &enter)
                && !allowed("read:w/*", &enter)
                && !allowed("tag:management", &enter)
        );
    }

    #[test]
    fn keys_are_allowed_by_three_parts_only() {
        let topic = |key: &str| Question::topic(&"v".into(), Access::Write, "x", key.as_bytes());
        assert!(allowed("write:v/x/a.*", &topic("a.b")) && !allowed("write:v/x/a.*", &topic("b")));
        assert!(!allowed("write:v/x", &topic("a")), "two parts say nothing of keys");
        assert!(!allowed("read:v/x/*", &topic("a")));
    }

    #[test]
    fn braces_stand_for_claims_and_claims_for_themselves() {
        assert!(allowed("read:*/{client_id}-*", &queue("/", Access::Read, "app-1")));
        assert!(!allowed("read:*/{star}", &queue("/", Access::Read, "orders")), "a claim is no pattern");
        assert!(allowed("read:*/{star}", &queue("/", Access::Read, "*")));
        assert!(allowed("read:*/{nothing}", &queue("/", Access::Read, "nothing")));
        assert!(
            !allowed("read:*/{a.b}", &queue("/", Access::Read, "a.b"))
                && !allowed("read:*/{a", &queue("/", Access::Read, "a"))
        );
    }
}
