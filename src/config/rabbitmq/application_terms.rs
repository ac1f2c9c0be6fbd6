//! Terms whose meaning is that of a key of `rabbitmq.conf`: those of the backends that know users, and of TLS.

use super::keys;
use super::meaning::Meaning::{Missing, Needless, Sets};
use super::terms::Source;
use crate::config::given::GivenSettings;
use crate::config::setting::Setting;
use crate::erlang::Term;

/// Applications of RabbitMQ, and what their keys begin with in `rabbitmq.conf`.
const APPLICATIONS: [(&str, &str); 3] = [
    ("rabbitmq_auth_backend_ldap", "auth_ldap"),
    ("rabbitmq_auth_backend_http", "auth_http"),
    ("rabbitmq_auth_backend_cache", "auth_cache"),
];

/// Keys whose values are terms themselves, and their names in `rabbitmq.conf`.
const QUERIES: [(&str, &str); 4] = [
    ("auth_ldap.vhost_access_query", "auth_ldap.queries.vhost_access"),
    ("auth_ldap.resource_access_query", "auth_ldap.queries.resource_access"),
    ("auth_ldap.topic_access_query", "auth_ldap.queries.topic_access"),
    ("auth_ldap.tag_queries", "auth_ldap.queries.tags"),
];

/// What the keys of an application begin with.
pub(super) fn prefix(application: &str) -> Option<&'static str> {
    APPLICATIONS.iter().find(|(name, _)| *name == application).map(|(_, prefix)| *prefix)
}

/// Reads what a key of an application says.
pub(super) fn read(source: &Source<'_>, key: &str, value: &Term<'_>, read: &mut GivenSettings) {
    let at = value.text();
    if let Some((_, query)) = QUERIES.iter().find(|(name, _)| *name == key) {
        take(source, query, Some(at.to_owned()), at, read);
        return;
    }
    match value {
        Term::Word(..) => take(source, key, value.word(), at, read),
        // The credentials to ask a directory with.
        Term::Tuple(_, parts) if key.ends_with("_bind") => {
            for (part, name) in parts.iter().zip(["user_dn", "password"]) {
                take(source, &format!("{key}.{name}"), part.word(), at, read);
            }
        }
        Term::List(_, options) if key.ends_with(".ssl_options") => {
            for option in options {
                if let Term::Tuple(at, pair) = option
                    && let [Term::Word(_, name), value] = pair.as_slice()
                {
                    take(source, &format!("{key}.{name}"), value.word(), at, read);
                }
            }
        }
        Term::List(_, items) => take(source, &format!("{key}.1"), items.iter().filter_map(Term::word), at, read),
        Term::Tuple(..) => read.warn(source.origin(at), format!("{key} is not understood and has no effect")),
    }
}

/// Gives a key of `rabbitmq.conf` these values.
pub(super) fn take(
    source: &Source<'_>,
    key: &str,
    words: impl IntoIterator<Item = String>,
    at: &str,
    read: &mut GivenSettings,
) {
    let (origin, words) = (source.origin(at), words.into_iter().collect::<Vec<_>>());
    match keys::meaning(key) {
        Some(Sets(name, convert)) => {
            let Some(setting) = Setting::find(name) else { return };
            let convert = |word: &String| convert(word).and_then(|text| (setting.check)(&text).map(|()| text));
            match words.iter().map(convert).collect::<Result<Vec<_>, _>>() {
                Ok(texts) => read.given.push(setting.given(texts, origin)),
                Err(reason) => read.refuse(origin, format!("{key} cannot be '{}': {reason}", words.join(", "))),
            }
        }
        Some(Needless(why)) => read.note(origin, format!("{key} {why}")),
        Some(Missing(what)) => read.warn(origin, format!("{key} has no effect: {what}")),
        None => read.warn(origin, format!("{key} is not understood and has no effect")),
    }
}
