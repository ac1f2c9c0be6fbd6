//! Moves messages to segment files, and writes checkpoints, so that the log stays short and long queues do not fill the memory.
//!
//! ```text
//!   choose a limit --> ask queues what is before it --> write and sync segments --> tell queues --> checkpoint --> release the log
//! ```
//!
//! Whatever is interrupted is begun anew at the next start: until the checkpoint is there, the log tells everything.
//! A checkpoint is taken while the log goes on: what it says may be later than the place from which the log is to be read, and
//! hearing of the same again changes nothing. It waits until everything that it has seen is durable in the log, so that it never
//! tells of one half of a transaction.

mod compaction;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::Broker;
use super::queue::{Leaving, LeavingSearch, Moved, MovedPart, QueueHandle};
use super::vhost::Vhost;
use crate::store::address::SegmentId;
use crate::store::checkpoint::{Checkpoint, Draft, Part};
use crate::store::disk::Disk;
use crate::store::failure::Remedy;
use crate::store::segments::{SegmentWriter, Segments};
use crate::store::seq::Seq;
use crate::store::{StoreError, StoredLog};

/// When the log has so many bytes, the older half is moved.
const WINDOW_BYTES: u64 = 32 * 1024 * 1024;
/// Messages that are taken from a queue under one lock.
const LOCKED_MESSAGES_MAX: usize = 4096;
/// Messages that are looked at under one lock.
const SCANNED_MESSAGES_MAX: usize = 65_536;

/// Moves messages of one broker.
#[derive(Debug)]
pub struct Pager {
    broker: Arc<Broker>,
    log: Arc<dyn StoredLog>,
    segments: Arc<Segments>,
    disk: Arc<dyn Disk>,
    /// What messages may take in memory.
    budget_bytes: u64,
    window_bytes: u64,
    locked_messages_max: usize,
    /// The last segment file that the last checkpoint can know.
    checkpointed: AtomicU32,
    /// Bytes that the queues took in the last checkpoint.
    checkpoint_bytes: AtomicUsize,
}

/// What was written of one queue.
struct QueueMoved {
    queue: Arc<QueueHandle>,
    fresh: Vec<MovedPart>,
    scattered: Vec<MovedPart>,
    /// Something that is to be written may have been missed.
    has_slipped: bool,
}

impl Pager {
    /// A pager, which does nothing before it is told to.
    pub fn new(
        broker: Arc<Broker>,
        log: Arc<dyn StoredLog>,
        segments: Arc<Segments>,
        disk: Arc<dyn Disk>,
        budget_bytes: u64,
    ) -> Self {
        let (window_bytes, locked_messages_max) = (WINDOW_BYTES, LOCKED_MESSAGES_MAX);
        let (checkpointed, checkpoint_bytes) = (AtomicU32::new(0), AtomicUsize::new(0));
        Self {
            broker,
            log,
            segments,
            disk,
            budget_bytes,
            window_bytes,
            locked_messages_max,
            checkpointed,
            checkpoint_bytes,
        }
    }

    /// With another window of the log, and other pieces in which messages are taken from queues.
    #[must_use]
    pub fn with_sizes(self, window_bytes: u64, locked_messages_max: usize) -> Self {
        Self { window_bytes, locked_messages_max, ..self }
    }

    /// Does what is to be done, until the log stops or fails. What could not be written because something is scarce, stays where
    /// it is, and is tried again.
    pub(crate) fn run(&self, pause: impl Fn()) {
        let mut has_waited = false;
        while self.log.wait_until_crowded(self.window_bytes) {
            match self.make_room().map_err(|error| (error.remedy(), error)) {
                Ok(()) => has_waited = false,
                // What it kept in files may be lost: nothing more is confirmed.
                Err((Remedy::Stop, error)) => return self.log.fail(error),
                Err((Remedy::Wait | Remedy::Refuse, error)) => {
                    if !has_waited {
                        tracing::warn!(%error, "messages stay in the log until they can be moved");
                    }
                    has_waited = true;
                    pause();
                }
            }
        }
    }

