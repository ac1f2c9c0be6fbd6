//! Sending messages on that were taken out of a queue by choice: to another queue, or to an exchange.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Vhost;
use crate::broker::ids::ChannelId;
use crate::broker::queue::{Choice, ChosenMessage, NewMessage, QueueHandle};
use crate::broker::router::RoutingKeys;
use crate::message::{Message, address};
use crate::properties::parse_expiration;
use crate::store::{LogPosition, LogTransaction};

/// Where a message is to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForwardTo {
    /// The exchange; empty to go to the queue that the key names.
    pub(crate) exchange: String,
    pub(crate) routing_key: Vec<u8>,
}

impl ForwardTo {
    /// To a queue.
    pub fn queue(name: &str) -> Self {
        Self { exchange: String::new(), routing_key: name.into() }
    }
}

/// What became of chosen messages.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// Those that are elsewhere now.
    pub moved: Vec<u64>,
    /// Those that no queue took: they are where they were.
    pub(crate) refused: Vec<u64>,
    /// What must be durable before anybody is told.
    pub(crate) position: LogPosition,
}

impl Vhost {
    /// Sends chosen messages of a queue on. Each one is in one transaction: whenever the broker dies, it is in the queue or where it
    /// went. What cannot be sent is put back.
    pub fn forward(
        &self,
        source: &Arc<QueueHandle>,
        chosen: &[Choice],
        target: impl Fn(u64, &Message) -> Option<ForwardTo>,
        now_ms: u64,
    ) -> Forwarded {
        let channel = ChannelId(self.node.ids.fresh());
        let mut forwarded = Forwarded { position: LogPosition::START, ..Forwarded::default() };
        let mut taken = source.take_chosen(chosen, channel, now_ms);
        let places: FxHashMap<_, _> = chosen.iter().enumerate().map(|(place, choice)| (choice.id, place)).collect();
        // In the order in which they were chosen, which need not be that of the queue.
        taken.sort_by_key(|taken| places.get(&taken.id).copied());
        let mut refused = Vec::new();
        for taken in taken {
            let to = target(taken.id, &taken.message);
            match to.and_then(|to| self.forward_one(source, &taken, &to, now_ms)) {
                Some(position) => {
                    forwarded.position = forwarded.position.and(position);
                    forwarded.moved.push(taken.id);
                }
                None => {
                    forwarded.refused.push(taken.id);
                    refused.push(taken.token);
                }
            }
        }
        source.return_chosen(&refused, now_ms);
        self.node.check_memory();
        forwarded
    }

    /// `None` when no queue takes it.
    fn forward_one(
        &self,
        source: &Arc<QueueHandle>,
        taken: &ChosenMessage,
        to: &ForwardTo,
        now_ms: u64,
    ) -> Option<LogPosition> {
        let message = self.forwarded_message(&taken.message, to);
        let route = self.route(&to.exchange, &RoutingKeys::of(&message), message.properties()).ok()?;
        if route.is_unroutable() {
            return None;
        }
        let expiration_ms = message.properties().expiration().and_then(|text| parse_expiration(text).ok());
        let new = NewMessage { message, expiration_ms, failed: 0 };
        let transaction = LogTransaction::begin(&*self.node.log);
        self.hold(&route.holds, &new, transaction.id(), now_ms);
        let mut is_taken = route.taken;
        for queue in &route.queues {
            let mut refused = false;
            queue.publish([new.clone()], transaction.id(), now_ms, |_| refused = true);
            is_taken |= !refused;
        }
        // Without a commit nothing of this transaction ever happened.
        if !is_taken {
            return None;
        }
        for reply in &route.replies {
            reply.deliver(new.message.clone());
        }
        // In the same transaction: it is in one place, whenever the broker dies.
        source.finish_chosen(&[taken.token], transaction.id(), now_ms);
        Some(transaction.commit())
    }

    /// The message as it is published anew: copies that its headers ask for were sent when it came.
    fn forwarded_message(&self, message: &Message, to: &ForwardTo) -> Message {
        let mut facts = message.facts();
        facts.ignores_copies = true;
        let address = address(&to.exchange, &to.routing_key);
        Message::standalone(&self.node.memory, facts, &address, message.property_bytes(), message.body())
    }
}
