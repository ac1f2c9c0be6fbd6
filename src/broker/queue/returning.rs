//! Messages on their way back to their places: returned by their client, or left by a channel or a consumer.
//!
//! However many they are, one transition puts back some of them, and others use the queue in between. Until the last one is in its
//! place nothing is delivered, dropped, dead-lettered or made the active consumer, so that nobody sees the difference: whoever waits for
//! the queue's messages finds all of them. Who needs an answer meanwhile (`basic.get`, a purge) goes on with the returns first.
//!
//! ```text
//!               take_back: few                         the last one
//!   (none) ---------------------------> (none)   +------------------> (none): trim, promote, pump
//!     \----- take_back: more than a step --> Returning <---+ go_on_returning, take_back
//! ```
//!
//! A message stays unacknowledged until its turn comes: no client can settle it any more, and each is in one place.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::Queue;
use super::arguments::QueueKind;
use super::entry::{Entry, State};
use super::settling::Return;
use super::unacked::{HolderId, UnackedTable};
use crate::broker::ids::ConsumerId;
use crate::broker::profile::Counted;
use crate::broker::sink::Token;

/// Messages that are put back in one transition.
pub(super) const RETURNS_MAX: u16 = 1024;

/// The returns that are under way, in the order in which they began. There are none most of the time.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a queue at rest has room for a pointer, not for a deque")]
pub(super) struct Returning(Option<Box<VecDeque<Job>>>);

impl Returning {
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    fn push(&mut self, job: Job) {
        self.0.get_or_insert_default().push_back(job);
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.0.as_mut()?.pop_front();
        // So `is_none` answers for all jobs, with one look at a pointer.
        self.0.take_if(|jobs| jobs.is_empty());
        job
    }

    /// Takes back the one that was not done yet.
    fn push_front(&mut self, job: Job) {
        self.0.get_or_insert_default().push_front(job);
    }
}

/// What comes back for one reason.
#[derive(Debug)]
pub(super) struct Job {
    cause: Return,
    now_ms: u64,
    left: Left,
}

/// What of it is not back.
#[derive(Debug)]
enum Left {
    Tokens(std::vec::IntoIter<Token>),
    /// All that these hold: their first deliveries, and the last one that belongs to it. A place may be somebody else's by then.
    OfHolders(BinaryHeap<Reverse<(u64, HolderId)>>, u64),
}

impl Left {
    /// The next message, in the order of delivery, and the consumer that held it. `None` at the end; `Some(None)` for one that the
    /// queue took back before.
    fn next(&mut self, table: &mut UnackedTable) -> Option<Option<(Entry, Option<ConsumerId>)>> {
        match self {
            Self::Tokens(tokens) => {
                let removed = table.remove(tokens.next()?);
                Some(removed.map(|(unacked, consumer)| (unacked.entry, consumer)))
            }
            Self::OfHolders(holders, last) => {
                // The holder with the earliest delivery comes first, so that messages of several consumers come
                // back in the order in which they went out.
                let id = loop {
                    let Reverse((expected, id)) = holders.pop()?;
                    // Later deliveries than `last` belong to whoever got the place in the
                    // table after this job began.
                    match table.first_of(id).filter(|first| first <= last) {
                        Some(first) if first == expected => break id,
                        // Another return, or its client, had it meanwhile.
                        Some(first) => holders.push(Reverse((first, id))),
                        // Everything of this holder is back.
                        None => {}
                    }
                };
                let unacked = table.pop(id);
                holders.extend(table.first_of(id).map(|next| Reverse((next, id))));
                Some(unacked.map(|unacked| (unacked.entry, None)))
            }
        }
    }
}

impl Queue {
    /// Whether messages are on their way back.
    pub(crate) const fn is_returning(&self) -> bool {
        !self.order.returning.is_none()
    }

    /// Puts messages back; tokens that the queue took back before are ignored. [`Queue::pump`] must follow. While
    /// [`Queue::is_returning`], there must be more transitions with [`Queue::go_on_returning`]; the timer calls it at the latest.
    pub(crate) fn requeue(&mut self, tokens: Vec<Token>, cause: Return, now_ms: u64) {
        self.take_back(Job { cause, now_ms, left: Left::Tokens(tokens.into_iter()) });
    }

