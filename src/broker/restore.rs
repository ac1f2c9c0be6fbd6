//! Fills a new broker with what the store found at the start.

use std::collections::HashMap;
use std::sync::Arc;

use super::Broker;
use super::definitions::{Definition, Definitions, ExchangeDefinition, QueueDefinition};
use super::ids::{ExchangeId, QueueId};
use super::node::Node;
use super::queue::arguments::{QueueArguments, QueueKind};
use super::queue::{Exclusivity, QueueHandle, QueueSpec};
use super::vhost::Vhost;
use crate::store::StoreError;
use crate::store::address::Place;
use crate::store::checkpoint::{Part, Single};
use crate::store::record::Freed;
use crate::store::recovery::RecoveredQueue;
use crate::store::segments::Segments;
use crate::table::{Table, Value};

impl Broker {
    /// Takes over what was found. Must be called once, before anything else is done with the broker.
    ///
    /// # Errors
    /// When a definition makes no sense.
    pub fn restore(
        &self,
        definitions: &[Vec<u8>],
        mut queues: HashMap<u64, RecoveredQueue>,
        segments: &Segments,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let definitions = read(definitions)?;
        // Before anything is made: no identity is given a second time.
        self.node.ids.skip_to(definitions.last_id().saturating_add(1));
        for definition in definitions.metadata.vhosts.values() {
            let vhost = Vhost::bare(definition, Arc::clone(&self.node));
            self.vhosts.insert(Arc::clone(&vhost.name), vhost);
        }
        // Exchanges and queues first, then the bindings between them.
        for exchange in definitions.exchanges.values() {
            self.restore_exchange(exchange);
        }
        let mut restored = Vec::new();
        for queue in definitions.queues.values() {
            let recovered = queues.remove(&queue.id.0).unwrap_or_default();
            restored.extend(self.restore_queue(queue, recovered, segments, now_ms));
        }
        self.restore_bindings(&definitions);
        for vhost in definitions.metadata.vhosts.values().filter_map(|definition| self.vhost(&definition.name)) {
            vhost.declare_standard_exchanges();
            let recovered = queues.remove(&vhost.delayed().id().0).unwrap_or_default();
            let has_exchange = |id: ExchangeId| vhost.read(|topology| topology.exchange_by_id(id).is_some());
            vhost.delayed().restore(recovered, |single| is_free(single, segments), has_exchange);
            vhost.remove_exchanges_without_bindings();
        }
        self.node.metadata.restore(definitions.metadata);
        for (id, recovered) in queues {
            restored.extend(self.restore_undeclared(QueueId(id), recovered, segments, now_ms));
        }
        self.vhosts().iter().for_each(|vhost| vhost.restore_policies(now_ms));
        // Dead letters are published from now on, so everything that routes them must be there.
        restored.iter().for_each(|queue| queue.start(now_ms));
        Ok(())
    }

    fn restore_bindings(&self, definitions: &Definitions) {
        for bound in definitions.bindings() {
            let Some(exchange) = definitions.exchanges.get(&bound.source.0) else { continue };
            if let Some(vhost) = self.vhost(&exchange.vhost) {
                vhost.restore(|topology| topology.bind(bound.source, Arc::clone(&bound.binding)));
            }
        }
    }

    /// What was found of a queue that nothing declares.
    fn restore_undeclared(
        &self,
        id: QueueId,
        recovered: RecoveredQueue,
        segments: &Segments,
        now_ms: u64,
    ) -> Option<Arc<QueueHandle>> {
        // Only after a salvage without a checkpoint. Else nothing declares it because it was deleted.
        if recovered.is_nameless {
            return self.restore_nameless(id, recovered, segments, now_ms);
        }
        // The queue is gone, and its messages with it.
        segments.free(&all_of(&recovered));
        None
    }

