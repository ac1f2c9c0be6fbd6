//! A look at messages from outside: one short hold of the queue's lock, then what is in files is read, when nothing is locked.

use std::ops::ControlFlow;

use super::QueueHandle;
use crate::broker::queue::looking::{MessageState, Seen, SeenMessage, SeenPart};
use crate::store::loader::{Load, Loaded};
use crate::store::segments::Stored;
use crate::store::seq::Seq;

/// What a look found beside the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookedAt {
    /// How many messages of the state there are.
    pub(crate) total: usize,
    /// Behind the last one that was shown; `None` at the end.
    pub(crate) next: Option<usize>,
}

impl QueueHandle {
    /// How many messages there are in this state.
    pub fn count_in(&self, state: MessageState) -> usize {
        self.state.lock().count_in(state)
    }

    /// Shows messages of a state, one after the other, until `show` has enough. It changes nothing. What leaves the queue meanwhile may
    /// be shown, or cannot be read any more.
    pub fn look_at(
        &self,
        state: MessageState,
        offset: usize,
        count: usize,
        mut show: impl FnMut(SeenMessage) -> ControlFlow<()>,
    ) -> LookedAt {
        let (total, seen) = {
            let queue = self.state.lock();
            (queue.count_in(state), queue.look_at(state, offset, count))
        };
        let mut next = offset;
        let mut show = |message: SeenMessage| {
            next = message.position + 1;
            show(message)
        };
        let ended = seen.into_iter().try_for_each(|seen| match seen {
            Seen::Message(message) => show(*message),
            Seen::OnDisk(mut message, load) => {
                message.message = self.records_of(load).into_iter().next().map(|record| record.message);
                show(*message)
            }
            Seen::Part(part) => self.show_part(&part, &mut show),
        });
        let is_over = ended.is_continue() && next.saturating_sub(offset) < count;
        LookedAt { total, next: (!is_over && next < total).then_some(next) }
    }

    fn show_part(&self, part: &SeenPart, show: &mut impl FnMut(SeenMessage) -> ControlFlow<()>) -> ControlFlow<()> {
        let (mut load, mut passed_over, mut position) = (part.load, part.passed_over, part.position);
        let behind = part.position + part.count;
        while position < behind && load.start < load.end {
            let Some(loaded) = self.read_for_look(load) else { break };
            // At least a byte further, so that a damaged file does not keep it here for ever.
            load.start = loaded.next.max(load.start + 1);
            let is_there = |record: &Stored| !part.is_restored || record.label.is_stored;
            for record in loaded.records.into_iter().filter(is_there) {
                if passed_over > 0 {
                    passed_over -= 1;
                    continue;
                }
                show(seen(record, position, part.delivered_below))?;
                position += 1;
                if position == behind {
                    break;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn records_of(&self, load: Load) -> Vec<Stored> {
        self.read_for_look(load).map(|loaded| loaded.records).unwrap_or_default()
    }

    /// `None` ends the look there, and the log says why: a message that cannot be looked at cannot be delivered either.
    fn read_for_look(&self, load: Load) -> Option<Loaded> {
        // It is not ordered for later: nobody waits for what a look did not show.
        self.read(load, || ())
    }
}

fn seen(record: Stored, position: usize, delivered_below: Seq) -> SeenMessage {
    let Stored { label, message, .. } = record;
    SeenMessage {
        position,
        id: label.seq.0,
        message: Some(message),
        is_on_disk: true,
        is_stored: label.is_stored,
        redelivered: label.redelivered || label.seq < delivered_below,
        counts: label.counts,
        priority: label.level,
        expires_at_ms: Some(label.expires_at_ms).filter(|at_ms| *at_ms != u64::MAX),
        due_at_ms: None,
        holder: None,
        delivery: None,
    }
}
