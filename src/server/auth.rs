//! The backends that know users, as they are configured, in their order.

mod ldap;
mod oauth2;
pub(super) mod properties;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::auth::ldap::InvalidQuery;
use crate::auth::oauth2::InvalidKey;
use crate::auth::{Backend, BackendChain, ChainLink};
use crate::backends::{Cache, CacheSettings, HttpBackend, HttpMethod, HttpSettings, Ldap};
use crate::broker::Broker;
use crate::broker::own_users::OwnUsers;
use crate::clock::Clock;
use crate::config::{AskWith, AuthBackend, BackendKind, Settings, Timeout};
use crate::tls::{InvalidTrust, Trust};

/// Why users cannot be known.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthError {
    /// Nobody can be believed.
    #[error(transparent)]
    Trust(#[from] InvalidTrust),
    /// A key cannot be read.
    #[error("auth_oauth2.signing_keys.{name}: cannot read {}: {error}", .file.display())]
    Unreadable {
        /// The name that `kid` of a token gives it.
        name: String,
        /// Where it is to be.
        file: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// A key is none.
    #[error("auth_oauth2.signing_keys.{name}: {}: {error}", .file.display())]
    NoKey {
        /// The name that `kid` of a token gives it.
        name: String,
        /// The file that was read.
        file: PathBuf,
        /// What is wrong with the key.
        error: InvalidKey,
    },
    /// Tokens need an audience.
    #[error("the backend oauth2 needs auth_oauth2.resource_server_id: the name of this broker in access tokens")]
    NoResourceServer,
    /// A resource server names somebody who is not there.
    #[error("auth_oauth2.oauth_providers: there is no {0}")]
    NoProvider(String),
    /// What is configured of a resource server or of who issues tokens is none.
    #[error("auth_oauth2: {key} cannot be '{value}': {reason}")]
    Property {
        /// Its name, the thing's first.
        key: String,
        /// What it was to be.
        value: String,
        /// What is allowed.
        reason: String,
    },
    /// A query is none.
    #[error("auth_ldap.queries: {0}")]
    Query(#[from] InvalidQuery),
    /// A directory needs servers.
    #[error("the backend ldap needs auth_ldap.servers: the addresses of directories")]
    NoDirectory,
    /// As whom to bind is not said.
    #[error("auth_ldap.{0} cannot be '{1}': allowed is as_user or anon, or {0}.user_dn and {0}.password")]
    NoBind(&'static str, String),
    /// A cache of itself.
    #[error("auth_cache.cached_backend cannot be cache: name the backend whose answers are to be remembered")]
    CacheOfItself,
}

type Make = fn(&Makers<'_>) -> Result<Arc<dyn Backend>, AuthError>;

/// How each backend is made.
const BACKENDS: [(BackendKind, Make); 5] = [
    (BackendKind::Internal, |makers| Ok(Arc::new(OwnUsers::new(makers.broker)))),
    (BackendKind::OAuth2, |makers| Ok(Arc::new(oauth2::backend(makers.configured, makers.clock)?))),
    (BackendKind::Http, |makers| Ok(Arc::new(HttpBackend::new(http(makers.configured))?))),
    (BackendKind::Ldap, |makers| Ok(Arc::new(Ldap::new(ldap::settings(makers.configured)?)?))),
    (BackendKind::Cache, cache),
];

/// What backends are made of.
struct Makers<'a> {
    broker: &'a Broker,
    configured: &'a Settings,
    clock: &'a Clock,
}

/// The chain that is configured; of a broker that a program embeds, its own users.
///
/// # Errors
/// When a backend cannot work as it is configured.
pub(super) fn chain(broker: &Broker, configured: Option<&Settings>, clock: &Clock) -> Result<BackendChain, AuthError> {
    let Some(configured) = configured else { return Ok(BackendChain::of(Arc::new(OwnUsers::new(broker)))) };
    let makers = Makers { broker, configured, clock };
    let mut made = Vec::new();
    let links = configured.auth_backends.iter().map(|AuthBackend { authn, authz }| {
        let first = makers.once(*authn, &mut made)?;
        // What a cache remembers of who somebody is says nothing of what it may do.
        let is_one = authn == authz && *authn != BackendKind::Cache;
        let second = if is_one { None } else { Some(makers.once(*authz, &mut made)?) };
        Ok(ChainLink { authn: first, authz: second })
    });
    Ok(BackendChain::new(links.collect::<Result<_, AuthError>>()?))
}

impl Makers<'_> {
    /// The backend of this kind; there is one of each.
    fn once(
        &self,
        kind: BackendKind,
        made: &mut Vec<(BackendKind, Arc<dyn Backend>)>,
    ) -> Result<Arc<dyn Backend>, AuthError> {
        if let Some((_, backend)) = made.iter().find(|(known, _)| *known == kind) {
            return Ok(Arc::clone(backend));
        }
        let backend = self.make(kind)?;
        made.push((kind, Arc::clone(&backend)));
        Ok(backend)
    }

    fn make(&self, kind: BackendKind) -> Result<Arc<dyn Backend>, AuthError> {
        match BACKENDS.iter().find(|(known, _)| *known == kind) {
            Some((_, make)) => make(self),
            None => Ok(Arc::new(OwnUsers::new(self.broker))),
        }
    }
}

/// As long as it takes is a day.
fn duration(timeout: Timeout) -> Duration {
    timeout.0.map_or(Duration::from_secs(86_400), Duration::from_millis)
}

fn http(configured: &Settings) -> HttpSettings {
    HttpSettings {
        http_method: match configured.auth_http_http_method {
            AskWith::Get => HttpMethod::Get,
            AskWith::Post => HttpMethod::Post,
        },
        user_path: configured.auth_http_user_path.0.clone(),
        vhost_path: configured.auth_http_vhost_path.0.clone(),
        resource_path: configured.auth_http_resource_path.0.clone(),
        topic_path: configured.auth_http_topic_path.0.clone(),
        request_timeout: duration(configured.auth_http_request_timeout),
        connection_timeout: duration(configured.auth_http_connection_timeout),
        authorization_failure_disclosure: configured.auth_http_authorization_failure_disclosure,
        trust: Trust::of(configured.auth_http_verify, configured.auth_http_cacertfile.as_ref()),
    }
}

fn cache(makers: &Makers<'_>) -> Result<Arc<dyn Backend>, AuthError> {
    let configured = makers.configured;
    let AuthBackend { authn, authz } = configured.auth_cache_cached_backend;
    if authn == BackendKind::Cache || authz == BackendKind::Cache {
        return Err(AuthError::CacheOfItself);
    }
    let mut made = Vec::new();
    let (authn, authz) = (makers.once(authn, &mut made)?, makers.once(authz, &mut made)?);
    let settings = CacheSettings {
        cache_ttl_ms: configured.auth_cache_cache_ttl.0.unwrap_or(u64::MAX),
        cache_refusals: configured.auth_cache_cache_refusals,
    };
    Ok(Arc::new(Cache::new(authn, authz, settings, makers.clock.clone())))
}
