//! Where dead letters go (behaviour reference 6.2 and 6.4).

use std::sync::Arc;

use super::Vhost;
use crate::broker::death::Deaths;
use crate::broker::queue::{DeadLetter, NewMessage, QueueHandle};
use crate::broker::router::{Route, RouteWalk, RoutingKeys};
use crate::message::{Message, address};
use crate::store::LogTransaction;

impl Vhost {
    /// Publishes a dead letter of this queue: as how many messages that go to one queue that counts. Queues that have dead letters of
    /// their own thereafter are added to `with_dead_letters`.
    pub(in crate::broker) fn publish_dead_letter(
        &self,
        queue: &Arc<QueueHandle>,
        letter: &DeadLetter,
        now_ms: u64,
        with_dead_letters: &mut Vec<Arc<QueueHandle>>,
    ) -> usize {
        let exchange = &*letter.target.exchange;
        let of_clients = self.node.settings.profile().client_deaths;
        let deaths = Deaths::after(&letter.message, &queue.spec.name, letter.reason, of_clients, now_ms);
        let message = self.dead_letter_message(letter, &deaths);
        // No such exchange: for a queue that promises delivery it may come later.
        let Some(route) = self.route_dead_letter(exchange, &message) else {
            queue.keep_unrouted(now_ms);
            return 1;
        };
        let targets: Vec<_> =
            route.queues.iter().filter(|target| !deaths.is_cycle(&target.spec.name)).cloned().collect();
        // `expiration` goes with the first death, or it would expire again at once (behaviour reference 6.2).
        let new = NewMessage { message, expiration_ms: None, failed: letter.failed };
        // One transaction: the message is in one queue or in the other, whenever the broker dies.
        let transaction = LogTransaction::begin(&*self.node.log);
        self.hold(&route.holds, &new, transaction.id(), now_ms);
        for reply in &route.replies {
            reply.deliver(new.message.clone());
        }
        let is_taken = self.publish_deferred(&targets, &new, transaction.id(), now_ms, with_dead_letters);
        if route.queues.is_empty() && !route.taken {
            tracing::debug!(target: "queue", vhost = %self.name, queue = %queue.spec.name, exchange, "a message is dead-lettered into nothing: no queue is bound for it");
        }
        // A cycle is dropped on purpose; what no queue took is kept by queues that promise delivery.
        let owed = if !is_taken && targets.len() == route.queues.len() && !route.taken {
            queue.keep_unrouted(now_ms);
            None
        } else {
            queue.dead_letter_published(transaction.id())
        };
        // Behind both halves. `owed` ends only then, so that the log tells of nothing later before it has this.
        transaction.commit();
        drop(owed);
        route.worth_messages()
    }

    /// The message as it is published to the dead letter exchange.
    fn dead_letter_message(&self, letter: &DeadLetter, deaths: &Deaths<'_>) -> Message {
        let (message, exchange) = (&letter.message, &*letter.target.exchange);
        let override_key = letter.target.routing_key.as_deref();
        let routing_key = override_key.unwrap_or_else(|| message.routing_key());
        let mut facts = message.facts();
        facts.dead_lettered = true;
        // With a key of its own, CC and BCC are not used for routing any more (behaviour reference 6.2).
        facts.ignores_copies |= override_key.is_some();
        let properties = deaths.write(message);
        Message::standalone(&self.node.memory, facts, &address(exchange, routing_key), &properties, message.body())
    }

    /// Internal: neither permissions nor the `internal` flag of the exchange matter.
    fn route_dead_letter(&self, exchange: &str, message: &Message) -> Option<Route> {
        let keys = RoutingKeys::of(message);
        let random = self.node.random.next();
        let mut route = self.route_own(|topology| {
            Some(RouteWalk::new(topology.exchange(exchange)?, &keys, message.properties(), random))
        })?;
        self.add_replies(exchange, &keys, &mut route);
        Some(route)
    }
}
