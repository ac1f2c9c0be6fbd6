//! The dead letters of a queue: those that are published, in the order of death, and those that found no queue.
//!
//! Invariants: those that were handed out are the first; what found no queue is tried again at some time; all are counted.

use std::collections::VecDeque;
use std::sync::Arc;

use super::DeathReason;
use crate::broker::queue::DROPS_MAX;
use crate::broker::queue::arguments::DeadLetters;
use crate::broker::queue::entry::Entry;
use crate::broker::queue::pieces::Pieces;
use crate::broker::queue::ready::CHOSEN_AMONG_MAX;
use crate::broker::queue::walk::Spot;
use crate::store::Owed;
use crate::store::loader::Load;

/// A message that died.
#[derive(Debug)]
pub(super) struct Death {
    pub(super) entry: Entry,
    pub(super) reason: DeathReason,
    /// Where it goes, whatever the queue obeys by the time it is published.
    pub(super) target: Arc<DeadLetters>,
    /// Its place in the order of death.
    number: u64,
}

/// A dead letter that found no queue.
#[derive(Debug)]
struct Unrouted {
    entry: Entry,
    reason: DeathReason,
}

/// The dead letters of a queue, in the order of death. Most queues never have any.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct Dying(pub(super) Option<Box<Letters>>);

#[derive(Debug, Default)]
pub(super) struct Letters {
    pub(super) waiting: Pieces<Death>,
    /// Some of them died of what a client said, and are not owed yet.
    pub(super) has_answered: bool,
    /// How many deaths there were.
    deaths: u64,
    /// What is owed to clients, each for some that were waiting, under the number of the last of them: all of them are recorded once that
    /// one is. Beside the deaths, so that it leaves with all of them at once, however many they are.
    owed: Pieces<(u64, Owed)>,
    /// What was owed for messages that are lost, until their end is recorded.
    ended: Vec<Owed>,
    /// Handed to the one who publishes them, and not published yet: so many at the front of `waiting`.
    pub(super) handed: usize,
    /// Somebody publishes them now; a second one would break the order of deaths.
    pub(super) has_publisher: bool,
    /// What the first of them waits for.
    pub(super) loading: Option<Load>,
    /// Dead letters of the at-least-once strategy that found no queue, to be tried again.
    unrouted: Pieces<Unrouted>,
    /// So many of `unrouted`, at its front, are due.
    retrying: usize,
    /// When the others are.
    retry_ms: Option<u64>,
    /// What they all count for the limit in bytes.
    bytes: u64,
}

/// What is owed to clients for dead letters that left their queue.
#[derive(Debug, Default)]
pub(in crate::broker::queue) struct OwedLetters {
    _waiting: Pieces<(u64, Owed)>,
    _ended: Vec<Owed>,
}

impl Dying {
    pub(super) fn letters(&mut self) -> &mut Letters {
        self.0.get_or_insert_default()
    }

    /// Whether somebody must publish them now; the question is answered with yes once.
    pub(in crate::broker::queue) fn wants_publisher(&mut self) -> bool {
        self.0.as_mut().is_some_and(|letters| letters.wants_publisher())
    }

    /// Something was read. What was read for others does not end the wait: the same would be ordered once more each time.
    pub(in crate::broker::queue) fn loaded(&mut self, load: Load) {
        if let Some(letters) = &mut self.0 {
            // The very stretch that was ordered: a level may have read its own from the same file.
            letters.loading.take_if(|loading| *loading == load);
        }
    }

    /// Has everything tried again that found no queue.
    pub(in crate::broker::queue) fn retry_at(&mut self, at_ms: u64) {
        if let Some(letters) = self.0.as_mut().filter(|letters| !letters.unrouted.is_empty()) {
            letters.retry_ms = Some(at_ms);
        }
    }

