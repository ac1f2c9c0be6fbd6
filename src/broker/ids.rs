//! Identities. None is ever used again: what was deleted and declared anew is another thing.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    )*};
}

ids! {
    /// A queue.
    QueueId;
    /// An exchange.
    ExchangeId;
    /// A connection of a client.
    ConnectionId;
    /// One opening of a channel: a channel number that is opened again gets a new one.
    ChannelId;
    /// A consumer.
    ConsumerId;
}

/// Gives out identities.
#[derive(Debug)]
pub struct Ids(AtomicU64);

impl Default for Ids {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Ids {
    /// Gives out no number below this one any more.
    pub fn skip_to(&self, next: u64) {
        self.0.fetch_max(next, Ordering::Relaxed);
    }

    /// The next number, which is not given out yet.
    pub fn peek(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A number that was never given out before.
    pub fn fresh(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
