//! Bindings of queues and exchanges to exchanges (behaviour reference 3.5 and 4.3).

use super::{Vhost, limits, refuse_default_exchange};
use crate::broker::exchange::{Binding, Destination, DestinationKind, History};
use crate::broker::ids::ConnectionId;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{NewMessage, QueueHandle};
use crate::broker::topology::{Removal, Topology, cost};
use crate::error::AmqpError;
use crate::store::TransactionId;
use crate::table::Table;

use std::sync::Arc;

impl Vhost {
    /// Binds a queue to an exchange; a binding that exists stays.
    ///
    /// # Errors
    /// 403 for the default exchange, 404 when either is missing, 405 for another connection's queue, 406 when the exchange's type
    /// refuses the binding.
    pub fn bind_queue(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &[u8],
        arguments: Table,
        connection: ConnectionId,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        refuse_default_exchange(exchange)?;
        self.check_exchange(exchange)?;
        let queue = self.queue(queue, connection)?;
        let kind = match queue.spec.arguments.kind {
            QueueKind::Classic => DestinationKind::ClassicQueue,
            QueueKind::Quorum => DestinationKind::QuorumQueue,
        };
        let binding = Binding::new(Destination::Queue(queue.id), routing_key, arguments);
        let history = self.change(|topology| {
            // It was found before the lock was taken, and may be gone.
            if topology.queue_by_id(queue.id).is_none() {
                return Err(queue.not_found());
            }
            self.add_binding(topology, exchange, binding, kind)
        })?;
        // When the topology is free: no queue is locked under its lock.
        replay(&queue, &history, now_ms);
        Ok(())
    }

    /// Removes a binding of a queue; a missing binding, queue or exchange is fine.
    ///
    /// # Errors
    /// 403 for the default exchange, 405 when the binding exists and the queue is another connection's.
    pub(crate) fn unbind_queue(
        &self,
        queue: &str,
        exchange: &str,
        routing_key: &[u8],
        arguments: Table,
        connection: ConnectionId,
    ) -> Result<(), AmqpError> {
        refuse_default_exchange(exchange)?;
        // As in RabbitMQ: what is not there need not be unbound.
        let Some(id) = self.read(|topology| topology.queue(queue).map(|queue| queue.id)) else { return Ok(()) };
        let binding = Binding::new(Destination::Queue(id), routing_key, arguments);
        if self.read(|topology| topology.has_binding(exchange, &binding)) {
            self.queue(queue, connection)?;
        }
        self.remove_binding(exchange, &binding);
        Ok(())
    }

    /// Binds an exchange to an exchange.
    ///
    /// # Errors
    /// 403 for the default exchange, 404 when either is missing, 406 when the source's type refuses the binding.
    pub(crate) fn bind_exchange(
        &self,
        destination: &str,
        source: &str,
        routing_key: &[u8],
        arguments: Table,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        refuse_default_exchange(source)?;
        refuse_default_exchange(destination)?;
        let id = self.read(|topology| {
            // The source first: if both are missing, RabbitMQ's text names it (behaviour reference 3.5).
            self.exchange_id(topology, source)?;
            self.exchange_id(topology, destination)
        })?;
        // While nothing is locked: it sorts the arguments, which may be many.
        let binding = Binding::new(Destination::Exchange(id), routing_key, arguments);
        let history = self.change(|topology| {
            // It was found before the lock was taken, and may be gone.
            if topology.exchange_by_id(id).is_none() {
                return Err(self.no_exchange(destination));
            }
            self.add_binding(topology, source, binding, DestinationKind::Exchange)
        })?;
        for message in history.pieces().flatten() {
            self.publish_delayed(id, &NewMessage::published(message.clone(), None), TransactionId::NONE, now_ms);
        }
        Ok(())
    }

    /// Removes a binding of an exchange; a missing binding or exchange is fine.
    ///
    /// # Errors
    /// 403 for the default exchange.
    pub(crate) fn unbind_exchange(
        &self,
        destination: &str,
        source: &str,
        routing_key: &[u8],
        arguments: Table,
    ) -> Result<(), AmqpError> {
        refuse_default_exchange(source)?;
        refuse_default_exchange(destination)?;
        if let Some(id) = self.read(|topology| topology.exchange(destination).map(|exchange| exchange.id)) {
            let destination = Destination::Exchange(id);
            self.remove_binding(source, &Binding::new(destination, routing_key, arguments));
        }
        Ok(())
    }

    /// Adds a binding, and tells which messages its destination receives at once.
    fn add_binding(
        &self,
        topology: &mut Topology,
        source: &str,
        binding: Binding,
        kind: DestinationKind,
    ) -> Result<History, AmqpError> {
        let exchange = topology.exchange(source).ok_or_else(|| self.no_exchange(source))?;
        exchange.routing.check(&binding, kind, self.node.settings.profile())?;
        if topology.has_binding(source, &binding) {
            return Ok(History::default());
        }
        let subject = format_args!("a binding of {}", self.exchange_text(source));
        limits::check_arguments(binding.arguments().as_bytes().len(), &subject)?;
        self.check_room(topology, cost::of_binding(&binding, &*exchange.routing))?;
        let id = exchange.id;
        let history = exchange.routing.history();
        Ok(if topology.bind(id, binding.into()) { history } else { History::default() })
    }

    /// What it takes to bind something to this exchange: the messages that it is given at once.
    pub(crate) fn bind_weight(&self, source: &str) -> usize {
        let history = self.read(|topology| topology.exchange(source).map(|exchange| exchange.routing.history()));
        history.map_or(0, |history| history.len())
    }

    fn remove_binding(&self, source: &str, binding: &Binding) {
        self.remove(|topology| match topology.exchange(source).map(|exchange| exchange.id) {
            Some(id) => topology.unbind(id, binding),
            None => Removal::default(),
        });
    }
}

fn replay(queue: &Arc<QueueHandle>, history: &History, now_ms: u64) {
    // The queue is locked for a piece at a time: how many messages are remembered is the client's choice.
    for piece in history.pieces() {
        let messages = piece.iter().map(|message| NewMessage::published(message.clone(), None));
        queue.publish(messages, TransactionId::NONE, now_ms, |_| {});
    }
}
