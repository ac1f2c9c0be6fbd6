//! Messages that were never delivered, in pieces.
//!
//! One long deque would be copied as a whole each time it grows: with a million messages 56 MB at once, while the queue is locked. No
//! piece grows beyond [`PIECE_MAX`], so nothing that is done here for one message takes longer than that does for a piece.
//!
//! Invariants: sequence numbers ascend; if the front is empty, so is all; no piece behind it is empty.

use std::collections::VecDeque;

use crate::broker::queue::entry::Entry;
use crate::store::seq::Seq;

/// Messages that a piece is made for: 224 KiB.
const PIECE_MAX: usize = 4096;

/// Room for so many is kept when the last one is taken.
const KEPT: usize = 1024;

/// The fresh messages of one level.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct FreshRun {
    front: VecDeque<Entry>,
    /// Boxed, because most queues never have so many.
    #[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a list")]
    behind: Option<Box<VecDeque<VecDeque<Entry>>>>,
}

impl FreshRun {
    pub(in crate::broker::queue) fn len(&self) -> usize {
        self.pieces().map(VecDeque::len).sum()
    }

    pub(in crate::broker::queue) fn front(&self) -> Option<&Entry> {
        self.front.front()
    }

    fn pieces(&self) -> impl Iterator<Item = &VecDeque<Entry>> {
        std::iter::once(&self.front).chain(self.behind.iter().flat_map(|behind| behind.iter()))
    }

    fn pieces_mut(&mut self) -> impl Iterator<Item = &mut VecDeque<Entry>> {
        std::iter::once(&mut self.front).chain(self.behind.iter_mut().flat_map(|behind| behind.iter_mut()))
    }

    #[cfg(any(test, debug_assertions))]
    pub(in crate::broker::queue) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.pieces().flatten()
    }

    /// Those from this sequence number on.
    pub(in crate::broker::queue) fn iter_from(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let pieces = self.pieces().skip_while(move |piece| is_before(piece, seq));
        pieces.flat_map(move |piece| piece.range(piece.partition_point(|entry| entry.seq < seq)..))
    }

    /// As [`FreshRun::iter_from`], to be changed in place; the sequence numbers must stay.
    pub(in crate::broker::queue) fn iter_from_mut(&mut self, seq: Seq) -> impl Iterator<Item = &mut Entry> {
        let pieces = self.pieces_mut().skip_while(move |piece| is_before(piece, seq));
        pieces.flat_map(move |piece| {
            let from = piece.partition_point(|entry| entry.seq < seq);
            piece.range_mut(from..)
        })
    }

    /// Those from the one on that stands at this place.
    pub(in crate::broker::queue) fn iter_at(&self, mut place: usize) -> impl Iterator<Item = &Entry> {
        let mut pieces = 0;
        for piece in self.pieces() {
            if place < piece.len() {
                break;
            }
            (place, pieces) = (place - piece.len(), pieces + 1);
        }
        self.pieces().skip(pieces).flatten().skip(place)
    }

    /// Adds what follows everything that is there.
    pub(in crate::broker::queue) fn push_back(&mut self, entry: Entry) {
        if self.behind.is_none() && self.front.len() < PIECE_MAX {
            self.front.push_back(entry);
        } else {
            self.push_behind(entry);
        }
    }

    fn push_behind(&mut self, entry: Entry) {
        let behind = self.behind.get_or_insert_default();
        match behind.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(entry),
            None => {
                // As large as it will be: else the piece itself would be copied as it grows.
                let mut piece = VecDeque::with_capacity(PIECE_MAX);
                piece.push_back(entry);
                behind.push_back(piece);
            }
        }
    }

    pub(in crate::broker::queue) fn pop_front(&mut self) -> Option<Entry> {
        let entry = self.front.pop_front();
        if self.front.is_empty() {
            self.renew_front();
        }
        entry
    }

    /// The front is empty: the next piece takes its place, or the memory of one that was long is given back.
    fn renew_front(&mut self) {
        if let Some(behind) = &mut self.behind {
            self.front = behind.pop_front().unwrap_or_default();
            if behind.is_empty() {
                self.behind = None;
            }
        } else if self.front.capacity() > KEPT {
            self.front = VecDeque::new();
        }
    }

    /// Takes those out that come up to this place, and hands each to `take`.
    pub(in crate::broker::queue) fn take_up_to(&mut self, last: Seq, mut take: impl FnMut(Entry)) {
        while self.front().is_some_and(|first| first.seq <= last) {
            let count = self.front.partition_point(|entry| entry.seq <= last);
            self.front.drain(..count).for_each(&mut take);
            if self.front.is_empty() {
                self.renew_front();
            }
        }
        if self.front.len() < self.front.capacity() / 4 {
            self.front.shrink_to_fit();
        }
    }

    /// Moves those to the end of `taken` that are chosen, up to a place. Pieces are looked through until there were `max` messages.
    pub(super) fn take_chosen(
        &mut self,
        last: Seq,
        max: usize,
        is_chosen: impl Fn(&Entry) -> bool,
        taken: &mut Vec<Entry>,
    ) {
        let mut looked_at = 0;
        for piece in self.pieces_mut() {
            if looked_at >= max || piece.front().is_none_or(|first| first.seq > last) {
                break;
            }
            looked_at += piece.len();
            if piece.iter().any(&is_chosen) {
                let (chosen, kept): (Vec<_>, Vec<_>) = piece.drain(..).partition(&is_chosen);
                piece.extend(kept);
                taken.extend(chosen);
            }
        }
        if let Some(behind) = &mut self.behind {
            behind.retain(|piece| !piece.is_empty());
        }
        if self.front.is_empty() {
            self.renew_front();
        }
    }

    /// Puts one back between others.
    pub(super) fn insert(&mut self, entry: Entry) {
        let piece = if is_before(&self.front, entry.seq)
            && let Some(piece) = self.pieces_mut().skip(1).find(|piece| !is_before(piece, entry.seq))
        {
            piece
        } else if self.behind.is_some() && is_before(&self.front, entry.seq) {
            return self.push_behind(entry);
        } else {
            &mut self.front
        };
        piece.insert(piece.partition_point(|other| other.seq < entry.seq), entry);
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> + Send {
        self.front.into_iter().chain(self.behind.into_iter().flat_map(|behind| *behind).flatten())
    }

    /// The invariants.
    #[cfg(debug_assertions)]
    pub(super) fn check(&self) {
        assert!(self.iter().is_sorted_by(|one, next| one.seq < next.seq), "what is fresh is in order");
        assert!(self.iter().all(|entry| !entry.is_away()), "what is fresh is in memory");
        assert!(self.behind.is_none() || !self.front.is_empty(), "the front is empty only if all is");
        assert!(self.pieces().skip(1).all(|piece| !piece.is_empty()), "no piece is empty");
    }
}

