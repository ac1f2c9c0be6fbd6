//! Something that is done again and again, with the same time in between.
//!
//! It has a thread of its own: one sleep of a thread is one wake-up, while a runtime wakes up to three times for one long sleep. So a
//! broker that nobody uses wakes once for each round, and its runtimes need no timer.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Clock;

/// Makes rounds until this future is dropped, which waits for one that is under way; nothing of `round` is left then. The first begins
/// at once; each is told the time. It resolves only when there can be no thread.
pub(crate) async fn make_rounds(
    name: &str,
    clock: Clock,
    interval_ms: u64,
    mut round: impl FnMut(u64) + Send + 'static,
) -> io::Error {
    if !clock.is_manual() {
        return match RoundsThread::start(name, move |stopped| until(stopped, &clock, interval_ms, round)) {
            Ok(_until_dropped) => std::future::pending().await,
            Err(error) => error,
        };
    }
    // A clock that is moved by hand wakes tasks only.
    loop {
        let now_ms = clock.now_ms();
        round(now_ms);
        clock.sleep_until(now_ms + interval_ms).await;
    }
}

/// Dropping it ends the thread, and waits for that.
struct RoundsThread {
    /// The thread ends once it is gone.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RoundsThread {
    fn start(name: &str, run: impl FnOnce(&Receiver<()>) + Send + 'static) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for RoundsThread {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened.
            thread.join().ok();
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

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn rounds_go_on_until_they_are_dropped() {
        let (told, mut times) = unbounded_channel();
        let rounds = make_rounds("rounds", Clock::system(), 2, move |now_ms| told.send(now_ms).unwrap());
        tokio::select! {
            error = rounds => panic!("{error}"),
            two = async { (times.recv().await, times.recv().await) } => assert!(two.1 > two.0),
        }
        // This ends only because the sender went with the thread.
        while times.recv().await.is_some() {}
    }

    #[tokio::test]
    async fn a_clock_that_is_moved_by_hand_makes_rounds() {
        let (clock, hand) = Clock::manual();
        let (told, mut times) = unbounded_channel();
        let began_ms = clock.now_ms();
        let moved = async {
            assert_eq!(times.recv().await, Some(began_ms));
            hand.advance(Duration::from_secs(5));
            assert_eq!(times.recv().await, Some(began_ms + 5_000));
        };
        tokio::select! {
            error = make_rounds("rounds", clock, 5_000, move |now_ms| told.send(now_ms).unwrap()) => panic!("{error}"),
            () = moved => {}
        }
        assert_eq!(times.try_recv().unwrap_err(), tokio::sync::mpsc::error::TryRecvError::Disconnected);
    }
}
