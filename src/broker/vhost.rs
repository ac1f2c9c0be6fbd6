//! A virtual host: its exchanges, queues and bindings, and the way of a message through them.
//!
//! The topology changes in one place, under one lock, and every change moves [`Vhost::epoch`], by which connections know
//! whether the routes that they remember still hold. The lock is never held while a queue is locked.

mod bindings;
mod dead_letters;
mod deletion;
mod exchanges;
mod forwarding;
mod imported;
mod limits;
mod listing;
mod own;
mod policies;
mod preview;
mod publish;
mod queues;

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};

use super::changes;
use super::definitions::{Definition, VhostDefinition};
use super::delayed::DelayedMessages;
use super::ids::ExchangeId;
use super::node::Node;
use super::policies::PolicySet;
use super::queue::QueueHandle;
use super::queue::arguments::QueueKind;
use super::topology::{Removal, Topology};
use crate::error::AmqpError;
use crate::store::{LastChange, LogPosition};

pub use exchanges::ExchangeDeclare;
pub(in crate::broker) use exchanges::standard_exchanges;
pub use forwarding::ForwardTo;
pub(in crate::broker) use imported::IMPORTER;
pub use queues::QueueDeclare;

/// A virtual host.
#[derive(Debug)]
pub struct Vhost {
    /// Unique in the broker; `/` is there from the first start.
    pub name: Arc<str>,
    node: Arc<Node>,
    topology: RwLock<Topology>,
    epoch: AtomicU64,
    /// Where the log has the last change of the topology.
    changed_at: LastChange,
    delayed: Arc<DelayedMessages>,
    /// Whether messages are shown to those who trace them (`own`).
    tracing: AtomicU8,
    policies: RwLock<Arc<PolicySet>>,
    /// Held for one step of applying policies.
    applying: Mutex<()>,
    this: Weak<Self>,
}

impl Vhost {
    /// A virtual host without anything.
    pub(in crate::broker) fn bare(definition: &VhostDefinition, node: Arc<Node>) -> Arc<Self> {
        let name: Arc<str> = definition.name.as_str().into();
        let vhost = Arc::new_cyclic(|this| Self {
            tracing: AtomicU8::new(0),
            topology: RwLock::new(Topology::new(Arc::clone(&name))),
            name,
            delayed: Arc::new(DelayedMessages::new(definition.delayed, this.clone(), &node)),
            node,
            epoch: AtomicU64::new(0),
            changed_at: LastChange::default(),
            policies: RwLock::default(),
            applying: Mutex::default(),
            this: this.clone(),
        });
        vhost.set_tracing(definition.tracing);
        vhost
    }

    /// Its exchanges, queues and bindings that survive a restart, for a checkpoint: none once it is deleted. They are read in pieces:
    /// who asks must have the log read from a position that is not later than this call.
    pub(in crate::broker) fn definitions(&self) -> Vec<Definition> {
        let mut inventory = self.read(|topology| topology.begin_inventory());
        while self.read(|topology| topology.take_inventory(&mut inventory)) {}
        // Asked at the end: what was read of one that was deleted meanwhile is not told.
        if self.is_deleted() { Vec::new() } else { inventory.into_definitions() }
    }

    /// Its queues, in no order.
    pub(crate) fn queues(&self) -> Vec<Arc<QueueHandle>> {
        let mut list = self.read(|topology| topology.queue_list());
        let mut queues = Vec::new();
        while !list.is_over() {
            self.read(|topology| topology.take_queues(&mut list, &mut queues));
        }
        queues
    }

    /// What all virtual hosts share.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The type of queues that do not name one, if they are durable, shared and not auto-delete.
    pub(crate) fn default_queue_kind(&self) -> QueueKind {
        self.node
            .metadata
            .read(|state| state.vhosts.get(&*self.name).map(|vhost| vhost.default_queue_kind))
            // One that definitions are about to make.
            .unwrap_or(self.node.settings.default_queue_kind)
    }

    /// Moves with every change of the topology: a route that was found at one epoch holds until the next.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Messages that wait in `x-delayed-message` exchanges.
    pub fn delayed(&self) -> &Arc<DelayedMessages> {
        &self.delayed
    }

