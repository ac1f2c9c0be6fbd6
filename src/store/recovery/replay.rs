//! Applies what the log says to what the checkpoint says. Everything that a checkpoint may have seen already changes nothing
//! when it is applied again, because a checkpoint is taken while the log goes on.
//!
//! Messages may have been moved to segment files, and settled there, without a checkpoint that tells of the move: the log knows
//! them by their places in these files then, which say which messages they are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::RecoveredQueue;
use super::finding::{Effect, Finding};
use super::known::Known;
use super::reader::Group;
use crate::message::{Chunk, DeliveryCounts, MemoryGauge, Message};
use crate::store::address::{Address, Place, SegmentId};
use crate::store::checkpoint::{Checkpoint, QueueState};
use crate::store::record::{Enqueued, Freed, Record, encode_settled, records};
use crate::store::run::Run;
use crate::store::segments::{Segments, Stored};
use crate::store::seq::{Seq, SeqRange};
use crate::store::wal::{KIND_CHUNK, KIND_RECORDS};
use crate::store::{StoreError, TransactionId};

/// What is known of a queue so far.
#[derive(Debug, Default)]
struct Queue {
    state: QueueState,
    /// Ascending places; `None` for what is settled.
    in_log: VecDeque<(Seq, Option<(Enqueued, Message)>)>,
    /// Settled, perhaps before the transaction that added them was committed: first and last.
    settled_early: BTreeMap<Seq, Seq>,
    /// Messages that the log has and that are settled, as only a segment file tells that the checkpoint does not know.
    settled_in_files: BTreeSet<Seq>,
    /// [`QueueState::counts`].
    counts: HashMap<Seq, DeliveryCounts>,
}

/// A record of a transaction that is not committed yet.
#[derive(Debug)]
enum Uncommitted {
    Enqueued(u64, Vec<Enqueued>),
    Settled(u64, Vec<SeqRange>),
    Freed(Vec<Freed>),
}

/// The state that grows.
#[derive(Debug, Default)]
pub(super) struct Replay {
    queues: HashMap<u64, Queue>,
    /// What queues refer to.
    known: Known,
    chunks: BTreeMap<u64, Arc<Chunk>>,
    transactions: HashMap<TransactionId, Vec<Uncommitted>>,
    definitions: Vec<Vec<u8>>,
    /// What lies before in the log is settled, or in segment files.
    start: u64,
    /// The last segment file that the checkpoint can know.
    last_segment: SegmentId,
    /// The run that wrote the checkpoint, and those that wrote the log since.
    runs: Vec<Run>,
    /// Segment files that cannot be read as they must.
    faults: Vec<StoreError>,
    /// Records of messages that were acknowledged and cannot be read.
    returned: Vec<Finding>,
    /// Everything that was settled is remembered, because messages may be found in segment files.
    remembers_settled: bool,
    /// Something in the group that was applied last made no sense.
    is_senseless: bool,
}

impl Replay {
    pub(super) fn new(states: Vec<QueueState>, checkpoint: &Checkpoint) -> Self {
        let last_segment = SegmentId(checkpoint.last_segment);
        let runs = vec![checkpoint.run];
        let mut replay = Self { start: checkpoint.start, last_segment, runs, ..Self::default() };
        for mut state in states {
            for part in &state.parts {
                replay.known.add_part(part);
            }
            for single in &state.singles {
                if let Place::Segment(id, start) = single.address.place() {
                    replay.known.add(id, start, start.saturating_add(single.bytes));
                }
            }
            let counts = std::mem::take(&mut state.counts).into_iter().collect();
            replay.queues.insert(state.queue, Queue { state, counts, ..Queue::default() });
        }
        replay
    }

    /// What queues refer to.
    pub(super) const fn known(&self) -> &Known {
        &self.known
    }

    /// Since this was asked last: the segment files that could not be read as they must, and what lets acknowledged messages return.
    pub(super) fn take_faults(&mut self) -> (Vec<StoreError>, Vec<Finding>) {
        (std::mem::take(&mut self.faults), std::mem::take(&mut self.returned))
    }

    /// Remembers everything that is settled from now on.
    pub(super) const fn remember_settled(&mut self) {
        self.remembers_settled = true;
    }

    /// Whether the log tells of this message: that it is there, or that it is gone.
    pub(super) fn knows_message(&self, queue: u64, seq: Seq) -> bool {
        let knows = |queue: &Queue| queue.was_settled_early(seq) || queue.has_in_log(seq);
        self.queues.get(&queue).is_some_and(knows)
    }