    /// One round: makes the log short and the memory free, as far as they are too much.
    ///
    /// # Errors
    /// When the file system fails; unless the store must stop, nothing is changed and the same can be tried again.
    pub fn make_room(&self) -> Result<(), StoreError> {
        let head = self.log.head();
        let limit = if self.log.is_low() {
            // Spare files first: they are space that needs no work.
            self.log.make_space()?;
            head
        } else if head - self.log.start() > self.window_bytes {
            self.limit_of_window(head)
        } else {
            self.log.start()
        };
        let result = self.relieve_up_to(limit);
        let used_bytes = self.broker.node().memory.bytes();
        // A little above what is used now, also if nothing could be moved: else each publish
        // would call this again.
        self.broker.node().pressure.relieved(self.budget_bytes.max(used_bytes + self.budget_bytes / 8));
        result
    }

    /// Until where the log is to be emptied. If most of it is in queues still, they grow, and what came last would be moved in the next
    /// round anyway: moved together it makes parts that are twice as long. If not, the later half will be consumed before it has to move.
    fn limit_of_window(&self, head: u64) -> u64 {
        let is_backlog = self.broker.node().memory.bytes() >= (head - self.log.start()) / 4 * 3;
        if is_backlog { head } else { self.log.cut_near(head - self.window_bytes / 2) }
    }

    fn relieve_up_to(&self, limit: u64) -> Result<(), StoreError> {
        let crowded = self.queues_to_empty();
        self.move_before(limit, &crowded)?;
        self.compact()?;
        self.checkpoint(limit, false)
    }

