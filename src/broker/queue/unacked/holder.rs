//! Who holds messages, and they, in the order of delivery and in pieces: one that is settled out of order moves only those of its piece.
//!
//! Invariants: a holder that is no consumer has messages; `front` is empty only if all is; deliveries ascend; no piece behind the front
//! is empty.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::entry::Entry;
use crate::broker::sink::Sink;

/// A delivered message that waits to be settled.
#[derive(Debug)]
pub(in crate::broker::queue) struct Unacked {
    pub(in crate::broker::queue) entry: Entry,
    /// When it is late, by what held when it was delivered; `u64::MAX` for never. It ascends with the deliveries of a holder, unless
    /// [`Holder::timeout_changes`] was told.
    pub(in crate::broker::queue) deadline_ms: u64,
    /// Its place in the order of all deliveries of the queue.
    pub(in crate::broker::queue) delivery: u64,
}

/// Why a channel holds messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holding {
    /// It took them with `basic.get`.
    Got,
    /// They were left by a consumer that is gone.
    Left,
    /// They went to this consumer.
    Consumed(ConsumerId),
}

/// Messages of a piece at most: what one that is settled out of order may have to move.
const PIECE_MAX: usize = 256;

/// Room for so many messages is kept when the last one is settled.
const KEPT_UNACKED: usize = 64;

#[derive(Debug)]
pub(super) struct Holder {
    pub(super) channel: ChannelId,
    pub(super) holding: Holding,
    /// Who is told when a message is late that no consumer holds.
    pub(super) sink: Option<Arc<dyn Sink>>,
    front: VecDeque<Unacked>,
    behind: VecDeque<VecDeque<Unacked>>,
    /// When to look whether a message is late: never after the first one is.
    pub(super) watched_ms: Option<u64>,
    /// Deliveries from which on another timeout held, so that one behind may be late before the first one is. Boxed, because a holder
    /// rarely sees one.
    #[expect(clippy::box_collection, reason = "a holder has room for a pointer, not for a list")]
    changes: Option<Box<Vec<u64>>>,
}

impl Holder {
    pub(super) fn new(channel: ChannelId, holding: Holding) -> Self {
        let (front, behind) = (VecDeque::new(), VecDeque::new());
        Self { channel, holding, sink: None, front, behind, watched_ms: None, changes: None }
    }

    pub(super) const fn consumer(&self) -> Option<ConsumerId> {
        match self.holding {
            Holding::Consumed(id) => Some(id),
            Holding::Got | Holding::Left => None,
        }
    }

    /// A holder is kept while its consumer is there or it has messages.
    pub(super) fn is_over(&self) -> bool {
        self.front.is_empty() && self.consumer().is_none()
    }

    /// When its first message is late that is ever late. Between two changes of the timeout that is the first of those that were
    /// delivered there.
    pub(super) fn first_deadline_ms(&mut self) -> Option<u64> {
        let first = self.front.front()?;
        let (mut first_ms, delivery) = (first.deadline_ms, first.delivery);
        if let Some(mut changes) = self.changes.take() {
            // A change before the first message that is left divides nothing any more.
            changes.retain(|change| *change > delivery);
            let of_changes = changes.iter().filter_map(|change| self.first_from(*change));
            first_ms = of_changes.map(|unacked| unacked.deadline_ms).fold(first_ms, u64::min);
            self.changes = Some(changes).filter(|changes| !changes.is_empty());
        }
        Some(first_ms).filter(|&at_ms| at_ms != u64::MAX)
    }

    /// The first delivery from this number on.
    fn first_from(&self, delivery: u64) -> Option<&Unacked> {
        let is_before = |piece: &VecDeque<Unacked>| piece.back().is_some_and(|last| last.delivery < delivery);
        let piece =
            if is_before(&self.front) { self.behind.get(self.behind.partition_point(is_before))? } else { &self.front };
        piece.get(piece.partition_point(|unacked| unacked.delivery < delivery))
    }

