//! The backend that asks directories, as it is configured.

use super::{AuthError, duration};
use crate::auth::ldap::{Query, tag_queries};
use crate::backends::{Bind, DirectorySettings, LdapSettings};
use crate::config::{DirectoryQuery, Secret, Settings};
use crate::tls::{ClientIdentity, Trust};

/// # Errors
/// When it cannot work as it is configured.
pub(super) fn settings(configured: &Settings) -> Result<LdapSettings, AuthError> {
    if configured.auth_ldap_servers.is_empty() {
        return Err(AuthError::NoDirectory);
    }
    let query = |query: &DirectoryQuery| Query::parse(&query.0);
    let none = |text: &Option<String>| text.clone().filter(|text| text != "none");
    let (dn_lookup_bind, other_bind) = binds(configured)?;
    Ok(LdapSettings {
        directory: directory(configured),
        user_dn_pattern: configured.auth_ldap_user_dn_pattern.clone(),
        user_bind_pattern: none(&configured.auth_ldap_user_bind_pattern),
        dn_lookup_attribute: none(&configured.auth_ldap_dn_lookup_attribute),
        dn_lookup_base: none(&configured.auth_ldap_dn_lookup_base),
        dn_lookup_bind,
        other_bind,
        group_lookup_base: none(&configured.auth_ldap_group_lookup_base),
        vhost_access_query: query(&configured.auth_ldap_queries_vhost_access)?,
        resource_access_query: query(&configured.auth_ldap_queries_resource_access)?,
        topic_access_query: query(&configured.auth_ldap_queries_topic_access)?,
        tag_queries: tag_queries(&configured.auth_ldap_queries_tags.0)?,
        trust: Trust::of(configured.auth_ldap_verify, configured.auth_ldap_cacertfile.as_ref()),
        identity: ClientIdentity::of(configured.auth_ldap_certfile.as_ref(), configured.auth_ldap_keyfile.as_ref()),
    })
}

fn directory(configured: &Settings) -> DirectorySettings {
    DirectorySettings {
        servers: configured.auth_ldap_servers.clone(),
        port: configured.auth_ldap_port.0,
        timeout: duration(configured.auth_ldap_timeout),
        use_ssl: configured.auth_ldap_use_ssl,
        use_starttls: configured.auth_ldap_use_starttls,
        connection_pool_size: configured.auth_ldap_connection_pool_size.0,
    }
}

/// As whom the entry of a user is searched, and as whom other questions are asked.
fn binds(configured: &Settings) -> Result<(Option<Bind>, Option<Bind>), AuthError> {
    let dn_lookup_bind = bind(
        "dn_lookup_bind",
        &configured.auth_ldap_dn_lookup_bind,
        configured.auth_ldap_dn_lookup_bind_user_dn.as_ref(),
        configured.auth_ldap_dn_lookup_bind_password.as_ref(),
    )?;
    let other_bind = bind(
        "other_bind",
        &configured.auth_ldap_other_bind,
        configured.auth_ldap_other_bind_user_dn.as_ref(),
        configured.auth_ldap_other_bind_password.as_ref(),
    )?;
    Ok((dn_lookup_bind, other_bind))
}

/// As whom a directory is asked; `None` for the user itself.
fn bind(
    key: &'static str,
    word: &str,
    dn: Option<&String>,
    password: Option<&Secret>,
) -> Result<Option<Bind>, AuthError> {
    match (dn, password, word) {
        (Some(dn), Some(password), _) => Ok(Some(Bind::As { dn: dn.clone(), password: password.0.clone() })),
        (None, None, "as_user") => Ok(None),
        (None, None, "anon") => Ok(Some(Bind::Anonymous)),
        _ => Err(AuthError::NoBind(key, word.to_owned())),
    }
}
