//! How many connections and channels there are, by user and virtual host, so that no limit is passed by two who come at once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// How many connections there may be; `None` for as many as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Of the whole node.
    pub(crate) of_node: Option<u64>,
    /// In the virtual host.
    pub(crate) of_vhost: Option<u64>,
    pub(crate) of_user: Option<u64>,
}

/// There are as many connections as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionsReached {
    /// Of the whole node.
    Node {
        /// How many are allowed.
        max: u64,
    },
    /// In the virtual host.
    Vhost {
        /// How many are allowed.
        max: u64,
    },
    User {
        /// How many are allowed.
        max: u64,
    },
}

/// How many channels there may be; `None` for as many as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChannelLimits {
    /// Of the whole node.
    pub(crate) of_node: Option<u64>,
    pub(crate) of_user: Option<u64>,
}

/// There are as many channels as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelsReached {
    /// Of the whole node.
    Node {
        /// How many are allowed.
        max: u64,
    },
    User {
        /// How many are allowed.
        max: u64,
    },
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    connections: u64,
    channels: u64,
    by_vhost: HashMap<Arc<str>, u64>,
    by_user: HashMap<Arc<str>, u64>,
    channels_by_user: HashMap<Arc<str>, u64>,
}

impl Tally {
    /// Counts a connection, unless there are too many. The node is looked at first and then the virtual host, as RabbitMQ does.
    pub(super) fn add_connection(
        &self,
        user: &Arc<str>,
        vhost: &Arc<str>,
        limits: ConnectionLimits,
    ) -> Result<(), ConnectionsReached> {
        let mut counts = self.0.lock();
        if let Some(max) = limits.of_node.filter(|max| counts.connections >= *max) {
            return Err(ConnectionsReached::Node { max });
        }
        if let Some(max) = reached(&counts.by_vhost, vhost, limits.of_vhost) {
            return Err(ConnectionsReached::Vhost { max });
        }
        if let Some(max) = reached(&counts.by_user, user, limits.of_user) {
            return Err(ConnectionsReached::User { max });
        }
        counts.connections += 1;
        add(&mut counts.by_vhost, vhost);
        add(&mut counts.by_user, user);
        Ok(())
    }

    pub(super) fn remove_connection(&self, user: &str, vhost: &str) {
        let mut counts = self.0.lock();
        counts.connections -= 1;
        remove(&mut counts.by_vhost, vhost);
        remove(&mut counts.by_user, user);
    }

    /// Counts a channel, unless there are too many.
    pub(super) fn add_channel(&self, user: &Arc<str>, limits: ChannelLimits) -> Result<(), ChannelsReached> {
        let mut counts = self.0.lock();
        if let Some(max) = limits.of_node.filter(|max| counts.channels >= *max) {
            return Err(ChannelsReached::Node { max });
        }
        if let Some(max) = reached(&counts.channels_by_user, user, limits.of_user) {
            return Err(ChannelsReached::User { max });
        }
        counts.channels += 1;
        add(&mut counts.channels_by_user, user);
        Ok(())
    }

    pub(super) fn remove_channel(&self, user: &str) {
        let mut counts = self.0.lock();
        counts.channels -= 1;
        remove(&mut counts.channels_by_user, user);
    }
}

fn reached(counts: &HashMap<Arc<str>, u64>, name: &str, max: Option<u64>) -> Option<u64> {
    max.filter(|max| counts.get(name).copied().unwrap_or(0) >= *max)
}

fn add(counts: &mut HashMap<Arc<str>, u64>, name: &Arc<str>) {
    *counts.entry(Arc::clone(name)).or_default() += 1;
}

/// Whose count is 0 is not kept: names come and go.
fn remove(counts: &mut HashMap<Arc<str>, u64>, name: &str) {
    let Some(count) = counts.get_mut(name) else {
        debug_assert!(false, "'{name}' was counted");
        return;
    };
    *count -= 1;
    if *count == 0 {
        counts.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_than_allowed_and_room_comes_back() {
        let (tally, user, vhost): (_, Arc<str>, Arc<str>) = (Tally::default(), "u".into(), "v".into());
        let limits = |of_vhost, of_user| ConnectionLimits { of_node: None, of_vhost, of_user };
        let of_node = ConnectionLimits { of_node: Some(1), of_vhost: Some(0), of_user: None };
        assert_eq!(
            tally.add_connection(&user, &vhost, limits(Some(0), None)),
            Err(ConnectionsReached::Vhost { max: 0 })
        );
        assert_eq!(tally.add_connection(&user, &vhost, limits(Some(1), Some(1))), Ok(()));
        assert_eq!(
            tally.add_connection(&user, &vhost, limits(None, Some(1))),
            Err(ConnectionsReached::User { max: 1 })
        );
        assert_eq!(tally.add_connection(&user, &vhost, limits(Some(2), Some(2))), Ok(()));
        assert_eq!(tally.add_connection(&user, &vhost, of_node), Err(ConnectionsReached::Node { max: 1 }));
        tally.remove_connection(&user, &vhost);
        tally.remove_connection(&user, &vhost);
        let limits = |of_node, of_user| ChannelLimits { of_node, of_user };
        assert_eq!(tally.add_channel(&user, limits(Some(1), Some(1))), Ok(()));
        assert_eq!(tally.add_channel(&user, limits(None, Some(1))), Err(ChannelsReached::User { max: 1 }));
        assert_eq!(tally.add_channel(&user, limits(Some(1), Some(1))), Err(ChannelsReached::Node { max: 1 }));
        tally.remove_channel(&user);
        let counts = tally.0.lock();
        assert!(counts.by_vhost.is_empty() && counts.by_user.is_empty() && counts.channels_by_user.is_empty());
    }
}
