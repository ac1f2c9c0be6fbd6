//! What virtual hosts get when they are made. There may be several of each, with names: a value is one property, `NAME.KEY=VALUE`.

use std::marker::PhantomData;

use super::size::read_bytesize;
use super::time::duration_ms;
use super::{Item, SettingValue};
use crate::auth::Pattern;

/// What a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PropertyKind {
    /// A regular expression.
    Pattern,
    Text,
    /// A text that nobody is shown.
    Password,
    /// A number above 0.
    Number,
    /// A time in milliseconds, with or without units.
    Time,
    /// A number of bytes above 0, with or without units.
    Bytes,
}

/// The properties of one kind of thing.
pub(crate) trait PropertyTable {
    /// What stands for a property in the help.
    const NAME: &'static str;
    /// All keys, as a sentence ends.
    const ALLOWED: &'static str;
    /// Some keys take what nobody is to see.
    const IS_SECRET: bool = false;
    /// Each key, and what its values are checked for.
    const KEYS: &'static [(&'static str, PropertyKind)];
}

/// `default_limits.vhosts`: how many connections and queues a virtual host may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitProperties;

impl PropertyTable for LimitProperties {
    const NAME: &'static str = "NAME.KEY=VALUE";
    const ALLOWED: &'static str = "NAME.KEY=VALUE with the keys pattern, max_connections, max_queues (numbers above 0)";
    const KEYS: &'static [(&'static str, PropertyKind)] = &[
        ("pattern", PropertyKind::Pattern),
        ("max_connections", PropertyKind::Number),
        ("max_queues", PropertyKind::Number),
    ];
}

/// `default_policies.operator`: policies that a virtual host begins with, and that its users cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyProperties;

impl PropertyTable for PolicyProperties {
    const NAME: &'static str = "NAME.KEY=VALUE";
    const ALLOWED: &'static str = "NAME.KEY=VALUE with the keys vhost_pattern, queue_pattern, apply_to, expires, message_ttl (5s), max_length, \
                                   max_length_bytes (1MB), max_in_memory_length, max_in_memory_bytes, delivery_limit, classic_queues.queue_version";
    const KEYS: &'static [(&'static str, PropertyKind)] = &[
        ("vhost_pattern", PropertyKind::Pattern),
        ("queue_pattern", PropertyKind::Pattern),
        ("apply_to", PropertyKind::Text),
        ("expires", PropertyKind::Time),
        ("message_ttl", PropertyKind::Time),
        ("max_length", PropertyKind::Number),
        ("max_length_bytes", PropertyKind::Bytes),
        ("max_in_memory_length", PropertyKind::Number),
        ("max_in_memory_bytes", PropertyKind::Bytes),
        ("delivery_limit", PropertyKind::Number),
        ("classic_queues.queue_version", PropertyKind::Number),
    ];
}

/// `default_users`: who has permissions in a virtual host from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserProperties;

impl PropertyTable for UserProperties {
    const NAME: &'static str = "NAME.KEY=VALUE";
    const ALLOWED: &'static str = "NAME.KEY=VALUE with the keys vhost_pattern, password, tags (a, b), configure, write, read (regular expressions)";
    const IS_SECRET: bool = true;
    const KEYS: &'static [(&'static str, PropertyKind)] = &[
        ("vhost_pattern", PropertyKind::Pattern),
        ("password", PropertyKind::Password),
        ("tags", PropertyKind::Text),
        ("configure", PropertyKind::Pattern),
        ("write", PropertyKind::Pattern),
        ("read", PropertyKind::Pattern),
    ];
}

/// What a property says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PropertyValue {
    Text(String),
    Number(u64),
}

/// A property of one thing.
#[derive(Clone, PartialEq, Eq)]
pub struct VhostDefault<T> {
    /// What the limit, policy or user is called.
    pub(crate) name: String,
    /// One of [`PropertyTable::KEYS`].
    pub(crate) key: &'static str,
    pub(crate) value: PropertyValue,
    kind: PropertyKind,
    table: PhantomData<T>,
}

/// Without its value, which may be a password.
impl<T> std::fmt::Debug for VhostDefault<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.name, self.key)
    }
}

impl<T: PropertyTable> SettingValue for VhostDefault<T> {
    const NAME: &'static str = T::NAME;
    const ALLOWED: &'static str = T::ALLOWED;
    const IS_SECRET: bool = T::IS_SECRET;

    fn read(text: &str) -> Result<Self, String> {
        let refused = || format!("allowed is {}", T::ALLOWED);
        let (property, value) = text.split_once('=').ok_or_else(refused)?;
        let (name, key) = property.split_once('.').filter(|(name, _)| !name.is_empty()).ok_or_else(refused)?;
        let (key, kind) = *T::KEYS.iter().find(|(known, _)| *known == key).ok_or_else(refused)?;
        let value = match kind {
            PropertyKind::Pattern => {
                Pattern::new(value).map(|_| text_of(value)).map_err(|error| format!("{}; {error}", refused()))?
            }
            PropertyKind::Text | PropertyKind::Password => text_of(value),
            PropertyKind::Number => PropertyValue::Number(positive(value.parse().ok()).ok_or_else(refused)?),
            PropertyKind::Bytes => PropertyValue::Number(positive(read_bytesize(value)).ok_or_else(refused)?),
            PropertyKind::Time => PropertyValue::Number(duration_ms(value).ok_or_else(refused)?),
        };
        Ok(Self { name: name.to_owned(), key, value, kind, table: PhantomData })
    }

    fn show(&self) -> Option<String> {
        let Self { name, key, .. } = self;
        Some(match &self.value {
            PropertyValue::Text(_) if self.kind == PropertyKind::Password => format!("{name}.{key}=********"),
            PropertyValue::Text(text) => format!("{name}.{key}={text}"),
            PropertyValue::Number(number) => format!("{name}.{key}={number}"),
        })
    }
}

impl<T: PropertyTable> Item for VhostDefault<T> {}

fn text_of(value: &str) -> PropertyValue {
    PropertyValue::Text(value.to_owned())
}

fn positive(number: Option<u64>) -> Option<u64> {
    number.filter(|number| *number > 0 && i64::try_from(*number).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_have_a_name_a_key_and_a_value_of_its_kind() {
        let policy = |text: &str| VhostDefault::<PolicyProperties>::read(text).map(|it| it.show().unwrap());
        for (text, shown) in [
            ("p.expires=1h", "p.expires=3600000"),
            ("p.expires=1h30m", "p.expires=5400000"),
            ("p.message_ttl=0", "p.message_ttl=0"),
            ("p.max_length_bytes=1MB", "p.max_length_bytes=1048576"),
            ("p.classic_queues.queue_version=2", "p.classic_queues.queue_version=2"),
            ("p.queue_pattern=^a=b", "p.queue_pattern=^a=b"),
        ] {
            assert_eq!(policy(text).as_deref(), Ok(shown), "{text}");
        }
        for text in ["", "p", "p.max_length", ".max_length=1", "p.max_length=0", "p.max_length=-1", "p.colour=red"] {
            assert!(policy(text).is_err(), "{text}");
        }
        assert!(policy("p.queue_pattern=(").is_err_and(|reason| reason.contains("regular expression")));
    }

    #[test]
    fn passwords_are_not_shown() {
        let user = VhostDefault::<UserProperties>::read("anna.password=secret").unwrap();
        assert_eq!(user.show().as_deref(), Some("anna.password=********"));
        assert!(!format!("{user:?}").contains("secret"));
    }
}
