//! Pure state: virtual hosts, exchanges, queues. No socket, no file, no clock, no frames.
//!
//! Time comes in as milliseconds since the Unix epoch, randomness from [`random::Random`], and what a change means for clients
//! leaves through [`sink::Sink`]s. Start reading at [`queue`], then [`vhost`].

pub mod alarm;
pub mod background;
pub mod deadlines;
mod death;
pub mod definitions;
pub mod delayed;
pub mod deprecated;
pub mod exchange;
pub mod ids;
pub mod node;
pub mod pager;
pub mod pressure;
pub mod profile;
pub mod queue;
pub mod random;
pub mod registry;
pub mod reply_to;
pub mod residency;
mod restore;
pub mod router;
pub mod sink;
pub mod topology;
mod usage;
pub mod vhost;

use std::sync::Arc;

use dashmap::DashMap;

use node::Node;
use queue::arguments::QueueKind;
use vhost::Vhost;

/// The virtual hosts of a broker.
#[derive(Debug)]
pub struct Broker {
    node: Arc<Node>,
    vhosts: DashMap<Arc<str>, Arc<Vhost>>,
}

impl Broker {
    /// A broker without virtual hosts.
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, vhosts: DashMap::new() }
    }

    /// What all virtual hosts share.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// A virtual host by its name.
    pub fn vhost(&self, name: &str) -> Option<Arc<Vhost>> {
        self.vhosts.get(name).map(|vhost| Arc::clone(&vhost))
    }

    /// All virtual hosts, by name.
    pub fn vhosts(&self) -> Vec<Arc<Vhost>> {
        let mut vhosts: Vec<_> = self.vhosts.iter().map(|vhost| Arc::clone(&vhost)).collect();
        vhosts.sort_by(|a, b| a.name.cmp(&b.name));
        vhosts
    }

    /// Adds a virtual host, unless there is one of this name.
    pub fn add_vhost(&self, name: &str, default_queue_kind: QueueKind) -> Arc<Vhost> {
        let new = || Vhost::new(name, default_queue_kind, Arc::clone(&self.node));
        Arc::clone(&self.vhosts.entry(name.into()).or_insert_with(new))
    }

    /// Copies messages that keep much larger chunks alive, in all queues, so that these can go.
    fn compact(&self) {
        for vhost in self.vhosts() {
            let queues: Vec<_> = vhost.read(|topology| topology.queues().cloned().collect());
            for queue in queues {
                queue.peek(|queue| queue.compact());
            }
        }
    }

    /// Does everything that is due at `now_ms`.
    pub fn run_deadlines(&self, now_ms: u64) {
        while self.run_next_deadline(now_ms).is_some() {}
        self.relieve();
    }

    /// Does the next thing that is due at `now_ms`, or a part of it: about how many messages it was; `None` when nothing is due.
    pub fn run_next_deadline(&self, now_ms: u64) -> Option<usize> {
        self.node.deadlines.run_next(now_ms)
    }

    /// Looks for memory that can be had back, if it is asked for.
    pub fn relieve(&self) {
        self.node.look_again();
        self.node.check_memory();
        if self.node.alarm.takes_relief() {
            self.compact();
            self.node.check_memory();
        }
    }
}
