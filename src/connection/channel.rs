//! A channel's state: consumers, outstanding deliveries, confirms or a transaction. It belongs to its connection's task.
//!
//! ```text
//!   (absent) --open--> Open --our channel.close--> Closing --close-ok--> (absent)
//!                        \----- the client's channel.close -----------> (absent)
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::confirms::Confirms;
use super::incoming::IncomingBody;
use super::transaction::Transaction;
use super::unacked::{Outstanding, UnackedTags};
use crate::broker::byte_count::{ByteCount, Taken};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::{ChannelCredit, QueueHandle};
use crate::broker::registry::{ChannelInfo, ChannelRegistration};
use crate::broker::sink::Token;
use crate::error::AmqpError;
use crate::metrics::MessageStats;
use crate::protocol::assembler::Assembler;

/// Whether the channel still takes methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelPhase {
    /// It does.
    Open,
    /// We closed it: everything is discarded until the client's `channel.close-ok`.
    Closing,
}

/// How publishes are answered.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// Not at all.
    #[default]
    Plain,
    /// With confirms.
    Confirm(Confirms),
    /// All at once with `tx.commit-ok`.
    Transaction(Box<Transaction>),
}

/// A consumer of this channel.
#[derive(Debug)]
pub(super) struct ChannelConsumer {
    /// Its name.
    pub(crate) consumer_tag: Arc<str>,
    /// The queue that it consumes from; `None` for the pseudo-queue of direct replies.
    pub(crate) queue: Option<Arc<QueueHandle>>,
    /// What it takes in memory: counted back when it is dropped.
    _taken: Taken,
}

/// A consumer with its places in the channel, the connection and the queue; its name and its arguments aside.
const CONSUMER_BYTES: usize = 768;

impl ChannelConsumer {
    /// A consumer whose memory is counted until it is gone. Nothing but memory bounds how many a channel has.
    pub(super) fn new(
        consumer_tag: Arc<str>,
        queue: Option<Arc<QueueHandle>>,
        argument_bytes: usize,
        count: &Arc<ByteCount>,
    ) -> Self {
        let _taken = Taken::new(count, CONSUMER_BYTES + consumer_tag.len() + argument_bytes);
        Self { consumer_tag, queue, _taken }
    }
}

/// The requester's side of direct reply-to.
#[derive(Clone, Debug)]
pub(super) struct ReplyTo {
    pub(crate) consumer: ConsumerId,
    /// The name that its requests carry.
    pub(crate) name: String,
}

#[derive(Debug)]
pub(super) struct Channel {
    /// Its identity; its number can be reused.
    pub(crate) id: ChannelId,
    /// Whether it still takes methods.
    pub(crate) phase: ChannelPhase,
    /// Joins methods and contents.
    pub(crate) assembler: Assembler<IncomingBody>,
    /// The last delivery tag given.
    last_delivery_tag: u64,
    /// Deliveries that are not settled.
    pub(crate) unacked: UnackedTags,
    /// Consumers by identity.
    pub(crate) consumers: FxHashMap<ConsumerId, ChannelConsumer>,
    /// Consumers by name; clients choose these, hence a map that cannot be made slow from outside.
    consumer_tags: HashMap<Arc<str>, ConsumerId>,
    /// What `basic.qos` set for consumers that start from now on.
    pub(crate) prefetch_count: u16,
    /// What `basic.qos` with `global` set for all consumers together.
    pub(crate) credit: Arc<ChannelCredit>,
    /// The queue that an empty name stands for.
    pub(crate) last_queue: Option<String>,
    /// How publishes are answered.
    pub(crate) mode: Mode,
    /// Set while the channel consumes direct replies.
    pub(crate) reply_to: Option<ReplyTo>,
    /// What passed through it. Confirms are counted by `mode`.
    pub(crate) stats: MessageStats,
    /// Lists the channel for others; `None` once it is closed and only waits for the client's answer.
    registration: Option<ChannelRegistration>,
}

