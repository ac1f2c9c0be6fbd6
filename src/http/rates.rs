//! How fast counters move: what was counted at the last moments at which somebody looked, every five seconds.
//!
//! Pure: times and numbers come in. An object that never counted anything costs nothing, one that does not move any more one entry,
//! and one that is gone is forgotten with the next look. Of what moves, every look of the last minute is kept, one a minute of the last hour,
//! and one in five minutes of the last day (`older`). However many objects there are, they share one budget.

mod older;

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::{Arc, LazyLock};

use parking_lot::{Mutex, MutexGuard};
use rustc_hash::FxHashMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use smallvec::SmallVec;

use self::older::{OLDER_MAX, Older};
use crate::broker::alerts::ROUNDS_OF_REST;
use crate::broker::ids::{ChannelId, ConnectionId, ExchangeId, QueueId};

/// Milliseconds between two looks, as in RabbitMQ.
pub(super) const INTERVAL_MS: u64 = 5_000;
/// For how long numbers are kept, in milliseconds.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;
/// Every change of one object is kept for a minute.
const CHANGES_MAX: usize = 13;
/// Of the whole node they are kept for an hour.
const OF_NODE: Bounds = Bounds { recent: 720, older: OLDER_MAX };
/// All objects together have so many changes at most, of about 150 bytes each; but each has the two that a rate is made of.
const BUDGET: usize = 400_000;

/// How much is kept of each of so many objects.
fn of_objects(count: usize) -> Bounds {
    let share = BUDGET / count.max(1);
    Bounds { recent: share.clamp(2, CHANGES_MAX), older: share.saturating_sub(CHANGES_MAX).min(OLDER_MAX) }
}

/// Whose numbers they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Of the whole node: messages that passed.
    Node,
    /// Of the whole node: messages that are there.
    NodeQueues,
    /// Of the whole node: what came and went.
    NodeChurn,
    /// Of the whole node: memory, room on the disk, descriptors, connections.
    NodeResources,
    /// A virtual host: messages that passed.
    Vhost(Arc<str>),
    /// A virtual host: messages that are there.
    VhostDepth(Arc<str>),
    /// A queue: what passed.
    Queue(QueueId),
    /// A queue: what is there.
    QueueDepth(QueueId),
    /// An exchange: what came in, and what went on to queues.
    Exchange(ExchangeId),
    /// A connection: bytes.
    Connection(ConnectionId),
    Channel(ChannelId),
}

impl Owner {
    /// So many looks may pass it over while it stands still.
    const fn passed_over_max(&self) -> u64 {
        if matches!(self, Self::Queue(_) | Self::QueueDepth(_)) { ROUNDS_OF_REST } else { 0 }
    }

    const fn is_node(&self) -> bool {
        matches!(self, Self::Node | Self::NodeQueues | Self::NodeChurn | Self::NodeResources)
    }
}

type Numbers = SmallVec<[u64; 4]>;

/// Numbers that stayed the same from one look to another. The last ones of an object hold until the last look, whatever is written here.
#[derive(Clone, Debug)]
struct Run {
    numbers: Numbers,
    from_ms: u64,
    until_ms: u64,
}

/// How much of one object is kept.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Changes of which none is left out.
    recent: usize,
    /// Changes before those, of which some are left out.
    older: usize,
}

#[derive(Clone, Debug, Default)]
struct History {
    recent: VecDeque<Run>,
    /// Most objects have not moved for so long.
    older: Option<Box<Older>>,
    /// When the object was looked at first; `None` before that.
    first_ms: Option<u64>,
    /// The last look that found the object.
    look: u64,
}

