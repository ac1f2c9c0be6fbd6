//! The properties of a message (AMQP class `basic`), read in place from their wire bytes.
//!
//! A message carries its property flags and values exactly as they go out again, so a delivery copies them verbatim
//! (docs/design.md, section 2). [`receive`] checks them once, when a content header comes in, and brings the headers into the form
//! that RabbitMQ sends on; from then on [`Properties`] reads fields in place and [`PropertiesEditor`] makes changed copies.

mod editor;
mod expiration;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::table::{self, TableError, TableRef};

pub use editor::PropertiesEditor;
pub(crate) use expiration::{EXPIRATION_MS_MAX, InvalidExpiration, parse_expiration};

/// The fourteen properties, each with its bit in the property flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Property {
    /// MIME type of the body.
    ContentType = 15,
    /// MIME encoding of the body.
    ContentEncoding = 14,
    /// The application's headers.
    Headers = 13,
    /// 2 for a persistent message.
    DeliveryMode = 12,
    /// Higher goes first.
    Priority = 11,
    /// The application's correlation identifier.
    CorrelationId = 10,
    /// Where a reply goes.
    ReplyTo = 9,
    /// Time to live in milliseconds, as text.
    Expiration = 8,
    /// The application's message identifier.
    MessageId = 7,
    /// Seconds since 1970.
    Timestamp = 6,
    /// The application's name for the kind of message.
    Kind = 5,
    /// The user that published it.
    UserId = 4,
    /// The application that published it.
    AppId = 3,
    /// Reserved, passed through.
    ClusterId = 2,
}

impl Property {
    /// Those that are short strings, with the names that RabbitMQ gives them in JSON and in headers of traces.
    pub(crate) const TEXTS: [(&str, Self); 10] = [
        ("content_type", Self::ContentType),
        ("content_encoding", Self::ContentEncoding),
        ("correlation_id", Self::CorrelationId),
        ("reply_to", Self::ReplyTo),
        ("expiration", Self::Expiration),
        ("message_id", Self::MessageId),
        ("type", Self::Kind),
        ("user_id", Self::UserId),
        ("app_id", Self::AppId),
        ("cluster_id", Self::ClusterId),
    ];
}

impl Property {
    /// Every property in the order in which the wire carries them.
    pub(crate) const ALL: [Self; 14] = [
        Self::ContentType,
        Self::ContentEncoding,
        Self::Headers,
        Self::DeliveryMode,
        Self::Priority,
        Self::CorrelationId,
        Self::ReplyTo,
        Self::Expiration,
        Self::MessageId,
        Self::Timestamp,
        Self::Kind,
        Self::UserId,
        Self::AppId,
        Self::ClusterId,
    ];

    /// Its bit in the property flags.
    const fn flag(self) -> u16 {
        1 << self as u8
    }
}

/// The flag that announces a second word of flags, which class `basic` has no use for.
const CONTINUATION_FLAG: u16 = 1;

/// The flags that mean a property. Bit 1 means nothing; RabbitMQ reads over it and never sends it.
const KNOWN_FLAGS: u16 = 0xFFFC;

/// Why bytes are not the properties of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// A property reaches beyond the end.
    #[error("the properties end in the middle of a value")]
    Truncated,
    /// Bytes follow the last property that the flags announce.
    #[error("bytes follow the last property")]
    Trailing,
    /// The flags announce more flags.
    #[error("the property flags are continued")]
    Continued,
    /// The headers are no field table.
    #[error("headers: {0}")]
    Headers(#[from] TableError),
}

