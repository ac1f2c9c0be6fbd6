//! Users, as they are kept: in the shape in which RabbitMQ's definitions files have them.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::password::{HashingAlgorithm, PasswordHash};

/// The tag of those who may do everything over HTTP.
pub(crate) const ADMINISTRATOR: &str = "administrator";
/// The tag of those who may set any `user_id`.
pub(crate) const IMPERSONATOR: &str = "impersonator";

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UserRecord", into = "UserRecord")]
pub struct User {
    /// The name that it logs in with.
    pub name: Arc<str>,
    /// What its password is compared with.
    pub password: PasswordHash,
    /// What it may do over HTTP.
    pub(crate) tags: Vec<String>,
    /// What it may have at a time.
    pub(crate) limits: UserLimits,
    /// It may set any `user_id`, because of its tags.
    pub(crate) is_impersonator: bool,
}

impl User {
    /// A user without limits.
    pub fn new(name: &str, password: PasswordHash, tags: Vec<String>) -> Self {
        let is_impersonator = tags.iter().any(|tag| tag == IMPERSONATOR);
        Self { name: name.into(), password, tags, limits: UserLimits::default(), is_impersonator }
    }

    /// Whether it has this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|its| its == tag)
    }
}

/// What a user may have at a time. A negative number is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct UserLimits {
    /// Connections that it may have at a time; a negative number for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_connections: Option<i64>,
    /// Channels of all its connections together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_channels: Option<i64>,
}

/// A user as RabbitMQ writes it.
#[derive(Serialize, Deserialize)]
struct UserRecord {
    name: Arc<str>,
    #[serde(default)]
    password_hash: String,
    #[serde(default)]
    hashing_algorithm: HashingAlgorithm,
    #[serde(default, deserialize_with = "tags")]
    tags: Vec<String>,
    #[serde(default)]
    limits: UserLimits,
}

impl From<User> for UserRecord {
    fn from(user: User) -> Self {
        let User { name, password, tags, limits, .. } = user;
        Self { name, password_hash: password.to_base64(), hashing_algorithm: password.algorithm(), tags, limits }
    }
}

impl TryFrom<UserRecord> for User {
    type Error = &'static str;

    fn try_from(record: UserRecord) -> Result<Self, Self::Error> {
        let UserRecord { name, password_hash, hashing_algorithm, tags, limits } = record;
        let password = PasswordHash::from_base64(&password_hash, hashing_algorithm).ok_or("not_base64")?;
        Ok(Self { limits, ..Self::new(&name, password, tags) })
    }
}

/// Tags as RabbitMQ takes them: a list, or names with commas between them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tags {
    Text(String),
    List(Vec<String>),
}

/// Reads tags in either form.
///
/// # Errors
/// When they are something else.
pub(crate) fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match Tags::deserialize(deserializer)? {
        Tags::Text(text) => split_tags(&text),
        Tags::List(list) => list,
    })
}

/// Tags of a text in which commas are between them.
pub(crate) fn split_tags(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_comes_back_from_json_with_tags_in_either_form() {
        let hash = "KZ+HQdWBkV/mlf/qF7DmDRVotGnKuQf+8FVtbDOBIlK/Xsge";
        for tags in [r#""management, impersonator""#, r#"["management","impersonator"]"#] {
            let json = format!(
                r#"{{"name":"u","password_hash":"{hash}","hashing_algorithm":"rabbit_password_hashing_sha256",
                    "tags":{tags},"limits":{{"max-connections":5}}}}"#
            );
            let user: User = serde_json::from_str(&json).unwrap();
            assert!(user.password.matches(b"y") && user.is_impersonator && user.has_tag("management"));
            assert_eq!(user.limits, UserLimits { max_connections: Some(5), max_channels: None });
            let back: User = serde_json::from_value(serde_json::to_value(&user).unwrap()).unwrap();
            assert_eq!(back, user);
        }
    }

    #[test]
    fn a_name_alone_is_a_user_who_cannot_log_in() {
        let user: User = serde_json::from_str(r#"{"name":"u"}"#).unwrap();
        assert_eq!(user, User::new("u", PasswordHash::none(), Vec::new()));
        assert!(serde_json::from_str::<User>(r#"{"name":"u","password_hash":"?"}"#).is_err());
    }
}
