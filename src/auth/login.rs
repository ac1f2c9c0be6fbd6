//! Who may log in, from where.

use std::net::IpAddr;
use std::sync::Arc;

use super::backend::{Attempt, Backend, Waiting};
use super::chain::{BackendChain, LoggedIn};
use super::password::{HashingAlgorithm, PasswordHash};
use super::user::User;

/// Why a login was refused; for the log, never for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// A backend says so, in its own words.
    #[error("{0}")]
    ByBackend(String),
    /// A backend cannot say, and why.
    #[error("{0}")]
    CannotSay(String),
}

impl LoginRefused {
    /// What all backends of a chain say. Which one it was is told where there are several.
    pub(super) fn of_all(mut refusals: Vec<(&'static str, Self)>) -> Self {
        if refusals.len() == 1
            && let Some((_, refused)) = refusals.pop()
        {
            return refused;
        }
        let told: Vec<_> = refusals.iter().map(|(backend, refused)| format!("{backend}: {refused}")).collect();
        Self::ByBackend(if told.is_empty() { "no auth_backends are set".to_owned() } else { told.join("; ") })
    }
}

/// The user that a new broker has, and that only loopback connections may use, unless that is lifted.
pub(crate) const GUEST: &str = "guest";

/// What holds for all logins.
#[derive(Clone, Debug)]
pub struct Logins {
    /// Users who may only log in from the machine of the broker.
    pub(crate) loopback_users: Vec<String>,
    /// Who an anonymous login is; `None` refuses it.
    pub(crate) anonymous: Option<String>,
    /// Who knows users, and what they may do.
    pub(crate) chain: BackendChain,
}

impl Default for Logins {
    fn default() -> Self {
        Self { loopback_users: vec![GUEST.to_owned()], anonymous: None, chain: BackendChain::default() }
    }
}

impl Logins {
    /// Those whom one backend knows.
    pub fn of(backend: Arc<dyn Backend>) -> Self {
        Self { chain: BackendChain::of(backend), ..Self::default() }
    }

    /// Logs somebody in, or says why not. The loopback rule comes last, as in RabbitMQ.
    pub(crate) fn log_in(&self, attempt: Attempt) -> Waiting<Result<LoggedIn, LoginRefused>> {
        let (from, loopback_users) = (attempt.from.to_canonical(), self.loopback_users.clone());
        let logged_in = self.chain.log_in(attempt);
        Box::pin(async move {
            let logged_in = logged_in.await?;
            if loopback_users.iter().any(|name| *name == *logged_in.user.name) && !from.is_loopback() {
                return Err(LoginRefused::NotLoopback);
            }
            Ok(logged_in)
        })
    }

    /// Logs in without credentials, as the user that [`Logins::anonymous`] names.
    pub(crate) fn log_in_anonymously(&self, from: IpAddr, now_ms: u64) -> Waiting<Result<LoggedIn, LoginRefused>> {
        match &self.anonymous {
            None => Box::pin(std::future::ready(Err(LoginRefused::NoAnonymous))),
            Some(user) => self.log_in(Attempt { user: user.clone(), password: None, from, now_ms }),
        }
    }
}

/// Looks at the password of a user of the broker's own. Most of them are hashed in the usual way.
///
/// # Errors
/// The reason, for the log and not for the client.
pub(crate) fn check_password(
    user: Option<Arc<User>>,
    password: &[u8],
    usual: HashingAlgorithm,
) -> Result<Arc<User>, LoginRefused> {
    let Some(user) = user else {
        // It takes as long as for a user that there is: the time must not tell which names are known.
        let nobody = PasswordHash::of(b"nobody", usual, [0; 4]);
        std::hint::black_box(nobody.matches(password));
        return Err(LoginRefused::UnknownUser);
    };
    if user.password.matches(password) { Ok(user) } else { Err(LoginRefused::WrongPassword) }
}
