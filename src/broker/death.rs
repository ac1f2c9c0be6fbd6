//! The record of a message's deaths: the header `x-death` and what is derived from it (behaviour reference 6.3 and 6.4).
//!
//! The record lives in the message's own headers. It is believed only when the broker wrote it ([`Facts::dead_lettered`]): a
//! client that publishes a dead letter again brings along an ordinary header, which is overwritten. Up to RabbitMQ 3.13 it was
//! believed from everybody.
//!
//! [`Facts::dead_lettered`]: crate::message::Facts::dead_lettered

use super::profile::ClientDeaths;
use super::queue::DeathReason;
use crate::message::Message;
use crate::properties::{Properties, PropertiesEditor, Property};
use crate::table::{Table, TableRef, Value, ValueRef};

/// The deaths of a message, most recent first; one entry for each queue and reason.
///
/// Only the latest is taken apart: the others are copied as they stand in the headers, so that a death costs little however many
/// there were. [`RECORD_BYTES_MAX`] bounds that, and with it what a message grows by on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deaths<'m> {
    latest: Table,
    earlier: Vec<TableRef<'m>>,
    /// The oldest entries were left out, because the record became too long.
    is_cut: bool,
    /// Exchange, queue and reason of the very first death; `None` while the message's own headers tell it.
    first: Option<[Vec<u8>; 3]>,
}

/// The record of a message is no longer than this: some 150 deaths in different queues.
const RECORD_BYTES_MAX: usize = 16 * 1024;

/// A death lists routing keys up to so many bytes, the message's own one in any case.
const LISTED_KEY_BYTES_MAX: usize = 1024;

const FIRST_HEADERS: [&str; 3] = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST_HEADERS: [&str; 3] = ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

impl<'m> Deaths<'m> {
    /// The record of a message that has just died. A repeated death moves to the front and is counted; its time and keys stay.
    pub(super) fn after(
        message: &'m Message,
        queue: &str,
        reason: DeathReason,
        of_clients: ClientDeaths,
        now_ms: u64,
    ) -> Self {
        let mut earlier = recorded(message, of_clients);
        let texts = [message.exchange(), queue, reason.name()].map(|text| text.as_bytes().to_vec());
        // Later deaths leave the first one as the headers have it (behaviour reference 6.3).
        let first = earlier.is_empty().then_some(texts);
        let same = |entry: &TableRef<'_>| {
            text(*entry, "queue") == Some(queue.as_bytes()) && text(*entry, "reason") == Some(reason.name().as_bytes())
        };
        let latest = match earlier.iter().position(same) {
            // The same queue and reason again: one entry a pair, so that a loop makes the record no longer.
            Some(at) => {
                let mut entry = earlier.remove(at).to_owned();
                let count = entry.get("count").and_then(Value::as_integer).unwrap_or(0);
                entry.insert("count", Value::I64(count.saturating_add(1)));
                entry
            }
            None => new_entry(queue, reason, message, now_ms),
        };
        let mut deaths = Self { latest, earlier, is_cut: false, first };
        deaths.cut();
        deaths
    }

    fn cut(&mut self) {
        let mut latest = Vec::new();
        self.latest.encode(&mut latest);
        let mut left = RECORD_BYTES_MAX.saturating_sub(latest.len());
        let fits = |entry: &&TableRef<'_>| {
            let bytes = entry.as_bytes().len() + ENTRY_HEAD_BYTES;
            left.checked_sub(bytes).is_some_and(|rest| {
                left = rest;
                true
            })
        };
        // The oldest go: what is kept is a row of the latest deaths without a gap, as the
        // search for cycles needs it.
        let kept = self.earlier.iter().take_while(fits).count();
        self.is_cut = kept < self.earlier.len();
        self.earlier.truncate(kept);
    }

    /// Whether the message came round to this queue again without ever being rejected on the way. One that has died in so many
    /// queues that its record is full, and was rejected by nobody, may have been here as well.
    pub(super) fn is_cycle(&self, queue: &str) -> bool {
        let latest = [text_of(&self.latest, "queue"), text_of(&self.latest, "reason")];
        let earlier = self.earlier.iter().map(|entry| [text(*entry, "queue"), text(*entry, "reason")]);
        for [died_in, reason] in std::iter::once(latest).chain(earlier) {
            if reason == Some(DeathReason::Rejected.name().as_bytes()) {
                return false;
            }
            if died_in == Some(queue.as_bytes()) {
                return true;
            }
        }
        // Its record is full and nobody rejected it: taken for a cycle, so that no loop of hundreds of
        // queues goes on for ever.
        self.is_cut
    }

    /// The message's properties with this record in the headers, and without `expiration`.
    pub(super) fn write(&self, message: &Message) -> Vec<u8> {
        let mut editor = message.properties().edit();
        editor.remove(Property::Expiration);
        editor.set_encoded_header("x-death", self.encode());
        if let Some(first) = &self.first {
            set_texts(&mut editor, FIRST_HEADERS, first);
        }
        let value = |name| text_of(&self.latest, name).unwrap_or_default().to_vec();
        // The exchange of the latest death is where the message was published to this time, not at the entry's first time.
        let last = [message.exchange().as_bytes().to_vec(), value("queue"), value("reason")];
        set_texts(&mut editor, LAST_HEADERS, &last);
        editor.build()
    }

    /// The header's value: an array of tables.
    fn encode(&self) -> Vec<u8> {
        let mut entries = vec![b'F'];
        self.latest.encode(&mut entries);
        for entry in &self.earlier {
            entries.push(b'F');
            put_sized(&mut entries, entry.as_bytes());
        }
        let mut field = vec![b'A'];
        put_sized(&mut field, &entries);
        field
    }
}

