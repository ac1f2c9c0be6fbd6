//! Parts whose files were rewritten get their new places, some at a time.
//!
//! Messages are read, and the queue is purged, in between:
//!
//! ```text
//!   chunks of parts that are not read --> the first part --> read to its end, cleared
//! ```
//!
//! So it is over only when, under one lock, nothing is left that was read or cleared meanwhile, all chunks were looked at, and then the
//! first part. A part that was replaced is not replaced once more: it is known by its new place.

use std::sync::Arc;

use super::packed::PackedPlace;
use super::read::ReadPartsIter;
use super::{Cleared, Missing, Paged, Part, ReadParts, Unread};

/// What takes the place of a part.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct Replacement {
    /// What is not read, in its order.
    pub(in crate::broker::queue) unread: Vec<Unread>,
    /// Parts whose messages were all read.
    pub(in crate::broker::queue) read: Vec<Part>,
}

/// How far the parts of a level have their new places.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct Replacing {
    pending: Pending,
    /// Parts with nothing unread that were looked at, to be put back at the end.
    done: ReadParts,
    /// The first chunk of what is not read that was not looked at.
    next_chunk: u32,
}

/// Parts with nothing unread that are to be looked at.
#[derive(Debug, Default)]
enum Pending {
    #[default]
    None,
    Read(ReadPartsIter),
    Cleared(Arc<Cleared>, Option<PackedPlace>),
}

impl Pending {
    fn next(&mut self) -> Option<Part> {
        let part = match self {
            Self::None => None,
            Self::Read(parts) => parts.next(),
            Self::Cleared(cleared, place) => cleared.next_at(place),
        };
        if part.is_none() {
            *self = Self::None;
        }
        part
    }
}

impl Paged {
    /// Gives some rewritten parts the places of the old ones, and says what was counted and is not there after all; false if that was
    /// all. `replacement` is asked once for each part that is there, with what is not read of it.
    pub(in crate::broker::queue) fn replace_some(
        &mut self,
        replacing: &mut Replacing,
        budget: &mut usize,
        replacement: &mut impl FnMut(&Part, Option<&Unread>) -> Option<Replacement>,
    ) -> (Missing, bool) {
        let mut missing = Missing::default();
        while *budget > 0 {
            // In this order: what was taken out already, what was read or cleared since, the chunks, and the
            // front last. A part only moves towards those that are looked at first, so none is passed by.
            if let Some(part) = replacing.pending.next() {
                *budget -= 1;
                match replacement(&part, None) {
                    None => replacing.done.push(part),
                    Some(Replacement { unread, read }) => {
                        debug_assert!(unread.is_empty(), "what was read to its end has nothing unread");
                        read.into_iter().for_each(|part| replacing.done.push(part));
                    }
                }
            } else if let Some(pending) = self.take_pending() {
                replacing.pending = pending;
            } else if let Some(chunk) = self.next_chunk(replacing) {
                let count = self.replace_chunk(chunk, &mut replacing.done, replacement, &mut missing);
                *budget = budget.saturating_sub(count);
            } else {
                self.replace_front(&mut replacing.done, replacement, &mut missing);
                // All at once, under the lock under which nothing else was left: until then these are in `done`
                // and nowhere else, so they cannot be looked at twice.
                self.put_back(std::mem::take(&mut replacing.done));
                return (missing, false);
            }
        }
        (missing, true)
    }

    fn take_pending(&mut self) -> Option<Pending> {
        if !self.read.is_empty() {
            return Some(Pending::Read(std::mem::take(&mut self.read).into_parts()));
        }
        let cleared = self.cleared.as_mut()?.pop();
        self.cleared.take_if(|left| left.is_empty());
        Some(Pending::Cleared(cleared?, None))
    }

    fn next_chunk(&self, replacing: &mut Replacing) -> Option<u32> {
        let chunks = self.behind.as_ref()?.chunks();
        let chunk = replacing.next_chunk.max(chunks.start);
        replacing.next_chunk = chunk + 1;
        chunks.contains(&chunk).then_some(chunk)
    }

    fn replace_chunk(
        &mut self,
        chunk: u32,
        done: &mut ReadParts,
        replacement: &mut impl FnMut(&Part, Option<&Unread>) -> Option<Replacement>,
        missing: &mut Missing,
    ) -> usize {
        let parts = self.behind.as_ref().map_or_else(Vec::new, |behind| behind.parts_of(chunk));
        let (mut new, mut has_changed) = (Vec::with_capacity(parts.len()), false);
        for old in &parts {
            match replacement(&old.part, Some(old)) {
                None => new.push(*old),
                Some(replacement) => {
                    has_changed = true;
                    new.extend(self.replaced(old, replacement, done, missing));
                }
            }
        }
        // A chunk without a rewritten part is left as it is, and shared.
        if let Some(behind) = self.behind.as_mut().filter(|_| has_changed) {
            behind.set_parts_of(chunk, parts.len(), &new);
        }
        parts.len()
    }

    fn replace_front(
        &mut self,
        done: &mut ReadParts,
        replacement: &mut impl FnMut(&Part, Option<&Unread>) -> Option<Replacement>,
        missing: &mut Missing,
    ) {
        let Some(old) = self.front().copied() else { return };
        let Some(replacement) = replacement(&old.part, Some(&old)) else { return };
        let new = self.replaced(&old, replacement, done, missing);
        match new.split_first() {
            Some((first, [])) => self.front = Some(Box::new(*first)),
            Some((first, others)) => {
                self.front = Some(Box::new(*first));
                let behind = self.behind.get_or_insert_default();
                // What is written into several files is several parts. The others come first
                // of all that are behind.
                let chunk = behind.chunks().start;
                let parts = behind.parts_of(chunk);
                behind.set_parts_of(chunk, parts.len(), &[others, parts.as_slice()].concat());
            }
            None => self.front = self.pop_behind().map(Box::new),
        }
    }

    /// Counts what takes the place of a part: what of it is not read.
    fn replaced(
        &mut self,
        old: &Unread,
        replacement: Replacement,
        done: &mut ReadParts,
        missing: &mut Missing,
    ) -> Vec<Unread> {
        let Replacement { mut unread, read } = replacement;
        self.subtract(old.all);
        let mut of_part = Missing::all(old);
        read.into_iter().for_each(|part| done.push(part));
        unread.retain(|new| {
            of_part = of_part.but(new);
            self.unread_count += new.all.messages as usize;
            self.unread_bytes += new.all.body_bytes;
            if new.all.messages == 0 {
                done.push(new.part);
            }
            new.all.messages > 0
        });
        *missing = missing.and(of_part);
        unread
    }
}
