//! `rabbit_auth_backend_oauth2`: an access token says who somebody is and what it may do.

mod provider;

use std::sync::Arc;

pub(crate) use self::provider::{KeySettings, Provider};
use crate::auth::oauth2::{AccessToken, InvalidToken, Rules, Unverified, audience};
use crate::auth::{
    Attempt, Backend, BackendAnswer, Grant, Identified, LoginRefused, NotRenewed, PasswordHash, Question, Said, User,
    Waiting,
};

const NAME: &str = "rabbit_auth_backend_oauth2";

/// What a broker is to those who issue tokens, and who issues them.
pub(crate) type ResourceServer = (Rules, Arc<Provider>);

/// Tokens, and the keys that they are verified with.
#[derive(Clone, Debug)]
pub(crate) struct OAuth2(Arc<Servers>);

#[derive(Debug)]
struct Servers(Vec<ResourceServer>);

impl OAuth2 {
    /// A backend for tokens of these resource servers.
    pub(crate) fn new(servers: Vec<ResourceServer>) -> Self {
        Self(Arc::new(Servers(servers)))
    }
}

impl Servers {
    async fn token(&self, text: &[u8], now_ms: u64) -> Result<AccessToken, InvalidToken> {
        let token = Unverified::read(text)?;
        // Whom it is for says whose keys it is verified with; what it says is believed only then.
        let (rules, provider) = audience::choose(token.audience(), &self.0, |(rules, _)| rules)?;
        let name = provider.key_name(token.key());
        let keys = provider.keys_with(name.as_deref()).await;
        rules.token(token.verify(&keys, name.as_deref(), rules)?, now_ms)
    }

    fn identified(self: &Arc<Self>, token: AccessToken) -> Identified {
        let user = Arc::new(User::new(token.username(), PasswordHash::none(), token.tags()));
        Identified { user, grant: Arc::new(TokenGrant { servers: Arc::clone(self), token }) }
    }
}

impl Backend for OAuth2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: Arc<Attempt>) -> Waiting<Result<Identified, LoginRefused>> {
        let servers = Arc::clone(&self.0);
        Box::pin(async move {
            let text = attempt.password.as_deref().unwrap_or_default();
            let token = servers.token(text, attempt.now_ms).await;
            token.map(|token| servers.identified(token)).map_err(|error| LoginRefused::ByBackend(error.to_string()))
        })
    }
}

/// What a token lets its user do.
#[derive(Debug)]
struct TokenGrant {
    servers: Arc<Servers>,
    token: AccessToken,
}

impl Grant for TokenGrant {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn answer(&self, question: &Question, now_ms: u64) -> Said<BackendAnswer> {
        Said::Now(self.token.answer(question, now_ms))
    }

    fn expires_at_ms(&self) -> Option<u64> {
        self.token.expires_at_ms()
    }

    fn renew(&self, secret: Vec<u8>, now_ms: u64) -> Waiting<Result<Identified, NotRenewed>> {
        let (servers, user) = (Arc::clone(&self.servers), self.token.username().to_owned());
        Box::pin(async move {
            let token = servers.token(&secret, now_ms).await.map_err(|error| NotRenewed::Refused(error.to_string()))?;
            // The connection has consumers and queues of the user that logged in.
            if token.username() != user {
                return Err(NotRenewed::Refused("Not allowed to change username on refreshed token".to_owned()));
            }
            Ok(servers.identified(token))
        })
    }
}
