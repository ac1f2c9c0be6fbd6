//! Until where the log tells that it is durable, and who is woken then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::{OnDue, State, Wal};
use crate::store::{Log, Wake};

/// What clients did and what is not recorded yet, in the order in which it began ([`Owed`](crate::store::Owed)).
#[derive(Debug, Default)]
pub(in crate::store) struct Debts {
    by_number: BTreeMap<u64, Debt>,
    last: u64,
}

#[derive(Debug)]
struct Debt {
    /// Where the log ended when it began: only what was appended before may be told.
    from: u64,
    /// Where the log ended when it was recorded.
    until: Option<u64>,
}

impl Debts {
    pub(in crate::store) fn begin(&mut self, head: u64) -> u64 {
        self.last += 1;
        self.by_number.insert(self.last, Debt { from: head, until: None });
        self.last
    }

    pub(in crate::store) fn pay(&mut self, number: u64, head: u64) {
        if let Some(debt) = self.by_number.get_mut(&number) {
            debt.until = Some(head);
        }
    }

    /// Until where may be told of a log that is durable up to here. The first that is left is the one that began first, so none
    /// of the others holds back more.
    pub(in crate::store) fn settled_below(&mut self, durable: u64) -> u64 {
        while let Some(first) = self.by_number.first_entry() {
            let Debt { from, until } = *first.get();
            if until.is_none_or(|until| until > durable) {
                return durable.min(from);
            }
            // It is recorded, and the record is durable: it holds back nothing any more.
            first.remove();
        }
        durable
    }
}

impl Wal {
    /// Sets who wakes those that wait. Only the first call counts; without one they are woken on the thread of the log.
    pub(crate) fn on_due(&self, wake: OnDue) {
        self.on_due.get_or_init(|| wake);
    }

    pub(super) fn wake(&self, due: Vec<Arc<dyn Wake>>) {
        match self.on_due.get() {
            _ if due.is_empty() => {}
            Some(wake) => wake(due),
            None => due.iter().for_each(|waiter| waiter.wake()),
        }
    }

    /// Whether something is to be recorded that a client did before.
    pub fn owes(&self) -> bool {
        self.state.lock().debts.by_number.values().any(|debt| debt.until.is_none())
    }

    /// What was owed is recorded by all that was appended so far.
    pub(super) fn pay(&self, debt: u64) {
        let mut state = self.state.lock();
        let head = state.head;
        state.debts.pay(debt, head);
        // What was appended since the debt began may be durable for a long time.
        let due = self.tell(&mut state);
        // They wait for what was appended before this, and now for this as well.
        let is_awaited = !state.waiters.is_empty() && state.wanted < head;
        if is_awaited {
            state.wanted = head;
        }
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
        self.wake(due);
    }

    /// Moves the mark of what is told; the waiters whose time has come.
    pub(super) fn tell(&self, state: &mut MutexGuard<'_, State>) -> Vec<Arc<dyn Wake>> {
        let told = state.debts.settled_below(self.durable.load(Ordering::Acquire));
        self.reported.store(told, Ordering::Release);
        state.waiters.extract_if(.., |(position, _)| *position <= told).map(|(_, waiter)| waiter).collect()
    }

    /// Who is to be woken because the log is not behind any more.
    pub(super) fn take_caught_up(&self, state: &mut MutexGuard<'_, State>) -> Vec<Arc<dyn Wake>> {
        // All at once: each looks again when it is woken, and waits again if need be.
        if state.held_back.is_empty() || self.is_behind() { Vec::new() } else { std::mem::take(&mut state.held_back) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_that_is_later_than_what_is_owed() {
        let mut debts = Debts::default();
        assert_eq!(debts.settled_below(10), 10);
        let first = debts.begin(20);
        let second = debts.begin(30);
        assert_eq!(debts.settled_below(15), 15, "what came before is told");
        assert_eq!(debts.settled_below(40), 20);
        debts.pay(second, 50);
        assert_eq!(debts.settled_below(60), 20, "the first is still owed");
        debts.pay(first, 70);
        assert_eq!(debts.settled_below(60), 20, "it is recorded, and not durable yet");
        assert_eq!(debts.settled_below(70), 70);
    }

    #[test]
    fn what_is_recorded_holds_back_until_that_is_durable() {
        let mut debts = Debts::default();
        let (first, second) = (debts.begin(20), debts.begin(30));
        debts.pay(first, 40);
        assert_eq!(debts.settled_below(35), 20);
        assert_eq!(debts.settled_below(45), 30, "the second one began there");
        debts.pay(second, 45);
        assert_eq!(debts.settled_below(45), 45);
    }
}
