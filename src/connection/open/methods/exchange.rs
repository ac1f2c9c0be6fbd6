//! Class `exchange` (behaviour reference 3).

use crate::auth::{Access, Resource};
use crate::broker::declarers::Declarable;
use crate::broker::router::RoutingKeys;
use crate::broker::vhost::ExchangeDeclare;
use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::{ExchangeMethod, Reply};
use crate::table::Table;

pub(super) fn dispatch(open: &mut Open, channel: u16, method: ExchangeMethod, now_ms: u64) -> Result<(), AmqpError> {
    let (reply, no_wait) = match method {
        ExchangeMethod::Declare { exchange, passive: true, no_wait, .. } => {
            open.check_exchange(&exchange)?;
            (Reply::ExchangeDeclareOk, no_wait)
        }
        ExchangeMethod::Declare { exchange, kind, durable, auto_delete, internal, no_wait, arguments, .. } => {
            open.declare_exchange(
                &ExchangeDeclare { exchange, kind, durable, auto_delete, internal, arguments },
                now_ms,
            )?;
            (Reply::ExchangeDeclareOk, no_wait)
        }
        ExchangeMethod::Delete { exchange, if_unused, no_wait } => {
            open.may(Access::Configure, Resource::Exchange(&exchange))?;
            open.vhost.delete_exchange(&exchange, if_unused)?;
            (Reply::ExchangeDeleteOk, no_wait)
        }
        ExchangeMethod::Bind { destination, source, routing_key, no_wait, arguments } => {
            open.may_bind_exchange(&destination, &source, &routing_key)?;
            open.vhost.bind_exchange(&destination, &source, &routing_key, arguments, now_ms)?;
            (Reply::ExchangeBindOk, no_wait)
        }
        ExchangeMethod::Unbind { destination, source, routing_key, no_wait, arguments } => {
            open.may_bind_exchange(&destination, &source, &routing_key)?;
            open.vhost.unbind_exchange(&destination, &source, &routing_key, arguments)?;
            (Reply::ExchangeUnbindOk, no_wait)
        }
    };
    // Also if nothing changed here: what is there already may not be durable yet, and the
    // client is told that it is.
    let position = open.vhost.changed_at();
    if !no_wait {
        open.reply_when_durable(channel, reply, position);
    }
    Ok(())
}

impl Open {
    /// Passive: any permission will do, and its absence is worded as the lack of `configure`.
    fn check_exchange(&self, exchange: &str) -> Result<(), AmqpError> {
        self.may_see(Resource::Exchange(exchange))?;
        self.vhost.check_exchange(exchange)
    }

    fn declare_exchange(&self, declare: &ExchangeDeclare, now_ms: u64) -> Result<(), AmqpError> {
        let exchange = Resource::Exchange(&declare.exchange);
        self.may(Access::Configure, exchange)?;
        if let Some(alternate) = alternate(&declare.arguments) {
            self.may(Access::Read, exchange)?;
            self.may(Access::Write, Resource::Exchange(alternate))?;
        }
        let was_there = self.vhost.read(|topology| topology.exchange(&declare.exchange).is_some());
        self.vhost.declare_exchange(declare)?;
        if !was_there {
            self.note_declared(Declarable::Exchange, &declare.exchange, now_ms);
            self.log_mistyped_arguments(Declarable::Exchange, &declare.exchange, &declare.arguments);
        }
        let (vhost, exchange) = (&self.vhost.name, &declare.exchange);
        tracing::debug!(target: "exchange", peer = %self.peer, %vhost, exchange, kind = declare.kind, "exchange declared");
        Ok(())
    }

    fn may_bind_exchange(&self, destination: &str, source: &str, routing_key: &[u8]) -> Result<(), AmqpError> {
        self.may(Access::Write, Resource::Exchange(destination))?;
        self.may_bind_to(source, routing_key)
    }

    /// # Errors
    /// 403 when the user may not read from this exchange, or not with this key.
    pub(super) fn may_bind_to(&self, source: &str, routing_key: &[u8]) -> Result<(), AmqpError> {
        self.may(Access::Read, Resource::Exchange(source))?;
        self.may_use_topics(Access::Read, source, &RoutingKeys::single(routing_key))
    }

    /// # Errors
    /// 403 when the user may do nothing with it.
    pub(super) fn may_see(&self, resource: Resource<'_>) -> Result<(), AmqpError> {
        let any = [Access::Read, Access::Write].into_iter().any(|access| self.is_allowed(access, resource));
        if any { Ok(()) } else { self.may(Access::Configure, resource) }
    }
}

fn alternate(arguments: &Table) -> Option<&str> {
    arguments.get("alternate-exchange")?.as_str()
}
