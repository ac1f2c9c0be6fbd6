//! Who wants to see what is published as it passes. Nobody does most of the time: then a publisher reads one flag for each batch.
//!
//! A tail has a buffer of its own, which is bounded in messages and bytes: what does not fit is counted, and no publisher waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use super::exchange::{Binding, Destination, Matches, RoutedMessage, lookup};
use super::ids::QueueId;
use super::router::{Route, RoutingKeys};
use crate::message::Message;
use crate::properties::Properties;
use crate::store::Wake;
use crate::table::Table;

/// Messages that wait in one tail, and bytes of them.
const WAITING_MAX: usize = 1_000;
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// Queues that are named of one message.
const QUEUES_MAX: usize = 20;

/// Which messages a tail wants: all that is given must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct TailFilter {
    pub(crate) vhost: Arc<str>,
    /// The exchange that it was published to.
    pub(crate) exchange: Option<String>,
    /// A queue that it reaches.
    pub(crate) queue: Option<String>,
    /// A pattern of the routing key, as topic exchanges have it.
    pub(crate) key: Option<String>,
    /// Bytes of a body that are kept of each message.
    pub(crate) body_bytes_max: usize,
}

/// A message that passed.
#[derive(Clone, Debug)]
pub(crate) struct TailedMessage {
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// The message; its body may be cut.
    pub(crate) message: Message,
    /// Bytes of the whole body.
    pub(crate) body_bytes: usize,
    /// The first queues that it reached.
    pub(crate) queues: Vec<Arc<str>>,
}

/// Somebody who watches.
pub(crate) struct Tail {
    filter: TailFilter,
    pattern: Option<Box<dyn super::exchange::Routing>>,
    waiting: Mutex<Waiting>,
    wake: Arc<dyn Wake>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("filter", &self.filter).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    passed: VecDeque<TailedMessage>,
    bytes: usize,
    dropped: u64,
}

/// All tails of a broker.
#[derive(Debug, Default)]
pub struct Tails {
    count: AtomicUsize,
    all: RwLock<Vec<Arc<Tail>>>,
}

impl Tails {
    /// Whether anybody watches.
    #[inline]
    pub(crate) fn is_any(&self) -> bool {
        // Relaxed: what passes while somebody begins to watch may be seen or not.
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Watches from now on, until [`Tails::remove`]. `wake` is called when there is something to take.
    pub(crate) fn add(&self, filter: TailFilter, wake: Arc<dyn Wake>) -> Arc<Tail> {
        let pattern = filter.key.as_ref().and_then(|key| {
            let mut topic = (lookup("topic")?.create)(&Table::new()).ok()?;
            topic.bind(&Arc::new(Binding::new(Destination::Queue(QueueId(0)), key.as_bytes(), Table::new())));
            Some(topic)
        });
        let tail = Arc::new(Tail { filter, pattern, waiting: Mutex::default(), wake });
        let mut all = self.all.write();
        all.push(Arc::clone(&tail));
        self.count.store(all.len(), Ordering::Relaxed);
        tail
    }

    /// Watches no longer.
    pub(crate) fn remove(&self, tail: &Arc<Tail>) {
        let mut all = self.all.write();
        all.retain(|other| !Arc::ptr_eq(other, tail));
        self.count.store(all.len(), Ordering::Relaxed);
    }

    /// Shows messages of one route that were published in a virtual host.
    #[cold]
    pub(super) fn show<'m>(
        &self,
        vhost: &str,
        route: &Route,
        messages: impl Iterator<Item = &'m Message> + Clone,
        now_ms: u64,
    ) {
        for tail in self.all.read().iter().filter(|tail| *tail.filter.vhost == *vhost) {
            let queue = tail.filter.queue.as_deref();
            if queue.is_some_and(|queue| !route.queues.iter().any(|reached| *reached.spec.name == *queue)) {
                continue;
            }
            tail.show(route, messages.clone(), now_ms);
        }
    }
}

impl Tail {
    fn show<'m>(&self, route: &Route, messages: impl Iterator<Item = &'m Message>, now_ms: u64) {
        let mut has_new = false;
        for message in messages.filter(|message| self.wants(message)) {
            let cut = message.body().get(..self.filter.body_bytes_max).unwrap_or_else(|| message.body());
            let bytes =
                cut.len() + message.property_bytes().len() + message.address().len() + size_of::<TailedMessage>();
            let mut waiting = self.waiting.lock();
            if waiting.passed.len() >= WAITING_MAX || waiting.bytes + bytes > WAITING_BYTES_MAX {
                waiting.dropped += 1;
                continue;
            }
            waiting.bytes += bytes;
            // A copy: it must not keep the chunk of its batch in memory.
            let gauge = Arc::default();
            let body_bytes = message.body_bytes();
            let message =
                Message::standalone(&gauge, message.facts(), message.address(), message.property_bytes(), cut);
            let queues = route.queues.iter().take(QUEUES_MAX).map(|queue| Arc::clone(&queue.spec.name)).collect();
            waiting.passed.push_back(TailedMessage { at_ms: now_ms, message, body_bytes, queues });
            has_new = true;
        }
        if has_new {
            self.wake.wake();
        }
    }

    fn wants(&self, message: &Message) -> bool {
        let is_exchange = self.filter.exchange.as_ref().is_none_or(|exchange| exchange == message.exchange());
        is_exchange
            && self.pattern.as_ref().is_none_or(|topic| {
                let mut matches = Matches::default();
                let keys = RoutingKeys::single(message.routing_key());
                topic.route(&RoutedMessage::new(&keys, Properties::NONE, 0), &mut matches);
                !matches.destinations.is_empty()
            })
    }

    /// Takes what passed since it was asked last, and how many messages were dropped.
    pub(crate) fn take(&self) -> (VecDeque<TailedMessage>, u64) {
        let Waiting { passed, dropped, .. } = std::mem::take(&mut *self.waiting.lock());
        (passed, dropped)
    }

    /// What it wants.
    pub(crate) fn filter(&self) -> &TailFilter {
        &self.filter
    }
}
