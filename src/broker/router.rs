//! Where a message goes: from an exchange along exchange-to-exchange bindings and alternate exchanges to queues, each queue once.

use smallvec::SmallVec;
use std::sync::Arc;

use super::exchange::{Destination, Publish};
use super::ids::{ExchangeId, QueueId};
use super::queue::QueueHandle;
use super::queue::arguments::QueueKind;
use super::reply_to::ReplyConsumer;
use super::topology::{Exchange, Topology};
use crate::properties::Properties;
use crate::table::ValueRef;

/// What routing one message found. The answer for an exchange and a key can be used again while the topology's epoch stays
/// the same and [`Route::by_key_alone`] holds.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// The queues, each once.
    pub queues: SmallVec<[Arc<QueueHandle>; 1]>,
    /// The requester that the message is a reply for.
    pub reply: Option<ReplyConsumer>,
    /// Exchanges that want the message itself.
    pub holds: SmallVec<[Hold; 0]>,
    /// The message has a taker other than a queue, so that it is not returned as unroutable.
    pub taken: bool,
    /// Nothing but the exchange and the key decided.
    pub by_key_alone: bool,
    /// Some queue keeps persistent messages over a restart.
    pub durable: bool,
    /// Some queue keeps all messages over a restart.
    pub keeps_all: bool,
}

impl Route {
    /// Whether a message of this durability goes to the log.
    pub fn stores(&self, is_persistent: bool) -> bool {
        self.keeps_all || is_persistent && self.durable
    }

    /// Whether `mandatory` returns the message.
    pub fn is_unroutable(&self) -> bool {
        self.queues.is_empty() && !self.taken
    }
}

/// An exchange that keeps messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// `x-recent-history` remembers it.
    Remember(ExchangeId),
    /// `x-delayed-message` holds it back.
    Delay {
        /// The exchange that routes it later.
        exchange: ExchangeId,
        /// For how long.
        delay_ms: u64,
    },
}

/// The routing keys of a message: its own, and those of the CC and BCC headers (behaviour reference 5.1).
#[derive(Clone, Debug)]
pub struct RoutingKeys<'a> {
    own: &'a [u8],
    copies: Vec<&'a [u8]>,
}

impl<'a> RoutingKeys<'a> {
    /// One key alone.
    pub const fn single(routing_key: &'a [u8]) -> Self {
        Self { own: routing_key, copies: Vec::new() }
    }

    /// The own key and those of the headers. Elements that are no strings are ignored.
    pub fn with_copies(routing_key: &'a [u8], properties: Properties<'a>) -> Self {
        let mut keys = Self::single(routing_key);
        let Some(headers) = properties.headers() else { return keys };
        for name in ["CC", "BCC"] {
            if let Some(ValueRef::Array(copies)) = headers.get(name) {
                keys.copies.extend(copies.iter().filter_map(|copy| copy.as_bytes()));
            }
        }
        keys
    }

    /// The message's own key.
    pub const fn own(&self) -> &'a [u8] {
        self.own
    }

    /// Whether headers add keys.
    pub const fn has_copies(&self) -> bool {
        !self.copies.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        std::iter::once(self.own).chain(self.copies.iter().copied())
    }
}

/// A walk through the topology for one message.
#[derive(Debug)]
pub struct Walk<'t, 'm> {
    topology: &'t Topology,
    keys: &'m RoutingKeys<'m>,
    properties: Properties<'m>,
    random: u64,
    /// Delayed messages that are due are routed at once.
    ignore_delays: bool,
    visited: SmallVec<[ExchangeId; 4]>,
    pending: SmallVec<[ExchangeId; 4]>,
    found: Vec<Destination>,
    queues: SmallVec<[QueueId; 4]>,
    route: Route,
}

impl<'t, 'm> Walk<'t, 'm> {
    /// A walk that has not begun.
    pub fn new(topology: &'t Topology, keys: &'m RoutingKeys<'m>, properties: Properties<'m>, random: u64) -> Self {
        Self {
            topology,
            keys,
            properties,
            random,
            ignore_delays: false,
            visited: SmallVec::new(),
            pending: SmallVec::new(),
            found: Vec::new(),
            queues: SmallVec::new(),
            route: Route { by_key_alone: !keys.has_copies(), ..Route::default() },
        }
    }

    /// Routes delayed messages at once.
    #[must_use]
    pub fn ignoring_delays(mut self) -> Self {
        self.ignore_delays = true;
        self
    }

    /// Routes from one exchange.
    pub fn from(mut self, exchange: &Exchange) -> Route {
        self.pending.push(exchange.id);
        while let Some(id) = self.pending.pop() {
            if !self.visited.contains(&id) {
                self.visited.push(id);
                if let Some(exchange) = self.topology.exchange_by_id(id) {
                    self.visit(exchange);
                }
            }
        }
        self.queues.sort_unstable();
        self.queues.dedup();
        for id in &self.queues {
            if let Some(queue) = self.topology.queue_by_id(*id) {
                self.route.durable |= queue.spec.durable;
                self.route.keeps_all |= queue.spec.arguments.kind == QueueKind::Quorum;
                self.route.queues.push(Arc::clone(queue));
            }
        }
        self.route
    }

    fn visit(&mut self, exchange: &Exchange) {
        if exchange.spec.name.is_empty() {
            self.visit_default();
            return;
        }
        self.route.by_key_alone &= exchange.routing.routes_by_key_alone();
        let first = Publish { routing_key: self.keys.own(), properties: self.properties, random: self.random };
        if !self.ignore_delays
            && let Some(delay_ms) = exchange.routing.delay_ms(&first)
        {
            self.route.holds.push(Hold::Delay { exchange: exchange.id, delay_ms });
            self.route.taken = true;
            return;
        }
        if exchange.routing.remembers() {
            self.route.holds.push(Hold::Remember(exchange.id));
        }
        for routing_key in self.keys.iter() {
            exchange.routing.route(&Publish { routing_key, ..first }, &mut self.found);
        }
        if self.found.is_empty() {
            self.visit_alternate(exchange);
        }
        for destination in self.found.drain(..) {
            match destination {
                Destination::Queue(id) => self.queues.push(id),
                Destination::Exchange(id) => self.pending.push(id),
            }
        }
    }

    /// The default exchange routes to the queue that has the key for its name.
    fn visit_default(&mut self) {
        for key in self.keys.iter() {
            let queue = std::str::from_utf8(key).ok().and_then(|name| self.topology.queue(name));
            self.queues.extend(queue.map(|queue| queue.id));
        }
    }

    fn visit_alternate(&mut self, exchange: &Exchange) {
        // An alternate of "" never routes (behaviour reference 3.4).
        let Some(name) = exchange.spec.alternate.as_ref().filter(|name| !name.is_empty()) else { return };
        if let Some(alternate) = self.topology.exchange(name) {
            self.pending.push(alternate.id);
        }
    }
}
