//! Who may log in, from where.

use std::net::IpAddr;
use std::sync::Arc;

use super::password::{HashingAlgorithm, PasswordHash};
use super::user::User;

/// Why a login was refused; for the log, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginRefused {
    /// There is no such user.
    #[error("no such user")]
    UnknownUser,
    /// The password is another.
    #[error("wrong password")]
    WrongPassword,
    /// The user may only come from the same machine.
    #[error(
        "this user can only connect from localhost; use another user, or take it out of loopback_users \
         (for guest: --guest-from-anywhere)"
    )]
    NotLoopback,
    /// Nobody may log in without credentials.
    #[error("anonymous logins are not enabled")]
    NoAnonymous,
}

/// The user that a new broker has, and that only loopback connections may use, unless that is lifted.
pub const GUEST: &str = "guest";

/// What holds for all logins.
#[derive(Clone, Debug)]
pub struct Logins {
    /// Users who may only log in from the machine of the broker.
    pub loopback_users: Vec<String>,
    /// Who an anonymous login is; `None` refuses it.
    pub anonymous: Option<String>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { loopback_users: vec![GUEST.to_owned()], anonymous: None }
    }
}

impl Logins {
    /// Logs a user in with a password, or says why not. The loopback rule comes after it, as in RabbitMQ.
    ///
    /// # Errors
    /// The reason, for the log and not for the client.
    pub fn with_password(
        &self,
        user: Option<Arc<User>>,
        password: &[u8],
        from: IpAddr,
    ) -> Result<Arc<User>, LoginRefused> {
        let Some(user) = user else {
            // It takes as long as for a user that there is: the time must not tell which names are known.
            let nobody = PasswordHash::of(b"nobody", HashingAlgorithm::default(), [0; 4]);
            std::hint::black_box(nobody.matches(password));
            return Err(LoginRefused::UnknownUser);
        };
        if !user.password.matches(password) {
            return Err(LoginRefused::WrongPassword);
        }
        self.check_loopback(user, from)
    }

    /// Logs in without credentials, as the user that [`Logins::anonymous`] names.
    ///
    /// # Errors
    /// The reason, for the log and not for the client.
    pub fn anonymously(&self, user: Option<Arc<User>>, from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        if self.anonymous.is_none() {
            return Err(LoginRefused::NoAnonymous);
        }
        self.check_loopback(user.ok_or(LoginRefused::UnknownUser)?, from)
    }

    /// Logs in whom a certificate that was verified is for.
    ///
    /// # Errors
    /// The reason, for the log and not for the client.
    pub fn with_certificate(&self, user: Option<Arc<User>>, from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        self.check_loopback(user.ok_or(LoginRefused::UnknownUser)?, from)
    }

    fn check_loopback(&self, user: Arc<User>, from: IpAddr) -> Result<Arc<User>, LoginRefused> {
        if self.loopback_users.iter().any(|name| *name == *user.name) && !from.to_canonical().is_loopback() {
            return Err(LoginRefused::NotLoopback);
        }
        Ok(user)
    }
}
