//! What all lists share: names that are filtered, an order, pages, and columns.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::Answer;
use super::request::Request;

mod page;

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
    if columns(request).is_empty() { Answer::json(item) } else { Answer::json(&selected(request, item)) }
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
            _ => {}
        }
        let item = serde_json::to_value(item).unwrap_or_default();
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

fn columns<'a>(request: &'a Request<'_>) -> Vec<&'a str> {
    request.parameter("columns").map(|columns| columns.split(',').collect()).unwrap_or_default()
}

fn write<T: Listed>(request: &Request<'_>, items: &[T]) -> Answer {
    if columns(request).is_empty() {
        return Answer::json(&items);
    }
    Answer::json(&items.iter().map(|item| selected(request, item)).collect::<Vec<_>>())
}

/// The item with the columns that are asked for; with none of them left, an empty list as RabbitMQ gives it.
fn selected<T: Serialize>(request: &Request<'_>, item: &T) -> Value {
    let item = serde_json::to_value(item).unwrap_or_default();
    let columns = columns(request);
    if columns.is_empty() {
        return item;
    }
    let mut kept = Map::new();
    for column in columns {
        copy(&item, column, &mut kept);
    }
    if kept.is_empty() { Value::Array(Vec::new()) } else { Value::Object(kept) }
}

fn copy(from: &Value, path: &str, to: &mut Map<String, Value>) {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let Some(value) = from.get(key) else { return };
    match rest {
        None => {
            to.insert(key.to_owned(), value.clone());
        }
        Some(rest) => {
            let mut inner = match to.remove(key) {
                Some(Value::Object(inner)) => inner,
                Some(_) | None => Map::new(),
            };
            copy(value, rest, &mut inner);
            if !inner.is_empty() {
                to.insert(key.to_owned(), Value::Object(inner));
            }
        }
    }
}
