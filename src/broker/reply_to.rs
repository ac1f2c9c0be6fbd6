//! Direct reply-to: consumers of the pseudo-queue `amq.rabbitmq.reply-to`, found by the name that their requests carry
//! (behaviour reference 5.10).

use std::sync::Arc;

use dashmap::DashMap;

use super::ids::ConsumerId;
use super::random::Random;
use super::sink::{Delivery, Sink};
use crate::message::Message;

/// The pseudo-queue that requesters consume from, and put into `reply-to`.
pub const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";
/// What the generated names begin with.
const PREFIX: &str = "amq.rabbitmq.reply-to.";
/// Replies that may wait for a requester that does not read, in bytes.
const WAITING_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Characters of the generated part.
const OPAQUE_CHARACTERS: usize = 22;

/// Where the replies of one requester go.
#[derive(Clone, Debug)]
pub struct ReplyConsumer {
    /// The requester's consumer.
    pub consumer: ConsumerId,
    /// Its connection.
    pub sink: Arc<dyn Sink>,
}

impl ReplyConsumer {
    /// Hands a reply over; it needs no acknowledgement. A requester that does not read its replies loses those that do not fit
    /// into `WAITING_BYTES_MAX`: there is no queue that could keep them.
    pub fn deliver(&self, message: Message) {
        if self.sink.waiting_bytes() > WAITING_BYTES_MAX {
            tracing::warn!("a direct reply is dropped: the requester does not read those that wait already");
            return;
        }
        let delivery =
            Delivery { consumer: self.consumer, message, token: None, redelivered: false, counts: Default::default() };
        self.sink.deliver(&mut vec![delivery]);
    }
}

/// All reply consumers by their generated names.
#[derive(Debug, Default)]
pub struct ReplyConsumers(DashMap<Box<str>, ReplyConsumer>);

impl ReplyConsumers {
    /// Registers a requester and makes its name.
    pub fn register(&self, consumer: ReplyConsumer, random: &Random) -> String {
        let name = random.name(PREFIX);
        self.0.insert(name.as_str().into(), consumer);
        name
    }

    /// Forgets a requester; replies to it vanish from now on.
    pub fn remove(&self, name: &str) {
        self.0.remove(name);
    }

    /// The requester of this name, if it still consumes.
    pub fn get(&self, name: &str) -> Option<ReplyConsumer> {
        self.0.get(name).map(|found| found.clone())
    }
}

/// Whether this is a name that [`ReplyConsumers::register`] can have made.
pub fn is_generated_name(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|opaque| {
        opaque.len() == OPAQUE_CHARACTERS
            && opaque.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}
