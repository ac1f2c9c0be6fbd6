//! Segment files: messages that were moved out of the log, written once, queue by queue, and never changed.
//!
//! A file is shared by all queues whose messages are moved at the same time, so that ten thousand queues do not make ten thousand
//! files, and a move is one sequential write and one sync. What is free in a file is kept as stretches of bytes. Stretches that
//! adjoin are one, and the records of a queue lie side by side: so messages that are consumed in order leave one stretch for each
//! queue, however long it is. A file is removed when everything in it is free and no checkpoint names it any more.
//!
//! ```text
//! file   = head: which file, and which run made it; then records
//! record = crc32 u32, message bytes u32, queue u64, seq u64, expires u64, counts u32 u32, origin u64, moved from u64, level u8,
//!          flags u8, zero u16 u32, message, padded to 8 bytes                                  (docs/format.md)
//! ```

mod damage;
mod gone;
mod open;
mod reading;
mod record;
mod salvage;
mod segment;
mod writer;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::address::SegmentId;
use super::disk::{Disk, DiskFile};
use super::failure::{Call, Remedy};
use super::head::{HEAD_BYTES, Head};
use super::record::Freed;
use super::run::Run;
use super::{Sizes, StoreError};
use crate::message::MemoryGauge;
use open::OpenFiles;
use segment::Segment;

pub(crate) use damage::{DIRECTORY as LOST_DIRECTORY, Damaged};
pub(crate) use reading::Block;
pub use record::Label;
pub(super) use record::labelled;
pub(crate) use record::{Stored, record_bytes_of};
pub(crate) use segment::SegmentFile;
pub use writer::{SegmentWriter, Written};

/// The directory of the segment files.
pub(crate) const DIRECTORY: &str = "segments";
pub(super) const MAGIC: [u8; 4] = *b"LVSG";
/// Bytes in front of the first record of a file.
pub(crate) const FILE_HEADER_BYTES: u32 = 32;
const _: () = assert!(FILE_HEADER_BYTES as usize == HEAD_BYTES, "it is the head");
/// All segment files.
pub struct Segments {
    disk: Arc<dyn Disk>,
    gauge: Arc<MemoryGauge>,
    sizes: Sizes,
    all: Mutex<All>,
    on_excess: OnceLock<OnExcess>,
}

impl fmt::Debug for Segments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Segments").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct All {
    by_id: BTreeMap<SegmentId, Segment>,
    open: OpenFiles,
    /// Files that are to be removed once no checkpoint names them.
    to_remove: Vec<SegmentId>,
    last_id: u32,
    /// The run that makes files now.
    run: Run,
    /// Freed since it was looked at how much is free.
    free_bytes: u64,
    /// Freed since the last checkpoint, or since one was asked for.
    freed_since_bytes: u64,
}

/// How much the segment files hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files.
    pub files: usize,
    /// Bytes of all records.
    pub bytes: u64,
    /// Bytes of records that are free.
    pub free_bytes: u64,
}

impl Usage {
    /// Bytes that are free beyond what may be: as much as is wanted, and so many more.
    pub const fn excess(&self, excess_bytes: u64) -> u64 {
        let wanted = self.bytes.saturating_sub(self.free_bytes);
        self.free_bytes.saturating_sub(wanted.saturating_add(excess_bytes))
    }
}

/// A checkpoint is asked for when so much was freed since the last, however much is wanted: until then, files of which everything is
/// free stay, each file keeps a list of what was freed, and each queue one of what it had there.
const FREED_SINCE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// So much of the files that were written first, and so are read first, is left to the system's cache. The rest of a long backlog is
/// read long after it was written, when a cache that keeps what is newest has the wrong part of it; and memory that nobody used
/// before costs a virtual machine ten times as much as the copying. 4 million messages of 1 KiB, CPU us a message to publish:
/// 2.4-2.8 with everything left to the cache, 1.2 so; to drain, 0.6-0.8 and 0.7, but 1.2 instead of 1.6-2.1 million a second.
const CACHED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// So many bytes are freed between two looks at how much is free.
const FREED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Tells that too much of the files is free.
pub(crate) type OnExcess = Box<dyn Fn() + Send + Sync>;

