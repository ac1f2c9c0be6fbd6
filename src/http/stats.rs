//! `message_stats` and the keys that end in `_details`.

use std::cell::Cell;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::rates::{Details, Owner, Range};
use super::request::Request;
use crate::metrics::{ChurnStats, ExchangeStats, MessageStats};

/// Samples that one answer holds at most, of some 50 bytes each: all those of 5,000 queues over a minute.
const SAMPLES_MAX: usize = 1_000_000;

/// How many samples one answer may still hold. What comes behind them in a long list has rates and no samples.
#[derive(Debug)]
pub(super) struct SamplesLeft(Cell<usize>);

impl Default for SamplesLeft {
    fn default() -> Self {
        Self(Cell::new(SAMPLES_MAX))
    }
}

impl SamplesLeft {
    /// Takes so many, if there are as many left.
    fn take(&self, count: usize) -> bool {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Does something that is to have no samples, and takes none for it.
    pub(super) fn without<T>(&self, act: impl FnOnce() -> T) -> T {
        let left = self.0.replace(0);
        let done = act();
        self.0.set(left);
        done
    }
}

/// Which of the ranges of a query applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RateKind {
    /// `lengths_age` and `lengths_incr`.
    Lengths,
    /// `msg_rates_age` and `msg_rates_incr`.
    MessageRates,
    /// `data_rates_age` and `data_rates_incr`.
    DataRates,
    /// `node_stats_age` and `node_stats_incr`.
    NodeStats,
}

impl Request<'_> {
    /// The samples that are asked for; none if the query does not name both numbers.
    pub(super) fn range(&self, kind: RateKind) -> Option<Range> {
        let (age, step) = match kind {
            RateKind::Lengths => ("lengths_age", "lengths_incr"),
            RateKind::MessageRates => ("msg_rates_age", "msg_rates_incr"),
            RateKind::DataRates => ("data_rates_age", "data_rates_incr"),
            RateKind::NodeStats => ("node_stats_age", "node_stats_incr"),
        };
        let milliseconds = |name| Some(self.parameter(name)?.parse::<u64>().ok()?.saturating_mul(1000));
        Some(Range { age_ms: milliseconds(age)?, step_ms: milliseconds(step)?.max(1) })
    }

    /// How fast the numbers of an object move.
    pub(super) fn details(&self, owner: Owner, count: usize, kind: RateKind) -> Vec<Details> {
        let range = self.range(kind).filter(|range| self.samples_left.take(range.samples(count)));
        self.api.rates.details(owner, count, range)
    }

    /// As [`Request::details`], without a list of them for what does not move: most of what stands in a long list.
    pub(super) fn moves(&self, owner: Owner, count: usize, kind: RateKind) -> Moves {
        if self.range(kind).is_none() && self.api.rates.is_at_rest(&owner) {
            Moves::None
        } else {
            Moves::Each(self.details(owner, count, kind))
        }
    }
}

/// How fast each number of an object moves.
#[derive(Clone, Debug)]
pub(super) enum Moves {
    /// No number moves, and nobody asked for samples.
    None,
    Each(Vec<Details>),
}

static AT_REST: Details = Details::AT_REST;

impl Moves {
    /// Of the number that stands at this place.
    fn of(&self, place: usize) -> &Details {
        match self {
            Self::None => &AT_REST,
            Self::Each(details) => details.get(place).unwrap_or(&AT_REST),
        }
    }

    /// Of the first three numbers.
    pub(super) fn first_three(self) -> [Details; 3] {
        match self {
            Self::None => Default::default(),
            Self::Each(details) => details.try_into().unwrap_or_default(),
        }
    }
}

/// Numbers with how fast each of them moves, written as one object.
#[derive(Clone, Debug)]
pub(super) struct CountedStats {
    numbers: Vec<(&'static str, u64)>,
    details_names: &'static [&'static str],
    moves: Moves,
}

impl Serialize for CountedStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 * self.numbers.len()))?;
        for (place, ((name, number), details_name)) in self.numbers.iter().zip(self.details_names).enumerate() {
            map.serialize_entry(name, number)?;
            map.serialize_entry(details_name, self.moves.of(place))?;
        }
        map.end()
    }
}

/// `message_stats` of a queue, a channel or the node.
#[derive(Clone, Debug)]
pub(super) struct PassedStats {
    stats: MessageStats,
    moves: Moves,
}

/// The kinds of deliveries that `deliver_get` sums up.
const DELIVER_GET: [&str; 4] = ["deliver", "deliver_no_ack", "get", "get_no_ack"];

impl PassedStats {
    pub(super) fn new(stats: MessageStats, request: &Request<'_>, owner: Owner) -> Self {
        Self { stats, moves: request.moves(owner, MessageStats::DETAILS.len(), RateKind::MessageRates) }
    }

    fn deliver_get_details(&self) -> Details {
        let mut sum = Details::default();
        if let Moves::Each(details) = &self.moves {
            let named = self.stats.named().zip(details);
            named.filter(|((name, _), _)| DELIVER_GET.contains(name)).for_each(|(_, details)| sum.add(details));
        }
        sum
    }
}

impl Serialize for PassedStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (place, ((name, number), details_name)) in self.stats.named().zip(MessageStats::DETAILS).enumerate() {
            map.serialize_entry(name, &number)?;
            map.serialize_entry(details_name, self.moves.of(place))?;
        }
        map.serialize_entry("deliver_get", &self.stats.deliver_get())?;
        map.serialize_entry("deliver_get_details", &self.deliver_get_details())?;
        map.end()
    }
}

/// How fast messages of a queue or the like move, by a key such as `message_stats.publish_details.rate`.
pub(super) fn rate_of(request: &Request<'_>, owner: &Owner, key: &str) -> Option<f64> {
    let name = key.strip_prefix("message_stats.")?.strip_suffix("_details.rate")?;
    let rate = |name: &str| {
        let place = MessageStats::DETAILS.iter().position(|known| known.strip_suffix("_details") == Some(name))?;
        Some(request.api.rates.rate(owner, place))
    };
    if name == "deliver_get" { DELIVER_GET.iter().map(|name| rate(name)).sum() } else { rate(name) }
}

/// `message_stats` of an exchange.
pub(super) fn of_exchange(stats: ExchangeStats, request: &Request<'_>, owner: Owner) -> CountedStats {
    let numbers: Vec<_> = stats.named().collect();
    let moves = request.moves(owner, numbers.len(), RateKind::MessageRates);
    CountedStats { numbers, details_names: ExchangeStats::DETAILS, moves }
}

/// `churn_rates` of the overview.
pub(super) fn churn(stats: ChurnStats, request: &Request<'_>) -> CountedStats {
    let numbers: Vec<_> = stats.named().collect();
    let moves = request.moves(Owner::NodeChurn, numbers.len(), RateKind::MessageRates);
    CountedStats { numbers, details_names: ChurnStats::DETAILS, moves }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_no_more_samples_than_it_may() {
        let left = SamplesLeft::default();
        assert!(left.take(SAMPLES_MAX - 1) && left.take(1) && !left.take(1));
        let left = SamplesLeft::default();
        assert!(!left.take(SAMPLES_MAX + 1) && !left.take(1), "the rest of a list has none either");
        let left = SamplesLeft::default();
        assert!(!left.without(|| left.take(1)) && left.take(1), "what was left is left again");
    }
}
