//! Limits of virtual hosts and users, put one by one under RabbitMQ's names.

use serde_json::Value;

use super::AdministrationError;
use crate::auth::{User, UserLimits};
use crate::broker::Broker;
use crate::broker::definitions::{Administered, VhostDefinition, VhostLimits};
use crate::broker::policies::Erlang;

/// How many connections there may be, of a virtual host or a user.
const MAX_CONNECTIONS: &str = "max-connections";
/// How many queues there may be in a virtual host.
const MAX_QUEUES: &str = "max-queues";
/// How many channels a user may have.
const MAX_CHANNELS: &str = "max-channels";

/// What texts call the limits of users.
const USER_LIMITS: &str = "user-limits";

impl Broker {
    /// Sets a limit of a virtual host; a negative number is none. What is there already stays.
    ///
    /// # Errors
    /// When there is no such virtual host or limit, or the value is no whole number.
    pub fn put_vhost_limit(&self, vhost: &str, limit: &str, value: &Value) -> Result<(), AdministrationError> {
        let number = check(limit, value, [MAX_CONNECTIONS, MAX_QUEUES], "limits")?;
        self.change_vhost_limit(vhost, limit, Some(number))
    }

    /// Takes a limit of a virtual host away; one that is not there is fine.
    ///
    /// # Errors
    /// When there is no such virtual host.
    pub fn delete_vhost_limit(&self, vhost: &str, limit: &str) -> Result<(), AdministrationError> {
        self.change_vhost_limit(vhost, limit, None)
    }

    fn change_vhost_limit(&self, vhost: &str, limit: &str, value: Option<i64>) -> Result<(), AdministrationError> {
        self.administer(|state| {
            let known = state.vhosts.get(vhost).ok_or(AdministrationError::NoSuchVhost)?;
            let mut limits = known.limits;
            limits.set(limit, value);
            Ok(((), vec![Administered::Vhost(VhostDefinition { limits, ..known.clone() })]))
        })
    }

    /// Sets a limit of a user; a negative number is none. What is there already stays.
    ///
    /// # Errors
    /// When there is no such user or limit, or the value is no whole number.
    pub fn put_user_limit(&self, user: &str, limit: &str, value: &Value) -> Result<(), AdministrationError> {
        let number = check(limit, value, [MAX_CONNECTIONS, MAX_CHANNELS], USER_LIMITS)?;
        self.change_user_limit(user, limit, Some(number))
    }

    /// Takes a limit of a user away; one that is not there is fine.
    ///
    /// # Errors
    /// When there is no such user.
    pub fn delete_user_limit(&self, user: &str, limit: &str) -> Result<(), AdministrationError> {
        self.change_user_limit(user, limit, None)
    }

    fn change_user_limit(&self, user: &str, limit: &str, value: Option<i64>) -> Result<(), AdministrationError> {
        self.administer(|state| {
            let known = state.users.get(user).ok_or(AdministrationError::NotFound)?;
            let mut limits = known.limits;
            match limit {
                MAX_CONNECTIONS => limits.max_connections = value,
                MAX_CHANNELS => limits.max_channels = value,
                _ => {}
            }
            Ok(((), vec![Administered::User(User { limits, ..known.as_ref().clone() })]))
        })
    }

    /// The limits of all virtual hosts that have any, by name.
    pub fn vhost_limits(&self) -> Vec<(String, VhostLimits)> {
        let limited = |vhost: &&VhostDefinition| vhost.limits != VhostLimits::default();
        self.node().metadata.read(|state| {
            state.vhosts.values().filter(limited).map(|vhost| (vhost.name.clone(), vhost.limits)).collect()
        })
    }

    /// The limits of all users that have any, by name.
    pub fn user_limits(&self) -> Vec<(String, UserLimits)> {
        let all = self.users().into_iter().map(|user| (user.name.to_string(), user.limits));
        all.filter(|(_, limits)| *limits != UserLimits::default()).collect()
    }
}

impl VhostLimits {
    fn set(&mut self, limit: &str, value: Option<i64>) {
        match limit {
            MAX_CONNECTIONS => self.max_connections = value,
            MAX_QUEUES => self.max_queues = value,
            _ => {}
        }
    }
}

/// All limits of a virtual host at once. An empty list means none, as RabbitMQ 3 wrote it.
///
/// # Errors
/// When one is unknown or no whole number.
pub(super) fn read(value: &Value) -> Result<VhostLimits, AdministrationError> {
    let mut limits = VhostLimits::default();
    if let Value::Object(fields) = value {
        for (limit, value) in fields {
            limits.set(limit, Some(check(limit, value, [MAX_CONNECTIONS, MAX_QUEUES], "limits")?));
        }
    } else if !value.as_array().is_some_and(Vec::is_empty) {
        let text = format!("limits should be an object, actually was {}", Erlang(value));
        return Err(AdministrationError::Invalid(text));
    }
    Ok(limits)
}

/// RabbitMQ validates limits of virtual hosts as it does parameters, and those of users by themselves, with other words around the text.
fn check(limit: &str, value: &Value, known: [&str; 2], subject: &str) -> Result<i64, AdministrationError> {
    let invalid = |text: String| {
        Err(match subject {
            USER_LIMITS => AdministrationError::InvalidLimit(text),
            _ => AdministrationError::Invalid(text),
        })
    };
    if !known.contains(&limit) {
        return invalid(format!("Unrecognised terms [{{<<\"{limit}\">>,{}}}] in {subject}", Erlang(value)));
    }
    match value.as_i64() {
        Some(number) => Ok(number),
        None => invalid(format!("{limit} should be a number, actually was {}", Erlang(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::administration::tests::begun;
    use serde_json::json;

    #[test]
    fn limits_are_put_one_by_one() {
        let broker = begun();
        broker.put_vhost_limit("/", "max-queues", &json!(5)).unwrap();
        broker.put_vhost_limit("/", "max-connections", &json!(-1)).unwrap();
        let limits = VhostLimits { max_connections: Some(-1), max_queues: Some(5) };
        assert_eq!(broker.vhost_limits(), [("/".to_owned(), limits)]);
        broker.delete_vhost_limit("/", "max-queues").unwrap();
        broker.delete_vhost_limit("/", "max-connections").unwrap();
        assert_eq!(broker.vhost_limits(), []);
        broker.put_user_limit("guest", "max-channels", &json!(2)).unwrap();
        let limits = UserLimits { max_channels: Some(2), max_connections: None };
        assert_eq!(broker.user_limits(), [("guest".to_owned(), limits)]);
    }

    /// behaviour: the texts of the management interface
    #[test]
    fn what_makes_no_sense_is_refused_in_rabbitmqs_words() {
        let broker = begun();
        let text = |result: Result<(), AdministrationError>| result.unwrap_err().to_string();
        assert_eq!(
            text(broker.put_vhost_limit("/", "max-queues", &json!("x"))),
            "Validation failed\n\nmax-queues should be a number, actually was <<\"x\">>\n"
        );
        assert_eq!(
            text(broker.put_vhost_limit("/", "max-zzz", &json!(1))),
            "Validation failed\n\nUnrecognised terms [{<<\"max-zzz\">>,1}] in limits\n"
        );
        assert_eq!(
            text(broker.put_user_limit("guest", "max-queues", &json!(1))),
            "Unrecognised terms [{<<\"max-queues\">>,1}] in user-limits"
        );
        assert_eq!(broker.put_vhost_limit("no", "max-queues", &json!(1)), Err(AdministrationError::NoSuchVhost));
        assert_eq!(broker.put_user_limit("no", "max-channels", &json!(1)), Err(AdministrationError::NotFound));
    }
}
