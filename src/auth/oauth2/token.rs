//! A token whose signature holds: whether it is for this broker, who it names, what it allows and until when.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{audience, claims, scope};
use crate::auth::{BackendAnswer, Question};

/// More scopes than RabbitMQ takes.
const SCOPES_MAX: usize = 2048;

/// What is configured of tokens. The fields carry the names of RabbitMQ's keys, `auth_oauth2.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/configuration.md says what each is")]
pub(crate) struct Rules {
    pub(crate) resource_server_id: String,
    pub(crate) resource_server_type: String,
    pub(crate) scope_prefix: String,
    pub(crate) additional_scopes_key: String,
    pub(crate) scope_aliases: HashMap<String, Vec<String>>,
    pub(crate) preferred_username_claims: Vec<String>,
    pub(crate) verify_aud: bool,
    pub(crate) require_exp: bool,
    /// What tokens may be signed with; empty for everything that is known.
    pub(crate) algorithms: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            resource_server_id: String::new(),
            resource_server_type: String::new(),
            scope_prefix: String::new(),
            additional_scopes_key: String::new(),
            scope_aliases: HashMap::new(),
            preferred_username_claims: ["sub", "client_id"].map(str::to_owned).to_vec(),
            verify_aud: true,
            require_exp: true,
            algorithms: Vec::new(),
        }
    }
}

/// Why a token is no good: in RabbitMQ's words, as its log shows them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct InvalidToken(pub String);

impl InvalidToken {
    pub(super) fn error(reason: &str) -> Self {
        Self(format!("Authentication using an OAuth 2/JWT token failed: {{error,{reason}}}"))
    }

    pub(super) fn malformed() -> Self {
        Self("Authentication using an OAuth 2/JWT token failed: provided token is invalid".to_owned())
    }

    /// No key of this name is known.
    pub(crate) fn key_not_found() -> Self {
        Self::error("key_not_found")
    }

    pub(super) fn audience(reason: &str) -> Self {
        Self(format!("Authentication using OAuth 2/JWT token failed: {{error,{reason}}}"))
    }
}

/// What a token says that is believed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AccessToken {
    claims: Map<String, Value>,
    scopes: Vec<String>,
    username: String,
    expires: Expires,
}

/// When a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expires {
    /// In seconds since 1970.
    At(u64),
    Never,
}

impl Rules {
    /// Looks whether a token is for this broker and has not ended.
    ///
    /// # Errors
    /// Why it is no good.
    pub(crate) fn token(&self, claims: Map<String, Value>, now_ms: u64) -> Result<AccessToken, InvalidToken> {
        self.check_audience(claims.get("aud"))?;
        let scopes = claims::scopes(&claims, self);
        if scopes.len() > SCOPES_MAX {
            return Err(InvalidToken::error("too_many_scopes"));
        }
        let expires = self.expires(&claims).map_err(quoted)?;
        let token = AccessToken { username: self.username(&claims), claims, scopes, expires };
        match token.expired(now_ms) {
            Some(text) => Err(quoted(text)),
            None => Ok(token),
        }
    }

    fn check_audience(&self, audience: Option<&Value>) -> Result<(), InvalidToken> {
        let id = self.resource_server_id.as_str();
        if !id.is_empty() && (audience::has(audience, id) || !self.verify_aud) {
            return Ok(());
        }
        Err(InvalidToken::audience(audience::none(audience)))
    }

    fn expires(&self, claims: &Map<String, Value>) -> Result<Expires, String> {
        match claims.get("exp") {
            Some(Value::Number(seconds)) => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a cast of a float saturates"
                )]
                let whole = |seconds: f64| seconds as u64;
                Ok(Expires::At(seconds.as_u64().unwrap_or_else(|| seconds.as_f64().map_or(0, whole))))
            }
            Some(_) => Err("Provided JWT token has an invalid exp claim: value is not a number".to_owned()),
            None if self.require_exp => Err("Provided JWT token has no exp claim".to_owned()),
            None => Ok(Expires::Never),
        }
    }

    fn username(&self, claims: &Map<String, Value>) -> String {
        let mut names = self.preferred_username_claims.iter().filter_map(|claim| claims.get(claim)?.as_str());
        names.next().unwrap_or("unknown").to_owned()
    }
}

fn quoted(text: String) -> InvalidToken {
    InvalidToken(format!("Authentication using an OAuth 2/JWT token failed: \"{text}\""))
}

impl AccessToken {
    /// Who it is for.
    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    /// The tags of its user.
    pub(crate) fn tags(&self) -> Vec<String> {
        scope::tags(&self.scopes)
    }

    /// When it ends.
    pub(crate) fn expires_at_ms(&self) -> Option<u64> {
        match self.expires {
            Expires::At(seconds) => Some(seconds.saturating_mul(1000)),
            Expires::Never => None,
        }
    }

    /// RabbitMQ's sentence when it has ended.
    fn expired(&self, now_ms: u64) -> Option<String> {
        let now = now_ms / 1000;
        match self.expires {
            Expires::At(at) if at <= now => {
                Some(format!("Provided JWT token has expired at timestamp {at} (validated at {now})"))
            }
            Expires::At(_) | Expires::Never => None,
        }
    }