    /// Somebody may do more or less than before: what connections remember of it is looked up again.
    pub(in crate::broker) fn rights_changed(&self) {
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Reads the topology.
    pub fn read<R>(&self, look: impl FnOnce(&Topology) -> R) -> R {
        look(&self.topology.read())
    }

    /// Changes the topology: the one place through which every change goes.
    fn change<R>(&self, change: impl FnOnce(&mut Topology) -> R) -> R {
        self.change_then(|topology| drop(topology), change)
    }

    /// As [`Vhost::change`]; how the lock is released is the caller's choice.
    fn change_then<R>(
        &self,
        release: impl FnOnce(RwLockWriteGuard<'_, Topology>),
        change: impl FnOnce(&mut Topology) -> R,
    ) -> R {
        let mut topology = self.topology.write();
        let (before, had) = (topology.definition_bytes(), topology.objects());
        topology.tell_events(self.node.own_messages.wants_events());
        let result = change(&mut topology);
        #[cfg(debug_assertions)]
        topology.check();
        let now = topology.definition_bytes();
        // Under the lock, so that the log has changes of the topology in their order.
        self.record(&topology.take_changes());
        // Behind the change and under its lock: whoever reads the new epoch finds the new topology.
        self.epoch.fetch_add(1, Ordering::Release);
        let happened = topology.take_events();
        self.note_listeners(&topology);
        self.node.objects.change(had, topology.objects());
        // Before events and memory, which take other locks.
        release(topology);
        happened.into_iter().for_each(|event| self.node.own_messages.event(|| event));
        if now != before {
            self.node.definitions.change(before, now);
            self.node.check_memory();
        }
        result
    }

    /// Changes the topology without recording it, because the log has it already.
    pub(in crate::broker) fn restore<R>(&self, change: impl FnOnce(&mut Topology) -> R) -> R {
        let mut topology = self.topology.write();
        let (before, had) = (topology.definition_bytes(), topology.objects());
        let result = change(&mut topology);
        self.node.definitions.change(before, topology.definition_bytes());
        self.node.objects.change(had, topology.objects());
        topology.take_changes();
        self.note_listeners(&topology);
        result
    }

    /// Appends changes to the log, all or none.
    fn record(&self, changes: &[Definition]) {
        let position = changes::record(&*self.node.log, changes);
        self.changed_at.note(position);
    }

    /// What is to be durable before a client is told that the topology is as it wants it.
    pub(crate) fn changed_at(&self) -> LogPosition {
        self.changed_at.position()
    }

    /// Removes something from the topology with everything that goes along. The lock is released again and again meanwhile.
    fn remove(&self, begin: impl FnOnce(&mut Topology) -> Removal) {
        let mut removal = self.change(|topology| {
            let mut removal = begin(topology);
            topology.proceed(&mut removal);
            removal
        });
        while !removal.is_done() {
            // Whoever waits is next: this takes the lock again at once, and else had it again and again for hundreds of milliseconds.
            self.change_then(
                |topology| RwLockWriteGuard::unlock_fair(topology),
                |topology| topology.proceed(&mut removal),
            );
        }
        for id in &removal.exchanges {
            self.delayed.forget(*id);
        }
    }

    fn exchange_text<'a>(&'a self, name: &'a str) -> Named<'a> {
        Named { kind: "exchange", name, vhost: &self.name }
    }

    fn queue_text<'a>(&'a self, name: &'a str) -> Named<'a> {
        Named { kind: "queue", name, vhost: &self.name }
    }

    fn no_exchange(&self, name: &str) -> AmqpError {
        AmqpError::not_found(format!("no {}", self.exchange_text(name)))
    }

    fn no_queue(&self, name: &str) -> AmqpError {
        AmqpError::not_found(format!("no {}", self.queue_text(name)))
    }

    fn exchange_id(&self, topology: &Topology, name: &str) -> Result<ExchangeId, AmqpError> {
        topology.exchange(name).map(|exchange| exchange.id).ok_or_else(|| self.no_exchange(name))
    }
}

/// The default exchange cannot be declared, bound or deleted.
fn refuse_default_exchange(name: &str) -> Result<(), AmqpError> {
    if name.is_empty() {
        return Err(AmqpError::access_refused("operation not permitted on the default exchange"));
    }
    Ok(())
}

/// How error texts name an exchange or a queue: `queue 'q' in vhost '/'`.
#[derive(Clone, Copy, Debug)]
struct Named<'a> {
    kind: &'static str,
    name: &'a str,
    vhost: &'a str,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.kind, self.name, self.vhost)
    }
}

/// RabbitMQ removes line breaks from the names of exchanges and queues.
pub(crate) fn without_line_breaks(name: &str) -> String {
    name.replace(['\r', '\n'], "")
}
