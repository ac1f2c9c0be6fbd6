//! Fills a new broker with what the store found at the start.
//!
//! If the start left something out, definitions may contradict each other. Then messages of queues whose names are not known, or are
//! those of other queues, are in queues of their own (`restore/kept`): nothing is dropped only because a record is lost.

mod kept;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Broker;
use super::definitions::{Definition, Definitions, ExchangeDefinition, QueueDefinition, Replaced};
use super::exchange::Destination;
use super::ids::{ExchangeId, QueueId};
use super::node::Node;
use super::queue::arguments::QueueArguments;
use super::queue::{Exclusivity, QueueHandle, QueueSpec};
use super::vhost::Vhost;
use crate::store::StoreError;
use crate::store::address::Place;
use crate::store::checkpoint::{Part, Single};
use crate::store::record::Freed;
use crate::store::recovery::RecoveredQueue;
use crate::store::segments::Segments;

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
        let mut definitions = read(definitions)?;
        // Before anything is made: no identity is given a second time.
        self.node.ids.skip_to(definitions.last_id().saturating_add(1));
        let replaced = self.settle_contradictions(&mut definitions);
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
            restore_delayed(&vhost, recovered, segments, &definitions, &replaced);
            vhost.remove_exchanges_without_bindings();
        }
        self.node.metadata.restore(std::mem::take(&mut definitions.metadata));
        for queue in replaced.queues {
            let recovered = queues.remove(&queue.id.0).unwrap_or_default();
            restored.extend(self.restore_replaced(&queue, recovered, segments, now_ms));
        }
        leave_unknown(&mut queues, &definitions, segments);
        for (id, recovered) in queues {
            restored.extend(self.restore_unknown(QueueId(id), recovered, segments, now_ms));
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

/// Leaves the queues of which nothing is known because what told of them is lost. The others were deleted, and their messages with them.
fn leave_unknown(queues: &mut HashMap<u64, RecoveredQueue>, definitions: &Definitions, segments: &Segments) {
    queues.retain(|&id, recovered| {
        let is_unknown = recovered.is_salvaged && !definitions.has_heard_of(Destination::Queue(QueueId(id)));
        if !is_unknown {
            segments.free(&all_of(recovered));
        }
        is_unknown
    });
}

/// Messages whose exchange is not told of, although the start left something out, are dropped and told of.
fn restore_delayed(
    vhost: &Vhost,
    recovered: RecoveredQueue,
    segments: &Segments,
    definitions: &Definitions,
    replaced: &Replaced,
) {
    let (is_salvaged, lost) = (recovered.is_salvaged, Cell::new(0_u64));
    let exchange_of = |id: ExchangeId| {
        let id = replaced.exchanges.get(&id).copied().unwrap_or(id);
        let is_there = vhost.read(|topology| topology.exchange_by_id(id).is_some());
        if !is_there && is_salvaged && !definitions.has_heard_of(Destination::Exchange(id)) {
            lost.set(lost.get() + 1);
        }
        is_there.then_some(id)
    };
    vhost.delayed().restore(recovered, |single| is_free(single, segments), exchange_of);
    if lost.get() > 0 {
        tracing::error!(vhost = %vhost.name, "{} delayed messages are lost: their exchange is not known", lost.get());
    }
}

fn spec(definition: &QueueDefinition, node: &Node) -> QueueSpec {
    let QueueDefinition { name, auto_delete, arguments, .. } = definition;
    QueueSpec {
        name: name.as_str().into(),
        durable: true,
        auto_delete: *auto_delete,
        exclusivity: Exclusivity::Shared,
        raw_arguments: node.arguments.share_given(arguments.into()),
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
