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
mod seam;
mod space;
pub(in crate::store) mod telling;
mod thread;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::disk::Disk;
use super::run::Run;
use super::{LogFile, LogPosition, StoreError, Wake};
use files::Files;
use group::{Group, Payload};
use round::Round;
use space::SpaceWatch;
use telling::Debts;

pub(super) use files::{file_head, file_number, file_path, make_file, offset_in_file, read_head};
pub(super) use group::{GROUP_HEADER_BYTES, GROUP_MAGIC, KIND_CHUNK, KIND_RECORDS, checksum, group_bytes};

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
    guards: Vec<u64>,
    next_guard: u64,
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
    is_asked_to_shorten: bool,
}

impl State {
    /// The log goes on: the group that begins a run is to be written, and what this run appends first.
    fn resumed(resume: &mut Resume) -> Self {
        let (start, head) = (resume.start, resume.head);
        let records = std::mem::take(&mut resume.records);
        let pending_bytes = records.len();
        // Without payload: that there is a group of this run behind the end is all that it says.
        let opening = Group { position: head, payload: Payload::Records(Vec::new()) };
        let mut end = opening.end();
        let mut groups = VecDeque::from([opening]);
        if pending_bytes > 0 {
            let records = Group { position: end, payload: Payload::Records(records) };
            end = records.end();
            groups.push_back(records);
        }
        Self {
            groups,
            head: end,
            start,
            cuts: VecDeque::from([start]),
            pending_bytes,
            guards: Vec::new(),
            next_guard: 1,
            waiters: Vec::new(),
            debts: Debts::default(),
            held_back: Vec::new(),
            wanted: 0,
            written: head,
            is_sealed: true,
            is_idle: false,
            is_stopping: false,
            crowded_bytes: u64::MAX,
            is_asked_to_shorten: false,
        }
    }
}

/// Tells that the log has failed.
pub(crate) type OnFailed = Box<dyn Fn() + Send + Sync>;

/// Wakes those whose time has come, in place of the log's own thread.
pub(crate) type OnDue = Box<dyn Fn(Vec<Arc<dyn Wake>>) + Send + Sync>;

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
    /// A guard ended; apart from `changed`, so that the thread that writes is not woken by it.
    guard_ended: Condvar,
    round: Mutex<Round>,
    durable: AtomicU64,
    /// So much of it may be told: what somebody owes a record for is not passed.
    reported: AtomicU64,
    head: AtomicU64,
    start: AtomicU64,
    reusable_from: AtomicU64,
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
    pub fn new(disk: Arc<dyn Disk>, mut resume: Resume) -> Self {
        let state = State::resumed(&mut resume);
        let Resume { start, head, run, start_run, files, checkpoint, spare, records: _, file_bytes } = resume;
        // Files of earlier runs are written on where they are; each keeps the run that made it.
        let made_by = files.into_iter().map(|file| (file.number, file.run)).collect();
        let round = Round::new(Files { spare, made_by, first: start / file_bytes, ..Files::default() });
        Self {
            disk,
            run,
            resumed: (head, start_run),
            checkpoints: AtomicU64::new(checkpoint),
            file_bytes,
            changed: Condvar::new(),
            guard_ended: Condvar::new(),
            round: Mutex::new(round),
            durable: AtomicU64::new(head),
            reported: AtomicU64::new(head),
            head: AtomicU64::new(state.head),
            start: AtomicU64::new(start),
            reusable_from: AtomicU64::new(start),
            // A transaction is known by a number that no earlier run gave.
            next_transaction: AtomicU64::new(u64::from(run.epoch()) << 32 | 1),
            is_low: AtomicBool::new(false),
            space_checked_at: AtomicU64::new(head),
            failure: OnceLock::new(),
            space_watch: OnceLock::new(),
            on_failed: OnceLock::new(),
            on_due: OnceLock::new(),
            crowded: Condvar::new(),
            state: Mutex::new(state),
        }
    }

    /// Sets who is told of a failure. Only the first call counts.
    pub(crate) fn on_failed(&self, tell: OnFailed) {
        self.on_failed.get_or_init(|| tell);
    }

    /// The run that wrote what is at this position, or one before it.
    const fn run_at(&self, position: u64) -> Run {
        let (head, start_run) = self.resumed;
        if position < head { start_run } else { self.run }
    }

    /// Where a position of this log is, for those who cut it off to see what is left.
    pub const fn place_of(position: LogPosition) -> u64 {
        position.0
    }

    /// Why the log failed, if it did.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    fn push(&self, state: &mut MutexGuard<'_, State>, payload: Payload) -> u64 {
        let position = state.head;
        state.pending_bytes += payload.bytes().len();
        state.head += group_bytes(payload.bytes().len());
        // A cut must be at a group. Sixteen in a file are enough to leave little, and few enough to keep.
        if state.cuts.back().is_none_or(|cut| position - cut >= self.file_bytes / CUTS_PER_FILE) {
            state.cuts.push_back(position);
        }
        state.groups.push_back(Group { position, payload });
        // A copy beside the lock, for those who only want to know how long the log is.
        self.head.store(state.head, Ordering::Release);
        if state.head - state.start > state.crowded_bytes {
            // Told once: the pager sets it again when it waits again.
            state.crowded_bytes = u64::MAX;
            self.crowded.notify_all();
        }
        // Else the thread is at work, or a timer of it runs: a wake-up for each append would
        // cost more than the append.
        if state.is_idle || state.pending_bytes >= EAGER_BYTES {
            state.is_idle = false;
            self.changed.notify_all();
        }
        position
    }
}
