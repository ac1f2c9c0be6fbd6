//! What was counted by channels, connections and queues that have ended: sums over all that ever was do not shrink.

use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;
use std::sync::Arc;

use super::{ConnectionCounters, Registry};
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{DeadLetterStrategy, Retired};
use crate::metrics::{DeathStats, MessageStats};

/// What was counted by what has ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// What passed through channels.
    pub(super) channels: MessageStats,
    /// The same, by virtual host.
    pub(super) of_vhosts: HashMap<Arc<str>, MessageStats>,
    pub(super) connections: ConnectionTotals,
    queues: RetiredQueues,
}

/// What connections sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]

pub(crate) struct ConnectionTotals {
    pub(crate) received_bytes: u64,
    pub(crate) reads: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) writes: u64,
}

impl ConnectionTotals {
    pub(super) fn of(counters: &ConnectionCounters) -> Self {
        Self {
            received_bytes: counters.received_bytes.get(),
            reads: counters.reads.get(),
            sent_bytes: counters.sent_bytes.get(),
            writes: counters.writes.get(),
        }
    }
}

impl AddAssign for ConnectionTotals {
    fn add_assign(&mut self, other: Self) {
        self.received_bytes += other.received_bytes;
        self.reads += other.reads;
        self.sent_bytes += other.sent_bytes;
        self.writes += other.writes;
    }
}

/// What queues counted that are deleted.
#[derive(Clone, Debug, Default)]
pub(crate) struct RetiredQueues {
    /// What passed through them, by type.
    pub(crate) passed: BTreeMap<QueueKind, MessageStats>,
    /// What died in them, by type and by what became of it.
    pub(crate) died: BTreeMap<(QueueKind, DeadLetterStrategy), DeathStats>,
}

impl RetiredQueues {
    /// Adds what one queue counted.
    pub(crate) fn add(&mut self, kind: QueueKind, retired: Retired) {
        *self.passed.entry(kind).or_default() += retired.stats;
        if retired.deaths != DeathStats::default() {
            *self.died.entry((kind, retired.dead_letters)).or_default() += retired.deaths;
        }
    }
}

impl Registry {
    /// A queue of this type is deleted, which counted this.
    pub(crate) fn retire_queue(&self, kind: QueueKind, retired: Retired) {
        self.ended.lock().queues.add(kind, retired);
    }

    /// What queues counted that are deleted.
    pub(crate) fn retired_queues(&self) -> RetiredQueues {
        self.ended.lock().queues.clone()
    }

    /// So many messages of a virtual host are lost because they cannot be read back. They count for it and for the whole broker, as what
    /// passed through channels does; a queue counts its own, too.
    pub(in crate::broker) fn count_unreadable(&self, vhost: &Arc<str>, count: usize) {
        let lost = MessageStats { unreadable: count as u64, ..MessageStats::default() };
        let mut ended = self.ended.lock();
        ended.channels += lost;
        *ended.of_vhosts.entry(Arc::clone(vhost)).or_default() += lost;
    }

    /// What channels counted that have ended.
    pub(crate) fn ended_channels(&self) -> MessageStats {
        self.ended.lock().channels
    }

    /// What connections sent and received that have ended.
    pub(crate) fn ended_connections(&self) -> ConnectionTotals {
        self.ended.lock().connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_queues_counted_is_added_up_by_type_and_by_strategy() {
        let registry = Registry::default();
        let stats = MessageStats { publish: 3, ..MessageStats::default() };
        let deaths = DeathStats { expired: 2, ..DeathStats::default() };
        let retired = Retired { stats, deaths, dead_letters: DeadLetterStrategy::AtMostOnce };
        registry.retire_queue(QueueKind::Classic, retired);
        registry.retire_queue(QueueKind::Classic, Retired { dead_letters: DeadLetterStrategy::Disabled, ..retired });
        registry.retire_queue(QueueKind::Quorum, Retired { deaths: DeathStats::default(), ..retired });
        let queues = registry.retired_queues();
        assert_eq!((queues.passed[&QueueKind::Classic].publish, queues.passed[&QueueKind::Quorum].publish), (6, 3));
        let died: Vec<_> =
            queues.died.iter().map(|((_, strategy), deaths)| (strategy.name(), deaths.expired)).collect();
        assert_eq!(died, [("disabled", 2), ("at_most_once", 2)]);
    }
}
