//! Walking a table's bytes without building anything: validation, and what RabbitMQ does to a message's headers.

use std::borrow::Cow;

use super::view::{TableRef, ValueRef, split_name, split_value};
use super::{NESTING_MAX, TableError};

/// Checks the content of a table, without its length: every tag known, nothing cut off, not too deep.
///
/// # Errors
/// What is wrong with the first field that is.
pub fn validate(content: &[u8]) -> Result<(), TableError> {
    walk(content, |_| ())
}

/// Checks the content of a message's headers and brings it into the form in which RabbitMQ sends it on.
///
/// Top-level fields are sorted by name, bytewise, and reduced to the first of each name; everywhere tag `L` becomes `l` and
/// a true boolean becomes 1. Nested tables keep their order. Most clients send headers in this form already, and then
/// nothing is copied.
///
/// # Errors
/// Those of [`validate`].
pub fn canonical(content: &[u8]) -> Result<Cow<'_, [u8]>, TableError> {
    let mut previous: Option<&[u8]> = None;
    let mut ascending = true;
    let mut patched = false;
    walk(content, |field| {
        if field.depth == 0 {
            ascending &= previous.is_none_or(|previous| previous < field.name);
            previous = Some(field.name);
        }
        patched |= patch(content, field.tag_at).is_some();
    })?;
    if ascending && !patched {
        return Ok(Cow::Borrowed(content));
    }
    let mut bytes = content.to_vec();
    if patched {
        walk(content, |field| {
            if let Some((at, byte)) = patch(content, field.tag_at)
                && let Some(place) = bytes.get_mut(at)
            {
                *place = byte;
            }
        })?;
    }
    Ok(Cow::Owned(if ascending { bytes } else { sorted(&bytes) }))
}

/// The one byte of a field that RabbitMQ writes otherwise than it read it.
fn patch(content: &[u8], tag_at: usize) -> Option<(usize, u8)> {
    match content.get(tag_at..)? {
        [b'L', ..] => Some((tag_at, b'l')),
        [b't', 2..=u8::MAX, ..] => Some((tag_at + 1, 1)),
        _ => None,
    }
}

/// The fields in the order of their names, each name once.
fn sorted(content: &[u8]) -> Vec<u8> {
    let mut fields = Vec::new();
    let mut iter = TableRef::new(content).iter();
    let mut start = iter.rest();
    while let Some((name, _)) = iter.next() {
        let end = iter.rest();
        let field = start.get(..start.len() - end.len()).unwrap_or_default();
        fields.push((name, field));
        start = end;
    }
    fields.sort_by_key(|(name, _)| *name);
    fields.dedup_by_key(|(name, _)| *name);
    fields.into_iter().flat_map(|(_, field)| field).copied().collect()
}

/// One field or element, at any depth.
struct Field<'a> {
    /// How many tables and arrays are around it, the outermost table not counted.
    depth: usize,
    /// Its name; empty for an element of an array.
    name: &'a [u8],
    /// Where its tag stands in the content that is walked.
    tag_at: usize,
}

/// The table or array that the walk is in.
#[derive(Clone, Copy)]
struct Level {
    /// Where it ends in the content that is walked.
    end: usize,
    /// Whether its values have names.
    named: bool,
}

/// Visits every field at every depth in the order of the bytes. The stack of levels is on the heap, and only if there are any.
fn walk<'a>(content: &'a [u8], mut visit: impl FnMut(Field<'a>)) -> Result<(), TableError> {
    let mut outer = Vec::new();
    let mut level = Level { end: content.len(), named: true };
    let mut at = 0;
    loop {
        while at == level.end {
            match outer.pop() {
                Some(around) => level = around,
                None => return Ok(()),
            }
        }
        let input = content.get(at..level.end).ok_or(TableError::Truncated)?;
        let (name, input) = if level.named { split_name(input)? } else { (Default::default(), input) };
        let (value, rest) = split_value(input)?;
        visit(Field { depth: outer.len(), name, tag_at: level.end - input.len() });
        at = level.end - rest.len();
        if let Some((nested, named)) = nested(value) {
            if outer.len() >= NESTING_MAX {
                return Err(TableError::TooDeep);
            }
            outer.push(level);
            level = Level { end: at, named };
            at -= nested.len();
        }
    }
}

/// The content of a table or an array, and whether its values have names.
pub(super) fn nested(value: ValueRef<'_>) -> Option<(&[u8], bool)> {
    if let ValueRef::Table(table) = value {
        Some((table.as_bytes(), true))
    } else if let ValueRef::Array(array) = value {
        Some((array.as_bytes(), false))
    } else {
        None
    }
}
