//! An administrator sends messages on, out of the middle of a queue: chosen ones, or dead letters, which go back to where they are
//! wanted.

use std::cell::RefCell;
use std::ops::ControlFlow;

use leveret::internals::broker::queue::{Choice, MessageState};
use leveret::internals::broker::vhost::ForwardTo;
use leveret::internals::message::{Facts, Message};
use leveret::internals::store::StoredLog;

use super::Actor;
use crate::ledger::Span;
use crate::probe::{deaths, identify};

/// From there messages are moved that never died.
const FROM: [&str; 2] = ["plain", "fade"];
/// From there dead letters are sent back.
const DEAD: &str = "dead";
/// Nothing comes here that is in one of those.
const TO: &str = "prio";

/// A message that is to be sent on, as the ledger needs it.
struct Sent {
    name: u64,
    id: u64,
    facts: Facts,
    past: Vec<String>,
    /// Where the log ended before.
    before: u64,
}

impl Actor {
    pub(super) fn move_one(&mut self) {
        let from = *self.random.pick(&FROM);
        self.send_on(from, 1);
    }

    pub(super) fn redrive(&mut self) {
        let count = 1 + self.random.below(5);
        self.send_on(DEAD, count);
    }

    /// Each message is a transaction: whenever power is lost, it is in the one queue or in the other.
    fn send_on(&mut self, from: &'static str, count: usize) {
        let Some(queue) = self.queue(from) else { return };
        let before = self.wal.head();
        let ready = queue.count_in(MessageState::Ready);
        if ready == 0 {
            return;
        }
        let mut choices = Vec::new();
        queue.look_at(MessageState::Ready, self.random.below(ready), count, |seen| {
            // What cannot be read just now cannot be sent on.
            choices.extend(seen.message.map(|_| Choice { position: seen.position, id: seen.id }));
            ControlFlow::Continue(())
        });
        let sent = RefCell::new(Vec::new());
        let to = |name: u64, message: &Message| {
            let (id, facts, past) = (identify(message), message.facts(), deaths(message));
            sent.borrow_mut().push(Sent { name, id, facts, past, before: self.wal.head() });
            Some(ForwardTo::queue(TO))
        };
        let forwarded = self.vhost.forward(&queue, &choices, to, self.now_ms);
        let sent = sent.into_inner();
        self.note(format!("send on from {from}: {forwarded:?}"));
        let ends = sent.iter().skip(1).map(|next| next.before).chain([self.wal.head()]).collect::<Vec<_>>();
        for (Sent { name, id, facts, past, before }, end) in sent.into_iter().zip(ends) {
            self.note(format!("  {id}, {past:?}, at {before} to {end}"));
            if !forwarded.moved.contains(&name) {
                continue;
            }
            // The commit is the last record of the transaction.
            let span = Span::exact(end);
            let entry = self.ledger.find(id, from);
            entry.unwrap_or_else(|| panic!("{id} of {from} was never published")).settled = Some(span);
            let at = self.add(id, TO, facts, span, None, None);
            self.ledger.entries[at].past = past;
        }
        self.collect(before);
    }
}
