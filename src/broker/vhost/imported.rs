//! What would be declared is looked at before anything is, so that a definitions file is imported as a whole or not at all.

use super::{ExchangeDeclare, QueueDeclare, Vhost, limits, without_line_breaks};
use crate::broker::exchange::{self, Binding, DestinationKind, Routing};
use crate::broker::ids::ConnectionId;
use crate::broker::queue::arguments::QueueKind;
use crate::error::AmqpError;

/// Who imports: no connection, so exclusive queues are somebody else's.
pub(in crate::broker) const IMPORTER: ConnectionId = ConnectionId(u64::MAX);

impl Vhost {
    /// The type that a queue has, or would have.
    ///
    /// # Errors
    /// Those of [`Vhost::declare_queue`], unless there is one of this name.
    pub(in crate::broker) fn check_new_queue(&self, declare: &QueueDeclare) -> Result<QueueKind, AmqpError> {
        let name = without_line_breaks(&declare.queue);
        let known = self.find_queue(&name).map(|queue| queue.spec.arguments.kind);
        known.map_or_else(|| Ok(self.queue_spec(&name, declare, IMPORTER, false)?.arguments.kind), Ok)
    }

    /// How an exchange would route; `None` when there is one of this name.
    ///
    /// # Errors
    /// Those of [`Vhost::declare_exchange`].
    pub(in crate::broker) fn check_new_exchange(
        &self,
        declare: &ExchangeDeclare,
    ) -> Result<Option<Box<dyn Routing>>, AmqpError> {
        let name = without_line_breaks(&declare.exchange);
        if self.read(|topology| topology.exchange(&name).is_some()) {
            return Ok(None);
        }
        let kind = exchange::require(&declare.kind, self.node.settings.profile())?;
        Ok(Some(self.new_exchange(&name, kind, declare)?.1))
    }

    /// # Errors
    /// 406 when an exchange that routes like this would not accept the binding.
    pub(in crate::broker) fn check_new_binding(
        &self,
        source: &str,
        routing: &dyn Routing,
        binding: &Binding,
        kind: DestinationKind,
    ) -> Result<(), AmqpError> {
        routing.check(binding, kind, self.node.settings.profile())?;
        let subject = format_args!("a binding of {}", self.exchange_text(source));
        limits::check_arguments(binding.arguments().as_bytes().len(), &subject)
    }
}
