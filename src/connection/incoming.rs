//! A message that a client publishes, from its content header on: what is checked, and how it becomes a record.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::AmqpError;
use crate::message::{ChunkWriter, Facts, MemoryGauge, Message, RecordOffset, address};
use crate::properties::{Properties, PropertiesSummary, parse_expiration};
use crate::protocol::assembler::{BodySink, Publish};
use crate::protocol::content::ContentHeader;
use crate::table::ValueRef;

/// A body that comes in several frames, appended to its record as it comes. It counts as used memory from its header on.
#[derive(Debug)]
pub(super) struct IncomingBody {
    writer: ChunkWriter,
    offset: RecordOffset,
    properties: Vec<u8>,
    charge: Charge,
}

#[derive(Debug)]
struct Charge {
    gauge: Arc<MemoryGauge>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.gauge.remove(self.bytes);
    }
}

impl IncomingBody {
    /// A body of which only the header is there.
    pub(super) fn begin(publish: &Publish, header: &ContentHeader<'_>, gauge: &Arc<MemoryGauge>) -> Self {
        let address = address(&publish.exchange, &publish.routing_key);
        let mut writer = ChunkWriter::default();
        writer.reserve(address.len() + header.properties.len() + header.body_bytes_to_reserve() + 16);
        let facts = facts(&Properties::new(&header.properties).summary());
        let body_bytes = u32::try_from(header.body_bytes).unwrap_or(u32::MAX);
        let offset = writer.begin(facts, &address, &header.properties, body_bytes);
        let charge = Charge { gauge: Arc::clone(gauge), bytes: 0 };
        let mut body = Self { writer, offset, properties: header.properties.to_vec(), charge };
        body.count();
        body
    }

    /// Counts the memory that it takes now: it only grows.
    fn count(&mut self) {
        let bytes = self.writer.capacity() + self.properties.capacity();
        self.charge.gauge.add(bytes - self.charge.bytes);
        self.charge.bytes = bytes;
    }

    /// The properties.
    pub(super) fn properties(&self) -> &[u8] {
        &self.properties
    }

    /// The whole message.
    pub(super) fn finish(mut self) -> Message {
        Message::new(self.writer.finish(&self.charge.gauge), self.offset)
    }
}

impl BodySink for IncomingBody {
    fn extend_body(&mut self, piece: &[u8]) {
        self.writer.extend_body(piece);
        self.count();
    }
}

/// What the broker must know of a message, from its properties.
pub(crate) fn facts(summary: &PropertiesSummary<'_>) -> Facts {
    Facts {
        persistent: summary.delivery_mode == Some(2),
        priority: summary.priority,
        has_bcc: summary.headers.is_some_and(|headers| headers.get("BCC").is_some()),
        dead_lettered: false,
        ignores_copies: false,
    }
}

/// Checks the properties that a publish can be refused for (behaviour reference 5.1), and reads `expiration`.
///
/// # Errors
/// 406 for another user's id, a bad expiration, or copies that are no arrays.
pub(crate) fn check(
    summary: &PropertiesSummary<'_>,
    user: &str,
    may_impersonate: bool,
) -> Result<Option<u64>, AmqpError> {
    if let Some(user_id) = summary.user_id
        && user_id != user.as_bytes()
        && !may_impersonate
    {
        let user_id = String::from_utf8_lossy(user_id);
        return Err(AmqpError::precondition_failed(format!(
            "user_id property set to '{user_id}' but authenticated user was '{user}'"
        )));
    }
    let expiration_ms = summary.expiration.map(expiration_ms).transpose()?;
    if let Some(headers) = summary.headers {
        for name in ["CC", "BCC"] {
            if let Some(other) = headers.get(name).filter(|value| !matches!(value, ValueRef::Array(_))) {
                let type_name = other.type_name();
                return Err(AmqpError::precondition_failed(format!(
                    "invalid message: {{unacceptable_type_in_header,\"{name}\",{type_name}}}"
                )));
            }
        }
    }
    Ok(expiration_ms)
}

fn expiration_ms(text: &[u8]) -> Result<u64, AmqpError> {
    parse_expiration(text).map_err(|reason| {
        let text = String::from_utf8_lossy(text);
        AmqpError::precondition_failed(format!("invalid expiration '{text}': {reason}"))
    })
}

/// The properties as recipients see them: without BCC.
pub(super) fn visible_properties(message: &Message) -> Cow<'_, [u8]> {
    if message.facts().has_bcc {
        Cow::Owned(message.properties().edit().remove_header("BCC").build())
    } else {
        Cow::Borrowed(message.property_bytes())
    }
}