    /// Moves everything out of the log, and writes a checkpoint that says so.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn finish(&self) -> Result<(), StoreError> {
        self.log.sync_everything()?;
        let limit = self.log.head();
        self.move_before(limit, &BTreeSet::new())?;
        // What came meanwhile is read from the log.
        self.checkpoint(limit, true)
    }

    /// The queues whose messages are to leave the memory, because all together take too much of it: the largest first.
    fn queues_to_empty(&self) -> BTreeSet<u64> {
        let used_bytes = self.broker.node().memory.bytes();
        // A quarter below the budget, so that there is some time until the next round.
        let mut excess = used_bytes.saturating_sub(self.budget_bytes / 4 * 3);
        if used_bytes <= self.budget_bytes {
            return BTreeSet::new();
        }
        let mut by_bytes: Vec<_> = self.queues().map(|queue| (queue.pageable_bytes(), queue.id.0)).collect();
        by_bytes.sort_unstable_by(|one, other| other.cmp(one));
        let mut chosen = BTreeSet::new();
        for (bytes, id) in by_bytes {
            if excess == 0 || bytes == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes);
            chosen.insert(id);
        }
        chosen
    }

    /// Also those that are being deleted: their messages are in files until then.
    fn vhosts(&self) -> Vec<Arc<Vhost>> {
        // In this order: one that leaves meanwhile is found twice, and never missed.
        let mut vhosts = self.broker.vhosts();
        for leaving in self.broker.leaving.lock().iter() {
            if !vhosts.iter().any(|vhost| Arc::ptr_eq(vhost, leaving)) {
                vhosts.push(Arc::clone(leaving));
            }
        }
        vhosts
    }

    fn queues(&self) -> impl Iterator<Item = Arc<QueueHandle>> {
        self.vhosts().into_iter().flat_map(|vhost| vhost.queues())
    }

    /// Moves what is in the log before `limit`, and all fresh messages of some queues.
    fn move_before(&self, limit: u64, crowded: &BTreeSet<u64>) -> Result<(), StoreError> {
        // Before anything is looked for: from now on no message comes in whose body is before the limit.
        self.log.retire(limit);
        let mut has_moved = self.move_once(limit, crowded)?;
        // What went back to where a search had been already was not found by it.
        while has_moved {
            has_moved = self.move_once(limit, &BTreeSet::new())?;
        }
        Ok(())
    }

    /// Moves what is found; whether there was anything.
    fn move_once(&self, limit: u64, crowded: &BTreeSet<u64>) -> Result<bool, StoreError> {
        let mut writer = SegmentWriter::new(&self.segments);
        let written = self.write(&mut writer, limit, crowded);
        let (queues, delayed) = match written {
            Ok(written) => written,
            Err(error) => {
                // Queues were told of nothing, so nothing has changed.
                writer.abandon();
                return Err(error);
            }
        };
        let has_moved = !queues.is_empty() || !delayed.is_empty();
        for QueueMoved { queue, fresh, scattered, .. } in queues {
            self.segments.free(&queue.moved(fresh, &scattered));
        }
        for (vhost, parts) in delayed {
            self.segments.free(&vhost.delayed().moved(&parts));
        }
        // Behind the queues: a file of which everything is free already may go only when nobody will
        // be told of it any more.
        writer.finish();
        Ok(has_moved)
    }

    #[expect(clippy::type_complexity, reason = "what was written, of queues and of delayed messages")]
    fn write(
        &self,
        writer: &mut SegmentWriter<'_>,
        limit: u64,
        crowded: &BTreeSet<u64>,
    ) -> Result<(Vec<QueueMoved>, Vec<(Arc<Vhost>, Vec<MovedPart>)>), StoreError> {
        let mut queues = Vec::new();
        let mut delayed = Vec::new();
        for queue in self.queues() {
            let limit_of_fresh = if crowded.contains(&queue.id.0) { u64::MAX } else { limit };
            let moved = self.write_queue(writer, queue, limit, limit_of_fresh)?;
            if moved.has_slipped || !moved.fresh.is_empty() || !moved.scattered.is_empty() {
                queues.push(moved);
            }
        }
        for vhost in self.vhosts() {
            let parts = write_all(writer, &[vhost.delayed().leaving(limit)])?;
            if !parts.is_empty() {
                delayed.push((vhost, parts));
            }
        }
        writer.flush(true)?;
        Ok((queues, delayed))
    }

    fn write_queue(
        &self,
        writer: &mut SegmentWriter<'_>,
        queue: Arc<QueueHandle>,
        limit: u64,
        limit_of_fresh: u64,
    ) -> Result<QueueMoved, StoreError> {
        // Begun before the fresh messages are looked at: what is delivered in between is found by the search.
        let search = queue.search(limit);
        let mut fresh = Vec::new();
        for level in search.levels() {
            let Some(last) = last_fresh(&search, level, limit_of_fresh) else { continue };
            let mut parts = Parts::new(self.locked_messages_max.saturating_mul(4).min(LOCKED_MESSAGES_MAX));
            let (mut from, mut next) = (Seq::FIRST, None);
            loop {
                let leaving = search.fresh(level, from, last, self.locked_messages_max);
                let Some(end) = leaving.messages.last() else { break };
                from = end.label.seq.next();
                if leaving.messages.first().map(|first| first.label.seq) != next {
                    // What was delivered meanwhile will be written later, and belongs in between.
                    parts.end(writer);
                }
                next = leaving.next;
                parts.write(writer, &leaving.messages)?;
            }
            parts.end(writer);
            fresh.append(&mut parts.all);
        }
        // What was delivered meanwhile is among these, and must not be written twice.
        let (scattered, has_slipped) = search.scattered(&fresh);
        let scattered = write_all(writer, &scattered)?;
        Ok(QueueMoved { queue, fresh, scattered, has_slipped })
    }

    /// Writes a checkpoint from which the log is to be read from `start` on, and forgets what is needless then.
    fn checkpoint(&self, start: u64, is_clean: bool) -> Result<(), StoreError> {
        // Before the capture: what is taken out here is in no state that follows, and may
        // be removed at the end.
        let empty = self.segments.take_empty();
        let (draft, mut rest) = self.capture(is_clean);
        // What was captured may be half of a transaction. Its other half is appended by
        // whoever holds a guard now.
        self.log.wait_for_appends();
        self.log.sync_everything()?;
        rest.set_log(self.log.extent(start)?);
        draft.write(&rest, self.disk.as_ref())?;
        self.checkpointed.store(rest.last_segment, Ordering::Relaxed);
        self.log.trim(start)?;
        self.segments.remove(&empty)
    }

    fn checkpointed_segment(&self) -> SegmentId {
        SegmentId(self.checkpointed.load(Ordering::Relaxed))
    }

    /// What a checkpoint is to say: the queues, and the rest.
    fn capture(&self, is_clean: bool) -> (Draft, Checkpoint) {
        let metadata = self.broker.node().metadata.definitions();
        let mut definitions: Vec<_> = metadata.iter().map(|definition| definition.encode()).collect();
        // A little more than the last time, for a backlog that grows.
        let last_bytes = self.checkpoint_bytes.load(Ordering::Relaxed);
        let mut draft = Draft::with_capacity(last_bytes + last_bytes / 16);
        let is_free = |part: &Part| self.segments.is_free(part.segment, part.start, part.end);
        for vhost in self.vhosts() {
            definitions.extend(vhost.definitions().iter().map(|definition| definition.encode()));
            draft.push(&vhost.delayed().state());
        }
        for queue in self.queues() {
            if let Some(state) = queue.state(is_free) {
                draft.push(&state);
            }
        }
        let rest = Checkpoint {
            segment_files: self.segments.files(),
            is_clean,
            next_id: self.broker.node().ids.peek(),
            last_segment: self.segments.last_id(),
            definitions,
            ..Checkpoint::default()
        };
        self.segments.each_free(|freed| draft.push_free(freed));
        self.checkpoint_bytes.store(draft.queue_bytes(), Ordering::Relaxed);
        (draft, rest)
    }
}