    /// Puts back all that these hold, which are no consumers any more. As for [`Queue::requeue`].
    pub(super) fn take_back_from(&mut self, holders: Vec<HolderId>, cause: Return, now_ms: u64) {
        // Looked at now, so that the job needs no list of its messages: there may be a million.
        let first = |id: HolderId| Some(Reverse((self.order.unacked.first_of(id)?, id)));
        let left = Left::OfHolders(holders.into_iter().filter_map(first).collect(), self.order.deliveries());
        self.take_back(Job { cause, now_ms, left });
    }

    fn take_back(&mut self, mut job: Job) {
        self.turn.owe_pump();
        // Behind the jobs that began before: messages return in the order in which they were given back.
        if self.is_returning() || !self.put_back(&mut job) {
            self.order.returning.push(job);
        } else {
            self.all_returned();
        }
    }

    /// Puts some more of them back. [`Queue::pump`] must follow.
    pub(crate) fn go_on_returning(&mut self) {
        self.turn.owe_pump();
        while let Some(mut job) = self.order.returning.pop() {
            if !self.put_back(&mut job) {
                return self.order.returning.push_front(job);
            }
            // The last job has ended. What several of them brought back is one return for everybody else.
            if !self.is_returning() {
                self.all_returned();
            }
        }
    }

    /// Everything is in its place.
    fn all_returned(&mut self) {
        if self.arguments.kind.rules().trims_what_returns {
            // What is too much goes before anybody can be given it (behaviour reference 6.1).
            self.trim();
        }
        self.promote();
    }

    /// Puts back what this transition still may; false if that is not all.
    fn put_back(&mut self, job: &mut Job) -> bool {
        let mut entries = Vec::new();
        let mut is_done = false;
        while self.turn.may_put_back() {
            // One at a time, and not a list of all: the budget may end in the middle.
            let Some(next) = job.left.next(&mut self.order.unacked) else {
                is_done = true;
                break;
            };
            // Counted also if the message is gone: a client may name a million tokens that
            // were taken back before.
            self.turn.count_return();
            let Some((mut entry, consumer)) = next else { continue };
            // The walk of the pager visits what is unacknowledged last. One that goes back now may
            // not be visited any more.
            self.backing.meet(&mut entry, State::Waiting);
            self.release(consumer);
            // Classic queues sort all of a step in one go; in quorum queues the order of return is the order of
            // delivery, so each goes to its place at once.
            match self.arguments.kind {
                QueueKind::Classic => entries.push(self.returned_to_classic(entry, job.cause)),
                QueueKind::Quorum => self.return_to_quorum(entry, job.cause, job.now_ms),
            }
        }
        // Also after a part of them: each has its number, and the next step sorts its own in between.
        self.order.ready.requeue(entries);
        is_done
    }

    fn returned_to_classic(&mut self, mut entry: Entry, cause: Return) -> Entry {
        if cause.is_failure() {
            entry.counts.failed = entry.counts.failed.saturating_add(1);
            // Nobody but the next queue asks for the number. While there is none, it need not outlive a restart.
            if self.arguments.dead_letters.is_some() {
                self.backing.note_counts(&entry, entry.counts);
            }
        }
        entry
    }

    fn return_to_quorum(&mut self, mut entry: Entry, cause: Return, now_ms: u64) {
        let counts_all = self.arguments.counted == Counted::Returns;
        let is_counted = counts_all || cause.is_failure();
        entry.counts.acquired = entry.counts.acquired.saturating_add(1);
        entry.counts.failed = entry.counts.failed.saturating_add(u32::from(is_counted));
        // Before it is known whether it dies of this: the log must have the number even if the dead
        // letter comes much later.
        self.backing.note_counts(&entry, entry.counts);
        self.take_back_quorum(entry, cause, now_ms);
    }

    /// Nobody takes over from the active consumer while messages come back.
    pub(super) fn promote(&mut self) {
        if !self.is_returning() {
            self.service.consumers.promote();
        }
    }
}
