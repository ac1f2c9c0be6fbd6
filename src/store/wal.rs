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
//! Whoever waits for durability makes the thread sync; what nobody waits for is written after [`LAZY_WRITE`] and synced after
//! [`LAZY_SYNC`]. There is no timer while nothing is to be done.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::disk::{Disk, DiskFile};
use super::{Log, LogFailed, LogPosition, StoreError, Wake};
use crate::message::Chunk;

/// Files that are kept to be used again.
const SPARE_FILES_MAX: usize = 6;
/// So many places there are in a file at which the log can be cut off.
const CUTS_PER_FILE: u64 = 16;
/// The directory of the log.
pub(super) const DIRECTORY: &str = "wal";

/// Bytes of a group's header.
pub(super) const GROUP_HEADER_BYTES: usize = 40;
pub(super) const GROUP_MAGIC: u32 = u32::from_le_bytes(*b"LVG1");
/// The payload is a chunk of messages.
pub(super) const KIND_CHUNK: u8 = 1;
/// The payload is a run of records.
pub(super) const KIND_RECORDS: u8 = 2;

/// What nobody waits for is written after so long, so that a killed process loses little.
const LAZY_WRITE: Duration = Duration::from_millis(5);
/// What nobody waits for is synced after so long.
const LAZY_SYNC: Duration = Duration::from_millis(200);
/// After a full disk, how long until the same is tried again.
const FULL_PAUSE: Duration = Duration::from_millis(200);
/// So many bytes are written at once, even if nobody waits.
const EAGER_BYTES: usize = 256 * 1024;
/// So many bytes are synced at once, even if nobody waits.
const EAGER_SYNC_BYTES: u64 = 8 * 1024 * 1024;
/// Above so many bytes that are not durable, publishers wait.
const BEHIND_BYTES: u64 = 16 * 1024 * 1024;
/// Above so many bytes that no checkpoint made needless yet, publishers wait, too.
const WINDOW_BYTES_MAX: u64 = 80 * 1024 * 1024;
/// Payloads from this size on are written from where they are.
const SHARED_BYTES_MIN: usize = 4 * 1024;
/// Bytes taken in one round: between two rounds whoever waited is told.
const ROUND_BYTES: u64 = 8 * 1024 * 1024;
/// Slices handed to one write.
const SLICES_MAX: usize = 512;

enum Payload {
    Chunk(Arc<Chunk>),
    Records(Vec<u8>),
}

impl Payload {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Chunk(chunk) => chunk.bytes(),
            Self::Records(records) => records,
        }
    }
}

/// A group that waits to be written.
struct Group {
    position: u64,
    payload: Payload,
}

impl Group {
    fn end(&self) -> u64 {
        self.position + group_bytes(self.payload.bytes().len())
    }
}

/// Bytes of a group with its header and padding.
pub(super) const fn group_bytes(payload_bytes: usize) -> u64 {
    (GROUP_HEADER_BYTES + payload_bytes.next_multiple_of(8)) as u64
}

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
    /// Who waits until the log is not behind any more.
    held_back: Vec<Arc<dyn Wake>>,
    /// The furthest position that somebody waits for.
    wanted: u64,
    /// Until where the files were written.
    written: u64,
    /// The thread sleeps without a timer.
    is_idle: bool,
    is_stopping: bool,
    /// Above so many bytes somebody waits to make room.
    crowded_bytes: u64,
    is_nudged: bool,
}

/// The groups of one round, encoded, until they are written.
#[derive(Default)]
struct Round {
    groups: Vec<Group>,
    position: u64,
    end: u64,
    staging: Vec<u8>,
    pieces: Vec<Piece>,
    /// Files written to since the last sync.
    unsynced: Vec<u64>,
    files: Files,
    /// The group is durable that says that a new run began.
    is_opened: bool,
    /// A write or a sync failed: what is on the disk is unknown, and asking again would tell nothing.
    is_broken: bool,
}

