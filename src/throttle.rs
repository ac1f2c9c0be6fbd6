//! Keeps a line that is repeated often from filling the log: a few are let through, the rest is counted.

/// Milliseconds after which as many are let through again.
pub(crate) const INTERVAL_MS: u64 = 10_000;

/// What one source of lines has had written.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    began_ms: u64,
    written: u32,
    left_out: u64,
}

impl Throttle {
    /// Whether to write a line now; not more than so many in an interval.
    pub(crate) fn pass(&mut self, now_ms: u64, most: u32) -> bool {
        if self.is_over(now_ms) {
            (self.began_ms, self.written) = (now_ms, 0);
        }
        let passes = self.written < most;
        if passes {
            self.written += 1;
        } else {
            self.left_out += 1;
        }
        passes
    }

    /// Whether the interval is over in which something was written first.
    pub(crate) const fn is_over(&self, now_ms: u64) -> bool {
        self.written == 0 || now_ms >= self.began_ms.saturating_add(INTERVAL_MS)
    }

    /// How many were left out and not said yet.
    pub(crate) const fn take_left_out(&mut self) -> u64 {
        std::mem::replace(&mut self.left_out, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_and_said_once() {
        let mut throttle = Throttle::default();
        assert_eq!((0..50_000).filter(|now_ms| throttle.pass(5_000 + now_ms / 10, 7)).count(), 7);
        assert!(throttle.pass(15_000, 7), "an interval later");
        assert_eq!((throttle.take_left_out(), throttle.take_left_out()), (50_000 - 7, 0));
    }
}
