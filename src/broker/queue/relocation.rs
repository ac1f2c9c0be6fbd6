//! New places for messages that were written to segment files, or whose files were rewritten.
//!
//! Both end alike, in steps: what is written is told to the queue part by part, then a walk ([`walk`](super::walk)) gives each message
//! that is known one by one its new place. What is left at the end is not in the queue any more, and its new place is free.
//!
//! ```text
//!   parts, some at a time --> messages that are known one by one, some at a time --> what is left is free
//! ```

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::Queue;
use super::entry::{Body, Entry, State};
use super::recounted::Recounted;
use super::walk::{Spot, VISITED_AT_ONCE};
use crate::message::DeliveryCounts;
use crate::store::address::Address;
use crate::store::record::Freed;
use crate::store::segments::Written;
use crate::store::seq::Seq;

/// Where a message was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewPlace {
    pub(super) written: Written,
    pub(super) body_bytes: u32,
    pub(super) is_stored: bool,
}

impl NewPlace {
    const fn address(&self) -> Address {
        Address::in_segment(self.written.segment, self.written.offset)
    }

    /// What it takes in its file, to be freed.
    pub(super) fn freed(&self) -> Freed {
        let Written { segment, offset, bytes } = self.written;
        let body_bytes = if self.is_stored { u64::from(self.body_bytes) } else { 0 };
        let (end, stored) = (offset.saturating_add(bytes), u32::from(self.is_stored));
        Freed { segment, start: offset, end, stored, body_bytes }
    }
}

/// Messages that are known one by one, and have not got their new places yet.
#[derive(Debug)]
pub(super) enum Relocation {
    /// They leave the memory and the log: by their numbers. More are added while the queue is locked, and a hash map would be copied as a
    /// whole when it grows.
    ToFiles(BTreeMap<Seq, NewPlace>),
    /// Their file was rewritten: by their old places.
    Rewritten(FxHashMap<Address, NewPlace>),
}

impl Relocation {
    fn is_empty(&self) -> bool {
        match self {
            Self::ToFiles(places) => places.is_empty(),
            Self::Rewritten(places) => places.is_empty(),
        }
    }

    /// Gives a message its new place, if it is one of them.
    pub(super) fn meet(&mut self, entry: &mut Entry, state: State, recounted: &mut Recounted) {
        match self {
            Self::ToFiles(places) => {
                // Taken out, so that one that is met twice is given its place once, and what is left at
                // the end is in no place.
                if let Some(place) = places.remove(&entry.seq) {
                    move_to_file(entry, state, &place, recounted);
                }
            }
            Self::Rewritten(places) => {
                if let Some(place) = places.remove(&entry.address) {
                    entry.address = place.address();
                }
            }
        }
    }

    /// What is not wanted any more, to be freed.
    pub(super) fn into_freed(self) -> Vec<Freed> {
        match self {
            Self::ToFiles(places) => freed(places.into_values()),
            Self::Rewritten(places) => freed(places.into_values()),
        }
    }
}

fn freed(places: impl Iterator<Item = NewPlace>) -> Vec<Freed> {
    let mut freed: Vec<_> = places.map(|place| place.freed()).collect();
    // Side by side, so that they become few stretches.
    freed.sort_by_key(|freed| (freed.segment, freed.start));
    freed
}

fn move_to_file(entry: &mut Entry, state: State, place: &NewPlace, recounted: &mut Recounted) {
    debug_assert!(entry.address.is_in_log() || !entry.is_stored, "what is in a file is not moved to another one");
    entry.address = place.address();
    if state != State::Dying {
        // What dies is about to be published: it stays in memory.
        entry.body = Body::OnDisk { record_bytes: place.written.bytes, body_bytes: place.body_bytes };
    }
    // The log may lose the record of a delivery that is out. For the first one there is the mark.
    let is_redelivery = state == State::Out && entry.counts.acquired > 0;
    let counts = if is_redelivery { entry.counts.interrupted() } else { entry.counts };
    // It may have come back since its record was written.
    if entry.is_stored && counts != DeliveryCounts::default() {
        recounted.note(entry.seq, counts);
    }
}

impl Queue {
    /// Gives some messages their new places: where to go on, or `None` when all have them.
    pub(super) fn relocate_some(&mut self, from: Spot) -> Option<Spot> {
        let Self { order, backing, .. } = self;
        for (at, (spot, entry)) in order.entries_from(from, false).enumerate() {
            // All are found. Mostly everything that moves was fresh or unread, and then
            // no message is looked at.
            if backing.relocation().is_none_or(|relocation| relocation.is_empty()) {
                return None;
            }
            if at == VISITED_AT_ONCE {
                return Some(spot);
            }
            backing.meet(entry, spot.state());
        }
        None
    }
}