/// The path of a segment file.
pub(crate) fn path(id: SegmentId) -> String {
    format!("{DIRECTORY}/{:08}.seg", id.0)
}

impl Segments {
    /// No files yet.
    pub fn new(disk: Arc<dyn Disk>, gauge: Arc<MemoryGauge>) -> Self {
        let (sizes, all) = (Sizes::default(), Mutex::default());
        Self { disk, gauge, sizes, all, on_excess: OnceLock::new() }
    }

    /// With other sizes than the usual ones.
    #[must_use]
    pub fn with_sizes(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    pub(crate) const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Bytes that messages take in memory which were read back.
    pub(crate) fn read_back_bytes(&self) -> u64 {
        self.gauge.read_back_bytes()
    }

    /// Takes over a file that a checkpoint names; `bytes` are those of the records that somebody still refers to.
    ///
    /// # Errors
    /// When it is missing, shorter than it was, or not the file of this number that this run made.
    pub(super) fn restore(&self, known: SegmentFile, bytes: u64) -> Result<(), StoreError> {
        let id = known.id;
        let opened = self.open_checked(id, |run| run == known.run)?;
        let name = || self.disk.describe(&path(id));
        let Some(file) = opened else {
            return Err(StoreError::Missing { file: name(), why: "although it holds messages".to_owned() });
        };
        let size = file.size().map_err(StoreError::io(Call::Read, name()))?;
        // Longer is fine: what is behind it was written, and no checkpoint told of it.
        if size < known.length {
            let what = format!("{} bytes are missing at its end", known.length - size);
            return Err(StoreError::Corrupt { file: name(), offset: size, what });
        }
        self.adopt(known, bytes);
        Ok(())
    }

    /// Takes over a file as it is.
    pub(super) fn adopt(&self, known: SegmentFile, bytes: u64) {
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(known.id.0);
        all.by_id.insert(known.id, Segment::restored(known, bytes));
    }

    /// Opens a file, which must be the one of this number that such a run made; `None` if it is missing.
    ///
    /// # Errors
    /// When it is another one, or cannot be read.
    pub(super) fn open_checked(
        &self,
        id: SegmentId,
        is_made_by: impl Fn(Run) -> bool,
    ) -> Result<Option<Arc<dyn DiskFile>>, StoreError> {
        let name = || self.disk.describe(&path(id));
        let file = match self.disk.open(&path(id), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(Call::Open, name())(error)),
        };
        let mut bytes = [0; HEAD_BYTES];
        let count = file.read_at(&mut bytes, 0).map_err(StoreError::io(Call::Read, name()))?;
        let head = Head::decode(bytes.get(..count).unwrap_or_default(), MAGIC).map_err(|fault| fault.of(name()))?;
        if head.number != u64::from(id.0) || !is_made_by(head.run) {
            let why = "it is a segment file of another time".to_owned();
            return Err(StoreError::Foreign { file: name(), why });
        }
        Ok(Some(file))
    }

    /// How messages to people name a file.
    pub(super) fn describe(&self, id: SegmentId) -> String {
        self.disk.describe(&path(id))
    }

    /// Files are made by this run from now on.
    pub(super) fn begin_run(&self, run: Run) {
        self.all.lock().run = run;
    }

    /// The files as they are to be found at the next start. None of them is being written.
    pub fn files(&self) -> Vec<SegmentFile> {
        self.all.lock().by_id.values().map(|segment| segment.known).collect()
    }

    /// Gives numbers behind this one to new files.
    pub(crate) fn skip_ids(&self, last: u32) {
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(last);
    }

    /// The number of the last file that was made.
    pub(crate) fn last_id(&self) -> u32 {
        self.all.lock().last_id
    }

