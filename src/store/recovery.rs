//! Opens a data directory: the last checkpoint, then what the log says behind it.
//!
//! The log ends where a group is missing or torn. If a group behind that place knows it to have been durable, this is no torn
//! tail but damage, which is refused, or skipped and reported where it is to be salvaged. Groups of an earlier run that lie
//! beyond the end of the log as that run left it are dead: their epoch is lower than that of what precedes them.
//!
//! Reading costs what the window of the log holds, however long the queues are.

mod reader;
mod replay;

use std::collections::HashMap;
use std::sync::Arc;

use super::address::{Place, SegmentId};
use super::checkpoint::{Checkpoint, Draft, QueueState};
use super::disk::Disk;
use super::failure::Call;
use super::record::{Enqueued, Freed};
use super::segments::{self, Segments};
use super::wal::{self, Resume};
use super::{Sizes, StoreError};
use crate::message::{MemoryGauge, Message};
use reader::LogReader;
use replay::Replay;

/// How a data directory is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Go on without what cannot be read.
    pub salvage: bool,
    /// How large files become.
    pub sizes: Sizes,
}

/// A queue as it was left.
#[derive(Debug, Default)]
pub struct RecoveredQueue {
    /// What the checkpoint says, with what the log adds to it.
    pub state: QueueState,
    /// Messages whose bodies are in the log, in the order of the queue.
    pub young: Vec<(Enqueued, Message)>,
}

/// What there was to say about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory was never used before.
    pub is_new: bool,
    /// The broker had stopped cleanly.
    pub is_clean: bool,
    /// Groups that were read from the log.
    pub groups: u64,
    /// Bytes that were read from the log.
    pub log_bytes: u64,
    /// What had to be left out, a sentence each; empty unless salvaging.
    pub skipped: Vec<String>,
}

/// Everything that was found.
#[derive(Debug)]
pub struct Recovered {
    /// The definitions, in the order in which they came to be.
    pub definitions: Vec<Vec<u8>>,
    /// The queues.
    pub queues: HashMap<u64, RecoveredQueue>,
    /// Identities from here on were never given out, but for those that `definitions` tell of.
    pub next_id: u64,
    /// Where the log goes on.
    pub resume: Resume,
    /// The segment files.
    pub segments: Segments,
    /// What there was to say about it.
    pub report: Report,
}

/// Opens the directory.
///
/// # Errors
/// When it cannot be read, or is damaged and not to be salvaged.
pub fn recover(disk: &Arc<dyn Disk>, gauge: &Arc<MemoryGauge>, opening: Opening) -> Result<Recovered, StoreError> {
    for directory in [wal::DIRECTORY, segments::DIRECTORY] {
        let failed = StoreError::io(Call::MakeDirectory, disk.describe(directory));
        disk.create_directory(directory).map_err(failed)?;
    }
    let mut report = Report::default();
    let found = read_checkpoint(disk, opening, &mut report)?;
    report.is_new = found.is_none() && report.skipped.is_empty();
    let mut checkpoint = match found {
        Some(checkpoint) => checkpoint,
        None => begin(disk)?,
    };
    let queues = std::mem::take(&mut checkpoint.queues);
    let segments = Segments::new(Arc::clone(disk), Arc::clone(gauge), opening.salvage).with_sizes(opening.sizes);
    let mut replay = restore_segments(&segments, queues, &checkpoint, opening, &mut report)?;
    let mut reader = LogReader::new(disk.as_ref(), &checkpoint, opening.sizes.log_file_bytes)?;
    while let Some(group) = reader.next_group(opening.salvage, &mut report)? {
        let place = group.position;
        if !replay.group(group, gauge, &segments)? {
            let error = reader.senseless(place);
            if !opening.salvage {
                return Err(error);
            }
            report.skipped.push(format!("{error}: messages in it are lost"));
        }
    }
    sync(disk, &reader, checkpoint.start)?;
    report.is_clean = checkpoint.is_clean && report.groups == 0;
    segments.skip_ids(checkpoint.last_segment);
    for id in replay.strange().iter().filter(|id| !replay.refers_to(**id)) {
        segments.doom(*id, reader.position());
    }
    remove_strays(disk, &replay)?;
    let (start, head) = (checkpoint.start, reader.position());
    let (spare, file_bytes) = (reader.files_outside(start, head), opening.sizes.log_file_bytes);
    let (epoch, start_epoch) = (reader.epoch().saturating_add(1), checkpoint.epoch);
    let resume = Resume { start, head, epoch, start_epoch, spare, file_bytes };
    let (definitions, queues) = replay.finish(checkpoint.definitions, report.is_clean);
    Ok(Recovered { definitions, queues, next_id: checkpoint.next_id, resume, segments, report })
}

