//! The exchanges that only the broker publishes to, and who listens there.

use std::sync::atomic::Ordering;

use super::Vhost;
use crate::broker::own::{EVENT_EXCHANGE, LOG_EXCHANGE, TRACE_EXCHANGE};
use crate::broker::publisher::{Turn, facts};
use crate::broker::queue::NewMessage;
use crate::broker::router::{Route, RouteWalk, RoutingKeys};
use crate::broker::topology::Topology;
use crate::message::{Message, address};
use crate::properties::Properties;
use crate::store::TransactionId;

/// The virtual host is to be traced.
const TRACED: u8 = 1;
/// Something is bound to its trace exchange.
const LISTENED_TO: u8 = 2;

/// A message of the broker's own that goes to one queue takes as long as so many of the things that a [`Turn`] counts: it is made,
/// routed and published alone.
const THINGS_PER_MESSAGE: usize = 16;

impl Vhost {
    /// Whether messages are to be shown that are published or delivered. Asked once for many of them.
    #[inline]
    pub(crate) fn is_traced(&self) -> bool {
        self.tracing.load(Ordering::Relaxed) == TRACED | LISTENED_TO
    }

    /// Notes whether it is to be traced.
    pub(in crate::broker) fn set_tracing(&self, is_traced: bool) {
        self.set_trace_bit(TRACED, is_traced);
    }

    fn set_trace_bit(&self, bit: u8, is_set: bool) {
        if is_set {
            self.tracing.fetch_or(bit, Ordering::Relaxed);
        } else {
            self.tracing.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Notes whether anything is bound to the exchanges that only the broker publishes to.
    pub(super) fn note_listeners(&self, topology: &Topology) {
        let is_bound = |name: &str| topology.exchange(name).is_some_and(|exchange| exchange.binding_count() > 0);
        self.set_trace_bit(LISTENED_TO, is_bound(TRACE_EXCHANGE));
        if self.is_of_own_messages() {
            self.node.own_messages.set_wanted(is_bound(EVENT_EXCHANGE), is_bound(LOG_EXCHANGE));
        }
    }

    /// Whether events and lines of the log go to this virtual host.
    pub(super) fn is_of_own_messages(&self) -> bool {
        *self.name == *self.node.settings.own_vhost
    }

    /// Publishes a message of the broker's own: to where it gets, and nobody is told. Nothing may be locked. As many messages that go
    /// to one queue take as long as this one.
    pub(in crate::broker) fn publish_own(
        &self,
        exchange: &str,
        routing_key: &[u8],
        properties: &[u8],
        body: &[u8],
        now_ms: u64,
        turn: &mut impl Turn,
    ) -> usize {
        let keys = RoutingKeys::single(routing_key);
        let fields = Properties::new(properties);
        let random = self.node.random.next();
        let route =
            self.route_own(|topology| Some(RouteWalk::new(topology.exchange(exchange)?, &keys, fields, random)));
        let worth_messages = route.as_ref().map_or(1, Route::worth_messages);
        turn.work(worth_messages * THINGS_PER_MESSAGE, || {
            let Some(route) = route.filter(|route| !route.is_unroutable()) else { return };
            let (facts, address) = (facts(&fields.summary()), address(exchange, routing_key));
            self.send_own(&route, Message::standalone(&self.node.memory, facts, &address, properties, body), now_ms);
        });
        worth_messages
    }

    fn send_own(&self, route: &Route, message: Message, now_ms: u64) {
        route.count(1);
        let new = NewMessage::published(message, None);
        self.hold(&route.holds, &new, TransactionId::NONE, now_ms);
        for queue in &route.queues {
            queue.publish([new.clone()], TransactionId::NONE, now_ms, |_| {});
        }
    }
}
