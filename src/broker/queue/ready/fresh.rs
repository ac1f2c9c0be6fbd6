//! Messages that were never delivered, in pieces.
//!
//! Invariant: sequence numbers ascend.

use std::collections::VecDeque;

use crate::broker::queue::entry::Entry;
use crate::broker::queue::pieces::Pieces;
use crate::store::seq::Seq;

/// The fresh messages of one level.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct FreshRun(Pieces<Entry>);

impl FreshRun {
    pub(in crate::broker::queue) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::broker::queue) fn front(&self) -> Option<&Entry> {
        self.0.front()
    }

    #[cfg(any(test, debug_assertions))]
    pub(in crate::broker::queue) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    /// Those from this sequence number on.
    pub(in crate::broker::queue) fn iter_from(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        let pieces = self.0.pieces().skip_while(move |piece| is_before(piece, seq));
        pieces.flat_map(move |piece| piece.range(piece.partition_point(|entry| entry.seq < seq)..))
    }

    /// As [`FreshRun::iter_from`], to be changed in place; the sequence numbers must stay.
    pub(in crate::broker::queue) fn iter_from_mut(&mut self, seq: Seq) -> impl Iterator<Item = &mut Entry> {
        let pieces = self.0.pieces_mut().skip_while(move |piece| is_before(piece, seq));
        pieces.flat_map(move |piece| {
            let from = piece.partition_point(|entry| entry.seq < seq);
            piece.range_mut(from..)
        })
    }

    /// Those from the one on that stands at this place.
    pub(in crate::broker::queue) fn iter_at(&self, place: usize) -> impl Iterator<Item = &Entry> {
        self.0.iter_at(place)
    }

    /// Adds what follows everything that is there.
    pub(in crate::broker::queue) fn push_back(&mut self, entry: Entry) {
        self.0.push_back(entry);
    }

    pub(in crate::broker::queue) fn pop_front(&mut self) -> Option<Entry> {
        self.0.pop_front()
    }

    /// Takes those out that come up to this place, and hands each to `take`.
    pub(in crate::broker::queue) fn take_up_to(&mut self, last: Seq, take: impl FnMut(Entry)) {
        // They stand in order, so those that leave are the first ones.
        self.0.take_while(|entry| entry.seq <= last, take);
    }

    /// Moves those to the end of `taken` that are chosen, up to a place. Pieces are looked through until there were `max` messages.
    pub(super) fn take_chosen(
        &mut self,
        last: Seq,
        max: usize,
        is_chosen: impl Fn(&Entry) -> bool,
        taken: &mut Vec<Entry>,
    ) {
        let goes_on =
            |piece: &VecDeque<Entry>, before| before < max && piece.front().is_some_and(|first| first.seq <= last);
        self.0.take_some(goes_on, |_, entry| is_chosen(entry), taken);
    }

    /// Puts one back between others.
    pub(super) fn insert(&mut self, entry: Entry) {
        let found = self.0.pieces_mut().find(|piece| !is_before(piece, entry.seq));
        match found {
            Some(piece) => piece.insert(piece.partition_point(|other| other.seq < entry.seq), entry),
            None => self.0.push_back(entry),
        }
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> + Send {
        self.0.into_things()
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, priority: u8) {
        self.0.check();
        let mut last = None;
        for entry in self.iter() {
            assert!(last < Some(entry.seq), "what is fresh is in order");
            assert!(!entry.is_on_disk(), "what is fresh is in memory");
            assert_eq!(entry.priority, priority, "each is in its level");
            last = Some(entry.seq);
        }
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
    use crate::broker::queue::pieces::PIECE_MAX;
    use crate::message::{Facts, MemoryGauge, Message, address};

    fn entry(seq: u64) -> Entry {
        let gauge = std::sync::Arc::new(MemoryGauge::default());
        let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], b"");
        Entry { body: Body::InMemory(message), ..sample(seq) }
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
                        run.check(0);
                        taken.into_iter().rev().for_each(|entry| run.insert(entry));
                    }
                }
                run.check(0);
                prop_assert_eq!(seqs(run.iter()), model.iter().copied().collect::<Vec<_>>());
            }
            prop_assert!(run.into_entries().map(|entry| entry.seq.0).eq(model));
        }
    }
}