impl History {
    /// Takes numbers down. Until the look before, those that were known held.
    fn note(&mut self, numbers: &[u64], (before_ms, now_ms): (Option<u64>, u64), bounds: Bounds) {
        self.first_ms.get_or_insert(now_ms);
        if let (Some(last), Some(before_ms)) = (self.recent.back_mut(), before_ms) {
            last.until_ms = last.until_ms.max(before_ms);
        }
        if let Some(last) = self.recent.back_mut()
            && *last.numbers == *numbers
        {
            last.until_ms = now_ms;
        } else {
            self.recent.push_back(Run { numbers: numbers.into(), from_ms: now_ms, until_ms: now_ms });
        }
        while self.recent.len() > bounds.recent {
            let Some(run) = self.recent.pop_front() else { break };
            self.older.get_or_insert_default().push(run);
        }
        while self.recent.len() > 1 && self.recent.front().is_some_and(|run| run.until_ms + KEPT_MS < now_ms) {
            self.recent.pop_front();
        }
        if self.recent.len() == 1 {
            self.recent.shrink_to_fit();
        }
        if let Some(older) = &mut self.older {
            older.forget(now_ms.saturating_sub(KEPT_MS), bounds.older);
        }
        self.older.take_if(|older| older.is_empty());
    }

    /// Whether nothing was counted as far as it goes back: then it need not be kept.
    fn is_empty(&self) -> bool {
        self.older.is_none() && self.recent.iter().all(|run| run.numbers.iter().all(|number| *number == 0))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.recent.len() + self.older.as_ref().map_or(0, |older| older.len())
    }

    /// Whether all numbers are those of the look before the last one.
    fn is_at_rest(&self, last_ms: u64) -> bool {
        self.recent.back().is_none_or(|last| last_ms > last.from_ms)
    }

    /// The change of one number a second, between the last two looks.
    fn rate(&self, place: usize, last_ms: u64) -> f64 {
        let Some(last) = self.recent.back() else { return 0.0 };
        if self.is_at_rest(last_ms) {
            return 0.0;
        }
        let before = self.recent.len().checked_sub(2).and_then(|at| self.recent.get(at));
        let Some(before) = before else { return 0.0 };
        let number = |run: &Run| run.numbers.get(place).copied().unwrap_or_default();
        per_second(number(before), number(last), last.from_ms.saturating_sub(before.until_ms))
    }

    /// The number as it was at a time: 0 before the first look, `None` where it is not known any more.
    fn at(&self, place: usize, at_ms: u64) -> Option<u64> {
        if self.first_ms.is_some_and(|first_ms| at_ms < first_ms) {
            return Some(0);
        }
        // They are in the order of time: a search costs little, however far it goes back.
        let is_before = |run: &Run| run.from_ms <= at_ms;
        let recent = self.recent.partition_point(is_before).checked_sub(1).and_then(|last| self.recent.get(last));
        let run = recent.or_else(|| self.older.as_deref()?.before(at_ms))?;
        run.numbers.get(place).copied()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^52")]
fn per_second(before: u64, after: u64, milliseconds: u64) -> f64 {
    if milliseconds == 0 { 0.0 } else { (after as f64 - before as f64) * 1000.0 / milliseconds as f64 }
}

/// What a request asks for with `lengths_age` and `lengths_incr` and their like, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) age_ms: u64,
    pub(super) step_ms: u64,
}

impl Range {
    /// How many steps back the samples of one number go.
    fn steps(self) -> u64 {
        (self.age_ms / self.step_ms.max(1)).min(SAMPLES_MAX)
    }

    /// How many samples so many numbers have.
    pub(super) fn samples(self, count: usize) -> usize {
        usize::try_from(self.steps() + 1).unwrap_or(usize::MAX).saturating_mul(count)
    }
}

/// One moment of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    sample: u64,
    timestamp: u64,
}

/// The value of a key that ends in `_details`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Details {
    pub(super) rate: f64,
    avg: Option<f64>,
    avg_rate: Option<f64>,
    samples: Option<Vec<Sample>>,
}

