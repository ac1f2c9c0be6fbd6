//! How the pages log in, and what follows from it: where they may connect to, and whether passwords are taken.

use axum::http::{HeaderValue, Uri};
use serde_json::Value;

use super::refusal::Refusal;

/// What the pages may do: run their own scripts and talk to this broker, and to those who issue tokens for it. Nothing else.
const POLICY_BEFORE: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'";
const POLICY_BEHIND: &str = "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The keys of `GET /auth` that name a place which the pages ask for something.
const ASKED: [&str; 3] = ["oauth_provider_url", "oauth_metadata_url", "token_endpoint"];

/// What is configured for logins in the pages.
#[derive(Clone, Debug)]
pub(crate) struct PagesLogin {
    told: Value,
    policy: HeaderValue,
    is_basic_refused: bool,
}

impl PagesLogin {
    /// `told` is what `GET /auth` answers.
    pub(crate) fn new(told: Value) -> Self {
        let is_on = |key: &str| told.get(key) == Some(&Value::Bool(true));
        let is_basic_refused = is_on("oauth_enabled") && is_on("oauth_disable_basic_auth");
        Self { policy: policy(&told), is_basic_refused, told }
    }

    /// What `GET /auth` answers.
    pub(super) const fn answer(&self) -> &Value {
        &self.told
    }

    /// The header `Content-Security-Policy` of the pages.
    pub(super) const fn policy(&self) -> &HeaderValue {
        &self.policy
    }

    /// # Errors
    /// 401 where users log in with tokens alone: a name with a password is not even looked at.
    pub(super) fn check_basic(&self) -> Result<(), Refusal> {
        if self.is_basic_refused {
            Err(Refusal::not_authorised("HTTP access denied: basic auth disabled"))
        } else {
            Ok(())
        }
    }
}

fn policy(told: &Value) -> HeaderValue {
    let servers = told.get("oauth_resource_servers").and_then(Value::as_object);
    let asked = servers.into_iter().flat_map(|servers| servers.values());
    let addresses = asked.flat_map(|server| ASKED.iter().filter_map(|key| server.get(*key)?.as_str()));
    let mut origins: Vec<_> = addresses.filter_map(origin).collect();
    origins.sort();
    origins.dedup();
    let connect: String = origins.iter().map(|origin| format!(" {origin}")).collect();
    let strict = || HeaderValue::from_static("default-src 'none'");
    HeaderValue::from_str(&format!("{POLICY_BEFORE}{connect}{POLICY_BEHIND}")).unwrap_or_else(|_| strict())
}

/// The scheme and the place of an address. What is no such thing must not get into the policy: a word more would allow more.
fn origin(address: &str) -> Option<String> {
    let uri: Uri = address.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | ':' | '[' | ']');
    let (host, port) = (authority.host(), authority.port_u16());
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    host.chars().all(is_plain).then(|| format!("{scheme}://{host}{port}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_policy_names_those_who_issue_tokens_and_nobody_else() {
        let told = json!({ "oauth_enabled": true, "oauth_resource_servers": {
            "a": { "oauth_provider_url": "https://idp.example/realms/a", "oauth_metadata_url": "https://idp.example/x" },
            "b": { "oauth_provider_url": "http://127.0.0.1:8080", "token_endpoint": "https://tokens.example:8443/token" },
            "c": { "oauth_provider_url": "https://u:p@idp.example" },
            "d": { "oauth_provider_url": "https://*" },
            "e": { "oauth_provider_url": "javascript:alert(1)" },
        } });
        let login = PagesLogin::new(told);
        let policy = login.policy().to_str().unwrap();
        let connect = "connect-src 'self' http://127.0.0.1:8080 https://idp.example https://tokens.example:8443;";
        assert!(policy.contains(connect), "{policy}");
        let login = PagesLogin::new(json!({ "oauth_enabled": false }));
        let policy = login.policy().to_str().unwrap();
        assert!(policy.contains("connect-src 'self';"), "{policy}");
    }

    #[test]
    fn passwords_are_refused_only_where_tokens_are_taken_instead() {
        for (told, is_taken) in [
            (json!({ "oauth_enabled": false }), true),
            (json!({ "oauth_enabled": true, "oauth_disable_basic_auth": false }), true),
            (json!({ "oauth_enabled": true, "oauth_disable_basic_auth": true }), false),
        ] {
            assert_eq!(PagesLogin::new(told.clone()).check_basic().is_ok(), is_taken, "{told}");
        }
    }
}