    pub(in crate::broker::queue) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |letters| letters.waiting.len() + letters.unrouted.len())
    }

    pub(in crate::broker::queue) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |letters| letters.bytes)
    }

    pub(in crate::broker::queue) fn retry_ms(&self) -> Option<u64> {
        let letters = self.0.as_ref()?;
        // Some are due and were too many for one turn: at once.
        if letters.retrying > 0 { Some(0) } else { letters.retry_ms }
    }

    pub(in crate::broker::queue) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|letters| {
            let waiting = letters.waiting.iter().map(|death| &death.entry);
            waiting.chain(letters.unrouted.iter().map(|unrouted| &unrouted.entry))
        })
    }

    /// The first of those that are handed out next.
    pub(in crate::broker::queue) fn first_mut(&mut self, count: usize) -> impl Iterator<Item = &mut Entry> {
        let waiting = self.0.iter_mut().flat_map(|letters| letters.waiting.iter_mut());
        waiting.take(count).map(|death| &mut death.entry)
    }

    /// The first `unrouted` of those that found no queue, the last of them first, and so many of the others.
    pub(in crate::broker::queue) fn iter_from_mut(
        &mut self,
        unrouted: usize,
        waiting: usize,
    ) -> impl Iterator<Item = (Spot, &mut Entry)> {
        self.0.iter_mut().flat_map(move |letters| {
            let unrouted = letters.unrouted.first_mut(unrouted);
            let unrouted = unrouted.map(|(at, unrouted)| (Spot::Unrouted(at + 1), &mut unrouted.entry));
            let waiting = letters.waiting.first_mut(waiting);
            unrouted.chain(waiting.map(|(at, death)| (Spot::Dying(at + 1), &mut death.entry)))
        })
    }

    /// Takes out those at the front that are not handed out.
    pub(in crate::broker::queue) fn remove(&mut self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.0.as_mut().map_or_else(Vec::new, |letters| letters.remove(is_wanted))
    }

    /// Takes out all that are not handed out: what is left is what somebody publishes now.
    pub(in crate::broker::queue) fn take_all(&mut self) -> Self {
        Self(self.0.as_mut().map(|letters| Box::new(letters.take_all())))
    }

    /// What is owed for them: to be kept until their end is recorded.
    pub(in crate::broker::queue) fn take_owed(&mut self) -> OwedLetters {
        let Some(letters) = &mut self.0 else { return OwedLetters::default() };
        OwedLetters { _waiting: std::mem::take(&mut letters.owed), _ended: std::mem::take(&mut letters.ended) }
    }

    /// What was owed and is recorded with this transition.
    pub(in crate::broker::queue) fn take_ended(&mut self) -> Vec<Owed> {
        self.0.as_mut().map_or_else(Vec::new, |letters| std::mem::take(&mut letters.ended))
    }

    /// Whether all that there are were handed to the one who publishes them.
    #[cfg(any(test, debug_assertions))]
    pub(in crate::broker::queue) fn is_handed_out(&self) -> bool {
        self.0.as_ref().is_none_or(|letters| letters.handed == letters.waiting.len() && letters.unrouted.is_empty())
    }

    /// Panics where an invariant from the head of this file is broken. Only in tests and debug builds.
    #[cfg(any(test, debug_assertions))]
    pub(in crate::broker::queue) fn check(&self) {
        let Some(letters) = &self.0 else { return };
        letters.waiting.check();
        letters.unrouted.check();
        letters.owed.check();
        let mut numbers = letters.waiting.iter().map(|death| death.number);
        assert!(letters.owed.iter().all(|(last, _)| numbers.any(|number| number == *last)), "owed for one that waits");
        assert!(letters.handed <= letters.waiting.len(), "handed out");
        assert!(letters.retrying <= letters.unrouted.len(), "due");
        assert!(letters.unrouted.is_empty() || self.retry_ms().is_some(), "what found no queue is tried again");
        assert!(letters.retry_ms.is_none() || !letters.unrouted.is_empty(), "there is something to be tried again");
        let bytes: u64 = self.iter().map(|entry| u64::from(entry.counted_bytes)).sum();
        assert_eq!(letters.bytes, bytes, "counted in bytes");
    }

    pub(in crate::broker::queue) fn into_entries(self) -> impl Iterator<Item = Entry> {
        let letters = self.0.map(|letters| *letters).unwrap_or_default();
        let waiting = letters.waiting.into_things().map(|death| death.entry);
        waiting.chain(letters.unrouted.into_things().map(|unrouted| unrouted.entry))
    }
}

impl Letters {
    pub(super) fn push(&mut self, entry: Entry, reason: DeathReason, target: Arc<DeadLetters>) {
        self.bytes += u64::from(entry.counted_bytes);
        self.wait(entry, reason, target);
        // These two come of what a client said. Time and length are nobody's answer: nobody is told
        // anything that depends on them.
        self.has_answered |= matches!(reason, DeathReason::Rejected | DeathReason::DeliveryLimit);
    }

    fn wait(&mut self, entry: Entry, reason: DeathReason, target: Arc<DeadLetters>) {
        self.deaths += 1;
        self.waiting.push_back(Death { entry, reason, target, number: self.deaths });
    }

    /// Owes all that wait to a client, if some of them died of what it said.
    pub(super) fn owe(&mut self, begin: impl FnOnce() -> Owed) {
        // Once a transition at most, however many letters it made.
        if std::mem::take(&mut self.has_answered)
            && let Some(last) = self.waiting.back_mut()
        {
            // They are recorded in their order.
            self.owed.push_back((last.number, begin()));
        }
    }

    /// Takes the first out, and what is owed until it is recorded.
    pub(super) fn pop(&mut self) -> Option<(Death, Option<Owed>)> {
        self.handed = self.handed.saturating_sub(1);
        let death = self.waiting.pop_front()?;
        self.bytes -= u64::from(death.entry.counted_bytes);
        // It covered this one and those before it, and this was the last.
        let is_over = self.owed.front().is_some_and(|(last, _)| *last <= death.number);
        let owed = if is_over { self.owed.pop_front() } else { None };
        Some((death, owed.map(|(_, owed)| owed)))
    }

