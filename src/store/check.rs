//! Looks at a data directory without changing it: recovery itself runs over it, with its changes kept in memory, and then every record
//! of the segment files is read that anything refers to.
//!
//! It takes the memory that a start takes, and what a start would write: with damage, copies of damaged files of the log among it.

use std::sync::Arc;

use super::StoreError;
use super::address::{Address, Place, SegmentId};
use super::checkpoint::{Part, QueueState};
use super::disk::{Disk, Overlay};
use super::record::Freed;
use super::recovery::finding::{Effect, Finding};
use super::recovery::{Opening, Recovered, RecoveredQueue, Report, recover};
use super::segments::{Damaged, Usage};
use super::{Sizes, loader};
use crate::message::MemoryGauge;
use crate::store::seq::Seq;

/// What a start would do, and what it would find.
#[derive(Debug)]
pub struct Inspection {
    /// Why a start without salvage is refused.
    pub refused: Option<StoreError>,
    /// What the start finds that is not refused.
    found: Recovered,
}

/// What was read of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Messages that are there and can be read.
    pub(crate) messages: u64,
    /// Of these, in segment files.
    pub(crate) in_segments: u64,
    /// Records of messages that were acknowledged.
    pub(crate) acknowledged: u64,
}

/// Opens a directory as a start does, and as one with salvage does if it is damaged.
///
/// # Errors
/// When neither could open it.
pub fn inspect(disk: &Arc<dyn Disk>, sizes: Sizes) -> Result<Inspection, StoreError> {
    // A new overlay each time: what the first try changed must not be seen by the second.
    let open = |salvage| {
        let overlay: Arc<dyn Disk> = Arc::new(Overlay::new(Arc::clone(disk)));
        recover(&overlay, &Arc::<MemoryGauge>::default(), Opening { salvage, nonce: 0, sizes })
    };
    match open(false) {
        Ok(found) => Ok(Inspection { refused: None, found }),
        // That it is refused and what salvage would find are two answers, and the user needs both.
        Err(error) if error.is_damage() => Ok(Inspection { found: open(true)?, refused: Some(error) }),
        Err(error) => Err(error),
    }
}

impl Inspection {
    /// What the start would say.
    pub(crate) const fn report(&self) -> &Report {
        &self.found.report
    }

    /// How much the segment files hold.
    pub(crate) fn usage(&self) -> Usage {
        self.found.segments.usage()
    }

    pub(crate) fn definitions(&self) -> &[Vec<u8>] {
        &self.found.definitions
    }

    /// The queues, by their identities.
    pub fn queues(&self) -> impl Iterator<Item = (u64, &RecoveredQueue)> {
        self.found.queues.iter().map(|(id, queue)| (*id, queue))
    }

    /// Everything that the start finds wrong.
    pub fn findings(&self) -> Vec<Finding> {
        let Report { skipped, returned, mended, .. } = self.report();
        skipped.iter().chain(returned).chain(mended).cloned().collect()
    }

    /// Reads all records of a queue. What cannot be read of them is lost, unless the queue is gone.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn read(&self, queue: &RecoveredQueue, is_gone: bool, findings: &mut Vec<Finding>) -> Result<Read, StoreError> {
        let RecoveredQueue { state, in_log, .. } = queue;
        let mut reading = Reading { found: &self.found, state, is_gone, findings, read: Read::default() };
        for part in &state.parts {
            reading.part(part)?;
        }
        for single in &state.singles {
            if let Place::Segment(segment, start) = single.address.place() {
                let end = start.saturating_add(single.bytes);
                reading.part(&Part { segment, start, end, first_seq: single.seq, ..Part::default() })?;
            }
        }
        let mut read = reading.read;
        // Until here only segment files were read.
        read.in_segments = read.messages;
        read.messages += in_log.len() as u64;
        Ok(read)
    }
}

/// The records of one queue while they are read.
struct Reading<'a> {
    found: &'a Recovered,
    state: &'a QueueState,
    is_gone: bool,
    findings: &'a mut Vec<Finding>,
    read: Read,
}

impl Reading<'_> {
    fn part(&mut self, part: &Part) -> Result<(), StoreError> {
        let Part { segment, start, end, .. } = *part;
        let segments = &self.found.segments;
        let free = segments.free_within(segment, start, end);
        let (mut at, mut from) = (start, part.first_seq);
        while at < end {
            let block = segments.examine(segment, at, end, loader::BLOCK_BYTES, Some(self.state.queue))?;
            let mut damaged = block.damaged.iter().peekable();
            for record in &block.records {
                let offset = offset_of(record.address);
                while let Some(damaged) = damaged.next_if(|damaged| damaged.start < offset) {
                    self.damage(damaged, &free, from);
                }
                // A record that is free is still there, and is read all the same: damage in it loses nothing.
                let counter =
                    if is_free(&free, offset) { &mut self.read.acknowledged } else { &mut self.read.messages };
                *counter += 1;
                from = record.label.seq.next();
            }
            damaged.for_each(|damaged| self.damage(damaged, &free, from));
            // A file that is shorter than it was gets no further.
            if block.next <= at {
                break;
            }
            at = block.next;
        }
        Ok(())
    }

    fn damage(&mut self, damaged: &Damaged, free: &[Freed], from: Seq) {
        let Damaged { segment, start, end } = *damaged;
        let is_lost = !self.is_gone && !is_free(free, start);
        let effect = if is_lost { Effect::MessageLost { from: from.0 } } else { Effect::NothingLost };
        let what = format!("{} bytes are no message", end - start);
        let file = self.describe(segment);
        let finding = Finding::damaged(file, u64::from(start), what, effect);
        self.findings.push(Finding { queues: vec![self.state.queue], ..finding });
    }

    fn describe(&self, id: SegmentId) -> String {
        self.found.segments.describe(id)
    }
}

fn offset_of(address: Address) -> u32 {
    match address.place() {
        Place::Segment(_, offset) => offset,
        Place::Log(_) | Place::Nowhere => 0,
    }
}

/// Stretches are in their order.
fn is_free(free: &[Freed], offset: u32) -> bool {
    let behind = free.partition_point(|freed| freed.start <= offset);
    behind.checked_sub(1).and_then(|at| free.get(at)).is_some_and(|freed| offset < freed.end)
}
