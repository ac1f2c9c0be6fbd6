//! What is to be read back, and what is being read: one stretch for each level, and one for what was returned.
//!
//! The stretch itself is remembered, so that something else that was read does not count as this one, and nothing is ordered twice.

use super::chosen::CHOSEN_AMONG_MAX;
use super::{Head, Level, Ready, neighbours, stretch};
use crate::broker::queue::entry::Entry;
use crate::store::loader::Load;
use crate::store::seq::Seq;

impl Level {
    fn order(&mut self, ahead_bytes: u64) -> Option<Load> {
        let load = self.next_load(ahead_bytes)?;
        self.loading = Some(load);
        Some(load)
    }
}

impl Ready {
    fn order_returned(&mut self) -> Option<Load> {
        if self.loading_returned.is_some() {
            return None;
        }
        self.loading_returned = neighbours(self.returned.iter(), 0);
        self.loading_returned
    }

    /// What is to be read for the head of the queue; noted as being read.
    pub(in crate::broker::queue) fn load_head(&mut self) -> Option<Load> {
        if self.returned.front().is_some_and(Entry::is_on_disk) {
            return self.order_returned();
        }
        let ahead_bytes = self.ahead_bytes;
        // Only the first level that has something: what is behind it is not wanted yet.
        self.levels.iter_mut().find(|level| level.head().is_some())?.order(ahead_bytes)
    }

    /// What is to be read for the head of the queue, even if it is being read.
    pub(in crate::broker::queue) fn head_load(&self) -> Option<Load> {
        if self.returned.front().is_some_and(Entry::is_on_disk) {
            return neighbours(self.returned.iter(), 0);
        }
        let level = self.levels.iter().find(|level| level.head().is_some())?;
        // The client of a `basic.get` waits for this one, so it is read a second time rather than waited for.
        neighbours(level.requeued.iter(), level.priority).or_else(|| level.paged.next_load(level.priority))
    }

    /// What is to be read because the head of some level may be due before `limit_ms`; noted as being read.
    pub(in crate::broker::queue) fn load_due(&mut self, limit_ms: u64) -> Option<Load> {
        let is_due = |level: &&mut Level| {
            matches!(level.head(), Some(Head::OnDisk(_)))
                && level.next_expiry_ms().is_some_and(|at_ms| at_ms < limit_ms)
        };
        if self.loading_returned.is_none()
            && self.returned.front().is_some_and(|entry| entry.is_on_disk() && entry.expires_at_ms < limit_ms)
        {
            return self.order_returned();
        }
        let ahead_bytes = self.ahead_bytes;
        self.expiring_mut().find(is_due)?.order(ahead_bytes)
    }

    /// What is to be read of these messages, which are known one by one; `ids` are sorted.
    pub(in crate::broker::queue) fn loads_of(&self, ids: &[Seq]) -> Vec<Load> {
        let returned = self.returned.iter().take(CHOSEN_AMONG_MAX);
        let mut found: Vec<(&Entry, u8)> =
            returned.filter(|entry| ids.binary_search(&entry.seq).is_ok()).map(|entry| (entry, 0)).collect();
        for level in &self.levels {
            found.extend(ids.iter().filter_map(|id| level.requeued.get(*id)).map(|entry| (entry, level.priority)));
        }
        let on_disk = found.into_iter().filter(|(entry, _)| entry.is_on_disk());
        on_disk.filter_map(|(entry, level)| stretch(&entry.extent()?, level)).collect()
    }

    /// How much is to be at hand from now on.
    pub(in crate::broker::queue) fn set_ahead(&mut self, bytes: u64) {
        self.ahead_bytes = bytes;
    }

    /// What was ordered is there: the next can be ordered.
    pub(in crate::broker::queue) fn arrived(&mut self, load: Load) {
        let is_this = |ordered: &mut Load| *ordered == load;
        self.loading_returned.take_if(is_this);
        for level in &mut self.levels {
            level.loading.take_if(is_this);
        }
    }

    /// The level that wanted this.
    pub(in crate::broker::queue) fn level_of(&mut self, load: &Load) -> Option<&mut Level> {
        self.levels.iter_mut().find(|level| level.priority == load.level)
    }
}