    fn next_file(&self) -> SegmentFile {
        let mut all = self.all.lock();
        // Also if making the file fails then: a number is never given twice, because a record
        // of the log may name it.
        all.last_id = all.last_id.saturating_add(1);
        SegmentFile { id: SegmentId(all.last_id), run: all.run, length: 0 }
    }

    fn add(&self, known: SegmentFile) {
        self.all.lock().by_id.insert(known.id, Segment::new(known));
    }

    fn written(&self, id: SegmentId, bytes: u64) {
        if let Some(segment) = self.all.lock().by_id.get_mut(&id) {
            segment.bytes += bytes;
        }
    }

    /// Has the system forget a synced file, if there is more already that will be read before it.
    fn uncache_if_many(&self, id: SegmentId, file: &Arc<dyn DiskFile>) {
        let mut all = self.all.lock();
        let cached_bytes: u64 =
            all.by_id.values().filter(|segment| segment.is_cached).map(|segment| segment.bytes).sum();
        if cached_bytes <= CACHED_BYTES_MAX {
            return;
        }
        let Some(segment) = all.by_id.get_mut(&id) else { return };
        segment.is_cached = false;
        // The call may take long, and whoever frees something waits for this lock.
        drop(all);
        file.uncache();
    }

    fn close(&self, id: SegmentId, length: u64) {
        if let Some(segment) = self.all.lock().by_id.get_mut(&id) {
            segment.known.length = length;
            segment.is_open = false;
        }
    }

    /// Frees stretches of files. Stretches that are free already, as when the log is read again, change nothing.
    pub(crate) fn free(&self, freed: &[Freed]) {
        let mut all = self.all.lock();
        for range in freed {
            let All { by_id, free_bytes, .. } = &mut *all;
            if let Some(segment) = by_id.get_mut(&range.segment) {
                // By the difference: of a stretch that is free already, nothing is counted.
                let before = segment.free_bytes;
                segment.free(*range);
                *free_bytes += segment.free_bytes.saturating_sub(before);
            }
        }
        // The question below looks at all files, so it is asked once for 4 MiB.
        let is_due = all.free_bytes > FREED_BYTES_MAX;
        if is_due {
            all.freed_since_bytes += std::mem::take(&mut all.free_bytes);
        }
        let is_much = all.freed_since_bytes > FREED_SINCE_BYTES_MAX;
        if is_much {
            // Told once: what is freed until the checkpoint is made does not ask for another.
            all.freed_since_bytes = 0;
        }
        drop(all);
        if is_due
            && let Some(tell) = self.on_excess.get()
            && (is_much || self.usage().excess(self.sizes.excess_bytes) > 0)
        {
            tell();
        }
    }

    /// What is free of a file between two offsets, in its order. The first and the last stretch may reach beyond: how many messages are
    /// gone is for [`Segments::gone_within`] to say.
    pub(crate) fn free_within(&self, id: SegmentId, start: u32, end: u32) -> Vec<Freed> {
        let all = self.all.lock();
        let Some(segment) = all.by_id.get(&id) else { return Vec::new() };
        let before = segment.free.range(..start).next_back().filter(|(_, freed)| freed.end > start);
        before.into_iter().chain(segment.free.range(start..end)).map(|(_, freed)| *freed).collect()
    }

    /// Whether a stretch of a file is free, all of it.
    pub(crate) fn is_free(&self, id: SegmentId, start: u32, end: u32) -> bool {
        let all = self.all.lock();
        let Some(segment) = all.by_id.get(&id) else { return true };
        segment.free.range(..=start).next_back().is_some_and(|(_, freed)| freed.end >= end)
    }

