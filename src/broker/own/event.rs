//! Something that happened: its key, and what is said of it.

use crate::broker::actor;
use crate::properties::PropertiesEditor;
use crate::table::{Table, Value};

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    key: String,
    headers: Table,
    bytes: usize,
}

impl Event {
    /// Something that happened, of which nothing is said yet.
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into(), headers: Table::new(), bytes: 0 }
    }

    /// The same, with the user who did it.
    pub(crate) fn by_actor(key: impl Into<String>) -> Self {
        Self::new(key).text("user_who_performed_action", &*actor::current())
    }

    /// Says more: of the same name, the first counts.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: Value) -> Self {
        self.bytes += name.len() + size_of::<Value>();
        if let Value::LongString(text) = &value {
            self.bytes += text.len();
        }
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub(crate) fn text(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        self.with(name, Value::LongString(text.as_ref().to_vec()))
    }

    #[must_use]
    pub(crate) fn flag(self, name: &str, is_so: bool) -> Self {
        self.with(name, Value::Bool(is_so))
    }

    #[must_use]
    pub(crate) fn number(self, name: &str, number: u64) -> Self {
        self.with(name, Value::I64(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    #[must_use]
    pub(crate) fn texts(mut self, name: &str, texts: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<_> = texts.into_iter().map(|text| Value::LongString(text.into_bytes())).collect();
        self.bytes += texts.iter().map(|text| size_of::<Value>() + text.to_string().len()).sum::<usize>();
        self.with(name, Value::Array(texts))
    }

    /// The routing key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Bytes that it takes, about.
    pub(super) const fn bytes(&self) -> usize {
        self.key.len() + self.bytes
    }

    /// The properties of its message, as those of RabbitMQ's plugin.
    pub(super) fn properties(&self, now_ms: u64) -> Vec<u8> {
        let told = self.clone().number("timestamp_in_ms", now_ms);
        let mut editor = PropertiesEditor::new();
        editor.set_delivery_mode(2).set_timestamp(now_ms / 1_000).set_headers(&told.headers);
        editor.build()
    }
}
