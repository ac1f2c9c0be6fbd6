//! A walk past all messages that are known one by one, in steps: so the queue is never locked for longer than one step takes, however
//! many messages it has.
//!
//! Messages go on moving in between. The places are visited in the order in which messages go through them, so that one that moves
//! on is met again:
//!
//! ```text
//!   held back ----> ready ----> dying, unacked
//! ```
//!
//! What moves the other way could pass a walk unseen: it comes from the unacknowledged messages, or is a dead letter that found no
//! queue. A walk that must not miss it is told of it when it moves (`Backing::meet`). Within a place, a message is met that was
//! there when the walk came to the place: what leaves does so at the front, or is looked for by its number.

use super::entry::Entry;
use super::paging::Search;
use super::recounted::Recounted;
use super::relocation::Relocation;
use super::unacked::HolderId;
use super::{Queue, entry};
use crate::store::seq::Seq;

/// Messages that are visited under one lock.
pub(super) const VISITED_AT_ONCE: usize = 1024;

/// A place among the messages that are known one by one, in the order of a walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Spot {
    /// From this time and sequence number on.
    HeldBack((u64, Seq)),
    /// So many in front of all levels are left: from the last to the first, because they leave at the front.
    Returned(usize),
    /// In a level: its requeued messages, then its fresh ones, from this sequence number on.
    Ready { priority: u8, is_fresh: bool, seq: Seq },
    /// So many dead letters that found no queue are left, from the last to the first.
    Unrouted(usize),
    /// So many other dead letters are left, from the last to the first.
    Dying(usize),
    /// From this delivery of this holder on.
    Unacked(HolderId, u64),
}

impl Spot {
    /// Where a walk begins.
    pub(super) const START: Self = Self::HeldBack((0, Seq::FIRST));

    /// What a message that is met there does.
    pub(super) const fn state(self) -> entry::State {
        match self {
            Self::HeldBack(_) | Self::Returned(_) | Self::Ready { .. } => entry::State::Waiting,
            Self::Unrouted(_) | Self::Dying(_) => entry::State::Dying,
            Self::Unacked(..) => entry::State::Out,
        }
    }

    pub(super) fn starts(self) -> Starts {
        // Each of these is the one before it without one place more, so that a spot says "from here,
        // and all later places".
        let all = Starts {
            held_back: (0, Seq::FIRST),
            returned: usize::MAX,
            level: (i16::MAX, false, Seq::FIRST),
            unrouted: usize::MAX,
            dying: usize::MAX,
            unacked: (HolderId::FIRST, 0),
        };
        let no_held_back = Starts { held_back: (u64::MAX, Seq::BEHIND_ALL), ..all };
        let no_returned = Starts { returned: 0, ..no_held_back };
        let no_levels = Starts { level: (i16::MIN, false, Seq::FIRST), ..no_returned };
        let no_unrouted = Starts { unrouted: 0, ..no_levels };
        match self {
            Self::HeldBack(held_back) => Starts { held_back, ..all },
            Self::Returned(returned) => Starts { returned, ..no_held_back },
            Self::Ready { priority, is_fresh, seq } => {
                Starts { level: (priority.into(), is_fresh, seq), ..no_returned }
            }
            Self::Unrouted(unrouted) => Starts { unrouted, ..no_levels },
            Self::Dying(dying) => Starts { dying, ..no_unrouted },
            Self::Unacked(holder, delivery) => Starts { dying: 0, unacked: (holder, delivery), ..no_unrouted },
        }
    }
}

/// Where to begin in each of the places: at the beginning in those that come later, behind the end in those before.
#[derive(Clone, Copy)]
pub(super) struct Starts {
    pub(super) held_back: (u64, Seq),
    pub(super) returned: usize,
    /// The first level; of the others, all messages.
    pub(super) level: (i16, bool, Seq),
    pub(super) unrouted: usize,
    pub(super) dying: usize,
    pub(super) unacked: (HolderId, u64),
}

/// What is told of messages that move against the order of its walk.
#[derive(Debug)]
pub(super) enum Walk {
    Search(Search),
    Relocation(Relocation),
}

impl Walk {
    pub(super) fn meet(&mut self, entry: &mut Entry, state: entry::State, recounted: &mut Recounted) {
        match self {
            Self::Search(search) => search.note_slipped(entry),
            Self::Relocation(relocation) => relocation.meet(entry, state, recounted),
        }
    }
}

impl Queue {
    /// Visits some of the messages that are not fresh: where to go on, or `None` at the end.
    pub(super) fn visit_some(&mut self, from: Spot, mut visit: impl FnMut(&mut Entry)) -> Option<Spot> {
        let mut entries = self.order.entries_from(from, false);
        entries.by_ref().take(VISITED_AT_ONCE).for_each(|(_, entry)| visit(entry));
        // The first that was not visited is where the next step begins. If it has moved on by then, the next
        // one of its place is met instead.
        entries.next().map(|(spot, _)| spot)
    }
}
