//! How fast counters move: what was counted at the last moments at which somebody looked, every five seconds.
//!
//! Pure: times and numbers come in. An object that never counted anything costs nothing, one that does not move any more one entry,
//! and one that is gone is forgotten with the next look. So memory is bounded by the objects that are in use.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use smallvec::SmallVec;

use crate::broker::ids::{ChannelId, ConnectionId, ExchangeId, QueueId};

/// Milliseconds between two looks, as in RabbitMQ.
pub(super) const INTERVAL_MS: u64 = 5_000;
/// For how long numbers of one object are kept, in milliseconds.
const KEPT_MS: u64 = 10 * 60 * 1000;
/// At most so many changes of one object are kept: a minute of them.
const CHANGES_MAX: usize = 13;
/// At most so many of the whole node: an hour.
const NODE_CHANGES_MAX: usize = 720;

/// Whose numbers they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// Of the whole node: messages that passed.
    Node,
    /// Of the whole node: messages that are there.
    NodeQueues,
    /// Of the whole node: what came and went.
    NodeChurn,
    /// A virtual host: messages that passed.
    Vhost(Arc<str>),
    /// A queue: what passed.
    Queue(QueueId),
    /// A queue: what is there.
    QueueDepth(QueueId),
    /// An exchange.
    Exchange(ExchangeId),
    /// A connection: bytes.
    Connection(ConnectionId),
    /// A channel.
    Channel(ChannelId),
}

type Numbers = SmallVec<[u64; 4]>;

/// Numbers that stayed the same from one look to another.
#[derive(Clone, Debug)]
struct Run {
    numbers: Numbers,
    from_ms: u64,
    until_ms: u64,
}

#[derive(Clone, Debug, Default)]
struct History(VecDeque<Run>);

impl History {
    fn note(&mut self, numbers: Numbers, now_ms: u64, changes_max: usize) {
        if let Some(last) = self.0.back_mut()
            && last.numbers == numbers
        {
            last.until_ms = now_ms;
        } else {
            self.0.push_back(Run { numbers, from_ms: now_ms, until_ms: now_ms });
        }
        while self.0.len() > changes_max
            || self.0.len() > 1 && self.0.front().is_some_and(|run| run.until_ms + KEPT_MS < now_ms)
        {
            self.0.pop_front();
        }
        if self.0.len() == 1 {
            self.0.shrink_to_fit();
        }
    }

    /// Whether nothing was counted as far as it goes back: then it need not be kept.
    fn is_empty(&self) -> bool {
        self.0.iter().all(|run| run.numbers.iter().all(|number| *number == 0))
    }

    /// The change of one number a second, between the last two looks.
    fn rate(&self, place: usize) -> f64 {
        let Some(last) = self.0.back() else { return 0.0 };
        if last.until_ms > last.from_ms {
            return 0.0;
        }
        let Some(before) = self.0.len().checked_sub(2).and_then(|at| self.0.get(at)) else { return 0.0 };
        let number = |run: &Run| run.numbers.get(place).copied().unwrap_or_default();
        per_second(number(before), number(last), last.from_ms.saturating_sub(before.until_ms))
    }

    /// The number as it was at a time, or the earliest that is known.
    fn at(&self, place: usize, at_ms: u64) -> Option<u64> {
        let run = self.0.iter().rev().find(|run| run.from_ms <= at_ms).or_else(|| self.0.front())?;
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

/// One moment of a number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Sample {
    sample: u64,
    timestamp: u64,
}

/// The value of a key that ends in `_details`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Details {
    pub(super) rate: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<Vec<Sample>>,
}

impl Details {
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

/// Samples that one answer holds at most.
const SAMPLES_MAX: u64 = 1_000;

/// All numbers of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    histories: HashMap<Owner, History>,
    /// When everything was taken down last.
    last_ms: Option<u64>,
}

impl Rates {
    /// Takes down the numbers of everything that there is, and forgets what is gone.
    pub(super) fn note(&self, all: impl IntoIterator<Item = (Owner, Numbers)>, now_ms: u64) {
        let mut looks = self.looks.lock();
        let Looks { histories: known, last_ms } = std::mem::take(&mut *looks);
        *looks = Looks { histories: noted(known, all, last_ms, now_ms), last_ms: Some(now_ms) };
    }

    /// How fast each number of an object moves, with samples if a range is asked for.
    pub(super) fn details(&self, owner: Owner, count: usize, range: Option<Range>) -> Vec<Details> {
        let looks = self.looks.lock();
        let Some(history) = looks.histories.get(&owner) else { return vec![Details::default(); count] };
        (0..count).map(|place| details(history, place, range)).collect()
    }
}

