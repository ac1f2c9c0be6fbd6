//! What the log is for the broker ([`Log`]) and for the pager ([`StoredLog`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::files::SPARE_FILES_MAX;
use super::group::{GROUP_HEADER_BYTES, Payload};
use super::round::Round;
use super::space::SPACE_CHECK_PAUSE;
use super::{BEHIND_BYTES, WINDOW_BYTES_MAX, Wal};
use crate::message::Chunk;
use crate::store::{
    Capabilities, Log, LogExtent, LogFailed, LogFile, LogPosition, StoreError, StoredLog, TransactionId, Wake,
};

impl Log for Wal {
    fn capabilities(&self) -> Capabilities {
        Capabilities { keeps: true, moves_bodies: true }
    }

    fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        let number = state.next_guard;
        state.next_guard += 1;
        state.guards.push(number);
        number
    }

    fn end(&self, guard: u64) {
        let mut state = self.state.lock();
        state.guards.retain(|&number| number != guard);
        drop(state);
        self.guard_ended.notify_all();
    }

    fn owe(&self) -> u64 {
        let mut state = self.state.lock();
        let head = state.head;
        state.debts.begin(head)
    }

    fn paid(&self, debt: u64) {
        self.pay(debt);
    }

    fn append_chunk(&self, chunk: &Arc<Chunk>) {
        chunk.place_in_log(|| {
            let mut state = self.state.lock();
            // Behind the header of the group: the place of a body is where its bytes are.
            self.push(&mut state, Payload::Chunk(Arc::clone(chunk))) + GROUP_HEADER_BYTES as u64
        });
    }

    fn reusable_from(&self) -> u64 {
        self.reusable_from.load(Ordering::Acquire)
    }

    fn append(&self, records: &[u8]) -> LogPosition {
        let mut state = self.state.lock();
        self.push(&mut state, Payload::Records(records.to_vec()));
        // The end of the group: what was appended before is durable with it.
        LogPosition(state.head)
    }

    fn durable(&self) -> Result<LogPosition, LogFailed> {
        match self.failure.get() {
            Some(_) => Err(LogFailed),
            None => Ok(LogPosition(self.reported.load(Ordering::Acquire))),
        }
    }

    fn want(&self, position: LogPosition) {
        let mut state = self.state.lock();
        if position.0 > state.wanted {
            state.wanted = position.0;
            drop(state);
            self.changed.notify_all();
        }
    }

    fn when_durable(&self, position: LogPosition, waiter: Arc<dyn Wake>) {
        let mut state = self.state.lock();
        // Asked under the lock under which the mark moves: it cannot move unseen between the question and
        // the entry in the list.
        if self.reported.load(Ordering::Acquire) >= position.0 || self.failure.get().is_some() {
            drop(state);
            waiter.wake();
            return;
        }
        state.waiters.push((position.0, waiter));
        // Somebody waits, so the thread syncs at once.
        state.wanted = state.wanted.max(position.0);
        drop(state);
        self.changed.notify_all();
    }

    fn is_behind(&self) -> bool {
        // Without a lock, because each publish asks. A bound that is passed by a little does no harm.
        let head = self.head.load(Ordering::Relaxed);
        head.saturating_sub(self.durable.load(Ordering::Relaxed)) > BEHIND_BYTES
            || head.saturating_sub(self.start.load(Ordering::Relaxed)) > WINDOW_BYTES_MAX
    }

    fn when_caught_up(&self, waiter: Arc<dyn Wake>) {
        let mut state = self.state.lock();
        if self.is_behind() && self.failure.get().is_none() {
            state.held_back.push(waiter);
            return;
        }
        drop(state);
        waiter.wake();
    }

    fn new_transaction(&self) -> TransactionId {
        TransactionId(self.next_transaction.fetch_add(1, Ordering::Relaxed))
    }

    fn fail(&self, error: StoreError) {
        tracing::error!(%error, "the store has failed: nothing more is confirmed");
        // Before the waiters are taken: whoever comes later finds it under the lock, and does not wait.
        self.failure.get_or_init(|| error);
        let mut state = self.state.lock();
        let waiters = std::mem::take(&mut state.waiters);
        state.held_back.clear();
        drop(state);
        // Everybody who sleeps looks again, and finds the failure: the thread of the log, the pager,
        // and who waits for guards.
        self.changed.notify_all();
        self.guard_ended.notify_all();
        self.crowded.notify_all();
        for (_, waiter) in waiters {
            waiter.wake();
        }
        if let Some(tell) = self.on_failed.get() {
            tell();
        }
    }
}

