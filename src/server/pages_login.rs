//! How the pages log in: what `GET /api/auth` says, in RabbitMQ's words (`management.oauth_*`).

use serde_json::{Map, Value, json};

use super::auth::properties::{AuthProperties, AuthProperty};
use crate::config::{Named, Settings};

/// Lists of parameters that a browser adds to a request.
const PARAMETERS: [&str; 2] = ["oauth_authorization_endpoint_params", "oauth_token_endpoint_params"];

/// What browsers are told. Without a resource server whose tokens the pages can ask for, it is what they are told without OAuth 2;
/// so it is by a broker that a program embeds.
pub(super) fn answer(configured: Option<&Settings>) -> Value {
    let off = json!({ "oauth_enabled": false });
    let Some(configured) = configured.filter(|configured| configured.management_oauth_enabled) else { return off };
    let servers = servers(configured);
    if servers.is_empty() {
        tracing::warn!("management_oauth_enabled has no effect: a resource server, an issuer and a client are needed");
        return off;
    }
    let mut told = common(configured);
    told.insert("oauth_enabled".to_owned(), true.into());
    told.insert("oauth_disable_basic_auth".to_owned(), configured.management_oauth_disable_basic_auth.into());
    told.insert("oauth_resource_servers".to_owned(), Value::Object(servers));
    Value::Object(told)
}

/// What holds for all resource servers.
fn common(configured: &Settings) -> Map<String, Value> {
    let mut told = Map::new();
    let texts = [
        ("oauth_client_id", configured.management_oauth_client_id.as_deref()),
        ("oauth_client_secret", configured.management_oauth_client_secret.as_ref().map(|secret| secret.0.as_str())),
        ("oauth_scopes", configured.management_oauth_scopes.as_deref()),
        ("oauth_initiated_logon_type", Some(logon_type(configured)).filter(|kind| *kind == IDP_INITIATED)),
    ];
    told.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))));
    let [authorization, token] = PARAMETERS;
    insert_parameters(&mut told, authorization, pairs(&configured.management_oauth_authorization_endpoint_params));
    insert_parameters(&mut told, token, pairs(&configured.management_oauth_token_endpoint_params));
    told
}

fn pairs(named: &[Named]) -> Vec<(&str, &str)> {
    named.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect()
}

fn insert_parameters(told: &mut Map<String, Value>, name: &str, pairs: Vec<(&str, &str)>) {
    if !pairs.is_empty() {
        let pairs: Map<_, _> = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        told.insert(name.to_owned(), Value::Object(pairs));
    }
}

/// Who begins: the pages, or whoever knows the user.
const SP_INITIATED: &str = "sp_initiated";
const IDP_INITIATED: &str = "idp_initiated";

fn logon_type(configured: &Settings) -> &str {
    configured.management_oauth_initiated_logon_type.as_deref().unwrap_or(SP_INITIATED)
}

/// The resource servers whose tokens the pages can ask for, by their names.
fn servers(configured: &Settings) -> Map<String, Value> {
    let pages = AuthProperties::of(&configured.management_oauth_resource_servers);
    let providers = AuthProperties::of(&configured.auth_oauth2_oauth_providers);
    let mut told = Map::new();
    for (id, provider) in declared(configured) {
        let own = pages.iter().find(|(name, server)| server.get("id").unwrap_or(name) == id).map(|(_, server)| server);
        if own.is_some_and(|server| server.get("disabled") == Some("true")) {
            continue;
        }
        let named = providers.iter().find(|(name, _)| Some(*name) == provider).map(|(_, provider)| provider);
        let mut server = of_provider(configured, named);
        server.insert("id".to_owned(), id.clone().into());
        if let Some(own) = own {
            insert_own(&mut server, own);
        }
        let text = |key: &str| server.get(key).and_then(Value::as_str);
        let has_client = text("oauth_client_id").or(configured.management_oauth_client_id.as_deref()).is_some();
        let begins = text("oauth_initiated_logon_type").unwrap_or_else(|| logon_type(configured));
        if text("oauth_provider_url").is_some() && (has_client || begins == IDP_INITIATED) {
            told.insert(id, Value::Object(server));
        }
    }
    told
}

/// The resource servers that tokens can be for, and the names of those who issue them.
fn declared(configured: &Settings) -> Vec<(String, Option<&str>)> {
    let default = configured.auth_oauth2_default_oauth_provider.as_deref();
    let root = configured.auth_oauth2_resource_server_id.clone().filter(|id| !id.is_empty());
    let mut all: Vec<_> = root.map(|id| (id, default)).into_iter().collect();
    for Named { name, .. } in &configured.auth_oauth2_resource_servers {
        let name = name.split('.').next().unwrap_or_default();
        let value = |key: &str| {
            let wanted = format!("{name}.{key}");
            let found = configured.auth_oauth2_resource_servers.iter().rev().find(|it| it.name == wanted);
            found.map(|it| it.value.as_str())
        };
        let id = value("id").unwrap_or(name).to_owned();
        if !all.iter().any(|(known, _)| *known == id) {
            all.push((id, value("oauth_provider_id").or(default)));
        }
    }
    all
}

