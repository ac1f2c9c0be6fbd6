//! The routing keys of a message.

use crate::properties::Properties;
use crate::table::ValueRef;

/// The routing keys of a message: its own, and those of the CC and BCC headers (behaviour reference 5.1).
#[derive(Clone, Debug)]
pub struct RoutingKeys<'a> {
    own: &'a [u8],
    /// In their order, each once, and without the own one.
    copies: Vec<&'a [u8]>,
}

impl<'a> RoutingKeys<'a> {
    /// One key alone.
    pub const fn single(routing_key: &'a [u8]) -> Self {
        Self { own: routing_key, copies: Vec::new() }
    }

    /// The own key and those of the headers. Elements that are no strings are ignored.
    pub(crate) fn with_copies(routing_key: &'a [u8], properties: Properties<'a>) -> Self {
        let mut keys = Self::single(routing_key);
        let Some(headers) = properties.headers() else { return keys };
        for name in ["CC", "BCC"] {
            if let Some(ValueRef::Array(copies)) = headers.get(name) {
                keys.copies.extend(copies.iter().filter_map(|copy| copy.as_bytes()));
            }
        }
        keys.copies.retain(|copy| *copy != routing_key);
        keys.copies.sort_unstable();
        keys.copies.dedup();
        keys
    }

    /// The message's own key.
    pub(crate) const fn own(&self) -> &'a [u8] {
        self.own
    }

    /// Whether headers add keys.
    pub(crate) const fn has_copies(&self) -> bool {
        !self.copies.is_empty()
    }

    /// How many there are.
    pub(crate) const fn count(&self) -> usize {
        1 + self.copies.len()
    }

    /// Whether this is one of them.
    pub(crate) fn contains(&self, key: &[u8]) -> bool {
        self.own == key || self.copies.binary_search(&key).is_ok()
    }

    /// All of them, each once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        std::iter::once(self.own).chain(self.copies.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::PropertiesEditor;
    use crate::table::Value;

    #[test]
    fn a_key_that_is_repeated_counts_once() {
        let array = |keys: &[&str]| Value::Array(keys.iter().map(|key| Value::from(*key)).collect());
        let headers = [("CC", array(&["b", "own", "a", "b"])), ("BCC", array(&["a", "c"]))].into_iter().collect();
        let properties = PropertiesEditor::new().set_headers(&headers).build();
        let keys = RoutingKeys::with_copies(b"own", Properties::new(&properties));
        assert_eq!(keys.iter().collect::<Vec<_>>(), [b"own".as_slice(), b"a", b"b", b"c"]);
        assert_eq!(keys.count(), 4);
        assert!(keys.contains(b"own") && keys.contains(b"c") && !keys.contains(b"d"));
    }
}
