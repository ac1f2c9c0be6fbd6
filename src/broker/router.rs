//! Where a message goes: from an exchange along exchange-to-exchange bindings and alternate exchanges to queues, each queue once.

mod explained;
mod keys;
mod walk;

use std::sync::Arc;

use smallvec::SmallVec;

use super::exchange::ROUTING_STEPS_MAX;
use super::ids::ExchangeId;
use super::queue::QueueHandle;
use super::reply_to::ReplyConsumer;
use crate::error::AmqpError;
use crate::metrics::ExchangeCounters;

pub(crate) use explained::{Explained, ExplainedBinding};
pub use keys::RoutingKeys;
pub(crate) use walk::RouteWalk;

/// What routing one message found. The answer for an exchange and a key can be used again while the topology's epoch stays
/// the same and [`Route::by_key_alone`] holds.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The queues, each once.
    pub(crate) queues: SmallVec<[Arc<QueueHandle>; 1]>,
    /// The requesters that the message is a reply for, each once.
    pub(crate) replies: SmallVec<[ReplyConsumer; 0]>,
    /// Where the exchange that the message was published to counts it.
    pub(crate) counters: Option<Arc<ExchangeCounters>>,
    /// Exchanges that want the message itself.
    pub holds: SmallVec<[Hold; 0]>,
    /// The message has a taker other than a queue, so that it is not returned as unroutable.
    pub(crate) taken: bool,
    /// Nothing but the exchange and the key decided.
    pub(crate) by_key_alone: bool,
    /// Some queue keeps persistent messages over a restart.
    pub(crate) durable: bool,
    /// Some queue keeps all messages over a restart.
    pub(crate) keeps_all: bool,
    /// How many queues and bindings were looked at to find it.
    pub(crate) effort: usize,
}

/// So much effort takes as long as a message of the broker's own that goes to one queue.
const EFFORT_PER_MESSAGE: usize = 8;

impl Route {
    /// As many messages that go to one queue each take as long as one that goes this way.
    pub(crate) const fn worth_messages(&self) -> usize {
        1 + self.effort / EFFORT_PER_MESSAGE
    }

    /// Whether a message of this durability goes to the log.
    pub(crate) fn stores(&self, is_persistent: bool) -> bool {
        self.keeps_all || is_persistent && self.durable
    }

    /// Counts messages that were published this way.
    pub(crate) fn count(&self, messages: usize) {
        if let Some(counters) = &self.counters {
            counters.publish_in.add(messages as u64);
            counters.publish_out.add((messages * self.queues.len()) as u64);
        }
    }

    /// Whether `mandatory` returns the message.
    pub(crate) fn is_unroutable(&self) -> bool {
        self.queues.is_empty() && !self.taken
    }
}

/// An exchange that keeps messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `x-recent-history` remembers it.
    Remember {
        /// Where it was routed. It may be gone when the message is published.
        exchange: ExchangeId,
        /// How many bindings had been added to it when the message was routed.
        bindings_made: u64,
    },
    /// `x-delayed-message` holds it back.
    Delay {
        /// The exchange that routes it later.
        exchange: ExchangeId,
        /// For how long.
        delay_ms: u64,
    },
}

/// A message would take too long to route: very many keys, exchanges, or bindings with wildcards come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("routing would take more than {ROUTING_STEPS_MAX} comparisons of routing keys and bindings")]
pub(crate) struct TooManySteps;

impl TooManySteps {
    /// What a client is told.
    pub(crate) fn refusal(self) -> AmqpError {
        AmqpError::precondition_failed(self.to_string())
    }
}

#[cfg(test)]
mod tests;
