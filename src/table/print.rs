//! Values as RabbitMQ prints them in error texts, which are Erlang terms for everything but strings.

use std::fmt::{self, Write as _};

use super::{Table, Value};

/// Depth below which a nested value prints as `...`; a reply text is cut to 255 bytes anyway.
const PRINTED_DEPTH_MAX: usize = 16;

/// Strings print raw, integers in decimal, booleans as `true` and `false`, tables and arrays as Erlang terms.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::LongString(bytes) | Self::Bytes(bytes) = self {
            f.write_str(&String::from_utf8_lossy(bytes))
        } else {
            write_term(f, self, 0)
        }
    }
}

/// The type and the term. Not derived, because logging a value must not recurse as deep as a peer nests it.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.type_name())?;
        write_term(f, self, 0)
    }
}

/// The fields as an Erlang term.
impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, self, 0)
    }
}

/// A value as an Erlang term, strings included: `<<"text">>`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ErlangText<'a>(pub &'a Value);

impl fmt::Display for ErlangText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_term(f, self.0, 0)
    }
}

fn write_term(f: &mut fmt::Formatter<'_>, value: &Value, depth: usize) -> fmt::Result {
    match value {
        Value::Bool(value) => write!(f, "{value}"),
        Value::I8(value) => write!(f, "{value}"),
        Value::U8(value) => write!(f, "{value}"),
        Value::I16(value) => write!(f, "{value}"),
        Value::U16(value) => write!(f, "{value}"),
        Value::I32(value) => write!(f, "{value}"),
        Value::U32(value) => write!(f, "{value}"),
        Value::I64(value) => write!(f, "{value}"),
        Value::Timestamp(value) => write!(f, "{value}"),
        Value::F32(value) => write_float(f, f64::from(*value)),
        Value::F64(value) => write_float(f, *value),
        Value::Decimal { scale, value } => write!(f, "{{{scale},{value}}}"),
        Value::LongString(bytes) | Value::Bytes(bytes) => write!(f, "{}", Bytes(bytes)),
        Value::Table(_) | Value::Array(_) if depth >= PRINTED_DEPTH_MAX => f.write_str("..."),
        Value::Table(table) => write_table(f, table, depth),
        Value::Array(elements) => write_array(f, elements, depth),
        Value::Void => f.write_str("undefined"),
    }
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &Table, depth: usize) -> fmt::Result {
    f.write_char('[')?;
    for (at, (name, value)) in table.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma}{{{},{},", Bytes(name), value.type_name())?;
        write_term(f, value, depth + 1)?;
        f.write_char('}')?;
    }
    f.write_char(']')
}

fn write_array(f: &mut fmt::Formatter<'_>, elements: &[Value], depth: usize) -> fmt::Result {
    f.write_char('[')?;
    for (at, value) in elements.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma}{{{},", value.type_name())?;
        write_term(f, value, depth + 1)?;
        f.write_char('}')?;
    }
    f.write_char(']')
}

/// From here on Erlang prints a float in scientific notation, because its last decimal digits mean nothing: 2^53.
const INTEGERS_END: f64 = 9_007_199_254_740_992.0;

/// Erlang's way: the shortest digits that read back as the same value, in the shorter of decimal and scientific notation, and
/// in decimal if they are equally long.
fn write_float(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    let scientific = format!("{value:e}");
    let scientific = match scientific.split_once('e') {
        // Rust leaves out the `.0` before an exponent.
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => scientific,
    };
    if value.abs() >= INTEGERS_END {
        return f.write_str(&scientific);
    }
    let decimal = format!("{value}");
    let decimal = if value.is_finite() && !decimal.contains('.') { format!("{decimal}.0") } else { decimal };
    f.write_str(if decimal.len() <= scientific.len() { &decimal } else { &scientific })
}

/// Bytes as Erlang prints a binary: `<<"text">>`, `<<"t€xt"/utf8>>`, or `<<1,2,3>>` when not all are printable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("<<>>");
        }
        f.write_str("<<")?;
        match std::str::from_utf8(self.0) {
            Ok(text) if text.chars().all(is_printable) => {
                write_quoted(f, text.chars())?;
                f.write_str(if text.is_ascii() { "" } else { "/utf8" })?;
            }
            Err(_) if is_latin_1(self.0) => write_quoted(f, latin_1(self.0))?,
            Ok(_) | Err(_) => write_decimals(f, self.0)?,
        }
        f.write_str(">>")
    }
}

/// Bytes as Erlang prints a string: `"text"` when all are printable, else `[1,2,3]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Characters<'a>(pub &'a [u8]);

impl fmt::Display for Characters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_latin_1(self.0) {
            return write_quoted(f, latin_1(self.0));
        }
        f.write_char('[')?;
        write_decimals(f, self.0)?;
        f.write_char(']')
    }
}

/// Bytes as the characters of Latin-1.
fn latin_1(bytes: &[u8]) -> impl Iterator<Item = char> {
    bytes.iter().copied().map(char::from)
}

/// Whether Erlang takes all bytes for text in Latin-1.
fn is_latin_1(bytes: &[u8]) -> bool {
    latin_1(bytes).all(is_printable)
}

/// Whether Erlang prints a character rather than its number.
fn is_printable(character: char) -> bool {
    matches!(character, '\u{8}'..='\u{d}' | '\u{1b}') || !character.is_control()
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: impl Iterator<Item = char>) -> fmt::Result {
    f.write_char('"')?;
    for character in text {
        match character {
            '\u{8}' => f.write_str("\\b"),
            '\t' => f.write_str("\\t"),
            '\n' => f.write_str("\\n"),
            '\u{b}' => f.write_str("\\v"),
            '\u{c}' => f.write_str("\\f"),
            '\r' => f.write_str("\\r"),
            '\u{1b}' => f.write_str("\\e"),
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            _ => f.write_char(character),
        }?;
    }
    f.write_char('"')
}

fn write_decimals(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (at, byte) in bytes.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma}{byte}")?;
    }
    Ok(())
}
