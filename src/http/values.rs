//! AMQP tables as JSON, and back.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::table::{self, Table, TableRef};

/// A table as an object.
pub(super) fn object(table: TableRef<'_>) -> Map<String, Value> {
    table::to_json(table)
}

/// Bytes as text; those that are no UTF-8 are replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An object as a table.
///
/// # Errors
/// 400 when something in it is null.
pub(super) fn table(fields: &Map<String, Value>) -> Result<Table, Refusal> {
    table::from_json(fields).map_err(|null| Refusal::bad_request(null.to_string()))
}
