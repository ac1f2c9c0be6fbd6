//! The parts of segment files that something refers to: nothing else counts as a part of its file.

use std::collections::{BTreeMap, HashMap};

use smallvec::{SmallVec, smallvec};

use crate::store::address::SegmentId;
use crate::store::checkpoint::Part;
use crate::store::record::Freed;
use crate::store::segments::Segments;

/// The first byte of each part, and the byte behind it.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<SegmentId, BTreeMap<u32, u32>>);

impl Known {
    pub(super) fn add(&mut self, segment: SegmentId, start: u32, end: u32) {
        self.0.entry(segment).or_default().insert(start, end);
    }

    pub(super) fn add_part(&mut self, part: &Part) {
        self.add(part.segment, part.start, part.end);
    }

    /// Whether something refers to this file.
    pub(super) fn refers_to(&self, id: SegmentId) -> bool {
        self.0.contains_key(&id)
    }

    /// Whether one part has all of this stretch.
    pub(super) fn knows(&self, freed: &Freed) -> bool {
        let Some(parts) = self.0.get(&freed.segment) else { return false };
        // Parts do not overlap: the last one that begins before it is the only one that can have it.
        parts.range(..=freed.start).next_back().is_some_and(|(_, end)| freed.end <= *end)
    }

    /// What of a free stretch is in parts: these may adjoin, and a stretch may reach over several.
    pub(super) fn pieces(&self, freed: &Freed, segments: &Segments) -> SmallVec<[Freed; 1]> {
        // The usual case, without a count of records.
        if self.knows(freed) {
            return smallvec![*freed];
        }
        let Some(parts) = self.0.get(&freed.segment) else { return SmallVec::new() };
        let before = parts.range(..freed.start).next_back();
        let touched = before.into_iter().chain(parts.range(freed.start..freed.end));
        let touched = touched.filter(|(_, end)| **end > freed.start);
        touched.map(|(start, end)| segments.piece(freed, freed.start.max(*start), freed.end.min(*end))).collect()
    }
}
