//! A message that is to be published, before it is a record: where it goes to, and what its properties may be refused for.

use std::borrow::Cow;

use crate::error::AmqpError;
use crate::message::{Facts, Message};
use crate::properties::{Properties, PropertiesSummary, parse_expiration};
use crate::table::ValueRef;

/// Where a message is to be published, and with which properties.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PublishRequest<'a> {
    address: &'a [u8],
    exchange: &'a str,
    routing_key: &'a [u8],
    properties: &'a [u8],
    summary: PropertiesSummary<'a>,
}

/// The user whose name a message's `user-id` is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Author<'a> {
    /// The user's name.
    pub(crate) user: &'a str,
    /// Whether messages may carry the name of another user.
    pub(crate) may_impersonate: bool,
}

impl<'a> PublishRequest<'a> {
    /// `address` is the exchange and the routing key as [`crate::message::address`] encodes them, and `properties` are encoded as AMQP
    /// 0-9-1 does it, whatever protocol the publisher speaks: that is how a message is kept.
    #[inline]
    pub(crate) fn new(address: &'a [u8], exchange: &'a str, routing_key: &'a [u8], properties: &'a [u8]) -> Self {
        debug_assert_eq!(crate::message::split_address(address), (exchange, routing_key), "the address says the same");
        Self { address, exchange, routing_key, properties, summary: Properties::new(properties).summary() }
    }

    /// The exchange and the routing key, encoded.
    #[inline]
    pub(crate) const fn address(&self) -> &'a [u8] {
        self.address
    }

    /// The encoded properties.
    #[inline]
    pub(crate) const fn properties(&self) -> &'a [u8] {
        self.properties
    }

    /// Where a reply is to go.
    #[inline]
    pub(crate) const fn reply_to(&self) -> Option<&'a [u8]> {
        self.summary.reply_to
    }

    #[inline]
    pub(crate) const fn exchange(&self) -> &'a str {
        self.exchange
    }

    #[inline]
    pub(super) const fn routing_key(&self) -> &'a [u8] {
        self.routing_key
    }

    #[inline]
    pub(super) const fn has_headers(&self) -> bool {
        self.summary.headers.is_some()
    }

    /// What the broker must know of the message.
    #[inline]
    pub(crate) fn facts(&self) -> Facts {
        facts(&self.summary)
    }

    /// Checks the properties that a message can be refused for (behaviour reference 5.1), and returns its `expiration`.
    ///
    /// # Errors
    /// 406 for another user's id, a bad expiration, or copies that are no arrays.
    #[inline]
    pub(crate) fn check(&self, author: Author<'_>) -> Result<Option<u64>, AmqpError> {
        let summary = &self.summary;
        if let Some(user_id) = summary.user_id
            && user_id != author.user.as_bytes()
            && !author.may_impersonate
        {
            let (user_id, user) = (String::from_utf8_lossy(user_id), author.user);
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
}

/// What the broker must know of a message, from its properties.
#[inline]
pub(crate) fn facts(summary: &PropertiesSummary<'_>) -> Facts {
    Facts {
        // Any other number is transient, 3 as well (behaviour reference 5.1).
        persistent: summary.delivery_mode == Some(2),
        priority: summary.priority,
        has_bcc: summary.headers.is_some_and(|headers| headers.get("BCC").is_some()),
        dead_lettered: false,
        ignores_copies: false,
    }
}

fn expiration_ms(text: &[u8]) -> Result<u64, AmqpError> {
    parse_expiration(text).map_err(|reason| {
        let text = String::from_utf8_lossy(text);
        AmqpError::precondition_failed(format!("invalid expiration '{text}': {reason}"))
    })
}

/// The properties as recipients see them: without BCC.
pub(crate) fn visible_properties(message: &Message) -> Cow<'_, [u8]> {
    if message.facts().has_bcc {
        Cow::Owned(message.properties().edit().remove_header("BCC").build())
    } else {
        Cow::Borrowed(message.property_bytes())
    }
}
