//! The backend for access tokens, as it is configured: resource servers, and who issues tokens for each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::AuthError;
use super::properties::{AuthProperties, AuthProperty};
use crate::auth::oauth2::{Keys, Rules, known_algorithm};
use crate::backends::{KeySettings, OAuth2, Provider, ResourceServer};
use crate::clock::Clock;
use crate::config::{Named, Settings};
use crate::tls::{Trust, Verify};

/// Who issues tokens, and how these may be signed.
struct Issuer {
    provider: Arc<Provider>,
    algorithms: Vec<String>,
}

pub(super) fn backend(configured: &Settings, clock: &Clock) -> Result<OAuth2, AuthError> {
    let root = root_issuer(configured, clock)?;
    let providers = AuthProperties::of(&configured.auth_oauth2_oauth_providers);
    let made = providers.iter().map(|(name, provider)| Ok((name, named_issuer(name, provider, clock)?)));
    let issuers: BTreeMap<_, _> = made.collect::<Result<_, AuthError>>()?;
    let default = configured.auth_oauth2_default_oauth_provider.as_deref();
    let issuer = |wanted: Option<&str>| match wanted.or(default) {
        None => Ok(&root),
        Some(name) => issuers.get(name).ok_or_else(|| AuthError::NoProvider(name.to_owned())),
    };
    let with = |rules: Rules, issuer: &Issuer| {
        (Rules { algorithms: issuer.algorithms.clone(), ..rules }, Arc::clone(&issuer.provider))
    };
    let mut servers: Vec<ResourceServer> = Vec::new();
    if let Some(id) = configured.auth_oauth2_resource_server_id.clone().filter(|id| !id.is_empty()) {
        servers.push(with(rules(configured, id), issuer(None)?));
    }
    for (name, server) in AuthProperties::of(&configured.auth_oauth2_resource_servers).iter() {
        let id = server.get("id").unwrap_or(name).to_owned();
        servers.push(with(own_rules(rules(configured, id), server), issuer(server.get("oauth_provider_id"))?));
    }
    if servers.is_empty() { Err(AuthError::NoResourceServer) } else { Ok(OAuth2::new(servers)) }
}

/// The rules of a resource server that says nothing of its own.
fn rules(configured: &Settings, id: String) -> Rules {
    Rules {
        scope_prefix: configured.auth_oauth2_scope_prefix.clone().unwrap_or_else(|| format!("{id}.")),
        resource_server_id: id,
        resource_server_type: configured.auth_oauth2_resource_server_type.clone().unwrap_or_default(),
        additional_scopes_key: configured.auth_oauth2_additional_scopes_key.clone().unwrap_or_default(),
        scope_aliases: configured
            .auth_oauth2_scope_aliases
            .iter()
            .map(|alias| (alias.name.clone(), words(&alias.value)))
            .collect(),
        preferred_username_claims: configured.auth_oauth2_preferred_username_claims.clone(),
        verify_aud: configured.auth_oauth2_verify_aud,
        require_exp: configured.auth_oauth2_require_exp,
        algorithms: Vec::new(),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The same with what the server says itself.
fn own_rules(mut rules: Rules, server: &AuthProperty<'_>) -> Rules {
    let take = |key: &str, field: &mut String| {
        if let Some(value) = server.get(key) {
            value.clone_into(field);
        }
    };
    take("scope_prefix", &mut rules.scope_prefix);
    take("resource_server_type", &mut rules.resource_server_type);
    take("additional_scopes_key", &mut rules.additional_scopes_key);
    // Claims of its own go before those of all.
    let claims = server.below("preferred_username_claims").into_iter().map(|(_, claim)| claim.to_owned());
    rules.preferred_username_claims = claims.chain(rules.preferred_username_claims).collect();
    rules
}

fn root_issuer(configured: &Settings, clock: &Clock) -> Result<Issuer, AuthError> {
    let settings = KeySettings {
        signing_keys: signing_keys(&configured.auth_oauth2_signing_keys)?,
        default_key: configured.auth_oauth2_default_key.clone(),
        jwks_uri: configured.auth_oauth2_jwks_uri.as_ref().map(|address| address.0.clone()),
        issuer: configured.auth_oauth2_issuer.as_ref().map(|address| address.0.clone()),
        discovery_endpoint_path: configured.auth_oauth2_discovery_endpoint_path.clone(),
        trust: Trust::of(configured.auth_oauth2_https_verify, configured.auth_oauth2_https_cacertfile.as_ref()),
    };
    let algorithms = configured.auth_oauth2_algorithms.iter().map(|algorithm| algorithm.0.clone()).collect();
    Ok(Issuer { provider: Arc::new(Provider::new(settings, clock.clone())?), algorithms })
}

fn named_issuer(name: &str, provider: &AuthProperty<'_>, clock: &Clock) -> Result<Issuer, AuthError> {
    let wrong = |key: &str, value: &str, reason: &str| AuthError::Property {
        key: format!("{name}.{key}"),
        value: value.to_owned(),
        reason: reason.to_owned(),
    };
    let verify = provider.get("https.verify").or_else(|| provider.get("https.peer_verification"));
    let verify = match verify {
        None | Some("verify_peer" | "peer") => Verify::Peer,
        Some("verify_none" | "none") => Verify::None,
        Some(value) => return Err(wrong("https.verify", value, "allowed is verify_peer or verify_none")),
    };
    let mut algorithms = Vec::new();
    for (_, algorithm) in provider.below("algorithms") {
        if !known_algorithm(algorithm) {
            return Err(wrong("algorithms", algorithm, "there is no such algorithm"));
        }
        algorithms.push(algorithm.to_owned());
    }
    let keys: Vec<_> = provider
        .below("signing_keys")
        .into_iter()
        .map(|(name, file)| Named { name: name.to_owned(), value: file.to_owned() })
        .collect();
    let text = |key: &str| provider.get(key).map(str::to_owned);
    let settings = KeySettings {
        signing_keys: signing_keys(&keys)?,
        default_key: text("default_key"),
        jwks_uri: text("jwks_uri").or_else(|| text("jwks_url")),
        issuer: text("issuer"),
        discovery_endpoint_path: text("discovery_endpoint_path"),
        trust: Trust::of(verify, provider.get("https.cacertfile").map(PathBuf::from).as_ref()),
    };
    Ok(Issuer { provider: Arc::new(Provider::new(settings, clock.clone())?), algorithms })
}

fn signing_keys(configured: &[Named]) -> Result<Keys, AuthError> {
    let mut keys = Keys::default();
    for key in configured {
        let (name, file) = (key.name.clone(), PathBuf::from(&key.value));
        let pem = match std::fs::read(&file) {
            Ok(pem) => pem,
            Err(error) => return Err(AuthError::Unreadable { name, file, error }),
        };
        if let Err(error) = keys.add_pem(&name, &pem) {
            return Err(AuthError::NoKey { name, file, error });
        }
    }
    Ok(keys)
}
