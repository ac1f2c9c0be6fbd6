//! Delayed messages and the files they lie in: what the pager writes, what it rewrites, and what cannot be read there.

use super::{DelayedMessages, DueKey, Waiting, gone};
use crate::broker::queue::{CompactedRecord, Leaving, Moved, MovedPart, NewMessage};
use crate::broker::vhost::Vhost;
use crate::message::DeliveryCounts;
use crate::store::address::{Address, Place, SegmentId};
use crate::store::record::Freed;
use crate::store::segments::Label;

/// Messages that get another place under one lock, each of which is searched.
const MOVED_MAX: usize = 1024;

impl DelayedMessages {
    /// The messages that are in the log before `limit`, with all that came before one of them, in the order of arrival. A checkpoint
    /// knows only one place that divides what is in files from what the log tells of; two publishers may write their bodies in one
    /// order and come in the other.
    pub(in crate::broker) fn leaving(&self, limit: u64) -> Vec<Leaving> {
        let mut last = None;
        self.look_at_all(|(_, seq), held| {
            if held.address.is_in_log_before(limit) {
                last = last.max(Some(seq));
            }
        });
        let mut all = Vec::new();
        let Some(last) = last else { return all };
        self.look_at_all(|(due_ms, seq), held| {
            let is_leaving = seq <= last && held.address.is_in_log();
            let Some(NewMessage { message, failed, .. }) = held.new.as_ref().filter(|_| is_leaving) else { return };
            let (queue, origin) = (self.id.0, held.exchange.0);
            let (counts, is_stored) = (DeliveryCounts::failed(*failed), held.is_stored);
            let label = Label { queue, seq, expires_at_ms: due_ms, counts, origin, is_stored, ..Label::default() };
            all.push(Leaving { label, message: message.clone() });
        });
        all.sort_by_key(|leaving| leaving.label.seq);
        all
    }

    /// Takes over where messages were written; they stay in memory, too. What is not wanted any more is to be freed.
    pub(in crate::broker) fn moved(&self, parts: &[MovedPart]) -> Vec<Freed> {
        let mut freed = Vec::new();
        let records = parts.iter().flat_map(|part| part.records.chunks(MOVED_MAX).map(move |records| (part, records)));
        for (part, records) in records {
            let mut waiting = self.waiting.lock();
            for record in records {
                let Moved { seq, offset, bytes, .. } = *record;
                match waiting.by_due.get_mut(&(record.expires_at_ms, seq)) {
                    Some(held) => {
                        (held.address, held.bytes) = (Address::in_segment(part.segment, offset), bytes);
                    }
                    None => freed.push(part.freed(record)),
                }
            }
        }
        freed
    }

    /// The messages that lie in these files, and what they take there.
    pub(in crate::broker) fn singles_in(&self, segments: &[SegmentId]) -> Vec<(DueKey, Address, u32)> {
        let mut singles = Vec::new();
        self.look_at_all(|key, held| {
            if matches!(held.address.place(), Place::Segment(id, _) if segments.contains(&id)) {
                singles.push((key, held.address, held.bytes));
            }
        });
        singles
    }

    /// Forgets messages that cannot be read where they lie: their files go, and a place in one that is gone would refuse the next start.
    pub(in crate::broker) fn lost(&self, vhost: &Vhost, messages: &[(DueKey, Address)]) {
        for messages in messages.chunks(MOVED_MAX) {
            let mut waiting = self.waiting.lock();
            let Waiting { by_due, journal, .. } = &mut *waiting;
            let mut count = 0;
            for (key, address) in messages {
                // Whoever was to deliver it meanwhile has found out, and counted it.
                if by_due.get(key).is_some_and(|held| held.address == *address)
                    && let Some(held) = by_due.remove(key)
                {
                    gone(journal, key.1, &held);
                    count += 1;
                }
            }
            self.record(&mut waiting);
            drop(waiting);
            self.node.registry.count_unreadable(&vhost.name, count);
        }
    }

    /// Takes over the new places of messages whose files were rewritten. What is not wanted any more is to be freed.
    pub(in crate::broker) fn compacted(&self, records: &[(Address, CompactedRecord)]) -> Vec<Freed> {
        let mut freed = Vec::new();
        for records in records.chunks(MOVED_MAX) {
            let mut waiting = self.waiting.lock();
            for (old, record) in records {
                match waiting.by_due.get_mut(&(record.expires_at_ms, record.seq)) {
                    Some(held) if held.address == *old => held.address = record.address(),
                    _ => freed.push(record.freed()),
                }
            }
        }
        freed
    }
}
