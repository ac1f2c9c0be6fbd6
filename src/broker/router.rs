//! Where a message goes: from an exchange along exchange-to-exchange bindings and alternate exchanges to queues, each queue once.

mod explained;
mod keys;

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::exchange::{Destination, Matches, ROUTING_STEPS_MAX, RoutedMessage};
use super::ids::{ExchangeId, QueueId};
use super::queue::QueueHandle;
use super::reply_to::ReplyConsumer;
use super::topology::{Exchange, Topology};
use crate::metrics::ExchangeCounters;
use crate::properties::Properties;

pub(crate) use explained::{Explained, ExplainedBinding};
pub use keys::RoutingKeys;

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

/// The exchanges that were visited.
#[derive(Debug, Default)]
struct Visited {
    /// The first ones, which are nearly always all.
    few: SmallVec<[ExchangeId; VISITED_SCANNED_MAX]>,
    /// Those that `few` has no room for.
    more: FxHashSet<ExchangeId>,
}

/// Up to this many exchanges a scan beats a hash set.
const VISITED_SCANNED_MAX: usize = 8;

impl Visited {
    /// Whether it was not there before.
    fn insert(&mut self, id: ExchangeId) -> bool {
        if self.few.contains(&id) {
            return false;
        }
        if self.few.len() < VISITED_SCANNED_MAX {
            self.few.push(id);
            return true;
        }
        self.more.insert(id)
    }
}

/// A walk through the topology for one message.
#[derive(Debug)]
pub(crate) struct RouteWalk<'t, 'm> {
    topology: &'t Topology,
    publish: RoutedMessage<'m>,
    /// Delayed messages that are due are routed at once.
    ignore_delays: bool,
    visited: Visited,
    pending: SmallVec<[ExchangeId; 4]>,
    matches: Matches,
    queues: SmallVec<[QueueId; 4]>,
    route: Route,
}

impl<'t, 'm> RouteWalk<'t, 'm> {
    /// A walk that has not begun.
    pub(crate) fn new(
        topology: &'t Topology,
        keys: &'m RoutingKeys<'m>,
        properties: Properties<'m>,
        random: u64,
    ) -> Self {
        Self {
            topology,
            publish: RoutedMessage::new(keys, properties, random),
            ignore_delays: false,
            visited: Visited::default(),
            pending: SmallVec::new(),
            matches: Matches::default(),
            queues: SmallVec::new(),
            route: Route { by_key_alone: !keys.has_copies(), ..Route::default() },
        }
    }

    /// Routes delayed messages at once.
    #[must_use]
    pub(crate) fn ignoring_delays(mut self) -> Self {
        self.ignore_delays = true;
        self
    }

    /// Routes from one exchange.
    ///
    /// # Errors
    /// [`TooManySteps`]: the topology would be locked for too long.
    pub(crate) fn from(mut self, exchange: &Exchange) -> Result<Route, TooManySteps> {
        self.route.counters = Some(Arc::clone(&exchange.counters));
        self.pending.push(exchange.id);
        self.visit_pending()?;
        self.route.effort = self.matches.spent() + self.queues.len();
        // Several bindings may lead to one queue, which gets one copy.
        self.queues.sort_unstable();
        self.queues.dedup();
        for id in &self.queues {
            if let Some(queue) = self.topology.queue_by_id(*id) {
                self.route.durable |= queue.spec.durable;
                self.route.keeps_all |= queue.spec.arguments.kind.rules().keeps_all;
                self.route.queues.push(Arc::clone(queue));
            }
        }
        Ok(self.route)
    }

    fn visit_pending(&mut self) -> Result<(), TooManySteps> {
        while let Some(id) = self.pending.pop() {
            // Exchanges may be bound in a circle.
            if self.visited.insert(id)
                && let Some(exchange) = self.topology.exchange_by_id(id)
            {
                self.matches.spend(1);
                self.visit(exchange);
                if self.matches.is_exhausted() {
                    return Err(TooManySteps);
                }
            }
        }
        Ok(())
    }

    fn visit(&mut self, exchange: &Exchange) {
        // Its bindings are not stored: the name of a queue is its key.
        if exchange.spec.name.is_empty() {
            self.visit_default();
            return;
        }
        // One exchange on the way that looks at more than the key is enough.
        self.route.by_key_alone &= exchange.routing.routes_by_key_alone();
        if !self.ignore_delays
            && let Some(delay_ms) = exchange.routing.delay_ms(&self.publish)
        {
            self.route.holds.push(Hold::Delay { exchange: exchange.id, delay_ms });
            // It is held, so it is not unroutable, whatever becomes of it later.
            self.route.taken = true;
            return;
        }
        if let Some(bindings_made) = exchange.routing.remembers() {
            self.route.holds.push(Hold::Remember { exchange: exchange.id, bindings_made });
        }
        exchange.routing.route(&self.publish, &mut self.matches);
        // Asked of each exchange on the way, and not once at the end (behaviour reference 3.4).
        if self.matches.destinations.is_empty() {
            self.visit_alternate(exchange);
        }
        for destination in self.matches.destinations.drain(..) {
            match destination {
                Destination::Queue(id) => self.queues.push(id),
                Destination::Exchange(id) => self.pending.push(id),
            }
        }
    }

    /// The default exchange routes to the queue that has the key for its name.
    fn visit_default(&mut self) {
        for key in self.publish.keys.iter() {
            let queue = std::str::from_utf8(key).ok().and_then(|name| self.topology.queue(name));
            self.queues.extend(queue.map(|queue| queue.id));
        }
    }

    fn visit_alternate(&mut self, exchange: &Exchange) {
        // An alternate of "" never routes (behaviour reference 3.4).
        let Some(name) = exchange.alternate().filter(|name| !name.is_empty()) else { return };
        if let Some(alternate) = self.topology.exchange(name) {
            self.pending.push(alternate.id);
        }
    }
}

#[cfg(test)]
mod tests;
