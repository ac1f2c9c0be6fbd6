//! Who may do what: users, their passwords, and their permissions in each virtual host (behaviour reference 10).

mod password;
mod permissions;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;

pub use password::PasswordHash;
pub use permissions::{Access, Permissions, Resource};

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name.
    pub name: Arc<str>,
    password: PasswordHash,
    /// It may set any `user_id`.
    pub is_impersonator: bool,
    /// What it may do with the management API: `administrator`, `monitoring`, `policymaker`, `management`.
    pub tags: Vec<String>,
    permissions: HashMap<String, Arc<Permissions>>,
}

impl User {
    /// A user without any permission.
    pub fn new(name: &str, password: &str, salt: [u8; 4]) -> Self {
        Self {
            name: name.into(),
            password: PasswordHash::of(password.as_bytes(), salt),
            is_impersonator: false,
            tags: Vec::new(),
            permissions: HashMap::new(),
        }
    }

    /// Gives it permissions in a virtual host.
    #[must_use]
    pub fn with_permissions(mut self, vhost: &str, permissions: Permissions) -> Self {
        self.permissions.insert(vhost.to_owned(), Arc::new(permissions));
        self
    }

    /// Gives it a tag.
    #[must_use]
    pub fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.to_owned());
        self
    }

    /// Lets it set any `user_id`.
    #[must_use]
    pub fn impersonating(mut self) -> Self {
        self.is_impersonator = true;
        self
    }

    /// What it may do in a virtual host; `None` when it may not enter.
    pub fn permissions_in(&self, vhost: &str) -> Option<Arc<Permissions>> {
        self.permissions.get(vhost).cloned()
    }
}

/// Why a login was refused; for the log, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// There is no such user.
    #[error("no such user")]
    UnknownUser,
    /// The password is another.
    #[error("wrong password")]
    WrongPassword,
    /// `guest` may only come from the same machine.
    #[error("this user can only connect from localhost; give it another name, or start with --guest-from-anywhere")]
    NotLoopback,
    /// Nobody may log in without credentials.
    #[error("anonymous logins are not enabled")]
    NoAnonymous,
}

/// The user that only loopback connections may use, unless that is lifted.
pub const GUEST: &str = "guest";

/// All users.
#[derive(Debug, Default)]
pub struct Users {
    by_name: RwLock<HashMap<Arc<str>, Arc<User>>>,
    /// `guest` may log in from any address.
    pub guest_from_anywhere: bool,
    /// Who an anonymous login is; `None` refuses it.
    pub anonymous: Option<String>,
}

impl Users {
    /// Adds a user, or replaces the one of its name.
    pub fn insert(&self, user: User) {
        self.by_name.write().insert(Arc::clone(&user.name), Arc::new(user));
    }

    /// A user by its name.
    pub fn get(&self, name: &str) -> Option<Arc<User>> {
        self.by_name.read().get(name).cloned()
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.by_name.read().is_empty()
    }

    /// Logs in with a password; the loopback rule comes after it, as in RabbitMQ.
    ///
    /// # Errors
    /// Why not.
    pub fn log_in(&self, name: &str, password: &[u8], from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        let user = self.get(name).ok_or(LoginRefused::UnknownUser)?;
        if !user.password.matches(password) {
            return Err(LoginRefused::WrongPassword);
        }
        self.check_loopback(user, from)
    }

    /// Logs in without credentials.
    ///
    /// # Errors
    /// Why not.
    pub fn log_in_anonymously(&self, from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        let name = self.anonymous.as_deref().ok_or(LoginRefused::NoAnonymous)?;
        let user = self.get(name).ok_or(LoginRefused::UnknownUser)?;
        self.check_loopback(user, from)
    }

    fn check_loopback(&self, user: Arc<User>, from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        if &*user.name == GUEST && !self.guest_from_anywhere && !from.to_canonical().is_loopback() {
            return Err(LoginRefused::NotLoopback);
        }
        Ok(user)
    }
}

/// How error texts name an exchange or a queue, without its virtual host: `queue 'q'`.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchange(_) => write!(f, "exchange '{}'", self.name()),
            Self::Queue(_) => write!(f, "queue '{}'", self.name()),
        }
    }
}
