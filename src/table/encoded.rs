//! Tables that are kept for long.

use std::sync::Arc;

use super::{Table, TableRef};

/// A table as it stands on the wire, without its length: it takes as much memory as it took to send it, and copies share that.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncodedTable(Option<Arc<[u8]>>);

impl EncodedTable {
    /// A view of the fields.
    pub(crate) fn fields(&self) -> TableRef<'_> {
        TableRef::new(self.0.as_deref().unwrap_or_default())
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |fields| fields.len())
    }
}

impl From<&Table> for EncodedTable {
    fn from(table: &Table) -> Self {
        if table.is_empty() {
            return Self::default();
        }
        let mut encoded = Vec::new();
        table.encode(&mut encoded);
        // The length comes first.
        Self(encoded.get(4..).map(Arc::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Value;

    #[test]
    fn a_table_is_found_again_in_it() {
        let inner: Table = [("a", 1)].into_iter().collect();
        let mut table: Table = [("x", "y")].into_iter().collect();
        table.insert("t", Value::Table(inner));
        let encoded = EncodedTable::from(&table);
        assert_eq!(encoded.fields().to_owned(), table);
        assert_eq!(encoded.bytes(), 1 + 1 + 1 + 4 + 1 + 1 + 1 + 1 + 4 + 1 + 1 + 1 + 4);
        assert_eq!(EncodedTable::from(&Table::new()).bytes(), 0);
    }
}
