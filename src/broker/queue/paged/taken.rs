//! All parts of a queue, for those who look at them: a checkpoint, and whoever rewrites files. They may be as many as there are messages, so
//! they are looked at when the queue is not locked.
//!
//! What was read to its end is taken out for that, and put back: nobody else needs it meanwhile. What is not read is shared.

use std::sync::Arc;

use super::packed::Packed;
use super::{Cleared, Paged, Part, ReadParts, Unread};
use crate::broker::queue::Queue;

/// The parts of some levels.
#[derive(Debug, Default)]
#[must_use = "the parts are to be put back"]
pub(crate) struct TakenParts(Vec<OfLevel>);

#[derive(Debug)]
struct OfLevel {
    level: u8,
    read: ReadParts,
    cleared: Vec<Arc<Cleared>>,
    front: Option<Unread>,
    behind: Option<Box<Packed>>,
}

/// What is to be put back.
#[derive(Debug)]
#[must_use = "the parts are to be put back"]
pub(crate) struct PartsBack(Vec<(u8, ReadParts)>);

impl TakenParts {
    /// There is nothing to be put back.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds all parts that are not free to `parts`.
    pub(crate) fn tell(self, is_free: impl Fn(&Part) -> bool, parts: &mut Vec<Part>) -> PartsBack {
        let of_levels = self.0.into_iter().map(|OfLevel { level, mut read, cleared, front, behind }| {
            // What was cleared is like parts that were read to their ends: some of it is not free.
            cleared.iter().flat_map(|cleared| cleared.parts()).for_each(|part| read.push(part));
            let read = read.only(|part| !is_free(part));
            parts.extend(read.iter());
            let behind = behind.iter().flat_map(|behind| behind.iter());
            parts.extend(front.into_iter().chain(behind).map(|unread| unread.part));
            (level, read)
        });
        PartsBack(of_levels.collect())
    }
}

impl Paged {
    fn take_parts(&mut self, level: u8) -> Option<OfLevel> {
        if self.is_empty() && self.read.is_empty() && self.cleared.is_none() {
            return None;
        }
        // A copy of pointers: full chunks are shared, and the last one has 16 KiB at most.
        let (front, behind) = (self.front.as_deref().copied(), self.behind.clone());
        let cleared = self.cleared.take().map_or_else(Vec::new, |cleared| *cleared);
        Some(OfLevel { level, read: std::mem::take(&mut self.read), cleared, front, behind })
    }

    /// Puts parts back that were taken out, with those that came meanwhile.
    pub(super) fn put_back(&mut self, read: ReadParts) {
        // The long list stays in place; what came meanwhile is short.
        let others = std::mem::replace(&mut self.read, read);
        self.read.append(others);
    }
}

impl Queue {
    /// Takes out all parts, for [`TakenParts::tell`]. [`Queue::put_parts_back`] must follow before somebody else does the same.
    pub(crate) fn take_parts(&mut self) -> TakenParts {
        let levels = self.order.ready.levels_mut().iter_mut();
        TakenParts(levels.filter_map(|level| level.paged.take_parts(level.priority)).collect())
    }

    /// Puts back what was taken out.
    pub(crate) fn put_parts_back(&mut self, PartsBack(of_levels): PartsBack) {
        for (level, read) in of_levels {
            self.order.ready.level(level).paged.put_back(read);
        }
    }
}
