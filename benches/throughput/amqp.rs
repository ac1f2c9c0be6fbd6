//! As much of AMQP 0-9-1 as a load generator needs, written apart from the broker's own codec: a mistake in that one
//! must not be hidden by the same mistake here, and the cost per message stays known.

mod channel;
mod connection;
mod reader;
mod url;
pub(crate) mod wire;

pub(crate) use channel::Durability;
pub(crate) use connection::{CHANNEL, Connection};
pub(crate) use reader::Frame;
pub(crate) use url::Url;
