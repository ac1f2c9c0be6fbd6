//! `queue.declare`, `queue.purge` and `queue.delete` (behaviour reference 4.1 to 4.5).

use std::fmt::Display;
use std::sync::Arc;

use super::{Vhost, limits, without_line_breaks};
use crate::broker::actor;
use crate::broker::deprecated::DeprecatedFeature;
use crate::broker::ids::{ConnectionId, QueueId};
use crate::broker::queue::arguments::{QueueArguments, QueueKind, known};
use crate::broker::queue::{Exclusivity, NotRemoved, QueueCounts, QueueHandle, QueueSpec};
use crate::broker::topology::cost;
use crate::error::AmqpError;
use crate::store::LogPosition;
use crate::table::{self, EncodedTable, Table, Value, ValueRef};

/// What a client asks for with `queue.declare`.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields carry the specification's own names and meanings")]
pub struct QueueDeclare {
    pub queue: String,
    pub durable: bool,
    pub exclusive: bool,
    pub auto_delete: bool,
    pub arguments: Table,
}

/// A queue that was declared or found.
#[derive(Clone, Debug)]
pub struct QueueDeclared {
    /// The queue that was made, or that was there already.
    pub queue: Arc<QueueHandle>,
    /// Its ready messages.
    pub(crate) message_count: u32,
    pub(crate) consumer_count: u32,
    /// It was not there before.
    pub(crate) created: bool,
}

/// So many bindings are enough to know that it takes long to delete a queue.
const BINDINGS_COUNTED: usize = 4096;
/// With so many bindings a deletion takes about a millisecond.
const MANY_BINDINGS: usize = 1024;

impl Vhost {
    /// Declares a queue, or finds an equivalent one. An empty name makes one up.
    ///
    /// # Errors
    /// 403 for reserved names, 405 for another connection's exclusive queue, 406 for bad arguments or an inequivalent queue.
    pub fn declare_queue(
        &self,
        declare: &QueueDeclare,
        connection: ConnectionId,
        now_ms: u64,
    ) -> Result<QueueDeclared, AmqpError> {
        let mut name = without_line_breaks(&declare.queue);
        if name.starts_with("amq.") {
            return Err(AmqpError::access_refused(format!("queue name '{name}' contains reserved prefix 'amq.*'")));
        }
        let is_server_named = name.is_empty();
        if is_server_named {
            name = self.node.random.name("amq.gen-");
        } else if let Some(queue) = self.find_queue(&name) {
            return self.redeclare(&queue, declare, connection, now_ms);
        }
        let queues_max = self.queues_max();
        let spec = self.queue_spec(&name, declare, connection, is_server_named)?;
        let id = QueueId(self.node.ids.fresh());
        let (policies, node) = (self.policies(), Arc::clone(&self.node));
        // Made outside of the lock, also if another one turns out to be there.
        let queue = Arc::new(QueueHandle::new(id, spec, self.this.clone(), node, now_ms));
        // Before anybody can see it, so that its first message finds the policies in force.
        queue.prepare(&policies, now_ms);
        let existing = self.change(|topology| match topology.queue(&name) {
            Some(existing) => Ok(Some(Arc::clone(existing))),
            None => {
                self.check_queue_count(topology, &name, queues_max)?;
                self.check_room(topology, cost::of_queue(&queue.spec))?;
                topology.add_queue(Arc::clone(&queue));
                Ok(None)
            }
        })?;
        // Two clients declared it at once: the second one is compared with the first.
        if let Some(existing) = existing {
            return self.redeclare(&existing, declare, connection, now_ms);
        }
        // Behind the topology: a timer that deletes it must find it there.
        queue.start(now_ms);
        self.recheck_queue(&queue, &policies, now_ms);
        self.node.registry.churn.queue_declared.add(1);
        self.node.registry.churn.queue_created.add(1);
        Ok(QueueDeclared { queue, message_count: 0, consumer_count: 0, created: true })
    }

