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
            self.push(&mut state, Payload::Chunk(Arc::clone(chunk))) + GROUP_HEADER_BYTES as u64
        });
    }

    fn reusable_from(&self) -> u64 {
        self.reusable_from.load(Ordering::Acquire)
    }

    fn append(&self, records: &[u8]) -> LogPosition {
        let mut state = self.state.lock();
        self.push(&mut state, Payload::Records(records.to_vec()));
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
        if self.reported.load(Ordering::Acquire) >= position.0 || self.failure.get().is_some() {
            drop(state);
            waiter.wake();
            return;
        }
        state.waiters.push((position.0, waiter));
        state.wanted = state.wanted.max(position.0);
        drop(state);
        self.changed.notify_all();
    }

    fn is_behind(&self) -> bool {
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
        self.failure.get_or_init(|| error);
        let mut state = self.state.lock();
        let waiters = std::mem::take(&mut state.waiters);
        state.held_back.clear();
        drop(state);
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
        let mut cuts = state.cuts.iter().copied().skip_while(|cut| *cut <= state.start);
        let Some(first) = cuts.next() else { return state.head };
        cuts.take_while(|cut| *cut <= position).last().unwrap_or(first)
    }

    fn retire(&self, limit: u64) {
        self.reusable_from.fetch_max(limit, Ordering::AcqRel);
        self.wait_for_appends();
    }

    fn wait_for_appends(&self) {
        let mut state = self.state.lock();
        let next = state.next_guard;
        while state.guards.iter().any(|&number| number < next) && self.failure.get().is_none() {
            self.guard_ended.wait(&mut state);
        }
    }

    fn sync_everything(&self) -> Result<(), StoreError> {
        let position = self.head();
        while self.durable.load(Ordering::Acquire) < position {
            self.commit(true)?;
        }
        Ok(())
    }

    fn extent(&self, start: u64) -> Result<LogExtent, StoreError> {
        let mut round = self.round.lock();
        self.check_broken(&round)?;
        let durable = self.durable.load(Ordering::Acquire);
        let (first, last) = (start / self.file_bytes, durable / self.file_bytes);
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
        let mut round = self.round.lock();
        let mut state = self.state.lock();
        state.start = state.start.max(start);
        while state.cuts.front().is_some_and(|cut| *cut < start) {
            state.cuts.pop_front();
        }
        self.start.store(state.start, Ordering::Release);
        let caught_up = self.take_caught_up(&mut state);
        drop(state);
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
