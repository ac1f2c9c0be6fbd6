//! The backends in their order, and who has logged in through them.

use std::sync::Arc;

use super::backend::{Attempt, Backend, Grant, Identified, NotRenewed, Waiting};
use super::login::LoginRefused;
use super::user::User;

/// One place of the chain.
#[derive(Clone, Debug)]
pub(crate) struct ChainLink {
    /// Who says who somebody is.
    pub(crate) authn: Arc<dyn Backend>,
    /// Who says what it may do; `None` for the same.
    pub(crate) authz: Option<Arc<dyn Backend>>,
}

/// The backends in the order in which they are asked. The first that knows somebody decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct BackendChain(Vec<ChainLink>);

/// Somebody who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct LoggedIn {
    /// The user, as the backend that knew the secret describes it.
    pub(crate) user: Arc<User>,
    /// What it may do: what all of them allow.
    pub(crate) grants: Arc<[Arc<dyn Grant>]>,
}

impl From<Identified> for LoggedIn {
    fn from(Identified { user, grant }: Identified) -> Self {
        Self { user, grants: [grant].into() }
    }
}

impl LoggedIn {
    /// Whether the broker's own users are all that decides.
    pub(crate) fn is_internal_alone(&self) -> bool {
        self.grants.iter().all(|grant| grant.is_internal())
    }

    /// Whether the broker's own users have a say.
    pub(crate) fn is_internal(&self) -> bool {
        self.grants.iter().any(|grant| grant.is_internal())
    }

    /// When it has to log in anew, or to renew its secret.
    pub(crate) fn expires_at_ms(&self) -> Option<u64> {
        self.grants.iter().filter_map(|grant| grant.expires_at_ms()).min()
    }

    /// Takes a new secret in place of the one that somebody logged in with. What does not end stays as it is.
    ///
    /// # Errors
    /// When one of the backends does not take it.
    pub(crate) async fn renewed(self, secret: Vec<u8>, now_ms: u64) -> Result<Self, NotRenewed> {
        let (mut grants, mut tags) = (Vec::new(), None);
        for grant in self.grants.iter() {
            if grant.expires_at_ms().is_none() {
                grants.push(Arc::clone(grant));
                continue;
            }
            let renewed = grant.renew(secret.clone(), now_ms).await?;
            tags.get_or_insert_with(Vec::new).extend(renewed.user.tags.iter().cloned());
            grants.push(renewed.grant);
        }
        let user = match tags {
            None => self.user,
            Some(tags) => Arc::new(User::new(&self.user.name, self.user.password.clone(), tags)),
        };
        Ok(Self { user, grants: grants.into() })
    }
}

impl BackendChain {
    /// A chain of these.
    pub(crate) fn new(links: Vec<ChainLink>) -> Self {
        Self(links)
    }

    /// A chain of one.
    pub(crate) fn of(backend: Arc<dyn Backend>) -> Self {
        Self(vec![ChainLink { authn: backend, authz: None }])
    }

    /// Logs somebody in, or says why nobody knows them.
    pub(crate) fn log_in(&self, attempt: Attempt) -> Waiting<Result<LoggedIn, LoginRefused>> {
        let (links, attempt) = (self.0.clone(), Arc::new(attempt));
        Box::pin(async move {
            let mut refusals = Vec::new();
            for link in &links {
                match link.log_in(&attempt).await {
                    Ok(logged_in) => return Ok(logged_in),
                    Err(refused) => refusals.push((link.authn.name(), refused)),
                }
            }
            Err(LoginRefused::of_all(refusals))
        })
    }
}

impl ChainLink {
    async fn log_in(&self, attempt: &Arc<Attempt>) -> Result<LoggedIn, LoginRefused> {
        let identified = self.authn.authenticate(Arc::clone(attempt)).await?;
        let Some(authz) = &self.authz else { return Ok(identified.into()) };
        let user = identified.user.name.to_string();
        let authorised = authz.authorise(Arc::new(Attempt { user, ..Attempt::clone(attempt) })).await?;
        let tags = identified.user.tags.iter().chain(&authorised.user.tags).cloned().collect();
        let user = User {
            limits: identified.user.limits,
            ..User::new(&identified.user.name, identified.user.password.clone(), tags)
        };
        Ok(LoggedIn { user: Arc::new(user), grants: [authorised.grant].into() })
    }
}