    /// Whether somebody must publish them now; the question is answered with yes once.
    fn wants_publisher(&mut self) -> bool {
        // If the first is being read, whoever is told of its arrival asks again.
        let can_go_on = |death: &Death| !death.entry.is_on_disk() || self.loading.is_none();
        let is_wanted = !self.has_publisher && self.waiting.front().is_some_and(can_go_on);
        self.has_publisher |= is_wanted;
        is_wanted
    }

    /// Tries again what found no queue, if it is time, some at a time. Returns those that have nowhere to go any more.
    pub(super) fn retry(&mut self, now_ms: u64, target: Option<&Arc<DeadLetters>>) -> Vec<Entry> {
        // The count is taken once. Those that find no queue again are put behind it, for the next time.
        if self.retry_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.retry_ms = None;
            self.retrying = self.unrouted.len();
        }
        // At most 1,024 in a call of the timer; `retry_ms` asks for the next call at once.
        let count = self.retrying.min(DROPS_MAX);
        self.retrying -= count;
        let retried: Vec<_> = std::iter::repeat_with(|| self.unrouted.pop_front()).take(count).flatten().collect();
        let Some(target) = target else {
            let dropped: Vec<_> = retried.into_iter().map(|unrouted| unrouted.entry).collect();
            self.bytes -= dropped.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
            return dropped;
        };
        for Unrouted { entry, reason } in retried {
            self.wait(entry, reason, Arc::clone(target));
        }
        Vec::new()
    }

    /// Keeps one that found no queue, to be tried again.
    pub(super) fn keep(&mut self, (entry, reason): (Entry, DeathReason), retry_ms: u64) {
        self.bytes += u64::from(entry.counted_bytes);
        self.unrouted.push_back(Unrouted { entry, reason });
        // The earlier time holds for all.
        self.retry_ms.get_or_insert(retry_ms);
    }

    /// Takes out those at the front that are not handed out.
    fn remove(&mut self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        // Those at the front that are handed out must stay, because they are told of by their places.
        let (handed, mut deaths) = (self.handed, Vec::new());
        let is_in_front = |_: &_, before| before < CHOSEN_AMONG_MAX;
        self.waiting.take_some(is_in_front, |place, death| place >= handed && is_wanted(&death.entry), &mut deaths);
        if let Some(last) = deaths.last().map(|death| death.number) {
            let is_removed = |number| deaths.binary_search_by_key(&number, |death| death.number).is_ok();
            self.owe_for_the_rest(last, is_removed);
            // Both lists ascend by number, so pieces behind the last removed death need no look.
            let is_before = |piece: &VecDeque<(u64, Owed)>, _| piece.front().is_some_and(|(number, _)| *number <= last);
            let mut owed = Vec::new();
            self.owed.take_some(is_before, |_, (number, _)| is_removed(*number), &mut owed);
            self.ended.extend(owed.into_iter().map(|(_, owed)| owed));
        }
        let removed: Vec<_> = deaths.into_iter().map(|death| death.entry).collect();
        self.bytes -= removed.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
        removed
    }

    /// Where the last of those is removed that something is owed for, and others are left, it is owed for the last of these from now on.
    /// `last` is the last that is removed.
    fn owe_for_the_rest(&mut self, last: u64, is_removed: impl Fn(u64) -> bool) {
        let mut left = self.waiting.iter().map(|death| death.number).take_while(|number| *number < last).peekable();
        for (owed_until, _) in self.owed.iter_mut().take_while(|(number, _)| *number <= last) {
            let mut last_left = None;
            while let Some(number) = left.next_if(|number| number <= owed_until) {
                last_left = Some(number);
            }
            if let Some(number) = last_left.filter(|_| is_removed(*owed_until)) {
                *owed_until = number;
            }
        }
    }

    /// Takes out all that are not handed out. The others are few, so it is they who are moved.
    fn take_all(&mut self) -> Self {
        let mut taken = std::mem::take(self);
        // Somebody publishes what is handed out, and goes on to tell of it here.
        self.has_publisher = std::mem::take(&mut taken.has_publisher);
        // The numbers go on, so that they ascend in what is left, too.
        (self.loading, self.deaths) = (taken.loading, taken.deaths);
        for _ in 0..std::mem::take(&mut taken.handed) {
            if let Some((death, owed)) = taken.pop() {
                self.bytes += u64::from(death.entry.counted_bytes);
                owed.into_iter().for_each(|owed| self.owed.push_back((death.number, owed)));
                self.waiting.push_back(death);
                self.handed += 1;
            }
        }
        // What is owed for some that are handed out and some that are not is owed until both are recorded.
        if let Some(last) = self.waiting.back_mut().map(|death| death.number)
            && let Some((_, owed)) = taken.owed.front()
            && self.owed.back_mut().is_none_or(|(owed_until, _)| *owed_until < last)
        {
            self.owed.push_back((last, owed.clone()));
        }
        taken
    }
}
