//! What all lists share: names that are filtered, an order, pages, and columns.

use std::cmp::Ordering;

use fancy_regex::RegexBuilder;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;

/// An item of a list.
pub(super) trait Listed: Serialize {
    /// Its name, which `name=` filters by.
    fn name(&self) -> &str;

    /// Its virtual host, which goes before the name in the default order.
    fn vhost(&self) -> &str {
        ""
    }

    /// The value of a key to sort by, if it is to be had without writing the whole item down.
    fn number(&self, key: &str) -> Option<f64> {
        let _ = key;
        None
    }
}

const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: usize = 500;
/// An expression of a client is not to take more memory than this when it is compiled.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// One that looks around or refers to groups is given up after so many steps a name.
const BACKTRACKS_MAX: usize = 10_000;

/// A list that is an array, whatever page is asked for.
pub(super) fn array<T: Listed>(request: &Request<'_>, mut items: Vec<T>) -> Answer {
    sort(request, &mut items);
    write(request, &items)
}

/// A list that is an object with one page when `page` is given.
///
/// # Errors
/// 400 for a page that cannot be.
pub(super) fn paged<T: Listed>(request: &Request<'_>, mut items: Vec<T>) -> Result<Answer, Refusal> {
    let Some(page) = Page::of(request)? else { return Ok(array(request, items)) };
    let total_count = items.len();
    filter(request, &mut items);
    let filtered_count = items.len();
    let page_count = filtered_count.div_ceil(page.size);
    if page.number > page_count.max(1) {
        let text = format!("Page out of range, page: {} page size: {}, len: {filtered_count}", page.number, page.size);
        return Err(Refusal { status: 400, error: "page_out_of_range", reason: text.into() });
    }
    sort(request, &mut items);
    let from = (page.number - 1) * page.size;
    let items = items.get(from..(from + page.size).min(filtered_count)).unwrap_or_default();
    let shown: Vec<_> = items.iter().map(|item| selected(request, item)).collect();
    Ok(Answer::json(&json!({
        "filtered_count": filtered_count,
        "item_count": shown.len(),
        "items": shown,
        "page": page.number,
        "page_count": page_count,
        "page_size": page.size,
        "total_count": total_count,
    })))
}

/// One object, reduced to the columns that are asked for.
pub(super) fn one<T: Serialize>(request: &Request<'_>, item: &T) -> Answer {
    if columns(request).is_empty() { Answer::json(item) } else { Answer::json(&selected(request, item)) }
}

struct Page {
    number: usize,
    size: usize,
}

impl Page {
    fn of(request: &Request<'_>) -> Result<Option<Self>, Refusal> {
        let Some(page) = request.parameter("page") else { return Ok(None) };
        let unreadable = || Refusal::bad_request("Pagination parameters are invalid");
        let number: i64 = page.parse().map_err(|_error| unreadable())?;
        let given = request.parameter("page_size");
        let size: i64 = match given {
            Some(size) => size.parse().map_err(|_error| unreadable())?,
            None => i64::try_from(PAGE_SIZE_DEFAULT).unwrap_or(i64::MAX),
        };
        match (usize::try_from(number), usize::try_from(size)) {
            (Ok(number @ 1..), Ok(size @ 1..=PAGE_SIZE_MAX)) => Ok(Some(Self { number, size })),
            _ => {
                let size = given.unwrap_or("undefined");
                let text = format!("Invalid pagination parameters: page number {number}, page size {size}");
                Err(Refusal { status: 400, error: "invalid_pagination_parameters", reason: text.into() })
            }
        }
    }
}

/// Keeps the items with the name that is asked for.
fn filter<T: Listed>(request: &Request<'_>, items: &mut Vec<T>) {
    let Some(name) = request.parameter("name").filter(|name| !name.is_empty()) else { return };
    if request.is_set("use_regex") {
        let regex = RegexBuilder::new(name)
            .case_insensitive(true)
            .delegate_size_limit(REGEX_BYTES_MAX)
            .backtrack_limit(BACKTRACKS_MAX)
            .build();
        // An expression that is none matches nothing, as in RabbitMQ.
        items.retain(|item| regex.as_ref().is_ok_and(|regex| regex.is_match(item.name()).unwrap_or(false)));
    } else {
        let name = name.to_lowercase();
        items.retain(|item| item.name().to_lowercase().contains(&name));
    }
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
        if let Some(number) = item.number(key) {
            return Self::Number(number);
        }
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
