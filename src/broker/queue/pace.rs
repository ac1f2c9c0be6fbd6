//! Publishers that wait for the consumers of a queue.
//!
//! A publisher is served faster than a consumer, so that without more ado every message would wait in a long queue and be fetched
//! from memory that no cache holds. Therefore: while the connection of some consumer has work with what it was handed, whoever makes the
//! queue longer than its [`Lead`] joins a line, and its connection reads nothing more until twice as much has left the queue
//! as it brought, or the queue is short again. So a queue that is too long gets shorter, and nobody in the line waits for what
//! others bring after it.
//!
//! Nobody waits for a client: soon after no consumer's connection has anything more to write, or their sockets take nothing more
//! (`connection/patience` says how soon), the whole line goes on. Whether that is so does not depend on what is read from any client,
//! so that clients which forward from queue to queue cannot make each other wait for ever.
//!
//! Pure: `W` is whoever waits.

mod lead;

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use lead::{Lead, TakenMeanwhile};

use super::Queue;
use super::consumers::DELIVERY_OVERHEAD_BYTES;
use super::ready::Ready;
use crate::broker::publisher::PublisherWaits;

/// So many times what a publisher brought must leave before it goes on.
const LEAVING_FACTOR: u64 = 2;

/// The line of one queue. It takes no memory until somebody has to wait.
#[derive(Debug)]
pub(super) struct Pace<W> {
    line: Option<Box<Line<W>>>,
    /// How long the queue may be before its publishers wait.
    lead: Lead,
    /// When the queue was changed last.
    now_ms: u64,
}

#[derive(Debug)]
struct Line<W> {
    waiting: VecDeque<Waiting<W>>,
    /// Bytes that have left the queue since the line was empty.
    left: u64,
    /// So much must have left before the last one in the line goes on.
    claimed: u64,
    /// Up to when the lead was measured. While nobody waits it is the publishers that are slow, which tells nothing of the consumers.
    noted_ms: u64,
}

#[derive(Debug)]
struct Waiting<W> {
    who: W,
    /// What it brought.
    bytes: u64,
    /// It goes on when so much has left.
    due: u64,
}

impl<W> Default for Pace<W> {
    fn default() -> Self {
        Self { line: None, lead: Lead::default(), now_ms: 0 }
    }
}

impl<W> Pace<W> {
    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.line.is_none()
    }

    /// Tells what time it is, before what happens then.
    #[inline]
    pub(super) const fn note_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// Makes somebody wait who has made a queue of one level longer, if it is too long now and a consumer is served. If it is the
    /// last one in the line already, it waits for more there. Whether it has one place more.
    pub(super) fn wait_if_ahead(&mut self, who: &W, levels: (u64, u64), is_served: impl FnOnce() -> bool) -> bool
    where
        W: Clone + PartialEq,
    {
        let (before, now) = levels;
        // The question about the consumer is last: it takes the lock of an outbox.
        if now <= self.lead.bytes() || now <= before || !is_served() {
            return false;
        }
        // The length may be less than what was published, if consumers took some: only what is
        // left is to be waited for.
        let bytes = now - before;
        let line = self.line.get_or_insert_with(|| {
            Box::new(Line { waiting: VecDeque::new(), left: 0, claimed: 0, noted_ms: self.now_ms })
        });
        // Counted from what is claimed by those in front of it: each waits for what it brought itself and for
        // them, and for nothing that comes later. If more has left than was claimed, from that.
        line.claimed = line.claimed.max(line.left) + LEAVING_FACTOR * bytes;
        // Only the last one: to move others back would let a publisher lose the place that it has.
        if let Some(last) = line.waiting.back_mut().filter(|last| last.who == *who) {
            last.bytes += bytes;
            last.due = line.claimed;
            return false;
        }
        line.waiting.push_back(Waiting { who: who.clone(), bytes, due: line.claimed });
        true
    }

    /// Takes out of the line who goes on, after so many bytes have left a queue that has `level` now; all of them if no consumer is
    /// served.
    pub(super) fn go_on(&mut self, left: u64, level: u64, is_served: bool, goes_on: &mut impl Extend<W>) {
        let Some(line) = &mut self.line else { return };
        line.left += left;
        self.lead.note(TakenMeanwhile { bytes: left, within_ms: self.now_ms.saturating_sub(line.noted_ms) });
        line.noted_ms = self.now_ms;
        let ahead_bytes = self.lead.bytes();
        // What those who go on may bring at once.
        let mut expected = level;
        while let Some(first) = line.waiting.front() {
            expected += first.bytes;
            // Without a consumer that is served nobody waits: all go on, one after the other in this loop.
            if is_served && first.due > line.left && expected > ahead_bytes.max(first.bytes) {
                break;
            }
            goes_on.extend(line.waiting.pop_front().map(|first| first.who));
        }
        if line.waiting.is_empty() {
            // Also forgets how much left: the next line counts from nothing, so the sums stay small.
            self.line = None;
        }
    }
}

impl Queue {
    /// How long the queue is: what its ready messages come to when they are handed out.
    pub(crate) fn level(&self) -> u64 {
        level(&self.order.ready)
    }

    /// Makes a publisher wait that has just published, if the queue had this level before and is too long now. The messages were
    /// offered to the consumers already.
    pub(crate) fn wait_if_ahead(&mut self, publisher: &Arc<PublisherWaits>, level_before: u64) {
        let levels = (level_before, self.level());
        self.service.wait_if_ahead(publisher, levels);
    }

    /// Who goes on after a transition before which the queue had this level.
    pub(super) fn go_on(&mut self, level_before: u64) -> SmallVec<[Arc<PublisherWaits>; 1]> {
        let Self { order, service, .. } = self;
        service.go_on(level_before, || level(&order.ready))
    }
}

/// How long a queue is: what its ready messages come to when they are handed out.
fn level(ready: &Ready) -> u64 {
    ready.bytes() + ready.len() as u64 * DELIVERY_OVERHEAD_BYTES as u64
}

#[cfg(test)]
mod tests;
