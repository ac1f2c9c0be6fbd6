//! A queue in numbers, for those who look at it from outside: the management API and the metrics.

use std::sync::Arc;

use super::Queue;
use super::consumers::{Consumer, ConsumerState};
use super::dying::DeadLetterStrategy;
use super::entry::Persistent;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::policies::Applied;
use crate::metrics::{DeathStats, MessageStats};
use crate::table::EncodedTable;

/// A queue as it was at one moment.
#[derive(Clone, Debug, Default)]
pub struct QueueSnapshot {
    /// Messages that can be delivered.
    pub(crate) messages_ready: usize,
    /// Messages that were delivered and are not settled.
    pub(crate) messages_unacknowledged: usize,
    /// Returned messages that wait for their next delivery (`x-delayed-retry-min`).
    pub(crate) messages_delayed: usize,
    /// Dead letters that no queue has taken yet.
    pub(crate) messages_dlx: usize,
    /// Bytes of the ready messages: bodies, and of quorum queues the properties, too.
    pub(crate) message_bytes_ready: u64,
    /// Bytes of the unacknowledged messages, counted as those of the ready ones.
    pub(crate) message_bytes_unacknowledged: u64,
    /// Messages that survive a restart: of classic queues those of delivery mode 2, if the queue is durable and a store keeps it; of quorum
    /// queues all.
    pub(crate) messages_persistent: usize,
    pub(crate) message_bytes_persistent: u64,
    /// Bytes of the messages that are known one by one.
    pub(crate) message_bytes_ram: u64,
    /// Messages that are known one by one; the others are in segment files only.
    pub(crate) messages_ram: usize,
    /// Bytes that the queue keeps for its messages, their own bytes aside.
    pub(crate) entry_bytes: u64,
    pub(crate) consumers: usize,
    /// Consumers that would be handed a message now.
    pub(crate) consumers_waiting: usize,
    /// The tag of the single active consumer.
    pub(crate) single_active_consumer_tag: Option<Arc<str>>,
    /// The tag of the exclusive consumer.
    pub(crate) exclusive_consumer_tag: Option<Arc<str>>,
    /// It delivers nothing until somebody ends the pause.
    pub(crate) is_paused: bool,
    /// When it was used last, in milliseconds since 1970: the last declare, get, or moment with a consumer.
    pub(crate) used_at_ms: u64,
    /// The `timestamp` of the first ready message, in seconds since 1970, if it has one and is in memory.
    pub(crate) head_message_timestamp: Option<u64>,
    /// The smallest number of a message at the head of a priority level.
    pub(crate) oldest_ready: Option<u64>,
    /// The first delivery that is not settled.
    pub(crate) oldest_delivery: Option<u64>,
    /// The policies that hold for it.
    pub(crate) policies: Option<Arc<Applied>>,
    /// How often a delivery may fail under them.
    pub(crate) delivery_limit: Option<u32>,
    /// What passed through it.
    pub stats: MessageStats,
    /// What died in it.
    pub(crate) deaths: DeathStats,
    /// What became of that.
    pub(crate) dead_letters: DeadLetterStrategy,
}

impl QueueSnapshot {
    /// Bytes of its messages, counted as those of the ready ones.
    pub(crate) const fn message_bytes(&self) -> u64 {
        self.message_bytes_ready + self.message_bytes_unacknowledged
    }

    /// Ready messages that are known one by one.
    pub(crate) const fn messages_ready_ram(&self) -> usize {
        self.messages_ram.saturating_sub(self.messages_unacknowledged + self.messages_delayed + self.messages_dlx)
    }

    /// All its messages, wherever they are: what RabbitMQ calls `messages`.
    pub(crate) const fn messages(&self) -> usize {
        self.messages_ready + self.messages_unacknowledged + self.messages_delayed + self.messages_dlx
    }
}

