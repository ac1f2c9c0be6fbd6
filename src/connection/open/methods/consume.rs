//! `basic.consume` and `basic.cancel` (behaviour reference 5.3, 5.4 and 5.10).

mod arguments;

use std::sync::Arc;

use crate::auth::{Access, Resource};
use crate::broker::ids::ConsumerId;
use crate::broker::own::Event;
use crate::broker::queue::{ConsumerSpec, QueueHandle};
use crate::broker::reply_to::{PSEUDO_QUEUE, ReplyConsumer};
use crate::connection::channel::{ChannelConsumer, ReplyTo};
use crate::connection::open::Open;
use crate::error::AmqpError;
use crate::impossible::impossible;
use crate::protocol::command::Reply;
use crate::table::{EncodedTable, Table};

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
        if let Some(max) = self.node.settings.consumers_max.filter(|max| channel.consumers.len() as u64 >= *max) {
            return Err(AmqpError::not_allowed(format!("reached maximum ({max}) of consumers per channel")));
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
        let (id, prefetch_count) = (spec.id, spec.prefetch_count);
        // It gets nothing yet: the answer, which names its tag, must come first.
        queue.consume(spec, now_ms)?;
        tracing::debug!(target: "queue", peer = %self.peer, queue = %queue.spec.name, tag = %consumer_tag, "consumer added");
        self.register(number, (id, consumer_tag), Some(&queue), &consume);
        self.tell_of_new_consumer(number, id, &consume, prefetch_count);
        // From here on messages may come.
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
            raw_arguments: (&consume.arguments).into(),
        })
    }

    fn tell_of_new_consumer(&self, number: u16, id: ConsumerId, consume: &Consume, prefetch_count: u16) {
        let consumer = self.channels.get(number).and_then(|channel| channel.consumers.get(&id));
        if let Some(consumer) = consumer {
            let more = |event: Event| {
                event
                    .flag("ack_required", !consume.no_ack)
                    .flag("exclusive", consume.exclusive)
                    .number("prefetch_count", prefetch_count.into())
                    .arguments(&consume.arguments)
            };
            self.tell_of_consumer("created", number, consumer, Some(&more));
        }
    }

    /// Tells that a consumer of a queue was `created` or `deleted`, and perhaps more.
    pub(in crate::connection) fn tell_of_consumer(
        &self,
        what: &str,
        number: u16,
        consumer: &ChannelConsumer,
        more: Option<&dyn Fn(Event) -> Event>,
    ) {
        let Some(queue) = &consumer.queue else { return };
        self.node.own_messages.event(|| {
            let spec = &self.registration.info().spec;
            let event = Event::consumer(what, spec, number, (&consumer.consumer_tag, &queue.spec.name));
            match more {
                Some(more) => more(event),
                None => event,
            }
        });
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
        self.register(number, (id, consumer_tag), None, consume);
        Ok(())
    }

    /// `basic.consume-ok` precedes the first delivery.
    fn register(
        &mut self,
        number: u16,
        (id, consumer_tag): (ConsumerId, Arc<str>),
        queue: Option<&Arc<QueueHandle>>,
        consume: &Consume,
    ) {
        let taken = &self.node.registry.taken;
        let argument_bytes = EncodedTable::from(&consume.arguments).bytes();
        let consumer = ChannelConsumer::new(Arc::clone(&consumer_tag), queue.cloned(), argument_bytes, taken);
        self.channels.add_consumer(number, id, consumer);
        if !consume.no_wait {
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
                // First at the queue: from here on nothing more is handed over.
                queue.cancel(id, now_ms);
            }
            // What was handed over before goes out, in front of the answer (behaviour reference 5.4).
            self.encode_everything(now_ms);
            self.unregister(number, id);
        }
        if !no_wait {
            self.reply(number, &Reply::BasicCancelOk { consumer_tag: consumer_tag.to_owned() });
        }
        Ok(())
    }

    fn unregister(&mut self, number: u16, id: ConsumerId) {
        if let Some((number, consumer)) = self.channels.remove_consumer(id) {
            self.tell_of_consumer("deleted", number, &consumer, None);
        }
        self.outbox.forget(id);
        let Some(channel) = self.channels.get_mut(number) else {
            return impossible!("a method came on channel {number}, which does not exist");
        };
        if let Some(reply_to) = channel.reply_to.take_if(|reply_to| reply_to.consumer == id) {
            self.node.replies.remove(&reply_to.name);
        }
    }
}
