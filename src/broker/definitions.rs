//! Everything durable that is no message, as the log and the checkpoints have it: exchanges, queues and bindings, and what administrators
//! define.
//!
//! A definition is one change. Changes are applied to what is known by identities, which are never used again, so that a
//! checkpoint that has seen some of them already does no harm: a name is free again only for another identity.

mod administered;
mod codec;
mod contradictions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::exchange::{Binding, Destination};
use super::ids::{ExchangeId, QueueId};
use super::metadata::MetadataState;
use super::topology::ExchangeSpec;
use crate::table::Table;

pub(crate) use administered::{Administered, VhostDefinition, VhostLimits, is_shallow};
pub use administered::{
    ApplyTo, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition,
    TopicPermissionDefinition,
};
pub(in crate::broker) use contradictions::Replaced;

/// A queue that survives a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDefinition {
    pub(crate) vhost: String,
    pub(crate) id: QueueId,
    pub(crate) name: String,
    /// Goes with its last consumer.
    pub(crate) auto_delete: bool,
    pub(crate) arguments: Table,
}

/// An exchange that survives a restart.
#[derive(Clone, Debug)]
pub struct ExchangeDefinition {
    pub(crate) vhost: String,
    pub(crate) id: ExchangeId,
    /// What it was declared as.
    pub(crate) spec: ExchangeSpec,
    /// A binding led from it once. It is auto-delete then: of others nobody asks.
    pub(crate) was_bound: bool,
}

/// A binding between durable things.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingDefinition {
    /// Where it leads from.
    pub(crate) source: ExchangeId,
    pub(crate) binding: Arc<Binding>,
}

impl BindingDefinition {
    /// A binding from this exchange.
    pub fn new(source: ExchangeId, binding: &Arc<Binding>) -> Self {
        Self { source, binding: Arc::clone(binding) }
    }
}

/// A change of what is durable and no message, as the log has it.
#[derive(Clone, Debug)]
pub enum Definition {
    /// An administrator put or deleted something.
    Administered(Administered),
    /// An exchange was declared.
    Exchange(ExchangeDefinition),
    /// An exchange is gone, with its bindings.
    ExchangeDeleted(ExchangeId),
    /// A queue was declared.
    Queue(QueueDefinition),
    /// A queue is gone, with its bindings and messages.
    QueueDeleted(QueueId),
    /// A binding was added.
    Bound(BindingDefinition),
    /// A binding was removed.
    Unbound(BindingDefinition),
}

/// What a row of changes comes to.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    /// What administrators defined.
    pub(crate) metadata: MetadataState,
    /// Exchanges by identity.
    pub(crate) exchanges: BTreeMap<u64, ExchangeDefinition>,
    /// Queues by identity.
    pub(crate) queues: BTreeMap<u64, QueueDefinition>,
    /// Bindings by all that they are, numbered in the order in which they were made.
    bindings: BTreeMap<Vec<u8>, (u64, BindingDefinition)>,
    next_binding: u64,
    /// Exchanges and queues by their virtual host, to go with it.
    owned: BTreeMap<String, BTreeSet<Destination>>,
    /// What was ever declared or deleted, and what delayed messages are known by.
    heard: BTreeSet<Destination>,
}

impl Definitions {
    /// Applies one more change.
    pub(crate) fn apply(&mut self, definition: Definition) {
        match definition {
            Definition::Administered(change) => {
                if let Administered::VhostDeleted { name } = &change {
                    // Before the metadata: the log has one change for a virtual host, and
                    // none for each thing in it.
                    self.delete_all_of(name);
                }
                if let Administered::Vhost(vhost) = &change {
                    self.heard.insert(Destination::Queue(vhost.delayed));
                }
                self.metadata.apply(change);
            }
            Definition::Exchange(exchange) => {
                self.own(&exchange.vhost, Destination::Exchange(exchange.id));
                self.exchanges.insert(exchange.id.0, exchange);
            }
            Definition::ExchangeDeleted(id) => {
                self.heard.insert(Destination::Exchange(id));
                if let Some(exchange) = self.exchanges.remove(&id.0) {
                    self.disown(&exchange.vhost, Destination::Exchange(id));
                }
            }
            Definition::Queue(queue) => {
                self.own(&queue.vhost, Destination::Queue(queue.id));
                self.queues.insert(queue.id.0, queue);
            }
            Definition::QueueDeleted(id) => {
                self.heard.insert(Destination::Queue(id));
                if let Some(queue) = self.queues.remove(&id.0) {
                    self.disown(&queue.vhost, Destination::Queue(id));
                }
            }
            Definition::Bound(bound) => {
                // One that is heard of again keeps its place.
                self.bindings.entry(identity(&bound)).or_insert((self.next_binding, bound));
                self.next_binding += 1;
            }
            Definition::Unbound(bound) => {
                self.bindings.remove(&identity(&bound));
            }
        }
    }