    /// Whether something refers to a record of this length at this place, or did before it was settled.
    pub(super) fn knows_place(&self, address: Address, bytes: u32) -> bool {
        let Place::Segment(segment, start) = address.place() else { return false };
        self.known.knows(&Freed { segment, start, end: start.saturating_add(bytes), stored: 0, body_bytes: 0 })
    }

    /// Adds what was found of a queue in segment files.
    pub(super) fn add_found(&mut self, found: QueueState) {
        for part in &found.parts {
            self.known.add_part(part);
        }
        let state = &mut self.queue(found.queue).state;
        state.next_seq = state.next_seq.max(found.next_seq);
        state.parts.extend(found.parts);
        for (level, below) in found.delivered.as_slice() {
            state.delivered.raise(*level, *below);
        }
    }

    /// Above the identities of all queues that are told of.
    pub(super) fn next_id(&self) -> u64 {
        self.queues.keys().max().map_or(1, |last| last.saturating_add(1))
    }

    /// Applies a group, and tells whether all of it made sense; what did not is left out: it was written by something else, or
    /// refers to what cannot be read.
    ///
    /// # Errors
    /// When a segment file cannot be read.
    pub(super) fn group(
        &mut self,
        group: Group,
        gauge: &Arc<MemoryGauge>,
        segments: &Segments,
    ) -> Result<bool, StoreError> {
        self.is_senseless = false;
        if self.runs.last() != Some(&group.run) {
            self.runs.push(group.run);
        }
        match group.kind {
            KIND_CHUNK => {
                self.chunks.insert(group.position, Chunk::replayed(group.payload, group.position, gauge));
            }
            KIND_RECORDS => {
                for record in records(&group.payload) {
                    match record {
                        Some(record) => self.record(record, segments)?,
                        None => self.is_senseless = true,
                    }
                }
            }
            _ => self.is_senseless = true,
        }
        Ok(!self.is_senseless)
    }

    /// # Errors
    /// When a segment file cannot be read.
    fn record(&mut self, record: Record<'_>, segments: &Segments) -> Result<(), StoreError> {
        match record {
            Record::Enqueued { queue, transaction: TransactionId::NONE, messages } => self.enqueued(queue, messages),
            Record::Settled { queue, transaction: TransactionId::NONE, ranges } => self.settled(queue, &ranges),
            Record::Freed { transaction: TransactionId::NONE, freed } => self.freed(&freed, segments)?,
            Record::Enqueued { queue, transaction, messages } => {
                // Also if it is never committed: other records may tell of these places, and must not be taken for news of others.
                self.reach(queue, &messages);
                self.hold(transaction, Uncommitted::Enqueued(queue, messages));
            }
            Record::Settled { queue, transaction, ranges } => {
                self.hold(transaction, Uncommitted::Settled(queue, ranges))
            }
            Record::Freed { transaction, freed } => self.hold(transaction, Uncommitted::Freed(freed)),
            Record::Counted { queue, seq, counts } => self.queue(queue).counted(seq, counts),
            Record::Delivered { queue, level, below } => {
                self.queue(queue).state.delivered.raise(level, below);
            }
            Record::Committed { transaction } => {
                // In the order of their records, and only now: until here these did not count.
                for held in self.transactions.remove(&transaction).unwrap_or_default() {
                    match held {
                        Uncommitted::Enqueued(queue, messages) => self.enqueued(queue, messages),
                        Uncommitted::Settled(queue, ranges) => self.settled(queue, &ranges),
                        Uncommitted::Freed(freed) => self.freed(&freed, segments)?,
                    }
                }
            }
            Record::Definition(bytes) => self.definitions.push(bytes.to_vec()),
        }
        Ok(())
    }

    fn hold(&mut self, transaction: TransactionId, held: Uncommitted) {
        self.transactions.entry(transaction).or_default().push(held);
    }

    fn queue(&mut self, queue: u64) -> &mut Queue {
        let new = || Queue { state: QueueState { queue, ..QueueState::default() }, ..Queue::default() };
        self.queues.entry(queue).or_insert_with(new)
    }

    /// The places of these messages are not given to others.
    fn reach(&mut self, queue: u64, messages: &[Enqueued]) {
        let state = &mut self.queue(queue).state;
        let behind = messages.iter().map(|enqueued| enqueued.seq.next()).max();
        state.next_seq = state.next_seq.max(behind.unwrap_or_default());
    }

