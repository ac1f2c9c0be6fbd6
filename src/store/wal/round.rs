//! One round of the log: what waits is laid out, written to the files, and synced.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::group::{Group, GroupHeader, KIND_CHUNK, KIND_RECORDS, Payload};
use super::space::SPACE_CHECK_BYTES;
use super::{DIRECTORY, Wal};
use crate::store::disk::DiskFile;
use crate::store::failure::{Call, Remedy};
use crate::store::{StoreError, Wake};

/// Files that are kept to be used again.
pub(super) const SPARE_FILES_MAX: usize = 6;
/// Payloads from this size on are written from where they are.
const SHARED_BYTES_MIN: usize = 4 * 1024;
/// Bytes taken in one round: between two rounds whoever waited is told.
const ROUND_BYTES: u64 = 8 * 1024 * 1024;
/// Slices handed to one write.
const SLICES_MAX: usize = 512;

/// The groups of one round, encoded, until they are written.
#[derive(Default)]
pub(super) struct Round {
    groups: Vec<Group>,
    position: u64,
    end: u64,
    staging: Vec<u8>,
    pieces: Vec<Piece>,
    /// Files written to since the last sync.
    unsynced: Vec<u64>,
    pub(super) files: Files,
    /// The group is durable that says that a new run began.
    is_opened: bool,
    /// A write or a sync failed: what is on the disk is unknown, and asking again would tell nothing.
    is_broken: bool,
}

impl Round {
    /// Nothing yet.
    pub(super) fn new(files: Files) -> Self {
        Self { files, ..Self::default() }
    }
}

/// The files of the log, by number.
#[derive(Default)]
pub(super) struct Files {
    pub(super) open: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// Numbers of files whose contents are needless.
    pub(super) spare: Vec<u64>,
    /// The number of the first one that is needed.
    pub(super) first: u64,
}

enum Piece {
    Staged { start: usize, end: usize },
    Shared { group: usize },
}

/// The path of the file of a number.
pub(in crate::store) fn file_path(number: u64) -> String {
    format!("{DIRECTORY}/{number:010}.log")
}

/// The number in the name of a file.
pub(in crate::store) fn file_number(name: &str) -> Option<u64> {
    name.strip_suffix(".log")?.parse().ok()
}

impl Wal {
    /// One round: writes what waits, and syncs if that is asked for.
    ///
    /// # Errors
    /// When the file system fails: either the same is to be tried again, or nothing may be written any more
    /// ([`StoreError::remedy`]).
    pub fn commit(&self, sync: bool) -> Result<(), StoreError> {
        let mut round = self.round.lock();
        if round.is_broken {
            let error = std::io::Error::other("an earlier write or sync failed");
            return Err(StoreError::io(Call::Write, self.disk.describe(DIRECTORY))(error));
        }
        let sync = sync || !round.is_opened;
        if round.groups.is_empty() {
            self.take_groups(&mut round);
            self.encode(&mut round);
        }
        if let Err(error) = self.write(&mut round) {
            round.is_broken = error.remedy() != Remedy::Wait;
            if error.is_full() {
                self.set_low(true);
            }
            return Err(error);
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
        self.wake(due);
        let checked_at = self.space_checked_at.load(Ordering::Relaxed);
        if self.is_low.load(Ordering::Relaxed) || end.saturating_sub(checked_at) > SPACE_CHECK_BYTES {
            self.check_space();
        }
        Ok(())
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
        let failed = StoreError::io(Call::Write, self.disk.describe(&file_path(number)));
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
                        result => result.map(|()| true).map_err(failed(Call::Rename))?,
                    };
                    files.spare.pop();
                    if renamed {
                        break;
                    }
                }
                self.disk.open(&path, true).map_err(failed(Call::Create))?
            }
            Err(error) => return Err(failed(Call::Open)(error)),
        };
        // A file that is there may be new all the same: made by a process that was killed, or when this failed the last time.
        self.disk.sync_directory(DIRECTORY).map_err(failed(Call::SyncDirectory))?;
        files.spare.retain(|spare| *spare != number);
        files.open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn sync(&self, round: &mut Round) -> Result<(), StoreError> {
        let Round { unsynced, files, .. } = round;
        for number in unsynced.drain(..) {
            if let Some(file) = files.open.get(&number) {
                file.sync().map_err(StoreError::io(Call::SyncLog, self.disk.describe(&file_path(number))))?;
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

    pub(super) fn remove_spare_files(&self, files: &mut Files, kept: usize) -> Result<(), StoreError> {
        while files.spare.len() > kept
            && let Some(number) = files.spare.pop()
        {
            let path = file_path(number);
            let removed = self.disk.remove(&path).map_err(StoreError::io(Call::Remove, self.disk.describe(&path)));
            match removed.map_err(|error| (error.remedy(), error)) {
                Ok(()) => {}
                // The next start finds it.
                Err((Remedy::Refuse, error)) => tracing::warn!(%error, "a file stays that is not needed any more"),
                Err((_, error)) => {
                    files.spare.push(number);
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
