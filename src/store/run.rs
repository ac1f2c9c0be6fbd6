//! A run of the broker on its data directory: what tells files and groups of the log apart that have the same number or place.

/// A run: its number in the upper 32 bits, one above that of the run before; by chance in the lower ones, so that two runs that went on
/// from copies of the same directory differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run(pub u64);

impl Run {
    /// Before the first run.
    pub const NONE: Self = Self(0);

    /// The number of the run.
    pub const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The run behind this one.
    #[must_use]
    pub const fn following(self, nonce: u32) -> Self {
        Self((self.epoch().saturating_add(1) as u64) << 32 | nonce as u64)
    }

    /// Whether what this run wrote can follow what `before` wrote: it is the same run or a later one.
    pub(super) const fn can_follow(self, before: Self) -> bool {
        self.0 == before.0 || self.epoch() > before.epoch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_follows_itself_and_earlier_ones_only() {
        let first = Run::NONE.following(7);
        let (second, other) = (first.following(1), first.following(2));
        assert_eq!((first.epoch(), second.epoch()), (1, 2));
        assert!(first.can_follow(first) && second.can_follow(first));
        assert!(!first.can_follow(second) && !other.can_follow(second));
    }
}
