//! SASL: what a client's `mechanism` and `response` say about who it is. Whether that is true is for the caller to find out.

use crate::table::{Table, Value};

/// The mechanisms that `connection.start` may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// User and password, separated by NUL.
    Plain,
    /// User and password in a field table; AMQP 0-9-1's own.
    AmqPlain,
    /// No credentials: the configured anonymous user.
    Anonymous,
    /// Whoever the TLS client certificate names.
    External,
}

impl Mechanism {
    /// Every mechanism, in the order in which RabbitMQ offers them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::AmqPlain, Self::Anonymous, Self::External];

    /// The registered name, as it is offered and asked for; case matters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::AmqPlain => "AMQPLAIN",
            Self::Anonymous => "ANONYMOUS",
            Self::External => "EXTERNAL",
        }
    }
}

/// Who a client says it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user and the proof of it.
    Password {
        /// The user's name.
        user: String,
        /// The password; need not be UTF-8.
        password: Vec<u8>,
    },
    /// The configured anonymous user.
    Anonymous,
    /// The subject of the TLS client certificate.
    External,
}

impl std::fmt::Debug for Credentials {
    /// Leaves the password out, so that no log can show it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Self::Anonymous => f.write_str("Anonymous"),
            Self::External => f.write_str("External"),
        }
    }
}

/// Reads the credentials from a response; `None` when it is malformed.
pub(crate) fn credentials(mechanism: Mechanism, response: &[u8]) -> Option<Credentials> {
    match mechanism {
        Mechanism::Plain => plain(response),
        Mechanism::AmqPlain => amqplain(response),
        Mechanism::Anonymous => Some(Credentials::Anonymous),
        Mechanism::External => Some(Credentials::External),
    }
}

/// `NUL user NUL password`. The authorisation identity in front of the first NUL must be empty, as in RabbitMQ.
fn plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.split(|&octet| octet == 0);
    // A fourth part would be a NUL within the password, which PLAIN does not allow (RFC 4616).
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some([]), Some(user), Some(password), None) => Some(password_of(user, password)),
        _ => None,
    }
}

/// A field table without its length, with `LOGIN` and `PASSWORD`.
fn amqplain(response: &[u8]) -> Option<Credentials> {
    let table = Table::decode(response).ok()?;
    let text = |name| match table.get(name) {
        Some(Value::LongString(text) | Value::Bytes(text)) => Some(text),
        _ => None,
    };
    Some(password_of(text("LOGIN")?, text("PASSWORD")?))
}

/// A name that is not UTF-8 is not malformed; it just belongs to nobody.
fn password_of(user: &[u8], password: &[u8]) -> Credentials {
    Credentials::Password { user: String::from_utf8_lossy(user).into_owned(), password: password.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Option<Credentials> {
        Some(Credentials::Password { user: "guest".into(), password: b"secret".to_vec() })
    }

    #[test]
    fn plain_is_two_strings_behind_nul() {
        assert_eq!(credentials(Mechanism::Plain, b"\0guest\0secret"), guest());
    }

    #[test]
    fn plain_with_an_authorisation_identity_is_malformed() {
        assert_eq!(credentials(Mechanism::Plain, b"other\0guest\0secret"), None);
    }

    #[test]
    fn plain_without_its_two_nuls_is_malformed() {
        for response in [&b""[..], b"guest", b"\0guest", b"\0guest\0secret\0"] {
            assert_eq!(credentials(Mechanism::Plain, response), None, "{response:?}");
        }
    }

    #[test]
    fn a_user_that_is_not_utf8_is_nobody_rather_than_malformed() {
        assert!(credentials(Mechanism::Plain, b"\0\xff\0secret").is_some());
    }

    #[test]
    fn amqplain_is_a_table_without_its_length() {
        let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06secret";
        assert_eq!(credentials(Mechanism::AmqPlain, response), guest());
    }

    #[test]
    fn amqplain_without_password_is_malformed() {
        assert_eq!(credentials(Mechanism::AmqPlain, b"\x05LOGINS\0\0\0\x05guest"), None);
        assert_eq!(credentials(Mechanism::AmqPlain, b"garbage"), None);
    }

    #[test]
    fn a_debug_print_does_not_show_the_password() {
        assert!(!format!("{:?}", guest()).contains("secret"));
        assert!(!format!("{:?}", guest()).contains("115"));
    }
}
