//! What a policy would change in a virtual host.

use std::sync::Arc;

use super::Vhost;
use crate::broker::definitions::PolicyDefinition;
use crate::broker::policies::{Preview, Previewed, Subject};
use crate::broker::queue::QueueHandle;
use crate::broker::topology::ExchangeSnapshot;

/// Queues and exchanges of which it is told what a policy would change, each by its name.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyPreview {
    pub(crate) queues: Vec<(String, Previewed)>,
    pub(crate) exchanges: Vec<(String, Previewed)>,
}

impl Vhost {
    /// What would change if this policy were put. Nothing is locked while patterns are matched.
    pub(crate) fn preview_policy(&self, policy: PolicyDefinition) -> PolicyPreview {
        let known = self.node.metadata.read(|state| state.policies_of(&self.name).cloned().collect());
        let preview = Preview::new(policy, known);
        let of_queue = |queue: Arc<QueueHandle>| {
            let spec = &queue.spec;
            let arguments = spec.raw_arguments.fields().to_owned();
            Some((spec.name.to_string(), preview.of(&spec.name, Subject::Queue(spec.arguments.kind), &arguments)?))
        };
        let of_exchange = |exchange: ExchangeSnapshot| {
            let arguments = exchange.spec.arguments.fields().to_owned();
            Some((exchange.spec.name.to_string(), preview.of(&exchange.spec.name, Subject::Exchange, &arguments)?))
        };
        let mut found = PolicyPreview {
            queues: self.queues().into_iter().filter_map(of_queue).collect(),
            exchanges: self.exchanges().into_iter().filter_map(of_exchange).collect(),
        };
        found.queues.sort_by(|one, other| one.0.cmp(&other.0));
        found.exchanges.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}