/// The last fresh message of a level that is to leave: all before it go along, so that the order stays.
fn last_fresh(search: &LeavingSearch<'_>, level: u8, limit: u64) -> Option<Seq> {
    let mut last = None;
    let mut from = Seq::FIRST;
    loop {
        let scan = search.scan_fresh(level, from, limit, SCANNED_MESSAGES_MAX);
        last = scan.last.or(last);
        match scan.next {
            Some(next) => from = next,
            None => return last,
        }
    }
}

/// Writes each piece as a part of its own.
fn write_all(writer: &mut SegmentWriter<'_>, pieces: &[Vec<Leaving>]) -> Result<Vec<MovedPart>, StoreError> {
    let mut parts = Parts::new(usize::MAX);
    for piece in pieces {
        parts.write(writer, piece)?;
        parts.end(writer);
    }
    Ok(parts.all)
}

/// Parts in the order in which they are written: a new one for each level and file, and for so many messages that a queue takes them
/// over under one lock.
struct Parts {
    all: Vec<MovedPart>,
    /// The last one can become longer.
    is_open: bool,
    records_max: usize,
}

impl Parts {
    const fn new(records_max: usize) -> Self {
        Self { all: Vec::new(), is_open: false, records_max }
    }

    fn write(&mut self, writer: &mut SegmentWriter<'_>, leaving: &[Leaving]) -> Result<(), StoreError> {
        for Leaving { label, message } in leaving {
            if self.all.last().is_some_and(|part| part.records.len() >= self.records_max) {
                // What is free of one part never becomes one stretch with what is free of the next one: there is a gap.
                self.end(writer);
            }
            let written = writer.push(label, message)?;
            let record = Moved {
                seq: label.seq,
                offset: written.offset,
                bytes: written.bytes,
                body_bytes: u32::try_from(message.body_bytes()).unwrap_or(u32::MAX),
                expires_at_ms: label.expires_at_ms,
                is_stored: label.is_stored,
            };
            match self.all.last_mut().filter(|part| self.is_open && part.segment == written.segment) {
                Some(part) => part.records.push(record),
                None => {
                    let (level, segment) = (label.level, written.segment);
                    self.all.push(MovedPart { level, segment, records: vec![record] });
                    self.is_open = true;
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, writer: &mut SegmentWriter<'_>) {
        if std::mem::take(&mut self.is_open) {
            writer.end_part();
        }
    }
}
