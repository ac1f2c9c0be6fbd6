//! Opens a data directory: the last checkpoint, then what the log says behind it.
//!
//! The log ends where a group is missing or torn. If a group behind that place knows it to have been durable, this is no torn
//! tail but damage, which is refused, or skipped and reported where it is to be salvaged. Groups of an earlier run that lie
//! beyond the end of the log as that run left it are dead: their epoch is lower than that of what precedes them.
//!
//! Reading costs what the window of the log holds, however long the queues are.

mod chain;
mod choice;
mod ending;
pub(crate) mod finding;
mod known;
mod lost_and_found;
mod reader;
mod replay;
mod rewrite;
mod salvage;

use std::collections::HashMap;
use std::sync::Arc;

use super::address::{Place, SegmentId};
use super::checkpoint::{Checkpoint, Draft, PATHS, QueueState};
use super::disk::Disk;
use super::failure::Call;
use super::record::Enqueued;
use super::run::Run;
use super::segments::{self, SegmentFile, Segments};
use super::wal::{self, Resume};
use super::{LogFile, Sizes, StoreError};
use crate::message::{MemoryGauge, Message};
use chain::Chain;
use choice::choose;
use finding::{Effect, Finding};
use reader::LogReader;
use replay::Replay;
use salvage::Rebuilt;

/// How a data directory is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// Go on without what cannot be read.
    pub salvage: bool,
    /// A number by chance: two runs that go on from copies of the same directory are told apart by it.
    pub nonce: u32,
    /// How large files become.
    pub sizes: Sizes,
}

/// A queue as it was left.
#[derive(Debug, Default)]
pub struct RecoveredQueue {
    /// What the checkpoint says, with what the log adds to it.
    pub(crate) state: QueueState,
    /// Messages whose bodies are in the log, in the order of the queue.
    pub(crate) in_log: Vec<(Enqueued, Message)>,
    /// The start left something out: if nothing tells that it was declared or deleted, that is what is lost.
    pub(crate) is_salvaged: bool,
}

/// What there was to say about the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The directory was never used before.
    pub is_new: bool,
    /// The broker had stopped cleanly.
    pub(crate) is_clean: bool,
    /// Groups that were read from the log and tell of a change.
    pub(crate) groups: u64,
    /// Bytes that were read from the log.
    pub(crate) log_bytes: u64,
    /// Bytes behind the end of the log that were written without what is before them: nobody was told that they are durable.
    pub(crate) cut_off_bytes: u64,
    /// What was wrong and did no harm.
    pub mended: Vec<Finding>,
    /// What was wrong, refuses no start, and has messages come back that were acknowledged.
    pub(crate) returned: Vec<Finding>,
    /// What had to be left out; empty unless salvaging.
    pub skipped: Vec<Finding>,
    /// Where files are now that could not be used.
    pub(crate) moved: Vec<String>,
    /// What was found again.
    pub(crate) salvaged: Salvaged,
}

/// What was found again in segment files of which no checkpoint tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Salvaged {
    /// Files that were searched.
    pub(crate) scanned_files: u64,
    /// Messages that are in their queues again.
    pub(crate) messages: u64,
    pub(crate) queues: u64,
}

impl Report {
    /// Whether the start went on without something.
    pub fn is_salvaged(&self) -> bool {
        !self.skipped.is_empty()
    }
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
    make_directories(disk)?;
    let mut report = Report::default();
    let mut choice = choose(disk, opening, &mut report)?;
    let found = choice.checkpoint.take();
    let has_checkpoint = found.is_some();
    // A directory without a checkpoint is new, or damaged; only `begin` can tell.
    let mut checkpoint = found.map_or_else(|| begin(disk, opening, &mut report), Ok)?;
    let queues = std::mem::take(&mut checkpoint.queues);
    let segments = Segments::new(Arc::clone(disk), Arc::clone(gauge)).with_sizes(opening.sizes);
    // Before the log is read: what it frees is free in these files.
    let mut replay = restore_segments(&segments, queues, &checkpoint, opening, &mut report)?;
    let file_bytes = opening.sizes.log_file_bytes;
    // The files of the log are proved to belong together before a group of them is believed.
    let mut chain = Chain::follow(disk, &checkpoint, file_bytes, opening.salvage, &mut report)?;
    // Before the first record: what is settled must not be found again in a file later.
    if opening.salvage {
        replay.remember_settled();
    }
    // Only a start that salvages comes here: without a checkpoint the log is read from the
    // first file that is left.
    if !has_checkpoint && !report.is_new {
        chain.take_all(disk, 0)?;
        checkpoint.start = chain.all.first().map_or(0, |first| first * file_bytes);
    }
    let mut reader = LogReader::new(disk.as_ref(), &checkpoint, chain, file_bytes);
    read_log(&mut reader, &mut replay, &segments, gauge, opening, &mut report)?;
    // Now and not later: what is found missing further on says nothing of the log.
    if report.is_salvaged() {
        reader.end_files(checkpoint.start)?;
    }
    // Before anything is built on it: whatever this start tells its clients must be found by the next one, too.
    sync(disk, &mut reader, checkpoint.start)?;
    report.is_clean = checkpoint.is_clean && report.groups == 0;
    // Also the numbers of files that are gone: a record of the log may still name one.
    segments.skip_ids(checkpoint.last_segment);
    let mut resume = resume(&reader, &checkpoint, opening);
    // The first thing that this run appends.
    resume.records = replay.records_of_files();
    // All of the log was read: what it tells of as gone or as there is not looked for in files.
    if report.is_salvaged() {
        rebuild(disk, &mut replay, &segments, checkpoint.last_segment, &mut report)?;
        keep_aside(disk, &reader, &replay, &segments, &mut resume.spare, &mut report)?;
        ending::write_last_head(disk.as_ref(), &mut resume)?;
        checkpoint.next_id = checkpoint.next_id.max(replay.next_id());
    } else {
        remove_strays_later(disk, &segments, &replay)?;
    }
    // Nothing can fail now for what the files say. A start that failed before this leaves both
    // checkpoints as they were.
    choice.make_good(disk, &mut report)?;
    segments.begin_run(resume.run);
    let (definitions, mut queues) = replay.finish(checkpoint.definitions);
    let is_salvaged = report.is_salvaged();
    queues.values_mut().for_each(|queue| queue.is_salvaged = is_salvaged);
    Ok(Recovered { definitions, queues, next_id: checkpoint.next_id, resume, segments, report })
}

