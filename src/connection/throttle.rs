//! Keeps a line that is repeated often from filling the log: a few are let through, the rest is counted.

/// Lines that are let through in each interval.
const BURST: u32 = 10;
/// Milliseconds after which as many are let through again.
const INTERVAL_MS: u64 = 10_000;

/// What one source of lines has had written.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    began_ms: u64,
    written: u32,
    left_out: u64,
}

impl Throttle {
    /// Whether to write a line now; if so, how many were left out since the last one.
    pub(super) fn pass(&mut self, now_ms: u64) -> Option<u64> {
        if self.written >= BURST {
            if now_ms < self.began_ms.saturating_add(INTERVAL_MS) {
                self.left_out += 1;
                return None;
            }
            self.written = 0;
        }
        if self.written == 0 {
            self.began_ms = now_ms;
        }
        self.written += 1;
        Some(self.take_left_out())
    }

    /// How many were left out and not said yet.
    pub(super) fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_and_said_once() {
        let mut throttle = Throttle::default();
        let first: Vec<_> = (0..50_000).filter_map(|now_ms| throttle.pass(5_000 + now_ms / 10)).collect();
        assert_eq!(first, [0; BURST as usize]);
        assert_eq!(throttle.pass(15_000), Some(50_000 - u64::from(BURST)));
        assert_eq!(throttle.pass(15_000), Some(0));
    }

    #[test]
    fn the_rest_can_be_asked_for_at_the_end() {
        let mut throttle = Throttle::default();
        let written = (0..BURST + 3).filter(|_| throttle.pass(0).is_some()).count();
        assert_eq!((written, throttle.take_left_out()), (BURST as usize, 3));
        assert_eq!(throttle.take_left_out(), 0);
    }
}
