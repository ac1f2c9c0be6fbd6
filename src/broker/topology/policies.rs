//! Exchanges under the policies of their virtual host.

use std::sync::Arc;

use super::{Exchange, Topology};
use crate::broker::ids::ExchangeId;
use crate::broker::policies::Applied;

/// The only key that means something to an exchange.
const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

impl Exchange {
    /// Where messages go that it cannot route: its argument counts more than a policy.
    pub(crate) fn alternate(&self) -> Option<&str> {
        let of_policy = || self.policies.as_ref()?.value(ALTERNATE_EXCHANGE)?.as_str();
        self.spec.alternate.as_deref().or_else(of_policy)
    }

    /// The policies that hold for it.
    pub(crate) const fn policies(&self) -> Option<&Arc<Applied>> {
        self.policies.as_ref()
    }
}

impl Topology {
    /// Has an exchange obey these policies from now on. No message finds another way before the epoch of the virtual host moves.
    pub(crate) fn apply_policies(&mut self, id: ExchangeId, policies: Option<Arc<Applied>>) {
        if let Some(exchange) = self.exchanges.get_mut(&id) {
            exchange.policies = policies;
        }
    }
}
