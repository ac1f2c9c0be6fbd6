//! Counts of deliveries that changed since the message was written to its segment file: checkpoints tell of them.

use std::collections::BTreeMap;

use crate::message::DeliveryCounts;
use crate::store::seq::Seq;

/// What was counted of messages in segment files, by their places in the queue. Most queues never have any.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a map")]
pub(super) struct Recounted(Option<Box<BTreeMap<Seq, Counted>>>);

#[derive(Clone, Copy, Debug)]
struct Counted {
    counts: DeliveryCounts,
    /// The store found it at the start, and the message was not read since. It may be gone: the store cannot tell.
    is_unread: bool,
}

/// So many are told to a checkpoint under one lock.
pub(super) const TOLD_AT_ONCE: usize = 1024;

impl Recounted {
    pub(super) fn restored(counts: impl IntoIterator<Item = (Seq, DeliveryCounts)>) -> Self {
        let unread = counts.into_iter().map(|(seq, counts)| (seq, Counted { counts, is_unread: true }));
        let unread: BTreeMap<_, _> = unread.collect();
        Self((!unread.is_empty()).then(|| Box::new(unread)))
    }

    pub(super) fn note(&mut self, seq: Seq, counts: DeliveryCounts) {
        // What the store found is out of date now.
        let counted = Counted { counts, is_unread: false };
        self.0.get_or_insert_default().insert(seq, counted);
    }

    /// A message was read that the store found at the start: hands out what was counted since it was written.
    pub(super) fn read(&mut self, seq: Seq) -> Option<DeliveryCounts> {
        let counted = self.0.as_mut()?.get_mut(&seq).filter(|counted| counted.is_unread)?;
        // It stays: later checkpoints must go on telling of it until the message is gone.
        counted.is_unread = false;
        Some(counted.counts)
    }

    /// A message is gone.
    pub(super) fn forget(&mut self, seq: Seq) {
        if let Some(counted) = &mut self.0 {
            counted.remove(&seq);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |counted| counted.len())
    }

    /// Tells some of them, from a place on, in their order: where to go on, or `None` at the end. If everything was read that the store
    /// found at the start, what was not read is gone, and is forgotten.
    pub(super) fn tell(&mut self, from: Seq, all_read: bool, told: &mut Vec<(Seq, DeliveryCounts)>) -> Option<Seq> {
        let all = self.0.as_mut()?;
        let mut gone = Vec::new();
        let mut places = all.range(from..);
        for (&seq, counted) in places.by_ref().take(TOLD_AT_ONCE) {
            // All parts of the start are read, and this one was in none.
            if all_read && counted.is_unread {
                gone.push(seq);
            } else {
                told.push((seq, counted.counts));
            }
        }
        // By number, so that what is added or forgotten between two steps moves nothing.
        let next = places.next().map(|(&seq, _)| seq);
        for seq in gone {
            all.remove(&seq);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(acquired: u32) -> DeliveryCounts {
        DeliveryCounts { acquired, failed: 0 }
    }

    /// All in steps, between which something happens.
    fn tell(
        recounted: &mut Recounted,
        all_read: bool,
        mut between: impl FnMut(&mut Recounted),
    ) -> Vec<(Seq, DeliveryCounts)> {
        let (mut all, mut from) = (Vec::new(), Seq::FIRST);
        loop {
            let mut told = Vec::new();
            let next = recounted.tell(from, all_read, &mut told);
            assert!(told.len() <= TOLD_AT_ONCE);
            all.extend(told);
            let Some(next) = next else { return all };
            from = next;
            between(recounted);
        }
    }

    #[test]
    fn many_are_told_in_steps_and_none_is_missed_that_is_read_meanwhile() {
        let many = TOLD_AT_ONCE as u64 * 3 + 5;
        let mut recounted = Recounted::restored((0..many).map(|seq| (Seq(seq), counts(1))));
        let (mut steps, mut to_read) = (0, (0..many).rev());
        let told = tell(&mut recounted, false, |recounted| {
            steps += 1;
            to_read.by_ref().take(700).for_each(|seq| assert_eq!(recounted.read(Seq(seq)), Some(counts(1))));
            recounted.note(Seq(many), counts(9));
        });
        assert_eq!((steps, told.len() as u64), (3, many + 1));
        assert!(told.is_sorted_by_key(|(seq, _)| *seq));
    }

    #[test]
    fn what_was_not_read_is_forgotten_once_all_was() {
        let mut recounted = Recounted::restored((0..TOLD_AT_ONCE as u64 * 2).map(|seq| (Seq(seq), counts(1))));
        assert_eq!(recounted.read(Seq(7)), Some(counts(1)));
        assert_eq!(recounted.read(Seq(7)), None, "once");
        recounted.note(Seq(8), counts(2));
        assert_eq!(tell(&mut recounted, true, |_| {}), [(Seq(7), counts(1)), (Seq(8), counts(2))]);
        recounted.forget(Seq(7));
        assert_eq!(recounted.len(), 1);
    }
}
