//! The place of a message in the order of its queue.

/// A place in the order of a queue: ascending, and never given twice. A type of its own, because queues, times and places in files are
/// 64-bit numbers as well, and stand beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The first place of a queue.
    pub(crate) const FIRST: Self = Self(0);

    /// Behind the place of every message.
    pub(crate) const BEHIND_ALL: Self = Self(u64::MAX);

    /// The place behind this one.
    pub(crate) const fn next(self) -> Self {
        debug_assert!(self.0 < u64::MAX, "nothing is behind the end");
        Self(self.0.saturating_add(1))
    }

    /// Whether a queue can have come so far. What stands on a disk and says otherwise is damaged.
    pub(crate) const fn is_sensible(self) -> bool {
        self.0 <= super::record::SEQ_MAX
    }
}

/// Places side by side, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeqRange {
    /// The first place.
    pub first: Seq,
    /// The last one.
    pub last: Seq,
}

impl SeqRange {
    /// One place alone.
    pub(crate) const fn one(seq: Seq) -> Self {
        Self { first: seq, last: seq }
    }

    /// Adds a place to some that were added in their order: to the last range, if it follows there.
    pub(crate) fn add_to(ranges: &mut Vec<Self>, seq: Seq) {
        match ranges.last_mut() {
            Some(range) if range.last.next() == seq => range.last = seq,
            _ => ranges.push(Self::one(seq)),
        }
    }

    /// How many places there are, but for one: that many are in the longest range of all as well.
    pub(crate) const fn len_but_one(self) -> u64 {
        self.last.0 - self.first.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_follow_each_other_become_one_range() {
        let mut ranges = Vec::new();
        for seq in [3, 4, 5, 9, 8] {
            SeqRange::add_to(&mut ranges, Seq(seq));
        }
        let range = |first, last| SeqRange { first: Seq(first), last: Seq(last) };
        assert_eq!(ranges, [range(3, 5), range(9, 9), range(8, 8)]);
        assert_eq!(ranges.iter().map(|range| range.len_but_one()).collect::<Vec<_>>(), [2, 0, 0]);
    }
}
