//! The alerts that hold, a sample each.

use super::LEVERET;
use super::text::{self, MetricKind, Name};
use crate::broker::alerts::{Alert, AlertObject, Alerts};

/// 1 for each alert that holds: there are at most as many as the broker keeps.
pub(super) fn active(alerts: &Alerts) -> String {
    let mut out = String::new();
    let name = Name { prefix: LEVERET, name: "alert_active" };
    text::head(&mut out, name, MetricKind::Gauge, "Alerts that hold now: 1 for each of them");
    for Alert { rule, severity, object, .. } in alerts.list().active {
        let labels = |labels: &mut text::Labels<'_>| {
            labels.add("rule", rule);
            labels.add("severity", severity.name());
            match &object {
                AlertObject::Node => {}
                AlertObject::Vhost(vhost) => labels.add("vhost", vhost),
                AlertObject::Queue(vhost, queue) => {
                    labels.add("vhost", vhost);
                    labels.add("queue", queue);
                }
            }
        };
        text::sample(&mut out, name, labels, 1_u64.into());
    }
    out
}
