//! Views that read a table in place: nothing is copied until [`ValueRef::to_owned`], and nested tables stay slices.

use super::value::type_name;
use super::{Table, TableError, Value, decode_value};

/// The content of a field table, without its length, as it stands on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableRef<'a>(&'a [u8]);

/// The content of an array, without its length, as it stands on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArrayRef<'a>(&'a [u8]);

/// A field value in place; the variants are those of [`Value`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the variants are described at `Value`")]
pub enum ValueRef<'a> {
    Bool(bool),
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    F32(f32),
    F64(f64),
    Decimal { scale: u8, value: u32 },
    LongString(&'a [u8]),
    Bytes(&'a [u8]),
    Timestamp(u64),
    Table(TableRef<'a>),
    Array(ArrayRef<'a>),
    Void,
}

impl<'a> TableRef<'a> {
    /// A view of a table's content. On bytes that [`super::validate`] refuses, the fields end where the fault is.
    pub const fn new(content: &'a [u8]) -> Self {
        Self(content)
    }

    /// The content, without its length.
    pub(crate) const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether there is no field.
    pub(crate) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The value of the first field of that name.
    pub fn get(self, name: impl AsRef<[u8]>) -> Option<ValueRef<'a>> {
        let name = name.as_ref();
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The fields in their order.
    pub(crate) const fn iter(self) -> TableIter<'a> {
        TableIter(self.0)
    }

    /// An owned copy. Fields behind a fault are lost; there are none in bytes that were validated.
    pub(crate) fn to_owned(self) -> Table {
        self.iter().map(|(name, value)| (name, value.to_owned())).collect()
    }
}

impl<'a> ArrayRef<'a> {
    /// A view of an array's content.
    pub const fn new(content: &'a [u8]) -> Self {
        Self(content)
    }

    /// The content, without its length.
    pub(crate) const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The elements in their order.
    pub const fn iter(self) -> ArrayIter<'a> {
        ArrayIter(self.0)
    }
}

/// The fields of a [`TableRef`].
#[derive(Clone, Debug)]
pub(crate) struct TableIter<'a>(&'a [u8]);

impl<'a> Iterator for TableIter<'a> {
    type Item = (&'a [u8], ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = split_name(self.0).ok()?;
        let (value, rest) = split_value(rest).ok()?;
        self.0 = rest;
        Some((name, value))
    }
}

impl<'a> TableIter<'a> {
    /// The bytes that were not read yet; whoever edits headers copies fields by these.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }
}

/// The elements of an [`ArrayRef`].
#[derive(Clone, Debug)]
pub struct ArrayIter<'a>(&'a [u8]);

impl<'a> Iterator for ArrayIter<'a> {
    type Item = ValueRef<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (value, rest) = split_value(self.0).ok()?;
        self.0 = rest;
        Some(value)
    }
}

impl<'a> ValueRef<'a> {
    /// Reads one value, its tag first; whatever follows it is not looked at.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        split_value(bytes).ok().map(|(value, _)| value)
    }

    /// The type tag on the wire; `L` was read as `l`.
    pub(crate) const fn tag(self) -> u8 {
        match self {
            Self::Bool(_) => b't',
            Self::I8(_) => b'b',
            Self::U8(_) => b'B',
            Self::I16(_) => b's',
            Self::U16(_) => b'u',
            Self::I32(_) => b'I',
            Self::U32(_) => b'i',
            Self::I64(_) => b'l',
            Self::F32(_) => b'f',
            Self::F64(_) => b'd',
            Self::Decimal { .. } => b'D',
            Self::LongString(_) => b'S',
            Self::Bytes(_) => b'x',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Array(_) => b'A',
            Self::Void => b'V',
        }
    }

    /// The name of the type in RabbitMQ's error texts.
    pub(crate) const fn type_name(self) -> &'static str {
        type_name(self.tag())
    }

    /// An owned copy. A nested table or array that was never validated, and is not one, becomes empty.
    pub(crate) fn to_owned(self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(value),
            Self::I8(value) => Value::I8(value),
            Self::U8(value) => Value::U8(value),
            Self::I16(value) => Value::I16(value),
            Self::U16(value) => Value::U16(value),
            Self::I32(value) => Value::I32(value),
            Self::U32(value) => Value::U32(value),
            Self::I64(value) => Value::I64(value),
            Self::F32(value) => Value::F32(value),
            Self::F64(value) => Value::F64(value),
            Self::Decimal { scale, value } => Value::Decimal { scale, value },
            Self::LongString(bytes) => Value::LongString(bytes.to_vec()),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::Timestamp(value) => Value::Timestamp(value),
            Self::Table(_) | Self::Array(_) => decode_value(self).unwrap_or(Value::Void),
            Self::Void => Value::Void,
        }
    }

    /// Whether two values other than tables and arrays are the same field: same type, same bits.
    pub(super) fn same_scalar(self, other: Self) -> bool {
        match (self, other) {
            (Self::F32(a), Self::F32(b)) => a.to_bits() == b.to_bits(),
            (Self::F64(a), Self::F64(b)) => a.to_bits() == b.to_bits(),
            _ => self.tag() == other.tag() && self.equivalent_scalar(other),
        }
    }

    /// [`super::equivalent`] for values other than tables and arrays.
    pub(super) fn equivalent_scalar(self, other: Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::LongString(a) | Self::Bytes(a), Self::LongString(b) | Self::Bytes(b)) => a == b,
            (Self::Decimal { scale: s, value: v }, Self::Decimal { scale, value }) => (s, v) == (scale, value),
            (Self::Void, Self::Void) => true,
            _ => match (self.as_number(), other.as_number()) {
                (Some(a), Some(b)) => a == b,
                _ => self.as_float().is_some_and(|a| other.as_float().is_some_and(|b| a == b)),
            },
        }
    }
}

