//! The end of channels, and of a whole connection: everything is taken off the broker that they had.

use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use super::Open;
use crate::broker::ids::{ChannelId, QueueId};
use crate::broker::own::Event;
use crate::broker::queue::QueueHandle;
use crate::connection::aside::aside;
use crate::connection::channel::{Channel, Mode};
use crate::connection::effort::METHOD_EFFORT;
use crate::connection::output::Output;
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::protocol::command::Reply;

impl Open {
    /// Closes a channel by our own will; it stays until the client has answered.
    pub(super) fn close_channel(&mut self, number: u16, error: &AmqpError, now_ms: u64) {
        self.log_channel_error(number, error, now_ms);
        self.note_failure(Some(number), error, now_ms);
        let close = Reply::ChannelClose {
            reply_code: error.code.code(),
            reply_text: error.reply_text(),
            method: error.method.unwrap_or(MethodId::NONE),
        };
        let Some(channel) = self.channels.remove(number) else {
            impossible!("channel {number} is to be closed, and there is none");
            return;
        };
        let effort = METHOD_EFFORT + channel.weight();
        self.effort.spend(effort);
        aside(effort, || self.end_channel(number, channel, now_ms));
        // Behind the end: when the client hears of it, its messages are in their queues again.
        self.reply(number, &close);
        self.channels.await_close_ok(number, ChannelId(self.node.ids.fresh()));
    }

    /// Takes everything off the broker that the channel had: its consumers, and what it did not settle.
    pub(super) fn end_channel(&mut self, number: u16, mut channel: Channel, now_ms: u64) {
        // First, because the confirms that they would precede will never come.
        self.send_returns(number, &mut channel);
        // Each queue once, whatever the channel had of it: consumers, deliveries, or both.
        let mut queues: FxHashMap<QueueId, Arc<QueueHandle>> = FxHashMap::default();
        let consumers = channel.consumers.len();
        for (id, consumer) in std::mem::take(&mut channel.consumers) {
            self.outbox.forget(id);
            self.tell_of_consumer("deleted", number, &consumer, None);
            queues.extend(consumer.queue.map(|queue| (queue.id, queue)));
        }
        let outstanding = channel.unacked.take_up_to(0).unwrap_or_default();
        // What a transaction had settled is outstanding again, and goes back to its queue.
        let rolled_back = match &mut channel.mode {
            Mode::Transaction(transaction) => transaction.roll_back(),
            Mode::Plain | Mode::Confirm(_) => Vec::new(),
        };
        let outstanding = outstanding.into_iter().chain(rolled_back);
        queues.extend(outstanding.map(|(_, delivery)| (delivery.queue.id, delivery.queue)));
        for queue in queues.into_values() {
            queue.channel_closed(channel.id, now_ms);
        }
        if let Some(reply_to) = channel.reply_to {
            self.node.replies.remove(&reply_to.name);
        }
        self.node.own_messages.event(|| Event::channel_closed(&self.registration.info().spec, number, consumers));
    }

    /// Takes everything off the broker that the connection had. What is still to be written.
    pub(in crate::connection) fn end(mut self: Box<Self>, now_ms: u64) -> Output {
        aside(self.weight(), || self.take_everything_off(now_ms));
        self.output
    }

    fn take_everything_off(&mut self, now_ms: u64) {
        self.node.alarm.forget(self.id);
        for (number, channel) in self.channels.take_all() {
            self.end_channel(number, channel, now_ms);
        }
        for queue in self.exclusive_queues.drain(..).filter_map(|queue| queue.upgrade()) {
            self.vhost.delete_queue_handle(&queue);
        }
        // Last: until here queues may still hand something over, which goes back with its channel.
        self.inbox.close(&self.outbox);
        let spec = &self.registration.info().spec;
        self.node.own_messages.event(|| Event::connection_closed(spec, &self.node.settings.node_name));
        self.node.check_memory();
    }

    /// The queues that go with the connection.
    pub(super) fn exclusive_queues(&self) -> impl Iterator<Item = Arc<QueueHandle>> {
        self.exclusive_queues.iter().filter_map(Weak::upgrade)
    }

    /// Notes a queue that goes with the connection.
    pub(super) fn owns(&mut self, queue: &Arc<QueueHandle>) {
        if self.exclusive_queues.len() == self.exclusive_queues.capacity() {
            self.exclusive_queues.retain(|queue| queue.strong_count() > 0);
        }
        self.exclusive_queues.push(Arc::downgrade(queue));
    }
}
