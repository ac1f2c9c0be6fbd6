//! Who may do what: users, their passwords, and their permissions in each virtual host (behaviour reference 10).
//!
//! These are values and rules. Which users there are is known by the broker's metadata.

mod attempts;
mod login;
mod password;
mod pattern;
mod permissions;
mod topic_permissions;
mod user;

use std::fmt;

pub use attempts::{AttemptCounts, LoginAttempts};
pub use login::{GUEST, LoginRefused, Logins};
pub use password::{HashingAlgorithm, NoRandomness, PasswordHash};
pub use pattern::{InvalidPattern, Pattern};
pub use permissions::{Access, Permissions, Resource, refused};
pub use topic_permissions::{TopicPermission, TopicPermissions, Variables};
pub use user::{ADMINISTRATOR, IMPERSONATOR, User, UserLimits, split_tags, tags};

/// How error texts name an exchange or a queue, without its virtual host: `queue 'q'`.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(_) => write!(f, "exchange '{}'", self.name()),
            Self::Queue(_) => write!(f, "queue '{}'", self.name()),
        }
    }
}
