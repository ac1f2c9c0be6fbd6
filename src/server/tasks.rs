//! The tasks of a broker beside its listeners.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::webhook::{self, Webhook};
use super::{own_messages, watching};
use crate::broker::Broker;
use crate::clock::Clock;

/// What is done for nobody in particular: the timer, which is there already, and the rest.
pub(super) fn spawn(
    timer: [JoinHandle<()>; 2],
    broker: &Arc<Broker>,
    clock: &Clock,
    webhook: Option<Webhook>,
    serves_http: bool,
) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::from(timer);
    tasks.push(tokio::spawn(own_messages::publish(Arc::clone(broker), clock.clone())));
    if let Some(webhook) = webhook {
        let node = broker.node();
        let (watcher, deliver) = webhook::new(webhook, &node.settings.node_name, clock.clone());
        node.alerts.watch(watcher);
        tasks.push(tokio::spawn(deliver));
    }
    if !serves_http {
        tasks.push(tokio::spawn(watching::watch(Arc::clone(broker), clock.clone())));
    }
    tasks
}
