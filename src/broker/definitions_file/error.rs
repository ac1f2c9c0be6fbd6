//! Why a definitions file is not imported, in RabbitMQ's words where it has some.

use crate::error::AmqpError;

/// Why a file is not imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionsError {
    /// It is no JSON, or no object.
    #[error("failed_to_parse_json: {0}")]
    NotJson(String),
    /// A key has something else than a list.
    #[error("'{0}' is not a list")]
    NotAList(&'static str),
    /// Something in a list cannot be understood.
    #[error("entry {number} of '{section}' cannot be read: {reason}")]
    Malformed {
        /// The key of the list.
        section: &'static str,
        /// Its place in the list; the first is 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// Something is of a virtual host that is nowhere.
    #[error("Please create virtual host \"{0}\" prior to importing definitions.")]
    NoSuchVhost(String),
    /// A permission is for a user who is nowhere.
    #[error("{{no_such_user,<<\"{0}\">>}}")]
    NoSuchUser(String),
    /// A binding or a topic permission names something that is nowhere.
    #[error("{{resources_missing,[{{not_found,{{resource,<<\"{vhost}\">>,{kind},<<\"{name}\">>}}}}]}}")]
    Missing {
        /// Its virtual host.
        vhost: String,
        /// `queue` or `exchange`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Something makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// What AMQP would have closed a channel with.
impl From<AmqpError> for DefinitionsError {
    fn from(error: AmqpError) -> Self {
        let text = error.reply_text();
        let code = text.split(" - ").next().unwrap_or_default().to_lowercase();
        Self::Invalid(format!("{code}: {}", error.explanation))
    }
}
