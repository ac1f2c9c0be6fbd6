//! The way of a message through the exchanges to the queues (behaviour reference 5.1 and 7.3 to 7.5).

use std::sync::Arc;

use super::Vhost;
use crate::broker::exchange::{Destination, ROUTING_STEPS_MAX};
use crate::broker::ids::ExchangeId;
use crate::broker::publisher::{AtOnce, Turn};
use crate::broker::queue::{NewMessage, QueueHandle};
use crate::broker::reply_to;
use crate::broker::router::{Hold, Route, RouteWalk, RoutingKeys, TooManySteps};
use crate::broker::topology::Topology;
use crate::error::AmqpError;
use crate::message::Message;
use crate::properties::Properties;
use crate::store::{LogPosition, TransactionId};
use crate::table::Value;

/// What was bound to an exchange since a message was routed there.
#[derive(Debug, Default)]
struct LateBound {
    queues: Vec<Arc<QueueHandle>>,
    exchanges: Vec<ExchangeId>,
}

/// A message was routed onwards from an exchange that had it.
pub(in crate::broker) struct RoutedOnwards {
    /// What is to be durable before anybody is told that it is safe.
    pub(in crate::broker) durable_at: LogPosition,
    /// As many messages that go to one queue take as long.
    pub(in crate::broker) worth_messages: usize,
}

impl Vhost {
    /// Where a message goes that a client publishes to this exchange, however long that takes.
    ///
    /// # Errors
    /// As [`Vhost::route_in_turn`].
    pub fn route(
        &self,
        exchange: &str,
        keys: &RoutingKeys<'_>,
        properties: Properties<'_>,
    ) -> Result<Route, AmqpError> {
        self.route_in_turn(exchange, keys, properties, &mut AtOnce)
    }

    /// Where a message goes that a client publishes to this exchange. A walk that takes long is work for `turn`.
    ///
    /// # Errors
    /// 404 when the exchange is missing, 403 when it is internal, 406 when its type refuses the message or routing would take too
    /// long.
    pub(crate) fn route_in_turn(
        &self,
        exchange: &str,
        keys: &RoutingKeys<'_>,
        properties: Properties<'_>,
        turn: &mut impl Turn,
    ) -> Result<Route, AmqpError> {
        let walk = self.read(|topology| {
            let found = topology.exchange(exchange).ok_or_else(|| self.no_exchange(exchange))?;
            // Only clients are refused; what the broker itself publishes does not come this way.
            if found.spec.internal {
                let text = format!("cannot publish to internal {}", self.exchange_text(exchange));
                return Err(AmqpError::access_refused(text));
            }
            found.routing.check_publish(properties)?;
            let mut walk = RouteWalk::new(found, keys, properties, self.node.random.next());
            walk.proceed(topology).map_err(TooManySteps::refusal)?;
            Ok(walk)
        })?;
        let mut route = match walk.is_over() {
            true => walk.into_route(),
            false => turn.work(ROUTING_STEPS_MAX, || self.walk_on(walk)).map_err(TooManySteps::refusal)?,
        };
        self.add_replies(exchange, keys, &mut route);
        Ok(route)
    }

    /// Goes on with a walk to its end. The topology is free again and again meanwhile.
    pub(in crate::broker) fn walk_on(&self, mut walk: RouteWalk<'_>) -> Result<Route, TooManySteps> {
        while !walk.is_over() {
            walk.sort();
            self.read(|topology| walk.proceed(topology))?;
        }
        Ok(walk.into_route())
    }