/// Whether all of a piece comes before this place.
fn is_before(piece: &VecDeque<Entry>, seq: Seq) -> bool {
    piece.back().is_none_or(|last| last.seq < seq)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::broker::queue::entry::{Body, sample};
    use crate::message::{Facts, MemoryGauge, Message, address};

    fn entry(seq: u64) -> Entry {
        let gauge = std::sync::Arc::new(MemoryGauge::default());
        let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], b"");
        Entry { body: Body::Held(message), ..sample(seq) }
    }

    fn filled(count: u64) -> FreshRun {
        let mut run = FreshRun::default();
        (0..count).for_each(|seq| run.push_back(entry(seq)));
        run
    }

    fn seqs<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<u64> {
        entries.map(|entry| entry.seq.0).collect()
    }

    const MANY: u64 = PIECE_MAX as u64 * 3 + 7;

    #[test]
    fn no_piece_is_copied_that_is_longer_than_others() {
        let mut run = filled(MANY);
        assert!(run.pieces().all(|piece| piece.capacity() == PIECE_MAX));
        assert!((0..MANY).all(|seq| run.pop_front().is_some_and(|entry| entry.seq == Seq(seq))));
        assert_eq!((run.len(), run.front.capacity()), (0, 0), "nothing is kept of what was long");
    }

    #[test]
    fn what_is_looked_for_is_found_in_each_piece() {
        let mut run = filled(MANY);
        for _ in 0..5 {
            run.pop_front();
        }
        for from in [0, 5, 4095, 4096, 4097, 9000, MANY - 1, MANY] {
            let expected: Vec<_> = (from.max(5)..MANY).collect();
            assert_eq!(seqs(run.iter_from(Seq(from))), expected);
            assert_eq!(seqs(run.iter_from_mut(Seq(from)).map(|entry| &*entry)), expected);
            let place = usize::try_from(from).unwrap();
            assert_eq!(seqs(run.iter_at(place)), (from + 5..MANY).collect::<Vec<_>>());
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Push(u16),
        Pop(u16),
        TakeUpTo(u16),
        /// So many, spread over those that are there, are taken out and put back.
        Choose(u8),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (0..6000_u16).prop_map(Act::Push),
            (0..6000_u16).prop_map(Act::Pop),
            (0..6000_u16).prop_map(Act::TakeUpTo),
            (1..9_u8).prop_map(Act::Choose),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn it_is_a_sorted_list(acts in prop::collection::vec(act(), 1..12)) {
            let (mut run, mut model, mut next) = (FreshRun::default(), BTreeSet::new(), 0_u64);
            for act in acts {
                match act {
                    Act::Push(count) => {
                        for _ in 0..count {
                            run.push_back(entry(next));
                            model.insert(next);
                            next += 1;
                        }
                    }
                    Act::Pop(count) => {
                        for _ in 0..count {
                            prop_assert_eq!(run.pop_front().map(|entry| entry.seq.0), model.pop_first());
                        }
                    }
                    Act::TakeUpTo(count) => {
                        let last = model.first().map_or(0, |first| first + u64::from(count));
                        let mut taken = Vec::new();
                        run.take_up_to(Seq(last), |entry| taken.push(entry.seq.0));
                        let left = model.split_off(&(last + 1));
                        prop_assert!(taken.into_iter().eq(std::mem::replace(&mut model, left)));
                    }
                    Act::Choose(count) => {
                        let step = (model.len() / usize::from(count)).max(1);
                        let chosen: BTreeSet<_> = model.iter().copied().step_by(step).collect();
                        let mut taken = Vec::new();
                        let last = chosen.last().map_or(Seq::FIRST, |last| Seq(*last));
                        run.take_chosen(last, usize::MAX, |entry| chosen.contains(&entry.seq.0), &mut taken);
                        prop_assert!(taken.iter().map(|entry| entry.seq.0).eq(chosen.iter().copied()));
                        prop_assert_eq!(run.len() + chosen.len(), model.len());
                        run.check();
                        taken.into_iter().rev().for_each(|entry| run.insert(entry));
                    }
                }
                run.check();
                prop_assert_eq!(seqs(run.iter()), model.iter().copied().collect::<Vec<_>>());
            }
            prop_assert!(run.into_entries().map(|entry| entry.seq.0).eq(model));
        }
    }
}
