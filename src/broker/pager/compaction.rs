//! Rewrites segment files of which most is free, so that the disk holds at most twice what is wanted.
//!
//! It is a move like any other: what is left is written to new files, queues are told, and a checkpoint makes it good. A record
//! that was moved so says where it lay before: an acknowledgement that the log tells of before that checkpoint frees both.

use std::sync::Arc;

use super::Pager;
use crate::broker::delayed::DueKey;
use crate::broker::queue::{Compacted, CompactedRecord, QueueHandle, tell_lost};
use crate::broker::vhost::Vhost;
use crate::store::StoreError;
use crate::store::address::{Address, Place, SegmentId};
use crate::store::checkpoint::Part;
use crate::store::record::Freed;
use crate::store::segments::{Damaged, Label, SegmentWriter};

/// Messages that are known one by one: where each lay, and where it is now.
type Singles = Vec<(Address, CompactedRecord)>;

/// Delayed messages that cannot be read, and where they lie.
type Lost = Vec<(DueKey, Address)>;

/// What was rewritten.
#[derive(Default)]
struct Rewritten {
    queues: Vec<(Arc<QueueHandle>, Vec<Compacted>)>,
    delayed: Vec<(Arc<Vhost>, Singles)>,
    lost: Vec<(Arc<Vhost>, Lost)>,
    /// Everything of the old files that queues referred to.
    old: Vec<Freed>,
}

impl Pager {
    /// Rewrites the sparsest files, if more is free than is wanted. Files that no checkpoint names yet stay.
    ///
    /// # Errors
    /// When the file system fails; nothing is changed then.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        let sparse = self.segments.sparse(self.checkpointed_segment());
        if sparse.is_empty() {
            return Ok(());
        }
        let mut writer = SegmentWriter::new(&self.segments);
        let rewritten = match self.rewrite(&mut writer, &sparse) {
            Ok(rewritten) => rewritten,
            Err(error) => {
                writer.abandon();
                return Err(error);
            }
        };
        // Synced by now: a queue never refers to what a power loss may take.
        for (queue, parts) in rewritten.queues {
            self.segments.free(&queue.compacted(&parts));
        }
        for (vhost, records) in rewritten.delayed {
            self.segments.free(&vhost.delayed().compacted(&records));
        }
        for (vhost, messages) in rewritten.lost {
            vhost.delayed().lost(&vhost, &messages);
        }
        writer.finish();
        // Last: until all queues know the new places, somebody may read from the old ones.
        self.segments.free(&rewritten.old);
        Ok(())
    }

    fn rewrite(&self, writer: &mut SegmentWriter<'_>, sparse: &[SegmentId]) -> Result<Rewritten, StoreError> {
        let mut rewritten = Rewritten::default();
        for queue in self.queues() {
            let mut parts = Vec::new();
            for part in queue.parts_in(sparse) {
                rewritten.old.push(whole(&part));
                let (compacted, damaged) = self.rewrite_part(writer, part, queue.id.0)?;
                queue.note_unreadable(damaged.len());
                damaged.into_iter().for_each(|damaged| tell_lost(&queue, damaged));
                parts.push(compacted);
                // A gap behind each part, so that what becomes free of two never adjoins.
                writer.end_part();
            }
            if !parts.is_empty() {
                rewritten.queues.push((queue, parts));
            }
        }
        for vhost in self.vhosts() {
            let (mut records, mut lost) = (Vec::new(), Vec::new());
            for (key, address, bytes) in vhost.delayed().singles_in(sparse) {
                let Place::Segment(segment, start) = address.place() else { continue };
                let part = Part { segment, start, end: start.saturating_add(bytes), ..Part::default() };
                rewritten.old.push(whole(&part));
                let (compacted, damaged) = self.rewrite_part(writer, part, vhost.delayed().id().0)?;
                damaged.into_iter().for_each(|damaged| tell_lost(&"a delayed exchange", damaged));
                if compacted.records.is_empty() {
                    lost.push((key, address));
                }
                records.extend(compacted.records.into_iter().map(|record| (address, record)));
            }
            writer.end_part();
            if !records.is_empty() {
                rewritten.delayed.push((Arc::clone(&vhost), records));
            }
            if !lost.is_empty() {
                rewritten.lost.push((vhost, lost));
            }
        }
        writer.flush(true)?;
        Ok(rewritten)
    }

    fn rewrite_part(
        &self,
        writer: &mut SegmentWriter<'_>,
        part: Part,
        queue: u64,
    ) -> Result<(Compacted, Vec<Damaged>), StoreError> {
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        let mut at = part.start;
        while at < part.end {
            let block_bytes = self.segments.sizes().block_bytes;
            let mut block = self.segments.read(part.segment, at, part.end, block_bytes, queue)?;
            damaged.append(&mut block.damaged);
            for record in block.records {
                let Place::Segment(_, old_offset) = record.address.place() else { continue };
                let label = Label { moved_from: record.address, ..record.label };
                let written = writer.push(&label, &record.message)?;
                let body_bytes = u32::try_from(record.message.body_bytes()).unwrap_or(u32::MAX);
                let Label { seq, expires_at_ms, is_stored, .. } = label;
                records.push(CompactedRecord { old_offset, written, seq, body_bytes, expires_at_ms, is_stored });
            }
            at = block.next;
        }
        Ok((Compacted { part, records }, damaged))
    }
}

fn whole(part: &Part) -> Freed {
    let Part { segment, start, end, stored, body_bytes, .. } = *part;
    Freed { segment, start, end, stored, body_bytes }
}