    pub(super) fn push(&mut self, unacked: Unacked) {
        if self.behind.is_empty() && self.front.len() < PIECE_MAX {
            return self.front.push_back(unacked);
        }
        match self.behind.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(unacked),
            None => {
                // As large as it will be, so that it is never copied.
                let mut piece = VecDeque::with_capacity(PIECE_MAX);
                piece.push_back(unacked);
                self.behind.push_back(piece);
            }
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Unacked> {
        let unacked = self.front.pop_front();
        if self.front.is_empty() {
            self.next_piece();
        }
        unacked
    }

    /// The timeout has changed, which may make its later messages late before the first one.
    pub(super) fn timeout_changes(&mut self) {
        let Some(last) = self.behind.back().unwrap_or(&self.front).back() else { return };
        let next = last.delivery + 1;
        let changes = self.changes.get_or_insert_default();
        // Nothing was delivered since the last change.
        if changes.last() != Some(&next) {
            changes.push(next);
        }
    }

    /// The first delivery.
    pub(super) fn first(&self) -> Option<u64> {
        Some(self.front.front()?.delivery)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.front.into_iter().chain(self.behind.into_iter().flatten()).map(|unacked| unacked.entry)
    }

    /// Panics where an invariant from the head of this file is broken. Only in tests and debug builds.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        let Self { holding, channel, front, behind, .. } = self;
        assert!(!self.is_over(), "{holding:?} of {channel:?} holds nothing");
        assert!(!front.is_empty() || behind.is_empty(), "the first piece is the front");
        assert!(behind.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_MAX), "pieces");
        assert!(self.iter().is_sorted_by(|one, next| one.delivery < next.delivery), "in the order of delivery");
    }

    fn next_piece(&mut self) {
        if let Some(piece) = self.behind.pop_front() {
            self.front = piece;
        // A consumer with a small prefetch keeps its room; a thousand that once had many give it back.
        } else if self.front.capacity() > KEPT_UNACKED {
            (self.front, self.behind) = (VecDeque::new(), VecDeque::new());
        }
    }

    /// Takes out a delivery that need not be the first.
    pub(super) fn take(&mut self, delivery: u64) -> Option<Unacked> {
        let first_of = |piece: &VecDeque<Unacked>| piece.front().map_or(u64::MAX, |first| first.delivery);
        // Which piece, by their first deliveries; none of those behind means the front.
        let behind = self.behind.partition_point(|piece| first_of(piece) <= delivery).checked_sub(1);
        let piece = match behind {
            Some(at) => self.behind.get_mut(at)?,
            None => &mut self.front,
        };
        let at = piece.binary_search_by_key(&delivery, |unacked| unacked.delivery).ok()?;
        let unacked = piece.remove(at);
        // A client that settles every message but a few would keep whole pieces for them.
        if piece.len() < piece.capacity() / 4 && piece.capacity() > KEPT_UNACKED {
            piece.shrink_to(piece.len() * 2);
        }
        match behind {
            Some(at) if piece.is_empty() => drop(self.behind.remove(at)),
            None if piece.is_empty() => self.next_piece(),
            _ => {}
        }
        unacked
    }

    pub(super) fn len(&self) -> usize {
        self.front.len() + self.behind.iter().map(VecDeque::len).sum::<usize>()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.front.iter().chain(self.behind.iter().flatten())
    }

    /// Those from this delivery on.
    pub(super) fn iter_from_mut(&mut self, delivery: u64) -> impl Iterator<Item = &mut Unacked> {
        let before = self.behind.partition_point(|piece| piece.back().is_some_and(|last| last.delivery < delivery));
        let pieces = self.behind.range_mut(before..).flatten();
        self.front.iter_mut().chain(pieces).skip_while(move |unacked| unacked.delivery < delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::queue::entry::sample;

    fn unacked(delivery: u64) -> Unacked {
        Unacked { entry: sample(delivery), deadline_ms: u64::MAX, delivery }
    }

    /// Whatever timeouts there were, and whichever messages are settled, as if all were looked at.
    #[test]
    fn the_first_deadline_is_found_among_those_of_changed_timeouts() {
        let mut holder = Holder::new(ChannelId(1), Holding::Got);
        let (mut random, mut delivery) = (7_u64, 0);
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for round in 0..300_u64 {
            let timeout_ms = match next(5) {
                0 => u64::MAX,
                longer => 10_u64.pow(u32::try_from(longer).unwrap()),
            };
            for _ in 0..next(3) * next(200) {
                delivery += 1;
                let deadline_ms = timeout_ms.saturating_add(round * 100 + delivery);
                holder.push(Unacked { deadline_ms, ..unacked(delivery) });
            }
            holder.timeout_changes();
            for _ in 0..next(2) * next(300) {
                let settled = delivery - next(delivery.clamp(1, 2_000));
                if next(2) == 0 { drop(holder.take(settled)) } else { drop(holder.pop_front()) }
            }
            let expected = holder.iter().map(|unacked| unacked.deadline_ms).min().filter(|at_ms| *at_ms != u64::MAX);
            assert_eq!(holder.first_deadline_ms(), expected, "round {round}");
        }
        while holder.pop_front().is_some() {}
        assert_eq!(holder.first_deadline_ms(), None);
        holder.push(unacked(delivery + 1));
        assert!(holder.first_deadline_ms().is_none() && holder.changes.is_none(), "nothing is remembered in vain");
    }

    /// Its pieces: the first, a middle one, and the last one lose a message each, and one all of them.
    #[test]
    fn messages_are_found_in_any_piece_and_the_others_stay_in_order() {
        const COUNT: u64 = 5 * PIECE_MAX as u64;
        let mut holder = Holder::new(ChannelId(1), Holding::Got);
        (1..=COUNT).for_each(|delivery| holder.push(unacked(delivery * 2)));
        let second_piece = PIECE_MAX as u64 + 1..=2 * PIECE_MAX as u64;
        let taken: Vec<_> = [2, COUNT, 2 * COUNT].into_iter().chain(second_piece.map(|at| at * 2)).collect();
        for delivery in &taken {
            assert_eq!(holder.take(*delivery).map(|unacked| unacked.delivery), Some(*delivery));
            assert!(holder.take(*delivery).is_none() && holder.take(delivery - 1).is_none(), "once, and no other");
            holder.check();
        }
        assert_eq!(holder.len(), 5 * PIECE_MAX - taken.len());
        assert_eq!(holder.first(), Some(4));
        let mut left = (1..=COUNT).map(|delivery| delivery * 2).filter(|delivery| !taken.contains(delivery));
        assert!(std::iter::from_fn(|| holder.pop_front()).all(|unacked| left.next() == Some(unacked.delivery)));
        assert!(left.next().is_none() && holder.is_over());
    }
}