    /// Looks at the free stretches of all files, one file after the other: who frees something waits for one file at most. What is freed
    /// in a file that was looked at already is missing, and the log tells of it.
    pub(crate) fn each_free(&self, mut look: impl FnMut(Freed)) {
        let ids: Vec<_> = self.all.lock().by_id.keys().copied().collect();
        for id in ids {
            // A copy of one file's list: a checkpoint encodes it when nothing is locked.
            let free: Vec<_> = match self.all.lock().by_id.get(&id) {
                Some(segment) => segment.free.values().copied().collect(),
                None => continue,
            };
            free.into_iter().for_each(&mut look);
        }
    }

    /// Has a file removed after the next checkpoint. Its number is not given again.
    pub(super) fn remove_later(&self, id: SegmentId) {
        let mut all = self.all.lock();
        all.last_id = all.last_id.max(id.0);
        all.to_remove.push(id);
    }

    /// Takes out the files of which everything is free. These, and those that were taken out before and could not be removed,
    /// can be removed once there is a checkpoint that does not name them.
    pub(crate) fn take_empty(&self) -> Vec<SegmentId> {
        let mut all = self.all.lock();
        // Counted from here for the next checkpoint: what is freed while this one is made is not in it.
        all.freed_since_bytes = 0;
        let empty: Vec<_> = all.by_id.iter().filter(|(_, segment)| segment.is_empty()).map(|(id, _)| *id).collect();
        let mut closed = Vec::new();
        for id in &empty {
            // From here on nobody opens it. The file itself stays until a checkpoint without it is durable.
            all.by_id.remove(id);
            closed.extend(all.open.forget(*id));
        }
        all.to_remove.extend(empty);
        let to_remove = all.to_remove.clone();
        drop(all);
        drop(closed);
        to_remove
    }

    /// Removes files that no checkpoint names any more. One that cannot be removed is tried again with the next checkpoint.
    ///
    /// # Errors
    /// The file system's, if it is worth waiting for.
    pub(crate) fn remove(&self, ids: &[SegmentId]) -> Result<(), StoreError> {
        for id in ids {
            let name = self.disk.describe(&path(*id));
            let removed = self.disk.remove(&path(*id)).map_err(StoreError::io(Call::Remove, name));
            match removed.map_err(|error| (error.remedy(), error)) {
                Ok(()) => {}
                Err((Remedy::Refuse, error)) => {
                    tracing::warn!(%error, "a file stays that is not needed any more");
                    continue;
                }
                Err((_, error)) => return Err(error),
            }
            self.all.lock().to_remove.retain(|to_remove| to_remove != id);
        }
        Ok(())
    }

    /// The files to be rewritten, up to the one of number `last`: the sparsest ones, while more is free than is wanted.
    pub(crate) fn sparse(&self, last: SegmentId) -> Vec<SegmentId> {
        let mut excess = self.usage().excess(self.sizes.excess_bytes);
        let mut closed: Vec<_> = {
            let all = self.all.lock();
            // At least half of it is free: what is copied is less than what comes back.
            let is_sparse = |segment: &Segment| !segment.is_open && segment.free_bytes * 2 >= segment.bytes;
            let sparse = all.by_id.iter().filter(|(id, segment)| **id <= last && is_sparse(segment));
            sparse
                .map(|(id, segment)| (segment.bytes - segment.free_bytes.min(segment.bytes), *id, segment.bytes))
                .collect()
        };
        // The cheapest first; each gives back what is free of it.
        closed.sort_unstable();
        let mut chosen = Vec::new();
        for (wanted_bytes, id, bytes) in closed {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes - wanted_bytes);
            chosen.push(id);
        }
        chosen
    }

    /// Sets who is told when too much of the files is free. Only the first call counts.
    pub(crate) fn on_excess(&self, tell: OnExcess) {
        self.on_excess.get_or_init(|| tell);
    }

    /// How much there is.
    pub fn usage(&self) -> Usage {
        let all = self.all.lock();
        let mut usage = Usage { files: all.by_id.len(), ..Usage::default() };
        for segment in all.by_id.values() {
            usage.bytes += segment.bytes;
            usage.free_bytes += segment.free_bytes;
        }
        usage
    }
}

#[cfg(test)]
mod tests;
