//! Lists that are cut into pages. What is not on the page that is asked for is not looked at closely: a page of a list costs what the page
//! costs, and little more however long the list is.

use std::cmp::Ordering;

use serde::Serialize;

use super::columns::{Columns, Selected};
use super::{Listed, SortKey, array};
use crate::http::answer::Answer;
use crate::http::expression::{NameExpression, TOO_COSTLY};
use crate::http::refusal::Refusal;
use crate::http::request::Request;

const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: usize = 500;

/// A row of a list before anybody has looked at it closely.
pub(in crate::http) trait Row {
    /// What it shows.
    type Item: Listed;

    /// Its name, which `name=` filters by.
    fn name(&self) -> &str;

    /// Its virtual host, which goes before the name in the default order.
    fn vhost(&self) -> &str {
        ""
    }

    /// The value of a key to sort by, if it is to be had without all others. The inner one is missing where the row has no such value.
    fn number(&self, request: &Request<'_>, key: &str) -> Option<Option<f64>> {
        // Rows without such keys need neither: they are sorted once they were looked at.
        let _ = (request, key);
        None
    }

    /// Looks at it; nothing if it is gone meanwhile.
    fn look(&self, request: &Request<'_>) -> Option<Self::Item>;
}

/// A list that is an object with one page when `page` is given, of rows that are looked at only if they are on it.
///
/// # Errors
/// 400 for a page that cannot be, or an expression that takes too long.
pub(in crate::http) fn rows<R: Row>(request: &Request<'_>, mut rows: Vec<R>) -> Result<Answer, Refusal> {
    let Some(page) = Page::of(request)? else {
        let all = Page { number: 1, size: rows.len().max(1) };
        // They are looked at one after the other while they are written: never are all of them in memory.
        let (rows, columns) = (all.of_rows(request, &rows)?, Columns::of(request));
        let items = rows.into_iter().filter_map(|row| row.look(request));
        return Ok(Answer::json_list(items.map(|item| Selected { columns: columns.as_ref(), item })));
    };
    let total_count = rows.len();
    filter(request, &mut rows, |row, is_wanted| is_wanted(row.name()))?;
    let shown = page.of_rows(request, &rows)?;
    let shown: Vec<_> = shown.into_iter().filter_map(|row| row.look(request)).collect();
    Ok(page.answer(request, &shown, rows.len(), total_count))
}

/// The same of items that are all there.
///
/// # Errors
/// 400 for a page that cannot be, or an expression that takes too long.
pub(in crate::http) fn paged<T: Listed>(request: &Request<'_>, mut items: Vec<T>) -> Result<Answer, Refusal> {
    let Some(page) = Page::of(request)? else { return Ok(array(request, items)) };
    let total_count = items.len();
    filter(request, &mut items, |item, is_wanted| item.is_called(is_wanted))?;
    let (from, to) = page.bounds(items.len())?;
    super::sort(request, &mut items);
    Ok(page.answer(request, items.get(from..to).unwrap_or_default(), items.len(), total_count))
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
                Err(Refusal::new(400, "invalid_pagination_parameters", text))
            }
        }
    }

    /// Where it begins and ends in a list of so many.
    fn bounds(&self, count: usize) -> Result<(usize, usize), Refusal> {
        if self.number > count.div_ceil(self.size).max(1) {
            let text = format!("Page out of range, page: {} page size: {}, len: {count}", self.number, self.size);
            return Err(Refusal::new(400, "page_out_of_range", text));
        }
        let from = (self.number - 1) * self.size;
        Ok((from.min(count), (from + self.size).min(count)))
    }

    /// The rows that are on it, in their order.
    fn of_rows<'r, R: Row>(&self, request: &Request<'_>, rows: &'r [R]) -> Result<Vec<&'r R>, Refusal> {
        let (from, to) = self.bounds(rows.len())?;
        let key = request.parameter("sort").filter(|key| !key.is_empty());
        let mut keyed: Vec<_> =
            rows.iter().map(|row| Keyed { key: key.map(|key| sort_key(request, row, key)), row }).collect();
        let is_reversed = request.is_set("sort_reverse");
        let compare = |a: &Keyed<'r, R>, b: &Keyed<'r, R>| {
            let order = a.order(b);
            if is_reversed { order.reverse() } else { order }
        };
        // Only what is on the page need be in order.
        if from > 0 && from < keyed.len() {
            keyed.select_nth_unstable_by(from, compare);
        }
        let mut keyed = keyed.split_off(from);
        let size = to - from;
        if size > 0 && size < keyed.len() {
            keyed.select_nth_unstable_by(size, compare);
        }
        keyed.truncate(size);
        keyed.sort_unstable_by(compare);
        Ok(keyed.into_iter().map(|keyed| keyed.row).collect())
    }

    fn answer<T: Listed>(
        &self,
        request: &Request<'_>,
        shown: &[T],
        filtered_count: usize,
        total_count: usize,
    ) -> Answer {
        let columns = Columns::of(request);
        Answer::json(&PageObject {
            filtered_count,
            item_count: shown.len(),
            items: shown.iter().map(|item| Selected { columns: columns.as_ref(), item }).collect(),
            page: self.number,
            page_count: filtered_count.div_ceil(self.size),
            page_size: self.size,
            total_count,
        })
    }
}

