//! One round of the log: what waits is laid out, written to the files, and synced.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::files::{Files, file_path, offset_in_file};
use super::group::{Group, GroupHeader, KIND_CHUNK, KIND_RECORDS, Payload};
use super::space::SPACE_CHECK_BYTES;
use super::{DIRECTORY, Wal};
use crate::store::failure::{Call, Remedy};
use crate::store::{StoreError, Wake};

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
    pub(super) unsynced: Vec<u64>,
    pub(super) files: Files,
    /// Its groups know that everything before them is durable.
    knows_all: bool,
    /// The group is durable that says that a new run began.
    is_opened: bool,
    /// A write or a sync failed: what is on the disk is unknown, and asking again would tell nothing.
    is_broken: bool,
}

impl Round {
    pub(super) fn new(files: Files) -> Self {
        Self { files, ..Self::default() }
    }

    /// Whether what is written says that everything before it is durable, and nothing else; `None` when nothing is written.
    fn seals(&self) -> Option<bool> {
        let are_empty = || self.groups.iter().all(|group| group.payload.bytes().is_empty());
        (!self.groups.is_empty()).then(|| self.knows_all && are_empty())
    }
}

enum Piece {
    Staged { start: usize, end: usize },
    Shared { group: usize },
}

impl Wal {
    /// One round: writes what waits, and syncs if that is asked for.
    ///
    /// # Errors
    /// When the file system fails: either the same is to be tried again, or nothing may be written any more
    /// ([`StoreError::remedy`]).
    pub fn commit(&self, sync: bool) -> Result<(), StoreError> {
        // Held over the whole round, by one writer at a time. Whoever appends takes the lock of the state only,
        // and never waits for the disk.
        let mut round = self.round.lock();
        self.check_broken(&round)?;
        // The first group of a run is synced alone, before anything that could be taken for
        // part of an earlier run.
        let sync = sync || !round.is_opened;
        // If the last write has to be tried again, its groups are still here: the same
        // bytes go to the same place.
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
        // Before the groups are dropped, from which it is known.
        let seals = round.seals();
        round.groups.clear();
        round.pieces.clear();
        if sync {
            self.sync_or_break(&mut round)?;
            round.is_opened = true;
        }
        // One sync for all that was written, whoever appended it: that is why a thousand publishers cost
        // hardly more syncs than one.
        let due = self.note_progress(end, sync, seals);
        drop(round);
        // No lock is held: who is woken may append at once.
        self.wake(due);
        let checked_at = self.space_checked_at.load(Ordering::Relaxed);
        if self.is_low.load(Ordering::Relaxed) || end.saturating_sub(checked_at) > SPACE_CHECK_BYTES {
            self.check_space();
        }
        Ok(())
    }

    pub(super) fn check_broken(&self, round: &Round) -> Result<(), StoreError> {
        if !round.is_broken {
            return Ok(());
        }
        let error = std::io::Error::other("an earlier write or sync failed");
        Err(StoreError::io(Call::Write, self.disk.describe(DIRECTORY))(error))
    }

    fn take_groups(&self, round: &mut Round) {
        let mut state = self.state.lock();
        round.position = state.written;
        round.end = state.written;
        while let Some(group) = state.groups.front() {
            let end = group.end();
            // A round is bounded, so that those who wait for its first group do not wait
            // for all that came since.
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
        let Round { groups, staging, pieces, position, knows_all, .. } = round;
        staging.clear();
        // Each group says how far the log was durable when it was written. A start tells by that a hole in what
        // was durable from a torn end.
        let durable = self.durable.load(Ordering::Acquire);
        *knows_all = durable >= *position;
        let mut staged_from = 0;
        for (index, group) in groups.iter().enumerate() {
            let payload = group.payload.bytes();
            let kind = match group.payload {
                Payload::Chunk(_) => KIND_CHUNK,
                Payload::Records(_) => KIND_RECORDS,
            };
            let header = GroupHeader { kind, payload_bytes: payload.len(), run: self.run, position: group.position };
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
                // A group runs on into the next file.
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
            // A new file is made here, at the first byte that it is needed for.
            None => self.open_file(files, unsynced, number)?,
        };
        let failed = StoreError::io(Call::Write, self.disk.describe(&file_path(number)));
        file.write_at(slices, offset_in_file(position, self.file_bytes)).map_err(failed)?;
        if !unsynced.contains(&number) {
            unsynced.push(number);
        }
        Ok(())
    }

    /// Syncs; until that has succeeded nothing more may be written, because even where a disk is full, what was to be synced may be
    /// lost now.
    pub(super) fn sync_or_break(&self, round: &mut Round) -> Result<(), StoreError> {
        round.is_broken = true;
        self.sync(round)?;
        round.is_broken = false;
        Ok(())
    }

    fn sync(&self, round: &mut Round) -> Result<(), StoreError> {
        let Round { unsynced, files, .. } = round;
        // Mostly one file; two when the log has gone on into the next, or when that was linked.
        for number in unsynced.drain(..) {
            if let Some(file) = files.open.get(&number) {
                file.sync().map_err(StoreError::io(Call::SyncLog, self.disk.describe(&file_path(number))))?;
            }
        }
        Ok(())
    }

    /// Moves the marks; the waiters whose time has come.
    fn note_progress(&self, written: u64, is_synced: bool, seals: Option<bool>) -> Vec<Arc<dyn Wake>> {
        let mut state = self.state.lock();
        // Under the lock of the state, so that whoever asks to be woken is either found
        // here or sees the new mark.
        state.written = written;
        state.is_sealed = seals.unwrap_or(state.is_sealed);
        let mut due = Vec::new();
        if is_synced {
            self.durable.store(written, Ordering::Release);
            due = self.tell(&mut state);
            // Publishers that waited because too much was not durable.
            due.append(&mut self.take_caught_up(&mut state));
        }
        due
    }
}
