//! Where a binding leads, in eight bytes.

use std::fmt;

use super::{Destination, ExchangeId, QueueId};

/// A destination in eight bytes, so that a set of one takes 16, and a place in the index of a virtual host 32: the identity, and in the last bit whether it is an exchange. Identities
/// are counted from 1, so none has the first bit set in the life of a data directory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::broker) struct PackedDestination(u64);

impl From<Destination> for PackedDestination {
    fn from(destination: Destination) -> Self {
        let (id, is_exchange) = match destination {
            Destination::Queue(QueueId(id)) => (id, 0),
            Destination::Exchange(ExchangeId(id)) => (id, 1),
        };
        debug_assert!(id < 1 << 63, "an identity of 64 bits: {id}");
        Self(id << 1 | is_exchange)
    }
}

impl From<PackedDestination> for Destination {
    fn from(PackedDestination(bits): PackedDestination) -> Self {
        let id = bits >> 1;
        if bits & 1 == 0 { Self::Queue(QueueId(id)) } else { Self::Exchange(ExchangeId(id)) }
    }
}

impl fmt::Debug for PackedDestination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Destination::from(*self).fmt(f)
    }
}
