//! The queues of a virtual host, found by their identity and by their name.
//!
//! The registry of names holds no name of its own, because a queue knows its name: an idle queue costs little in it, of the 1.2 KB that
//! it may take. That of identities holds these, so that a list of all of them touches no queue.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::broker::ids::QueueId;
use crate::broker::queue::QueueHandle;
use crate::broker::split_map::{FxSplitMap, SplitMap};

/// A queue that is known by its name.
#[derive(Debug)]
struct ByName(Arc<QueueHandle>);

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.spec.name
    }
}

// It must be equal, and have the hash, exactly as the name that it is looked up by.
impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.spec.name == other.0.spec.name
    }
}

impl Eq for ByName {}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.spec.name.hash(state);
    }
}

/// Invariant: a queue is in both or in neither.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_id: FxSplitMap<QueueId, Arc<QueueHandle>>,
    /// The names are a client's, so the hash is keyed.
    by_name: SplitMap<ByName, ()>,
}

impl Queues {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn get(&self, id: &QueueId) -> Option<&Arc<QueueHandle>> {
        self.by_id.get(id)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<QueueHandle>> {
        self.by_name.get_entry(name).map(|(ByName(queue), ())| queue)
    }

    /// Adds a queue whose identity and whose name are free.
    pub(super) fn insert(&mut self, queue: Arc<QueueHandle>) {
        debug_assert!(self.named(&queue.spec.name).is_none(), "the name is free");
        self.by_name.insert(ByName(Arc::clone(&queue)), ());
        self.by_id.insert(queue.id, queue);
    }

    pub(super) fn remove(&mut self, id: QueueId) -> Option<Arc<QueueHandle>> {
        let queue = self.by_id.remove(&id)?;
        self.by_name.remove(&*queue.spec.name);
        Some(queue)
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<QueueHandle>> {
        self.by_id.values()
    }

    /// Their identities, in no order.
    pub(super) fn ids(&self) -> Vec<QueueId> {
        self.by_id.keys().copied().collect()
    }

    /// # Panics
    /// When the two registries differ.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert_eq!(self.by_id.len(), self.by_name.len(), "a queue is in both registries");
        for queue in self.iter() {
            let named = self.named(&queue.spec.name);
            assert!(named.is_some_and(|named| named.id == queue.id), "{} is its queue", queue.spec.name);
        }
    }
}