/// A short string and what follows it.
pub(super) fn split_name(input: &[u8]) -> Result<(&[u8], &[u8]), TableError> {
    let (length, rest) = input.split_first().ok_or(TableError::Truncated)?;
    rest.split_at_checked(usize::from(*length)).ok_or(TableError::Truncated)
}

/// One value, tag first, and what follows it. Nested content is not looked into.
pub(super) fn split_value(input: &[u8]) -> Result<(ValueRef<'_>, &[u8]), TableError> {
    let (tag, rest) = input.split_first().ok_or(TableError::Truncated)?;
    Ok(match *tag {
        b't' => fixed(rest, |[byte]| ValueRef::Bool(byte != 0))?,
        b'b' => fixed(rest, |bytes| ValueRef::I8(i8::from_be_bytes(bytes)))?,
        b'B' => fixed(rest, |[byte]| ValueRef::U8(byte))?,
        b's' => fixed(rest, |bytes| ValueRef::I16(i16::from_be_bytes(bytes)))?,
        b'u' => fixed(rest, |bytes| ValueRef::U16(u16::from_be_bytes(bytes)))?,
        b'I' => fixed(rest, |bytes| ValueRef::I32(i32::from_be_bytes(bytes)))?,
        b'i' => fixed(rest, |bytes| ValueRef::U32(u32::from_be_bytes(bytes)))?,
        b'l' | b'L' => fixed(rest, |bytes| ValueRef::I64(i64::from_be_bytes(bytes)))?,
        b'f' => fixed(rest, |bytes| ValueRef::F32(f32::from_be_bytes(bytes)))?,
        b'd' => fixed(rest, |bytes| ValueRef::F64(f64::from_be_bytes(bytes)))?,
        b'D' => {
            fixed(rest, |[scale, a, b, c, d]| ValueRef::Decimal { scale, value: u32::from_be_bytes([a, b, c, d]) })?
        }
        b'T' => fixed(rest, |bytes| ValueRef::Timestamp(u64::from_be_bytes(bytes)))?,
        b'S' => long(rest, ValueRef::LongString)?,
        b'x' => long(rest, ValueRef::Bytes)?,
        b'F' => long(rest, |content| ValueRef::Table(TableRef(content)))?,
        b'A' => long(rest, |content| ValueRef::Array(ArrayRef(content)))?,
        b'V' => (ValueRef::Void, rest),
        unknown => return Err(TableError::UnknownTag(unknown)),
    })
}

/// A value of `N` bytes.
fn fixed<const N: usize>(
    input: &[u8],
    make: impl FnOnce([u8; N]) -> ValueRef<'static>,
) -> Result<(ValueRef<'_>, &[u8]), TableError> {
    let (bytes, rest) = input.split_first_chunk().ok_or(TableError::Truncated)?;
    Ok((make(*bytes), rest))
}

/// A value behind its length of four bytes.
fn long<'a>(
    input: &'a [u8],
    make: impl FnOnce(&'a [u8]) -> ValueRef<'a>,
) -> Result<(ValueRef<'a>, &'a [u8]), TableError> {
    let (length, rest) = input.split_first_chunk().ok_or(TableError::Truncated)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let (content, rest) = rest.split_at_checked(length).ok_or(TableError::Truncated)?;
    Ok((make(content), rest))
}
