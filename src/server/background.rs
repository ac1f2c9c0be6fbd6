//! The thread for work that nobody waits for. It is one of the runtime's own, so that the runtime always has one.
//!
//! A runtime that finds no thread for long work, because the system allows no more, panics if it has none of this kind, which
//! would end the broker. If it has one, it lets the work wait, or has it done where it is.

use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use tokio::task::JoinHandle;

use crate::broker::background::{Background, Work};

/// Runs a task, and as long as it runs a thread for `background`: both, in this order. The end of the task, or that of the runtime, is
/// the end of the thread.
///
/// # Panics
/// When the system allows no thread now.
pub(super) fn spawn_with_thread(
    background: &Background,
    task: impl Future<Output = ()> + Send + 'static,
) -> [JoinHandle<()>; 2] {
    let (sender, work) = channel();
    let sender = Arc::new(sender);
    // Weak, so that the task has the only sender: when it ends, the thread finds that nobody can send any more.
    let weak = Arc::downgrade(&sender);
    background.run_on(Box::new(move |work| hand_over(&weak, work)));
    let thread = tokio::task::spawn_blocking(move || do_all(&work));
    let task = tokio::spawn(async move {
        let _sender = sender;
        task.await;
    });
    [task, thread]
}

/// Here and now, if the thread is gone.
fn hand_over(thread: &Weak<Sender<Work>>, work: Work) {
    match thread.upgrade() {
        Some(thread) => {
            // The thread has ended a moment ago.
            if let Err(refused) = thread.send(work) {
                refused.0();
            }
        }
        None => work(),
    }
}

fn do_all(work: &Receiver<Work>) {
    while let Ok(work) = work.recv() {
        work();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn work_is_done_elsewhere_until_the_runtime_ends() {
        let background = Arc::new(Background::default());
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let (tell, told) = channel();
        let ask = || {
            let tell = tell.clone();
            background.run(Box::new(move || tell.send(thread::current().id()).unwrap()));
            told.recv().unwrap()
        };
        runtime.block_on(async { drop(spawn_with_thread(&background, std::future::pending())) });
        let elsewhere = ask();
        assert_ne!(elsewhere, thread::current().id());
        assert_eq!(ask(), elsewhere, "it is the same thread");
        // Waits for the thread.
        drop(runtime);
        assert_eq!(ask(), thread::current().id());
    }
}
