//! Messages in the order of their sequence numbers, in pieces, so that one that comes back between others moves only those of its
//! piece.
//!
//! Invariants: no piece is empty; sequence numbers ascend within a piece and from piece to piece.

use std::collections::VecDeque;

use super::entry::Entry;
use crate::store::seq::Seq;

/// Entries of a piece at most: what one that comes back may have to move.
const PIECE_MAX: usize = 256;

/// Fewer are added one by one, so that they make no pieces of their own.
const FEW: usize = PIECE_MAX / 4;

/// Messages of one level that came back, or were read back.
#[derive(Debug, Default)]
pub(super) struct SortedRun {
    pieces: VecDeque<VecDeque<Entry>>,
}

impl SortedRun {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn front(&self) -> Option<&Entry> {
        self.pieces.front()?.front()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pieces.iter().flatten()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(VecDeque::len).sum()
    }

    /// Those from the one on that stands at this place.
    pub(super) fn iter_from(&self, mut place: usize) -> impl Iterator<Item = &Entry> {
        let mut pieces = 0;
        for piece in &self.pieces {
            if place < piece.len() {
                break;
            }
            (place, pieces) = (place - piece.len(), pieces + 1);
        }
        self.pieces.range(pieces..).flatten().skip(place)
    }

    /// Those from this sequence number on, to be changed in place; the sequence numbers must stay.
    pub(super) fn iter_from_mut(&mut self, seq: Seq) -> impl Iterator<Item = &mut Entry> {
        let from = self.pieces.partition_point(|piece| piece.back().is_some_and(|last| last.seq < seq));
        self.pieces.range_mut(from..).flatten().skip_while(move |entry| entry.seq < seq)
    }

    pub(super) fn pop_front(&mut self) -> Option<Entry> {
        let piece = self.pieces.front_mut()?;
        let entry = piece.pop_front();
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        entry
    }

