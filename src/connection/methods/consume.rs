//! `basic.consume` and `basic.cancel` (behaviour reference 5.3, 5.4 and 5.10).

mod arguments;

use std::sync::Arc;

use crate::auth::{Access, Resource};
use crate::broker::ids::ConsumerId;
use crate::broker::queue::{ConsumerSpec, QueueHandle};
use crate::broker::reply_to::{PSEUDO_QUEUE, ReplyConsumer};
use crate::connection::channel::{ChannelConsumer, ReplyTo};
use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::impossible::impossible;
use crate::protocol::command::Reply;
use crate::table::Table;

use arguments::ConsumerArguments;

/// What a client asks for with `basic.consume`.
#[derive(Debug)]
pub(super) struct Consume {
    pub(super) queue: String,
    pub(super) consumer_tag: String,
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    pub(super) no_wait: bool,
    pub(super) arguments: Table,
}

impl Open {
    pub(super) fn basic_consume(&mut self, number: u16, consume: Consume, now_ms: u64) -> Result<(), AmqpError> {
        let Some(channel) = self.channels.get(number) else {
            impossible!("a method came on channel {number}, which does not exist");
            return Ok(());
        };
        if channel.consumer(&consume.consumer_tag).is_some() {
            let text = format!("attempt to reuse consumer tag '{}'", consume.consumer_tag);
            return Err(AmqpError::not_allowed(text));
        }
        let consumer_tag: Arc<str> = if consume.consumer_tag.is_empty() {
            self.node.random.name("amq.ctag-").into()
        } else {
            consume.consumer_tag.as_str().into()
        };
        if consume.queue == PSEUDO_QUEUE {
            return self.consume_replies(number, &consume, consumer_tag);
        }
        let queue = self.queue_name(number, consume.queue.clone())?;
        self.may(Access::Read, Resource::Queue(&queue))?;
        let queue = self.vhost.queue(&queue, self.id)?;
        let spec = self.consumer_spec(number, &consume, &consumer_tag, &queue)?;
        let id = spec.id;
        queue.consume(spec, now_ms)?;
        tracing::debug!(target: "queue", peer = %self.peer, queue = %queue.spec.name, tag = %consumer_tag, "consumer added");
        self.register(number, id, consumer_tag, Some(&queue), consume.no_wait);
        queue.resume(id, now_ms);
        Ok(())
    }

    fn consumer_spec(
        &self,
        number: u16,
        consume: &Consume,
        consumer_tag: &Arc<str>,
        queue: &QueueHandle,
    ) -> Result<ConsumerSpec, AmqpError> {
        let (kind, profile) = (queue.spec.arguments.kind, self.node.settings.profile());
        let arguments = ConsumerArguments::parse(&consume.arguments, kind, queue, profile)?;
        let Some(channel) = self.channels.get(number) else { return Err(queue.not_found()) };
        if kind.rules().refuses_global_qos && channel.credit.is_limited() {
            return Err(AmqpError::not_implemented(format!("{queue} does not support global qos")));
        }
        Ok(ConsumerSpec {
            id: ConsumerId(self.node.ids.fresh()),
            channel: channel.id,
            consumer_tag: Arc::clone(consumer_tag),
            sink: self.sink(),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            priority: arguments.priority,
            prefetch_count: channel.prefetch_count,
            channel_credit: Arc::clone(&channel.credit),
            timeout_ms: arguments.timeout_ms,
        })
    }

    /// Direct reply-to: there is no queue, and replies need no acknowledgement.
    fn consume_replies(&mut self, number: u16, consume: &Consume, consumer_tag: Arc<str>) -> Result<(), AmqpError> {
        if !consume.no_ack {
            return Err(AmqpError::precondition_failed("reply consumer cannot acknowledge"));
        }
        if self.channels.get(number).is_some_and(|channel| channel.reply_to.is_some()) {
            return Err(AmqpError::precondition_failed("reply consumer already set"));
        }
        let id = ConsumerId(self.node.ids.fresh());
        let consumer = ReplyConsumer { consumer: id, sink: self.sink() };
        let name = self.node.replies.register(consumer, &self.node.random);
        if let Some(channel) = self.channels.get_mut(number) {
            channel.reply_to = Some(ReplyTo { consumer: id, name });
        }
        self.register(number, id, consumer_tag, None, consume.no_wait);
        Ok(())
    }

    /// `basic.consume-ok` precedes the first delivery.
    fn register(
        &mut self,
        number: u16,
        id: ConsumerId,
        consumer_tag: Arc<str>,
        queue: Option<&Arc<QueueHandle>>,
        no_wait: bool,
    ) {
        let consumer = ChannelConsumer::new(Arc::clone(&consumer_tag), queue.cloned(), &self.node.registry.taken);
        self.channels.add_consumer(number, id, consumer);
        if !no_wait {
            self.reply(number, &Reply::BasicConsumeOk { consumer_tag: consumer_tag.to_string() });
        }
    }

    /// What was handed over already is delivered first, then `basic.cancel-ok` follows: nothing comes behind it.
    pub(super) fn basic_cancel(
        &mut self,
        number: u16,
        consumer_tag: &str,
        no_wait: bool,
        now_ms: u64,
    ) -> Result<(), AmqpError> {
        let id = self.channels.get(number).and_then(|channel| channel.consumer(consumer_tag));
        if let Some(id) = id {
            let queue = self.channels.get(number).and_then(|channel| channel.consumers.get(&id)?.queue.clone());
            if let Some(queue) = queue {
                queue.cancel(id, now_ms);
            }
            self.encode_everything();
            self.unregister(number, id);
        }
        if !no_wait {
            self.reply(number, &Reply::BasicCancelOk { consumer_tag: consumer_tag.to_owned() });
        }
        Ok(())
    }

    fn unregister(&mut self, number: u16, id: ConsumerId) {
        self.channels.remove_consumer(id);
        self.outbox.forget(id);
        let Some(channel) = self.channels.get_mut(number) else {
            return impossible!("a method came on channel {number}, which does not exist");
        };
        if let Some(reply_to) = channel.reply_to.take_if(|reply_to| reply_to.consumer == id) {
            self.node.replies.remove(&reply_to.name);
        }
    }
}
