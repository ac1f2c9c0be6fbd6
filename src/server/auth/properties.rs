//! Settings of things that have names: `prod.oauth_provider_id=keycloak`.

use std::collections::BTreeMap;

use crate::config::Named;

/// The settings of several things, by the names of these.
#[derive(Debug)]
pub(in crate::server) struct AuthProperties<'a>(BTreeMap<&'a str, AuthProperty<'a>>);

/// The settings of one thing.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct AuthProperty<'a>(Vec<(&'a str, &'a str)>);

impl<'a> AuthProperties<'a> {
    pub(in crate::server) fn of(all: &'a [Named]) -> Self {
        let mut things: BTreeMap<_, AuthProperty<'_>> = BTreeMap::new();
        for Named { name, value } in all {
            let (thing, key) = name.split_once('.').unwrap_or((name, ""));
            things.entry(thing).or_default().0.push((key, value));
        }
        Self(things)
    }

    pub(in crate::server) fn iter(&self) -> impl Iterator<Item = (&'a str, &AuthProperty<'a>)> {
        self.0.iter().map(|(name, thing)| (*name, thing))
    }
}

impl<'a> AuthProperty<'a> {
    /// The value of a key; the last one counts.
    pub(in crate::server) fn get(&self, wanted: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| *key == wanted).map(|(_, value)| *value)
    }

    /// The values below a key, with what stands behind its dot: of `algorithms.1` the `1`.
    pub(in crate::server) fn below(&self, key: &str) -> Vec<(&'a str, &'a str)> {
        let rest = |(known, value): &(&'a str, &'a str)| Some((known.strip_prefix(key)?.strip_prefix('.')?, *value));
        self.0.iter().filter_map(rest).collect()
    }

    /// All of them.
    pub(in crate::server) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().copied()
    }
}