/// Checks the properties of a content header and brings them into the form in which they are sent on: the headers table
/// [canonical](table::canonical), the undefined flag cleared. Nothing is copied when nothing changes.
///
/// # Errors
/// What is wrong with them; RabbitMQ answers all of it with an internal error.
pub fn receive(bytes: &[u8]) -> Result<Cow<'_, [u8]>, PropertiesError> {
    // Nothing but a delivery mode, or nothing at all: what most of the fastest publishers send.
    if let [0, 0] | [0x10, 0, _] = bytes {
        return Ok(Cow::Borrowed(bytes));
    }
    let headers = check(bytes)?.unwrap_or_default();
    let flags = flags(bytes);
    let canonical = table::canonical(headers)?;
    if matches!(canonical, Cow::Borrowed(_)) && flags & !KNOWN_FLAGS == 0 {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut editor = Properties::new(bytes).edit();
    if let Cow::Owned(content) = &canonical {
        editor.headers_from(TableRef::new(content));
    }
    Ok(Cow::Owned(editor.build()))
}

/// Checks the properties of a content header and changes nothing.
///
/// # Errors
/// As for [`receive`].
pub fn validate(bytes: &[u8]) -> Result<(), PropertiesError> {
    table::validate(check(bytes)?.unwrap_or_default())?;
    Ok(())
}

/// Checks that the values the flags announce are there, and nothing else. Returns the unchecked content of the headers.
fn check(bytes: &[u8]) -> Result<Option<&[u8]>, PropertiesError> {
    let (flags, mut rest) = bytes.split_first_chunk().ok_or(PropertiesError::Truncated)?;
    let flags = u16::from_be_bytes(*flags);
    if flags & CONTINUATION_FLAG != 0 {
        return Err(PropertiesError::Continued);
    }
    let mut headers = None;
    for property in present(flags) {
        let (value, after) = split(property, rest).ok_or(PropertiesError::Truncated)?;
        if property == Property::Headers {
            headers = Some(value);
        }
        rest = after;
    }
    if rest.is_empty() { Ok(headers) } else { Err(PropertiesError::Trailing) }
}

/// A view of the property flags and values of a content header, as they stand on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Properties<'a>(&'a [u8]);

/// What routing and queues ask of a message's properties, gathered in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertiesSummary<'a> {
    pub(crate) headers: Option<TableRef<'a>>,
    /// 2 for a persistent message.
    pub(crate) delivery_mode: Option<u8>,
    /// Higher goes first.
    pub(crate) priority: Option<u8>,
    /// Where a reply goes.
    pub(crate) reply_to: Option<&'a [u8]>,
    /// Time to live as text; see [`parse_expiration`].
    pub(crate) expiration: Option<&'a [u8]>,
    /// The user that published it.
    pub(crate) user_id: Option<&'a [u8]>,
}

#[cfg_attr(not(test), allow(dead_code, reason = "the protocol has them all; most pass through unread"))]
impl<'a> Properties<'a> {
    /// The properties of a message that has none.
    pub const NONE: Properties<'static> = Properties(&[0, 0]);

    /// A view of bytes that were validated when the message came in. On others, what cannot be read is absent.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes, flags first.
    pub(crate) const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether the message has that property.
    pub(crate) fn has(self, property: Property) -> bool {
        flags(self.0) & property.flag() != 0
    }

