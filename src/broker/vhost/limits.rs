//! What definitions may take in memory.
//!
//! RabbitMQ has no such limits. Definitions cannot be moved to files, and stay until somebody deletes them: without a bound, a client
//! that goes on declaring takes all memory, and no alarm that holds publishers back helps against it.

use std::fmt::Display;

use super::Vhost;
use crate::broker::metadata::effective;
use crate::broker::topology::Topology;
use crate::error::AmqpError;

/// The arguments of one queue, exchange or binding.
const ARGUMENT_BYTES_MAX: usize = 32 * 1024;

/// # Errors
/// 406 when the arguments of one object are too long.
pub(super) fn check_arguments(bytes: usize, subject: &dyn Display) -> Result<(), AmqpError> {
    if bytes <= ARGUMENT_BYTES_MAX {
        return Ok(());
    }
    Err(AmqpError::precondition_failed(format!(
        "the arguments of {subject} take {bytes} bytes, which is more than the {ARGUMENT_BYTES_MAX} that are allowed"
    )))
}

impl Vhost {
    /// How many queues there may be, if that is limited.
    pub(super) fn queues_max(&self) -> Option<u64> {
        self.node
            .metadata
            .read(|state| state.vhosts.get(&*self.name).and_then(|vhost| effective(vhost.limits.max_queues)))
    }

    /// Virtual hosts in which queues are declared at the same time may go beyond the limit of the node by one each.
    ///
    /// # Errors
    /// 406 when there are as many queues as there may be, in all virtual hosts or in this one.
    pub(super) fn check_queue_count(&self, topology: &Topology, name: &str, max: Option<u64>) -> Result<(), AmqpError> {
        if let Some(max) = self.node.settings.queues_max.filter(|max| self.node.objects.queues() >= *max) {
            return Err(AmqpError::precondition_failed(format!(
                "cannot declare queue '{name}': queue limit in cluster ({max}) is reached"
            )));
        }
        match max {
            Some(max) if topology.objects().queues as u64 >= max => Err(AmqpError::precondition_failed(format!(
                "cannot declare queue '{name}': queue limit in vhost '{}' ({max}) is reached",
                self.name
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// As [`Vhost::check_queue_count`].
    ///
    /// # Errors
    /// 406 when there are as many exchanges as there may be.
    pub(super) fn check_exchange_count(&self, name: &str) -> Result<(), AmqpError> {
        match self.node.settings.exchanges_max {
            Some(max) if self.node.objects.exchanges() >= max => Err(AmqpError::precondition_failed(format!(
                "cannot declare exchange '{name}' in vhost '{}': exchange limit of {max} is reached",
                self.name
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a definition of so many bytes may be added.
    ///
    /// # Errors
    /// 406 when it is too much, 320 when the virtual host is deleted: its connections are about to hear of it.
    pub(super) fn check_room(&self, topology: &Topology, bytes: usize) -> Result<(), AmqpError> {
        if topology.is_closed() {
            return Err(self.deleted());
        }
        let max = self.node.definition_bytes_max();
        if (topology.definition_bytes() + bytes) as u64 <= max {
            return Ok(());
        }
        Err(AmqpError::precondition_failed(format!(
            "the queues, exchanges and bindings of vhost '{}' would take more than {max} bytes of memory; delete some of them, \
             or give the broker a higher memory watermark",
            self.name
        )))
    }
}
