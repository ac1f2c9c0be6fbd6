//! Queues are emptied and deleted.

use leveret::internals::store::StoredLog;

use super::Actor;
use crate::ledger::Span;
use crate::queues::{NOBODY, QUEUES, kind};

impl Actor {
    pub(super) fn pick_disposable(&mut self) -> &'static str {
        loop {
            let kind = self.random.pick(&QUEUES);
            if kind.is_disposable {
                return crate::queues::kind(kind.name).name;
            }
        }
    }

    pub(super) fn purge(&mut self) {
        let name = self.pick_disposable();
        let before = self.wal.head();
        self.note(format!("purge {name}"));
        self.vhost.purge_queue(name, NOBODY, self.now_ms).unwrap();
        let span = Span { from: before, to: self.wal.head() };
        self.end_all(name, false, span);
    }

    /// Deletes a queue and declares it anew.
    pub(super) fn delete(&mut self) {
        let name = self.pick_disposable();
        let before = self.wal.head();
        self.note(format!("delete {name}"));
        self.consumers.retain(|_, consumer| consumer.queue != name);
        self.held.retain(|held| held.queue != name);
        self.vhost.delete_queue(name, false, false, NOBODY).unwrap();
        let span = Span { from: before, to: self.wal.head() };
        self.end_all(name, true, span);
        kind(name).declare(&self.vhost, self.now_ms);
    }

    pub(super) fn end_all(&mut self, home: &str, with_held: bool, span: Span) {
        let mut held_back = self.vhost.delayed().due_times();
        // Those that came last are released last, also of those that are due and cannot be read now.
        for entry in self.ledger.entries.iter_mut().rev() {
            let waiting = held_back.iter().position(|due_ms| Some(*due_ms) == entry.due_ms);
            if let Some(at) = waiting {
                held_back.remove(at);
            } else if entry.home == home && !entry.is_gone() && (with_held || !entry.is_held) {
                entry.settled = Some(span);
                entry.is_held = false;
            }
        }
    }
}
