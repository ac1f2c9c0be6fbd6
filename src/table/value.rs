//! [`Value`]: one field value, its tag, and when two values count as the same argument.

use super::{Table, ValueRef};

/// A field value. The tags are RabbitMQ's, which differ from the specification's for the short integers.
#[derive(Clone)]
pub enum Value {
    /// `t`, a boolean.
    Bool(bool),
    /// `b`, one signed byte.
    I8(i8),
    /// `B`, one byte.
    U8(u8),
    /// `s`, sixteen bits; never a short string here.
    I16(i16),
    /// `u`, sixteen bits unsigned.
    U16(u16),
    /// `I`, thirty-two bits.
    I32(i32),
    /// `i`, thirty-two bits unsigned.
    U32(u32),
    /// `l`, sixty-four bits. `L` is read as this one too, and sent again as `l`.
    I64(i64),
    /// `f`, a single-precision float.
    F32(f32),
    /// `d`, a double-precision float.
    F64(f64),
    /// `D`: `value` divided by ten to the power of `scale`.
    Decimal {
        /// Decimal places.
        scale: u8,
        /// The digits as one integer.
        value: u32,
    },
    /// `S`, a long string; it need not be UTF-8.
    LongString(Vec<u8>),
    /// `x`, bytes.
    Bytes(Vec<u8>),
    /// `T`, seconds since 1970.
    Timestamp(u64),
    /// `F`, a nested table.
    Table(Table),
    /// `A`, an array.
    Array(Vec<Self>),
    /// `V`, no value.
    Void,
}

impl Value {
    /// The type tag on the wire.
    pub(crate) fn tag(&self) -> u8 {
        if self.as_table().is_some() {
            b'F'
        } else if self.as_array().is_some() {
            b'A'
        } else {
            self.shallow().tag()
        }
    }

    /// The name of the type in RabbitMQ's error texts.
    pub(crate) fn type_name(&self) -> &'static str {
        type_name(self.tag())
    }

    /// The same value as a view, for everything but tables and arrays, which become void: a view of those needs wire bytes.
    pub(super) fn shallow(&self) -> ValueRef<'_> {
        match self {
            Self::Bool(value) => ValueRef::Bool(*value),
            Self::I8(value) => ValueRef::I8(*value),
            Self::U8(value) => ValueRef::U8(*value),
            Self::I16(value) => ValueRef::I16(*value),
            Self::U16(value) => ValueRef::U16(*value),
            Self::I32(value) => ValueRef::I32(*value),
            Self::U32(value) => ValueRef::U32(*value),
            Self::I64(value) => ValueRef::I64(*value),
            Self::F32(value) => ValueRef::F32(*value),
            Self::F64(value) => ValueRef::F64(*value),
            Self::Decimal { scale, value } => ValueRef::Decimal { scale: *scale, value: *value },
            Self::LongString(bytes) => ValueRef::LongString(bytes),
            Self::Bytes(bytes) => ValueRef::Bytes(bytes),
            Self::Timestamp(value) => ValueRef::Timestamp(*value),
            Self::Table(_) | Self::Array(_) | Self::Void => ValueRef::Void,
        }
    }
}

/// Whether an argument on redeclaration means what the stored one means.
///
/// Integers of any width and timestamps compare by value, so do the two floats, and the two strings by their bytes; inside
/// tables and arrays the types must be the same. An integer never equals a float.
pub(crate) fn equivalent(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Table(a), Value::Table(b)) => a == b,
        (Value::Array(a), Value::Array(b)) => a == b,
        (Value::Table(_) | Value::Array(_), _) | (_, Value::Table(_) | Value::Array(_)) => false,
        _ => a.shallow().equivalent_scalar(b.shallow()),
    }
}

/// [`equivalent`] for two values in place. Both must be as [`Table::encode`] or [`super::canonical`] leave them: nested tables and
/// arrays are compared by their bytes.
pub(crate) fn equivalent_in_place(a: ValueRef<'_>, b: ValueRef<'_>) -> bool {
    match (a, b) {
        (ValueRef::Table(a), ValueRef::Table(b)) => a == b,
        (ValueRef::Array(a), ValueRef::Array(b)) => a == b,
        (ValueRef::Table(_) | ValueRef::Array(_), _) | (_, ValueRef::Table(_) | ValueRef::Array(_)) => false,
        _ => a.equivalent_scalar(b),
    }
}

/// Floats compare by their bits, so that a binding with a NaN among its arguments equals itself and can be unbound.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Table(a), Self::Table(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            _ => self.tag() == other.tag() && self.shallow().same_scalar(other.shallow()),
        }
    }
}

impl Eq for Value {}

/// RabbitMQ's name for the type of a tag.
pub(super) const fn type_name(tag: u8) -> &'static str {
    match tag {
        b't' => "bool",
        b'b' => "byte",
        b'B' => "unsignedbyte",
        b's' => "short",
        b'u' => "unsignedshort",
        b'I' => "signedint",
        b'i' => "unsignedint",
        b'l' | b'L' => "long",
        b'f' => "float",
        b'd' => "double",
        b'D' => "decimal",
        b'S' => "longstr",
        b'x' => "binary",
        b'T' => "timestamp",
        b'F' => "table",
        b'A' => "array",
        _ => "void",
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

value_from! {
    bool => Bool, i32 => I32, i64 => I64, f64 => F64, &str => LongString, String => LongString, &[u8] => LongString,
    Table => Table, Vec<Value> => Array,
}
