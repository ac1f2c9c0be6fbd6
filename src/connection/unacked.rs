//! The delivery tags of a channel that are not settled, in the order of the tags.
//!
//! They are kept in pieces, so that no settlement of one delivery costs more than a piece, however many are outstanding: one that is
//! settled out of order leaves a gap, and gaps are closed piece by piece.
//!
//! Invariants: tags ascend within a piece and from piece to piece; no piece begins with a gap; `front` is empty only if all
//! are settled, and no piece behind it is.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::queue::QueueHandle;
use crate::broker::sink::Token;

/// A delivery that the client must settle.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    /// Where it came from.
    pub(crate) queue: Arc<QueueHandle>,
    /// What the queue knows it by.
    pub(crate) token: Token,
    /// It was delivered to a consumer, so that it took channel credit; else it was taken with `basic.get`.
    pub(crate) is_consumed: bool,
}

impl Outstanding {
    pub(super) fn new(queue: &Arc<QueueHandle>, token: Token, is_consumed: bool) -> Self {
        Self { queue: Arc::clone(queue), token, is_consumed }
    }
}

/// Tags of a piece at most: what is looked at when gaps are closed.
const PIECE_MAX: usize = 256;

/// Gaps below this number are not worth closing.
const GAPS_MIN: usize = 64;

/// Some tags in a row. In-order settlement is popping; gaps are kept until they are half of it.
#[derive(Debug, Default)]
struct Piece {
    /// `None` for a gap.
    tags: VecDeque<(u64, Option<Outstanding>)>,
    /// How many are not gaps.
    count: usize,
}

impl Piece {
    fn first(&self) -> Option<u64> {
        self.tags.front().map(|(tag, _)| *tag)
    }

    fn is_full(&self) -> bool {
        self.tags.len() >= PIECE_MAX
    }

    fn push(&mut self, delivery_tag: u64, outstanding: Outstanding) {
        debug_assert!(self.tags.back().is_none_or(|(last, _)| *last < delivery_tag), "tags ascend");
        self.count += 1;
        self.tags.push_back((delivery_tag, Some(outstanding)));
    }

    /// Where the tag is, or where it would be. Without gaps its place follows from the first one; with gaps closed it is to be
    /// searched.
    fn position(&self, delivery_tag: u64) -> Result<usize, usize> {
        // Tags are given one after the other, so without gaps the place is the difference.
        let guess = self.first().and_then(|first| usize::try_from(delivery_tag.checked_sub(first)?).ok());
        match guess.filter(|guess| self.tags.get(*guess).is_some_and(|(tag, _)| *tag == delivery_tag)) {
            Some(guess) => Ok(guess),
            None => self.tags.binary_search_by_key(&delivery_tag, |(tag, _)| *tag),
        }
    }

    fn holds(&self, delivery_tag: u64) -> bool {
        let at = self.position(delivery_tag).ok();
        at.and_then(|at| self.tags.get(at)).is_some_and(|(_, slot)| slot.is_some())
    }

    fn take(&mut self, delivery_tag: u64) -> Option<Outstanding> {
        let at = self.position(delivery_tag).ok()?;
        let taken = self.tags.get_mut(at)?.1.take()?;
        self.count -= 1;
        self.close_gaps();
        Some(taken)
    }

    /// Moves its first deliveries to the end of `taken`, up to this one.
    fn take_up_to(&mut self, delivery_tag: u64, taken: &mut Vec<(u64, Outstanding)>) {
        let end = self.tags.partition_point(|(tag, _)| *tag <= delivery_tag);
        let before = taken.len();
        taken.extend(self.tags.drain(..end).filter_map(|(tag, slot)| Some((tag, slot?))));
        self.count -= taken.len() - before;
        self.close_gaps();
    }

    fn put_back(&mut self, delivery_tag: u64, outstanding: Outstanding) {
        self.count += 1;
        match self.position(delivery_tag) {
            Ok(at) => {
                if let Some((_, gap)) = self.tags.get_mut(at) {
                    *gap = Some(outstanding);
                }
            }
            Err(at) => self.tags.insert(at, (delivery_tag, Some(outstanding))),
        }
    }

    /// Takes the second half off, which begins with no gap.
    fn split_off(&mut self) -> Self {
        let mut second = Self { tags: self.tags.split_off(self.tags.len() / 2), count: 0 };
        second.count = second.tags.iter().filter(|(_, slot)| slot.is_some()).count();
        self.count -= second.count;
        second.close_gaps();
        second
    }

    fn close_gaps(&mut self) {
        while self.tags.front().is_some_and(|(_, slot)| slot.is_none()) {
            self.tags.pop_front();
        }
        if self.tags.len() > 2 * self.count + GAPS_MIN {
            self.tags.retain(|(_, slot)| slot.is_some());
            self.tags.shrink_to(2 * self.count);
        }
        debug_assert!(self.tags.front().is_none_or(|(_, slot)| slot.is_some()), "no gap is at the front");
        debug_assert!(self.count <= self.tags.len(), "no more than there are");
    }
}