    /// Adds what follows everything that is there.
    pub(super) fn push_back(&mut self, entry: Entry) {
        debug_assert!(
            self.last_seq().is_none_or(|seq| seq < entry.seq),
            "what was read back follows what was read before"
        );
        match self.pieces.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(entry),
            None => self.pieces.push_back(VecDeque::from([entry])),
        }
    }

    fn last_seq(&self) -> Option<Seq> {
        Some(self.pieces.back()?.back()?.seq)
    }

    /// Adds entries that are sorted. The cost is linear in their number, with a factor that a piece bounds.
    pub(super) fn merge(&mut self, entries: Vec<Entry>) {
        debug_assert!(entries.is_sorted_by_key(|entry| entry.seq), "those that come back together are sorted");
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        // Only the pieces between the first and the last new one are touched.
        let from = self.pieces.partition_point(|piece| piece.back().is_some_and(|back| back.seq < first.seq));
        let to = self.pieces.partition_point(|piece| piece.front().is_some_and(|front| front.seq < last.seq));
        // Few among many: a merge would move more than the inserts do.
        if entries.len() < (to - from).max(FEW) {
            for entry in entries {
                self.insert(entry);
            }
            return;
        }
        // Of what is there, no more comes between them than a piece for each that is added.
        let behind = self.pieces.split_off(to);
        let mut there = self.pieces.split_off(from).into_iter().flatten().peekable();
        for entry in entries {
            while let Some(before) = there.next_if(|before| before.seq < entry.seq) {
                self.push_back(before);
            }
            self.push_back(entry);
        }
        there.for_each(|there| self.push_back(there));
        self.pieces.extend(behind);
    }

    fn insert(&mut self, entry: Entry) {
        let at = self.pieces.partition_point(|piece| piece.back().is_some_and(|last| last.seq < entry.seq));
        // It comes behind everything.
        let Some(piece) = self.pieces.get_mut(at) else { return self.push_back(entry) };
        piece.insert(piece.partition_point(|other| other.seq < entry.seq), entry);
        if piece.len() > PIECE_MAX {
            // In the middle, so that both halves have room for more that come back nearby.
            let second_half = piece.split_off(PIECE_MAX / 2);
            self.pieces.insert(at + 1, second_half);
        }
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> + Send {
        self.pieces.into_iter().flatten()
    }

    /// The entry of this sequence number.
    pub(super) fn get(&self, seq: Seq) -> Option<&Entry> {
        let at = self.pieces.partition_point(|piece| piece.back().is_some_and(|last| last.seq < seq));
        let piece = self.pieces.get(at)?;
        piece.get(piece.binary_search_by_key(&seq, |entry| entry.seq).ok()?)
    }

    /// As [`SortedRun::get`], to be changed in place.
    pub(super) fn get_mut(&mut self, seq: Seq) -> Option<&mut Entry> {
        let at = self.pieces.partition_point(|piece| piece.back().is_some_and(|last| last.seq < seq));
        let piece = self.pieces.get_mut(at)?;
        let at = piece.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        piece.get_mut(at)
    }

    /// Moves those of these entries that may go to the end of `taken`. Each is searched, so a few cost little.
    pub(super) fn take_few(&mut self, ids: &[Seq], may_go: impl Fn(&Entry) -> bool, taken: &mut Vec<Entry>) {
        for id in ids {
            let at = self.pieces.partition_point(|piece| piece.back().is_some_and(|last| last.seq < *id));
            let Some(piece) = self.pieces.get_mut(at) else { return };
            let Ok(place) = piece.binary_search_by_key(id, |entry| entry.seq) else { continue };
            if piece.get(place).is_some_and(&may_go) {
                taken.extend(piece.remove(place));
            }
            if piece.is_empty() {
                self.pieces.remove(at);
            }
        }
    }

    /// Moves the entries that are wanted to the end of `taken`. Pieces are looked through until there were `max` entries.
    pub(super) fn take_in_front(&mut self, max: usize, is_wanted: impl Fn(&Entry) -> bool, taken: &mut Vec<Entry>) {
        let mut before = 0;
        for piece in &mut self.pieces {
            if before >= max {
                break;
            }
            before += piece.len();
            if piece.iter().any(&is_wanted) {
                let (wanted, kept): (Vec<_>, Vec<_>) = piece.drain(..).partition(&is_wanted);
                taken.extend(wanted);
                piece.extend(kept);
            }
        }
        self.pieces.retain(|piece| !piece.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::queue::entry::sample as entry;

    proptest! {
        /// Batches of any size, in any order, with takes from the front in between, against a sorted list.
        #[test]
        fn what_comes_back_is_in_order(batches in prop::collection::vec((prop::collection::btree_set(0..5_000_u64, 0..400), 0..300_usize), 1..12)) {
            let (mut run, mut model) = (SortedRun::default(), std::collections::BTreeSet::new());
            for (batch, taken) in batches {
                let new: Vec<_> = batch.into_iter().filter(|seq| model.insert(*seq)).collect();
                run.merge(new.iter().map(|seq| entry(*seq)).collect());
                for _ in 0..taken {
                    prop_assert_eq!(run.pop_front().map(|entry| entry.seq.0), model.pop_first());
                }
                prop_assert_eq!(run.front().map(|entry| entry.seq.0), model.first().copied());
                prop_assert!(run.iter().map(|entry| entry.seq.0).eq(model.iter().copied()));
                prop_assert!(run.pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_MAX));
                prop_assert_eq!(run.is_empty(), model.is_empty());
            }
        }

        #[test]
        fn what_is_taken_out_is_gone(seqs in prop::collection::btree_set(0..5_000_u64, 0..1_000), divisor in 1..7_u64) {
            let mut run = SortedRun::default();
            seqs.iter().for_each(|seq| run.push_back(entry(*seq)));
            let mut taken = Vec::new();
            run.take_in_front(usize::MAX, |entry| entry.seq.0 % divisor == 0, &mut taken);
            prop_assert!(taken.iter().map(|entry| entry.seq.0).eq(seqs.iter().copied().filter(|seq| seq % divisor == 0)));
            prop_assert!(run.iter().map(|entry| entry.seq.0).eq(seqs.iter().copied().filter(|seq| seq % divisor != 0)));
            prop_assert!(run.pieces.iter().all(|piece| !piece.is_empty()));
        }
    }

    #[test]
    fn what_is_behind_the_front_is_not_looked_at() {
        let mut run = SortedRun::default();
        (0..3 * PIECE_MAX as u64).for_each(|seq| run.push_back(entry(seq)));
        let mut taken = Vec::new();
        run.take_in_front(PIECE_MAX + 1, |entry| entry.seq.0.is_multiple_of(100), &mut taken);
        assert!(taken.iter().map(|entry| entry.seq.0).eq((0..2 * PIECE_MAX as u64).step_by(100)));
        assert_eq!(run.len() + taken.len(), 3 * PIECE_MAX);
    }

    /// One by one, in no order: pieces divide.
    #[test]
    fn many_that_come_back_one_by_one_are_in_order() {
        const COUNT: u64 = 10_000;
        let mut run = SortedRun::default();
        for number in 0..COUNT {
            run.merge(vec![entry(number * 7919 % COUNT)]);
        }
        assert!(run.iter().map(|entry| entry.seq.0).eq(0..COUNT));
        assert!(run.pieces.iter().all(|piece| piece.len() <= PIECE_MAX));
    }
}