    fn enqueued(&mut self, queue: u64, messages: Vec<Enqueued>) {
        self.reach(queue, &messages);
        let mut chunk: Option<Arc<Chunk>> = None;
        for enqueued in messages {
            let target = self.queue(queue);
            // A checkpoint knows it in a file, or its end stands before its commit.
            if target.has_moved(&enqueued) || target.was_settled_early(enqueued.seq) {
                continue;
            }
            let place = enqueued.address.place();
            let Place::Log(position) = place else {
                self.is_senseless = true;
                continue;
            };
            if position < self.start {
                // Its body was written just before the place where the log was cut off.
                continue;
            }
            let in_last = chunk.as_ref().and_then(|chunk| Message::in_log(chunk, position));
            match in_last.or_else(|| self.find(position, &mut chunk)) {
                Some(message) => self.queue(queue).add(enqueued, message),
                None => self.is_senseless = true,
            }
        }
    }

    /// The message at this position, and the chunk that it is in.
    fn find(&self, position: u64, chunk: &mut Option<Arc<Chunk>>) -> Option<Message> {
        let (_, found) = self.chunks.range(..=position).next_back()?;
        let message = Message::in_log(found, position)?;
        *chunk = Some(Arc::clone(found));
        Some(message)
    }

    fn settled(&mut self, queue: u64, ranges: &[SeqRange]) {
        let (has_open, remembers) = (!self.transactions.is_empty(), self.remembers_settled);
        let queue = self.queue(queue);
        for &range in ranges {
            // While no transaction is open, nothing that is told as settled can still be to come.
            queue.settle(range, has_open);
            while let Some(&recorded) = queue.settled_in_files.range(range.first..=range.last).next() {
                queue.settled_in_files.remove(&recorded);
            }
            if remembers {
                queue.remember_settled(range);
            }
        }
    }

    fn freed(&mut self, freed: &[Freed], segments: &Segments) -> Result<(), StoreError> {
        for freed in freed {
            let known = self.known.pieces(freed, segments);
            if !known.is_empty() {
                segments.free(&known);
            } else if freed.segment > self.last_segment {
                match self.labels(freed, segments) {
                    Ok(records) => records.iter().for_each(|record| self.settled_in_file(record, segments)),
                    Err(error) if error.is_damage() => self.faults.push(error),
                    Err(error) => return Err(error),
                }
            }
            // Else the checkpoint has seen that the message is gone: it was taken after the file was made. If a later run took it, the
            // log says so as well, in a record of the start that read the file ([`Self::records_of_files`]).
        }
        Ok(())
    }

    /// The records in a stretch of a file that was made after the checkpoint. It goes only after the next one, so it must be there.
    fn labels(&mut self, freed: &Freed, segments: &Segments) -> Result<Vec<Stored>, StoreError> {
        let file = || segments.describe(freed.segment);
        if segments.open_checked(freed.segment, |run| self.runs.contains(&run))?.is_none() {
            return Err(StoreError::Missing { file: file(), why: "although the log tells of it".to_owned() });
        }
        let block = segments.labels(freed)?;
        if block.next != freed.end {
            let what = "there are no messages where the log tells of some".to_owned();
            return Err(StoreError::Corrupt { file: file(), offset: u64::from(block.next), what });
        }
        for damaged in block.damaged {
            // The log has them as well.
            let what = format!("{} bytes are no messages", damaged.end - damaged.start);
            let offset = u64::from(damaged.start);
            self.returned.push(Finding::damaged(file(), offset, what, Effect::AcknowledgedReturn));
        }
        Ok(block.records)
    }

    fn settled_in_file(&mut self, record: &Stored, segments: &Segments) {
        let seq = record.label.seq;
        let (has_open, queue) = (!self.transactions.is_empty(), self.queue(record.label.queue));
        // If the log has it, a later start must hear of its end in another way than by this file.
        let is_in_log = has_open || queue.has_in_log(seq);
        self.settled(record.label.queue, &[SeqRange::one(seq)]);
        if is_in_log {
            self.queue(record.label.queue).settled_in_files.insert(seq);
        }
        self.freed_before(record, segments);
    }

    /// The records of what only segment files told. Nothing refers to these files any more, so they go with the next checkpoint; the log
    /// that has the messages can stay longer, and whoever reads it then must hear that they are gone.
    pub(super) fn records_of_files(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for (&id, queue) in self.queues.iter().filter(|(_, queue)| !queue.settled_in_files.is_empty()) {
            let mut ranges = Vec::new();
            for &seq in &queue.settled_in_files {
                SeqRange::add_to(&mut ranges, seq);
            }
            encode_settled(id, TransactionId::NONE, &ranges, &mut records);
        }
        records
    }