/// The outstanding deliveries of a channel.
#[derive(Debug, Default)]
pub(super) struct UnackedTags {
    front: Piece,
    behind: VecDeque<Piece>,
    count: usize,
    /// How many of them went to consumers.
    consumed_count: usize,
}

impl UnackedTags {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many of them went to consumers.
    pub(super) const fn consumed_count(&self) -> usize {
        self.consumed_count
    }

    /// How many [`UnackedTags::take_up_to`] would take at most.
    pub(super) fn reach(&self, delivery_tag: u64) -> usize {
        if delivery_tag == 0 {
            return self.count;
        }
        let Some(before) = self.front.first().and_then(|first| delivery_tag.checked_sub(first)) else { return 0 };
        usize::try_from(before).map_or(self.count, |before| self.count.min(before.saturating_add(1)))
    }

    /// Adds a delivery; tags must ascend.
    pub(super) fn push(&mut self, delivery_tag: u64, outstanding: Outstanding) {
        self.count += 1;
        self.consumed_count += usize::from(outstanding.is_consumed);
        if self.behind.is_empty() && !self.front.is_full() {
            return self.front.push(delivery_tag, outstanding);
        }
        match self.behind.back_mut().filter(|piece| !piece.is_full()) {
            Some(piece) => piece.push(delivery_tag, outstanding),
            None => {
                let mut piece = Piece { tags: VecDeque::with_capacity(PIECE_MAX), count: 0 };
                piece.push(delivery_tag, outstanding);
                self.behind.push_back(piece);
            }
        }
    }

    /// Checks the invariants, in debug builds. Counting is left to the tests: it costs as much as there are deliveries.
    fn check(&self) {
        debug_assert!(self.front.count > 0 || self.count == 0, "the front is empty only if all are settled");
        debug_assert!(self.consumed_count <= self.count, "no more than there are");
    }

    /// The place of the piece behind the front that holds this tag, if any does; `None` for the front.
    fn piece_behind(&self, delivery_tag: u64) -> Option<usize> {
        self.behind.partition_point(|piece| piece.first().is_some_and(|first| first <= delivery_tag)).checked_sub(1)
    }

    fn piece(&self, behind: Option<usize>) -> Option<&Piece> {
        behind.map_or(Some(&self.front), |at| self.behind.get(at))
    }

    fn piece_mut(&mut self, behind: Option<usize>) -> Option<&mut Piece> {
        match behind {
            Some(at) => self.behind.get_mut(at),
            None => Some(&mut self.front),
        }
    }

    /// Takes out one delivery, or none when the tag is not outstanding.
    pub(super) fn take(&mut self, delivery_tag: u64) -> Option<Outstanding> {
        let behind = self.piece_behind(delivery_tag);
        let piece = self.piece_mut(behind)?;
        let taken = piece.take(delivery_tag)?;
        if piece.count == 0 {
            match behind {
                // The list of pieces is a two-hundredth of what is outstanding: with a million, some ten microseconds once a piece.
                Some(at) => drop(self.behind.remove(at)),
                None => self.next_piece(),
            }
        }
        self.count -= 1;
        self.consumed_count -= usize::from(taken.is_consumed);
        self.check();
        Some(taken)
    }

    fn next_piece(&mut self) {
        if let Some(piece) = self.behind.pop_front() {
            self.front = piece;
        } else if self.behind.capacity() > GAPS_MIN {
            self.behind = VecDeque::new();
        }
    }

    /// Takes out all deliveries up to this one, which must be outstanding; 0 means all, which may be none.
    pub(super) fn take_up_to(&mut self, delivery_tag: u64) -> Option<Vec<(u64, Outstanding)>> {
        let last = if delivery_tag == 0 { u64::MAX } else { delivery_tag };
        let behind = self.piece_behind(last);
        // Looked at before anything is taken: an unknown tag settles nothing (behaviour reference 5.6).
        if delivery_tag != 0 && !self.piece(behind)?.holds(delivery_tag) {
            return None;
        }
        let mut taken = Vec::with_capacity(self.reach(delivery_tag));
        for _ in 0..behind.map_or(0, |at| at + 1) {
            self.front.take_up_to(last, &mut taken);
            self.next_piece();
        }
        self.front.take_up_to(last, &mut taken);
        if self.front.count == 0 {
            self.next_piece();
        }
        self.count -= taken.len();
        self.consumed_count -= taken.iter().filter(|(_, taken)| taken.is_consumed).count();
        self.check();
        Some(taken)
    }