fn make_directories(disk: &Arc<dyn Disk>) -> Result<(), StoreError> {
    for directory in [wal::DIRECTORY, segments::DIRECTORY] {
        let failed = StoreError::io(Call::MakeDirectory, disk.describe(directory));
        disk.create_directory(directory).map_err(failed)?;
    }
    Ok(())
}

/// Applies what the log says.
fn read_log(
    reader: &mut LogReader<'_>,
    replay: &mut Replay,
    segments: &Segments,
    gauge: &Arc<MemoryGauge>,
    opening: Opening,
    report: &mut Report,
) -> Result<(), StoreError> {
    while let Some(group) = reader.next_group(opening.salvage, report)? {
        let place = group.position;
        let mut faults = Vec::new();
        if !replay.group(group, gauge, segments)? {
            // Its checksum is right and its contents are not: salvage leaves out the group, and reads on.
            faults.push(reader.senseless(place));
        }
        let (unreadable, mut returned) = replay.take_faults();
        faults.extend(unreadable);
        report.returned.append(&mut returned);
        for fault in faults {
            if !opening.salvage {
                return Err(fault);
            }
            report.skipped.push(Finding::new(&fault, Effect::LeftOut));
        }
    }
    Ok(())
}

fn resume(reader: &LogReader<'_>, checkpoint: &Checkpoint, opening: Opening) -> Resume {
    let (start, head) = (checkpoint.start, reader.position());
    // Those behind the end, too: a file that another one tells of is never made anew, because a crash might come in between.
    let files = reader.chain.linked.clone();
    // Higher than every run that left a trace, also one that was killed before it wrote a group.
    let last_run = files.iter().map(|file| file.run).max().unwrap_or_default();
    let spare = reader.chain.all.iter().copied().filter(|number| files.iter().all(|file| file.number != *number));
    Resume {
        start,
        head,
        run: last_run.max(reader.run()).max(checkpoint.run).following(opening.nonce),
        start_run: checkpoint.start_run,
        spare: spare.collect(),
        records: Vec::new(),
        files,
        checkpoint: checkpoint.number,
        file_bytes: opening.sizes.log_file_bytes,
    }
}

/// Looks for messages in the segment files that were made after the checkpoint, or in all if there is none: what the log would have
/// told of them is lost.
fn rebuild(
    disk: &Arc<dyn Disk>,
    replay: &mut Replay,
    segments: &Segments,
    last_segment: u32,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut rebuilt = Rebuilt::default();
    let mut ids = segment_ids(disk)?;
    ids.sort_unstable();
    // In the order in which they were made: of two records of one message the later one counts.
    for id in ids.into_iter().filter(|id| id.0 > last_segment && !replay.known().refers_to(*id)) {
        rebuilt.scan(disk, id, replay, report)?;
    }
    for state in rebuilt.finish(replay, segments, report)? {
        replay.add_found(state);
    }
    Ok(())
}

