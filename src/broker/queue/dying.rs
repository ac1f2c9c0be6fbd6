//! Dead letters: messages that left the order of the queue and are not in another one yet.
//!
//! They stay the queue's until they are published, so that no crash can lose them on the way: the log hears of their end in the
//! same transaction as of their arrival elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;

use super::arguments::{DeadLetters, Overflow};
use super::entry::{Body, Entry, NewMessage, counted_bytes};
use super::ready::neighbours;
use super::{DROPS_MAX, Queue};
use crate::broker::sink::DeliveryCounts;
use crate::message::Message;
use crate::metrics::DeathStats;
use crate::store::Owed;
use crate::store::address::Address;
use crate::store::loader::Load;

/// How often dead letters without a queue are tried again.
const UNBURIED_RETRY_MS: u64 = 1_000;

/// Dead letters that are handed out at a time.
const LETTERS_MAX: usize = 256;

/// Why a message is dead-lettered (behaviour reference 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathReason {
    /// `basic.reject` or `basic.nack` without requeue.
    Rejected,
    /// Its time to live ran out.
    Expired,
    /// The queue is too long.
    MaxLength,
    /// A quorum queue delivered it too often.
    DeliveryLimit,
}

impl DeathReason {
    /// The value of `reason` in `x-death`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLength => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// What becomes of messages that die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadLetterStrategy {
    /// They are dropped.
    #[default]
    Disabled,
    /// They are published once.
    AtMostOnce,
    /// They are published until a queue takes them.
    AtLeastOnce,
}

impl DeadLetterStrategy {
    /// RabbitMQ's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AtMostOnce => "at_most_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

/// What is known of a death besides the message.
#[derive(Debug)]
struct Death {
    reason: DeathReason,
    /// Where it goes, whatever the queue obeys by the time it is published.
    target: Arc<DeadLetters>,
    /// It is the last of some that are owed to a client: all of them are recorded once this one is.
    owed: Option<Box<Owed>>,
}

impl Death {
    const fn new(reason: DeathReason, target: Arc<DeadLetters>) -> Self {
        Self { reason, target, owed: None }
    }
}

/// A message that left its queue by dying.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The message as it was in the queue.
    pub message: Message,
    /// Why it died.
    pub reason: DeathReason,
    /// Where it goes.
    pub target: Arc<DeadLetters>,
    /// Deliveries that failed, here and in the queues in which it died before.
    pub failed: u32,
}

/// What is to be done next about the dead letters of a queue.
#[derive(Clone, Debug)]
pub enum Burial {
    /// They are to be published.
    Letters(Vec<DeadLetter>),
    /// The first must be read back, for [`Queue::loaded`], which ends the burial until then.
    Away(Load),
    /// There are none, or the first is being read: the burial that [`Aftermath`] asked for is over.
    ///
    /// [`Aftermath`]: super::Aftermath
    Over,
}

/// The dead letters of a queue, in the order of death. Most queues never have any.
#[derive(Debug, Default)]
pub(super) struct Dying(Option<Box<Letters>>);

#[derive(Debug, Default)]
struct Letters {
    waiting: VecDeque<Entry>,
    /// What those in `waiting` died of, one each.
    deaths: VecDeque<Death>,
    /// Some of them died of what a client said, and are not owed yet.
    has_answered: bool,
    /// What was owed for messages that are lost, until their end is recorded.
    ended: Vec<Owed>,
    /// Handed to the one who buries, and not buried yet: so many at the front of `waiting`.
    handed: usize,
    /// Somebody buries them now; a second one would break the order of deaths.
    has_burier: bool,
    /// What the first of them waits for.
    loading: Option<Load>,
    /// Dead letters of the at-least-once strategy that found no queue, to be tried again.
    unburied: VecDeque<(Entry, DeathReason)>,
    /// So many of `unburied`, at its front, are due.
    retrying: usize,
    /// When the others are.
    retry_ms: Option<u64>,
    /// What they all count for the limit in bytes.
    bytes: u64,
}

impl Dying {
    fn letters(&mut self) -> &mut Letters {
        self.0.get_or_insert_default()
    }

    /// Whether somebody must bury now; the question is answered with yes once.
    pub(super) fn wants_burier(&mut self) -> bool {
        self.0.as_mut().is_some_and(|letters| letters.wants_burier())
    }

    /// Something was read. What was read for others does not end the wait: the same would be ordered once more each time.
    pub(super) fn loaded(&mut self, load: Load) {
        if let Some(letters) = &mut self.0 {
            letters.loading.take_if(|loading| *loading == load);
        }
    }