    /// A message that was settled in a file that was rewritten into one that no checkpoint names yet: frees it where the last
    /// checkpoint has it.
    fn freed_before(&self, record: &Stored, segments: &Segments) {
        let Place::Segment(segment, start) = record.label.moved_from.place() else { return };
        let is_stored = record.label.is_stored;
        let body_bytes = if is_stored { record.message.body_bytes() as u64 } else { 0 };
        let (end, stored) = (start.saturating_add(record.bytes), u32::from(is_stored));
        let freed = Freed { segment, start, end, stored, body_bytes };
        if self.known.knows(&freed) {
            segments.free(&[freed]);
        }
    }

    /// The definitions in their order, and the queues. What may have been delivered is marked so.
    pub(super) fn finish(self, mut definitions: Vec<Vec<u8>>) -> (Vec<Vec<u8>>, HashMap<u64, RecoveredQueue>) {
        definitions.extend(self.definitions);
        let recovered = |(id, queue): (u64, Queue)| (id, queue.finish());
        (definitions, self.queues.into_iter().map(recovered).collect())
    }
}

impl Queue {
    fn has_moved(&self, enqueued: &Enqueued) -> bool {
        enqueued.seq < self.state.moved.below(enqueued.level)
    }

    /// Places ascend but for transactions, which count from their commit on.
    fn add(&mut self, mut enqueued: Enqueued, message: Message) {
        let seq = enqueued.seq;
        if let Some(counts) = self.counts.remove(&seq) {
            // It came back before its transaction was committed.
            enqueued.counts = counts;
        }
        let slot = (seq, Some((enqueued, message)));
        if self.in_log.back().is_none_or(|(last, _)| *last < seq) {
            self.in_log.push_back(slot);
            return;
        }
        let at = self.in_log.partition_point(|(other, _)| *other < seq);
        match self.in_log.get_mut(at) {
            // Read twice, as when a checkpoint was taken meanwhile.
            Some(same) if same.0 == seq => {}
            _ => self.in_log.insert(at, slot),
        }
    }

    fn has_in_log(&self, seq: Seq) -> bool {
        self.in_log.binary_search_by_key(&seq, |(other, _)| *other).is_ok()
    }

    fn was_settled_early(&self, seq: Seq) -> bool {
        self.settled_early.range(..=seq).next_back().is_some_and(|(_, last)| seq <= *last)
    }

    fn settle(&mut self, range: SeqRange, may_be_early: bool) {
        let SeqRange { first, last } = range;
        let mut at = self.in_log.partition_point(|(seq, _)| *seq < first);
        let mut found = 0;
        while let Some((_, slot)) = self.in_log.get_mut(at).filter(|(seq, _)| *seq <= last) {
            *slot = None;
            found += 1;
            at += 1;
        }
        // Fewer than the range has: some may be added by a commit that comes later.
        if may_be_early && found <= range.len_but_one() {
            self.remember_settled(range);
        }
        while self.in_log.front().is_some_and(|(_, slot)| slot.is_none()) {
            self.in_log.pop_front();
        }
    }

    fn remember_settled(&mut self, SeqRange { first, last }: SeqRange) {
        let early = self.settled_early.entry(first).or_insert(last);
        *early = last.max(*early);
    }

    fn counted(&mut self, seq: Seq, counts: DeliveryCounts) {
        let at = self.in_log.partition_point(|(other, _)| *other < seq);
        match self.in_log.get_mut(at) {
            Some((other, Some((enqueued, _)))) if *other == seq => enqueued.counts = counts,
            _ => {
                self.counts.insert(seq, counts);
            }
        }
    }

    fn finish(self) -> RecoveredQueue {
        let marks = &self.state.delivered;
        let mut in_log: Vec<_> = self.in_log.into_iter().filter_map(|(_, slot)| slot).collect();
        for (enqueued, _) in &mut in_log {
            // It may have been with a client when the broker was killed; which of them were is
            // not recorded one by one.
            enqueued.redelivered |= enqueued.seq < marks.below(enqueued.level);
        }
        let state = QueueState { counts: self.counts.into_iter().collect(), ..self.state };
        RecoveredQueue { state, in_log, is_salvaged: false }
    }
}
