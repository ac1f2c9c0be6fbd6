//! Class `queue` (behaviour reference 4).

use crate::auth::{Access, Resource};
use crate::broker::declarers::Declarable;
use crate::broker::reply_to::{self, PSEUDO_QUEUE};
use crate::broker::vhost::{QueueDeclare, without_line_breaks};
use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::protocol::command::{QueueMethod, Reply};
use crate::store::LogPosition;

pub(super) fn dispatch(open: &mut Open, channel: u16, method: QueueMethod, now_ms: u64) -> Result<(), AmqpError> {
    let mut purged_at = LogPosition::START;
    let (reply, no_wait) = match method {
        QueueMethod::Declare { queue, passive, durable, exclusive, auto_delete, no_wait, arguments } => {
            let declare = QueueDeclare { queue, durable, exclusive, auto_delete, arguments };
            (open.queue_declare(channel, declare, passive, now_ms)?, no_wait)
        }
        QueueMethod::Bind { queue, exchange, routing_key, no_wait, arguments } => {
            let (queue, routing_key) = open.binding_names(channel, queue, routing_key)?;
            open.may_bind_queue(&queue, &exchange, &routing_key)?;
            open.vhost.bind_queue(&queue, &exchange, &routing_key, arguments, open.id, now_ms)?;
            open.log_bound(&queue, &exchange, &routing_key);
            (Reply::QueueBindOk, no_wait)
        }
        QueueMethod::Unbind { queue, exchange, routing_key, arguments } => {
            let (queue, routing_key) = open.binding_names(channel, queue, routing_key)?;
            open.may_bind_queue(&queue, &exchange, &routing_key)?;
            open.vhost.unbind_queue(&queue, &exchange, &routing_key, arguments, open.id)?;
            (Reply::QueueUnbindOk, false)
        }
        QueueMethod::Purge { queue, no_wait } => {
            let queue = open.queue_name(channel, queue)?;
            open.may(Access::Read, Resource::Queue(&queue))?;
            let (message_count, position) = open.vhost.purge_queue(&queue, open.id, now_ms)?;
            purged_at = position;
            (Reply::QueuePurgeOk { message_count }, no_wait)
        }
        QueueMethod::Delete { queue, if_unused, if_empty, no_wait } => {
            let queue = open.queue_name(channel, queue)?;
            open.may(Access::Configure, Resource::Queue(&queue))?;
            let message_count = open.vhost.delete_queue(&queue, if_unused, if_empty, open.id)?;
            open.log_deleted(&queue, message_count);
            (Reply::QueueDeleteOk { message_count }, no_wait)
        }
    };
    let position = open.vhost.changed_at().and(purged_at);
    if !no_wait {
        open.reply_when_durable(channel, reply, position);
    }
    Ok(())
}

impl Open {
    /// The queue that a method means.
    pub(in crate::connection) fn queue_name(&self, channel: u16, queue: String) -> Result<String, AmqpError> {
        match self.channels.get(channel) {
            Some(channel) => channel.queue_name(queue),
            None => Ok(queue),
        }
    }

    /// With an empty queue name, an empty routing key stands for the queue's name, too.
    fn binding_names(&self, channel: u16, queue: String, routing_key: Vec<u8>) -> Result<(String, Vec<u8>), AmqpError> {
        let is_shorthand = queue.is_empty() && routing_key.is_empty();
        let queue = self.queue_name(channel, queue)?;
        let routing_key = if is_shorthand { queue.clone().into_bytes() } else { routing_key };
        Ok((queue, routing_key))
    }

    fn may_bind_queue(&self, queue: &str, exchange: &str, routing_key: &[u8]) -> Result<(), AmqpError> {
        self.may(Access::Write, Resource::Queue(queue))?;
        self.may_bind_to(exchange, routing_key)
    }

    fn queue_declare(
        &mut self,
        channel: u16,
        declare: QueueDeclare,
        passive: bool,
        now_ms: u64,
    ) -> Result<Reply, AmqpError> {
        if let Some(reply) = self.declare_reply_queue(&declare.queue)? {
            return Ok(reply);
        }
        let declared = if passive {
            self.may_see(Resource::Queue(&declare.queue))?;
            self.vhost.check_queue(&without_line_breaks(&declare.queue), self.id, now_ms)?
        } else {
            self.check_declare(&declare)?;
            let declared = self.vhost.declare_queue(&declare, self.id, now_ms)?;
            self.log_declared(&declared.queue.spec.name, declared.created, &declare);
            declared
        };
        if declared.created && !declare.queue.is_empty() {
            self.note_declared(Declarable::Queue, &declared.queue.spec.name, now_ms);
        }
        // It goes with the connection, which therefore has to know it.
        if declared.created && declare.exclusive {
            self.owns(&declared.queue);
        }
        let queue = declared.queue.spec.name.to_string();
        if let Some(channel) = self.channels.get_mut(channel) {
            channel.last_queue = Some(queue.clone());
        }
        let (message_count, consumer_count) = (declared.message_count, declared.consumer_count);
        Ok(Reply::QueueDeclareOk { queue, message_count, consumer_count })
    }

    fn log_declared(&self, queue: &str, created: bool, declare: &QueueDeclare) {
        tracing::debug!(target: "queue", peer = %self.peer, vhost = %self.vhost.name, queue, created, "queue declared");
        if created {
            self.log_mistyped_arguments(Declarable::Queue, queue, &declare.arguments);
        }
    }

    fn log_bound(&self, queue: &str, exchange: &str, routing_key: &[u8]) {
        let (peer, vhost, key) = (self.peer, &self.vhost.name, String::from_utf8_lossy(routing_key));
        tracing::debug!(target: "queue", %peer, %vhost, queue, exchange, %key, "queue bound");
    }

    fn log_deleted(&self, queue: &str, message_count: u32) {
        let (peer, vhost) = (self.peer, &self.vhost.name);
        tracing::debug!(target: "queue", %peer, %vhost, queue, message_count, "queue deleted");
    }

    fn check_declare(&self, declare: &QueueDeclare) -> Result<(), AmqpError> {
        let queue = Resource::Queue(&declare.queue);
        self.may(Access::Configure, queue)?;
        if let Some(exchange) = declare.arguments.get("x-dead-letter-exchange").and_then(|value| value.as_str()) {
            // The dead letters of the queue are read from it, and written to the exchange.
            self.may(Access::Read, queue)?;
            self.may(Access::Write, Resource::Exchange(exchange))?;
        }
        Ok(())
    }

    /// The pseudo-queue of direct replies and the generated names can be declared like queues (behaviour reference 5.10).
    fn declare_reply_queue(&self, queue: &str) -> Result<Option<Reply>, AmqpError> {
        if queue != PSEUDO_QUEUE && !reply_to::is_generated_name(queue) {
            return Ok(None);
        }
        if queue != PSEUDO_QUEUE && self.node.replies.get(queue).is_none() {
            let vhost = &self.vhost.name;
            return Err(AmqpError::not_found(format!("no queue '{queue}' in vhost '{vhost}'")));
        }
        Ok(Some(Reply::QueueDeclareOk { queue: queue.to_owned(), message_count: 0, consumer_count: 1 }))
    }
}
