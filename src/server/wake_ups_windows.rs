//! Wakes tasks for threads that are not the runtime's: `wake_ups` says why it is not done directly where there are pipes to wait for.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::store::Wake;

/// Those who are to be woken, until the task has run, and what starts it.
#[derive(Debug, Default)]
struct Shared {
    waiters: Mutex<Vec<Arc<dyn Wake>>>,
    sender: Notify,
}

/// The end that is written to. The task at the other end lives as long as this does.
#[derive(Debug)]
pub(super) struct WakeUps {
    shared: Arc<Shared>,
    task: tokio::task::AbortHandle,
}

impl WakeUps {
    /// Starts the task; called by a task of the same runtime.
    ///
    /// # Errors
    /// None: where there are pipes one may be missing.
    #[expect(clippy::unnecessary_wraps, reason = "it has the form of the one for Unix")]
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let heard = Arc::clone(&shared);
        let listen = async move {
            loop {
                heard.sender.notified().await;
                heard.wake();
            }
        };
        Ok(Self { task: tokio::spawn(listen).abort_handle(), shared })
    }

    /// Has them woken soon.
    pub(super) fn wake_soon(&self, mut more: Vec<Arc<dyn Wake>>) {
        self.shared.waiters.lock().append(&mut more);
        self.shared.sender.notify_one();
    }
}

impl Shared {
    fn wake(&self) {
        let woken = std::mem::take(&mut *self.waiters.lock());
        woken.iter().for_each(|waiter| waiter.wake());
    }
}

impl Drop for WakeUps {
    fn drop(&mut self) {
        self.task.abort();
        self.shared.wake();
    }
}
