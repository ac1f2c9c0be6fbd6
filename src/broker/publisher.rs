//! The way of messages from a publisher to the queues, whatever protocol it speaks: checked and routed one by one, published in runs.
//!
//! ```text
//!   PublishRequest --route--> FoundRoute --check, add--> batch --take_batch, publish--> Published
//! ```
//!
//! Messages of a batch share one chunk. Consecutive ones with the same route are published together, so that a queue is locked and
//! its consumers are woken once for many. `T` is what the publisher wants to know again about each message when it is published: its
//! channel and number, the request that waits for an answer, or nothing.
//!
//! **Invariant**: a batch is published in the order in which messages were added, and each message of it has one outcome.

mod batch;
mod published;
mod request;
mod routes;
#[cfg(test)]
mod tests;
mod waits;

use std::sync::Arc;

use super::queue::NewMessage;
use super::router::{Route, RoutingKeys};
use super::vhost::Vhost;
use crate::error::AmqpError;
use crate::message::Message;
use crate::properties::Properties;
use crate::store::{LogPosition, TransactionId};

use batch::PublishBatch;
pub(crate) use batch::{Pending, PublishBody, RecordParts};
pub(crate) use published::Published;
pub(crate) use request::{Author, PublishRequest, facts, visible_properties};
use routes::RouteCache;
pub(crate) use waits::PublisherWaits;

/// Queues are locked for at most so many messages at a time.
const RUN_MESSAGES_MAX: usize = 256;
/// A batch that publishes more than so many times, its messages and their copies, is long work from there on: about a millisecond.
const BATCH_COPIES_MAX: usize = 4096;

/// Publishes to the exchanges of one virtual host.
#[derive(Debug)]
pub(crate) struct Publisher<T> {
    vhost: Arc<Vhost>,
    routes: RouteCache,
    batch: PublishBatch<T>,
    /// Waits for consumers that are behind; `None` for who publishes however long queues are.
    waits: Option<Arc<PublisherWaits>>,
}

/// Where a message goes, and what it took to find out.
#[derive(Clone, Debug)]
pub(crate) struct FoundRoute {
    pub(crate) route: Arc<Route>,
    /// How many queues and bindings were looked at; `None` if the route was remembered.
    pub(crate) steps: Option<usize>,
}

/// Somebody who counts what is done, and who may have it done elsewhere if it takes long.
pub(crate) trait Turn {
    /// Does work that handles so many things.
    fn work<R>(&mut self, things: usize, work: impl FnOnce() -> R) -> R;

    /// Does work that takes long in many pieces, each of which is counted by [`Turn::work`].
    fn long_work(&mut self, work: impl FnOnce(&mut Self));
}

/// Does all work at once and counts nothing: for those who have a thread of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtOnce;

impl Turn for AtOnce {
    fn work<R>(&mut self, _: usize, work: impl FnOnce() -> R) -> R {
        work()
    }

    fn long_work(&mut self, work: impl FnOnce(&mut Self)) {
        work(self);
    }
}

/// The neighbours of a batch that have one route, with the place of the first.
struct Runs<'a, T> {
    messages: &'a [(Pending<T>, Message)],
    start: usize,
}

impl<T> Runs<'_, T> {
    const fn is_over(&self) -> bool {
        self.start >= self.messages.len()
    }
}

impl<'a, T> Iterator for Runs<'a, T> {
    type Item = (usize, &'a [(Pending<T>, Message)]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.start;
        let rest = self.messages.get(start..)?;
        let (first, _) = rest.first()?;
        // The same `Arc` is enough: a route that is remembered is shared by all messages of its address.
        let same = |(pending, _): &&(Pending<T>, Message)| Arc::ptr_eq(&pending.route, &first.route);
        let length = rest.iter().take(RUN_MESSAGES_MAX).take_while(same).count();
        self.start += length;
        Some((start, rest.get(..length)?))
    }
}

impl<T> Publisher<T> {
    /// A publisher that has published nothing.
    pub(crate) fn new(vhost: Arc<Vhost>) -> Self {
        Self { vhost, routes: RouteCache::default(), batch: PublishBatch::default(), waits: None }
    }

    /// The same, who has a place in the line of each queue that it makes too long for its consumers.
    pub(crate) fn waiting(mut self, waits: Arc<PublisherWaits>) -> Self {
        self.wait_with(waits);
        self
    }

    /// Changes who has these places from now on.
    pub(crate) fn wait_with(&mut self, waits: Arc<PublisherWaits>) {
        self.waits = Some(waits);
    }

    /// Forgets the routes of earlier messages, because what was allowed may not be allowed any more.
    pub(crate) fn forget_routes(&mut self) {
        self.routes = RouteCache::default();
    }

