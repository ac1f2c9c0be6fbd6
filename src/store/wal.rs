//! The write-ahead log: one stream of groups in files that are used again and again, appended to in memory and written by a
//! thread of its own.
//!
//! ```text
//!     start              durable        written          head
//!       | recorded and kept |  not synced  |  in memory    |
//! ------+-------------------+--------------+---------------+----> positions (bytes ever appended)
//! ```
//!
//! A group is what one call appends: it is in the log whole or not at all, which its checksum tells. Groups run on across
//! the ends of files; a position is found in the file of number `position / file_bytes`. `start` moves when a checkpoint makes what
//! is before it needless; files that lie before it get a new number instead of being made anew, because writing to blocks that
//! a file has already costs half as much as making it grow.
//!
//! Whoever waits for durability makes the thread sync; what nobody waits for is written and synced a little later (`thread`).

mod files;
mod group;
mod round;
mod space;
mod telling;
mod thread;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::disk::Disk;
use super::run::Run;
use super::{Log, LogFailed, LogPosition, StoreError, Wake};
use crate::message::Chunk;
use files::{Files, SPARE_FILES_MAX};
use group::{Group, Payload};
use round::Round;
use space::SpaceWatch;
use telling::Debts;

pub use files::{Extent, LogFile};
pub(super) use files::{file_head, file_number, file_path, make_file, offset_in_file, read_head};
pub(super) use group::{GROUP_HEADER_BYTES, GROUP_MAGIC, KIND_CHUNK, KIND_RECORDS, checksum, group_bytes};
pub use space::OnLowSpace;

/// So many places there are in a file at which the log can be cut off.
const CUTS_PER_FILE: u64 = 16;
/// The directory of the log.
pub(super) const DIRECTORY: &str = "wal";

/// So many bytes are written at once, even if nobody waits.
const EAGER_BYTES: usize = 256 * 1024;
/// Above so many bytes that are not durable, publishers wait.
const BEHIND_BYTES: u64 = 16 * 1024 * 1024;
/// Above so many bytes that no checkpoint made needless yet, publishers wait, too.
const WINDOW_BYTES_MAX: u64 = 80 * 1024 * 1024;
struct State {
    groups: VecDeque<Group>,
    head: u64,
    /// Everything before is needless.
    start: u64,
    /// Positions of groups at which the log can be cut off, ascending.
    cuts: VecDeque<u64>,
    pending_bytes: usize,
    flights: Vec<u64>,
    next_flight: u64,
    waiters: Vec<(u64, Arc<dyn Wake>)>,
    debts: Debts,
    /// Who waits until the log is not behind any more.
    held_back: Vec<Arc<dyn Wake>>,
    /// The furthest position that somebody waits for.
    wanted: u64,
    /// Until where the files were written.
    written: u64,
    /// A group that was written last, or will be lost without harm, knows what is durable.
    is_sealed: bool,
    /// The thread sleeps without a timer.
    is_idle: bool,
    is_stopping: bool,
    /// Above so many bytes somebody waits to make room.
    crowded_bytes: u64,
    is_nudged: bool,
}

/// Tells that the log has failed.
pub type OnFailed = Box<dyn Fn() + Send + Sync>;

/// Wakes those whose time has come, in place of the log's own thread.
pub type OnDue = Box<dyn Fn(Vec<Arc<dyn Wake>>) + Send + Sync>;

/// Where the log was left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Everything before is needless.
    pub start: u64,
    /// Where to append.
    pub head: u64,
    /// This run; groups of earlier ones beyond `head` are dead.
    pub run: Run,
    /// No group from `start` on is of an earlier run.
    pub start_run: Run,
    /// The files from `start` on that belong to the log.
    pub files: Vec<LogFile>,
    /// The number of the last checkpoint.
    pub checkpoint: u64,
    /// Numbers of files whose contents are needless.
    pub spare: Vec<u64>,
    /// What this run appends first: what was found, and the next checkpoint lets go.
    pub records: Vec<u8>,
    /// Bytes of a file.
    pub file_bytes: u64,
}

