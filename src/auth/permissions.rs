//! Configure, write and read permissions: unanchored regular expressions on the names of exchanges and queues.

use super::pattern::{InvalidPattern, Pattern};
use crate::error::AmqpError;

/// What somebody wants to do with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Declare or delete it.
    Configure,
    /// Publish to it, or let messages into it.
    Write,
    /// Take messages from it.
    Read,
}

impl Access {
    /// The word in RabbitMQ's texts.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// What permissions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    /// An exchange, by its name.
    Exchange(&'a str),
    Queue(&'a str),
}

impl<'a> Resource<'a> {
    /// The name that expressions are matched with; the default exchange has one of its own here.
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Self::Exchange("") => "amq.default",
            Self::Exchange(name) | Self::Queue(name) => name,
        }
    }
}

/// What a user may do in a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Permissions {
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

impl Permissions {
    /// Nothing is allowed.
    pub(crate) fn none() -> Self {
        Self { configure: Pattern::nothing(), write: Pattern::nothing(), read: Pattern::nothing() }
    }

    /// Permissions by regular expressions.
    ///
    /// # Errors
    /// When one of them is malformed.
    pub(crate) fn new(configure: &str, write: &str, read: &str) -> Result<Self, InvalidPattern> {
        let [configure, write, read] = [configure, write, read].map(Pattern::of_permission);
        Ok(Self { configure: configure?, write: write?, read: read? })
    }

    /// Whether this is allowed.
    pub(crate) fn allow(&self, access: Access, resource: Resource<'_>) -> bool {
        let pattern = match access {
            Access::Configure => &self.configure,
            Access::Write => &self.write,
            Access::Read => &self.read,
        };
        pattern.is_match(resource.name())
    }
}

/// 403: this is not allowed.
pub(crate) fn refused(access: Access, resource: Resource<'_>, vhost: &str, user: &str) -> AmqpError {
    let access = access.name();
    AmqpError::access_refused(format!("{access} access to {resource} in vhost '{vhost}' refused for user '{user}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_anywhere_and_empty_ones_deny() {
        let permissions = Permissions::new("^a", "b", "").unwrap();
        assert!(permissions.allow(Access::Configure, Resource::Queue("abc")));
        assert!(!permissions.allow(Access::Configure, Resource::Queue("cab")));
        assert!(permissions.allow(Access::Write, Resource::Exchange("abc")));
        assert!(!permissions.allow(Access::Read, Resource::Queue("abc")));
    }

    #[test]
    fn the_default_exchange_has_a_name_here() {
        let permissions = Permissions::new("", "^amq\\.default$", "").unwrap();
        assert!(permissions.allow(Access::Write, Resource::Exchange("")));
        assert!(!permissions.allow(Access::Read, Resource::Exchange("")));
        assert_eq!(
            refused(Access::Read, Resource::Exchange(""), "/", "someone").reply_text(),
            "ACCESS_REFUSED - read access to exchange 'amq.default' in vhost '/' refused for user 'someone'"
        );
    }
}
