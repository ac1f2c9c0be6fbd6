//! Owned tables from bytes and back. Both directions keep their own stack, so that depth costs heap and not stack.

use std::slice;

use super::view::{split_name, split_value};
use super::walk::nested;
use super::{NESTING_MAX, Table, TableError, Value, ValueRef};

/// A table from its content.
pub(super) fn decode(content: &[u8]) -> Result<Table, TableError> {
    match decode_nested(content, true)? {
        Built::Table(table) => Ok(table),
        // `decode_nested` returns what it was asked for.
        Built::Array(_) => Ok(Table::new()),
    }
}

/// An owned copy of a value, which may come from bytes that nobody validated.
///
/// # Errors
/// What is wrong inside a nested table or array.
pub(crate) fn decode_value(value: ValueRef<'_>) -> Result<Value, TableError> {
    match nested(value) {
        Some((content, named)) => decode_nested(content, named).map(Built::into_value),
        None => Ok(value.to_owned()),
    }
}

/// A table or an array that is being read.
enum Built {
    Table(Table),
    Array(Vec<Value>),
}

impl Built {
    fn new(named: bool) -> Self {
        if named { Self::Table(Table::new()) } else { Self::Array(Vec::new()) }
    }

    fn add(&mut self, name: &[u8], value: Value) {
        match self {
            Self::Table(table) => table.push(name, value),
            Self::Array(elements) => elements.push(value),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Table(table) => Value::Table(table),
            Self::Array(elements) => Value::Array(elements),
        }
    }
}

/// A table or array whose end was not reached yet.
struct Open<'a> {
    /// The name that it has in what is around it.
    name: &'a [u8],
    built: Built,
    rest: &'a [u8],
}

fn decode_nested(content: &[u8], named: bool) -> Result<Built, TableError> {
    let mut outer: Vec<Open<'_>> = Vec::new();
    let mut current = Open { name: &[], built: Built::new(named), rest: content };
    loop {
        if current.rest.is_empty() {
            let Some(around) = outer.pop() else { return Ok(current.built) };
            let done = std::mem::replace(&mut current, around);
            current.built.add(done.name, done.built.into_value());
            continue;
        }
        let (name, input) = match current.built {
            Built::Table(_) => split_name(current.rest)?,
            Built::Array(_) => (Default::default(), current.rest),
        };
        let (value, rest) = split_value(input)?;
        current.rest = rest;
        let Some((content, named)) = nested(value) else {
            current.built.add(name, value.to_owned());
            continue;
        };
        if outer.len() >= NESTING_MAX {
            return Err(TableError::TooDeep);
        }
        outer.push(std::mem::replace(&mut current, Open { name, built: Built::new(named), rest: content }));
    }
}

/// Appends a table with its length.
pub(super) fn encode(table: &Table, out: &mut Vec<u8>) {
    encode_nested(Fields::Table(table.0.iter()), out);
}

impl Value {
    /// Appends the value as it stands in a table, its tag first.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        match fields(self) {
            Some(fields) => encode_nested(fields, out),
            None => encode_scalar(self, out),
        }
    }
}

/// What is left to write of a table or an array.
enum Fields<'a> {
    Table(slice::Iter<'a, (Box<[u8]>, Value)>),
    Array(slice::Iter<'a, Value>),
}

impl<'a> Fields<'a> {
    /// The next value, after its name was appended.
    fn next(&mut self, out: &mut Vec<u8>) -> Option<&'a Value> {
        match self {
            Self::Table(fields) => {
                let (name, value) = fields.next()?;
                // A `Table` holds no longer names.
                out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
                out.extend_from_slice(name);
                Some(value)
            }
            Self::Array(elements) => elements.next(),
        }
    }
}

/// The fields of a table or the elements of an array.
fn fields(value: &Value) -> Option<Fields<'_>> {
    if let Value::Table(table) = value {
        Some(Fields::Table(table.0.iter()))
    } else {
        value.as_array().map(|elements| Fields::Array(elements.iter()))
    }
}

/// Appends a table or an array, its length first.
fn encode_nested(outermost: Fields<'_>, out: &mut Vec<u8>) {
    let mut outer = Vec::new();
    let mut current = (outermost, begin(out));
    loop {
        let Some(value) = current.0.next(out) else {
            end(current.1, out);
            match outer.pop() {
                Some(around) => current = around,
                None => return,
            }
            continue;
        };
        out.push(value.tag());
        match fields(value) {
            Some(inner) => outer.push(std::mem::replace(&mut current, (inner, begin(out)))),
            None => encode_scalar(value, out),
        }
    }
}

/// Leaves room for a length and returns where its content starts.
fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 4]);
    out.len()
}

/// Writes the length of the content that started at `start`.
fn end(start: usize, out: &mut [u8]) {
    let length = length_bytes(out.len() - start);
    if let Some(place) = start.checked_sub(4).and_then(|at| out.get_mut(at..start)) {
        place.copy_from_slice(&length);
    }
}

/// A length on the wire. What is encoded here came in a frame or goes out in one, so it is far below 4 GiB.
fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Appends what follows the tag of a value that is no table and no array.
fn encode_scalar(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => out.push(u8::from(*value)),
        Value::I8(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::U8(value) => out.push(*value),
        Value::I16(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::U16(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::I32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::U32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::I64(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::F32(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::F64(value) => out.extend_from_slice(&value.to_be_bytes()),
        Value::Decimal { scale, value } => {
            out.push(*scale);
            out.extend_from_slice(&value.to_be_bytes());
        }
        Value::LongString(bytes) | Value::Bytes(bytes) => {
            out.extend_from_slice(&length_bytes(bytes.len()));
            out.extend_from_slice(bytes);
        }
        Value::Timestamp(seconds) => out.extend_from_slice(&seconds.to_be_bytes()),
        Value::Table(_) | Value::Array(_) | Value::Void => {}
    }
}
