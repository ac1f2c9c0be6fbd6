//! Something that is done again and again, with the same time in between.
//!
//! It has a thread of its own: one sleep of a thread is one wake-up, while a runtime wakes up to three times for one long sleep. So a
//! broker that nobody uses wakes once for each round, and its runtimes need no timer.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Clock;

/// The rounds go on until this is dropped, which waits for one that is under way.
pub(crate) enum Rounds {
    /// It ends once the sender is gone.
    Thread { stop: Option<Sender<()>>, thread: Option<JoinHandle<()>> },
    /// A clock that is moved by hand wakes tasks only.
    Task(tokio::task::JoinHandle<()>),
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounds").finish_non_exhaustive()
    }
}

impl Rounds {
    /// Begins with a first round at once; each is told the time. Called on a runtime.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(
        name: &str,
        clock: Clock,
        interval_ms: u64,
        round: impl FnMut(u64) + Send + 'static,
    ) -> io::Result<Self> {
        if clock.is_manual() {
            return Ok(Self::Task(tokio::spawn(by_hand(clock, interval_ms, round))));
        }
        let (stop, stopped) = channel();
        let run = move || until(&stopped, &clock, interval_ms, round);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Self::Thread { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Rounds {
    fn drop(&mut self) {
        match self {
            Self::Thread { stop, thread } => {
                *stop = None;
                if let Some(thread) = thread.take() {
                    // A panic was reported when it happened.
                    thread.join().ok();
                }
            }
            Self::Task(task) => task.abort(),
        }
    }
}

fn until(stopped: &Receiver<()>, clock: &Clock, interval_ms: u64, mut round: impl FnMut(u64)) {
    loop {
        let now_ms = clock.now_ms();
        round(now_ms);
        let left_ms = (now_ms + interval_ms).saturating_sub(clock.now_ms());
        match stopped.recv_timeout(Duration::from_millis(left_ms)) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

async fn by_hand(clock: Clock, interval_ms: u64, mut round: impl FnMut(u64)) {
    loop {
        let now_ms = clock.now_ms();
        round(now_ms);
        clock.sleep_until(now_ms + interval_ms).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_go_on_until_they_are_dropped() {
        let (told, times) = channel();
        let round = move |now_ms| told.send(now_ms).unwrap();
        let rounds = Rounds::start("rounds", Clock::system(), 2, round).unwrap();
        let first_ms = times.recv().unwrap();
        assert!(times.recv().unwrap() > first_ms);
        drop(rounds);
        // This ends only because the sender went with the thread.
        times.iter().for_each(drop);
    }

    #[tokio::test]
    async fn a_clock_that_is_moved_by_hand_makes_rounds() {
        let (clock, hand) = Clock::manual();
        let (told, mut times) = tokio::sync::mpsc::unbounded_channel();
        let began_ms = clock.now_ms();
        let rounds = Rounds::start("rounds", clock, 5_000, move |now_ms| told.send(now_ms).unwrap()).unwrap();
        assert_eq!(times.recv().await, Some(began_ms));
        hand.advance(Duration::from_secs(5));
        assert_eq!(times.recv().await, Some(began_ms + 5_000));
        drop(rounds);
        assert_eq!(times.recv().await, None);
    }
}