    /// Whether it allows this.
    pub(crate) fn answer(&self, question: &Question, now_ms: u64) -> BackendAnswer {
        match self.expired(now_ms) {
            Some(text) => BackendAnswer::CannotSay(format!("\"{text}\"")),
            None => scope::allow(&self.scopes, &self.claims, question).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        let aliases =
            [("admin".to_owned(), vec!["rabbitmq.tag:administrator".to_owned(), "rabbitmq.read:*/*".to_owned()])];
        Rules {
            resource_server_id: "rabbitmq".to_owned(),
            scope_prefix: "rabbitmq.".to_owned(),
            additional_scopes_key: "roles realm.list.names".to_owned(),
            scope_aliases: aliases.into(),
            ..Rules::default()
        }
    }

    fn token(rules: &Rules, claims: Value) -> Result<AccessToken, String> {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        rules.token(claims, 1_000_000).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_scopes(claims: Value, expected: &[&str]) {
        let mut all = json!({ "aud": "rabbitmq", "exp": 2000 });
        all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        assert_eq!(token(&rules(), all).unwrap().scopes, expected, "{claims}");
    }

    #[test]
    fn scopes_are_found_wherever_they_stand() {
        check_scopes(json!({"scope": "rabbitmq.read:a/b other.x rabbitmq.read:a/b"}), &["read:a/b"]);
        check_scopes(json!({"scope": ["rabbitmq.tag:monitoring", 5]}), &["tag:monitoring"]);
        check_scopes(json!({"scope": "admin"}), &["read:*/*", "tag:administrator"]);
        check_scopes(json!({"roles": ["rabbitmq.write:a/b"]}), &["write:a/b"]);
        check_scopes(json!({"roles": {"rabbitmq": "write:a/b", "other": "read:a/b"}}), &["write:a/b"]);
        check_scopes(
            json!({"realm": {"list": [{"names": "rabbitmq.read:a/b"}, {"names": ["rabbitmq.read:c/d"]}, 1]}}),
            &["read:a/b", "read:c/d"],
        );
        check_scopes(
            json!({"authorization": {"permissions": [{"scopes": ["rabbitmq.configure:a/b"]}]}}),
            &["configure:a/b"],
        );
        check_scopes(json!({"scope": {"deep": 1}, "roles": null}), &[]);
    }

    #[test]
    fn a_token_for_somebody_else_is_refused() {
        let refused = |reason: &str| Err(format!("Authentication using OAuth 2/JWT token failed: {{error,{reason}}}"));
        for (audience, expected) in [
            (json!({"aud": "other"}), refused("no_matching_aud_found")),
            (json!({"aud": ["a", "b"]}), refused("no_matching_aud_found")),
            (json!({}), refused("no_aud_found")),
            (json!({"aud": "other rabbitmq"}), Ok("unknown".to_owned())),
            (json!({"aud": ["other", "rabbitmq"]}), Ok("unknown".to_owned())),
        ] {
            let mut claims = audience.clone();
            claims["exp"] = json!(2000);
            assert_eq!(token(&rules(), claims.clone()).map(|token| token.username), expected, "{audience}");
            let lax = Rules { verify_aud: false, ..rules() };
            assert!(token(&lax, claims).is_ok(), "{audience}");
        }
        let nameless = Rules { resource_server_id: String::new(), verify_aud: false, ..rules() };
        assert!(token(&nameless, json!({"aud": "", "exp": 2000})).is_err(), "a resource server needs a name");
    }

    #[test]
    fn the_first_claim_that_names_somebody_counts() {
        let name = |claims: Value| token(&rules(), claims).unwrap().username;
        assert_eq!(name(json!({"aud": "rabbitmq", "exp": 2000, "client_id": "c"})), "c");
        assert_eq!(name(json!({"aud": "rabbitmq", "exp": 2000, "client_id": "c", "sub": "s"})), "s");
        let preferred = Rules { preferred_username_claims: vec!["user_name".to_owned()], ..rules() };
        assert_eq!(token(&preferred, json!({"aud": "rabbitmq", "exp": 2000, "sub": "s"})).unwrap().username, "unknown");
    }

    #[test]
    fn a_token_ends() {
        fn failed<T>(text: &str) -> Result<T, String> {
            Err(format!("Authentication using an OAuth 2/JWT token failed: \"{text}\""))
        }
        let end =
            |exp: Value| token(&rules(), json!({"aud": "rabbitmq", "exp": exp})).map(|token| token.expires_at_ms());
        assert_eq!(end(json!(1001)), Ok(Some(1_001_000)));
        assert_eq!(end(json!(1001.9)), Ok(Some(1_001_000)));
        assert_eq!(end(json!(1000)), failed("Provided JWT token has expired at timestamp 1000 (validated at 1000)"));
        assert_eq!(end(json!("1001")), failed("Provided JWT token has an invalid exp claim: value is not a number"));
        let endless = json!({"aud": "rabbitmq"});
        assert_eq!(token(&rules(), endless.clone()).map(drop), failed("Provided JWT token has no exp claim"));
        let lax = Rules { require_exp: false, ..rules() };
        assert_eq!(token(&lax, endless).unwrap().expires_at_ms(), None);
        let token = token(&rules(), json!({"aud": "rabbitmq", "exp": 1001, "scope": "rabbitmq.read:*/*"})).unwrap();
        let enter = Question::Vhost { vhost: "v".into(), from: std::net::Ipv4Addr::LOCALHOST.into() };
        assert_eq!(token.answer(&enter, 1_000_999), BackendAnswer::Allow);
        let text = "\"Provided JWT token has expired at timestamp 1001 (validated at 1001)\"".to_owned();
        assert_eq!(token.answer(&enter, 1_001_000), BackendAnswer::CannotSay(text));
    }
}
