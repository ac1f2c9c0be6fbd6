//! The end of a virtual host: it is closed, then everything in it is deleted.

use super::Vhost;
use crate::error::AmqpError;

impl Vhost {
    /// Lets nothing be declared or bound in it any more. What is in it stays until [`Vhost::delete_everything`].
    pub(in crate::broker) fn close(&self) {
        self.change(|topology| topology.close());
    }

    /// Whether it is deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.read(|topology| topology.is_closed())
    }

    /// What connections to a virtual host that is deleted are closed with.
    pub(in crate::broker) fn deleted(&self) -> AmqpError {
        AmqpError::connection_forced(format!("vhost '{}' is deleted", self.name))
    }

    /// Deletes all queues and exchanges, with their messages and bindings.
    pub(in crate::broker) fn delete_everything(&self) {
        debug_assert!(self.is_deleted(), "something could be declared meanwhile");
        // Nothing can be declared any more, so the list is complete.
        for queue in self.queues() {
            self.delete_queue_handle(&queue);
        }
        let exchanges: Vec<_> = self.read(|topology| topology.exchanges().map(|exchange| exchange.id).collect());
        for id in exchanges {
            self.remove(|topology| topology.remove_exchange(id));
        }
    }

    /// Deletes everything that was declared: how many queues, exchanges and messages. Predeclared exchanges that have bindings are made
    /// anew.
    pub(in crate::broker) fn reset(&self) -> (usize, usize, usize) {
        let (queues, mut messages) = (self.queues(), self.delayed.len());
        for queue in &queues {
            messages += queue.snapshot().map_or(0, |snapshot| snapshot.messages());
            self.delete_queue_handle(queue);
        }
        let to_delete: Vec<_> = self.read(|topology| {
            let exchanges = topology.exchanges().map(|exchange| {
                let is_standard = self.is_predeclared(&exchange.spec.name);
                (exchange.id, is_standard, exchange.binding_count())
            });
            exchanges.filter(|(_, is_standard, bindings)| !is_standard || *bindings > 0).collect()
        });
        for (id, ..) in &to_delete {
            self.remove(|topology| topology.remove_exchange(*id));
        }
        self.declare_standard_exchanges();
        let exchanges = to_delete.iter().filter(|(_, is_standard, _)| !is_standard).count();
        (queues.len(), exchanges, messages)
    }
}
