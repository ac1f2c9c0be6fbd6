//! What all lists share: names that are filtered, an order, pages, and columns.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

use super::answer::Answer;
use super::request::Request;

mod columns;
mod page;

use columns::{Columns, Selected};

pub(super) use page::{Row, paged, rows};

/// An item of a list.
pub(super) trait Listed: Serialize {
    /// Its name, which `name=` filters by.
    fn name(&self) -> &str;

    /// Whether any of its names is one that is asked for with `name=`.
    fn is_called(&self, is_wanted: &dyn Fn(&str) -> bool) -> bool {
        is_wanted(self.name())
    }

    /// Its virtual host, which goes before the name in the default order.
    fn vhost(&self) -> &str {
        ""
    }
}

/// A list that is an array, whatever page is asked for.
pub(super) fn array<T: Listed>(request: &Request<'_>, mut items: Vec<T>) -> Answer {
    sort(request, &mut items);
    write(request, &items)
}

/// One object, reduced to the columns that are asked for.
pub(super) fn one<T: Serialize>(request: &Request<'_>, item: &T) -> Answer {
    Answer::json(&Selected { columns: Columns::of(request).as_ref(), item })
}

fn sort<T: Listed>(request: &Request<'_>, items: &mut [T]) {
    items.sort_by(|a, b| (a.vhost(), a.name()).cmp(&(b.vhost(), b.name())));
    if let Some(key) = request.parameter("sort").filter(|key| !key.is_empty()) {
        items.sort_by_cached_key(|item| SortKey::of(item, key));
    }
    if request.is_set("sort_reverse") {
        items.reverse();
    }
}

/// What an item is sorted by. Numbers come before everything else, as they do among Erlang's terms.
#[derive(Clone, Debug, PartialEq)]
enum SortKey {
    Number(f64),
    Absent,
    Text(String),
}

impl SortKey {
    fn of<T: Listed>(item: &T, key: &str) -> Self {
        match key {
            "name" => return Self::Text(item.name().to_owned()),
            "vhost" => return Self::Text(item.vhost().to_owned()),
            // Everything else is looked up in the row as it is sent.
            _ => {}
        }
        // Of the item only this need be there.
        let columns = Columns::only(key);
        let item = serde_json::to_value(Selected { columns: Some(&columns), item }).unwrap_or_default();
        let value = key.split('.').try_fold(&item, |value, key| value.get(key));
        match value {
            Some(Value::Number(number)) => Self::Number(number.as_f64().unwrap_or_default()),
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) => Self::Text(text.clone()),
            Some(other) => Self::Text(other.to_string()),
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Absent => 1,
            Self::Text(_) => 2,
        }
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

fn write<T: Listed>(request: &Request<'_>, items: &[T]) -> Answer {
    let columns = Columns::of(request);
    Answer::json_list(items.iter().map(|item| Selected { columns: columns.as_ref(), item }))
}
