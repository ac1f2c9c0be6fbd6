//! A log for tests, which becomes durable when the test says so.

use std::sync::Arc;

use parking_lot::Mutex;

use super::wal::telling::Debts;
use super::{Capabilities, Log, LogFailed, LogPosition, StoreError, TransactionId, Wake};
use crate::message::Chunk;

/// Keeps what is appended in memory. It is late as long as the test wants, breaks down when the test wants, and wakes those who wait
/// in the order that the test wants. Its places are counted in appends.
#[derive(Debug, Default)]
pub(crate) struct FakeLog {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Everything that was appended; a chunk is an empty entry.
    appended: Vec<Vec<u8>>,
    chunk_bytes: u64,
    durable: u64,
    wanted: u64,
    debts: Debts,
    transactions: u64,
    guards: usize,
    is_behind: bool,
    has_failed: bool,
    waiters: Vec<(u64, Arc<dyn Wake>)>,
    held_back: Vec<Arc<dyn Wake>>,
}

impl State {
    fn head(&self) -> u64 {
        self.appended.len() as u64
    }

    fn reported(&mut self) -> u64 {
        self.debts.settled_below(self.durable)
    }
}

impl FakeLog {
    /// How much was appended.
    pub(crate) fn head(&self) -> u64 {
        self.state.lock().head()
    }

    /// Everything up to here becomes durable, and nobody is woken yet.
    pub(crate) fn set_durable(&self, durable: u64) {
        self.state.lock().durable = durable;
    }

    /// Wakes one of those who wait, counted from the last, whether or not its time has come; false if nobody waits.
    pub(crate) fn wake_one(&self, from_last: usize) -> bool {
        let mut state = self.state.lock();
        let count = state.waiters.len();
        if count == 0 {
            return false;
        }
        let (_, waiter) = state.waiters.remove(count - 1 - from_last % count);
        drop(state);
        waiter.wake();
        true
    }

    /// Wakes everybody whose time has come.
    pub(crate) fn wake_due(&self) {
        let mut state = self.state.lock();
        let (reported, has_failed) = (state.reported(), state.has_failed);
        let due: Vec<_> = state.waiters.extract_if(.., |(place, _)| *place <= reported || has_failed).collect();
        drop(state);
        due.iter().rev().for_each(|(_, waiter)| waiter.wake());
    }

    /// From now on nothing becomes durable any more.
    pub(crate) fn break_down(&self) {
        self.state.lock().has_failed = true;
    }

    /// Whether publishers are to wait; those that wait are woken when it ends.
    pub(crate) fn set_behind(&self, is_behind: bool) {
        let mut state = self.state.lock();
        state.is_behind = is_behind;
        let caught_up = if is_behind { Vec::new() } else { std::mem::take(&mut state.held_back) };
        drop(state);
        caught_up.iter().for_each(|waiter| waiter.wake());
    }

    /// The places that somebody waits for.
    pub(crate) fn waited_for(&self) -> Vec<u64> {
        self.state.lock().waiters.iter().map(|(place, _)| *place).collect()
    }

    /// The furthest place that somebody wants to be durable.
    pub(crate) fn wanted(&self) -> u64 {
        self.state.lock().wanted
    }

    /// What was appended from a place on.
    pub(crate) fn appended_from(&self, place: u64) -> Vec<Vec<u8>> {
        self.state.lock().appended[usize::try_from(place).expect("as many as were appended")..].to_vec()
    }

    /// Whether somebody is about to append what refers to bodies.
    pub(crate) fn is_guarded(&self) -> bool {
        self.state.lock().guards > 0
    }
}

impl Log for FakeLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { keeps: true, moves_bodies: true }
    }

    fn begin(&self) -> u64 {
        self.state.lock().guards += 1;
        0
    }

    fn end(&self, _: u64) {
        self.state.lock().guards -= 1;
    }

    fn owe(&self) -> u64 {
        let mut state = self.state.lock();
        let head = state.head();
        state.debts.begin(head)
    }

    fn paid(&self, debt: u64) {
        let mut state = self.state.lock();
        let head = state.head();
        state.debts.pay(debt, head);
    }

    fn append_chunk(&self, chunk: &Arc<Chunk>) {
        chunk.place_in_log(|| {
            let mut state = self.state.lock();
            state.appended.push(Vec::new());
            let place = state.chunk_bytes;
            state.chunk_bytes += chunk.bytes().len() as u64;
            place
        });
    }

    fn reusable_from(&self) -> u64 {
        0
    }

    fn append(&self, records: &[u8]) -> LogPosition {
        let mut state = self.state.lock();
        state.appended.push(records.to_vec());
        LogPosition(state.head())
    }

    fn durable(&self) -> Result<LogPosition, LogFailed> {
        let mut state = self.state.lock();
        let reported = state.reported();
        if state.has_failed { Err(LogFailed) } else { Ok(LogPosition(reported)) }
    }

    fn want(&self, position: LogPosition) {
        let mut state = self.state.lock();
        state.wanted = state.wanted.max(position.0);
    }

    fn when_durable(&self, position: LogPosition, waiter: Arc<dyn Wake>) {
        self.state.lock().waiters.push((position.0, waiter));
    }

    fn is_behind(&self) -> bool {
        self.state.lock().is_behind
    }

    fn when_caught_up(&self, waiter: Arc<dyn Wake>) {
        self.state.lock().held_back.push(waiter);
    }

    fn new_transaction(&self) -> TransactionId {
        let mut state = self.state.lock();
        state.transactions += 1;
        TransactionId(state.transactions)
    }

    fn fail(&self, _: StoreError) {
        self.break_down();
    }
}
