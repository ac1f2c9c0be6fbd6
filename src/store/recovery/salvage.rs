//! Rebuilds queues from the records of segment files, where no checkpoint tells what is in them: each record says which queue it
//! belongs to, its place there, and by its checksum whether it can be believed. Of what was settled, only that is known which the log
//! still tells; the rest comes back as redelivered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Report;
use super::finding::{Effect, Finding};
use super::replay::Replay;
use crate::store::StoreError;
use crate::store::address::SegmentId;
use crate::store::checkpoint::{Part, QueueState};
use crate::store::disk::Disk;
use crate::store::failure::Call;
use crate::store::segments::{self, FILE_HEADER_BYTES, Label, SegmentFile, Segments, labelled};
use crate::store::seq::Seq;

/// A record that was found.
#[derive(Clone, Copy, Debug)]
struct FoundRecord {
    label: Label,
    segment: SegmentId,
    offset: u32,
    bytes: u32,
    body_bytes: u32,
}

/// What was found in segment files.
#[derive(Debug, Default)]
pub(super) struct Rebuilt {
    /// By queue, level, and place.
    records: BTreeMap<(u64, u8, Seq), FoundRecord>,
    /// Copies of messages that are where the checkpoint says: a file was being rewritten.
    copies: BTreeSet<(u64, u8, Seq)>,
}

impl Rebuilt {
    /// Looks for records in a file that nothing refers to. Of two with the same place, the one in the later file is newer.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn scan(
        &mut self,
        disk: &Arc<dyn Disk>,
        id: SegmentId,
        replay: &Replay,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let path = segments::path(id);
        let bytes = whole(disk, &path)?;
        let mut at = FILE_HEADER_BYTES;
        let (mut unreadable, mut first) = (0, None);
        while let Some(rest) = bytes.get(at as usize..).filter(|rest| rest.len() >= 8) {
            // The checksum tells a record from anything else, so a file without a head can be read as well.
            if let Some((label, bytes, body_bytes)) = labelled(rest) {
                self.note(FoundRecord { label, segment: id, offset: at, bytes, body_bytes }, replay);
                at += bytes;
            } else {
                // Between two parts there are eight zeros.
                if !rest.starts_with(&[0; 8]) {
                    first.get_or_insert(at);
                    unreadable += 8;
                }
                at += 8;
            }
        }
        if let Some(first) = first {
            let what = format!("{unreadable} bytes from here on are no messages");
            let finding = Finding::damaged(disk.describe(&path), u64::from(first), what, Effect::RecordByRecord);
            report.skipped.push(finding);
        }
        report.salvaged.scanned_files += 1;
        Ok(())
    }

    fn note(&mut self, record: FoundRecord, replay: &Replay) {
        let label = record.label;
        let key = (label.queue, label.level, label.seq);
        if replay.knows_place(label.moved_from, record.bytes) {
            self.copies.insert(key);
        }
        // Delayed messages belong to an exchange, of which nothing is known; they stay in their file.
        if label.is_stored && label.origin == 0 {
            // Files come in the order of their numbers: a later record takes the place of an earlier one.
            self.records.insert(key, record);
        }
    }

    /// Leaves out what the rest of the files knows to be gone or to be elsewhere; what is left, by queues.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn finish(
        mut self,
        replay: &Replay,
        segments: &Segments,
        report: &mut Report,
    ) -> Result<Vec<QueueState>, StoreError> {
        let copies = std::mem::take(&mut self.copies);
        // What the log knows is not needed from here, or is gone.
        self.records.retain(|key, _| !copies.contains(key) && !replay.knows_message(key.0, key.2));
        report.salvaged.messages = self.records.len() as u64;
        let mut in_file: BTreeMap<SegmentId, u64> = BTreeMap::new();
        let mut states: BTreeMap<u64, QueueState> = BTreeMap::new();
        for record in self.records.values() {
            *in_file.entry(record.segment).or_default() += u64::from(record.bytes);
            let queue = record.label.queue;
            add(states.entry(queue).or_insert_with(|| QueueState { queue, ..QueueState::default() }), record);
        }
        report.salvaged.queues = states.len() as u64;
        for (id, bytes) in in_file {
            segments.restore_damaged(SegmentFile { id, ..SegmentFile::default() }, bytes)?;
        }
        Ok(states.into_values().collect())
    }
}

/// Everything that is in a file.
pub(super) fn whole(disk: &Arc<dyn Disk>, path: &str) -> Result<Vec<u8>, StoreError> {
    let failed = |call| StoreError::io(call, disk.describe(path));
    let file = disk.open(path, false).map_err(failed(Call::Open))?;
    let size = file.size().map_err(failed(Call::Read))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let count = file.read_at(&mut bytes, 0).map_err(failed(Call::Read))?;
    bytes.truncate(count);
    Ok(bytes)
}

/// Adds a record, which comes behind all that are there of its level.
fn add(state: &mut QueueState, record: &FoundRecord) {
    let FoundRecord { label, segment, offset, bytes, body_bytes } = *record;
    state.next_seq = state.next_seq.max(label.seq.next());
    // All of them come as redelivered: nobody knows which were.
    state.delivered.raise(label.level, label.seq.next());
    let body_bytes = u64::from(body_bytes);
    let follows = |part: &&mut Part| part.level == label.level && part.segment == segment && part.end == offset;
    if let Some(part) = state.parts.last_mut().filter(follows) {
        part.end += bytes;
        part.stored += 1;
        part.body_bytes += body_bytes;
        part.expires_min_ms = part.expires_min_ms.min(label.expires_at_ms);
        part.expires_max_ms = part.expires_max_ms.max(label.expires_at_ms);
        return;
    }
    state.parts.push(Part {
        level: label.level,
        segment,
        start: offset,
        end: offset + bytes,
        first_seq: label.seq,
        stored: 1,
        body_bytes,
        expires_min_ms: label.expires_at_ms,
        expires_max_ms: label.expires_at_ms,
    });
}
