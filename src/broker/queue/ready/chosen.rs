//! Taking out ready messages that somebody chose one by one, wherever they are among the first ones.

use super::Ready;
use crate::broker::queue::entry::Entry;
use crate::store::loader::Load;
use crate::store::seq::Seq;

/// Messages can be chosen among so many at the front of a list: taking some of them out moves those that are before.
pub(in crate::broker::queue) const CHOSEN_AMONG_MAX: usize = 65_536;

impl Ready {
    /// Takes out those of these messages that are known one by one and for which `may_go` holds; `ids` are sorted.
    pub(in crate::broker::queue) fn take_chosen(&mut self, ids: &[Seq], may_go: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let is_chosen = |entry: &Entry| ids.binary_search(&entry.seq).is_ok() && may_go(entry);
        let mut taken = Vec::new();
        let is_in_front = |_: &_, before| before < CHOSEN_AMONG_MAX;
        self.returned.take_some(is_in_front, |_, entry| is_chosen(entry), &mut taken);
        for level in &mut self.levels {
            // The sizes of this level are those of what it gave, which is the end of the list.
            let before = taken.len();
            level.requeued.take_few(ids, &may_go, &mut taken);
            let of_level = taken.get(before..).unwrap_or_default();
            level.requeued_bytes -= of_level.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
            // Fresh messages ascend: behind the last wanted one none is looked at.
            if let Some(last) = ids.last() {
                level.fresh.take_chosen(*last, CHOSEN_AMONG_MAX, is_chosen, &mut taken);
            }
        }
        for entry in &taken {
            self.subtract(entry);
        }
        taken
    }

    /// Puts messages back that were taken out by choice, to where they were.
    pub(in crate::broker::queue) fn put_back(&mut self, entries: Vec<Entry>) {
        let mut requeued = Vec::new();
        for entry in entries {
            let fresh = &mut self.level(entry.priority).fresh;
            // What was moved to a file meanwhile is not fresh any more.
            if entry.is_on_disk() || fresh.front().is_none_or(|first| entry.seq < first.seq) {
                requeued.push(entry);
                continue;
            }
            self.add_up(&entry);
            self.level(entry.priority).fresh.insert(entry);
        }
        self.requeue(requeued);
    }

    /// What is to be read so that the message at this place is known one by one; `None` when it is, or when there is none.
    pub(in crate::broker::queue) fn load_for(&self, place: usize) -> Option<Load> {
        let mut known = self.returned.len();
        for level in &self.levels {
            known += level.requeued.len();
            if place < known {
                return None;
            }
            if !level.paged.is_empty() {
                return level.paged.next_load(level.priority);
            }
            known += level.fresh.len();
        }
        None
    }
}
