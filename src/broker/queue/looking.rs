//! A look at messages that changes nothing: which there are at some place, and where their bytes are.
//!
//! The look itself is short, whatever the place: what is known one by one is passed over in pieces, and a part of a file is named and
//! not read. Who looks reads it later, when the queue is not locked (`handle/looking.rs`).

use super::Queue;
use super::entry::Entry;
use super::ready::Level;
use super::unacked::Unacked;
use crate::broker::ids::{ChannelId, ConsumerId};
use crate::message::DeliveryCounts;
use crate::message::Message;
use crate::store::address::Place;
use crate::store::loader::Load;
use crate::store::seq::Seq;

/// Where a message is in the life that `queue.rs` draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// To be delivered.
    Ready,
    /// Delivered, and not settled.
    Unacked,
    /// Returned, and held back.
    Delayed,
    /// A dead letter that no queue has taken yet.
    Dead,
}

/// A message as somebody sees it who looks.
#[derive(Clone, Debug)]
pub struct SeenMessage {
    /// Its place among those of its state, from 0.
    pub position: usize,
    /// Its name within the queue: never used again.
    pub id: u64,
    /// What the message itself is; `None` when it cannot be read.
    pub message: Option<Message>,
    /// Its bytes are in a file only.
    pub(crate) is_on_disk: bool,
    /// It survives a restart.
    pub(crate) is_stored: bool,
    /// It was delivered before, or may have been.
    pub(crate) redelivered: bool,
    pub(crate) counts: DeliveryCounts,
    /// Its priority level.
    pub(crate) priority: u8,
    pub(crate) expires_at_ms: Option<u64>,
    /// When it is delivered again, if it is held back.
    pub(crate) due_at_ms: Option<u64>,
    /// Who holds it: the channel, and the consumer if it was one.
    pub(crate) holder: Option<(ChannelId, Option<ConsumerId>)>,
    /// Its place among all deliveries of the queue, if it is delivered.
    pub(crate) delivery: Option<u64>,
}

impl SeenMessage {
    fn of(entry: &Entry, position: usize) -> Self {
        Self {
            position,
            id: entry.seq.0,
            message: entry.message().cloned(),
            is_on_disk: entry.is_on_disk(),
            is_stored: entry.is_stored,
            redelivered: entry.redelivered,
            counts: entry.counts,
            priority: entry.priority,
            expires_at_ms: Some(entry.expires_at_ms).filter(|at_ms| *at_ms != u64::MAX),
            due_at_ms: None,
            holder: None,
            delivery: None,
        }
    }
}

/// Messages that are not read yet: those of a part of a file.
#[derive(Clone, Debug)]
pub(super) struct SeenPart {
    pub(super) load: Load,
    /// The place of the first one that is wanted.
    pub(super) position: usize,
    /// So many before it are not wanted.
    pub(super) passed_over: usize,
    pub(super) count: usize,
    /// Those that do not survive a restart are not there.
    pub(super) is_restored: bool,
    /// Before this one all may have been delivered.
    pub(super) delivered_below: Seq,
}

/// What a look found, in the order of the queue.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Message(Box<SeenMessage>),
    /// Its bytes are to be read.
    OnDisk(Box<SeenMessage>, Load),
    Part(SeenPart),
}

/// How many parts of files are passed over at most: some milliseconds' work.
const PARTS_MAX: usize = 20_000;

/// What is wanted of a list: so many are passed over, and so many taken.
#[derive(Debug)]
struct Window {
    position: usize,
    passed_over: usize,
    left: usize,
    parts_left: usize,
    seen: Vec<Seen>,
}

impl Window {
    /// Of `len` that follow: how many to pass over, and how many to take.
    fn of(&mut self, len: usize) -> (usize, usize) {
        let passed_over = self.passed_over.min(len);
        let taken = self.left.min(len - passed_over);
        self.passed_over -= passed_over;
        self.left -= taken;
        self.position += passed_over;
        (passed_over, taken)
    }