/// A consumer as it was at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ConsumerSnapshot {
    pub(crate) id: ConsumerId,
    /// The channel that it was started on.
    pub(crate) channel: ChannelId,
    /// Its name on that channel.
    pub(crate) consumer_tag: Arc<str>,
    /// Deliveries must be acknowledged.
    pub(crate) ack_required: bool,
    /// No other consumer is allowed.
    pub(crate) exclusive: bool,
    /// How many unacknowledged messages it may have; 0 for no limit.
    pub(crate) prefetch_count: u16,
    /// `x-consumer-timeout` in milliseconds.
    pub(crate) timeout_ms: Option<u64>,
    /// The arguments as the client gave them.
    pub(crate) raw_arguments: EncodedTable,
    /// What it waits for.
    pub(crate) state: ConsumerState,
}

impl Queue {
    pub(super) fn snapshot(&self) -> QueueSnapshot {
        let is_up = |(_, state): &(_, ConsumerState)| matches!(state, ConsumerState::Up | ConsumerState::SingleActive);
        // The first one stands for all. In a classic queue an exclusive consumer is the only one.
        let exclusive = self.service.consumers.has_exclusive().then(|| self.service.consumers.iter().next()).flatten();
        let persistent = self.persistent();
        QueueSnapshot {
            messages_persistent: persistent.messages,
            message_bytes_persistent: persistent.bytes,
            message_bytes_ram: self.order.ready.known_bytes() + self.order.unacked.bytes(),
            messages_ready: self.order.ready.len(),
            messages_unacknowledged: self.order.unacked.len(),
            messages_delayed: self.order.held_back.len(),
            messages_dlx: self.order.dying.len(),
            message_bytes_ready: self.order.ready.bytes(),
            message_bytes_unacknowledged: self.order.unacked.bytes(),
            messages_ram: self.known_len(),
            entry_bytes: u64::try_from(self.told_entry_bytes).unwrap_or(0),
            consumers: self.service.consumers.len(),
            consumers_waiting: self.service.consumers.states().filter(is_up).count(),
            single_active_consumer_tag: self.service.consumers.active().map(|spec| Arc::clone(&spec.consumer_tag)),
            exclusive_consumer_tag: exclusive.map(|consumer| Arc::clone(&consumer.spec.consumer_tag)),
            is_paused: self.service.is_paused(),
            used_at_ms: self.service.used_at_ms(),
            head_message_timestamp: self.order.ready.head_timestamp(),
            oldest_ready: self.oldest_ready(),
            oldest_delivery: self.order.unacked.oldest_delivery(),
            policies: self.policies.clone(),
            delivery_limit: self.arguments.delivery_limit,
            stats: self.passed.stats(),
            deaths: self.passed.deaths(),
            dead_letters: self.dead_letter_strategy(),
        }
    }

    fn persistent(&self) -> Persistent {
        if self.arguments.kind.rules().keeps_all {
            let messages =
                self.order.ready.len() + self.order.unacked.len() + self.order.held_back.len() + self.order.dying.len();
            return Persistent { messages, bytes: self.order.ready.bytes() + self.order.unacked.bytes() };
        }
        let (ready, unacked) = (self.order.ready.persistent(), self.order.unacked.persistent());
        Persistent { messages: ready.messages + unacked.messages, bytes: ready.bytes + unacked.bytes }
    }

    pub(super) fn consumer_snapshots(&self) -> Vec<ConsumerSnapshot> {
        let snapshot = |(consumer, state): (&Consumer, ConsumerState)| ConsumerSnapshot {
            id: consumer.spec.id,
            channel: consumer.spec.channel,
            consumer_tag: Arc::clone(&consumer.spec.consumer_tag),
            ack_required: !consumer.spec.no_ack,
            exclusive: consumer.spec.exclusive,
            prefetch_count: consumer.spec.prefetch_count,
            timeout_ms: consumer.spec.timeout_ms,
            raw_arguments: consumer.spec.raw_arguments.clone(),
            state,
        };
        self.service.consumers.states().map(snapshot).collect()
    }
}
