//! What must be durable before somebody is told of it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What must be durable. Opaque: only the store knows where in which log that is.
///
/// A position may stand for several places of the log, so positions are not compared: one is joined with another by
/// [`LogPosition::and`], and asked by [`LogPosition::includes`] what else is durable with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPosition(pub(super) u64);

impl LogPosition {
    /// What needs no record is durable from the start.
    pub(crate) const START: Self = Self(0);

    /// The place that a test's log has counted.
    #[cfg(test)]
    pub(crate) const fn at(place: u64) -> Self {
        Self(place)
    }

    /// What must be durable for both.
    #[must_use]
    #[inline]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// Whether whoever waits for this waits for `other` as well: once this is durable, `other` is.
    #[must_use]
    #[inline]
    pub const fn includes(self, other: Self) -> bool {
        self.0 >= other.0
    }
}

/// All of them must be durable.
impl FromIterator<Self> for LogPosition {
    fn from_iter<I: IntoIterator<Item = Self>>(positions: I) -> Self {
        positions.into_iter().fold(Self::START, Self::and)
    }
}

/// What must be durable for everything that was noted here so far, by any thread.
#[derive(Debug, Default)]
pub(crate) struct LastChange(AtomicU64);

impl LastChange {
    /// Adds a change that was recorded.
    pub(crate) fn note(&self, position: LogPosition) {
        self.0.fetch_max(position.0, Ordering::AcqRel);
    }

    /// What must be durable for all of them.
    pub(crate) fn position(&self) -> LogPosition {
        LogPosition(self.0.load(Ordering::Acquire))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_joined_and_include_what_they_were_joined_from() {
        let (early, late) = (LogPosition(3), LogPosition(7));
        for both in [early.and(late), late.and(early), [early, late].into_iter().collect()] {
            assert!(both.includes(early) && both.includes(late));
        }
        assert!(!early.includes(late) && early.includes(early) && early.includes(LogPosition::START));
        assert_eq!(LogPosition::from_iter([]), LogPosition::START);
        let last = LastChange::default();
        last.note(late);
        last.note(early);
        assert_eq!(last.position(), late);
    }
}