    fn entries<'a>(&mut self, len: usize, from: impl FnOnce(usize) -> Box<dyn Iterator<Item = &'a Entry> + 'a>) {
        let (passed_over, taken) = self.of(len);
        if taken > 0 {
            from(passed_over).take(taken).for_each(|entry| self.see(entry, |_| {}));
        }
    }

    fn see(&mut self, entry: &Entry, describe: impl FnOnce(&mut SeenMessage)) {
        let mut seen = Box::new(SeenMessage::of(entry, self.position));
        describe(&mut seen);
        self.position += 1;
        self.seen.push(match load_of(entry) {
            Some(load) => Seen::OnDisk(seen, load),
            None => Seen::Message(seen),
        });
    }

    fn parts(&mut self, level: &Level, delivered_below: Seq) {
        for unread in level.paged.unread() {
            if self.left == 0 || self.parts_left == 0 {
                return;
            }
            self.parts_left -= 1;
            let (passed_over, count) = self.of(unread.all.messages as usize);
            if count == 0 {
                continue;
            }
            let load = Load {
                level: level.priority,
                segment: unread.part.segment,
                start: unread.cursor,
                end: unread.part.end,
            };
            let (position, is_restored) = (self.position, unread.is_restored);
            self.position += count;
            self.seen.push(Seen::Part(SeenPart { load, position, passed_over, count, is_restored, delivered_below }));
        }
    }
}

/// Where the bytes of a message are, if they are in a file only.
fn load_of(entry: &Entry) -> Option<Load> {
    if !entry.is_on_disk() {
        return None;
    }
    let extent = entry.extent()?;
    let Place::Segment(segment, start) = extent.address.place() else { return None };
    Some(Load { level: entry.priority, segment, start, end: start.saturating_add(extent.bytes) })
}

impl Queue {
    /// How many messages there are in this state.
    pub(crate) fn count_in(&self, state: MessageState) -> usize {
        match state {
            MessageState::Ready => self.order.ready.len(),
            MessageState::Unacked => self.order.unacked.len(),
            MessageState::Delayed => self.order.held_back.len(),
            MessageState::Dead => self.order.dying.len(),
        }
    }

    /// Looks at some messages of a state. What is ready comes in the order of delivery.
    pub(super) fn look_at(&self, state: MessageState, offset: usize, count: usize) -> Vec<Seen> {
        let mut window =
            Window { position: 0, passed_over: offset, left: count, parts_left: PARTS_MAX, seen: Vec::new() };
        match state {
            MessageState::Ready => self.look_at_ready(&mut window),
            MessageState::Unacked => {
                let (passed_over, taken) = window.of(self.order.unacked.len());
                for (holder, Unacked { entry, delivery, .. }) in self.order.unacked.held_from(passed_over).take(taken) {
                    window.see(entry, |seen| (seen.holder, seen.delivery) = (Some(holder), Some(*delivery)));
                }
            }
            MessageState::Delayed => {
                let (passed_over, taken) = window.of(self.order.held_back.len());
                for (due_ms, entry) in self.order.held_back.iter().skip(passed_over).take(taken) {
                    window.see(entry, |seen| seen.due_at_ms = Some(due_ms));
                }
            }
            MessageState::Dead => {
                window.entries(self.order.dying.len(), |from| Box::new(self.order.dying.iter().skip(from)));
            }
        }
        window.seen
    }

    fn look_at_ready(&self, window: &mut Window) {
        // In the order of delivery: what came back goes first, then of each level what was requeued, what is
        // in files, what is fresh.
        let returned = self.order.ready.returned();
        window.entries(returned.len(), |from| Box::new(returned.iter_at(from)));
        for level in self.order.ready.levels() {
            window.entries(level.requeued.len(), |from| Box::new(level.requeued.iter_from(from)));
            window.parts(level, self.backing.delivered_below(level.priority));
            if window.parts_left == 0 {
                // What is behind is too deep to be found without reading all of the list.
                return;
            }
            window.entries(level.fresh.len(), |from| Box::new(level.fresh.iter_at(from)));
        }
    }
}