/// The histories of everything that counted something.
fn noted(
    mut known: HashMap<Owner, History>,
    all: impl IntoIterator<Item = (Owner, Numbers)>,
    last_ms: Option<u64>,
    now_ms: u64,
) -> HashMap<Owner, History> {
    let mut kept = HashMap::with_capacity(known.len());
    for (owner, numbers) in all {
        let mut history = known.remove(&owner).unwrap_or_default();
        if history.0.is_empty() {
            if numbers.iter().all(|number| *number == 0) {
                continue;
            }
            // Until now it had counted nothing.
            if let Some(last_ms) = last_ms {
                history.note(numbers.iter().map(|_| 0).collect(), last_ms, CHANGES_MAX);
            }
        }
        let is_node = matches!(owner, Owner::Node | Owner::NodeQueues | Owner::NodeChurn);
        history.note(numbers, now_ms, if is_node { NODE_CHANGES_MAX } else { CHANGES_MAX });
        if !history.is_empty() {
            kept.insert(owner, history);
        }
    }
    kept
}

fn details(history: &History, place: usize, range: Option<Range>) -> Details {
    let rate = history.rate(place);
    let Some((range, last)) = range.zip(history.0.back()) else { return Details { rate, ..Details::default() } };
    let now_ms = last.until_ms / INTERVAL_MS * INTERVAL_MS;
    let steps = (range.age_ms / range.step_ms.max(1)).min(SAMPLES_MAX);
    let sample = |step: u64| {
        let timestamp = now_ms.saturating_sub(step * range.step_ms);
        Some(Sample { sample: history.at(place, timestamp)?, timestamp })
    };
    let samples: Vec<_> = (0..=steps).filter_map(sample).collect();
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
mod tests {
    use smallvec::smallvec;

    use super::*;

    const QUEUE: Owner = Owner::Queue(QueueId(1));

    fn looked(numbers: &[(u64, u64)]) -> Rates {
        let rates = Rates::default();
        for (now_ms, number) in numbers {
            rates.note([(QUEUE, smallvec![*number])], *now_ms);
        }
        rates
    }

    fn rate(rates: &Rates) -> f64 {
        rates.details(QUEUE, 1, None)[0].rate
    }

    #[test]
    fn a_rate_is_the_change_between_the_last_two_looks() {
        assert!((rate(&looked(&[(0, 0), (5_000, 10)])) - 2.0).abs() < 1e-9);
        assert!((rate(&looked(&[(0, 0), (5_000, 0), (10_000, 0), (15_000, 50)])) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_stands_still_has_no_rate_and_costs_one_entry() {
        let rates = looked(&[(0, 0), (5_000, 10), (10_000, 10), (15_000, 10)]);
        assert!(rate(&rates).abs() < 1e-9);
        assert_eq!(rates.looks.lock().histories[&QUEUE].0.len(), 2);
    }

    #[test]
    fn what_never_counted_anything_costs_nothing() {
        let rates = looked(&[(0, 0), (5_000, 0)]);
        assert!(rates.looks.lock().histories.is_empty());
        rates.note([(QUEUE, smallvec![10])], 10_000);
        assert!((rate(&rates) - 2.0).abs() < 1e-9, "before, it had counted nothing");
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let rates = looked(&[(0, 0), (5_000, 10)]);
        rates.note([], 10_000);
        assert!(rates.looks.lock().histories.is_empty());
        assert!(rate(&rates).abs() < 1e-9);
    }

    #[test]
    fn samples_go_back_as_far_as_asked() {
        let rates = looked(&[(0, 0), (5_000, 10), (10_000, 30)]);
        let details = &rates.details(QUEUE, 1, Some(Range { age_ms: 10_000, step_ms: 5_000 }))[0];
        let samples: Vec<_> = details.samples.as_ref().unwrap().iter().map(|s| (s.timestamp, s.sample)).collect();
        assert_eq!(samples, [(10_000, 30), (5_000, 10), (0, 0)]);
        assert!((details.avg_rate.unwrap() - 3.0).abs() < 1e-9);
    }

    #[test]
    fn changes_of_one_object_are_bounded() {
        let rates = Rates::default();
        for look in 0..1000 {
            rates.note([(QUEUE, smallvec![look])], look * INTERVAL_MS);
        }
        assert_eq!(rates.looks.lock().histories[&QUEUE].0.len(), CHANGES_MAX);
    }
}