/// The type and the length before the content of an entry.
const ENTRY_HEAD_BYTES: usize = 5;

/// Appends bytes behind their length.
fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // A record is bounded, far below 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The deaths that a message has had so far.
fn recorded(message: &Message, of_clients: ClientDeaths) -> Vec<TableRef<'_>> {
    if !message.facts().dead_lettered && of_clients == ClientDeaths::Ignored {
        return Vec::new();
    }
    match message.properties().headers().and_then(|headers| headers.get("x-death")) {
        Some(ValueRef::Array(entries)) => entries.iter().filter_map(ValueRef::as_table).collect(),
        _ => Vec::new(),
    }
}

fn set_texts(editor: &mut PropertiesEditor<'_>, names: [&str; 3], texts: &[Vec<u8>; 3]) {
    for (name, text) in names.into_iter().zip(texts) {
        editor.set_header(name, &Value::LongString(text.clone()));
    }
}

fn text<'a>(entry: TableRef<'a>, name: &str) -> Option<&'a [u8]> {
    entry.get(name).and_then(ValueRef::as_bytes)
}

fn text_of<'a>(entry: &'a Table, name: &str) -> Option<&'a [u8]> {
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

/// The routing key followed by the CC keys; BCC stays secret. All keys of a message with very many would be listed once for each
/// death.
fn routing_keys(message: &Message, properties: Properties<'_>) -> Vec<Value> {
    let mut keys = vec![Value::LongString(message.routing_key().to_vec())];
    let copies = properties.headers().and_then(|headers| headers.get("CC"));
    if let Some(ValueRef::Array(copies)) = copies.filter(|_| !message.facts().ignores_copies) {
        let mut listed_bytes = 0;
        let copies = copies.iter().filter_map(ValueRef::as_bytes).take_while(|key| {
            listed_bytes += key.len();
            listed_bytes <= LISTED_KEY_BYTES_MAX
        });
        keys.extend(copies.map(|key| Value::LongString(key.to_vec())));
    }
    keys
}

#[cfg(test)]
mod tests;
