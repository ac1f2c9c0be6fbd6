//! The task that publishes events and lines of the log, when there are some that somebody wants.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::broker::Broker;
use crate::clock::Clock;
use crate::store::Wake;

/// Wakes the task.
struct WakePublisher(Notify);

impl fmt::Debug for WakePublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakePublisher")
    }
}

impl Wake for WakePublisher {
    fn wake(&self) {
        self.0.notify_one();
    }
}

/// Publishes what is told, as long as the broker runs.
pub(super) async fn publish(broker: Arc<Broker>, clock: Clock) {
    let waiting = Arc::new(WakePublisher(Notify::new()));
    // Before the first look, and `notify_one` is kept: nothing that is told in between
    // waits for the next message.
    broker.node().own_messages.on_waiting(Arc::clone(&waiting) as Arc<dyn Wake>);
    loop {
        while broker.publish_own_messages(clock.now_ms()) {
            // Others get their turn.
            tokio::task::yield_now().await;
        }
        waiting.0.notified().await;
    }
}