impl StoredLog for Wal {
    fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    fn start(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    fn cut_near(&self, position: u64) -> u64 {
        let state = self.state.lock();
        // At least one cut further than now, or a round of the pager would change nothing.
        let mut cuts = state.cuts.iter().copied().skip_while(|cut| *cut <= state.start);
        let Some(first) = cuts.next() else { return state.head };
        cuts.take_while(|cut| *cut <= position).last().unwrap_or(first)
    }

    fn retire(&self, limit: u64) {
        // First the mark, then the wait. Whoever takes a guard later reads the mark; whoever has one
        // already is waited for.
        self.reusable_from.fetch_max(limit, Ordering::AcqRel);
        self.wait_for_appends();
    }

    fn wait_for_appends(&self) {
        let mut state = self.state.lock();
        // Guards that begin from here on are not waited for, or a busy broker would hold this up for ever.
        let next = state.next_guard;
        while state.guards.iter().any(|&number| number < next) && self.failure.get().is_none() {
            self.guard_ended.wait(&mut state);
        }
    }

    fn sync_everything(&self) -> Result<(), StoreError> {
        // What is appended meanwhile is not waited for.
        let position = self.head();
        while self.durable.load(Ordering::Acquire) < position {
            self.commit(true)?;
        }
        Ok(())
    }

    fn extent(&self, start: u64) -> Result<LogExtent, StoreError> {
        // No file is made and nothing is written while files and marks are taken down.
        let mut round = self.round.lock();
        self.check_broken(&round)?;
        let durable = self.durable.load(Ordering::Acquire);
        let (first, last) = (start / self.file_bytes, durable / self.file_bytes);
        // The log ends exactly at the end of a file.
        if !round.files.made_by.contains_key(&last) {
            let Round { files, unsynced, .. } = &mut *round;
            self.open_file(files, unsynced, last)?;
            self.sync_or_break(&mut round)?;
        }
        let range = round.files.made_by.range(first..=last);
        let files = range.map(|(&number, &run)| LogFile { number, run }).collect();
        let checkpoint = self.checkpoints.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(LogExtent { start, start_run: self.run_at(start), durable, run: self.run, files, checkpoint })
    }

    fn trim(&self, start: u64) -> Result<(), StoreError> {
        // Round before state: the order in which both are locked everywhere.
        let mut round = self.round.lock();
        let mut state = self.state.lock();
        // Never back: a start that is told late changes nothing.
        state.start = state.start.max(start);
        while state.cuts.front().is_some_and(|cut| *cut < start) {
            state.cuts.pop_front();
        }
        self.start.store(state.start, Ordering::Release);
        let caught_up = self.take_caught_up(&mut state);
        drop(state);
        // Before files are removed, which may take long: publishers need not wait for that.
        self.wake(caught_up);
        let files = &mut round.files;
        let first = start / self.file_bytes;
        // Those of an earlier run, too, which this one never opened.
        files.spare.extend(files.first..first);
        files.first = files.first.max(first);
        files.open = files.open.split_off(&first);
        files.made_by = files.made_by.split_off(&first);
        self.remove_spare_files(files, if self.is_low() { 0 } else { SPARE_FILES_MAX })
    }

    fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    fn make_space(&self) -> Result<(), StoreError> {
        self.remove_spare_files(&mut self.round.lock().files, 0)
    }

    fn wait_until_crowded(&self, bytes: u64) -> bool {
        let mut state = self.state.lock();
        while state.head - state.start <= bytes && !state.is_asked_to_shorten {
            if state.is_stopping || self.failure.get().is_some() {
                return false;
            }
            let is_low = self.is_low();
            // While space is low, any byte is enough to end the wait (`push` compares).
            state.crowded_bytes = if is_low { 0 } else { bytes };
            if is_low && state.head > state.start {
                if self.crowded.wait_for(&mut state, SPACE_CHECK_PAUSE).timed_out() {
                    break;
                }
            } else {
                self.crowded.wait(&mut state);
            }
        }
        state.is_asked_to_shorten = false;
        state.crowded_bytes = u64::MAX;
        !state.is_stopping && self.failure.get().is_none()
    }
}