    fn redeclare(
        &self,
        queue: &Arc<QueueHandle>,
        declare: &QueueDeclare,
        connection: ConnectionId,
        now_ms: u64,
    ) -> Result<QueueDeclared, AmqpError> {
        self.check_equivalence_of(queue, declare, connection)?;
        self.node.registry.churn.queue_declared.add(1);
        Ok(found(queue, now_ms))
    }

    /// Passive `queue.declare`: flags and arguments do not matter.
    ///
    /// # Errors
    /// 404 when there is none, 405 when it is another connection's.
    pub(crate) fn check_queue(
        &self,
        name: &str,
        connection: ConnectionId,
        now_ms: u64,
    ) -> Result<QueueDeclared, AmqpError> {
        let queue = self.queue(name, connection)?;
        Ok(found(&queue, now_ms))
    }

    /// A queue that this connection may use.
    ///
    /// # Errors
    /// 404 when there is none, 405 when it is another connection's.
    pub(crate) fn queue(&self, name: &str, connection: ConnectionId) -> Result<Arc<QueueHandle>, AmqpError> {
        let queue = self.find_queue(name).ok_or_else(|| self.no_queue(name))?;
        check_exclusivity(&queue, connection)?;
        Ok(queue)
    }

    /// What it takes to purge or delete a queue: nothing if there is none.
    pub(crate) fn queue_weight(&self, name: &str) -> usize {
        self.find_queue(name).map_or(0, |queue| self.weight_of_queue(&queue))
    }

    /// What it takes to delete this queue, with its messages and its bindings.
    pub(crate) fn weight_of_queue(&self, queue: &QueueHandle) -> usize {
        queue.weight() + self.read(|topology| topology.binding_count_to(queue.id, BINDINGS_COUNTED))
    }

    /// Whether so many bindings lead to a queue that nobody who serves others should remove them.
    pub(in crate::broker) fn has_many_bindings_to(&self, queue: &QueueHandle) -> bool {
        self.read(|topology| topology.binding_count_to(queue.id, MANY_BINDINGS)) == MANY_BINDINGS
    }

    /// Drops the ready messages and tells how many, and what must be durable before the client may know.
    ///
    /// # Errors
    /// As for [`Vhost::queue`].
    pub fn purge_queue(
        &self,
        name: &str,
        connection: ConnectionId,
        now_ms: u64,
    ) -> Result<(u32, LogPosition), AmqpError> {
        let queue = self.queue(name, connection)?;
        let (purged, position) = queue.purge(now_ms);
        self.node.check_memory();
        Ok((count(purged), position))
    }

    /// Deletes a queue with its bindings and messages, and tells how many were ready; a missing one is fine.
    ///
    /// # Errors
    /// 405 when it is another connection's, 406 when it is not empty or in use and the flags forbid that, 540 for these flags on
    /// a quorum queue.
    pub fn delete_queue(
        &self,
        name: &str,
        if_unused: bool,
        if_empty: bool,
        connection: ConnectionId,
    ) -> Result<u32, AmqpError> {
        let Some(queue) = self.find_queue(name) else { return Ok(0) };
        check_exclusivity(&queue, connection)?;
        if queue.spec.arguments.kind.rules().refuses_conditional_delete {
            refuse_flags_on_quorum(&queue, if_unused, if_empty)?;
        }
        // The state goes first, under the lock of the queue; from here on every other user finds it deleted.
        let removed = queue.remove_if(if_unused, if_empty).map_err(|reason| {
            let state = match reason {
                NotRemoved::HasMessages => "not empty",
                NotRemoved::HasConsumers => "in use",
            };
            AmqpError::precondition_failed(format!("{queue} {state}"))
        })?;
        let ready_count = removed.count;
        // Its definition before its messages: a crash between the two brings nothing back.
        self.delete_queue_handle(&queue);
        queue.forget_later(removed);
        Ok(count(ready_count))
    }

    /// Deletes this very queue with its bindings. Nothing is dead-lettered.
    pub(crate) fn delete_queue_handle(&self, queue: &Arc<QueueHandle>) {
        // The state first: whoever finds the queue from now on sees that it is gone.
        let removed = queue.remove();
        let mut was_there = false;
        self.remove(|topology| {
            was_there = topology.queue(&queue.spec.name).is_some_and(|there| there.id == queue.id);
            topology.remove_queue(queue.id)
        });
        self.node.registry.churn.queue_deleted.add(u64::from(was_there));
        queue.forget_later(removed);
        self.node.check_memory();
    }

