//! What the store knows of a queue: what the transition that is under way leaves to be recorded, and what a checkpoint says beside the
//! places of messages.
//!
//! Invariants: whatever changes a stored message is recorded with the transition that does it; counts that the log may lose, because
//! the message is in a segment file, are remembered here until the message is gone; the marks only rise.

use super::entry::{Entry, State};
use super::recounted::Recounted;
use super::relocation::Relocation;
use super::walk::Walk;
use crate::message::DeliveryCounts;
use crate::store::journal::Journal;
use crate::store::marks::Marks;
use crate::store::record::Freed;
use crate::store::seq::Seq;

/// The queue's side of the store.
#[derive(Debug, Default)]
pub(super) struct Backing {
    /// What is to be recorded of the transition that is under way.
    journal: Journal,
    /// Deliveries of messages in segment files that came back since they were written there, by place.
    recounted: Recounted,
    /// Until where the messages of each level are not in the log any more.
    moved: Marks,
    /// The pager goes past all messages, in steps.
    walk: Option<Box<Walk>>,
}

impl Backing {
    pub(super) fn new(journal: Journal) -> Self {
        Self { journal, ..Self::default() }
    }

    /// What was found at the start.
    pub(super) fn restore(&mut self, delivered: Marks, moved: Marks, counts: Vec<(Seq, DeliveryCounts)>) {
        debug_assert!(self.moved.is_empty() && self.recounted.len() == 0, "once, before anything else");
        self.journal.restore_marks(delivered);
        (self.moved, self.recounted) = (moved, Recounted::restored(counts));
    }

    /// What is to be recorded.
    pub(super) const fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Whether anything of the queue survives a restart.
    pub(super) const fn is_kept(&self) -> bool {
        self.journal.is_kept()
    }

