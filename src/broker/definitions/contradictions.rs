//! What a start finds if records of changes were lost, as a salvaged log tells it: two things of one name, because the deletion of the
//! first one is not told; things in a virtual host that nobody made; messages of a queue that nobody declared.

use std::collections::BTreeMap;

use super::{Definitions, QueueDefinition, VhostDefinition};
use crate::broker::exchange::Destination;
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::queue::arguments::QueueKind;

/// Things whose names are those of others now.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Replaced {
    /// Each has lost its name to a queue that was declared later.
    pub(crate) queues: Vec<QueueDefinition>,
    /// Exchanges, and those that have their names.
    pub(crate) exchanges: BTreeMap<ExchangeId, ExchangeId>,
}

impl Definitions {
    /// Whether this was ever declared or deleted, as far as is told.
    pub(crate) fn has_heard_of(&self, thing: Destination) -> bool {
        self.heard.contains(&thing)
    }

    /// Takes out what has a name that something later has, too. Identities ascend, and a name is free only once what had it is deleted:
    /// so the one with the highest identity is there, and the deletion of the others is not told.
    pub(crate) fn take_replaced(&mut self) -> Replaced {
        let mut replaced = Replaced::default();
        let mut names = BTreeMap::new();
        let queues = self.queues.values().map(|queue| ((queue.vhost.as_str(), queue.name.as_str()), queue.id));
        let earlier: Vec<_> = queues.filter_map(|(name, id)| names.insert(name, id)).collect();
        replaced.queues = earlier.iter().filter_map(|id| self.queues.remove(&id.0)).collect();
        let mut names = BTreeMap::new();
        let exchanges =
            self.exchanges.values().map(|exchange| ((exchange.vhost.as_str(), &*exchange.spec.name), exchange.id));
        let earlier: Vec<_> = exchanges.filter_map(|(name, id)| Some((names.insert(name, id)?, name))).collect();
        replaced.exchanges = earlier.iter().filter_map(|(id, name)| Some((*id, *names.get(name)?))).collect();
        for id in replaced.exchanges.keys() {
            self.exchanges.remove(&id.0);
        }
        replaced
    }

    /// Makes the virtual hosts that exchanges or queues are in and that are not told of; their names.
    pub(crate) fn make_missing_vhosts(&mut self, kind: QueueKind, mut fresh: impl FnMut() -> u64) -> Vec<String> {
        let owners = self.owned.iter().filter(|(_, owned)| !owned.is_empty()).map(|(vhost, _)| vhost);
        let missing: Vec<_> = owners.filter(|name| !self.metadata.vhosts.contains_key(*name)).cloned().collect();
        for name in &missing {
            let vhost = VhostDefinition::new(name, kind, QueueId(fresh()));
            self.metadata.vhosts.insert(name.clone(), vhost);
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::definitions::tests::{exchange, queue};
    use crate::broker::definitions::{Administered, Definition};

    fn of(changes: impl IntoIterator<Item = Definition>) -> Definitions {
        let mut definitions = Definitions::default();
        changes.into_iter().for_each(|change| definitions.apply(change));
        definitions
    }

    #[test]
    fn of_two_with_one_name_the_later_one_has_it() {
        let mut definitions =
            of([queue(5), exchange(4, "topic"), exchange(6, "direct"), exchange(9, "topic"), queue(8), queue(7)]);
        let replaced = definitions.take_replaced();
        assert_eq!(replaced.queues.iter().map(|queue| queue.id.0).collect::<Vec<_>>(), [5, 7]);
        let later = [(ExchangeId(4), ExchangeId(9)), (ExchangeId(6), ExchangeId(9))];
        assert_eq!(replaced.exchanges, later.into_iter().collect());
        assert_eq!(definitions.queues.keys().copied().collect::<Vec<_>>(), [8]);
        assert_eq!(definitions.exchanges.keys().copied().collect::<Vec<_>>(), [9]);
        assert_eq!(definitions.take_replaced(), Replaced::default());
    }

    #[test]
    fn what_was_deleted_was_heard_of() {
        let queue_of = |id| Destination::Queue(QueueId(id));
        let deleted = Definition::QueueDeleted(QueueId(6));
        let vhost = VhostDefinition::new("v", QueueKind::Classic, QueueId(3));
        let definitions = of([queue(5), deleted, Definition::Administered(Administered::Vhost(vhost))]);
        assert_eq!([3, 4, 5, 6].map(|id| definitions.has_heard_of(queue_of(id))), [true, false, true, true]);
    }

    #[test]
    fn a_virtual_host_that_nobody_made_is_made_for_what_is_in_it() {
        let mut definitions = of([queue(5)]);
        assert_eq!(definitions.make_missing_vhosts(QueueKind::Classic, || 9), ["/"]);
        assert_eq!(definitions.metadata.vhosts.get("/").map(|vhost| vhost.delayed), Some(QueueId(9)));
        assert!(definitions.make_missing_vhosts(QueueKind::Classic, || 9).is_empty());
        let mut empty = of([queue(5), Definition::QueueDeleted(QueueId(5))]);
        assert!(empty.make_missing_vhosts(QueueKind::Classic, || 9).is_empty());
    }
}
