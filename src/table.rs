//! Field tables (AMQP 0-9-1 section 4.2.5.5) with RabbitMQ's type tags, kept as they came.
//!
//! [`Table`] and [`Value`] own their contents; [`EncodedTable`] is what declarations and bindings keep of them. [`TableRef`] and [`ValueRef`] read
//! the same bytes in place and allocate nothing: the publish path looks at headers through them. [`validate`] and
//! [`canonical`] work on the bytes of a message's headers when it comes in.
//!
//! **Invariant**: nothing here recurses on a peer's bytes. Decoding, validating and encoding keep their own stack on the
//! heap and refuse more than [`NESTING_MAX`] levels, which is also what keeps the derived `Drop` and `Clone` of [`Value`]
//! within a thread's stack.

mod access;
mod codec;
mod encoded;
mod json;
mod print;
mod value;
mod view;
mod walk;

#[cfg(test)]
mod tests;

pub(crate) use codec::decode_value;
pub use encoded::EncodedTable;
pub(crate) use json::{from_json, to_json};
pub(crate) use print::{Bytes, Characters, ErlangText};
pub use value::Value;
pub(crate) use value::{equivalent, equivalent_in_place};
pub(crate) use view::TableRef;
pub use view::ValueRef;
pub use walk::{canonical, validate};

/// How deep tables and arrays may nest inside a table; the table itself is not counted.
///
/// RabbitMQ knows no limit but the frame size. This one is far above what any client sends, and low enough that cloning the
/// deepest value takes less than half of a worker's 2 MiB stack even in a debug build (`tests.rs` shows it).
pub(crate) const NESTING_MAX: usize = 1_024;

/// The bytes of a field name at most: it is a short string.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Why bytes are not a field table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A name, a value or a length reaches beyond the end of what holds it.
    #[error("a field table ends in the middle of a field")]
    Truncated,
    /// A type tag that RabbitMQ does not know either.
    #[error("unknown field type {0}")]
    UnknownTag(u8),
    /// Tables and arrays nest deeper than [`NESTING_MAX`].
    #[error("a field table nests deeper than {NESTING_MAX} levels")]
    TooDeep,
}

/// A field table: names and values in the order in which they came.
///
/// Names may be empty and may occur more than once; [`Table::get`] answers with the first, as RabbitMQ does.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Table(Vec<(Box<[u8]>, Value)>);

impl Table {
    /// An empty table.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads the content of a table, without the four bytes of its length.
    ///
    /// # Errors
    /// The first thing that [`validate`] would complain of.
    pub fn decode(content: &[u8]) -> Result<Self, TableError> {
        codec::decode(content)
    }

    /// Appends the table as it stands on the wire, its length first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        codec::encode(self, out);
    }

    /// The value of the first field of that name.
    pub(crate) fn get(&self, name: impl AsRef<[u8]>) -> Option<&Value> {
        let name = name.as_ref();
        self.0.iter().find(|(key, _)| **key == *name).map(|(_, value)| value)
    }

    /// Replaces the value of the first field of that name, or appends a field. Returns the value that was replaced.
    ///
    /// A name is cut to [`NAME_BYTES_MAX`] bytes, because the wire cannot carry more.
    pub fn insert(&mut self, name: impl AsRef<[u8]>, value: impl Into<Value>) -> Option<Value> {
        let name = short_name(name.as_ref());
        let value = value.into();
        match self.0.iter_mut().find(|(key, _)| **key == *name) {
            Some((_, present)) => Some(std::mem::replace(present, value)),
            None => {
                self.0.push((name.into(), value));
                None
            }
        }
    }

    /// Removes every field of that name and returns the value of the first.
    #[cfg(test)]
    pub(crate) fn remove(&mut self, name: impl AsRef<[u8]>) -> Option<Value> {
        let name = name.as_ref();
        let at = self.0.iter().position(|(key, _)| **key == *name)?;
        let (_, value) = self.0.remove(at);
        self.0.retain(|(key, _)| **key != *name);
        Some(value)
    }

    /// The fields in their order.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Value)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// The number of fields.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the table has no field.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Orders the fields by name, bytewise; fields of the same name keep their order.
    ///
    /// RabbitMQ sorts the arguments of a binding before it compares them, so the order a client sent makes no other binding.
    pub(crate) fn sort(&mut self) {
        self.0.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    /// Appends a field without looking for its name: the wire may repeat one.
    fn push(&mut self, name: &[u8], value: Value) {
        self.0.push((short_name(name).into(), value));
    }
}

/// As much of a name as the wire can carry.
fn short_name(name: &[u8]) -> &[u8] {
    name.get(..NAME_BYTES_MAX).unwrap_or(name)
}

impl<N: AsRef<[u8]>, V: Into<Value>> FromIterator<(N, V)> for Table {
    /// Collects the fields as they come; a name that repeats stays repeated, and its first value counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut table = Self::new();
        for (name, value) in fields {
            table.push(name.as_ref(), value.into());
        }
        table
    }
}

impl IntoIterator for Table {
    type Item = (Box<[u8]>, Value);
    type IntoIter = std::vec::IntoIter<(Box<[u8]>, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
