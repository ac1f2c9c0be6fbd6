//! Messages as Leveret's own endpoints show them: the body as text or base64, cut to what was asked for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use super::given;
use crate::http::messages::properties;
use crate::http::refusal::Refusal;
use crate::http::request::Request;
use crate::http::values;
use crate::message::Message;
use crate::table::{TableRef, ValueRef};

/// How much of each body is shown, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    truncate: usize,
    is_base64: bool,
}

impl Shown {
    /// The parameters `truncate` and `encoding`.
    ///
    /// # Errors
    /// 400 when they are out of their bounds.
    pub(super) fn of(request: &Request<'_>, default: usize, max: usize) -> Result<Self, Refusal> {
        let truncate = given::count(request, "truncate", default, 0..=max)?;
        let is_base64 = match request.parameter("encoding") {
            None | Some("auto") => false,
            Some("base64") => true,
            Some(_) => return Err(Refusal::bad_request("encoding must be auto or base64")),
        };
        Ok(Self { truncate, is_base64 })
    }

    /// Bytes of this body that are shown.
    pub(super) fn bytes_of(self, body: &[u8]) -> usize {
        body.len().min(self.truncate)
    }

    /// A body of so many bytes, of which these are there.
    fn payload_of(self, body: &[u8], body_bytes: usize) -> ShownPayload {
        let cut = body.get(..self.truncate).unwrap_or(body);
        let (payload, payload_encoding) = match text(cut, cut.len() < body_bytes) {
            Some(text) if !self.is_base64 => (text.to_owned(), "string"),
            Some(_) | None => (STANDARD.encode(cut), "base64"),
        };
        ShownPayload {
            payload: Some(payload),
            payload_encoding: Some(payload_encoding),
            payload_bytes: body_bytes,
            payload_truncated: cut.len() < body_bytes,
        }
    }
}

/// Bytes as text. What was cut may end within a character, of which the rest is left out.
fn text(cut: &[u8], is_cut: bool) -> Option<&str> {
    match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(cut.get(..error.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// A body as it is shown.
#[derive(Debug, Default, Serialize)]
pub(super) struct ShownPayload {
    payload: Option<String>,
    payload_encoding: Option<&'static str>,
    payload_bytes: usize,
    payload_truncated: bool,
}

/// What a message says of itself.
#[derive(Debug, Default, Serialize)]
pub(super) struct MessageObject {
    exchange: Option<String>,
    routing_key: Option<String>,
    #[serde(flatten)]
    payload: ShownPayload,
    properties: Value,
}

impl MessageObject {
    /// All keys are null of one that cannot be read.
    pub(super) fn new(message: Option<&Message>, shown: Shown) -> Self {
        match message {
            Some(message) => Self::of_part(message, message.body_bytes(), shown),
            None => Self { properties: json!([]), ..Self::default() },
        }
    }

    /// Of a message whose body has so many bytes, and may have been cut.
    pub(super) fn of_part(message: &Message, body_bytes: usize, shown: Shown) -> Self {
        Self {
            exchange: Some(message.exchange().to_owned()),
            routing_key: Some(values::text(message.routing_key())),
            payload: shown.payload_of(message.body(), body_bytes),
            properties: properties(message.properties()),
        }
    }
}

/// An entry of `x-death`.
#[derive(Debug, Serialize)]
pub(super) struct DeathEntry {
    pub(super) queue: String,
    pub(super) reason: String,
    pub(super) exchange: String,
    pub(super) routing_keys: Vec<String>,
    count: Option<u64>,
    /// Milliseconds since 1970.
    at: Option<u64>,
}

/// The header `x-death`, the latest death first.
pub(super) fn deaths(message: &Message) -> Vec<DeathEntry> {
    let deaths = message.properties().headers().and_then(|headers| headers.get("x-death"));
    let Some(ValueRef::Array(deaths)) = deaths else { return Vec::new() };
    let death = |value| if let ValueRef::Table(fields) = value { Some(death(fields)) } else { None };
    deaths.iter().filter_map(death).collect()
}

fn death(fields: TableRef<'_>) -> DeathEntry {
    let text = |name: &str| fields.get(name).and_then(ValueRef::as_bytes).map(values::text).unwrap_or_default();
    let routing_keys = match fields.get("routing-keys") {
        Some(ValueRef::Array(keys)) => keys.iter().filter_map(ValueRef::as_bytes).map(values::text).collect(),
        _ => Vec::new(),
    };
    let count = fields.get("count").and_then(|count| u64::try_from(count.as_integer()?).ok());
    let at = match fields.get("time") {
        Some(ValueRef::Timestamp(seconds)) => Some(seconds.saturating_mul(1000)),
        _ => None,
    };
    let (queue, reason, exchange) = (text("queue"), text("reason"), text("exchange"));
    DeathEntry { queue, reason, exchange, routing_keys, count, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &[u8], truncate: usize) -> (String, &'static str, bool) {
        let payload = Shown { truncate, is_base64: false }.payload_of(body, body.len());
        (payload.payload.unwrap(), payload.payload_encoding.unwrap(), payload.payload_truncated)
    }

    #[test]
    fn a_text_that_is_cut_within_a_character_stays_a_text() {
        assert_eq!(shown("aü".as_bytes(), 2), ("a".into(), "string", true));
        assert_eq!(shown("aü".as_bytes(), 3), ("aü".into(), "string", false));
        assert_eq!(shown(b"a\xff", 10), ("Yf8=".into(), "base64", false));
        assert_eq!(shown(b"a\xc3", 10), ("YcM=".into(), "base64", false), "half a character at the end of it all");
    }
}
