//! Reading a value as the type that an argument or a header should have; `None` when it has another.

use super::{Table, TableRef, Value, ValueRef};

#[expect(clippy::wildcard_enum_match_arm, reason = "each question picks a few of the wire's closed list of types")]
impl<'a> ValueRef<'a> {
    /// The value of an integer of any width.
    pub(crate) fn as_integer(self) -> Option<i64> {
        match self {
            Self::I8(value) => Some(value.into()),
            Self::U8(value) => Some(value.into()),
            Self::I16(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::I32(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::I64(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a float of either width.
    pub(crate) fn as_float(self) -> Option<f64> {
        match self {
            Self::F32(value) => Some(value.into()),
            Self::F64(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes of a long string.
    pub const fn as_bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::LongString(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text of a long string that is UTF-8.
    pub(crate) fn as_str(self) -> Option<&'a str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The value of a boolean.
    pub(crate) const fn as_bool(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Seconds since 1970.
    pub(crate) const fn as_timestamp(self) -> Option<u64> {
        match self {
            Self::Timestamp(seconds) => Some(seconds),
            _ => None,
        }
    }

    /// The nested table in place.
    pub const fn as_table(self) -> Option<TableRef<'a>> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The array in place.
    #[cfg(test)]
    pub(crate) const fn as_array(self) -> Option<super::view::ArrayRef<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// An integer or a timestamp; wide enough for both.
    pub(super) fn as_number(self) -> Option<i128> {
        let seconds = self.as_timestamp().map(Into::into);
        seconds.or_else(|| self.as_integer().map(Into::into))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "each question picks one of the wire's closed list of types")]
impl Value {
    /// The value of an integer of any width.
    pub(crate) fn as_integer(&self) -> Option<i64> {
        self.shallow().as_integer()
    }

    /// The bytes of a long string.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        self.shallow().as_bytes()
    }

    /// The text of a long string that is UTF-8.
    pub(crate) fn as_str(&self) -> Option<&str> {
        self.shallow().as_str()
    }

    /// The value of a boolean.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        self.shallow().as_bool()
    }

    /// The nested table.
    pub(crate) const fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The elements of an array.
    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }
}