/// Keeps aside what a start that left something out does not use, and what of the log it could not read.
fn keep_aside(
    disk: &Arc<dyn Disk>,
    reader: &LogReader<'_>,
    replay: &Replay,
    segments: &Segments,
    spare: &mut Vec<u64>,
    report: &mut Report,
) -> Result<(), StoreError> {
    lost_and_found::remove_unfinished(disk)?;
    for id in segment_ids(disk)?.into_iter().filter(|id| !replay.known().refers_to(*id)) {
        // The log may tell of what is in it, until there is a checkpoint.
        lost_and_found::link(disk, &segments::path(id), report)?;
        segments.remove_later(id);
    }
    // Else they would be written over: what is in them may be all that is left of something. Nothing that was read is in them.
    for number in spare.drain(..) {
        lost_and_found::put(disk, &wal::file_path(number), report)?;
    }
    for number in reader.damaged.iter().filter(|number| reader.chain.linked.iter().any(|file| file.number == **number))
    {
        if reader.chain.has(*number) {
            lost_and_found::copy(disk, &wal::file_path(*number), report)?;
        }
    }
    Ok(())
}

/// Makes durable what was read, because from now on it counts as durable.
fn sync(disk: &Arc<dyn Disk>, reader: &mut LogReader<'_>, start: u64) -> Result<(), StoreError> {
    reader.make_durable(start)?;
    for directory in ["", wal::DIRECTORY] {
        let failed = StoreError::io(Call::SyncDirectory, disk.describe(directory));
        disk.sync_directory(directory).map_err(failed)?;
    }
    Ok(())
}

/// The first checkpoint of a directory that is new, or one that knows nothing, where the last one cannot be read.
fn begin(disk: &Arc<dyn Disk>, opening: Opening, report: &mut Report) -> Result<Checkpoint, StoreError> {
    let mut checkpoint = Checkpoint { is_clean: true, next_id: 1, ..Checkpoint::default() };
    if is_unused(disk, &checkpoint, opening)? {
        report.is_new = true;
        // The log first: a checkpoint always knows a file in which it goes on, so that a missing one is noticed.
        let file = LogFile { number: 0, run: Run::NONE.following(opening.nonce) };
        wal::make_file(disk.as_ref(), file)?;
        checkpoint.log_files.push(file);
        Draft::default().write(&checkpoint, disk.as_ref())?;
    } else if !opening.salvage {
        return Err(choice::missing(disk, PATHS[0]));
    }
    Ok(checkpoint)
}

/// Whether nothing was ever kept here. A process that was killed at its very first start may have left a file without groups.
fn is_unused(disk: &Arc<dyn Disk>, fresh: &Checkpoint, opening: Opening) -> Result<bool, StoreError> {
    let file_bytes = opening.sizes.log_file_bytes;
    let chain = Chain::follow(disk, fresh, file_bytes, false, &mut Report::default())?;
    let has_other_files = chain.all.iter().any(|number| *number > 0) || !segment_ids(disk)?.is_empty();
    Ok(!has_other_files && !LogReader::new(disk.as_ref(), fresh, chain, file_bytes).has_groups()?)
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
        let known = checkpoint.segment_files.iter().find(|file| file.id == id).copied();
        let known = known.unwrap_or_else(|| SegmentFile { id, ..SegmentFile::default() });
        match segments.restore(known, bytes) {
            Ok(()) => {}
            Err(error @ StoreError::Corrupt { .. }) if opening.salvage => {
                report.skipped.push(Finding::new(&error, Effect::RecordByRecord).of_queues(&queues, id));
                segments.restore_damaged(known, bytes)?;
            }
            Err(error) if opening.salvage && (error.is_damage() || matches!(error, StoreError::Io { .. })) => {
                report.skipped.push(Finding::new(&error, Effect::FileLost).of_queues(&queues, id));
                lost.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    for queue in &mut queues {
        queue.parts.retain(|part| !lost.contains(&part.segment));
        queue.singles.retain(|single| !matches!(single.address.place(), Place::Segment(id, _) if lost.contains(&id)));
    }
    let replay = Replay::new(queues, checkpoint);
    for freed in &checkpoint.free {
        segments.free(&replay.known().pieces(freed, segments));
    }
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

/// Has segment files removed after the next checkpoint that nothing refers to: transient messages, and moves that were not
/// finished. Until then they stay, because the log may tell of them, and their numbers are not given again.
fn remove_strays_later(disk: &Arc<dyn Disk>, segments: &Segments, replay: &Replay) -> Result<(), StoreError> {
    let ids = segment_ids(disk)?;
    ids.into_iter().filter(|id| !replay.known().refers_to(*id)).for_each(|id| segments.remove_later(id));
    Ok(())
}

/// The segment files that there are.
fn segment_ids(disk: &Arc<dyn Disk>) -> Result<Vec<SegmentId>, StoreError> {
    let directory = segments::DIRECTORY;
    let names = disk.list(directory).map_err(StoreError::io(Call::List, disk.describe(directory)))?;
    let number = |name: &String| name.strip_suffix(".seg")?.parse().ok().map(SegmentId);
    Ok(names.iter().filter_map(number).collect())
}