impl Channel {
    /// A channel that was just opened.
    pub(super) fn new(id: ChannelId, registration: Option<ChannelRegistration>) -> Self {
        Self {
            id,
            phase: ChannelPhase::Open,
            assembler: Assembler::default(),
            last_delivery_tag: 0,
            unacked: UnackedTags::default(),
            consumers: FxHashMap::default(),
            consumer_tags: HashMap::new(),
            prefetch_count: 0,
            credit: Arc::default(),
            last_queue: None,
            mode: Mode::Plain,
            reply_to: None,
            stats: MessageStats::default(),
            registration,
        }
    }

    /// How others see it; `None` once it is closed and only waits for the client's answer.
    pub(super) fn info(&self) -> Option<&ChannelInfo> {
        self.registration.as_ref().map(|registration| &**registration.info())
    }

    /// Gives a delivery its tag, and remembers it when the client must settle it.
    pub(super) fn tag_delivery(
        &mut self,
        queue: Option<&Arc<QueueHandle>>,
        token: Option<Token>,
        is_consumed: bool,
    ) -> u64 {
        // Deliveries that need no acknowledgement take a number, too (behaviour reference 5.5).
        self.last_delivery_tag += 1;
        let count = match (is_consumed, token.is_some()) {
            (true, true) => &mut self.stats.deliver,
            (true, false) => &mut self.stats.deliver_no_ack,
            (false, true) => &mut self.stats.get,
            (false, false) => &mut self.stats.get_no_ack,
        };
        *count += 1;
        if let (Some(queue), Some(token)) = (queue, token) {
            let outstanding = Outstanding { queue: Arc::clone(queue), token, is_consumed };
            self.unacked.push(self.last_delivery_tag, outstanding);
        }
        self.last_delivery_tag
    }

    /// Whether a delivery of this channel had the tag, settled or not.
    pub(super) const fn has_given(&self, delivery_tag: u64) -> bool {
        delivery_tag > 0 && delivery_tag <= self.last_delivery_tag
    }

    /// The consumer of this tag.
    pub(super) fn consumer(&self, consumer_tag: &str) -> Option<ConsumerId> {
        self.consumer_tags.get(consumer_tag).copied()
    }

    /// Adds a consumer; its tag must be free.
    pub(super) fn add_consumer(&mut self, id: ConsumerId, consumer: ChannelConsumer) {
        self.consumer_tags.insert(Arc::clone(&consumer.consumer_tag), id);
        self.consumers.insert(id, consumer);
    }

    /// Takes a consumer off.
    pub(super) fn remove_consumer(&mut self, id: ConsumerId) -> Option<ChannelConsumer> {
        let consumer = self.consumers.remove(&id)?;
        // Or it would be offered the credit that it waited for, and nobody else would.
        self.credit.forget(id);
        self.consumer_tags.remove(&consumer.consumer_tag);
        Some(consumer)
    }

    /// The name that a method means: an empty one stands for the queue that was declared last.
    ///
    /// # Errors
    /// 404 when none was declared.
    pub(super) fn queue_name(&self, queue: String) -> Result<String, AmqpError> {
        if !queue.is_empty() {
            return Ok(queue);
        }
        self.last_queue.clone().ok_or_else(|| AmqpError::not_found("no previously declared queue"))
    }

    /// Takes out the deliveries that a settlement names.
    ///
    /// # Errors
    /// 406 when the tag is not outstanding.
    pub(super) fn take_settled(
        &mut self,
        delivery_tag: u64,
        multiple: bool,
    ) -> Result<Vec<(u64, Outstanding)>, AmqpError> {
        let taken = if multiple {
            self.unacked.take_up_to(delivery_tag)
        } else {
            self.unacked.take(delivery_tag).map(|taken| vec![(delivery_tag, taken)])
        };
        taken.ok_or_else(|| unknown_delivery_tag(delivery_tag))
    }
}

/// The 406 for a tag that is not outstanding.
pub(super) fn unknown_delivery_tag(delivery_tag: u64) -> AmqpError {
    AmqpError::precondition_failed(format!("unknown delivery tag {delivery_tag}"))
}
