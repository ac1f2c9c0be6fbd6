//! Columns of lists: which there are, which were chosen, and where their values come from.

use serde_json::Value;

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Table};

/// A column that can be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Where its value is in the API's answer, with dots between the names.
    source: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Tags,
    Arguments,
}

pub(super) const fn plain(name: &'static str) -> Column {
    Column { name, source: name, kind: Kind::Plain }
}

/// A column that the API calls otherwise.
pub(super) const fn from(name: &'static str, source: &'static str) -> Column {
    Column { name, source, kind: Kind::Plain }
}

pub(super) const fn tags(name: &'static str) -> Column {
    Column { name, source: name, kind: Kind::Tags }
}

pub(super) const fn arguments(name: &'static str) -> Column {
    Column { name, source: name, kind: Kind::Arguments }
}

/// The names that were asked for. Some write them with commas.
fn chosen(it: &Invocation) -> Vec<&str> {
    it.arguments
        .iter()
        .flat_map(|argument| argument.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

/// # Errors
/// When a column is asked for that there is not.
pub(super) fn check(it: &Invocation, known: &[Column]) -> Result<(), Failure> {
    let is_unknown = |name: &&str| !known.iter().any(|column| column.name == *name);
    let unknown: Vec<_> = chosen(it).into_iter().filter(is_unknown).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!("Info key(s) {} are not supported", unknown.join(","))))
}

/// A list of what the API gave, with the columns that were asked for.
pub(super) fn table(it: &Invocation, known: &[Column], otherwise: &[&str], found: &Value) -> Table {
    let names = chosen(it);
    let names = if names.is_empty() { otherwise.to_vec() } else { names };
    let columns: Vec<_> =
        names.iter().filter_map(|name| known.iter().find(|column| column.name == *name).copied()).collect();
    let rows = found.as_array().into_iter().flatten();
    Table::new(&names, rows.map(|item| columns.iter().map(|column| cell(*column, item)).collect()).collect())
}

fn cell(column: Column, item: &Value) -> Cell {
    let value = column.source.split('.').try_fold(item, |value, name| value.get(name));
    match column.kind {
        Kind::Plain => match value {
            Some(value @ (Value::Array(_) | Value::Object(_))) => Cell::Data(value.clone()),
            Some(value) => Cell::Plain(value.clone()),
            None => Cell::Plain(Value::Null),
        },
        Kind::Tags => Cell::words(value),
        Kind::Arguments => Cell::arguments(value),
    }
}
