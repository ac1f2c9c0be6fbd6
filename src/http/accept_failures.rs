//! What the log says of a listener that cannot accept: the same failure comes back ten times a second, for as long as it lasts.

use std::fmt;
use std::io;

use crate::clock::Clock;
use crate::throttle::Throttle;

/// Lines of the log in each interval that tell of the same listener.
const LINES: u32 = 10;

/// The failures of one listener.
#[derive(Debug)]
pub(super) struct AcceptFailures {
    clock: Clock,
    said: Throttle,
}

/// A failure that is to be said.
#[derive(Debug)]
struct AcceptFailed<'a> {
    error: &'a io::Error,
    /// So many before it were not said.
    left_out: u64,
}

impl AcceptFailures {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, said: Throttle::default() }
    }

    /// Says it, unless the same was said often enough. `what` is what cannot be accepted.
    pub(super) fn tell(&mut self, what: &'static str, error: &io::Error) {
        if let Some(failed) = self.next(self.clock.now_ms(), error) {
            tracing::warn!("cannot accept {what}: {failed}");
        }
    }

    fn next<'a>(&mut self, now_ms: u64, error: &'a io::Error) -> Option<AcceptFailed<'a>> {
        let passes = self.said.pass(now_ms, LINES);
        passes.then(|| AcceptFailed { error, left_out: self.said.take_left_out() })
    }
}

impl fmt::Display for AcceptFailed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { error, left_out } = self;
        write!(f, "{error}")?;
        if *left_out > 0 {
            write!(f, "; {left_out} failures before this one were not said")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::throttle::INTERVAL_MS;

    #[test]
    fn a_failure_that_lasts_is_said_a_few_times_and_then_how_often_it_was_not() {
        let mut failures = AcceptFailures::new(Clock::manual().0);
        let error = io::Error::other("no descriptor is left");
        let mut said_at = |now_ms| failures.next(now_ms, &error).map(|failed| failed.to_string());
        let said: Vec<_> = (0..500).filter_map(|count| said_at(1_000 + count)).collect();
        assert_eq!(said, vec!["no descriptor is left"; 10]);
        let later = said_at(1_000 + INTERVAL_MS);
        assert_eq!(later.unwrap(), "no descriptor is left; 490 failures before this one were not said");
    }
}
