//! The delivery tags of a channel that are not settled, in the order of the tags.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::queue::QueueHandle;
use crate::broker::sink::Token;

/// A delivery that the client must settle.
#[derive(Clone, Debug)]
pub(super) struct Outstanding {
    /// Where it came from.
    pub queue: Arc<QueueHandle>,
    /// What the queue knows it by.
    pub token: Token,
    /// It was delivered to a consumer, so that it took channel credit; else it was taken with `basic.get`.
    pub is_consumed: bool,
}

/// The outstanding deliveries of a channel. In-order settlement is popping; gaps are kept until they are half of it.
#[derive(Debug, Default)]
pub(super) struct UnackedTags {
    /// Ascending tags; `None` for a gap, never at the front.
    tags: VecDeque<(u64, Option<Outstanding>)>,
    count: usize,
    /// How many of them went to consumers.
    consumed_count: usize,
}

/// Gaps below this number are not worth closing.
const GAPS_MIN: usize = 64;

impl UnackedTags {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many of them went to consumers.
    pub(super) const fn consumed_count(&self) -> usize {
        self.consumed_count
    }

    /// How many [`UnackedTags::take_up_to`] would look at.
    pub(super) fn reach(&self, delivery_tag: u64) -> usize {
        if delivery_tag == 0 { self.tags.len() } else { self.position(delivery_tag).map_or(0, |at| at + 1) }
    }

    /// Adds a delivery; tags must ascend.
    pub(super) fn push(&mut self, delivery_tag: u64, outstanding: Outstanding) {
        debug_assert!(self.tags.back().is_none_or(|(last, _)| *last < delivery_tag), "tags ascend");
        self.count += 1;
        self.consumed_count += usize::from(outstanding.is_consumed);
        self.tags.push_back((delivery_tag, Some(outstanding)));
    }

    /// Takes out one delivery, or none when the tag is not outstanding.
    pub(super) fn take(&mut self, delivery_tag: u64) -> Option<Outstanding> {
        let at = self.position(delivery_tag)?;
        let taken = self.tags.get_mut(at)?.1.take()?;
        self.count -= 1;
        self.consumed_count -= usize::from(taken.is_consumed);
        self.close_gaps();
        Some(taken)
    }

    /// Takes out all deliveries up to this one, which must be outstanding; 0 means all, which may be none.
    pub(super) fn take_up_to(&mut self, delivery_tag: u64) -> Option<Vec<(u64, Outstanding)>> {
        let end = if delivery_tag == 0 {
            self.tags.len()
        } else {
            let at = self.position(delivery_tag)?;
            self.tags.get(at)?.1.as_ref()?;
            at + 1
        };
        let taken: Vec<_> = self.tags.drain(..end).filter_map(|(tag, slot)| Some((tag, slot?))).collect();
        self.count -= taken.len();
        self.consumed_count -= taken.iter().filter(|(_, taken)| taken.is_consumed).count();
        self.close_gaps();
        Some(taken)
    }

    /// Puts deliveries back that a transaction had taken out. It costs no more than these, unless gaps were closed since.
    pub(super) fn put_back(&mut self, mut deliveries: Vec<(u64, Outstanding)>) {
        self.count += deliveries.len();
        self.consumed_count += deliveries.iter().filter(|(_, taken)| taken.is_consumed).count();
        deliveries.sort_by_key(|(tag, _)| *tag);
        let mut homeless = Vec::new();
        while let Some((tag, outstanding)) = deliveries.pop() {
            if self.tags.front().is_none_or(|(first, _)| tag < *first) {
                self.tags.push_front((tag, Some(outstanding)));
                continue;
            }
            match self.position(tag).and_then(|at| self.tags.get_mut(at)) {
                Some((_, gap)) => *gap = Some(outstanding),
                None => homeless.push((tag, Some(outstanding))),
            }
        }
        if !homeless.is_empty() {
            let mut all: Vec<_> = self.tags.drain(..).filter(|(_, slot)| slot.is_some()).chain(homeless).collect();
            all.sort_by_key(|(tag, _)| *tag);
            self.tags = all.into();
        }
    }

    /// Without gaps a tag's place follows from the first one; with gaps closed it is to be searched.
    fn position(&self, delivery_tag: u64) -> Option<usize> {
        let &(first, _) = self.tags.front()?;
        let guess = usize::try_from(delivery_tag.checked_sub(first)?).ok()?;
        if self.tags.get(guess).is_some_and(|(tag, _)| *tag == delivery_tag) {
            return Some(guess);
        }
        self.tags.binary_search_by_key(&delivery_tag, |(tag, _)| *tag).ok()
    }

    /// Checks the invariants, in debug builds. Counting is left to the tests: it costs as much as there are deliveries.
    fn check(&self) {
        debug_assert!(self.tags.front().is_none_or(|(_, slot)| slot.is_some()), "no gap is at the front");
        debug_assert!(self.consumed_count <= self.count && self.count <= self.tags.len(), "no more than there are");
    }

    fn close_gaps(&mut self) {
        while self.tags.front().is_some_and(|(_, slot)| slot.is_none()) {
            self.tags.pop_front();
        }
        if self.tags.len() > 2 * self.count + GAPS_MIN {
            self.tags.retain(|(_, slot)| slot.is_some());
        }
        if self.tags.is_empty() && self.tags.capacity() > GAPS_MIN * 64 {
            self.tags = VecDeque::new();
        }
        self.check();
    }
}
