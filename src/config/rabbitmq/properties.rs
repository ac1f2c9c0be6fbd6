//! Keys of things that have names: `auth_oauth2.oauth_providers.keycloak.issuer`.

use super::conf::ConfEntry;
use super::keys::matches;
use super::translated::ENCRYPTED;
use crate::config::given::GivenSettings;
use crate::config::setting::Setting;

/// Where they are, the setting that takes them, and the keys of one thing. Others are no keys that are known.
const THINGS: &[(&str, &str, &[&str])] = &[
    (
        "auth_oauth2.oauth_providers.",
        "auth_oauth2_oauth_providers",
        &[
            "issuer",
            "jwks_uri",
            "jwks_url",
            "token_endpoint",
            "end_session_endpoint",
            "discovery_endpoint_path",
            "default_key",
            "signing_keys.*",
            "algorithms.*",
            "https.verify",
            "https.peer_verification",
            "https.cacertfile",
        ],
    ),
    (
        "auth_oauth2.resource_servers.",
        "auth_oauth2_resource_servers",
        &[
            "id",
            "oauth_provider_id",
            "scope_prefix",
            "resource_server_type",
            "additional_scopes_key",
            "preferred_username_claims.*",
        ],
    ),
    (
        "management.oauth_resource_servers.",
        "management_oauth_resource_servers",
        &[
            "id",
            "label",
            "disabled",
            "oauth_client_id",
            "oauth_client_secret",
            "oauth_provider_url",
            "oauth_metadata_url",
            "oauth_scopes",
            "oauth_initiated_logon_type",
            "oauth_authorization_endpoint_params.*",
            "oauth_token_endpoint_params.*",
        ],
    ),
    // What virtual hosts come with.
    ("default_users.", "default_users", &["vhost_pattern", "password", "tags", "configure", "write", "read"]),
    (
        "default_policies.operator.",
        "default_policies_operator",
        &[
            "vhost_pattern",
            "queue_pattern",
            "apply_to",
            "expires",
            "message_ttl",
            "max_length",
            "max_length_bytes",
            "max_in_memory_length",
            "max_in_memory_bytes",
            "delivery_limit",
            "classic_queues.queue_version",
        ],
    ),
    ("default_limits.vhosts.", "default_limits_vhosts", &["pattern", "max_connections", "max_queues"]),
    ("management.oauth_authorization_endpoint_params.", "management_oauth_authorization_endpoint_params", &[]),
    ("management.oauth_token_endpoint_params.", "management_oauth_token_endpoint_params", &[]),
];

/// Takes them out; those that are not known stay.
pub(super) fn take(entries: &mut Vec<ConfEntry>, read: &mut GivenSettings) {
    for (place, setting, keys) in THINGS {
        let Some(setting) = Setting::find(setting) else { continue };
        let is_known = |name: &str| match name.split_once('.') {
            Some((thing, key)) => !thing.is_empty() && keys.iter().any(|pattern| matches(pattern, key)),
            None => keys.is_empty(),
        };
        let mut texts = Vec::new();
        let mut first = None;
        entries.retain(|entry| {
            let Some(name) = entry.key.strip_prefix(place).filter(|name| is_known(name)) else { return true };
            let text = format!("{name}={}", entry.value);
            match encrypted(&entry.value).and_then(|()| (setting.check)(&text)) {
                Ok(()) => texts.push(text),
                Err(reason) => read.refuse(entry.origin.clone(), format!("{}: {reason}", entry.key)),
            }
            first.get_or_insert_with(|| entry.origin.clone());
            false
        });
        if let Some(origin) = first {
            read.given.push(setting.given(texts, origin));
        }
    }
}

fn encrypted(value: &str) -> Result<(), String> {
    if value.starts_with("encrypted:") { Err(ENCRYPTED.to_owned()) } else { Ok(()) }
}