    fn own(&mut self, vhost: &str, thing: Destination) {
        self.heard.insert(thing);
        match self.owned.get_mut(vhost) {
            Some(owned) => owned.insert(thing),
            None => self.owned.entry(vhost.to_owned()).or_default().insert(thing),
        };
    }

    fn disown(&mut self, vhost: &str, thing: Destination) {
        if let Some(owned) = self.owned.get_mut(vhost) {
            owned.remove(&thing);
        }
    }

    /// A virtual host takes its exchanges and queues along without further changes.
    fn delete_all_of(&mut self, vhost: &str) {
        for thing in self.owned.remove(vhost).unwrap_or_default() {
            match thing {
                Destination::Queue(id) => drop(self.queues.remove(&id.0)),
                Destination::Exchange(id) => drop(self.exchanges.remove(&id.0)),
            }
        }
    }

    /// The bindings of which both ends are still there, in the order in which they were made.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = &BindingDefinition> {
        // What is deleted takes its bindings along without a change for each, so those are left out here.
        let has_ends = |(_, bound): &&(u64, BindingDefinition)| {
            let has_destination = match bound.binding.destination() {
                Destination::Queue(id) => self.queues.contains_key(&id.0),
                Destination::Exchange(id) => self.exchanges.contains_key(&id.0),
            };
            has_destination && self.exchanges.contains_key(&bound.source.0)
        };
        let mut bindings: Vec<_> = self.bindings.values().filter(has_ends).collect();
        // Hash exchanges number their buckets in this order.
        bindings.sort_unstable_by_key(|(number, _)| *number);
        bindings.into_iter().map(|(_, bound)| bound)
    }

    /// The largest identity that occurs.
    pub(crate) fn last_id(&self) -> u64 {
        let exchanges = self.exchanges.keys().next_back();
        let queues = self.queues.keys().next_back();
        let delayed = self.metadata.vhosts.values().map(|vhost| &vhost.delayed.0).max();
        [exchanges, queues, delayed].into_iter().flatten().copied().max().unwrap_or(0)
    }
}