/// A list of queues has tens of thousands of numbers that do not move: what is said of them is written in one piece.
static AT_REST: LazyLock<Option<Box<RawValue>>> =
    LazyLock::new(|| RawValue::from_string(r#"{"rate":0.0}"#.to_owned()).ok());

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { rate, avg, avg_rate, samples } = self;
        let is_plain = avg.is_none() && avg_rate.is_none() && samples.is_none();
        if is_plain
            && rate.to_bits() == 0
            && let Some(at_rest) = &*AT_REST
        {
            return at_rest.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("rate", rate)?;
        for (key, number) in [("avg", avg), ("avg_rate", avg_rate)] {
            if let Some(number) = number {
                map.serialize_entry(key, number)?;
            }
        }
        if let Some(samples) = samples {
            map.serialize_entry("samples", samples)?;
        }
        map.end()
    }
}

impl Details {
    /// Of what does not move.
    pub(super) const AT_REST: Self = Self { rate: 0.0, avg: None, avg_rate: None, samples: None };

    /// Adds what another number does at the same time.
    pub(super) fn add(&mut self, other: &Self) {
        let sum = |a: Option<f64>, b: Option<f64>| Some(a.unwrap_or_default() + b?);
        self.rate += other.rate;
        self.avg = sum(self.avg, other.avg).or(self.avg);
        self.avg_rate = sum(self.avg_rate, other.avg_rate).or(self.avg_rate);
        let Some(others) = &other.samples else { return };
        match &mut self.samples {
            Some(samples) => samples.iter_mut().zip(others).for_each(|(own, other)| own.sample += other.sample),
            None => self.samples = Some(others.clone()),
        }
    }
}

/// Samples of one number at most.
const SAMPLES_MAX: u64 = 1_000;

/// All numbers of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    histories: FxHashMap<Owner, History>,
    /// When everything was taken down last.
    last_ms: Option<u64>,
    /// Counts the looks.
    number: u64,
}

impl Rates {
    /// Begins to take down the numbers of everything that there is. Others wait for its end.
    pub(super) fn look(&self, now_ms: u64) -> Look<'_> {
        let mut looks = self.looks.lock();
        looks.number += 1;
        let bounds = of_objects(looks.histories.len());
        Look { looks, bounds, now_ms }
    }

    /// Forgets everything: rates and samples begin anew.
    pub(super) fn forget(&self) {
        *self.looks.lock() = Looks::default();
    }

    /// How fast one number of an object moves.
    pub(super) fn rate(&self, owner: &Owner, place: usize) -> f64 {
        let looks = self.looks.lock();
        let last_ms = looks.last_ms.unwrap_or_default();
        looks.histories.get(owner).map_or(0.0, |history| history.rate(place, last_ms))
    }

    /// Since when an object has not moved, as far as looks can tell: `from_ms` if it never did, nothing while it moves.
    pub(super) fn still_since(&self, owner: &Owner, numbers: &[u64], from_ms: u64) -> Option<u64> {
        let looks = self.looks.lock();
        let last = looks.histories.get(owner).and_then(|history| history.recent.back());
        match last {
            Some(last) => (*last.numbers == *numbers).then(|| last.from_ms.max(from_ms)),
            None => numbers.iter().all(|number| *number == 0).then_some(from_ms),
        }
    }

    /// Whether no number of an object moved between the last two looks.
    pub(super) fn is_at_rest(&self, owner: &Owner) -> bool {
        let looks = self.looks.lock();
        let last_ms = looks.last_ms.unwrap_or_default();
        looks.histories.get(owner).is_none_or(|history| history.is_at_rest(last_ms))
    }

    /// How fast each number of an object moves, with samples if a range is asked for.
    pub(super) fn details(&self, owner: Owner, count: usize, range: Option<Range>) -> Vec<Details> {
        let looks = self.looks.lock();
        let Some(history) = looks.histories.get(&owner) else {
            return vec![looks.last_ms.map_or_else(|| unknown(range), |last_ms| nothing(last_ms, range)); count];
        };
        let last_ms = looks.last_ms.unwrap_or_default();
        (0..count).map(|place| details(history, place, last_ms, range)).collect()
    }
}