    /// A queue by its name. One that was deleted and is on its way out of the topology is helped out.
    pub(super) fn find_queue(&self, name: &str) -> Option<Arc<QueueHandle>> {
        let queue = self.read(|topology| topology.queue(name).cloned())?;
        if queue.is_deleted() {
            self.delete_queue_handle(&queue);
            return None;
        }
        Some(queue)
    }

    pub(super) fn queue_spec(
        &self,
        name: &str,
        declare: &QueueDeclare,
        connection: ConnectionId,
        is_server_named: bool,
    ) -> Result<QueueSpec, AmqpError> {
        let text = self.queue_text(name);
        let default_kind = self.default_kind(declare);
        let arguments = QueueArguments::parse(&declare.arguments, default_kind, &text, &self.node.settings)?;
        if arguments.kind.rules().must_be_permanent {
            check_quorum(declare, is_server_named, &text)?;
        }
        self.check_deprecated(name, declare, connection)?;
        let mut raw_arguments = declare.arguments.clone();
        raw_arguments.insert(known::TYPE, Value::LongString(arguments.kind.name().into()));
        let raw_arguments = EncodedTable::from(&raw_arguments);
        limits::check_arguments(raw_arguments.bytes(), &text)?;
        // Only what is accepted: the last ones are kept.
        let raw_arguments = self.node.arguments.share_given(raw_arguments);
        Ok(QueueSpec {
            name: name.into(),
            durable: declare.durable && !declare.exclusive,
            auto_delete: declare.auto_delete,
            exclusivity: if declare.exclusive { Exclusivity::ExclusiveTo(connection) } else { Exclusivity::Shared },
            raw_arguments,
            arguments: self.node.arguments.share(arguments),
        })
    }

    /// # Errors
    /// 541 for what the profile denies.
    fn check_deprecated(&self, name: &str, declare: &QueueDeclare, by: ConnectionId) -> Result<(), AmqpError> {
        let used_by = || {
            // What is declared over HTTP, or imported, comes from no connection.
            let without = || format!("user '{}', not over AMQP", actor::current());
            let by = self.node.registry.connection(by).map_or_else(without, |by| by.spec.for_people());
            format!("queue '{name}' in vhost '{}', declared by {by}", self.name)
        };
        let require = |feature| self.node.deprecated.require(feature, self.node.settings.profile(), used_by);
        if !declare.durable && !declare.exclusive {
            require(DeprecatedFeature::TransientNonexclQueues)?;
        }
        if declare.arguments.get("x-queue-master-locator").is_some() {
            require(DeprecatedFeature::QueueMasterLocator)?;
        }
        Ok(())
    }

    /// The virtual host's default applies only to queues that could be of any type (behaviour reference 4.2).
    fn default_kind(&self, declare: &QueueDeclare) -> QueueKind {
        if declare.durable && !declare.exclusive && !declare.auto_delete {
            self.default_queue_kind()
        } else {
            QueueKind::Classic
        }
    }

    /// Exclusivity, durable, auto_delete, then the arguments; the first difference is reported.
    fn check_equivalence_of(
        &self,
        queue: &QueueHandle,
        declare: &QueueDeclare,
        connection: ConnectionId,
    ) -> Result<(), AmqpError> {
        check_exclusivity(queue, connection)?;
        let is_exclusive = queue.spec.exclusivity != Exclusivity::Shared;
        // RabbitMQ answers 405 for this difference, and 406 for all others.
        if is_exclusive != declare.exclusive {
            return Err(locked(queue));
        }
        let durable = declare.durable && !declare.exclusive;
        equivalent(queue, "durable", durable, queue.spec.durable)?;
        equivalent(queue, "auto_delete", declare.auto_delete, queue.spec.auto_delete)?;
        let default_kind = Value::LongString(self.default_kind(declare).name().into());
        for argument in known::compared(queue.spec.arguments.kind) {
            let mut new = declare.arguments.get(argument.name);
            if argument.name == known::TYPE && new.is_none_or(means_default) {
                new = Some(&default_kind);
            }
            let old = queue.spec.raw_arguments.fields().get(argument.name).map(ValueRef::to_owned);
            equivalent_argument(queue, argument.name, new, old.as_ref())?;
        }
        Ok(())
    }
}

