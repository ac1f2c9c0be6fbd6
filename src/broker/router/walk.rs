//! The walk of one message through the topology.
//!
//! It is made in steps, between which the topology is not locked: a client chooses how many exchanges, bindings and queues there are,
//! and nobody is to wait for its messages. What changes between two steps, the message may meet as it was before or as it is
//! thereafter. Nearly all walks take one step.
//!
//! ```text
//! Visiting ──▶ Found ──▶ Resolving ──▶ over
//! exchanges    queues    the queues
//! (locked)     sorted    (locked)
//! ```

use std::sync::Arc;

use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::{Hold, Route, RoutingKeys, TooManySteps};
use crate::broker::exchange::{Destination, Matches, RoutedMessage};
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::topology::{Exchange, Topology};
use crate::properties::Properties;

/// So much is looked at under one lock: about a millisecond's work.
pub(super) const LOOKED_AT_ONCE: usize = 4096;
/// So many destinations take as long as one comparison.
const DESTINATIONS_PER_STEP: usize = 32;
/// So many queues are looked up under one lock.
const RESOLVED_AT_ONCE: usize = 1024;

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

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Visiting,
    /// All exchanges were visited; the queues are to be sorted, for which nothing need be locked.
    Found,
    /// The queues from this one on are to be looked up.
    Resolving(usize),
}

/// A walk through the topology for one message.
#[derive(Debug)]
pub(crate) struct RouteWalk<'m> {
    publish: RoutedMessage<'m>,
    /// Delayed messages that are due are routed at once.
    ignore_delays: bool,
    stage: Stage,
    visited: Visited,
    pending: SmallVec<[ExchangeId; 4]>,
    /// The exchange that was not done in one step.
    unfinished: Option<ExchangeId>,
    matches: Matches,
    queues: SmallVec<[QueueId; 4]>,
    route: Route,
}

impl<'m> RouteWalk<'m> {
    /// A walk that begins at an exchange. [`RouteWalk::proceed`] must follow until it is over.
    pub(crate) fn new(exchange: &Exchange, keys: &'m RoutingKeys<'m>, properties: Properties<'m>, random: u64) -> Self {
        let counters = Some(Arc::clone(&exchange.counters));
        Self {
            publish: RoutedMessage::new(keys, properties, random),
            ignore_delays: false,
            stage: Stage::Visiting,
            visited: Visited::default(),
            pending: SmallVec::from_iter([exchange.id]),
            unfinished: None,
            matches: Matches::default(),
            queues: SmallVec::new(),
            route: Route { by_key_alone: !keys.has_copies(), counters, ..Route::default() },
        }
    }

    /// Routes delayed messages at once.
    #[must_use]
    pub(crate) fn ignoring_delays(mut self) -> Self {
        self.ignore_delays = true;
        self
    }

    /// Whether the route is found.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Resolving(next) if next >= self.queues.len())
    }

    /// The route that was found.
    pub(crate) fn into_route(self) -> Route {
        debug_assert!(self.is_over(), "a walk that is not over has no route");
        self.route
    }

    /// How many exchanges the message came to.
    #[cfg(test)]
    pub(super) fn visited(&self) -> usize {
        self.visited.few.len() + self.visited.more.len()
    }

    /// Sorts what was found, if that is what is to be done. Nothing should be locked.
    pub(crate) fn sort(&mut self) {
        if self.stage == Stage::Found {
            self.route.effort = self.matches.spent() + self.queues.len();
            // Several bindings may lead to one queue, which gets one copy.
            self.queues.sort_unstable();
            self.queues.dedup();
            self.stage = Stage::Resolving(0);
        }
    }

    /// Goes on for a while.
    ///
    /// # Errors
    /// [`TooManySteps`]: all in all it takes too long.
    pub(crate) fn proceed(&mut self, topology: &Topology) -> Result<(), TooManySteps> {
        if self.stage == Stage::Visiting {
            self.visit_pending(topology)?;
            if self.stage == Stage::Visiting || self.queues.len() > RESOLVED_AT_ONCE {
                return Ok(());
            }
            self.sort();
        }
        if let Stage::Resolving(next) = self.stage {
            let end = self.queues.len().min(next + RESOLVED_AT_ONCE);
            self.resolve(topology, next, end);
            self.stage = Stage::Resolving(end);
        }
        Ok(())
    }

    /// Looks up queues. One that is gone meanwhile is passed over.
    fn resolve(&mut self, topology: &Topology, next: usize, end: usize) {
        for id in self.queues.get(next..end).unwrap_or_default() {
            if let Some(queue) = topology.queue_by_id(*id) {
                self.route.durable |= queue.spec.durable;
                self.route.keeps_all |= queue.spec.arguments.kind.rules().keeps_all;
                self.route.queues.push(Arc::clone(queue));
            }
        }
    }

    fn visit_pending(&mut self, topology: &Topology) -> Result<(), TooManySteps> {
        self.matches.begin_step(LOOKED_AT_ONCE);
        if let Some(id) = self.unfinished.take() {
            match topology.exchange_by_id(id) {
                Some(exchange) => self.route_on(topology, exchange),
                None => self.take_destinations(),
            }
        }
        while !self.matches.is_step_over() {
            let Some(id) = self.pending.pop() else {
                self.stage = Stage::Found;
                break;
            };
            // Exchanges may be bound in a circle.
            if self.visited.insert(id)
                && let Some(exchange) = topology.exchange_by_id(id)
            {
                self.matches.spend(1);
                self.visit(topology, exchange);
            }
        }
        if self.matches.is_exhausted() { Err(TooManySteps) } else { Ok(()) }
    }

    fn visit(&mut self, topology: &Topology, exchange: &Exchange) {
        // Its bindings are not stored: the name of a queue is its key.
        if exchange.spec.name.is_empty() {
            self.visit_default(topology);
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
        self.route_on(topology, exchange);
    }

    /// Has an exchange route the message, or go on with it.
    fn route_on(&mut self, topology: &Topology, exchange: &Exchange) {
        exchange.routing.route(&self.publish, &mut self.matches);
        if self.matches.is_unfinished() {
            self.unfinished = Some(exchange.id);
            return;
        }
        // Asked of each exchange on the way, and not once at the end (behaviour reference 3.4).
        if self.matches.destinations.is_empty() {
            self.visit_alternate(topology, exchange);
        }
        self.take_destinations();
    }

    fn take_destinations(&mut self) {
        // A fan-out to very many is a few bytes for each of them, until they are looked up.
        self.matches.spend(self.matches.destinations.len() / DESTINATIONS_PER_STEP);
        for destination in self.matches.destinations.drain(..) {
            match destination {
                Destination::Queue(id) => self.queues.push(id),
                Destination::Exchange(id) => self.pending.push(id),
            }
        }
    }

    /// The default exchange routes to the queue that has the key for its name.
    fn visit_default(&mut self, topology: &Topology) {
        for key in self.publish.keys.iter() {
            let queue = std::str::from_utf8(key).ok().and_then(|name| topology.queue(name));
            self.queues.extend(queue.map(|queue| queue.id));
        }
    }

    fn visit_alternate(&mut self, topology: &Topology, exchange: &Exchange) {
        // An alternate of "" never routes (behaviour reference 3.4).
        let Some(name) = exchange.alternate().filter(|name| !name.is_empty()) else { return };
        if let Some(alternate) = topology.exchange(name) {
            self.pending.push(alternate.id);
        }
    }
}
