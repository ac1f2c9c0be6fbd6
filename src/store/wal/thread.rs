//! When the thread of the log, and whoever keeps it short, have something to do. There is no timer while there is nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::group::Payload;
use super::space::SPACE_CHECK_PAUSE;
use super::{EAGER_BYTES, State, Wal};
use crate::store::failure::Remedy;
use crate::store::{Log, StoreError};

/// What nobody waits for is written after so long, so that a killed process loses little.
const LAZY_WRITE: Duration = Duration::from_millis(5);
/// What nobody waits for is synced after so long.
const LAZY_SYNC: Duration = Duration::from_millis(200);
/// When something is scarce, how long until the same is tried again.
const SCARCE_PAUSE: Duration = Duration::from_millis(200);
/// So many bytes are synced at once, even if nobody waits.
const EAGER_SYNC_BYTES: u64 = 8 * 1024 * 1024;

impl Wal {
    /// Makes [`Wal::run`] return once everything is durable.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        // As if somebody waited for all of it, so that the last groups are synced without a timer.
        state.wanted = state.head;
        drop(state);
        self.changed.notify_all();
        self.crowded.notify_all();
    }

    /// Writes and syncs until [`Wal::stop`]. A failure is kept in [`Wal::failure`].
    pub(crate) fn run(&self) {
        while let Some(sync) = self.wait_for_work() {
            let mut has_waited = false;
            // The same round again: what is scarce comes back, and nothing of it is lost.
            while let Err(error) = self.commit(sync) {
                if error.remedy() != Remedy::Wait {
                    // After this nothing is durable any more, and nobody is told that it is.
                    return self.fail(error);
                }
                if !self.wait_for_better_times(&error, has_waited) {
                    return;
                }
                has_waited = true;
            }
            if has_waited {
                tracing::info!("the log is written again");
            }
        }
    }

    /// Waits until what is scarce may be there again; false when the log is to stop, because there is no more time to wait then.
    fn wait_for_better_times(&self, error: &StoreError, has_waited: bool) -> bool {
        if !has_waited {
            tracing::warn!(%error, "the log waits until it can be written: nothing that it keeps is confirmed until then");
        }
        let mut state = self.state.lock();
        if !state.is_stopping {
            // An append ends it early, which does no harm: it is one try more.
            self.changed.wait_for(&mut state, SCARCE_PAUSE);
        }
        !state.is_stopping
    }

    /// Waits until there is something to do: whether it is to be synced. `None` when everything is done for good.
    fn wait_for_work(&self) -> Option<bool> {
        let mut state = self.state.lock();
        loop {
            let durable = self.durable.load(Ordering::Acquire);
            // All three are looked at under the lock, so that no append falls between the look and the sleep.
            let can_write = !state.groups.is_empty();
            let unsynced = state.written > durable;
            let is_wanted = state.wanted > durable;
            if self.failure.get().is_some() || state.is_stopping && state.groups.is_empty() && !unsynced {
                return None;
            }
            // Somebody waits: everything that is there is written, and one sync is for all of it.
            if is_wanted && (can_write || unsynced) {
                return Some(true);
            }
            // Nobody waits. It is written so that memory does not grow, and synced only now and then.
            if can_write && state.pending_bytes >= EAGER_BYTES {
                return Some(state.written - durable >= EAGER_SYNC_BYTES);
            }
            let is_low = self.is_low.load(Ordering::Relaxed);
            let timer = match (can_write, unsynced) {
                // More may follow within 5 ms, and goes with the same write.
                (true, _) => Some(LAZY_WRITE),
                (false, true) => Some(LAZY_SYNC),
                // All is durable, and no group says so yet.
                (false, false) if !state.is_sealed => Some(LAZY_WRITE),
                (false, false) => is_low.then_some(SPACE_CHECK_PAUSE),
            };
            match timer {
                None => {
                    state.is_idle = true;
                    self.changed.wait(&mut state);
                    state.is_idle = false;
                }
                Some(timer) if self.changed.wait_for(&mut state, timer).timed_out() => {
                    let is_due = !can_write && !unsynced && !state.is_sealed;
                    // An append may have come in the same moment: then its group says it.
                    if is_due && state.groups.is_empty() {
                        self.push_seal(&mut state);
                    }
                    // What was only written is synced by the next, longer timer.
                    return Some(!can_write && !is_due);
                }
                Some(_) => {}
            }
        }
    }

    /// Appends a group that says how far the log is durable, unless one says so already. A start takes damage in front of it for what it
    /// is, and not for a write that was cut off.
    pub fn seal(&self) {
        let mut state = self.state.lock();
        let is_synced = state.written == self.durable.load(Ordering::Acquire);
        if is_synced && !state.is_sealed && state.groups.is_empty() {
            self.push_seal(&mut state);
        }
    }

    fn push_seal(&self, state: &mut MutexGuard<'_, State>) {
        self.push(state, Payload::Records(Vec::new()));
    }

    /// Ends `StoredLog::wait_until_crowded`.
    pub(crate) fn ask_to_shorten(&self) {
        self.state.lock().is_asked_to_shorten = true;
        self.crowded.notify_all();
    }

    /// Waits, at most so long, unless the log stops.
    pub(crate) fn pause(&self, at_most: Duration) {
        let mut state = self.state.lock();
        if !state.is_stopping {
            self.crowded.wait_for(&mut state, at_most);
        }
    }
}