/// The files of the log, by number.
#[derive(Default)]
struct Files {
    open: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// Numbers of files whose contents are needless.
    spare: Vec<u64>,
    /// The number of the first one that is needed.
    first: u64,
}

enum Piece {
    Staged { start: usize, end: usize },
    Shared { group: usize },
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Everything that could be written was.
    Done,
    /// There is no space: the same is to be tried again.
    Full,
}

/// Tells that the disk has too little space, or enough again.
pub type OnLowSpace = Box<dyn Fn(bool) + Send + Sync>;

/// So many bytes are written between two looks at the space that is left.
const SPACE_CHECK_BYTES: u64 = 8 * 1024 * 1024;
/// While there is too little space, how long until the next look.
const SPACE_CHECK_PAUSE: Duration = Duration::from_millis(500);

/// Who wants to know of how little space.
struct SpaceWatch {
    limit_bytes: u64,
    tell: OnLowSpace,
}

/// Tells that the log has failed.
pub type OnFailed = Box<dyn Fn() + Send + Sync>;

/// Where the log was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Everything before is needless.
    pub start: u64,
    /// Where to append.
    pub head: u64,
    /// The number of this run; groups of earlier ones beyond `head` are dead.
    pub epoch: u32,
    /// No group from `start` on is of an earlier run.
    pub start_epoch: u32,
    /// Numbers of files whose contents are needless.
    pub spare: Vec<u64>,
    /// Bytes of a file.
    pub file_bytes: u64,
}

/// The log.
pub struct Wal {
    disk: Arc<dyn Disk>,
    epoch: u32,
    /// Until where the log is of earlier runs, and the first of them.
    resumed: (u64, u32),
    file_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
    /// A flight ended; apart from `changed`, so that the thread that writes is not woken by it.
    landed: Condvar,
    round: Mutex<Round>,
    durable: AtomicU64,
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
    /// The window has become large, or memory scarce.
    crowded: Condvar,
}

impl fmt::Debug for Wal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wal")
            .field("head", &self.head)
            .field("durable", &self.durable)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// The path of the file of a number.
pub(super) fn file_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:010}.log")
}

