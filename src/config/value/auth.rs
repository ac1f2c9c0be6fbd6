//! What is said about backends that know users.

use super::{Item, SettingValue, allowed};
use crate::auth::ldap::{Query, tag_queries};
use crate::auth::oauth2::known_algorithm;

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]

pub(crate) enum BackendKind {
    Internal,
    OAuth2,
    Http,
    Ldap,
    Cache,
}

/// The word that is shown, and what else stands for it.
const KINDS: [(&str, BackendKind); 11] = [
    ("internal", BackendKind::Internal),
    ("oauth2", BackendKind::OAuth2),
    ("http", BackendKind::Http),
    ("ldap", BackendKind::Ldap),
    ("cache", BackendKind::Cache),
    ("rabbit_auth_backend_ldap", BackendKind::Ldap),
    ("oauth", BackendKind::OAuth2),
    ("rabbit_auth_backend_internal", BackendKind::Internal),
    ("rabbit_auth_backend_oauth2", BackendKind::OAuth2),
    ("rabbit_auth_backend_http", BackendKind::Http),
    ("rabbit_auth_backend_cache", BackendKind::Cache),
];

impl BackendKind {
    fn read(text: &str) -> Option<Self> {
        KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind)
    }

    fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// One place of the chain: who says who somebody is, and who says what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthBackend {
    /// Who somebody is.
    pub(crate) authn: BackendKind,
    /// What it may do.
    pub(crate) authz: BackendKind,
}

impl AuthBackend {
    /// The broker's own users alone.
    pub(crate) const INTERNAL: Self = Self { authn: BackendKind::Internal, authz: BackendKind::Internal };
}

impl SettingValue for AuthBackend {
    const NAME: &'static str = "BACKEND";
    const ALLOWED: &'static str = "internal, oauth2, http, ldap or cache, or two of them: http/internal asks the one who it is, the other what it may do";

    fn read(text: &str) -> Result<Self, String> {
        let (authn, authz) = text.split_once('/').unwrap_or((text, text));
        let kind = |name: &str| BackendKind::read(name).ok_or_else(allowed::<Self>);
        Ok(Self { authn: kind(authn)?, authz: kind(authz)? })
    }

    fn show(&self) -> Option<String> {
        let (authn, authz) = (self.authn.name(), self.authz.name());
        Some(if authn == authz { authn.to_owned() } else { format!("{authn}/{authz}") })
    }
}

impl Item for AuthBackend {}

/// A value with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What stands before the first `=`; never empty.
    pub(crate) name: String,
    /// What stands behind it; never empty.
    pub(crate) value: String,
}

impl SettingValue for Named {
    const NAME: &'static str = "NAME=VALUE";
    const ALLOWED: &'static str = "a name and a value with '=' between them";

    fn read(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        Some(format!("{}={}", self.name, self.value))
    }
}

impl Item for Named {}

/// How tokens may be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Algorithm(pub String);

impl SettingValue for Algorithm {
    const NAME: &'static str = "ALGORITHM";
    const ALLOWED: &'static str =
        "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, HS256, HS384 or HS512";

    fn read(text: &str) -> Result<Self, String> {
        if known_algorithm(text) { Ok(Self(text.to_owned())) } else { Err(allowed::<Self>()) }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

impl Item for Algorithm {}

/// Where a web server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(pub String);

impl SettingValue for WebAddress {
    const NAME: &'static str = "URL";
    const ALLOWED: &'static str = "an address such as https://auth.example/user";

    fn read(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let is_address = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(' '));
        if is_address { Ok(Self(text.to_owned())) } else { Err(allowed::<Self>()) }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// What is asked of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryQuery(pub String);

impl DirectoryQuery {
    /// One that always holds.
    pub(crate) fn always() -> Self {
        Self("{constant, true}".to_owned())
    }
}

impl SettingValue for DirectoryQuery {
    const NAME: &'static str = "QUERY";
    const ALLOWED: &'static str = "an Erlang term such as {in_group, \"cn=users,ou=groups,dc=example\"}";

    fn read(text: &str) -> Result<Self, String> {
        match Query::parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{}: {error}", allowed::<Self>())),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// Which tags users of a directory have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagQueries(pub String);

impl SettingValue for TagQueries {
    const NAME: &'static str = "QUERIES";
    const ALLOWED: &'static str = "an Erlang term such as [{administrator, {constant, false}}]";

    fn read(text: &str) -> Result<Self, String> {
        match tag_queries(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("{}: {error}", allowed::<Self>())),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.0.clone())
    }
}

/// How a web server is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AskWith {
    /// With GET.
    #[default]
    Get,
    /// With POST.
    Post,
}

impl SettingValue for AskWith {
    const NAME: &'static str = "get|post";
    const ALLOWED: &'static str = "get or post";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "get" => Ok(Self::Get),
            "post" => Ok(Self::Post),
            _ => Err(allowed::<Self>()),
        }
    }

    fn show(&self) -> Option<String> {
        let word = match self {
            Self::Get => "get",
            Self::Post => "post",
        };
        Some(word.to_owned())
    }
}
