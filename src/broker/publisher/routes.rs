//! The routes that a publisher remembers, valid while the epoch of its virtual host stays the same.

use std::mem::size_of;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::broker::router::Route;

/// What all that is remembered may take. Enough for 10,000 routing keys, so that a telemetry exchange is walked once for each of
/// them and not once for each message; publishing to more in turn looks them up again.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a route takes beside its address, about: it, its reference counts, and its place in a table that is half full.
const ROUTE_BYTES: usize = size_of::<Route>() + 2 * size_of::<(Box<[u8]>, Arc<Route>)>() + 2 * size_of::<usize>();

/// A table with room for more is not kept when its routes are outdated.
const KEPT_ROUTES_MAX: usize = 256;

/// Routes by exchange and routing key, as they stand on the wire.
#[derive(Debug, Default)]
pub(super) struct RouteCache {
    epoch: u64,
    /// The one used last, compared before anything is hashed.
    last: Option<Arc<Route>>,
    last_address: Vec<u8>,
    by_address: FxHashMap<Box<[u8]>, Arc<Route>>,
    bytes: usize,
}

impl RouteCache {
    /// The route for an address, if it was remembered at this epoch.
    pub(super) fn get(&mut self, address: &[u8], epoch: u64) -> Option<Arc<Route>> {
        if self.epoch != epoch {
            return None;
        }
        // Most publishers publish to one address: a comparison of a few bytes, and no hash.
        if let Some(last) = &self.last
            && self.last_address == address
        {
            return Some(Arc::clone(last));
        }
        let route = Arc::clone(self.by_address.get(address)?);
        self.use_last(address, &route);
        Some(route)
    }

    /// Remembers a route that was found at this epoch.
    pub(super) fn insert(&mut self, address: &[u8], route: &Arc<Route>, epoch: u64) {
        let bytes = address.len() + ROUTE_BYTES;
        // All or none: to find out which routes are used least would cost each message something.
        if self.epoch != epoch || self.bytes + bytes > BYTES_MAX {
            if self.by_address.capacity() > KEPT_ROUTES_MAX {
                self.by_address = FxHashMap::default();
            }
            self.by_address.clear();
            self.bytes = 0;
            self.epoch = epoch;
        }
        self.by_address.insert(address.into(), Arc::clone(route));
        self.bytes += bytes;
        self.use_last(address, route);
    }

    fn use_last(&mut self, address: &[u8], route: &Arc<Route>) {
        self.last_address.clear();
        self.last_address.extend_from_slice(address);
        self.last = Some(Arc::clone(route));
    }
}
