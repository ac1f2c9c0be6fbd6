//! The routes that a connection remembers, valid while the epoch of its virtual host stays the same.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::broker::router::Route;

/// So many routes are remembered; publishing to more keys in turn looks them up again.
const ROUTES_MAX: usize = 256;

/// Routes by exchange and routing key, as they stand on the wire.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    epoch: u64,
    /// The one used last, compared before anything is hashed.
    last: Option<(Box<[u8]>, Arc<Route>)>,
    by_address: FxHashMap<Box<[u8]>, Arc<Route>>,
}

impl RouteCache {
    /// The route for an address, if it was remembered at this epoch.
    pub(super) fn get(&mut self, address: &[u8], epoch: u64) -> Option<Arc<Route>> {
        if self.epoch != epoch {
            return None;
        }
        if let Some((last, route)) = &self.last
            && **last == *address
        {
            return Some(Arc::clone(route));
        }
        let route = Arc::clone(self.by_address.get(address)?);
        self.last = Some((address.into(), Arc::clone(&route)));
        Some(route)
    }

    /// Remembers a route that was found at this epoch.
    pub(super) fn insert(&mut self, address: &[u8], route: &Arc<Route>, epoch: u64) {
        if self.epoch != epoch || self.by_address.len() >= ROUTES_MAX {
            self.by_address.clear();
            self.epoch = epoch;
        }
        self.by_address.insert(address.into(), Arc::clone(route));
        self.last = Some((address.into(), Arc::clone(route)));
    }
}