    /// The queue's definition goes, and everything with it: until the log says so, nothing is lost. What was counted is handed out, to
    /// be dropped when nothing is locked.
    pub(super) fn stop_keeping(&mut self) -> Recounted {
        self.journal.stop_keeping();
        std::mem::take(&mut self.recounted)
    }

    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.recounted.len() * size_of::<(Seq, DeliveryCounts)>()
    }

    /// A message was added.
    pub(super) fn enqueued(&mut self, entry: &Entry) {
        if entry.is_stored {
            self.journal.enqueued(&entry.record());
        }
    }

    /// A message was delivered.
    pub(super) fn delivered(&mut self, entry: &Entry) {
        if entry.is_stored {
            self.journal.delivered(entry.priority, entry.seq);
        }
    }

    /// A message has left the queue for good: the store need not keep it.
    pub(super) fn gone(&mut self, entry: &Entry) {
        match entry.extent() {
            // In a segment file: the file learns that the place is free, also for messages that do not survive
            // a restart, because it is to be rewritten when much is free.
            Some(extent) => {
                self.journal.freed(&extent);
                self.recounted.forget(entry.seq);
            }
            // In the log only: its number says all.
            None if entry.is_stored => self.journal.settled(entry.seq),
            None => {}
        }
    }

    /// Messages that were not known one by one have left the queue.
    pub(super) fn freed(&mut self, stretch: Freed) {
        self.journal.freed_stretch(stretch);
    }

    /// Deliveries are to survive a restart: in the log, and, if the message is not there any more, in the checkpoints.
    pub(super) fn note_counts(&mut self, entry: &Entry, counts: DeliveryCounts) {
        if entry.is_stored {
            self.journal.counted(entry.seq, counts);
            // Its record in the file has the old numbers, and the one in the log goes with the next checkpoint:
            // from then on only the checkpoints know.
            if !entry.address.is_in_log() {
                self.recounted.note(entry.seq, counts);
            }
        }
    }

    /// What was counted of a message that was found at the start and is read now.
    pub(super) fn counts_of(&mut self, seq: Seq) -> Option<DeliveryCounts> {
        self.recounted.read(seq)
    }

    /// Some of the counts that a checkpoint tells of, as [`Recounted::tell`] does.
    pub(super) fn tell_counts(
        &mut self,
        from: Seq,
        all_read: bool,
        told: &mut Vec<(Seq, DeliveryCounts)>,
    ) -> Option<Seq> {
        self.recounted.tell(from, all_read, told)
    }

    /// Until where each level may have been delivered.
    pub(super) fn delivered_marks(&self) -> &Marks {
        self.journal.delivered_marks()
    }

    /// Until where this level may have been delivered.
    pub(super) fn delivered_below(&self, level: u8) -> Seq {
        self.journal.delivered_marks().below(level)
    }

    /// This message of a level, and all before it, are not in the log any more.
    pub(super) fn note_moved(&mut self, level: u8, last: Seq) {
        self.moved.raise(level, last.next());
    }

    /// Until where the messages of each level are not in the log any more.
    pub(super) const fn moved(&self) -> &Marks {
        &self.moved
    }

    /// Something goes past all messages from now on, until it is ended.
    pub(super) fn begin_walk(&mut self, walk: Walk) {
        self.walk = Some(Box::new(walk));
    }

    /// Messages that are looked for, to have new places; `None` when no relocation is under way.
    pub(super) fn relocation(&mut self) -> Option<&mut Relocation> {
        match self.walk.as_deref_mut()? {
            Walk::Relocation(relocation) => Some(relocation),
            Walk::Search(_) => None,
        }
    }

    /// The walk meets a message.
    #[inline]
    pub(super) fn meet(&mut self, entry: &mut Entry, state: State) {
        // No walk is under way nearly always, so that this costs one comparison a message.
        if let Some(walk) = &mut self.walk {
            walk.meet(entry, state, &mut self.recounted);
        }
    }

    /// The end of a relocation: what of it is not in the queue any more.
    pub(super) fn end_relocation(&mut self) -> Option<Relocation> {
        match *self.walk.take()? {
            Walk::Relocation(relocation) => Some(relocation),
            Walk::Search(_) => None,
        }
    }

    /// Ends a search, if one is under way: whether it may have missed something.
    pub(super) fn end_search(&mut self) -> bool {
        // A relocation may have taken its place: that one is ended by itself.
        let is_search = |walk: &mut Box<Walk>| matches!(**walk, Walk::Search(_));
        match self.walk.take_if(is_search).as_deref() {
            Some(Walk::Search(search)) => search.has_slipped(),
            Some(Walk::Relocation(_)) | None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::broker::queue::entry::{Body, sample};
    use crate::store::address::{Address, SegmentId};

    fn entry(seq: u64, address: Address) -> Entry {
        let body = Body::OnDisk { record_bytes: 64, body_bytes: 10 };
        Entry { body, address, counted_bytes: 10, is_stored: true, ..sample(seq) }
    }

    #[test]
    fn counts_are_remembered_while_a_message_is_in_a_file_and_no_longer() {
        let mut backing = Backing::new(Journal::new(1, true));
        let (in_log, in_file) = (entry(1, Address::in_log(8)), entry(2, Address::in_segment(SegmentId(3), 64)));
        let counts = DeliveryCounts { acquired: 2, failed: 1 };
        backing.note_counts(&in_log, counts);
        backing.note_counts(&in_file, counts);
        let mut told = Vec::new();
        assert_eq!(backing.tell_counts(Seq::FIRST, false, &mut told), None);
        assert_eq!(told, [(Seq(2), counts)], "the log tells of the other one");
        backing.gone(&in_file);
        assert_eq!(backing.bytes(), 0);
    }

    #[test]
    fn a_relocation_is_not_ended_by_a_search_that_is_over() {
        let mut backing = Backing::default();
        backing.begin_walk(Walk::Relocation(Relocation::ToFiles(BTreeMap::new())));
        assert!(!backing.end_search() && backing.relocation().is_some());
        assert!(backing.end_relocation().is_some() && backing.end_relocation().is_none());
    }
}
