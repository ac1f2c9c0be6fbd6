//! Times between a write and what it leads to, and their percentiles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::meter::now;

/// Enough samples for the 99.9th percentile.
const SAMPLES_MAX: u64 = 50_000;

/// When every n-th message of one publisher was written. Messages are known by their number alone, so that nothing has to
/// be read from a body.
#[derive(Debug)]
pub(crate) struct Stamps {
    begin: Instant,
    every: u64,
    nanos: Vec<AtomicU64>,
}

impl Stamps {
    pub(crate) fn new(messages: u64) -> Self {
        let every = messages.div_ceil(SAMPLES_MAX).max(1);
        let nanos = (0..=messages / every).map(|_| AtomicU64::new(0)).collect();
        Self { begin: now(), every, nanos }
    }

    /// Messages `first` to `first + count - 1`, counted from zero, are about to be written.
    pub(crate) fn sent(&self, first: u64, count: u64) {
        let nanos = self.nanos();
        for slot in self.slots(first, first + count) {
            slot.store(nanos, Ordering::Relaxed);
        }
    }

    /// Of the first messages, `before` had arrived earlier, and now `after` have.
    pub(crate) fn arrived(&self, before: u64, after: u64, times: &mut Vec<u64>) {
        let nanos = self.nanos();
        times.extend(self.slots(before, after).map(|slot| nanos.saturating_sub(slot.load(Ordering::Relaxed))));
    }

    fn slots(&self, from: u64, to: u64) -> impl Iterator<Item = &AtomicU64> {
        let [from, to] = [from, to].map(|index| usize::try_from(index.div_ceil(self.every)).unwrap_or(usize::MAX));
        self.nanos.get(from..to.min(self.nanos.len())).unwrap_or_default().iter()
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Percentiles in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

impl Latency {
    /// `None` where nothing was timed.
    pub(crate) fn of(mut nanos: Vec<u64>) -> Option<Self> {
        nanos.sort_unstable();
        let last = nanos.len().checked_sub(1)?;
        let at = |permille: usize| {
            let index = (nanos.len() * permille / 1000).min(last);
            nanos.get(index).copied().unwrap_or_default() as f64 / 1e3
        };
        Some(Self { p50_us: at(500), p99_us: at(990), p999_us: at(999) })
    }
}