/// A page as the API shows it.
#[derive(Serialize)]
struct PageObject<'a, T> {
    filtered_count: usize,
    item_count: usize,
    items: Vec<Selected<'a, &'a T>>,
    page: usize,
    page_count: usize,
    page_size: usize,
    total_count: usize,
}

/// A row and what it is sorted by.
struct Keyed<'r, R> {
    key: Option<SortKey>,
    row: &'r R,
}

impl<R: Row> Keyed<'_, R> {
    fn order(&self, other: &Self) -> Ordering {
        let (own, others) = (self.row.vhost(), other.row.vhost());
        // Most rows are of one virtual host, and have its name from one place.
        let by_vhost = || if std::ptr::eq(own, others) { Ordering::Equal } else { own.cmp(others) };
        let by_name = || self.row.name().cmp(other.row.name());
        self.key.cmp(&other.key).then_with(by_vhost).then_with(by_name)
    }
}

/// What a row is sorted by. If it has to be looked at for that, it is without its samples.
fn sort_key<R: Row>(request: &Request<'_>, row: &R, key: &str) -> SortKey {
    match key {
        "name" => return SortKey::Text(row.name().to_owned()),
        "vhost" => return SortKey::Text(row.vhost().to_owned()),
        // A row may know a number without being looked at closely.
        _ => {}
    }
    match row.number(request, key) {
        Some(number) => number.map_or(SortKey::Absent, SortKey::Number),
        None => {
            request.samples_left.without(|| row.look(request)).map_or(SortKey::Absent, |item| SortKey::of(&item, key))
        }
    }
}

/// Keeps what has the name that is asked for.
///
/// # Errors
/// 400 for an expression that takes too long.
fn filter<T>(
    request: &Request<'_>,
    items: &mut Vec<T>,
    is_called: impl Fn(&T, &dyn Fn(&str) -> bool) -> bool,
) -> Result<(), Refusal> {
    // Without a name everything is kept.
    let Some(name) = request.parameter("name").filter(|name| !name.is_empty()) else { return Ok(()) };
    if !request.is_set("use_regex") {
        let name = name.to_lowercase();
        items.retain(|item| is_called(item, &|known| known.to_lowercase().contains(&name)));
        return Ok(());
    }
    let Ok(expression) = NameExpression::new(name, true) else {
        // An expression that is none matches nothing, as in RabbitMQ.
        items.clear();
        return Ok(());
    };
    items.retain(|item| is_called(item, &|name: &str| expression.is_match(name)));
    if expression.is_too_costly() { Err(Refusal::bad_request(TOO_COSTLY)) } else { Ok(()) }
}