    /// A queue of which the messages are known and not what it was declared as.
    fn restore_nameless(
        &self,
        id: QueueId,
        recovered: RecoveredQueue,
        segments: &Segments,
        now_ms: u64,
    ) -> Option<Arc<QueueHandle>> {
        let levels = recovered.state.parts.iter().map(|part| part.level);
        // It has no messages if it has no levels, and is not made then.
        let level_max = levels.chain(recovered.in_log.iter().map(|(enqueued, _)| enqueued.level)).max()?;
        self.node.ids.skip_to(id.0.saturating_add(1));
        let mut arguments: Table = [("x-queue-type", QueueKind::Classic.name())].into_iter().collect();
        if level_max > 0 {
            // So that its messages keep their order.
            arguments.insert("x-max-priority", Value::I32(i32::from(level_max)));
        }
        let vhost = self.add_vhost("/", QueueKind::Classic);
        let (name, vhost) = (format!("lost+found.{}", id.0), vhost.name.to_string());
        tracing::warn!(queue = name, "messages were found whose queue is not known: they are in this one now");
        let definition = QueueDefinition { vhost, id, name, auto_delete: false, arguments };
        self.restore_queue(&definition, recovered, segments, now_ms)
    }

    fn restore_exchange(&self, definition: &ExchangeDefinition) {
        let ExchangeDefinition { vhost, id, spec, was_bound } = definition;
        let Some(vhost) = self.vhost(vhost) else { return };
        match (spec.kind.create)(&spec.arguments.fields().to_owned()) {
            Ok(routing) => vhost.restore(|topology| {
                topology.add_exchange(*id, spec.clone(), routing);
                if *was_bound {
                    topology.note_bound(*id);
                }
            }),
            // The start goes on: one exchange must not keep all others from coming back.
            Err(error) => tracing::error!(exchange = %spec.name, %error, "an exchange cannot be restored"),
        }
    }

    fn restore_queue(
        &self,
        definition: &QueueDefinition,
        recovered: RecoveredQueue,
        segments: &Segments,
        now_ms: u64,
    ) -> Option<Arc<QueueHandle>> {
        let vhost = self.vhost(&definition.vhost)?;
        let spec = spec(definition, &self.node);
        let (id, weak) = (definition.id, Arc::downgrade(&vhost));
        let queue = Arc::new(QueueHandle::new(id, spec, weak, Arc::clone(&self.node), now_ms));
        let freed = queue.restore(recovered, |part| segments.gone_within(part));
        segments.free(&freed);
        vhost.restore(|topology| topology.add_queue(Arc::clone(&queue)));
        Some(queue)
    }
}

fn read(bytes: &[Vec<u8>]) -> Result<Definitions, StoreError> {
    let mut definitions = Definitions::default();
    for (number, bytes) in bytes.iter().enumerate() {
        let senseless = || StoreError::Corrupt {
            file: "the log".to_owned(),
            offset: number as u64,
            what: "a definition makes no sense".to_owned(),
        };
        definitions.apply(Definition::decode(bytes).ok_or_else(senseless)?);
    }
    Ok(definitions)
}

fn spec(definition: &QueueDefinition, node: &Node) -> QueueSpec {
    let QueueDefinition { name, auto_delete, arguments, .. } = definition;
    QueueSpec {
        name: name.as_str().into(),
        durable: true,
        auto_delete: *auto_delete,
        exclusivity: Exclusivity::Shared,
        raw_arguments: arguments.into(),
        // The type is among the arguments of every queue.
        arguments: node.arguments.share(QueueArguments::restored(arguments, &node.settings)),
    }
}

fn is_free(single: &Single, segments: &Segments) -> bool {
    let Place::Segment(id, start) = single.address.place() else { return true };
    segments.is_free(id, start, start.saturating_add(single.bytes))
}

fn all_of(recovered: &RecoveredQueue) -> Vec<Freed> {
    let part =
        |part: &Part| Freed { segment: part.segment, start: part.start, end: part.end, stored: 0, body_bytes: 0 };
    let single = |single: &Single| match single.address.place() {
        Place::Segment(segment, start) => {
            let end = start.saturating_add(single.bytes);
            Some(Freed { segment, start, end, stored: 0, body_bytes: 0 })
        }
        Place::Log(_) | Place::Nowhere => None,
    };
    let state = &recovered.state;
    state.parts.iter().map(part).chain(state.singles.iter().filter_map(single)).collect()
}