/// Makes durable what was read: a process that was killed may have written it without syncing it, and from now on it counts as
/// durable.
fn sync(disk: &Arc<dyn Disk>, reader: &LogReader<'_>, start: u64) -> Result<(), StoreError> {
    reader.sync(start)?;
    for directory in ["", wal::DIRECTORY] {
        let failed = StoreError::io(Call::SyncDirectory, disk.describe(directory));
        disk.sync_directory(directory).map_err(failed)?;
    }
    Ok(())
}

fn fresh() -> Checkpoint {
    Checkpoint { is_clean: true, next_id: 1, ..Checkpoint::default() }
}

fn read_checkpoint(
    disk: &Arc<dyn Disk>,
    opening: Opening,
    report: &mut Report,
) -> Result<Option<Checkpoint>, StoreError> {
    match Checkpoint::read(disk.as_ref()) {
        Err(StoreError::Corrupt { file, what, .. }) if opening.salvage => {
            report.skipped.push(format!("{file} is damaged ({what}): its definitions and backlog are lost"));
            Ok(None)
        }
        Ok(None) if !opening.salvage && has_files(disk)? => Err(StoreError::Corrupt {
            file: disk.describe("checkpoint"),
            offset: 0,
            what: "it is missing, although there is a log".to_owned(),
        }),
        read => read,
    }
}

fn has_files(disk: &Arc<dyn Disk>) -> Result<bool, StoreError> {
    let list = |directory| disk.list(directory).map_err(StoreError::io(Call::List, disk.describe(directory)));
    Ok(!list(wal::DIRECTORY)?.is_empty() || !list(segments::DIRECTORY)?.is_empty())
}

/// A directory that is new: its first checkpoint says so.
fn begin(disk: &Arc<dyn Disk>) -> Result<Checkpoint, StoreError> {
    let checkpoint = fresh();
    Draft::default().write(&checkpoint, disk.as_ref())?;
    Ok(checkpoint)
}

/// Opens the files that the checkpoint names, and notes what is free in them.
fn restore_segments(
    segments: &Segments,
    mut queues: Vec<QueueState>,
    checkpoint: &Checkpoint,
    opening: Opening,
    report: &mut Report,
) -> Result<Replay, StoreError> {
    let mut lost = Vec::new();
    for (id, bytes) in referenced(&queues) {
        match segments.restore(id, bytes) {
            Ok(()) => {}
            Err(error @ (StoreError::Io { .. } | StoreError::Corrupt { .. })) if opening.salvage => {
                report.skipped.push(format!("{error}: the messages in it are lost"));
                lost.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    for queue in &mut queues {
        queue.parts.retain(|part| !lost.contains(&part.segment));
        queue.singles.retain(|single| !matches!(single.address.place(), Place::Segment(id, _) if lost.contains(&id)));
    }
    let replay = Replay::new(queues, checkpoint.start);
    let free: Vec<Freed> = checkpoint.free.iter().copied().filter(|freed| replay.knows(freed)).collect();
    segments.free(&free);
    Ok(replay)
}

/// The files that queues refer to, and how many bytes of each.
fn referenced(queues: &[QueueState]) -> HashMap<SegmentId, u64> {
    let mut files: HashMap<SegmentId, u64> = HashMap::new();
    for queue in queues {
        for part in &queue.parts {
            *files.entry(part.segment).or_default() += u64::from(part.end - part.start);
        }
        for single in &queue.singles {
            if let Place::Segment(id, _) = single.address.place() {
                *files.entry(id).or_default() += u64::from(single.bytes);
            }
        }
    }
    files
}

/// Removes segment files that nothing refers to: transient messages, and evacuations that were not finished. Those of which the
/// log tells what was settled in them must stay as long as it does.
fn remove_strays(disk: &Arc<dyn Disk>, replay: &Replay) -> Result<(), StoreError> {
    let directory = segments::DIRECTORY;
    let names = disk.list(directory).map_err(StoreError::io(Call::List, disk.describe(directory)))?;
    for name in names {
        let id = name.strip_suffix(".seg").and_then(|number| number.parse().ok()).map(SegmentId);
        if id.is_none_or(|id| !replay.refers_to(id) && !replay.strange().contains(&id)) {
            let path = format!("{directory}/{name}");
            disk.remove(&path).map_err(StoreError::io(Call::Remove, disk.describe(&path)))?;
        }
    }
    Ok(())
}