    /// Everything that routing and queues ask, in one pass that stops behind the last of it.
    pub fn summary(self) -> PropertiesSummary<'a> {
        let mut summary = PropertiesSummary::default();
        for (property, value) in self.values() {
            match property {
                Property::Headers => summary.headers = Some(TableRef::new(value)),
                Property::DeliveryMode => summary.delivery_mode = value.first().copied(),
                Property::Priority => summary.priority = value.first().copied(),
                Property::ReplyTo => summary.reply_to = Some(value),
                Property::Expiration => summary.expiration = Some(value),
                Property::UserId => {
                    summary.user_id = Some(value);
                    break;
                }
                Property::AppId | Property::ClusterId => break,
                Property::ContentType
                | Property::ContentEncoding
                | Property::CorrelationId
                | Property::MessageId
                | Property::Timestamp
                | Property::Kind => {}
            }
        }
        summary
    }

    /// The bytes of one property: of a short string its text, of the headers their content, of a number its big-endian bytes.
    pub(crate) fn get(self, property: Property) -> Option<&'a [u8]> {
        if !self.has(property) {
            return None;
        }
        self.values().find(|(present, _)| *present == property).map(|(_, value)| value)
    }

    /// MIME type of the body.
    pub(crate) fn content_type(self) -> Option<&'a [u8]> {
        self.get(Property::ContentType)
    }

    /// MIME encoding of the body.
    pub(crate) fn content_encoding(self) -> Option<&'a [u8]> {
        self.get(Property::ContentEncoding)
    }

    /// The application's headers.
    pub fn headers(self) -> Option<TableRef<'a>> {
        self.get(Property::Headers).map(TableRef::new)
    }

    /// 2 for a persistent message.
    pub(crate) fn delivery_mode(self) -> Option<u8> {
        self.get(Property::DeliveryMode)?.first().copied()
    }

    /// Higher goes first.
    pub(crate) fn priority(self) -> Option<u8> {
        self.get(Property::Priority)?.first().copied()
    }

    /// The application's correlation identifier.
    pub(crate) fn correlation_id(self) -> Option<&'a [u8]> {
        self.get(Property::CorrelationId)
    }

    /// Where a reply goes.
    pub(crate) fn reply_to(self) -> Option<&'a [u8]> {
        self.get(Property::ReplyTo)
    }

    /// Time to live as text; see [`parse_expiration`].
    pub(crate) fn expiration(self) -> Option<&'a [u8]> {
        self.get(Property::Expiration)
    }

    /// The application's message identifier.
    pub(crate) fn message_id(self) -> Option<&'a [u8]> {
        self.get(Property::MessageId)
    }

    /// Seconds since 1970.
    pub(crate) fn timestamp(self) -> Option<u64> {
        self.get(Property::Timestamp)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The application's name for the kind of message; the wire calls it `type`.
    pub(crate) fn kind(self) -> Option<&'a [u8]> {
        self.get(Property::Kind)
    }

    /// The user that published it.
    pub(crate) fn user_id(self) -> Option<&'a [u8]> {
        self.get(Property::UserId)
    }

    /// The application that published it.
    pub(crate) fn app_id(self) -> Option<&'a [u8]> {
        self.get(Property::AppId)
    }

    /// Reserved, passed through.
    pub(crate) fn cluster_id(self) -> Option<&'a [u8]> {
        self.get(Property::ClusterId)
    }

    /// An editor that starts from these properties and borrows what it does not change.
    pub(crate) fn edit(self) -> PropertiesEditor<'a> {
        PropertiesEditor::from(self)
    }

    /// The properties that are present, in the order of the wire.
    pub(crate) fn values(self) -> impl Iterator<Item = (Property, &'a [u8])> {
        let mut rest = self.0.get(2..).unwrap_or_default();
        present(flags(self.0)).map_while(move |property| {
            let (value, after) = split(property, rest)?;
            rest = after;
            Some((property, value))
        })
    }
}

/// The property flags; none when there are no bytes for them.
fn flags(bytes: &[u8]) -> u16 {
    bytes.first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags))
}

/// The properties that the flags announce, in the order of the wire, which is that of the bits from the highest.
fn present(flags: u16) -> impl Iterator<Item = Property> {
    let mut left = flags & KNOWN_FLAGS;
    std::iter::from_fn(move || {
        let property = *Property::ALL.get(usize::try_from(left.leading_zeros()).ok()?)?;
        left &= !property.flag();
        Some(property)
    })
}

/// The value of one property, without its length, and what follows it.
fn split(property: Property, input: &[u8]) -> Option<(&[u8], &[u8])> {
    match property {
        Property::DeliveryMode | Property::Priority => input.split_at_checked(1),
        Property::Timestamp => input.split_at_checked(8),
        Property::Headers => {
            let (length, rest) = input.split_first_chunk()?;
            rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
        }
        Property::ContentType
        | Property::ContentEncoding
        | Property::CorrelationId
        | Property::ReplyTo
        | Property::Expiration
        | Property::MessageId
        | Property::Kind
        | Property::UserId
        | Property::AppId
        | Property::ClusterId => {
            let (length, rest) = input.split_first()?;
            rest.split_at_checked(usize::from(*length))
        }
    }
}
