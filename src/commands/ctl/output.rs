//! What a verb has to say, before it is known in which form.

use serde_json::{Map, Value};

use super::erlang;
use crate::commands::terminal::harmless;

/// What a verb has to say.
#[derive(Debug)]
pub(super) enum Output {
    Nothing,
    /// A sentence.
    Message(String),
    /// A sentence that `--silent` keeps back.
    Remark(String),
    /// A sentence that is said also where programs read.
    Lines(Vec<String>),
    /// A list.
    Table(Table),
    /// A text for people, and the same for programs.
    Report {
        text: String,
        data: Value,
    },
}

/// A list with columns.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// A list without rows has no header, and says so by an empty line or by nothing.
    pub(super) when_empty: WhenEmpty,
    /// Whether it is drawn unless another form is chosen.
    pub(super) is_drawn: bool,
    /// What programs get as JSON in place of the rows.
    pub(super) json: Option<Value>,
    /// Lines that are written in place of the rows, unless these are drawn or for programs.
    pub(super) lines: Option<Vec<String>>,
}

/// How a list without rows looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenEmpty {
    Nothing,
    EmptyLine,
}

impl Table {
    pub(super) fn new(columns: &[&str], rows: Vec<Vec<Cell>>) -> Self {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { columns, rows, when_empty: WhenEmpty::Nothing, is_drawn: false, json: None, lines: None }
    }

    #[must_use]
    pub(super) fn when_empty(mut self, when_empty: WhenEmpty) -> Self {
        self.when_empty = when_empty;
        self
    }

    #[must_use]
    pub(super) fn drawn(mut self) -> Self {
        self.is_drawn = true;
        self
    }

    #[must_use]
    pub(super) fn with_json(mut self, json: Value) -> Self {
        self.json = Some(json);
        self
    }

    #[must_use]
    pub(super) fn with_lines(mut self, lines: Vec<String>) -> Self {
        self.lines = Some(lines);
        self
    }
}

impl From<Table> for Output {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

/// A value in a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Text, a number, a truth value, or nothing.
    Plain(Value),
    /// Words, such as tags.
    Words(Vec<String>),
    /// A field table.
    Arguments(Map<String, Value>),
    /// JSON, which is a text for RabbitMQ: a policy's definition.
    Json(Value),
    /// The same where RabbitMQ has terms, one behind the other.
    Terms(Map<String, Value>),
    /// What stands in lists for programs as it is.
    Data(Value),
}

impl Cell {
    pub(super) fn text(text: &str) -> Self {
        Self::Plain(Value::from(text))
    }

    pub(super) fn words(value: Option<&Value>) -> Self {
        let words = match value {
            Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(words)) => {
                words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        Self::Words(words)
    }

    pub(super) fn arguments(value: Option<&Value>) -> Self {
        Self::Arguments(value.and_then(Value::as_object).cloned().unwrap_or_default())
    }

    /// As it stands in a table. Names are a client's: a row stays one row, and does nothing to the terminal.
    pub(super) fn shown(&self) -> String {
        harmless(&self.unescaped())
    }

    fn unescaped(&self) -> String {
        match self {
            Self::Plain(Value::Null) => String::new(),
            Self::Plain(Value::String(text)) => text.clone(),
            Self::Plain(value) | Self::Json(value) => value.to_string(),
            Self::Data(value) => erlang::shown(value),
            Self::Terms(fields) => erlang::terms(fields),
            Self::Words(words) => format!("[{}]", words.join(", ")),
            Self::Arguments(arguments) => erlang::proplist(arguments),
        }
    }

    /// As programs get it.
    pub(super) fn data(&self) -> Value {
        match self {
            Self::Plain(Value::Null) => Value::from(""),
            Self::Plain(value) | Self::Data(value) => value.clone(),
            Self::Json(value) => Value::from(value.to_string()),
            Self::Terms(fields) => Value::Object(fields.clone()),
            Self::Words(words) => Value::from(words.clone()),
            Self::Arguments(arguments) => erlang::typed(arguments),
        }
    }
}
