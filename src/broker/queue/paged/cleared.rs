//! Parts that a purge or a deletion took out unread, while their stretches are not free yet.

use std::iter;
use std::sync::Arc;

use super::packed::{Packed, PackedPlace};
use super::{Part, Unread};
use crate::store::record::Freed;

/// The unread parts of a level at the moment of a purge. Whoever frees them, step by step, shares them with the queue: a checkpoint
/// in between must name those that are not free, or a start would free what the log does not tell of.
#[derive(Debug)]
pub(in crate::broker::queue) struct Cleared {
    front: Unread,
    behind: Packed,
}

impl Cleared {
    pub(super) const fn new(front: Unread, behind: Packed) -> Self {
        Self { front, behind }
    }

    /// How many parts there are.
    pub(in crate::broker::queue) const fn len(&self) -> usize {
        1 + self.behind.len()
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        iter::once(self.front.part).chain(self.behind.iter().map(|unread| unread.part))
    }

    /// The part at this place, which moves on to the next: none at first, for the front.
    pub(super) fn next_at(&self, place: &mut Option<PackedPlace>) -> Option<Part> {
        match place {
            Some(place) => Some(self.behind.next_at(place)?.part),
            None => {
                *place = Some(PackedPlace::default());
                Some(self.front.part)
            }
        }
    }

    /// What is to be freed.
    pub(in crate::broker::queue) fn stretches(self: Arc<Self>) -> impl Iterator<Item = Freed> + Send {
        let (front, mut place) = (self.front.stretch(), PackedPlace::default());
        iter::once(front).chain(iter::from_fn(move || Some(self.behind.next_at(&mut place)?.stretch())))
    }
}