    /// Has everything tried again that found no queue.
    pub(super) fn retry_at(&mut self, at_ms: u64) {
        if let Some(letters) = self.0.as_mut().filter(|letters| !letters.unburied.is_empty()) {
            letters.retry_ms = Some(at_ms);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |letters| letters.waiting.len() + letters.unburied.len())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |letters| letters.bytes)
    }

    pub(super) fn retry_ms(&self) -> Option<u64> {
        let letters = self.0.as_ref()?;
        if letters.retrying > 0 { Some(0) } else { letters.retry_ms }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter().flat_map(|letters| letters.waiting.iter().chain(letters.unburied.iter().map(|(entry, _)| entry)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0
            .iter_mut()
            .flat_map(|letters| letters.waiting.iter_mut().chain(letters.unburied.iter_mut().map(|(entry, _)| entry)))
    }

    /// Takes out those that are not handed out.
    pub(super) fn remove(&mut self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        self.0.as_mut().map_or_else(Vec::new, |letters| letters.remove(is_wanted))
    }

    /// Takes out all that are not handed out: what is left is what somebody publishes now.
    pub(super) fn take_all(&mut self) -> Self {
        Self(self.0.as_mut().map(|letters| Box::new(letters.take_all())))
    }

    /// What is owed for them: to be kept until their end is recorded.
    pub(super) fn take_owed(&mut self) -> Vec<Owed> {
        let Some(letters) = &mut self.0 else { return Vec::new() };
        let waiting = letters.deaths.iter_mut().filter_map(|death| death.owed.take()).map(|owed| *owed);
        letters.ended.drain(..).chain(waiting).collect()
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        let letters = self.0.map(|letters| *letters).unwrap_or_default();
        letters.waiting.into_iter().chain(letters.unburied.into_iter().map(|(entry, _)| entry))
    }
}

impl Letters {
    fn push(&mut self, entry: Entry, reason: DeathReason, target: Arc<DeadLetters>) {
        self.bytes += u64::from(entry.counted_bytes);
        self.waiting.push_back(entry);
        self.deaths.push_back(Death::new(reason, target));
        self.has_answered |= matches!(reason, DeathReason::Rejected | DeathReason::DeliveryLimit);
    }

    fn pop(&mut self) -> Option<(Entry, Death)> {
        self.handed = self.handed.saturating_sub(1);
        let entry = self.waiting.pop_front()?;
        self.bytes -= u64::from(entry.counted_bytes);
        Some((entry, self.deaths.pop_front()?))
    }

    /// Whether somebody must bury now; the question is answered with yes once.
    fn wants_burier(&mut self) -> bool {
        let can_go_on = |entry: &Entry| !entry.is_away() || self.loading.is_none();
        let is_wanted = !self.has_burier && self.waiting.front().is_some_and(can_go_on);
        self.has_burier |= is_wanted;
        is_wanted
    }

    /// Tries again what found no queue, if it is time, some at a time. Returns those that have nowhere to go any more.
    fn retry(&mut self, now_ms: u64, target: Option<&Arc<DeadLetters>>) -> Vec<Entry> {
        if self.retry_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            self.retry_ms = None;
            self.retrying = self.unburied.len();
        }
        let count = self.retrying.min(DROPS_MAX);
        self.retrying -= count;
        let retried = self.unburied.drain(..count);
        let Some(target) = target else {
            let dropped: Vec<_> = retried.map(|(entry, _)| entry).collect();
            self.bytes -= dropped.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
            return dropped;
        };
        for (entry, reason) in retried {
            self.waiting.push_back(entry);
            self.deaths.push_back(Death::new(reason, Arc::clone(target)));
        }
        Vec::new()
    }

    /// Keeps one that found no queue, to be tried again.
    fn keep(&mut self, (entry, reason): (Entry, DeathReason), retry_ms: u64) {
        self.bytes += u64::from(entry.counted_bytes);
        self.unburied.push_back((entry, reason));
        self.retry_ms.get_or_insert(retry_ms);
    }

    /// Takes out those that are not handed out.
    fn remove(&mut self, is_wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let mut removed = Vec::new();
        let mut at = self.handed;
        while let Some(entry) = self.waiting.get(at) {
            if is_wanted(entry) {
                removed.extend(self.waiting.remove(at));
                self.ended.extend(self.deaths.remove(at).and_then(|death| death.owed).map(|owed| *owed));
            } else {
                at += 1;
            }
        }
        self.bytes -= removed.iter().map(|entry| u64::from(entry.counted_bytes)).sum::<u64>();
        removed
    }

    /// Takes out all that are not handed out. The others are few, so it is they who are moved.
    fn take_all(&mut self) -> Self {
        let mut taken = std::mem::take(self);
        self.has_burier = std::mem::take(&mut taken.has_burier);
        self.loading = taken.loading;
        for _ in 0..std::mem::take(&mut taken.handed) {
            if let Some((entry, death)) = taken.pop() {
                self.bytes += u64::from(entry.counted_bytes);
                self.waiting.push_back(entry);
                self.deaths.push_back(death);
                self.handed += 1;
            }
        }
        taken
    }
}

impl Queue {
    pub(super) fn bury(&mut self, entry: Entry, reason: DeathReason) {
        self.count_deaths(reason, 1);
        match &self.arguments.dead_letters {
            Some(target) => self.dying.letters().push(entry, reason, Arc::clone(target)),
            None => self.gone(&entry),
        }
    }

