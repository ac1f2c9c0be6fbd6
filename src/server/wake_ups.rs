//! Wakes tasks for threads that are not the runtime's.
//!
//! A task that is woken from outside costs more than a wake-up: the runtime wakes a worker for it, which then wakes a second one to
//! look for more to do; it finds nothing, and from then on waits for the sockets in place of the first. A worker that reads a
//! byte of a pipe where it waits for its sockets goes on by itself. Where one message at a time waits for its confirm, that makes
//! the confirm 20 % faster and a quarter cheaper.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::{Receiver, pipe};

use crate::store::Wake;

/// More than can be in the pipe, for there is no second byte before the first was read: so one read empties it.
const BYTES_MAX: usize = 8;

/// Those who are to be woken, until the pipe was read.
type Waiters = Arc<Mutex<Vec<Arc<dyn Wake>>>>;

/// The end that is written to. The task at the other end lives as long as this does.
#[derive(Debug)]
pub(super) struct WakeUps {
    waiters: Waiters,
    sender: OwnedFd,
}

impl WakeUps {
    /// Starts the task; called by a task of the same runtime.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub(super) fn start() -> io::Result<Self> {
        let (sender, receiver) = pipe()?;
        let waiters = Waiters::default();
        tokio::spawn(listen(receiver, Arc::clone(&waiters)));
        Ok(Self { waiters, sender: sender.into_nonblocking_fd()? })
    }

    /// Has them woken soon.
    pub(super) fn wake_soon(&self, mut more: Vec<Arc<dyn Wake>>) {
        let mut waiters = self.waiters.lock();
        // Whoever was the first in the list has written the byte, or is about to.
        let is_written = !waiters.is_empty();
        waiters.append(&mut more);
        // The write is a system call, for which nobody need wait.
        drop(waiters);
        if !is_written {
            // It fails only if the runtime was stopped; then nobody waits any more.
            rustix::io::write(&self.sender, &[0]).ok();
        }
    }
}

async fn listen(mut receiver: Receiver, waiters: Waiters) {
    let mut bytes = [0; BYTES_MAX];
    loop {
        let mut got = ReadBuf::new(&mut bytes);
        let read = poll_fn(|context| Pin::new(&mut receiver).poll_read(context, &mut got)).await;
        let is_over = read.is_err() || got.filled().is_empty();
        // After the byte was read, not before: whoever comes from here on finds the list
        // empty, and writes another.
        let woken = std::mem::take(&mut *waiters.lock());
        woken.iter().for_each(|waiter| waiter.wake());
        if is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use tokio::sync::Notify;

    use super::*;

    const THREADS: usize = 4;
    const TIMES: usize = 1000;

    #[derive(Debug, Default)]
    struct Counter {
        woken: AtomicUsize,
        is_complete: Notify,
    }

    impl Wake for Counter {
        fn wake(&self) {
            if self.woken.fetch_add(1, Ordering::SeqCst) + 1 == THREADS * TIMES {
                self.is_complete.notify_one();
            }
        }
    }

    #[tokio::test]
    async fn everybody_is_woken_once_for_each_time() {
        let counter = Arc::new(Counter::default());
        let wake_ups = Arc::new(WakeUps::start().unwrap());
        for _ in 0..THREADS {
            let (counter, wake_ups) = (Arc::clone(&counter), Arc::clone(&wake_ups));
            thread::spawn(move || {
                (0..TIMES).for_each(|_| wake_ups.wake_soon(vec![Arc::clone(&counter) as Arc<dyn Wake>]));
            });
        }
        counter.is_complete.notified().await;
        assert_eq!(counter.woken.load(Ordering::SeqCst), THREADS * TIMES);
    }

    fn about_to_be_complete() -> Arc<Counter> {
        Arc::new(Counter { woken: AtomicUsize::new(THREADS * TIMES - 1), ..Counter::default() })
    }

    #[tokio::test]
    async fn one_byte_is_enough() {
        let wake_ups = WakeUps::start().unwrap();
        for _ in 0..2 {
            let counter = about_to_be_complete();
            wake_ups.wake_soon(vec![Arc::clone(&counter) as Arc<dyn Wake>]);
            counter.is_complete.notified().await;
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_even_if_it_is_dropped() {
        let wake_ups = WakeUps::start().unwrap();
        let counter = about_to_be_complete();
        wake_ups.wake_soon(vec![Arc::clone(&counter) as Arc<dyn Wake>]);
        drop(wake_ups);
        counter.is_complete.notified().await;
    }
}
