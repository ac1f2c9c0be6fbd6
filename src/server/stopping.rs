//! How a broker stops: in the reverse order of its start, and so that nothing of it is left.
//!
//! **Invariant**: when [`Broker::stop`] returns, no task and no thread has the broker any more. What still had it would keep sockets
//! open and the data directory locked: the next start there would be refused.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Broker;

/// How long connections get to say goodbye when the broker stops.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

impl Broker {
    /// Stops: connections are told, and their sockets are closed when this returns. Its addresses and its data directory are free then.
    pub async fn stop(mut self) {
        // Each listener tells its connections, and waits three seconds at most until they are gone.
        self.stop.send_replace(true);
        join(&mut self.listeners).await;
        // Only now, so that what is due is done as long as a connection may wait for it.
        self.tasks.iter().for_each(JoinHandle::abort);
        join(&mut self.tasks).await;
        // Its thread has the broker, too. It is joined, which blocks.
        if let Some(management) = self.management.take() {
            tokio::task::spawn_blocking(move || management.stop()).await.ok();
        }
        // Last: what the end of connections has changed belongs in the log, too, such as a durable auto-delete
        // queue that lost its last consumer.
        if let Some(storage) = self.storage.take() {
            // It waits for the disk; a panic was reported when it happened.
            tokio::task::spawn_blocking(move || storage.stop()).await.ok();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A drop cannot wait: everything is told to end, and ends by itself. The threads of HTTP and of the
        // store are told when their own parts are dropped.
        self.stop.send_replace(true);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn join(tasks: &mut Vec<JoinHandle<()>>) {
    for task in tasks.drain(..) {
        // A panic of it was reported when it happened.
        task.await.ok();
    }
}

pub(super) async fn until_stopped(mut stopped: watch::Receiver<bool>) {
    // An error means that the broker was dropped, which stops it as well.
    stopped.wait_for(|is_stopped| *is_stopped).await.ok();
}

/// In real time, even where a test's clock stands still: a stop must end.
pub(super) async fn patience() {
    tokio::time::sleep(STOP_PATIENCE).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::clock::Clock;
    use crate::server::Broker;

    /// One thread: a task that was told to end does so only when it is waited for.
    #[tokio::test]
    async fn nothing_is_left_of_a_broker_that_was_stopped() {
        for clock in [Clock::system(), Clock::manual().0] {
            for serves_http in [false, true] {
                let builder = Broker::builder().in_memory().clock(clock.clone());
                let any = "127.0.0.1:0".parse().unwrap();
                let builder = if serves_http { builder.http_listen(any) } else { builder };
                let broker = builder.amqp_listen(any).start().await.unwrap();
                let state = Arc::downgrade(&broker.broker);
                broker.stop().await;
                assert_eq!(state.strong_count(), 0, "HTTP: {serves_http}");
            }
        }
    }
}
