//! Who may do what: users, their passwords, and their permissions in each virtual host (behaviour reference 10).
//!
//! These are values and rules. Which users there are is known by a backend: the broker's metadata, or one of `backends`.

mod attempts;
mod backend;
mod chain;
pub mod http_answer;
pub mod ldap;
mod login;
pub mod oauth2;
mod password;
mod pattern;
mod permissions;
mod topic_permissions;
mod user;
mod verdict;

use std::fmt;

pub use attempts::{AttemptCounts, LoginAttempts};
pub use backend::{
    Attempt, Backend, BackendAnswer, Grant, Identified, NotRenewed, Question, ResourceKind, Said, Waiting,
};
pub use chain::{BackendChain, ChainLink, LoggedIn};
pub use login::{GUEST, LoginRefused, Logins, check_password};
pub use password::{HashingAlgorithm, NoRandomness, PasswordHash};
pub use pattern::{InvalidPattern, Pattern};
pub use permissions::{Access, Permissions, Resource, refused};
pub use topic_permissions::{TopicPermission, TopicPermissions, Variables, topic_refused};
pub use user::{ADMINISTRATOR, IMPERSONATOR, User, UserLimits, split_tags, tags};
pub use verdict::{Answers, Objection, Unanswered, Verdict};

/// How error texts name an exchange or a queue, without its virtual host: `queue 'q'`.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(_) => write!(f, "exchange '{}'", self.name()),
            Self::Queue(_) => write!(f, "queue '{}'", self.name()),
        }
    }
}
