//! Messages of queues that are not there under the names that they had: what the records of their declaration or deletion said is lost.
//! They are in queues whose names begin with `lost+found.`, which keep what they have: they expire nothing, drop nothing, and nothing is bound to
//! them.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::definitions::{Definitions, QueueDefinition, Replaced};
use crate::broker::ids::QueueId;
use crate::broker::queue::QueueHandle;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::vhost::Vhost;
use crate::store::recovery::RecoveredQueue;
use crate::store::segments::Segments;
use crate::table::{Table, Value};

impl Broker {
    /// Has definitions make sense together, and says what was amiss.
    pub(super) fn settle_contradictions(&self, definitions: &mut Definitions) -> Replaced {
        let kind = self.node.settings.default_queue_kind;
        for vhost in definitions.make_missing_vhosts(kind, || self.node.ids.fresh()) {
            tracing::warn!(vhost, "nothing tells of this virtual host, but of what is in it: it is made again");
        }
        definitions.take_replaced()
    }

    /// A queue that something deleted, because there is a later one of the same name.
    pub(super) fn restore_replaced(
        &self,
        replaced: &QueueDefinition,
        recovered: RecoveredQueue,
        segments: &Segments,
        now_ms: u64,
    ) -> Option<Arc<QueueHandle>> {
        let vhost = self.vhost(&replaced.vhost)?;
        let definition = kept(replaced.id, &vhost, &recovered)?;
        let QueueDefinition { vhost: in_vhost, name, .. } = replaced;
        tracing::warn!(
            "queue '{name}' in vhost '{in_vhost}' was declared anew and nothing tells that it was deleted before: the older messages are in '{}'",
            definition.name
        );
        self.restore_queue(&definition, recovered, segments, now_ms)
    }

    /// A queue of which the messages are known and not what it was declared as.
    pub(super) fn restore_unknown(
        &self,
        id: QueueId,
        mut recovered: RecoveredQueue,
        segments: &Segments,
        now_ms: u64,
    ) -> Option<Arc<QueueHandle>> {
        if recovered.state.parts.is_empty() && recovered.in_log.is_empty() {
            return None;
        }
        let vhost = self.add_vhost("/", QueueKind::Classic);
        let definition = kept(id, &vhost, &recovered)?;
        self.node.ids.skip_to(id.0.saturating_add(1));
        for (enqueued, _) in recovered.in_log.iter_mut().filter(|(enqueued, _)| enqueued.origin != 0) {
            // It was to be delivered then.
            enqueued.expires_at_ms = u64::MAX;
        }
        let name = &definition.name;
        tracing::warn!(queue = name, "messages were found whose queue is not known: they are in this one now");
        self.restore_queue(&definition, recovered, segments, now_ms)
    }
}

/// A queue for these messages, if there are any, with a name that no other has.
fn kept(id: QueueId, vhost: &Vhost, recovered: &RecoveredQueue) -> Option<QueueDefinition> {
    let levels = recovered.state.parts.iter().map(|part| part.level);
    // It has no messages if it has no levels, and is not made then.
    let level_max = levels.chain(recovered.in_log.iter().map(|(enqueued, _)| enqueued.level)).max()?;
    let mut arguments: Table = [("x-queue-type", QueueKind::Classic.name())].into_iter().collect();
    if level_max > 0 {
        // So that its messages keep their order.
        arguments.insert("x-max-priority", Value::I32(i32::from(level_max)));
    }
    let first = format!("lost+found.{}", id.0);
    let numbered = (1_u64..).map(|number| format!("{first}.{number}"));
    let is_free = |name: &String| vhost.read(|topology| topology.queue(name).is_none());
    let name = std::iter::once(first.clone()).chain(numbered).find(is_free)?;
    Some(QueueDefinition { vhost: vhost.name.to_string(), id, name, auto_delete: false, arguments })
}
