//! Pure state: virtual hosts, exchanges, queues. No socket, no file, no clock, no frames.
//!
//! Time comes in as milliseconds since the Unix epoch, randomness from [`random::Random`], and what a change means for clients
//! leaves through [`sink::Sink`]s. Start reading at [`queue`], then [`vhost`].

mod actor;
pub(crate) mod administration;
pub(crate) mod alarm;
pub(crate) mod alerts;
pub(crate) mod background;
pub(crate) mod byte_count;
pub(crate) mod changes;
mod consumer_timeout;
pub(crate) mod deadlines;
mod death;
pub(crate) mod declarers;
pub(crate) mod definitions;
pub(crate) mod definitions_file;
pub(crate) mod delayed;
pub(crate) mod deprecated;
pub(crate) mod exchange;
pub(crate) mod ids;
pub(crate) mod metadata;
pub(crate) mod mistyped;
pub(crate) mod node;
pub(crate) mod object_counts;
pub(crate) mod own;
pub(crate) mod own_users;
pub(crate) mod pager;
pub(crate) mod policies;
pub(crate) mod pressure;
pub(crate) mod profile;
pub(crate) mod publisher;
pub(crate) mod queue;
pub(crate) mod random;
pub(crate) mod recent_errors;
pub(crate) mod registry;
pub(crate) mod reply_to;
pub(crate) mod residency;
mod restore;
pub(crate) mod router;
pub(crate) mod settler;
pub(crate) mod sink;
mod split_map;
pub(crate) mod tails;
pub(crate) mod topology;
pub(crate) mod vhost;
pub(crate) mod vhost_defaults;

use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;

pub(crate) use actor::{NOBODY, acting_as};
use node::Node;
use vhost::Vhost;

/// The virtual hosts of a broker.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    vhosts: DashMap<Arc<str>, Arc<Vhost>>,
    /// Held while a virtual host is made or deleted, so that `vhosts` and the metadata do both in the same order.
    vhost_changes: Mutex<()>,
    /// Virtual hosts that were deleted, and whose queues are not gone yet.
    leaving: Mutex<Vec<Arc<Vhost>>>,
}

impl Broker {
    /// A broker without virtual hosts.
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, vhosts: DashMap::new(), vhost_changes: Mutex::default(), leaving: Mutex::default() }
    }

    /// What all virtual hosts share.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// A virtual host by its name.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        // A clone, and no guard of the map: whoever held one while the map is changed would wait for itself.
        self.vhosts.get(name).map(|vhost| Arc::clone(&vhost))
    }

    /// Copies messages that keep much larger chunks alive, in all queues, so that these can go.
    fn compact(&self) {
        for vhost in self.vhosts() {
            let queues = vhost.queues();
            for queue in queues {
                queue.relieve_chunks();
            }
        }
    }

    /// Does everything that is due at `now_ms`.
    pub fn run_deadlines(&self, now_ms: u64) {
        while self.run_next_deadline(now_ms).is_some() {}
        // Behind all that was due: what has expired by then need not be copied.
        if self.needs_relief() {
            self.relieve();
        }
    }

    /// Does the next thing that is due at `now_ms`, or a part of it: about how many messages it was; `None` when nothing is due.
    pub(crate) fn run_next_deadline(&self, now_ms: u64) -> Option<usize> {
        self.node.deadlines.run_next(now_ms)
    }

    /// Looks at the memory in use: whether it is time for [`Broker::relieve`], which is said once.
    pub(crate) fn needs_relief(&self) -> bool {
        // First, because the watermark may be given back, and then no copy is needed.
        self.node.look_again();
        // The alarm may be raised only now, and asks for relief with that.
        self.node.check_memory();
        self.node.alarm.takes_relief()
    }

    /// Gives memory back that is kept for little. It looks at every message of every queue.
    pub(crate) fn relieve(&self) {
        self.compact();
        self.node.check_memory();
    }
}