fn means_default(kind: &Value) -> bool {
    matches!(kind.as_str(), Some("" | "undefined"))
}

fn found(queue: &Arc<QueueHandle>, now_ms: u64) -> QueueDeclared {
    let QueueCounts { ready, consumers, .. } = queue.declared_again(now_ms);
    QueueDeclared {
        queue: Arc::clone(queue),
        message_count: count(ready),
        consumer_count: count(consumers),
        created: false,
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn check_exclusivity(queue: &QueueHandle, connection: ConnectionId) -> Result<(), AmqpError> {
    match queue.spec.exclusivity {
        Exclusivity::ExclusiveTo(owner) if owner != connection => Err(locked(queue)),
        Exclusivity::ExclusiveTo(_) | Exclusivity::Shared => Ok(()),
    }
}

fn locked(queue: &QueueHandle) -> AmqpError {
    AmqpError::resource_locked(format!(
        "cannot obtain exclusive access to locked {queue}. It could be originally declared on another connection or the \
         exclusive property value does not match that of the original declaration."
    ))
}

/// What a quorum queue cannot be (behaviour reference 4.2).
fn check_quorum(declare: &QueueDeclare, is_server_named: bool, queue: &dyn Display) -> Result<(), AmqpError> {
    let invalid =
        |property: &str| Err(AmqpError::precondition_failed(format!("invalid property '{property}' for {queue}")));
    if is_server_named {
        let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
        return Err(AmqpError::precondition_failed(text));
    }
    if declare.auto_delete {
        return invalid("auto-delete");
    }
    if declare.exclusive {
        return invalid("exclusive-owner");
    }
    if !declare.durable {
        return invalid("non-durable");
    }
    Ok(())
}

fn refuse_flags_on_quorum(queue: &QueueHandle, if_unused: bool, if_empty: bool) -> Result<(), AmqpError> {
    for (is_set, flag) in [(if_unused, "if-unused"), (if_empty, "if-empty")] {
        if is_set {
            return Err(AmqpError::not_implemented(format!(
                "cannot delete {queue}. queue.delete operations with {flag} flag set are not supported by quorum queues"
            )));
        }
    }
    Ok(())
}

/// # Errors
/// 406 when a flag of a redeclaration differs.
pub(super) fn equivalent<T: PartialEq + Display>(
    subject: &dyn Display,
    name: &str,
    new: T,
    old: T,
) -> Result<(), AmqpError> {
    if new == old {
        return Ok(());
    }
    let text = format!("inequivalent arg '{name}' for {subject}: received '{new}' but current is '{old}'");
    Err(AmqpError::precondition_failed(text))
}

/// # Errors
/// 406 when an argument of a redeclaration differs.
pub(super) fn equivalent_argument(
    subject: &dyn Display,
    name: &str,
    new: Option<&Value>,
    old: Option<&Value>,
) -> Result<(), AmqpError> {
    let difference = match (new, old) {
        (None, None) => return Ok(()),
        (Some(new), Some(old)) if table::equivalent(new, old) => return Ok(()),
        (Some(new), Some(old)) => format!("received {} but current is {}", quoted(new), quoted(old)),
        (Some(new), None) => format!("received the value '{new}' of type '{}' but current is none", new.type_name()),
        (None, Some(old)) => format!("received none but current is the value '{old}' of type '{}'", old.type_name()),
    };
    Err(AmqpError::precondition_failed(format!("inequivalent arg '{name}' for {subject}: {difference}")))
}

/// A value in the text about two that differ, where a void one reads `none`.
fn quoted(value: &Value) -> String {
    if matches!(value, Value::Void) { "none".to_owned() } else { format!("'{value}'") }
}