/// The number in the name of a file.
pub(super) fn file_number(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

impl Wal {
    /// A log that goes on where it was left.
    ///
    /// Its first group says nothing but that a new run began, and is durable before anything else is written: what a run left
    /// behind its end can never be taken for a part of a later one, because no two of them have the same number.
    pub fn new(disk: Arc<dyn Disk>, resume: Resume) -> Self {
        let Resume { start, head, epoch, start_epoch, spare, file_bytes } = resume;
        let opening = Group { position: head, payload: Payload::Records(Vec::new()) };
        let opened = opening.end();
        let state = State {
            groups: VecDeque::from([opening]),
            head: opened,
            start,
            cuts: VecDeque::from([start]),
            pending_bytes: 0,
            flights: Vec::new(),
            next_flight: 1,
            waiters: Vec::new(),
            held_back: Vec::new(),
            wanted: 0,
            written: head,
            is_idle: false,
            is_stopping: false,
            crowded_bytes: u64::MAX,
            is_nudged: false,
        };
        let files = Files { spare, first: start / file_bytes, ..Files::default() };
        let round = Round { files, ..Round::default() };
        Self {
            disk,
            epoch,
            resumed: (head, start_epoch),
            file_bytes,
            state: Mutex::new(state),
            changed: Condvar::new(),
            landed: Condvar::new(),
            round: Mutex::new(round),
            durable: AtomicU64::new(head),
            head: AtomicU64::new(opened),
            start: AtomicU64::new(start),
            reusable_from: AtomicU64::new(start),
            syncs: AtomicU64::new(0),
            // A transaction is known by a number that no earlier run gave.
            next_transaction: AtomicU64::new(u64::from(epoch) << 32 | 1),
            is_low: AtomicBool::new(false),
            space_checked_at: AtomicU64::new(head),
            failure: OnceLock::new(),
            space_watch: OnceLock::new(),
            on_failed: OnceLock::new(),
            crowded: Condvar::new(),
        }
    }

    /// Sets who is told when less than this many bytes are left on the disk. Only the first call counts.
    pub fn on_low_space(&self, limit_bytes: u64, tell: OnLowSpace) {
        self.space_watch.get_or_init(|| SpaceWatch { limit_bytes, tell });
        self.check_space();
    }

    /// Looks at the space that is left. Whoever writes much beside the log calls this.
    pub fn check_space(&self) {
        self.space_checked_at.store(self.head(), Ordering::Relaxed);
        let Some(watch) = self.space_watch.get() else { return };
        match self.disk.free_bytes() {
            Ok(free_bytes) => self.set_low(free_bytes < watch.limit_bytes),
            Err(error) => tracing::warn!(%error, "cannot tell how much space is left on the disk"),
        }
    }

    fn set_low(&self, is_low: bool) {
        if self.is_low.swap(is_low, Ordering::Relaxed) != is_low
            && let Some(watch) = self.space_watch.get()
        {
            (watch.tell)(is_low);
            if is_low {
                self.nudge();
            }
        }
    }

    /// Whether the disk has too little space.
    pub fn is_low(&self) -> bool {
        self.is_low.load(Ordering::Relaxed)
    }

    /// Waits, at most so long, unless the log stops.
    pub fn pause(&self, at_most: Duration) {
        let mut state = self.state.lock();
        if !state.is_stopping {
            self.crowded.wait_for(&mut state, at_most);
        }
    }

    /// Sets who is told of a failure. Only the first call counts.
    pub fn on_failed(&self, tell: OnFailed) {
        self.on_failed.get_or_init(|| tell);
    }

    /// Waits until more than this many bytes are between [`Wal::start`] and [`Wal::head`], until [`Wal::nudge`], or until the log
    /// stops or fails; then false. While the disk has too little space, any byte is enough, twice a second: what is
    /// acknowledged makes room only once the log is cut off behind it.
    pub fn wait_until_crowded(&self, bytes: u64) -> bool {
        let mut state = self.state.lock();
        while state.head - state.start <= bytes && !state.is_nudged {
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
        state.is_nudged = false;
        state.crowded_bytes = u64::MAX;
        !state.is_stopping && self.failure.get().is_none()
    }

    /// Ends [`Wal::wait_until_crowded`].
    pub fn nudge(&self) {
        self.state.lock().is_nudged = true;
        self.crowded.notify_all();
    }

    /// The run that wrote what is at this position, or one before it.
    pub const fn epoch_at(&self, position: u64) -> u32 {
        let (head, start_epoch) = self.resumed;
        if position < head { start_epoch } else { self.epoch }
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
        for waiter in caught_up {
            waiter.wake();
        }
        let files = &mut round.files;
        let first = start / self.file_bytes;
        // Those of an earlier run, too, which this one never opened.
        files.spare.extend(files.first..first);
        files.first = files.first.max(first);
        files.open = files.open.split_off(&first);
        self.remove_spare_files(files, if self.is_low() { 0 } else { SPARE_FILES_MAX })
    }

    /// Removes the files that are kept to be used again, because there is too little space.
    ///
    /// # Errors
    /// The file system's.
    pub fn make_space(&self) -> Result<(), StoreError> {
        self.remove_spare_files(&mut self.round.lock().files, 0)
    }

    fn remove_spare_files(&self, files: &mut Files, kept: usize) -> Result<(), StoreError> {
        while files.spare.len() > kept
            && let Some(number) = files.spare.pop()
        {
            let path = file_path(number);
            self.disk.remove(&path).map_err(StoreError::io("cannot remove", self.disk.describe(&path)))?;
        }
        Ok(())
    }

    /// Makes everything durable that was appended so far.
    ///
    /// # Errors
    /// When it cannot be: because the disk is full, for now, or for good.
    pub fn sync_everything(&self) -> Result<(), StoreError> {
        let position = self.head();
        while self.durable.load(Ordering::Acquire) < position {
            if self.commit(true)? == Committed::Full {
                let full = std::io::ErrorKind::StorageFull.into();
                return Err(StoreError::io("cannot write", self.disk.describe(DIRECTORY))(full));
            }
        }
        Ok(())
    }

    /// Makes [`Wal::run`] return once everything is durable.
    pub fn stop(&self) {
        let mut state = self.state.lock();
        state.is_stopping = true;
        state.wanted = state.head;
        drop(state);
        self.changed.notify_all();
        self.crowded.notify_all();
    }

    /// Writes and syncs until [`Wal::stop`]. A failure is kept in [`Wal::failure`].
    pub fn run(&self) {
        while let Some(sync) = self.wait_for_work() {
            loop {
                match self.commit(sync) {
                    Ok(Committed::Done) => break,
                    Ok(Committed::Full) if self.wait_for_space() => {}
                    Ok(Committed::Full) => return,
                    Err(error) => return self.fail(error),
                }
            }
        }
    }

    /// Waits for space; false when the log is to stop, because there is no more time to wait then.
    fn wait_for_space(&self) -> bool {
        let mut state = self.state.lock();
        if !state.is_stopping {
            self.changed.wait_for(&mut state, FULL_PAUSE);
        }
        !state.is_stopping
    }

    /// Waits until there is something to do: whether it is to be synced. `None` when everything is done for good.
    fn wait_for_work(&self) -> Option<bool> {
        let mut state = self.state.lock();
        loop {
            let durable = self.durable.load(Ordering::Acquire);
            let can_write = !state.groups.is_empty();
            let unsynced = state.written > durable;
            let is_wanted = state.wanted > durable;
            if self.failure.get().is_some() || state.is_stopping && state.groups.is_empty() && !unsynced {
                return None;
            }
            if is_wanted && (can_write || unsynced) {
                return Some(true);
            }
            if can_write && state.pending_bytes >= EAGER_BYTES {
                return Some(state.written - durable >= EAGER_SYNC_BYTES);
            }
            let is_low = self.is_low.load(Ordering::Relaxed);
            let timer = match (can_write, unsynced) {
                (true, _) => Some(LAZY_WRITE),
                (false, true) => Some(LAZY_SYNC),
                (false, false) => is_low.then_some(SPACE_CHECK_PAUSE),
            };
            match timer {
                None => {
                    state.is_idle = true;
                    self.changed.wait(&mut state);
                    state.is_idle = false;
                }
                Some(timer) if self.changed.wait_for(&mut state, timer).timed_out() => return Some(!can_write),
                Some(_) => {}
            }
        }
    }

    /// One round: writes what waits, and syncs if that is asked for.
    ///
    /// # Errors
    /// When the file system fails other than by being full; nothing may be written any more then.
    pub fn commit(&self, sync: bool) -> Result<Committed, StoreError> {
        let mut round = self.round.lock();
        if round.is_broken {
            let error = std::io::Error::other("an earlier write or sync failed");
            return Err(StoreError::io("cannot write to", self.disk.describe(DIRECTORY))(error));
        }
        let sync = sync || !round.is_opened;
        if round.groups.is_empty() {
            self.take_groups(&mut round);
            self.encode(&mut round);
        }
        if let Err(error) = self.write(&mut round) {
            if !error.is_full() {
                round.is_broken = true;
                return Err(error);
            }
            self.set_low(true);
            return Ok(Committed::Full);
        }
        let end = round.end;
        round.groups.clear();
        round.pieces.clear();
        if sync {
            // Broken until it has succeeded: even where a disk is full, what was to be synced may be lost now.
            round.is_broken = true;
            self.sync(&mut round)?;
            round.is_broken = false;
            round.is_opened = true;
        }
        let due = self.note_progress(end, sync);
        drop(round);
        for waiter in due {
            waiter.wake();
        }
        let checked_at = self.space_checked_at.load(Ordering::Relaxed);
        if self.is_low.load(Ordering::Relaxed) || end.saturating_sub(checked_at) > SPACE_CHECK_BYTES {
            self.check_space();
        }
        Ok(Committed::Done)
    }

    fn take_groups(&self, round: &mut Round) {
        let mut state = self.state.lock();
        round.position = state.written;
        round.end = state.written;
        while let Some(group) = state.groups.front() {
            let end = group.end();
            let is_enough = end - round.position > ROUND_BYTES || !round.is_opened;
            if is_enough && !round.groups.is_empty() {
                break;
            }
            round.end = end;
            let Some(group) = state.groups.pop_front() else { break };
            state.pending_bytes -= group.payload.bytes().len();
            round.groups.push(group);
        }
    }

    /// Lays headers and small payloads one behind the other; large payloads stay where they are.
    fn encode(&self, round: &mut Round) {
        let Round { groups, staging, pieces, .. } = round;
        staging.clear();
        let durable = self.durable.load(Ordering::Acquire);
        let mut staged_from = 0;
        for (index, group) in groups.iter().enumerate() {
            let payload = group.payload.bytes();
            let kind = match group.payload {
                Payload::Chunk(_) => KIND_CHUNK,
                Payload::Records(_) => KIND_RECORDS,
            };
            let header =
                GroupHeader { kind, payload_bytes: payload.len(), epoch: self.epoch, position: group.position };
            staging.extend_from_slice(&header.encode(durable, payload));
            if payload.len() >= SHARED_BYTES_MIN {
                pieces.push(Piece::Staged { start: staged_from, end: staging.len() });
                pieces.push(Piece::Shared { group: index });
                staged_from = staging.len();
            } else {
                staging.extend_from_slice(payload);
            }
            let padding = payload.len().next_multiple_of(8) - payload.len();
            staging.resize(staging.len() + padding, 0);
        }
        pieces.push(Piece::Staged { start: staged_from, end: staging.len() });
    }

    fn write(&self, round: &mut Round) -> Result<(), StoreError> {
        let Round { groups, position, staging, pieces, unsynced, files, .. } = round;
        let bytes_of = |piece: &Piece| match piece {
            Piece::Staged { start, end } => staging.get(*start..*end).unwrap_or_default(),
            Piece::Shared { group } => groups.get(*group).map_or(&[][..], |group| group.payload.bytes()),
        };
        let mut at = *position;
        let mut slices: Vec<IoSlice<'_>> = Vec::new();
        let mut from = at;
        for piece in pieces.iter() {
            let mut bytes = bytes_of(piece);
            while !bytes.is_empty() {
                let room = usize::try_from(self.file_bytes - at % self.file_bytes).unwrap_or(usize::MAX);
                let (now, later) = bytes.split_at(room.min(bytes.len()));
                slices.push(IoSlice::new(now));
                at += now.len() as u64;
                bytes = later;
                if at % self.file_bytes == 0 || slices.len() >= SLICES_MAX {
                    self.write_slices(files, unsynced, &mut slices, from)?;
                    slices.clear();
                    from = at;
                }
            }
        }
        self.write_slices(files, unsynced, &mut slices, from)
    }

    /// Writes slices that lie within one file.
    fn write_slices(
        &self,
        files: &mut Files,
        unsynced: &mut Vec<u64>,
        slices: &mut [IoSlice<'_>],
        position: u64,
    ) -> Result<(), StoreError> {
        if slices.is_empty() {
            return Ok(());
        }
        let number = position / self.file_bytes;
        let file = match files.open.get(&number) {
            Some(file) => Arc::clone(file),
            None => self.open_file(files, number)?,
        };
        let failed = StoreError::io("cannot write", self.disk.describe(&file_path(number)));
        file.write_at(slices, position % self.file_bytes).map_err(failed)?;
        if !unsynced.contains(&number) {
            unsynced.push(number);
        }
        Ok(())
    }

    /// Opens the file of a number: one that is there, else one that is not needed any more, else a new one.
    fn open_file(&self, files: &mut Files, number: u64) -> Result<Arc<dyn DiskFile>, StoreError> {
        let path = file_path(number);
        let failed = |action| StoreError::io(action, self.disk.describe(&path));
        let file = match self.disk.open(&path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                while let Some(&spare) = files.spare.last() {
                    let renamed = match self.disk.rename(&file_path(spare), &path) {
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
                        result => result.map(|()| true).map_err(failed("cannot rename to"))?,
                    };
                    files.spare.pop();
                    if renamed {
                        break;
                    }
                }
                self.disk.open(&path, true).map_err(failed("cannot create"))?
            }
            Err(error) => return Err(failed("cannot open")(error)),
        };
        // A file that is there may be new all the same: made by a process that was killed, or when this failed the last time.
        self.disk.sync_directory(DIRECTORY).map_err(failed("cannot sync the directory of"))?;
        files.spare.retain(|spare| *spare != number);
        files.open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn sync(&self, round: &mut Round) -> Result<(), StoreError> {
        let Round { unsynced, files, .. } = round;
        for number in unsynced.drain(..) {
            if let Some(file) = files.open.get(&number) {
                file.sync().map_err(StoreError::io("cannot sync", self.disk.describe(&file_path(number))))?;
                self.syncs.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Moves the marks; the waiters whose time has come.
    fn note_progress(&self, written: u64, is_synced: bool) -> Vec<Arc<dyn Wake>> {
        let mut state = self.state.lock();
        state.written = written;
        let mut due = Vec::new();
        if is_synced {
            self.durable.store(written, Ordering::Release);
            state.waiters.retain(|(position, waiter)| {
                let is_due = *position <= written;
                if is_due {
                    due.push(Arc::clone(waiter));
                }
                !is_due
            });
            due.append(&mut self.take_caught_up(&mut state));
        }
        due
    }

    /// Who is to be woken because the log is not behind any more.
    fn take_caught_up(&self, state: &mut MutexGuard<'_, State>) -> Vec<Arc<dyn Wake>> {
        if state.held_back.is_empty() || self.is_behind() { Vec::new() } else { std::mem::take(&mut state.held_back) }
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

/// What stands in front of a group's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupHeader {
    pub(super) kind: u8,
    pub(super) payload_bytes: usize,
    pub(super) epoch: u32,
    pub(super) position: u64,
}

impl GroupHeader {
    /// The header with its checksum over itself and the payload.
    pub(super) fn encode(&self, durable: u64, payload: &[u8]) -> [u8; GROUP_HEADER_BYTES] {
        let mut header = [0; GROUP_HEADER_BYTES];
        let length = u32::try_from(self.payload_bytes).unwrap_or(u32::MAX);
        let words: [(usize, &[u8]); 6] = [
            (0, &GROUP_MAGIC.to_le_bytes()),
            (4, &[self.kind]),
            (8, &length.to_le_bytes()),
            (12, &self.epoch.to_le_bytes()),
            (16, &self.position.to_le_bytes()),
            (24, &durable.to_le_bytes()),
        ];
        for (at, word) in words {
            put(&mut header, at, word);
        }
        let crc = checksum(&header, payload);
        put(&mut header, 32, &crc.to_le_bytes());
        header
    }
}

fn put(header: &mut [u8], at: usize, word: &[u8]) {
    if let Some(place) = header.get_mut(at..at + word.len()) {
        place.copy_from_slice(word);
    }
}

/// The checksum of a group, with zeros where it stands itself.
pub(super) fn checksum(header: &[u8; GROUP_HEADER_BYTES], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header.get(..32).unwrap_or_default());
    hasher.update(payload);
    hasher.finalize()
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
            None => Ok(LogPosition(self.durable.load(Ordering::Acquire))),
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
        if self.durable.load(Ordering::Acquire) >= position.0 || self.failure.get().is_some() {
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
