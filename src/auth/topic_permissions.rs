//! Topic permissions: regular expressions on the routing keys of one topic exchange (behaviour reference 10).

use std::collections::BTreeMap;

use super::pattern::{InvalidPattern, Pattern};
use super::permissions::{Access, Resource};
use crate::error::AmqpError;

/// What the words in braces stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variables<'a> {
    /// `{username}`.
    pub(crate) username: &'a str,
    /// `{vhost}`.
    pub(crate) vhost: &'a str,
    /// `{client_id}`, which clients of MQTT have.
    pub(crate) client_id: Option<&'a str>,
}

impl Variables<'_> {
    /// An expression in which the words in braces are replaced. What they stand for is taken as it is: a name is no expression. One
    /// that stands for nothing is matched as it is written, as RabbitMQ does.
    fn expand(&self, text: &str) -> String {
        let literal = |name: &str, value: Option<&str>| match value {
            Some(value) => fancy_regex::escape(value).into_owned(),
            None => fancy_regex::escape(name).into_owned(),
        };
        let mut expanded = text.to_owned();
        for (name, value) in
            [("{username}", Some(self.username)), ("{vhost}", Some(self.vhost)), ("{client_id}", self.client_id)]
        {
            expanded = expanded.replace(name, &literal(name, value));
        }
        expanded
    }
}

/// What a user may do with the keys of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPermission {
    write: Pattern,
    read: Pattern,
}

impl TopicPermission {
    /// Permissions by regular expressions, for one user.
    ///
    /// # Errors
    /// When one of them is malformed.
    pub(crate) fn new(write: &str, read: &str, variables: &Variables<'_>) -> Result<Self, InvalidPattern> {
        let of = |text: &str| Pattern::of_permission(&variables.expand(text));
        Ok(Self { write: of(write)?, read: of(read)? })
    }

    /// Nothing is allowed.
    pub(crate) fn none() -> Self {
        Self { write: Pattern::nothing(), read: Pattern::nothing() }
    }

    fn allow(&self, access: Access, routing_key: &str) -> bool {
        let pattern = if access == Access::Read { &self.read } else { &self.write };
        pattern.is_match(routing_key)
    }
}

/// What a user may do with routing keys in a virtual host. An exchange that is not mentioned is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TopicPermissions(pub BTreeMap<String, TopicPermission>);

impl TopicPermissions {
    /// Whether anything is said of this exchange.
    pub(crate) fn mention(&self, exchange: &str) -> bool {
        self.0.contains_key(exchange)
    }

    /// # Errors
    /// 403 when this is not allowed. `exchange` must be a topic exchange: of others RabbitMQ asks nothing.
    pub(crate) fn check(
        &self,
        access: Access,
        exchange: &str,
        routing_key: &[u8],
        vhost: &str,
        user: &str,
    ) -> Result<(), AmqpError> {
        // An exchange of which nothing is said allows all keys.
        let Some(permission) = self.0.get(exchange) else { return Ok(()) };
        let routing_key = String::from_utf8_lossy(routing_key);
        if permission.allow(access, &routing_key) {
            return Ok(());
        }
        Err(topic_refused(access, exchange, &routing_key, vhost, user))
    }

    /// Whether this key may be used with a topic exchange. One of which nothing is said allows all keys.
    pub(crate) fn allow(&self, access: Access, exchange: &str, routing_key: &str) -> bool {
        self.0.get(exchange).is_none_or(|permission| permission.allow(access, routing_key))
    }
}

/// 403: this key is not allowed.
pub(crate) fn topic_refused(access: Access, exchange: &str, routing_key: &str, vhost: &str, user: &str) -> AmqpError {
    let (access, exchange) = (access.name(), Resource::Exchange(exchange));
    AmqpError::access_refused(format!(
        "{access} access to topic '{routing_key}' in {exchange} in vhost '{vhost}' refused for user '{user}'"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: &str, client_id: Option<&str>, key: &str) -> Result<(), AmqpError> {
        let variables = Variables { username: "a.b", vhost: "v", client_id };
        let permission = TopicPermission::new(write, "", &variables).unwrap();
        let permissions = TopicPermissions([("x".to_owned(), permission)].into());
        assert_eq!(permissions.check(Access::Write, "other", key.as_bytes(), "v", "a.b"), Ok(()));
        permissions.check(Access::Write, "x", key.as_bytes(), "v", "a.b")
    }

    #[test]
    fn names_stand_for_themselves() {
        let pattern = "^{username}-{vhost}.{client_id}$";
        assert!(check(pattern, Some("c"), "a.b-v.c").is_ok());
        assert!(check(pattern, Some("c"), "aXb-v.c").is_err(), "a name is no expression");
        assert!(check(pattern, None, "a.b-v.{client_id}").is_ok(), "as it is written");
    }

    #[test]
    fn a_refusal_names_the_key() {
        let refused = check("^a$", None, "zzz").unwrap_err();
        assert_eq!(
            refused.reply_text(),
            "ACCESS_REFUSED - write access to topic 'zzz' in exchange 'x' in vhost 'v' refused for user 'a.b'"
        );
        assert!(check("", None, "").is_err(), "an empty expression permits nothing");
    }
}
