//! Messages that were written to files are told to the queue, in steps ([`relocation`](crate::broker::queue::relocation)).

use std::vec;

use super::{Moved, MovedPart, Queue};
use crate::broker::queue::relocation::{NewPlace, Relocation};
use crate::broker::queue::walk::{Spot, VISITED_AT_ONCE, Walk};
use crate::store::checkpoint::Part;
use crate::store::record::Freed;
use crate::store::seq::Seq;

/// How far a queue knows where its messages were written.
#[derive(Debug)]
pub(crate) struct Moving {
    /// What the walk is to find; the queue has it once the first step is done.
    wanted: Option<Relocation>,
    fresh: vec::IntoIter<MovedPart>,
    /// Parts of other messages, and the number of the last one in each.
    scattered: vec::IntoIter<(Part, Seq)>,
    from: Spot,
    left: Option<Relocation>,
}

impl Moving {
    /// Nothing is told yet.
    pub(crate) fn new(fresh: Vec<MovedPart>, scattered: &[MovedPart]) -> Self {
        let places = scattered.iter().flat_map(|part| part.records.iter().map(|record| part.place(record)));
        let wanted = Some(Relocation::ToFiles(places.collect()));
        let ends = scattered.iter().filter_map(|part| Some((part.part(), part.records.last()?.seq)));
        let scattered = ends.collect::<Vec<_>>().into_iter();
        Self { wanted, fresh: fresh.into_iter(), scattered, from: Spot::START, left: None }
    }

    /// What is not in the queue any more, to be freed, once all steps are done.
    pub(crate) fn into_freed(self) -> Vec<Freed> {
        debug_assert!(self.wanted.is_none() && self.fresh.len() == 0, "steps are missing");
        self.left.map_or_else(Vec::new, Relocation::into_freed)
    }
}

impl MovedPart {
    /// By its number, where a message is.
    pub(super) fn place(&self, record: &Moved) -> (Seq, NewPlace) {
        let written = self.written(record);
        (record.seq, NewPlace { written, body_bytes: record.body_bytes, is_stored: record.is_stored })
    }
}

impl Queue {
    /// Takes over where some messages are; false when that was all.
    pub(crate) fn go_on_moving(&mut self, moving: &mut Moving) -> bool {
        if let Some(wanted) = moving.wanted.take() {
            // From here on, what goes back to a place that is visited early is told its new place as it goes.
            self.backing.begin_walk(Walk::Relocation(wanted));
        }
        let mut budget = VISITED_AT_ONCE;
        while budget > 0
            && let Some(part) = moving.fresh.next()
        {
            // A part is never divided between two steps; it has 4,096 messages at most.
            budget = budget.saturating_sub(part.records.len());
            self.take_fresh(&part);
        }
        // A part of its own for each of them, at worst.
        for (part, last) in moving.scattered.by_ref().take(budget) {
            budget -= 1;
            self.backing.note_moved(part.level, last);
            self.order.ready.level(part.level).paged.push_read(part);
        }
        // The walk begins only when all parts are told: a part adds to what is looked for.
        if budget < VISITED_AT_ONCE {
            return true;
        }
        if let Some(from) = self.relocate_some(moving.from) {
            moving.from = from;
            return true;
        }
        // Under the same lock as the last visit, so that nothing comes back unseen in between.
        moving.left = self.backing.end_relocation();
        false
    }
}