    /// Where a message goes that no client publishes: nobody is told if it takes too long to find out, or if there is no exchange.
    pub(super) fn route_own<'m>(&self, begin: impl FnOnce(&Topology) -> Option<RouteWalk<'m>>) -> Option<Route> {
        let walk = self.read(|topology| {
            let mut walk = begin(topology)?;
            Some(walk.proceed(topology).map(|()| walk))
        });
        walk?.and_then(|walk| self.walk_on(walk)).inspect_err(|error| self.warn_unrouted(error)).ok()
    }

    /// Direct replies: delivered while the requester is there, and vanishing silently when it is not (behaviour reference 5.10). To be
    /// called wherever a message may come to the default exchange.
    pub(super) fn add_replies(&self, exchange: &str, keys: &RoutingKeys<'_>, route: &mut Route) {
        if !exchange.is_empty() {
            return;
        }
        let names = keys.iter().filter_map(|key| std::str::from_utf8(key).ok());
        for name in names.filter(|name| reply_to::is_generated_name(name)) {
            route.replies.extend(self.node.replies.get(name));
            route.taken = true;
            // Requesters come and go without a change of the topology.
            route.by_key_alone = false;
        }
        route.replies.sort_unstable_by_key(|reply| reply.consumer);
        route.replies.dedup_by_key(|reply| reply.consumer);
    }

    /// Gives a message to exchanges that keep messages. What is to be durable before anybody is told that it is safe.
    pub fn hold(&self, holds: &[Hold], message: &NewMessage, transaction: TransactionId, now_ms: u64) -> LogPosition {
        let mut position = LogPosition::START;
        for hold in holds {
            match *hold {
                Hold::Remember { exchange, bindings_made } => {
                    let late = self.remember(exchange, bindings_made, &message.message);
                    position = position.and(self.publish_late(late, message, transaction, now_ms));
                }
                Hold::Delay { exchange, delay_ms } => {
                    let message = with_delay_served(message, delay_ms);
                    let due_ms = now_ms.saturating_add(delay_ms);
                    position = position.and(self.delayed.hold(due_ms, exchange, message, transaction));
                }
            }
        }
        position
    }

    /// Has an exchange remember a message. Returns what was bound since the message was routed, which is not on its route.
    fn remember(&self, exchange: ExchangeId, bindings_made: u64, message: &Message) -> LateBound {
        self.read(|topology| {
            let mut late = LateBound::default();
            // It may be gone since the route was found.
            let Some(exchange) = topology.exchange_by_id(exchange) else { return late };
            exchange.routing.published(message);
            // Before the topology is free again: who binds from then on has the message with the history.
            for destination in exchange.routing.bound_since(bindings_made) {
                match destination {
                    Destination::Queue(id) => late.queues.extend(topology.queue_by_id(id).cloned()),
                    Destination::Exchange(id) => late.exchanges.push(id),
                }
            }
            late
        })
    }

    /// Publishes a message to what was bound while it was on its way, as if it had been in the history already.
    fn publish_late(&self, late: LateBound, new: &NewMessage, transaction: TransactionId, now_ms: u64) -> LogPosition {
        let mut position = LogPosition::START;
        for queue in late.queues {
            position = position.and(queue.publish([new.clone()], transaction, now_ms, |_| {}));
        }
        for exchange in late.exchanges {
            position = position.and(self.publish_delayed(exchange, new, transaction, now_ms).durable_at);
        }
        position
    }

    /// Routes a message onwards from an exchange that held it back.
    pub(in crate::broker) fn publish_delayed(
        &self,
        exchange: ExchangeId,
        new: &NewMessage,
        transaction: TransactionId,
        now_ms: u64,
    ) -> RoutedOnwards {
        let message = new.message.clone();
        let keys = RoutingKeys::of(&message);
        let random = self.node.random.next();
        let route = self.route_own(|topology| {
            let exchange = topology.exchange_by_id(exchange)?;
            Some(RouteWalk::new(exchange, &keys, message.properties(), random).ignoring_delays())
        });
        let Some(route) = route else { return RoutedOnwards { durable_at: LogPosition::START, worth_messages: 1 } };
        let mut durable_at = self.hold(&route.holds, new, transaction, now_ms);
        for queue in &route.queues {
            durable_at = durable_at.and(queue.publish([new.clone()], transaction, now_ms, |_| {}));
        }
        RoutedOnwards { durable_at, worth_messages: route.worth_messages() }
    }

    /// There is no client that could be told.
    fn warn_unrouted(&self, error: &TooManySteps) {
        tracing::warn!(vhost = %self.name, %error, "a message of the broker itself is not routed");
    }

    /// Publishes to all queues of a route, leaving the publishing of dead letters to the caller; whether any queue took it.
    pub(super) fn publish_deferred(
        &self,
        queues: &[Arc<QueueHandle>],
        new: &NewMessage,
        transaction: TransactionId,
        now_ms: u64,
        with_dead_letters: &mut Vec<Arc<QueueHandle>>,
    ) -> bool {
        let mut is_taken = false;
        for queue in queues {
            let mut refused = false;
            queue.publish_deferred([new.clone()], None, transaction, now_ms, |_| refused = true, with_dead_letters);
            is_taken |= !refused;
        }
        is_taken
    }
}

impl<'a> RoutingKeys<'a> {
    /// The routing keys of a message that is in the broker already.
    pub(in crate::broker) fn of(message: &'a Message) -> Self {
        if message.facts().ignores_copies {
            Self::single(message.routing_key())
        } else {
            Self::with_copies(message.routing_key(), message.properties())
        }
    }
}

/// Turns the sign of `x-delay`, so that no other delayed exchange on the way delays the message again.
fn with_delay_served(new: &NewMessage, delay_ms: u64) -> NewMessage {
    let served = i64::try_from(delay_ms).unwrap_or(i64::MAX).wrapping_neg();
    // As a client would have sent it: four bytes if they are enough.
    let value = i32::try_from(served).map_or(Value::I64(served), Value::I32);
    let properties = new.message.properties().edit().set_header("x-delay", &value).build();
    let message = new.message.with_properties(new.message.facts(), &properties);
    NewMessage { message, ..new.clone() }
}