    /// Puts deliveries back that a transaction had taken out. It costs no more than these, with a factor that a piece bounds.
    pub(super) fn put_back(&mut self, mut deliveries: Vec<(u64, Outstanding)>) {
        self.count += deliveries.len();
        self.consumed_count += deliveries.iter().filter(|(_, taken)| taken.is_consumed).count();
        deliveries.sort_by_key(|(tag, _)| *tag);
        // The last one first, so that those that precede all others are put in front.
        while let Some((tag, outstanding)) = deliveries.pop() {
            let behind = self.piece_behind(tag);
            // It goes to the piece that has its neighbours: others may have been added behind meanwhile.
            let Some(piece) = self.piece_mut(behind) else { continue };
            piece.put_back(tag, outstanding);
            if piece.tags.len() > PIECE_MAX {
                let second = piece.split_off();
                if second.count > 0 {
                    self.behind.insert(behind.map_or(0, |at| at + 1), second);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Weak;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::broker::ids::QueueId;
    use crate::broker::node::Node;
    use crate::broker::queue::arguments::QueueArguments;
    use crate::broker::queue::{Exclusivity, QueueSpec};
    use crate::table::EncodedTable;

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        /// So many, each so far behind the one before.
        Take {
            from: usize,
            stride: usize,
            count: usize,
        },
        TakeUpTo(usize),
        TakeAll,
        /// As a transaction that is rolled back.
        PutBack,
    }

    fn a_step() -> impl Strategy<Value = Step> {
        let place = || 0..3_000_usize;
        prop_oneof![
            4 => (1..1_500_usize).prop_map(Step::Push),
            6 => (place(), 0..40_usize, 1..600_usize).prop_map(|(from, stride, count)| Step::Take { from, stride, count }),
            2 => place().prop_map(Step::TakeUpTo),
            1 => Just(Step::TakeAll),
            2 => Just(Step::PutBack),
        ]
    }

    fn a_queue() -> Arc<QueueHandle> {
        let spec = QueueSpec {
            name: "q".into(),
            durable: false,
            auto_delete: false,
            exclusivity: Exclusivity::Shared,
            raw_arguments: EncodedTable::default(),
            arguments: Arc::new(QueueArguments::default()),
        };
        Arc::new(QueueHandle::new(QueueId(1), spec, Weak::new(), Arc::new(Node::default()), 0))
    }

    fn check(tags: &UnackedTags, model: &BTreeMap<u64, bool>) {
        assert_eq!(tags.len(), model.len());
        assert_eq!(tags.consumed_count(), model.values().filter(|is_consumed| **is_consumed).count());
        let pieces = || std::iter::once(&tags.front).chain(&tags.behind);
        let all: Vec<_> = pieces().flat_map(|piece| &piece.tags).collect();
        assert!(all.is_sorted_by(|(one, _), (next, _)| one < next));
        let there = all.iter().filter(|(_, slot)| slot.is_some()).map(|(tag, _)| *tag);
        assert!(there.eq(model.keys().copied()));
        assert!(tags.behind.iter().all(|piece| piece.count > 0) && (tags.front.count > 0 || model.is_empty()));
        for piece in pieces() {
            let count = piece.tags.iter().filter(|(_, slot)| slot.is_some()).count();
            assert_eq!(piece.count, count);
            assert!(piece.tags.front().is_none_or(|(_, slot)| slot.is_some()), "no piece begins with a gap");
            assert!(piece.tags.len() <= PIECE_MAX, "one settlement costs a piece at most");
            assert!(piece.tags.len() <= 2 * count + GAPS_MIN);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_is_outstanding_is_what_was_not_settled(steps in vec(a_step(), 1..40)) {
            let (queue, mut tags, mut model) = (a_queue(), UnackedTags::default(), BTreeMap::new());
            let (mut last, mut in_transaction) = (0, Vec::new());
            for step in steps {
                match step {
                    Step::Push(count) => for _ in 0..count {
                        last += 1;
                        let is_consumed = last % 3 != 0;
                        model.insert(last, is_consumed);
                        tags.push(last, Outstanding { queue: Arc::clone(&queue), token: Token(last), is_consumed });
                    },
                    Step::Take { from, stride, count } => {
                        for tag in (from as u64..).step_by(stride + 1).take(count) {
                            let taken = tags.take(tag);
                            prop_assert_eq!(taken.as_ref().map(|taken| taken.token), model.remove(&tag).map(|_| Token(tag)));
                            in_transaction.extend(taken.map(|taken| (tag, taken)));
                        }
                    }
                    Step::TakeUpTo(tag) => {
                        let tag = tag as u64 + 1;
                        let reach = tags.reach(tag);
                        let taken = tags.take_up_to(tag);
                        prop_assert_eq!(taken.is_some(), model.contains_key(&tag));
                        let Some(taken) = taken else { continue };
                        prop_assert!(taken.len() <= reach);
                        let left = model.split_off(&(tag + 1));
                        prop_assert!(taken.iter().map(|(tag, _)| *tag).eq(std::mem::replace(&mut model, left).into_keys()));
                        in_transaction.extend(taken);
                    }
                    Step::TakeAll => {
                        let taken = tags.take_up_to(0).unwrap();
                        prop_assert!(taken.iter().map(|(tag, _)| *tag).eq(std::mem::take(&mut model).into_keys()));
                        in_transaction.extend(taken);
                    }
                    Step::PutBack => {
                        let back = std::mem::take(&mut in_transaction);
                        model.extend(back.iter().map(|(tag, back)| (*tag, back.is_consumed)));
                        tags.put_back(back);
                    }
                }
                check(&tags, &model);
            }
        }
    }
}
