//! Consumers come, and channels go.

use std::sync::Arc;

use leveret::internals::broker::ids::{ChannelId, ConsumerId};
use leveret::internals::broker::queue::{ConsumerSpec, Return};
use leveret::internals::broker::sink::Sink;
use leveret::internals::store::StoredLog;

use super::{Actor, Consumer, GETTER, Held};
use crate::queues::QUEUES;

impl Actor {
    pub(super) fn consume(&mut self) {
        let name = self.random.pick(&QUEUES).name;
        let Some(handle) = self.queue(name).filter(|_| self.consumers.len() < 4) else { return };
        self.next_channel += 1;
        let (id, channel) = (ConsumerId(self.broker.node().ids.fresh()), ChannelId(self.next_channel));
        let spec = ConsumerSpec {
            raw_arguments: leveret::internals::table::EncodedTable::default(),
            id,
            channel,
            consumer_tag: "tag".into(),
            sink: Arc::clone(&self.basket) as Arc<dyn Sink>,
            no_ack: self.random.one_in(4),
            exclusive: false,
            priority: 0,
            prefetch_count: 1 + self.random.below(5) as u16,
            channel_credit: Arc::default(),
            timeout_ms: None,
        };
        let before = self.wal.head();
        self.note(format!("consume from {name}, no_ack {}", spec.no_ack));
        self.consumers.insert(id, Consumer { queue: name, handle: Arc::clone(&handle), channel });
        handle.consume(spec, self.now_ms).unwrap();
        handle.resume(id, self.now_ms);
        self.collect(before);
    }

    pub(super) fn close_channel(&mut self) {
        let channel = match self.consumers.values().map(|consumer| consumer.channel).min() {
            Some(channel) if !self.random.one_in(3) => channel,
            _ => GETTER,
        };
        self.close(channel);
    }

    pub(super) fn close(&mut self, channel: ChannelId) {
        let before = self.wal.head();
        self.note(format!("close {channel:?}"));
        let (lost, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|held| held.channel == channel);
        self.held = kept;
        for Held { queue, id, .. } in lost {
            self.ledger.find(id, queue).unwrap().is_held = false;
            self.count(id, queue, Return::Lost, before);
        }
        for name in QUEUES.map(|kind| kind.name) {
            if let Some(queue) = self.queue(name) {
                queue.channel_closed(channel, self.now_ms);
            }
        }
        self.closing = Some(channel);
        self.collect(before);
        self.closing = None;
        self.close_counts(before);
        self.consumers.retain(|_, consumer| consumer.channel != channel);
    }

    /// All channels are closed.
    pub fn disconnect(&mut self) {
        let mut channels: Vec<_> = self.consumers.values().map(|consumer| consumer.channel).collect();
        channels.push(GETTER);
        for channel in channels {
            self.close(channel);
        }
    }
}
