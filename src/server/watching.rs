//! Looking for alerts where no HTTP is served. Where it is, the thread of HTTP does that, which wakes at the same times to take down counters.

use std::sync::Arc;

use crate::broker::Broker;
use crate::clock::Clock;

/// How often it is looked.
const INTERVAL_MS: u64 = 5_000;

/// Looks, as long as the broker runs, on the thread for what nobody waits for.
pub(super) async fn watch(broker: Arc<Broker>, clock: Clock) {
    loop {
        let now_ms = clock.now_ms();
        let looking = Arc::clone(&broker);
        broker
            .node()
            .background
            .run(Box::new(move || looking.tell_of_alerts(&looking.look_for_alerts(now_ms, false, |_| {}))));
        clock.sleep_until(now_ms + INTERVAL_MS).await;
    }
}
