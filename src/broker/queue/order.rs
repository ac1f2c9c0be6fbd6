//! Where the messages of a queue are, and the numbers that say in which order they came and went out.
//!
//! Invariants: a message is in one of the places; each place keeps its own order, and checks it; numbers are given once, ascending.
//! What a queue does with messages is in the files that are named after it (`delivery`, `settling`, `returning`, ...).

use super::arguments::QueueKind;
use super::dying::Dying;
use super::entry::Entry;
use super::held_back::HeldBack;
use super::ready::{Level, Ready};
use super::returning::Returning;
use super::unacked::UnackedTable;
use super::walk::{Spot, Starts};
use crate::store::seq::Seq;

/// The messages of a queue.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) ready: Ready,
    pub(super) unacked: UnackedTable,
    pub(super) returning: Returning,
    pub(super) dying: Dying,
    pub(super) held_back: HeldBack,
    next_seq: Seq,
    /// How many deliveries there were that must be settled.
    deliveries: u64,
}

impl Order {
    pub(super) fn new(kind: QueueKind) -> Self {
        Self {
            ready: Ready::new(kind),
            unacked: UnackedTable::default(),
            returning: Returning::default(),
            dying: Dying::default(),
            held_back: HeldBack::default(),
            next_seq: Seq::FIRST,
            deliveries: 0,
        }
    }

    /// The number of a new message.
    pub(super) const fn give_seq(&mut self) -> Seq {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        seq
    }

    /// The number that the next message will have.
    pub(super) const fn next_seq(&self) -> Seq {
        self.next_seq
    }

    /// Goes on with the numbers of an earlier run.
    pub(super) fn restore_seq(&mut self, next_seq: Seq) {
        debug_assert!(self.next_seq == Seq::FIRST, "once, before any message");
        self.next_seq = next_seq;
    }

    /// The number of a delivery that must be settled.
    pub(super) const fn give_delivery(&mut self) -> u64 {
        self.deliveries += 1;
        self.deliveries
    }

    /// The number of the last one.
    pub(super) const fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Messages that are known one by one, wherever they are.
    pub(super) fn known_len(&self) -> usize {
        self.ready.known_len() + self.unacked.len() + self.held_back.len() + self.dying.len()
    }

    /// What takes one step each to be taken out: messages that are known one by one, and parts of files.
    pub(super) fn weight(&self) -> usize {
        self.known_len() + self.ready.unread_part_count()
    }

    /// The messages from a place on, each with its own; the fresh ones only if they are wanted.
    pub(super) fn entries_from(&mut self, from: Spot, with_fresh: bool) -> impl Iterator<Item = (Spot, &mut Entry)> {
        let Starts { held_back, returned, level, unrouted, dying, unacked } = from.starts();
        let held_back = self.held_back.iter_from_mut(held_back).map(|(place, entry)| (Spot::HeldBack(*place), entry));
        // Chained in the order of a walk (`walk.rs` says why). Each list is entered at its place by a search,
        // so a step costs what it visits.
        let (in_front, levels) = self.ready.rooms_mut(returned);
        let in_front = in_front.map(|(at, entry)| (Spot::Returned(at + 1), entry));
        // A signed number, because a walk that is behind all levels begins below level 0.
        let levels = levels.iter_mut().filter(move |there| i16::from(there.priority) <= level.0);
        let of_levels = levels.flat_map(move |there| of_level(there, level, with_fresh));
        let dying = self.dying.iter_from_mut(unrouted, dying);
        let unacked = self.unacked.iter_from_mut(unacked.0, unacked.1);
        let unacked = unacked.map(|(id, unacked)| (Spot::Unacked(id, unacked.delivery), &mut unacked.entry));
        held_back.chain(in_front).chain(of_levels).chain(dying).chain(unacked)
    }

    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        self.ready.check();
        self.unacked.check();
        self.held_back.check();
        self.dying.check();
        let held_back = self.held_back.iter().map(|(_, entry)| entry);
        let deliveries = self.unacked.iter().map(|unacked| unacked.delivery);
        assert!(deliveries.max().is_none_or(|last| last <= self.deliveries), "deliveries are counted");
        let all = self.ready.requeued().chain(held_back).chain(self.unacked.iter().map(|unacked| &unacked.entry));
        let mut seqs: Vec<_> = all.map(|entry| entry.seq).collect();
        let count = seqs.len();
        seqs.sort_unstable();
        seqs.dedup();
        assert_eq!(seqs.len(), count, "each is in one place");
        assert!(seqs.last().is_none_or(|last| *last < self.next_seq), "numbers are given once");
    }
}

fn of_level(level: &mut Level, from: (i16, bool, Seq), with_fresh: bool) -> impl Iterator<Item = (Spot, &mut Entry)> {
    let Level { priority, requeued, fresh, .. } = level;
    let (priority, (first, is_fresh, seq)) = (*priority, from);
    let (requeued_from, fresh_from) = match (i16::from(priority) == first, is_fresh) {
        (true, true) => (Seq::BEHIND_ALL, seq),
        (true, false) => (seq, Seq::FIRST),
        (false, _) => (Seq::FIRST, Seq::FIRST),
    };
    let place = move |is_fresh, entry: &Entry| Spot::Ready { priority, is_fresh, seq: entry.seq };
    // Fresh messages are told by parts; only the relief of chunks walks over them.
    let fresh_from = if with_fresh { fresh_from } else { Seq::BEHIND_ALL };
    let requeued = requeued.iter_from_mut(requeued_from).map(move |entry| (place(false, entry), entry));
    requeued.chain(fresh.iter_from_mut(fresh_from).map(move |entry| (place(true, entry), entry)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_given_once_and_go_on_after_a_restart() {
        let mut order = Order::new(QueueKind::Classic);
        assert_eq!((order.give_seq(), order.give_seq(), order.next_seq()), (Seq(0), Seq(1), Seq(2)));
        assert_eq!((order.give_delivery(), order.give_delivery(), order.deliveries()), (1, 2, 2));
        let mut restored = Order::new(QueueKind::Quorum);
        restored.restore_seq(order.next_seq());
        assert_eq!(restored.give_seq(), Seq(2));
        restored.check();
    }
}
