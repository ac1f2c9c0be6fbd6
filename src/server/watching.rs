//! Looking for alerts where no HTTP is served. Where it is, the counters are taken down at the same times, and both look together.

use std::sync::Arc;

use crate::broker::Broker;
use crate::clock::{Clock, make_rounds};

/// How often it is looked.
const INTERVAL_MS: u64 = 5_000;

/// Looks, as long as the broker runs.
pub(super) async fn watch(broker: Arc<Broker>, clock: Clock) {
    let look = move |now_ms| broker.tell_of_alerts(&broker.look_for_alerts(now_ms, false, |_| {}).changes);
    let error = make_rounds("leveret-alerts", clock, INTERVAL_MS, look).await;
    tracing::error!(%error, "there are no alerts: there can be no thread for them");
}