/// What is known of who issues the tokens; what the pages are told of their own goes first.
fn of_provider(configured: &Settings, named: Option<&AuthProperty<'_>>) -> Map<String, Value> {
    let root = |text: &Option<crate::config::WebAddress>| text.as_ref().map(|address| address.0.clone());
    let own = |key: &str| named.and_then(|provider| provider.get(key)).map(str::to_owned);
    let (issuer, token, end, path) = match named {
        Some(_) => (own("issuer"), own("token_endpoint"), own("end_session_endpoint"), own("discovery_endpoint_path")),
        None => (
            root(&configured.auth_oauth2_issuer),
            root(&configured.auth_oauth2_token_endpoint),
            root(&configured.auth_oauth2_end_session_endpoint),
            configured.auth_oauth2_discovery_endpoint_path.clone(),
        ),
    };
    let path = path.unwrap_or_else(|| ".well-known/openid-configuration".to_owned());
    let discovery =
        issuer.as_ref().map(|issuer| format!("{}/{}", issuer.trim_end_matches('/'), path.trim_start_matches('/')));
    let known = [
        ("oauth_provider_url", root(&configured.management_oauth_provider_url).or(issuer)),
        ("oauth_metadata_url", root(&configured.management_oauth_metadata_url).or(discovery)),
        ("token_endpoint", token),
        ("end_session_endpoint", end),
    ];
    known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into()))).collect()
}

fn insert_own(server: &mut Map<String, Value>, own: &AuthProperty<'_>) {
    let texts = own.iter().filter(|(key, _)| !key.is_empty() && !key.contains('.'));
    server.extend(texts.map(|(key, value)| (key.to_owned(), value.into())));
    for name in PARAMETERS {
        insert_parameters(server, name, own.below(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WebAddress;

    fn named(all: &[(&str, &str)]) -> Vec<Named> {
        all.iter().map(|(name, value)| Named { name: (*name).to_owned(), value: (*value).to_owned() }).collect()
    }

    fn address(text: &str) -> Option<WebAddress> {
        Some(WebAddress(text.to_owned()))
    }

    #[test]
    fn one_resource_server_is_told_with_its_issuer() {
        let configured = Settings {
            management_oauth_enabled: true,
            management_oauth_client_id: Some("pages".to_owned()),
            management_oauth_authorization_endpoint_params: named(&[("resource", "rabbitmq")]),
            auth_oauth2_resource_server_id: Some("rabbitmq".to_owned()),
            auth_oauth2_issuer: address("https://idp.example/realm"),
            ..Settings::default()
        };
        let expected = json!({
            "oauth_enabled": true,
            "oauth_disable_basic_auth": true,
            "oauth_client_id": "pages",
            "oauth_authorization_endpoint_params": { "resource": "rabbitmq" },
            "oauth_resource_servers": { "rabbitmq": {
                "id": "rabbitmq",
                "oauth_provider_url": "https://idp.example/realm",
                "oauth_metadata_url": "https://idp.example/realm/.well-known/openid-configuration",
            } },
        });
        assert_eq!(answer(Some(&configured)), expected);
        let without_client = Settings { management_oauth_client_id: None, ..configured.clone() };
        assert_eq!(answer(Some(&without_client)), json!({ "oauth_enabled": false }));
        let idp = Some(IDP_INITIATED.to_owned());
        let by_the_other = Settings { management_oauth_initiated_logon_type: idp, ..without_client };
        assert_eq!(answer(Some(&by_the_other))["oauth_initiated_logon_type"], "idp_initiated");
        let without_issuer = Settings { auth_oauth2_issuer: None, ..configured };
        assert_eq!(answer(Some(&without_issuer)), json!({ "oauth_enabled": false }));
        assert_eq!(answer(Some(&Settings::default())), json!({ "oauth_enabled": false }));
    }

    #[test]
    fn several_resource_servers_have_their_own_issuers_and_clients() {
        let configured = Settings {
            management_oauth_enabled: true,
            management_oauth_disable_basic_auth: false,
            auth_oauth2_resource_servers: named(&[
                ("1.id", "prod"),
                ("1.oauth_provider_id", "keycloak"),
                ("dev.oauth_provider_id", "uaa"),
                ("internal.id", "internal"),
            ]),
            auth_oauth2_oauth_providers: named(&[
                ("keycloak.issuer", "https://keycloak.example"),
                ("uaa.issuer", "https://uaa.example/"),
                ("uaa.discovery_endpoint_path", "/find"),
                ("uaa.token_endpoint", "https://uaa.example/token"),
                ("uaa.end_session_endpoint", "https://uaa.example/logout"),
            ]),
            management_oauth_resource_servers: named(&[
                ("1.id", "prod"),
                ("1.label", "Production"),
                ("1.oauth_client_id", "prod-pages"),
                ("dev.oauth_client_id", "dev-pages"),
                ("dev.oauth_token_endpoint_params.x", "y"),
                ("internal.disabled", "true"),
            ]),
            ..Settings::default()
        };
        let told = answer(Some(&configured));
        assert_eq!(told["oauth_disable_basic_auth"], false);
        let expected = json!({
            "prod": {
                "id": "prod",
                "label": "Production",
                "oauth_client_id": "prod-pages",
                "oauth_provider_url": "https://keycloak.example",
                "oauth_metadata_url": "https://keycloak.example/.well-known/openid-configuration",
            },
            "dev": {
                "id": "dev",
                "oauth_client_id": "dev-pages",
                "oauth_provider_url": "https://uaa.example/",
                "oauth_metadata_url": "https://uaa.example/find",
                "token_endpoint": "https://uaa.example/token",
                "end_session_endpoint": "https://uaa.example/logout",
                "oauth_token_endpoint_params": { "x": "y" },
            },
        });
        assert_eq!(told["oauth_resource_servers"], expected);
    }
}
