//! What the broker sends on a channel besides replies: deliveries, returns, confirms, cancellations.

use amq_protocol::protocol::AMQPClass;

use super::properties::Properties;
use super::table::{Table, short_string, take};

/// A message from `basic.deliver` or `basic.get-ok`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Empty for a get.
    pub consumer_tag: String,
    pub delivery_tag: u64,
    pub redelivered: bool,
    pub exchange: String,
    pub routing_key: Vec<u8>,
    /// What is left in the queue, for a get.
    pub message_count: u32,
    pub properties: Properties,
    /// Flags and values as they came.
    pub raw_properties: Vec<u8>,
    pub body: Vec<u8>,
}

impl Delivery {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The headers; empty if there are none.
    pub fn headers(&self) -> Table {
        self.properties.headers.clone().unwrap_or_default()
    }

    /// The routing key as text.
    pub fn key(&self) -> String {
        String::from_utf8_lossy(&self.routing_key).into_owned()
    }
}

/// A message from `basic.return`.
#[derive(Clone, Debug, PartialEq)]
pub struct Returned {
    pub reply_code: u16,
    pub reply_text: String,
    pub exchange: String,
    pub routing_key: Vec<u8>,
    pub properties: Properties,
    pub body: Vec<u8>,
}

/// A `basic.ack` or `basic.nack` from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    pub ack: bool,
    pub delivery_tag: u64,
    pub multiple: bool,
    /// Only a nack has it.
    pub requeue: bool,
}

/// One thing from the broker on a channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Deliver(Delivery),
    GetOk(Delivery),
    Return(Returned),
    Confirm(Confirm),
    /// `basic.cancel` from the broker, and its no-wait bit.
    Cancel(String, bool),
    /// Any other method, mostly a reply.
    Method(AMQPClass),
    /// The socket was closed.
    Closed,
}

/// The fields of a content method, before its content is known.
pub fn content_method(payload: &[u8]) -> Option<Event> {
    let mut bytes = payload;
    let bytes = &mut bytes;
    let ids = (u16::from_be_bytes(take(bytes)), u16::from_be_bytes(take(bytes)));
    let text = |bytes: &mut &[u8]| String::from_utf8_lossy(&short_string(bytes)).into_owned();
    let mut delivery = Delivery {
        consumer_tag: String::new(),
        delivery_tag: 0,
        redelivered: false,
        exchange: String::new(),
        routing_key: Vec::new(),
        message_count: 0,
        properties: Properties::default(),
        raw_properties: Vec::new(),
        body: Vec::new(),
    };
    match ids {
        (60, 60) => delivery.consumer_tag = text(bytes),
        (60, 71) => {}
        (60, 50) => {
            return Some(Event::Return(Returned {
                reply_code: u16::from_be_bytes(take(bytes)),
                reply_text: text(bytes),
                exchange: text(bytes),
                routing_key: short_string(bytes),
                properties: Properties::default(),
                body: Vec::new(),
            }));
        }
        _ => return None,
    }
    delivery.delivery_tag = u64::from_be_bytes(take(bytes));
    delivery.redelivered = take::<1>(bytes)[0] & 1 != 0;
    delivery.exchange = text(bytes);
    delivery.routing_key = short_string(bytes);
    if ids == (60, 71) {
        delivery.message_count = u32::from_be_bytes(take(bytes));
        return Some(Event::GetOk(delivery));
    }
    Some(Event::Deliver(delivery))
}

impl Event {
    /// Adds the content to a content method.
    pub fn with_content(self, raw_properties: &[u8], body: Vec<u8>) -> Self {
        let properties = Properties::decode(raw_properties);
        let raw_properties = raw_properties.to_vec();
        match self {
            Self::Deliver(delivery) => Self::Deliver(Delivery { properties, raw_properties, body, ..delivery }),
            Self::GetOk(delivery) => Self::GetOk(Delivery { properties, raw_properties, body, ..delivery }),
            Self::Return(returned) => Self::Return(Returned { properties, body, ..returned }),
            other => other,
        }
    }
}