    /// Tries again what found no queue, if it is time: where dead letters go now.
    pub(super) fn retry_burials(&mut self, now_ms: u64) {
        let Some(letters) = &mut self.dying.0 else { return };
        for entry in letters.retry(now_ms, self.arguments.dead_letters.as_ref()) {
            self.gone(&entry);
        }
    }

    /// Counts messages that die, whether or not anybody wants to see them.
    pub(super) fn count_deaths(&mut self, reason: DeathReason, count: u64) {
        let DeathStats { rejected, expired, maxlen, delivery_limit, .. } = &mut self.deaths;
        *match reason {
            DeathReason::Rejected => rejected,
            DeathReason::Expired => expired,
            DeathReason::MaxLength => maxlen,
            DeathReason::DeliveryLimit => delivery_limit,
        } += count;
    }

    /// A message dies that the queue never took.
    pub(super) fn die_unqueued(&mut self, new: NewMessage) {
        let entry = Entry {
            counted_bytes: counted_bytes(&new.message, self.arguments.kind),
            body: Body::Held(new.message),
            address: Address::NOWHERE,
            seq: u64::MAX,
            expires_at_ms: u64::MAX,
            counts: DeliveryCounts { acquired: 0, failed: new.failed },
            priority: 0,
            redelivered: false,
            is_stored: false,
        };
        self.bury(entry, DeathReason::MaxLength);
    }

    /// What the one who buries does next. Each letter that is handed out, in the order of death, is to be told of with
    /// [`Queue::buried`] or [`Queue::keep_unburied`], in the same order.
    pub fn next_burial(&mut self) -> Burial {
        let Some(letters) = &mut self.dying.0 else { return Burial::Over };
        let Letters { waiting, deaths, handed, has_burier, loading, .. } = &mut **letters;
        let letters: Vec<_> = waiting
            .iter()
            .zip(deaths.iter())
            .take(LETTERS_MAX)
            .map_while(|(entry, death)| {
                let message = entry.message()?.clone();
                let (reason, target) = (death.reason, Arc::clone(&death.target));
                Some(DeadLetter { message, reason, target, failed: entry.counts.failed })
            })
            .collect();
        *handed = letters.len();
        *has_burier = !letters.is_empty();
        if *has_burier {
            return Burial::Letters(letters);
        }
        match neighbours(waiting.iter(), 0).filter(|_| loading.is_none()) {
            Some(load) => {
                *loading = Some(load);
                Burial::Away(load)
            }
            None => Burial::Over,
        }
    }

    /// What died of what a client said is owed to it until it is recorded.
    pub fn owe_burial(&mut self, begin: impl FnOnce() -> Owed) {
        if let Some(letters) = self.dying.0.as_mut().filter(|letters| letters.has_answered) {
            letters.has_answered = false;
            // They are recorded in their order.
            if let Some(last) = letters.deaths.back_mut() {
                last.owed = Some(Box::new(begin()));
            }
        }
    }

    /// What was owed and is recorded with this transition.
    pub fn take_ended(&mut self) -> Vec<Owed> {
        self.dying.0.as_mut().map_or_else(Vec::new, |letters| std::mem::take(&mut letters.ended))
    }

    /// The first of the dead letters that were handed out is published, or dropped on purpose. What was owed for it is to be kept until
    /// that is recorded.
    pub fn buried(&mut self) -> Option<Box<Owed>> {
        self.deaths.confirmed += u64::from(self.buries_at_least_once());
        let letters = self.dying.0.as_mut().filter(|letters| letters.handed > 0)?;
        let (entry, death) = letters.pop()?;
        self.gone(&entry);
        death.owed
    }

    /// The first of the dead letters that were handed out found no queue: keeps it, if this queue promises to deliver it at least
    /// once. As for [`Queue::buried`].
    pub fn keep_unburied(&mut self, now_ms: u64) -> Option<Box<Owed>> {
        if !self.buries_at_least_once() {
            return self.buried();
        }
        let letters = self.dying.0.as_mut().filter(|letters| letters.handed > 0)?;
        let (mut entry, Death { reason, owed, .. }) = letters.pop()?;
        if entry.counts.acquired == 0 {
            // Messages behind it are delivered while it waits: a start must not take it for one that was out.
            entry.counts.acquired = 1;
            self.note_counts(&entry, entry.counts);
        }
        self.dying.letters().keep((entry, reason), now_ms + UNBURIED_RETRY_MS);
        owed
    }

    /// What becomes of messages that die here.
    pub(super) fn dead_letter_strategy(&self) -> DeadLetterStrategy {
        match self.arguments.dead_letters {
            None => DeadLetterStrategy::Disabled,
            Some(_) if self.buries_at_least_once() => DeadLetterStrategy::AtLeastOnce,
            Some(_) => DeadLetterStrategy::AtMostOnce,
        }
    }

    /// The strategy takes effect only together with `reject-publish` (behaviour reference 6.5).
    pub(super) fn buries_at_least_once(&self) -> bool {
        self.arguments.dead_letter_at_least_once && self.arguments.overflow == Overflow::RejectPublish
    }
}