/// Equal bindings have equal bytes.
fn identity(bound: &BindingDefinition) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec::put_binding(&mut bytes, codec::BOUND, bound);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::exchange;
    use crate::broker::queue::arguments::QueueKind;

    pub(super) fn queue(id: u64) -> Definition {
        let arguments = [("x-max-length", 5)].into_iter().collect();
        let (vhost, name) = ("/".to_owned(), "q".to_owned());
        Definition::Queue(QueueDefinition { vhost, id: QueueId(id), name, auto_delete: true, arguments })
    }

    pub(super) fn exchange(id: u64, kind: &str) -> Definition {
        let spec = ExchangeSpec {
            name: "x".into(),
            kind: exchange::lookup(kind).unwrap(),
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: (&[("alternate-exchange", "other")].into_iter().collect::<Table>()).into(),
            alternate: Some("other".into()),
        };
        Definition::Exchange(ExchangeDefinition {
            vhost: "/".to_owned(),
            id: ExchangeId(id),
            spec,
            was_bound: id.is_multiple_of(2),
        })
    }

    fn bound(source: u64, queue: u64, key: &str) -> BindingDefinition {
        let arguments = [("b", 1), ("a", 2)].into_iter().collect();
        let destination = Destination::Queue(QueueId(queue));
        let binding = Binding::new(destination, key.as_bytes(), arguments).into();
        BindingDefinition { source: ExchangeId(source), binding }
    }

    #[test]
    fn definitions_come_back() {
        let vhost = VhostDefinition::new("/", QueueKind::Quorum, QueueId(3));
        let all = [
            Definition::Administered(Administered::Vhost(vhost)),
            exchange(4, "topic"),
            queue(5),
            Definition::Bound(bound(4, 5, "a.#")),
            Definition::Unbound(bound(4, 5, "a.#")),
            Definition::ExchangeDeleted(ExchangeId(4)),
            Definition::QueueDeleted(QueueId(5)),
        ];
        for definition in all {
            let bytes = definition.encode();
            let back = Definition::decode(&bytes).unwrap();
            assert_eq!(format!("{back:?}"), format!("{definition:?}"));
            assert!(Definition::decode(&bytes[..bytes.len() - 1]).is_none());
        }
    }

    #[test]
    fn a_change_that_was_seen_already_does_no_harm() {
        let changes = [exchange(4, "topic"), queue(5), Definition::QueueDeleted(QueueId(5)), queue(6)];
        let mut definitions = Definitions::default();
        for definition in changes.iter().chain(&changes).cloned() {
            definitions.apply(definition);
        }
        assert_eq!(definitions.queues.keys().copied().collect::<Vec<_>>(), [6]);
        assert_eq!(definitions.last_id(), 6);
    }

    #[test]
    fn what_is_in_a_virtual_host_goes_with_it() {
        let vhost =
            || Definition::Administered(Administered::Vhost(VhostDefinition::new("/", QueueKind::Classic, QueueId(1))));
        let deleted = Definition::Administered(Administered::VhostDeleted { name: "/".to_owned() });
        let bind = Definition::Bound(bound(4, 5, "k"));
        let before = [vhost(), exchange(4, "topic"), queue(5), queue(6), bind, Definition::QueueDeleted(QueueId(6))];
        let after = [vhost(), exchange(7, "topic"), queue(8)];
        let mut definitions = Definitions::default();
        // A checkpoint that has seen the end already, and then the log.
        let changes = after.iter().chain(&before).chain(std::iter::once(&deleted)).chain(&after);
        changes.cloned().for_each(|change| definitions.apply(change));
        let ids = |map: Vec<&u64>| map.into_iter().copied().collect::<Vec<_>>();
        assert_eq!(ids(definitions.queues.keys().collect()), [8]);
        assert_eq!(ids(definitions.exchanges.keys().collect()), [7]);
        assert_eq!((definitions.bindings().count(), definitions.metadata.vhosts.len()), (0, 1));
    }

    #[test]
    fn a_binding_goes_with_either_end() {
        let mut definitions = Definitions::default();
        let bind = |queue| Definition::Bound(bound(4, queue, "k"));
        for definition in [exchange(4, "direct"), queue(5), queue(6), bind(5), bind(6), bind(5)] {
            definitions.apply(definition);
        }
        assert_eq!(definitions.bindings().count(), 2);
        definitions.apply(Definition::QueueDeleted(QueueId(5)));
        assert_eq!(definitions.bindings().count(), 1);
        definitions.apply(Definition::Unbound(bound(4, 6, "k")));
        assert_eq!(definitions.bindings().count(), 0);
    }

    /// Hash exchanges number their buckets by it.
    #[test]
    fn bindings_keep_the_order_in_which_they_were_made() {
        let mut definitions = Definitions::default();
        let bind = |key| Definition::Bound(bound(4, 5, key));
        let unbind = |key| Definition::Unbound(bound(4, 5, key));
        for change in
            [exchange(4, "direct"), queue(5), bind("z"), bind("a"), bind("m"), bind("z"), unbind("a"), bind("a")]
        {
            definitions.apply(change);
        }
        let keys: Vec<_> = definitions.bindings().map(|bound| bound.binding.routing_key().to_vec()).collect();
        assert_eq!(keys, [b"z", b"m", b"a"]);
    }
}
