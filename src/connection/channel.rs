//! A channel's state: consumers, outstanding deliveries, confirms or a transaction. It belongs to its connection's task.
//!
//! ```text
//!   (absent) --open--> Open --our channel.close--> Closing --close-ok--> (absent)
//!                        \----- the client's channel.close -----------> (absent)
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::confirms::Confirms;
use super::incoming::IncomingBody;
use super::transaction::Transaction;
use super::unacked::{Outstanding, UnackedTags};
use crate::broker::byte_count::{ByteCount, Taken};
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::{ChannelCredit, QueueHandle};
use crate::broker::registry::{ChannelInfo, ChannelRegistration};
use crate::broker::sink::{Delivery, Token};
use crate::error::AmqpError;
use crate::metrics::MessageStats;
use crate::protocol::assembler::Assembler;

/// The deliveries that one settlement names, with their tags. Nearly always it is one, which costs no allocation.
pub(super) type SettledDeliveries = SmallVec<[(u64, Outstanding); 1]>;

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

    /// Gives a delivery to a consumer its tag, and remembers it when the client must settle it. Returns the delivery tag and the
    /// consumer's own; `None` if there is no such consumer.
    pub(super) fn tag_delivery(&mut self, delivery: &Delivery) -> Option<(u64, &str)> {
        let consumer = self.consumers.get(&delivery.consumer)?;
        let count = match delivery.token {
            Some(_) => &mut self.stats.deliver,
            None => &mut self.stats.deliver_no_ack,
        };
        *count += 1;
        self.stats.redeliver += u64::from(delivery.redelivered);
        let outstanding = consumer.queue.as_ref().zip(delivery.token);
        let outstanding = outstanding.map(|(queue, token)| Outstanding::new(queue, token, true));
        let delivery_tag = next_delivery_tag(&mut self.last_delivery_tag, &mut self.unacked, outstanding);
        Some((delivery_tag, &consumer.consumer_tag))
    }

    /// Gives a message that was asked for with `basic.get` its tag, and remembers it when the client must settle it.
    pub(super) fn tag_got(&mut self, queue: &Arc<QueueHandle>, token: Option<Token>) -> u64 {
        let count = if token.is_some() { &mut self.stats.get } else { &mut self.stats.get_no_ack };
        *count += 1;
        let outstanding = token.map(|token| Outstanding::new(queue, token, false));
        next_delivery_tag(&mut self.last_delivery_tag, &mut self.unacked, outstanding)
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
    pub(super) fn take_settled(&mut self, delivery_tag: u64, multiple: bool) -> Result<SettledDeliveries, AmqpError> {
        let taken = if multiple {
            self.unacked.take_up_to(delivery_tag).map(SettledDeliveries::from_vec)
        } else {
            self.unacked.take(delivery_tag).map(|taken| SettledDeliveries::from_buf([(delivery_tag, taken)]))
        };
        taken.ok_or_else(|| unknown_delivery_tag(delivery_tag))
    }
}

/// The next number of a channel's deliveries. Those that need no acknowledgement take one, too (behaviour reference 5.5).
fn next_delivery_tag(last: &mut u64, unacked: &mut UnackedTags, outstanding: Option<Outstanding>) -> u64 {
    *last += 1;
    if let Some(outstanding) = outstanding {
        unacked.push(*last, outstanding);
    }
    *last
}

/// The 406 for a tag that is not outstanding.
pub(super) fn unknown_delivery_tag(delivery_tag: u64) -> AmqpError {
    AmqpError::precondition_failed(format!("unknown delivery tag {delivery_tag}"))
}
