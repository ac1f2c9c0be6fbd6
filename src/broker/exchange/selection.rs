//! How an exchange type selects the bindings that a message goes along, said for people: why one was selected, and why not another.

use std::borrow::Cow;

use super::Binding;
use crate::broker::router::RoutingKeys;
use crate::properties::Properties;

/// Routing keys that are shown; a message with CC and BCC may have very many.
const KEYS_SHOWN_MAX: usize = 10;

/// How a type selects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Selection {
    /// It looks at each binding for itself, and says why it was selected or not.
    Each(fn(&Considered<'_>) -> String),
    /// It chooses among all bindings: what it says of those that it has chosen, and of the others.
    Among { chosen: &'static str, others: &'static str },
    /// It selects as the type that this argument of `exchange.declare` names.
    AsNamedBy(&'static str),
}

/// A binding, and the message for which it was looked at.
#[derive(Debug)]
pub(crate) struct Considered<'a> {
    pub(crate) binding: &'a Binding,
    pub(crate) keys: &'a RoutingKeys<'a>,
    pub(crate) properties: Properties<'a>,
    /// The message goes along the binding.
    pub(crate) is_selected: bool,
}

impl Considered<'_> {
    pub(super) fn routing_keys(&self) -> String {
        shown_keys(self.keys)
    }

    pub(super) fn binding_key(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.binding.routing_key())
    }
}

/// For types that send every message to all that is bound.
pub(super) fn to_all(_: &Considered<'_>) -> String {
    "this type sends every message to all that is bound".to_owned()
}

/// For types that choose by a hash.
pub(super) const BY_HASH: Selection = Selection::Among {
    chosen: "the hash of the message leads here",
    others: "the hash of the message leads elsewhere",
};

/// The routing keys of a message as texts show them.
pub(crate) fn shown_keys(keys: &RoutingKeys<'_>) -> String {
    let names = keys.iter().take(KEYS_SHOWN_MAX).map(|key| format!("'{}'", String::from_utf8_lossy(key)));
    names.collect::<Vec<_>>().join(", ")
}
