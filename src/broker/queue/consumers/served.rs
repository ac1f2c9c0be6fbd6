//! Which consumers of a queue were handed something last.
//!
//! Invariants: at most [`SERVED_MAX`], each once.

use crate::broker::ids::ConsumerId;

/// So many are remembered: consumers that take turns pause in turn, and among so many of them one is found that does not. Each may be
/// asked for, which takes a lock, whenever publishers wait.
const SERVED_MAX: usize = 16;

/// The consumers that were handed something last.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// The last one is at the end.
    ids: Vec<ConsumerId>,
}

impl Served {
    /// Notes that this one was handed something.
    pub(super) fn note(&mut self, id: ConsumerId) {
        if self.ids.last() == Some(&id) {
            return;
        }
        // Most often it is the first one, because they take turns.
        if let Some(place) = self.ids.iter().position(|known| *known == id) {
            self.ids.remove(place);
        } else if self.ids.len() == SERVED_MAX {
            self.ids.remove(0);
        }
        self.ids.push(id);
    }

    /// The last one first.
    pub(super) fn iter(&self) -> impl Iterator<Item = ConsumerId> {
        self.ids.iter().rev().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_each_once() {
        let mut served = Served::default();
        let after = |served: &mut Served, ids: &[u64]| {
            ids.iter().for_each(|&id| served.note(ConsumerId(id)));
            served.iter().map(|id| id.0).collect::<Vec<_>>()
        };
        assert_eq!(after(&mut served, &[1, 2, 2, 3]), [3, 2, 1]);
        assert_eq!(after(&mut served, &[1]), [1, 3, 2]);
        let many: Vec<u64> = (10..10 + SERVED_MAX as u64).collect();
        assert!(after(&mut served, &many).into_iter().rev().eq(many), "the first ones are forgotten");
    }
}
