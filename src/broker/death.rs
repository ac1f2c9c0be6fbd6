//! The record of a message's deaths: the header `x-death` and what is derived from it (behaviour reference 6.3 and 6.4).
//!
//! The record lives in the message's own headers. It is believed only when the broker wrote it ([`Facts::dead_lettered`]): a
//! client that publishes a dead letter again brings along an ordinary header, which is overwritten.
//!
//! [`Facts::dead_lettered`]: crate::message::Facts::dead_lettered

use super::queue::DeathReason;
use crate::message::Message;
use crate::properties::{Properties, PropertiesEditor, Property};
use crate::table::{Table, TableRef, Value, ValueRef};

/// The deaths of a message, most recent first; one entry for each queue and reason.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Deaths {
    entries: Vec<Table>,
    /// Exchange, queue and reason of the very first death; `None` while the message's own headers tell it.
    first: Option<[Vec<u8>; 3]>,
}

const FIRST_HEADERS: [&str; 3] = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST_HEADERS: [&str; 3] = ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

impl Deaths {
    /// The deaths that a message has had so far.
    pub(super) fn of(message: &Message) -> Self {
        if !message.facts().dead_lettered {
            return Self::default();
        }
        let headers = message.properties().headers();
        let entries = match headers.and_then(|headers| headers.get("x-death")) {
            Some(ValueRef::Array(entries)) => {
                entries.iter().filter_map(|entry| entry.as_table().map(TableRef::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        Self { entries, first: None }
    }

    /// The record with one more death. A repeated one moves to the front and is counted; its time and keys stay.
    #[must_use]
    pub(super) fn with(mut self, queue: &str, reason: DeathReason, message: &Message, now_ms: u64) -> Self {
        let same = |entry: &Table| {
            text(entry, "queue") == Some(queue.as_bytes()) && text(entry, "reason") == Some(reason.name().as_bytes())
        };
        if self.entries.is_empty() {
            let exchange = message.exchange().as_bytes().to_vec();
            self.first = Some([exchange, queue.as_bytes().to_vec(), reason.name().as_bytes().to_vec()]);
        }
        let entry = match self.entries.iter().position(same) {
            Some(at) => {
                let mut entry = self.entries.remove(at);
                let count = entry.get("count").and_then(Value::as_integer).unwrap_or(0);
                entry.insert("count", Value::I64(count.saturating_add(1)));
                entry
            }
            None => new_entry(queue, reason, message, now_ms),
        };
        self.entries.insert(0, entry);
        self
    }

    /// Whether the message came round to this queue again without ever being rejected on the way.
    pub(super) fn is_cycle(&self, queue: &str) -> bool {
        let Some(last) = self.entries.iter().position(|entry| text(entry, "queue") == Some(queue.as_bytes())) else {
            return false;
        };
        let rejected = DeathReason::Rejected.name().as_bytes();
        self.entries.iter().take(last + 1).all(|entry| text(entry, "reason") != Some(rejected))
    }

    /// The message's properties with this record in the headers, and without `expiration`.
    pub(super) fn write(&self, message: &Message) -> Vec<u8> {
        let mut editor = message.properties().edit();
        editor.remove(Property::Expiration);
        editor.set_header("x-death", &Value::Array(self.entries.iter().cloned().map(Value::Table).collect()));
        if let Some(first) = &self.first {
            set_texts(&mut editor, FIRST_HEADERS, first);
        }
        if let Some(last) = self.entries.first() {
            let value = |name| text(last, name).unwrap_or_default().to_vec();
            // The exchange of the latest death is where the message was published to this time, not at the entry's first time.
            let last = [message.exchange().as_bytes().to_vec(), value("queue"), value("reason")];
            set_texts(&mut editor, LAST_HEADERS, &last);
        }
        editor.build()
    }
}

fn set_texts(editor: &mut PropertiesEditor<'_>, names: [&str; 3], texts: &[Vec<u8>; 3]) {
    for (name, text) in names.into_iter().zip(texts) {
        editor.set_header(name, &Value::LongString(text.clone()));
    }
}

fn text<'a>(entry: &'a Table, name: &str) -> Option<&'a [u8]> {
    entry.get(name).and_then(Value::as_bytes)
}

fn new_entry(queue: &str, reason: DeathReason, message: &Message, now_ms: u64) -> Table {
    let properties = message.properties();
    let mut entry = Table::new();
    if let Some(expiration) = properties.expiration() {
        entry.insert("original-expiration", Value::LongString(expiration.to_vec()));
    }
    entry.insert("count", Value::I64(1));
    entry.insert("reason", Value::LongString(reason.name().into()));
    entry.insert("queue", Value::LongString(queue.into()));
    entry.insert("time", Value::Timestamp(now_ms / 1000));
    entry.insert("exchange", Value::LongString(message.exchange().into()));
    entry.insert("routing-keys", Value::Array(routing_keys(message, properties)));
    entry
}

/// The routing key followed by the CC keys; BCC stays secret.
fn routing_keys(message: &Message, properties: Properties<'_>) -> Vec<Value> {
    let mut keys = vec![Value::LongString(message.routing_key().to_vec())];
    let copies = properties.headers().and_then(|headers| headers.get("CC"));
    if let Some(ValueRef::Array(copies)) = copies.filter(|_| !message.facts().ignores_copies) {
        let copies = copies.iter().filter_map(|copy| copy.as_bytes());
        keys.extend(copies.map(|key| Value::LongString(key.to_vec())));
    }
    keys
}
