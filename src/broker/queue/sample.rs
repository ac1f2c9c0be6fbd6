//! What is taken down of every queue every few seconds: a few numbers, under one short hold of its lock.

use super::Queue;
use super::ready::Head;
use crate::broker::ids::QueueId;
use crate::metrics::{DeathStats, MessageStats};

/// A queue at one moment, for statistics and the alert rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSample {
    pub(crate) id: QueueId,
    /// All its messages, wherever they are.
    pub(crate) messages: u64,
    /// Messages that can be delivered.
    pub(crate) ready: u64,
    /// Messages that were delivered and are not settled.
    pub(crate) unacked: u64,
    pub(crate) consumers: u64,
    /// It delivers nothing until somebody ends the pause.
    pub(crate) is_paused: bool,
    /// Its messages expire into another queue by and by: nobody is to consume here.
    pub(crate) is_wait_queue: bool,
    /// The number that the next message gets.
    pub(crate) next_seq: u64,
    /// The smallest number of a message at the head of a priority level.
    pub(crate) oldest_ready: Option<u64>,
    /// How many deliveries there were that must be settled.
    pub(crate) deliveries: u64,
    /// The first of them that is not settled.
    pub(crate) oldest_delivery: Option<u64>,
    /// Deliveries to consumers.
    pub(crate) delivered: u64,
    /// Those of them that were of messages that were delivered before.
    pub(crate) redelivered: u64,
    /// Messages that became dead letters.
    pub(crate) deaths: u64,
    /// What passed through it.
    pub(crate) passed: MessageStats,
}

impl QueueSample {
    /// There is no message, and none was ever delivered or became a dead letter.
    pub(crate) fn is_untouched(&self) -> bool {
        self.messages + self.deliveries + self.delivered + self.deaths == 0
    }
}

impl Queue {
    pub(super) fn sample(&self, id: QueueId) -> QueueSample {
        let stats = self.passed.stats();
        let (ready, unacked) = (self.order.ready.len() as u64, self.order.unacked.len() as u64);
        QueueSample {
            id,
            messages: ready + unacked + (self.order.held_back.len() + self.order.dying.len()) as u64,
            ready,
            unacked,
            consumers: self.service.consumers.len() as u64,
            is_paused: self.service.is_paused(),
            is_wait_queue: self.arguments.message_ttl_ms.is_some() && self.arguments.dead_letters.is_some(),
            next_seq: self.order.next_seq().0,
            oldest_ready: self.oldest_ready(),
            deliveries: self.order.deliveries(),
            oldest_delivery: self.order.unacked.oldest_delivery(),
            delivered: stats.deliver + stats.deliver_no_ack,
            redelivered: stats.redeliver,
            deaths: self.dead_letter_count_ever(),
            passed: stats,
        }
    }

    /// Messages that died and were not simply dropped.
    fn dead_letter_count_ever(&self) -> u64 {
        let DeathStats { rejected, expired, maxlen, delivery_limit, .. } = self.passed.deaths();
        let has_exchange = self.arguments.dead_letters.is_some();
        if has_exchange { rejected + expired + maxlen + delivery_limit } else { 0 }
    }

    pub(super) fn oldest_ready(&self) -> Option<u64> {
        let returned = self.order.ready.returned().front().map(|entry| entry.seq);
        let heads = self.order.ready.levels().iter().filter_map(|level| match level.head()? {
            Head::InMemory(entry) | Head::OnDisk(Some(entry)) => Some(entry.seq),
            // The first number of the part stands for what is left of it, without a read.
            Head::OnDisk(None) => level.paged.front().map(|unread| unread.part.first_seq),
        });
        heads.chain(returned).min().map(|seq| seq.0)
    }
}
