//! Who is told of alerts that are raised and over: the log, those who bind queues to `amq.rabbitmq.event`, and whoever watches.

use std::fmt;

use super::{Alert, AlertObject, Change};
use crate::broker::Broker;
use crate::broker::own::Event;

/// Alerts that are told of in the log after one look; the API has all of them.
const LOGGED_MAX: usize = 20;

/// Somebody who is told of every change. It is called while nothing is locked, and must not wait.
pub(crate) trait AlertWatcher: Send + Sync + fmt::Debug {
    /// An alert was raised, or is over.
    fn changed(&self, change: &Change);
}

impl Change {
    /// `raised` or `cleared`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Raised(_) => "raised",
            Self::Cleared(_) => "cleared",
        }
    }

    /// The alert.
    pub const fn alert(&self) -> &Alert {
        match self {
            Self::Raised(alert) | Self::Cleared(alert) => alert,
        }
    }

    /// Its event: `alert.raised.depth`.
    fn event(&self, node_name: &str) -> Event {
        let alert = self.alert();
        let event = Event::new(format!("alert.{}.{}", self.name(), alert.rule))
            .text("rule", alert.rule)
            .text("severity", alert.severity.name())
            .number("id", alert.id)
            .number("value", alert.value)
            .number("threshold", alert.threshold)
            .number("raised_at", alert.raised_at_ms)
            .text("text", &alert.text)
            .text("next_step", alert.next_step)
            .text("node", node_name);
        match &alert.object {
            AlertObject::Node => event,
            AlertObject::Vhost(vhost) => event.text("vhost", &**vhost),
            AlertObject::Queue(vhost, queue) => event.text("vhost", &**vhost).text("queue", &**queue),
        }
    }
}

impl Broker {
    /// Tells of what changed. Nothing may be locked.
    pub fn tell_of_alerts(&self, changes: &[Change]) {
        let node = self.node();
        for (number, change) in changes.iter().enumerate() {
            if number < LOGGED_MAX {
                log(change);
            }
            node.own_messages.event(|| change.event(&node.settings.node_name));
            if let Some(watcher) = node.alerts.watcher() {
                watcher.changed(change);
            }
        }
        let untold = changes.len().saturating_sub(LOGGED_MAX);
        if untold > 0 {
            tracing::warn!(untold, "more alerts changed: see /api/leveret/alerts");
        }
    }
}

fn log(change: &Change) {
    match change {
        Change::Raised(alert) => {
            tracing::warn!(rule = alert.rule, next_step = alert.next_step, "alert: {}", alert.text);
        }
        Change::Cleared(alert) => tracing::info!(rule = alert.rule, "the alert is over: {}", alert.text),
    }
}
