//! The search for messages that are to be written and are not fresh: in steps, while they go on moving
//! ([`walk`](crate::broker::queue::walk)).
//!
//! Two walks: the first one finds those that are in the log before the limit, the second one all that must go along. The fresh messages
//! are looked at before, under the same [`Search`], so that what is delivered meanwhile is found by one or the other. If
//! something goes back that is to be written, it may be found by neither: then there must be another search.

use super::{Leaving, MovedPart, Queue, leaving};
use crate::broker::queue::entry::Entry;
use crate::broker::queue::walk::{Spot, Walk};
use crate::store::marks::Marks;
use crate::store::seq::Seq;

/// What a queue knows of the search that is under way.
#[derive(Debug)]
pub(in crate::broker::queue) struct Search {
    limit: u64,
    has_slipped: bool,
}

impl Search {
    pub(in crate::broker::queue) fn note_slipped(&mut self, entry: &Entry) {
        // Only what is before the limit matters. Others that slip by are moved another time.
        self.has_slipped |= entry.address.is_in_log_before(self.limit);
    }

    pub(in crate::broker::queue) const fn has_slipped(&self) -> bool {
        self.has_slipped
    }
}

/// How far a search has come.
#[derive(Debug)]
pub(crate) struct Searching {
    queue: u64,
    limit: u64,
    from: Spot,
    /// Where the messages of each level were divided before.
    moved: Marks,
    /// Below this everything is to leave, of each level; known after the first walk.
    below: Marks,
    is_second_walk: bool,
    found: Vec<Leaving>,
    has_slipped: bool,
}

/// Its place among all that is written of a queue.
const fn place(leaving: &Leaving) -> (u8, Seq) {
    (leaving.label.level, leaving.label.seq)
}

impl Searching {
    /// What the search found, without what was written as fresh: in the order of levels and places, and in pieces. A part must not
    /// reach over messages that were moved before it, or were written as fresh just now, or a start would put them in the wrong order.
    pub(crate) fn into_leaving(mut self, fresh: &[MovedPart]) -> Vec<Vec<Leaving>> {
        if self.found.is_empty() {
            return Vec::new();
        }
        let places = |part: &MovedPart| part.records.iter().map(|record| (part.level, record.seq)).collect::<Vec<_>>();
        let mut written: Vec<_> = fresh.iter().flat_map(places).collect();
        written.sort_unstable();
        // Fresh when the fresh ones were written, delivered before this search came to them: they have a
        // place in the file already.
        self.found.retain(|leaving| written.binary_search(&place(leaving)).is_err());
        self.found.sort_by_key(place);
        // One that moved on was met twice.
        self.found.dedup_by_key(|leaving| leaving.label.seq);
        let first_written_behind = |leaving: &Leaving| written.partition_point(|other| *other < place(leaving));
        let may_follow = |one: &Leaving, next: &Leaving| {
            let (level, seq) = place(one);
            level == next.label.level
                && (seq.next() == next.label.seq
                    || seq >= self.moved.below(level) && first_written_behind(one) == first_written_behind(next))
        };
        self.found.chunk_by(may_follow).map(<[Leaving]>::to_vec).collect()
    }

    /// Something may have been missed.
    pub(crate) const fn has_slipped(&self) -> bool {
        self.has_slipped
    }
}

impl Queue {
    /// Begins to look for what is in the log before `limit`. [`Queue::go_on_searching`] or [`Queue::end_search`] must end it.
    pub(crate) fn begin_search(&mut self, queue: u64, limit: u64) -> Searching {
        self.backing.begin_walk(Walk::Search(Search { limit, has_slipped: false }));
        // From the marks on: whatever precedes one that has left the log must leave it, too.
        let (moved, below) = (self.backing.moved().clone(), self.backing.moved().clone());
        let (from, found) = (Spot::START, Vec::new());
        Searching { queue, limit, from, moved, below, is_second_walk: false, found, has_slipped: false }
    }

    /// Looks for messages that are known one by one, not fresh, and in the log before the limit, with all that precede one of them, or
    /// a later one that left the log before: the checkpoint knows only one place that divides them. False at the end.
    pub(crate) fn go_on_searching(&mut self, searching: &mut Searching) -> bool {
        let Searching { queue, limit, below, found, .. } = searching;
        let next = if searching.is_second_walk {
            self.visit_some(searching.from, |entry| {
                // Only what is in the log needs a new place; what is in a file has one.
                if entry.address.is_in_log() && entry.seq < below.below(entry.priority) {
                    found.extend(leaving(entry, *queue));
                }
            })
        } else {
            self.visit_some(searching.from, |entry| {
                if entry.address.is_in_log_before(*limit) {
                    below.raise(entry.priority, entry.seq.next());
                }
            })
        };
        if let Some(next) = next {
            searching.from = next;
            return true;
        }
        // Without anything below the limit the second walk would find nothing.
        if !std::mem::replace(&mut searching.is_second_walk, true) && !searching.below.is_empty() {
            searching.from = Spot::START;
            return true;
        }
        searching.has_slipped = self.end_search();
        false
    }

    /// Ends a search, if one is under way: whether it may have missed something.
    pub(crate) fn end_search(&mut self) -> bool {
        self.backing.end_search()
    }
}
