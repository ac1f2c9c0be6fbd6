//! Counts what was sent, received and confirmed, and how long it took: pure but for its lock.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Of more in one interval the rest is not looked at: they would take memory, and change nothing.
const SAMPLES_MAX: usize = 1 << 20;

/// What was counted since it was looked at last, and since the start.
#[derive(Debug, Default)]
pub(super) struct Counter {
    all: AtomicU64,
    told: AtomicU64,
}

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.all.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// How much was added since this was asked last.
    fn take(&self) -> u64 {
        let all = self.all();
        all - self.told.swap(all, Ordering::Relaxed)
    }
}

/// Latencies of one interval.
#[derive(Debug, Default)]
pub(super) struct Latencies(Mutex<Vec<u64>>);

impl Latencies {
    pub(super) fn add(&self, latency: u64) {
        let mut samples = self.0.lock();
        if samples.len() < SAMPLES_MAX {
            samples.push(latency);
        }
    }

    fn take(&self) -> Option<Quantiles> {
        Quantiles::of(std::mem::take(&mut *self.0.lock()))
    }
}

/// Minimum, median, and what 75, 95 and 99 of a hundred do not exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantiles(pub(super) [u64; 5]);

impl Quantiles {
    fn of(mut samples: Vec<u64>) -> Option<Self> {
        samples.sort_unstable();
        let at = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1) - 1;
            samples.get(rank).copied()
        };
        Some(Self([at(0)?, at(50)?, at(75)?, at(95)?, at(99)?]))
    }
}

/// Everything that is measured.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) sent: Counter,
    pub(super) received: Counter,
    pub(super) returned: Counter,
    pub(super) confirmed: Counter,
    pub(super) nacked: Counter,
    pub(super) consumer_latency: Latencies,
    pub(super) confirm_latency: Latencies,
}

/// What was measured in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) returned: u64,
    pub(super) confirmed: u64,
    pub(super) nacked: u64,
    pub(super) consumer_latency: Option<Quantiles>,
    pub(super) confirm_latency: Option<Quantiles>,
}

impl Meter {
    /// What was measured since this was asked last.
    pub(super) fn take(&self) -> Measured {
        Measured {
            sent: self.sent.take(),
            received: self.received.take(),
            returned: self.returned.take(),
            confirmed: self.confirmed.take(),
            nacked: self.nacked.take(),
            consumer_latency: self.consumer_latency.take(),
            confirm_latency: self.confirm_latency.take(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_what_was_measured() {
        assert_eq!(Quantiles::of(Vec::new()), None);
        assert_eq!(Quantiles::of(vec![7]), Some(Quantiles([7; 5])));
        assert_eq!(Quantiles::of((1..=100).rev().collect()), Some(Quantiles([1, 50, 75, 95, 99])));
        assert_eq!(Quantiles::of(vec![1, 2, 3, 1000]), Some(Quantiles([1, 2, 3, 1000, 1000])));
    }

    #[test]
    fn each_interval_counts_anew_and_the_whole_goes_on() {
        let meter = Meter::default();
        meter.sent.add(3);
        meter.consumer_latency.add(5);
        assert_eq!((meter.take().sent, meter.take().sent), (3, 0));
        meter.sent.add(4);
        let measured = meter.take();
        assert_eq!((measured.sent, measured.consumer_latency, meter.sent.all()), (4, None, 7));
    }

    #[test]
    fn many_samples_take_little_memory() {
        let latencies = Latencies::default();
        (0..SAMPLES_MAX as u64 + 10).for_each(|sample| latencies.add(sample));
        assert_eq!(latencies.0.lock().len(), SAMPLES_MAX);
    }
}
