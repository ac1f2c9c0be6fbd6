//! Who may do what: users, their passwords, and their permissions in each virtual host (behaviour reference 10).
//!
//! These are values and rules. Which users there are is known by a backend: the broker's metadata, or one of `backends`.

mod attempts;
mod backend;
mod chain;
pub(crate) mod http_answer;
pub(crate) mod ldap;
mod login;
pub(crate) mod oauth2;
mod password;
mod pattern;
mod permissions;
mod topic_permissions;
mod user;
mod verdict;

use std::fmt;

pub(crate) use attempts::LoginAttempts;
pub(crate) use backend::{
    Attempt, Backend, BackendAnswer, Grant, Identified, NotRenewed, Question, ResourceKind, Said, Waiting,
};
pub(crate) use chain::{BackendChain, ChainLink, LoggedIn};
pub use login::Logins;
pub(crate) use login::{GUEST, LoginRefused, check_password};
pub(crate) use password::NoRandomness;
pub use password::{HashingAlgorithm, PasswordHash};
pub use pattern::InvalidPattern;
pub(crate) use pattern::Pattern;
pub(crate) use permissions::{Access, Permissions, Resource, refused};
pub(crate) use topic_permissions::{TopicPermission, TopicPermissions, Variables, topic_refused};
pub(crate) use user::{ADMINISTRATOR, IMPERSONATOR, User, UserLimits, split_tags, tags};
pub(crate) use verdict::{Answers, Objection, Unanswered, Verdict};

/// How error texts name an exchange or a queue, without its virtual host: `queue 'q'`.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(_) => write!(f, "exchange '{}'", self.name()),
            Self::Queue(_) => write!(f, "queue '{}'", self.name()),
        }
    }
}