/// A look at everything that there is. An object is told of at once: what never counted anything takes no memory, not even until the end
/// of the look. At its end, what it did not find is forgotten; a queue that stands still may be passed over for [`ROUNDS_OF_REST`] looks.
pub(super) struct Look<'a> {
    looks: MutexGuard<'a, Looks>,
    bounds: Bounds,
    now_ms: u64,
}

impl Look<'_> {
    /// Nothing is known yet: everything has to be told of.
    pub(super) fn is_first(&self) -> bool {
        self.looks.last_ms.is_none()
    }

    /// Takes down how far the numbers of one object are.
    pub(super) fn note(&mut self, owner: Owner, numbers: &[u64]) {
        let Looks { histories, last_ms, number } = &mut *self.looks;
        let bounds = if owner.is_node() { OF_NODE } else { self.bounds };
        let mut known = match histories.entry(owner) {
            Entry::Occupied(known) => known,
            Entry::Vacant(_) if numbers.iter().all(|number| *number == 0) => return,
            Entry::Vacant(unknown) => {
                let mut known = unknown.insert_entry(History::default());
                // Until now it had counted nothing.
                if let Some(last_ms) = *last_ms {
                    known.get_mut().note(&Numbers::from_elem(0, numbers.len()), (None, last_ms), bounds);
                }
                known
            }
        };
        let history = known.get_mut();
        history.note(numbers, (*last_ms, self.now_ms), bounds);
        history.look = *number;
        // It is looked through here, and not at the end of each look: there may be very many that stand still.
        if history.is_empty() {
            known.remove();
        }
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        let Looks { histories, last_ms, number } = &mut *self.looks;
        histories.retain(|owner, history| history.look + owner.passed_over_max() >= *number);
        // A map never shrinks by itself.
        if histories.capacity() / 4 > histories.len() {
            histories.shrink_to_fit();
        }
        *last_ms = Some(self.now_ms);
    }
}

/// Before the first look: whoever asks for samples is told of none.
fn unknown(range: Option<Range>) -> Details {
    let (number, samples) = (range.map(|_| 0.0), range.map(|_| Vec::new()));
    Details { avg: number, avg_rate: number, samples, ..Details::default() }
}

/// Of what counted nothing until the last look.
fn nothing(last_ms: u64, range: Option<Range>) -> Details {
    let run = Run { numbers: Numbers::from_elem(0, 1), from_ms: 0, until_ms: last_ms };
    details(&History { recent: VecDeque::from([run]), ..History::default() }, 0, last_ms, range)
}

fn details(history: &History, place: usize, last_ms: u64, range: Option<Range>) -> Details {
    let rate = history.rate(place, last_ms);
    let Some(range) = range else { return Details { rate, ..Details::default() } };
    // The times that are told are even; the last look has the last of them.
    let after_even_ms = last_ms % INTERVAL_MS;
    let sample = |step: u64| {
        let at_ms = last_ms.checked_sub(step.checked_mul(range.step_ms)?)?;
        Some(Sample { sample: history.at(place, at_ms)?, timestamp: at_ms.saturating_sub(after_even_ms) })
    };
    let samples: Vec<_> = (0..=range.steps()).filter_map(sample).collect();
    #[expect(clippy::cast_precision_loss, reason = "counters stay far below 2^52")]
    let avg = samples.iter().map(|sample| sample.sample as f64).sum::<f64>() / samples.len().max(1) as f64;
    let avg_rate = match (samples.last(), samples.first()) {
        (Some(first), Some(last)) => {
            per_second(first.sample, last.sample, last.timestamp.saturating_sub(first.timestamp))
        }
        _ => 0.0,
    };
    Details { rate, avg: Some(avg), avg_rate: Some(avg_rate), samples: Some(samples) }
}

#[cfg(test)]
mod tests;
