//! A family of samples: a row of a table for all things of one kind. A new metric is one row.

use super::text::{Labels, MetricKind, Number};

/// A thing of which there may be many.
pub(super) trait MetricRow: Send + Sync + Sized + 'static {
    /// What tells it from the others.
    fn labels(&self, labels: &mut Labels<'_>);
}

/// What a family is where samples are sums over all things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Summed {
    /// The numbers of all objects are added up.
    Sum,
    /// Its head alone: a sum would mean nothing.
    HeadOnly,
    /// Not there at all.
    Absent,
}

/// One number that each of many things has.
#[derive(Debug)]
pub(super) struct Family<T> {
    /// Its name, without the prefix of an endpoint.
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) help: &'static str,
    /// Under which names `/metrics/detailed` gives it.
    pub(super) groups: &'static [&'static str],
    /// `None` for what RabbitMQ counts and this broker does not: the name is there, and no sample.
    pub(super) of: Option<fn(&T) -> Number>,
    pub(super) labels: fn(&T, &mut Labels<'_>),
    pub(super) summed: Summed,
}

const fn family<T: MetricRow>(
    kind: MetricKind,
    name: &'static str,
    groups: &'static [&'static str],
    help: &'static str,
    of: Option<fn(&T) -> Number>,
) -> Family<T> {
    Family { name, kind, help, groups, of, labels: T::labels, summed: Summed::Sum }
}

/// A number that only grows.
pub(super) const fn counter<T: MetricRow>(
    name: &'static str,
    groups: &'static [&'static str],
    help: &'static str,
    of: fn(&T) -> Number,
) -> Family<T> {
    family(MetricKind::Counter, name, groups, help, Some(of))
}

/// A number that goes up and down.
pub(super) const fn gauge<T: MetricRow>(
    name: &'static str,
    groups: &'static [&'static str],
    help: &'static str,
    of: fn(&T) -> Number,
) -> Family<T> {
    family(MetricKind::Gauge, name, groups, help, Some(of))
}

/// A number of which RabbitMQ does not say what it is.
pub(super) const fn untyped<T: MetricRow>(
    name: &'static str,
    groups: &'static [&'static str],
    help: &'static str,
    of: fn(&T) -> Number,
) -> Family<T> {
    family(MetricKind::Untyped, name, groups, help, Some(of))
}

/// A number that RabbitMQ has and this broker does not.
pub(super) const fn unknown<T: MetricRow>(
    kind: MetricKind,
    name: &'static str,
    groups: &'static [&'static str],
    help: &'static str,
) -> Family<T> {
    family(kind, name, groups, help, None)
}

impl<T> Family<T> {
    /// With other labels than its things have.
    pub(super) const fn labelled(self, labels: fn(&T, &mut Labels<'_>)) -> Self {
        Self { labels, ..self }
    }

    /// Whose sum means nothing.
    pub(super) const fn not_summed(self) -> Self {
        Self { summed: Summed::HeadOnly, ..self }
    }

    /// That is only told of each thing.
    pub(super) const fn per_object_only(self) -> Self {
        Self { summed: Summed::Absent, ..self }
    }
}
