//! The only code that asks what time it is.
//!
//! One timeline for everything: milliseconds since the Unix epoch, taken from the wall clock once at the start and from the
//! monotonic clock thereafter, so that it never goes back. Tests move it by hand.

mod rounds;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::time::Instant;

pub(crate) use rounds::make_rounds;

/// A source of time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant, started_ms: u64 },
    Manual(Arc<ClockHand>),
}

/// Moves a manual clock.
#[derive(Debug)]
pub struct ClockHand {
    now_ms: AtomicU64,
    moved: Notify,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The real time.
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Source::System { started: Instant::now(), started_ms: millis(since_epoch) })
    }

    /// A clock that stands still until its hand is moved. It starts in September 2020, so that it looks like a time.
    pub fn manual() -> (Self, Arc<ClockHand>) {
        let hand = Arc::new(ClockHand { now_ms: AtomicU64::new(1_600_000_000_000), moved: Notify::new() });
        (Self(Source::Manual(Arc::clone(&hand))), hand)
    }

    /// Whether it moves only when somebody moves it.
    pub(crate) const fn is_manual(&self) -> bool {
        matches!(self.0, Source::Manual(_))
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System { started, started_ms } => started_ms + millis(started.elapsed()),
            Source::Manual(hand) => hand.now_ms.load(Ordering::SeqCst),
        }
    }

    /// Waits until this time. Cancel safe.
    pub fn sleep_until(&self, at_ms: u64) -> impl Future<Output = ()> + Send + use<> {
        let clock = self.clone();
        async move {
            match &clock.0 {
                Source::System { started, started_ms } => {
                    let after_start = Duration::from_millis(at_ms.saturating_sub(*started_ms));
                    match started.checked_add(after_start) {
                        Some(at) => tokio::time::sleep_until(at).await,
                        // Beyond what the machine can count.
                        None => std::future::pending().await,
                    }
                }
                Source::Manual(hand) => hand.reaches(at_ms).await,
            }
        }
    }
}

/// Measures how long something takes, in real time whatever the clock of a test says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Measures from this moment on.
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Microseconds since the start.
    pub(crate) fn elapsed_us(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// A deadline that is moved far more often than it is reached: to move it later costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    sleep: Option<Sleep>,
}

struct Sleep {
    until_ms: u64,
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}

impl Deadline {
    /// Moves the deadline. One that was earlier is reached at its own time: whoever waits must look what time it is.
    pub(crate) fn set(&mut self, clock: &Clock, at_ms: Option<u64>) {
        let Some(until_ms) = at_ms else { return };
        if self.sleep.as_ref().is_none_or(|earlier| until_ms < earlier.until_ms) {
            self.sleep = Some(Sleep { until_ms, over: Box::pin(clock.sleep_until(until_ms)) });
        }
    }

    /// Waits until the deadline, for ever without one. Cancel safe.
    pub(crate) async fn reached(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.over.as_mut().await,
            None => std::future::pending().await,
        }
        self.sleep = None;
    }
}

impl ClockHand {
    /// Moves the clock forward, and wakes whoever slept until then.
    pub fn advance(&self, by: Duration) {
        self.now_ms.fetch_add(millis(by), Ordering::SeqCst);
        self.moved.notify_waiters();
    }

    async fn reaches(&self, at_ms: u64) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Registered before the time is read, so that no move is missed.
            moved.as_mut().enable();
            if self.now_ms.load(Ordering::SeqCst) >= at_ms {
                return;
            }
            moved.await;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_reached(deadline: &mut Deadline) -> bool {
        pin!(deadline.reached()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_deadline_that_moved_later_is_reached_at_its_first_time_and_again_at_the_last() {
        let (clock, hand) = Clock::manual();
        let mut deadline = Deadline::default();
        deadline.set(&clock, Some(clock.now_ms() + 10));
        let last_ms = clock.now_ms() + 30;
        deadline.set(&clock, Some(last_ms));
        assert!(!is_reached(&mut deadline));
        hand.advance(Duration::from_millis(10));
        assert!(is_reached(&mut deadline));
        deadline.set(&clock, Some(last_ms));
        assert!(!is_reached(&mut deadline));
        hand.advance(Duration::from_millis(20));
        assert!(is_reached(&mut deadline));
        assert!(!is_reached(&mut deadline), "without another one there is nothing to reach");
    }

    #[test]
    fn a_deadline_that_moved_earlier_is_reached_earlier() {
        let (clock, hand) = Clock::manual();
        let mut deadline = Deadline::default();
        deadline.set(&clock, Some(clock.now_ms() + 30));
        deadline.set(&clock, Some(clock.now_ms() + 10));
        hand.advance(Duration::from_millis(10));
        assert!(is_reached(&mut deadline));
    }
}