/// The log.
pub struct Wal {
    disk: Arc<dyn Disk>,
    run: Run,
    /// Until where the log is of earlier runs, and the first of them.
    resumed: (u64, Run),
    checkpoints: AtomicU64,
    file_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// A flight ended; apart from `changed`, so that the thread that writes is not woken by it.
    landed: Condvar,
    round: Mutex<Round>,
    durable: AtomicU64,
    /// So much of it may be told: what somebody owes a record for is not passed.
    told: AtomicU64,
    head: AtomicU64,
    start: AtomicU64,
    reusable_from: AtomicU64,
    syncs: AtomicU64,
    next_transaction: AtomicU64,
    /// There was no space the last time, or too little.
    is_low: AtomicBool,
    /// Where the space was looked at last.
    space_checked_at: AtomicU64,
    failure: OnceLock<StoreError>,
    space_watch: OnceLock<SpaceWatch>,
    on_failed: OnceLock<OnFailed>,
    on_due: OnceLock<OnDue>,
    /// The window has become large, or memory scarce.
    crowded: Condvar,
}

impl fmt::Debug for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wal")
            .field("head", &self.head)
            .field("durable", &self.durable)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Wal {
    /// A log that goes on where it was left.
    ///
    /// Its first group says nothing but that a new run began, and is durable before anything else is written: what a run left
    /// behind its end can never be taken for a part of a later one, because no two of them have the same number.
    pub fn new(disk: Arc<dyn Disk>, resume: Resume) -> Self {
        let Resume { start, head, run, start_run, files, checkpoint, spare, records, file_bytes } = resume;
        let opening = Group { position: head, payload: Payload::Records(Vec::new()) };
        let opened = opening.end();
        let mut groups = VecDeque::from([opening]);
        let pending_bytes = records.len();
        if pending_bytes > 0 {
            groups.push_back(Group { position: opened, payload: Payload::Records(records) });
        }
        let opened = groups.back().map_or(opened, Group::end);
        let state = State {
            groups,
            head: opened,
            start,
            cuts: VecDeque::from([start]),
            pending_bytes,
            flights: Vec::new(),
            next_flight: 1,
            waiters: Vec::new(),
            debts: Debts::default(),
            held_back: Vec::new(),
            wanted: 0,
            written: head,
            is_sealed: true,
            is_idle: false,
            is_stopping: false,
            crowded_bytes: u64::MAX,
            is_nudged: false,
        };
        let made_by = files.into_iter().map(|file| (file.number, file.run)).collect();
        let files = Files { spare, made_by, first: start / file_bytes, ..Files::default() };
        let round = Round::new(files);
        Self {
            disk,
            run,
            resumed: (head, start_run),
            checkpoints: AtomicU64::new(checkpoint),
            file_bytes,
            state: Mutex::new(state),
            changed: Condvar::new(),
            landed: Condvar::new(),
            round: Mutex::new(round),
            durable: AtomicU64::new(head),
            told: AtomicU64::new(head),
            head: AtomicU64::new(opened),
            start: AtomicU64::new(start),
            reusable_from: AtomicU64::new(start),
            syncs: AtomicU64::new(0),
            // A transaction is known by a number that no earlier run gave.
            next_transaction: AtomicU64::new(u64::from(run.epoch()) << 32 | 1),
            is_low: AtomicBool::new(false),
            space_checked_at: AtomicU64::new(head),
            failure: OnceLock::new(),
            space_watch: OnceLock::new(),
            on_failed: OnceLock::new(),
            on_due: OnceLock::new(),
            crowded: Condvar::new(),
        }
    }

    /// Sets who is told of a failure. Only the first call counts.
    pub fn on_failed(&self, tell: OnFailed) {
        self.on_failed.get_or_init(|| tell);
    }

    /// The run that wrote what is at this position, or one before it.
    pub const fn run_at(&self, position: u64) -> Run {
        let (head, start_run) = self.resumed;
        if position < head { start_run } else { self.run }
    }

    /// Where the next group will be.
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Everything before is needless.
    pub fn start(&self) -> u64 {
        self.start.load(Ordering::Acquire)
    }

    /// The last place before `position`, or at it, at which the log can be cut off; if that would leave everything, the
    /// first one behind it: whoever wants a shorter log gets one.
    pub fn cut_near(&self, position: u64) -> u64 {
        let state = self.state.lock();
        let mut cuts = state.cuts.iter().copied().skip_while(|cut| *cut <= state.start);
        let Some(first) = cuts.next() else { return state.head };
        cuts.take_while(|cut| *cut <= position).last().unwrap_or(first)
    }

    /// How often files were synced.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// Why the log failed, if it did.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    /// Marks what is before `limit` as about to move, and waits until nobody is about to refer to it.
    pub fn retire(&self, limit: u64) {
        self.reusable_from.fetch_max(limit, Ordering::AcqRel);
        self.wait_for_flights();
    }

    /// Waits until all flights that are under way now have ended.
    pub fn wait_for_flights(&self) {
        let mut state = self.state.lock();
        let next = state.next_flight;
        while state.flights.iter().any(|&number| number < next) && self.failure.get().is_none() {
            self.landed.wait(&mut state);
        }
    }

    /// Forgets what is before `start`, because a checkpoint made it needless: its files can be used again.
    ///
    /// # Errors
    /// When a file that is too many cannot be removed.
    pub fn release(&self, start: u64) -> Result<(), StoreError> {
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

    /// Makes everything durable that was appended so far.
    ///
    /// # Errors
    /// As for [`Wal::commit`].
    pub fn sync_everything(&self) -> Result<(), StoreError> {
        let position = self.head();
        while self.durable.load(Ordering::Acquire) < position {
            self.commit(true)?;
        }
        Ok(())
    }

    fn push(&self, state: &mut MutexGuard<'_, State>, payload: Payload) -> u64 {
        let position = state.head;
        state.pending_bytes += payload.bytes().len();
        state.head += group_bytes(payload.bytes().len());
        if state.cuts.back().is_none_or(|cut| position - cut >= self.file_bytes / CUTS_PER_FILE) {
            state.cuts.push_back(position);
        }
        state.groups.push_back(Group { position, payload });
        self.head.store(state.head, Ordering::Release);
        if state.head - state.start > state.crowded_bytes {
            state.crowded_bytes = u64::MAX;
            self.crowded.notify_all();
        }
        if state.is_idle || state.pending_bytes >= EAGER_BYTES {
            state.is_idle = false;
            self.changed.notify_all();
        }
        position
    }
}

impl Log for Wal {
    fn keeps(&self) -> bool {
        true
    }

    fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        let number = state.next_flight;
        state.next_flight += 1;
        state.flights.push(number);
        number
    }

    fn end(&self, flight: u64) {
        let mut state = self.state.lock();
        state.flights.retain(|&number| number != flight);
        drop(state);
        self.landed.notify_all();
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
            None => Ok(LogPosition(self.told.load(Ordering::Acquire))),
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
        if self.told.load(Ordering::Acquire) >= position.0 || self.failure.get().is_some() {
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

    fn new_transaction(&self) -> u64 {
        self.next_transaction.fetch_add(1, Ordering::Relaxed)
    }

    fn fail(&self, error: StoreError) {
        tracing::error!(%error, "the store has failed: nothing more is confirmed");
        self.failure.get_or_init(|| error);
        let mut state = self.state.lock();
        let waiters = std::mem::take(&mut state.waiters);
        state.held_back.clear();
        drop(state);
        self.changed.notify_all();
        self.landed.notify_all();
        self.crowded.notify_all();
        for (_, waiter) in waiters {
            waiter.wake();
        }
        if let Some(tell) = self.on_failed.get() {
            tell();
        }
    }
}
