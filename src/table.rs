//! Field tables (AMQP 0-9-1 section 4.2.5.5) with RabbitMQ's type tags, kept as they came.

/// A field value; the tags are those of the behaviour reference section 8.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are the field's own names")]
pub enum Value {
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
    LongString(Vec<u8>),
    Bytes(Vec<u8>),
    Timestamp(u64),
    Table(Table),
    Array(Vec<Value>),
    Void,
}

/// A field table: names and values in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<(Vec<u8>, Value)>);
