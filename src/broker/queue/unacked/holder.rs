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
    /// The timeout has changed since its messages were delivered, so that one behind may be late before the first one is.
    is_mixed: bool,
}

impl Holder {
    pub(super) fn new(channel: ChannelId, holding: Holding) -> Self {
        let (front, behind) = (VecDeque::new(), VecDeque::new());
        Self { channel, holding, sink: None, front, behind, watched_ms: None, is_mixed: false }
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

    /// When its first message is late that is ever late.
    pub(super) fn first_deadline_ms(&mut self) -> Option<u64> {
        let deadline_ms = if self.is_mixed {
            self.iter().map(|unacked| unacked.deadline_ms).min()
        } else {
            self.front.front().map(|first| first.deadline_ms)
        };
        self.is_mixed &= deadline_ms.is_some();
        deadline_ms.filter(|&at_ms| at_ms != u64::MAX)
    }

    pub(super) fn push(&mut self, unacked: Unacked) {
        if self.behind.is_empty() && self.front.len() < PIECE_MAX {
            return self.front.push_back(unacked);
        }
        match self.behind.back_mut().filter(|piece| piece.len() < PIECE_MAX) {
            Some(piece) => piece.push_back(unacked),
            None => {
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
        self.is_mixed = !self.front.is_empty();
    }

    /// The first delivery.
    pub(super) fn first(&self) -> Option<u64> {
        Some(self.front.front()?.delivery)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.front.into_iter().chain(self.behind.into_iter().flatten()).map(|unacked| unacked.entry)
    }

    /// The invariants.
    #[cfg(debug_assertions)]
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
        } else if self.front.capacity() > KEPT_UNACKED {
            (self.front, self.behind) = (VecDeque::new(), VecDeque::new());
        }
    }

    /// Takes out a delivery that need not be the first.
    pub(super) fn take(&mut self, delivery: u64) -> Option<Unacked> {
        let first_of = |piece: &VecDeque<Unacked>| piece.front().map_or(u64::MAX, |first| first.delivery);
        let behind = self.behind.partition_point(|piece| first_of(piece) <= delivery).checked_sub(1);
        let piece = match behind {
            Some(at) => self.behind.get_mut(at)?,
            None => &mut self.front,
        };
        let at = piece.binary_search_by_key(&delivery, |unacked| unacked.delivery).ok()?;
        let unacked = piece.remove(at);
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