    /// Finds the route of a message. `authorize` is asked whenever the route is not remembered from an earlier message.
    ///
    /// # Errors
    /// What `authorize` fails with, then 403 to an internal exchange, 404 when there is none, 406 when the exchange refuses the
    /// message.
    #[inline]
    pub(crate) fn route(
        &mut self,
        request: &PublishRequest<'_>,
        authorize: impl FnOnce(&RoutingKeys<'_>) -> Result<(), AmqpError>,
        turn: &mut impl Turn,
    ) -> Result<FoundRoute, AmqpError> {
        let properties = Properties::new(request.properties());
        // Most messages have no headers, and so one key and no table to be read.
        let keys = match request.has_headers() {
            false => RoutingKeys::single(request.routing_key()),
            true => RoutingKeys::with_copies(request.routing_key(), properties),
        };
        // Read before the topology, so that a change in between makes the route outdated.
        let epoch = self.vhost.epoch();
        if !keys.has_copies()
            && let Some(route) = self.routes.get(request.address(), epoch)
        {
            return Ok(FoundRoute { route, steps: None });
        }
        // Not asked for a route that is remembered: whatever changes rights moves the epoch.
        authorize(&keys)?;
        let route = Arc::new(self.vhost.route_in_turn(request.exchange(), &keys, properties, turn)?);
        let steps = Some(route.effort);
        if route.by_key_alone {
            self.routes.insert(request.address(), &route, epoch);
        }
        Ok(FoundRoute { route, steps })
    }

    /// Adds a message to the batch. Returns whether the batch is full, and should be published.
    #[inline]
    pub(crate) fn add<'b>(
        &mut self,
        pending: Pending<T>,
        parts: &RecordParts<'_>,
        body: PublishBody<impl Iterator<Item = &'b [u8]>>,
    ) -> bool {
        self.batch.add(pending, parts, body, &self.vhost.node().memory);
        self.batch.is_full()
    }

    /// Whether the batch holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes out the batch, to be given to [`Publisher::publish`].
    pub(crate) fn take_batch(&mut self) -> Vec<(Pending<T>, Message)> {
        self.batch.finish(&self.vhost.node().memory)
    }

    /// Keeps the memory of what [`Publisher::take_batch`] returned.
    pub(crate) fn recycle(&mut self, messages: Vec<(Pending<T>, Message)>) {
        self.batch.recycle(messages);
    }

    /// Publishes messages in their order.
    pub(crate) fn publish(
        &self,
        messages: &[(Pending<T>, Message)],
        transaction: TransactionId,
        now_ms: u64,
        turn: &mut impl Turn,
    ) -> Published {
        let mut published = Published::default();
        let mut left = Runs { messages, start: 0 };
        let mut copies = 0;
        // A run is short by itself, and a batch may have a thousand of them.
        while copies < BATCH_COPIES_MAX
            && let Some((start, run)) = left.next()
        {
            copies += self.publish_next(start, run, &mut published, (transaction, now_ms), turn);
        }
        if !left.is_over() {
            turn.long_work(|turn| {
                for (start, run) in left {
                    self.publish_next(start, run, &mut published, (transaction, now_ms), turn);
                }
            });
        }
        published.seal();
        published
    }

    /// Publishes the run that starts at this place of its batch. Returns how many messages and copies these were.
    fn publish_next(
        &self,
        start: usize,
        run: &[(Pending<T>, Message)],
        published: &mut Published,
        (transaction, now_ms): (TransactionId, u64),
        turn: &mut impl Turn,
    ) -> usize {
        let Some((first, _)) = run.first() else { return 0 };
        let route = &*first.route;
        let copies = run.len() * (1 + route.queues.len() + route.holds.len());
        let note = |place| published.refuse(start + place);
        let position = turn.work(copies, || self.publish_run(route, run, transaction, now_ms, note));
        let tails = &self.vhost.node().tails;
        // Nearly always nobody watches.
        if tails.is_any() {
            tails.show(&self.vhost.name, route, run.iter().map(|(_, message)| message), now_ms);
        }
        published.end_run(start + run.len(), position, route.is_unroutable());
        copies
    }

    /// Publishes messages of one route; `refused` is called with the place of each one that some queue did not take. Returns what must
    /// be durable before the messages are confirmed.
    fn publish_run(
        &self,
        route: &Route,
        run: &[(Pending<T>, Message)],
        transaction: TransactionId,
        now_ms: u64,
        mut refused: impl FnMut(usize),
    ) -> LogPosition {
        route.count(run.len());
        let mut position = LogPosition::START;
        let new =
            |(pending, message): &(Pending<T>, Message)| NewMessage::published(message.clone(), pending.expiration_ms);
        if !route.holds.is_empty() {
            for published in run {
                position = position.and(self.vhost.hold(&route.holds, &new(published), transaction, now_ms));
            }
        }
        for reply in &route.replies {
            for (_, message) in run {
                reply.deliver(message.clone());
            }
        }
        let waits = self.waits.as_ref();
        // One queue after the other, each with its own lock: never two at once.
        for queue in &route.queues {
            position =
                position.and(queue.publish_at_pace(run.iter().map(new), waits, transaction, now_ms, &mut refused));
        }
        position
    }
}
