//! What the broker has to do at a later time: one ordered list for all queues and delayed messages, so that an idle broker has
//! no timer but the next one that matters.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::delayed::DelayedMessages;
use super::queue::QueueHandle;

/// Wakes whoever waits for the next deadline, because an earlier one was ordered.
pub(crate) type WakeUp = Box<dyn Fn() + Send + Sync>;

#[derive(Debug)]
enum Due {
    Queue(Weak<QueueHandle>),
    Delayed(Weak<DelayedMessages>),
}

impl Due {
    /// Whose deadline it is. The address is nobody else's as long as the weak reference is there.
    fn owner(&self) -> usize {
        match self {
            Self::Queue(queue) => queue.as_ptr().addr(),
            Self::Delayed(delayed) => delayed.as_ptr().addr(),
        }
    }
}

/// The list of deadlines. A leaf in the lock order: it may be used under a queue's lock.
#[derive(Default)]
pub struct Deadlines {
    list: Mutex<List>,
    wake_up: std::sync::OnceLock<WakeUp>,
}

/// At most one deadline an owner, the earliest that was ordered: owners look for the next one themselves when they are called, so
/// a later one would find nothing to do, and order another one each time.
#[derive(Default)]
struct List {
    due: BTreeMap<(u64, u64), Due>,
    by_owner: FxHashMap<usize, (u64, u64)>,
    ordered: u64,
    /// What is ordered for an earlier time than this is ordered for this: those who are not done at one call take turns.
    now_ms: u64,
    /// Queues whose dead letters were too many for one turn. Each publishes its own.
    dead_letters: VecDeque<Weak<QueueHandle>>,
}

impl List {
    /// False when the owner is called early enough already.
    fn insert(&mut self, at_ms: u64, due: Due) -> bool {
        // A queue that is not done asks for a time in the past. It gets its turn behind those that are due
        // now, and not before them.
        let at_ms = at_ms.max(self.now_ms);
        let owner = due.owner();
        if let Some(ordered) = self.by_owner.get(&owner) {
            if ordered.0 <= at_ms {
                return false;
            }
            self.due.remove(ordered);
        }
        // Of equal times, the one that was ordered first comes first.
        self.ordered += 1;
        let key = (at_ms, self.ordered);
        self.by_owner.insert(owner, key);
        self.due.insert(key, due);
        true
    }

    fn pop(&mut self, now_ms: u64) -> Option<Due> {
        self.now_ms = now_ms;
        let first = self.due.first_entry().filter(|first| first.key().0 <= now_ms)?;
        let due = first.remove();
        self.by_owner.remove(&due.owner());
        Some(due)
    }
}

impl fmt::Debug for Deadlines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadlines").field("count", &self.list.lock().due.len()).finish_non_exhaustive()
    }
}

impl Deadlines {
    /// Sets who is woken when a deadline is ordered that precedes all others. Only the first call counts.
    pub(crate) fn on_earlier(&self, wake_up: WakeUp) {
        self.wake_up.get_or_init(|| wake_up);
    }

    /// Has the queue's timer called at this time. A call that is no longer wanted then does nothing.
    pub(in crate::broker) fn order_queue(&self, at_ms: u64, queue: &Arc<QueueHandle>) {
        self.order(at_ms, Due::Queue(Arc::downgrade(queue)));
    }

    /// Has delayed messages delivered at this time.
    pub(in crate::broker) fn order_delayed(&self, at_ms: u64, delayed: &Arc<DelayedMessages>) {
        self.order(at_ms, Due::Delayed(Arc::downgrade(delayed)));
    }

    fn order(&self, at_ms: u64, due: Due) {
        let mut list = self.list.lock();
        let is_first = list.due.keys().next().is_none_or(|&(next_ms, _)| at_ms < next_ms);
        let is_new = list.insert(at_ms, due);
        drop(list);
        // Whoever waits sleeps until the first deadline, so only a new first one has to wake it. Outside of the
        // lock, because waking takes others.
        if is_first && is_new {
            self.wake();
        }
    }

    /// Has somebody go on with the dead letters of a queue.
    pub(in crate::broker) fn order_dead_letters(&self, queue: &Arc<QueueHandle>) {
        self.list.lock().dead_letters.push_back(Arc::downgrade(queue));
        self.wake();
    }

    /// Wakes whoever waits for the next deadline.
    pub(crate) fn wake(&self) {
        if let Some(wake_up) = self.wake_up.get() {
            wake_up();
        }
    }

    /// The next deadline.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        let list = self.list.lock();
        if list.dead_letters.is_empty() { list.due.keys().next().map(|&(at_ms, _)| at_ms) } else { Some(0) }
    }

    /// Does the next thing that is due at `now_ms`, or as much of it as is done in one turn: about how many messages it was;
    /// `None` when nothing is due.
    pub(crate) fn run_next(&self, now_ms: u64) -> Option<usize> {
        // Both lists move on with each call: neither expired messages nor dead letters can keep the
        // others from their turn.
        let (due, queue) = {
            let mut list = self.list.lock();
            (list.pop(now_ms), list.dead_letters.pop_front())
        };
        if due.is_none() && queue.is_none() {
            return None;
        }
        // The list is free while it runs: a timer orders the next one itself.
        let done = match due {
            Some(Due::Queue(queue)) => queue.upgrade().map_or(0, |queue| queue.on_timer(now_ms)),
            Some(Due::Delayed(delayed)) => delayed.upgrade().map_or(0, |delayed| delayed.deliver_due(now_ms)),
            None => 0,
        };
        let published =
            queue.and_then(|queue| queue.upgrade()).map_or(0, |queue| queue.go_on_with_dead_letters(now_ms));
        Some(1 + done + published)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::{ConnectionId, QueueId};
    use super::super::node::Node;
    use super::super::queue::NewMessage;
    use super::super::queue::arguments::QueueKind;
    use super::super::vhost::{QueueDeclare, Vhost};
    use super::*;
    use crate::broker::Broker;
    use crate::message::{Facts, MemoryGauge, Message, address};
    use crate::store::TransactionId;
    use crate::table::{Table, Value};

    fn count(deadlines: &Deadlines) -> usize {
        deadlines.list.lock().due.len()
    }

    #[test]
    fn an_earlier_order_replaces_a_later_one_of_the_same_owner() {
        let deadlines = Deadlines::default();
        let node = Arc::new(Node::default());
        let [one, other] = [1, 2].map(|id| Arc::new(DelayedMessages::new(QueueId(id), Weak::new(), &node)));
        for at_ms in [100, 50, 70, 50, 20, 200] {
            deadlines.order_delayed(at_ms, &one);
        }
        deadlines.order_delayed(30, &other);
        assert_eq!((count(&deadlines), deadlines.next_ms()), (2, Some(20)));
        while deadlines.run_next(29).is_some() {}
        assert_eq!((count(&deadlines), deadlines.next_ms()), (1, Some(30)));
        deadlines.order_delayed(200, &one);
        assert_eq!(count(&deadlines), 2);
    }

    /// Each message that expired left a call for the queue's own expiry behind, which ordered itself anew for ever.
    #[test]
    fn expiring_messages_in_an_expiring_queue_leave_no_deadlines_behind() {
        let node = Arc::new(Node::default());
        let vhost = Broker::new(Arc::clone(&node)).add_vhost("/", QueueKind::Classic);
        let mut arguments = Table::new();
        arguments.insert("x-expires", Value::I32(1_000_000));
        let declare =
            QueueDeclare { queue: "q".to_owned(), durable: false, exclusive: false, auto_delete: false, arguments };
        let queue = vhost.declare_queue(&declare, ConnectionId(1), 0).unwrap().queue;
        let gauge = Arc::new(MemoryGauge::default());
        for now_ms in (0..1_000).step_by(10) {
            let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], b"");
            queue.publish([NewMessage::published(message, Some(5))], TransactionId::NONE, now_ms, |_| {});
            while node.deadlines.run_next(now_ms + 5).is_some() {}
        }
        assert_eq!(queue.counts().ready, 0);
        assert_eq!(count(&node.deadlines), 1);
    }

    /// Queues that amq.fanout copies to.
    const TARGETS: usize = 4_000;

    fn declared(vhost: &Arc<Vhost>, queue: &str, arguments: Table) -> Arc<QueueHandle> {
        let queue = queue.to_owned();
        let declare = QueueDeclare { queue, durable: false, exclusive: false, auto_delete: false, arguments };
        vhost.declare_queue(&declare, ConnectionId(1), 0).unwrap().queue
    }

    fn message() -> NewMessage {
        let gauge = Arc::new(MemoryGauge::default());
        let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], b"");
        NewMessage::published(message, Some(5))
    }

    /// A broker whose amq.fanout copies to very many queues, and the last one of them.
    fn copying_to_many() -> (Arc<Node>, Arc<Vhost>, Arc<QueueHandle>) {
        let node = Arc::new(Node::default());
        let vhost = Broker::new(Arc::clone(&node)).add_vhost("/", QueueKind::Classic);
        for number in 0..TARGETS {
            let name = format!("target-{number}");
            declared(&vhost, &name, Table::new());
            vhost.bind_queue(&name, "amq.fanout", b"", Table::new(), ConnectionId(1), 0).unwrap();
        }
        let last = vhost.queue(&format!("target-{}", TARGETS - 1), ConnectionId(1)).unwrap();
        (node, vhost, last)
    }

    /// How many messages arrive with each call, until all are there.
    fn arrivals(node: &Node, target: &QueueHandle) -> Vec<usize> {
        let mut arrived = vec![0];
        while node.deadlines.run_next(10).is_some() {
            arrived.push(target.counts().ready);
        }
        arrived.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn a_dead_letter_that_is_copied_to_very_many_queues_is_published_by_itself() {
        let (node, vhost, target) = copying_to_many();
        let mut arguments = Table::new();
        arguments.insert("x-dead-letter-exchange", Value::LongString(b"amq.fanout"[..].into()));
        let queue = declared(&vhost, "q", arguments);
        queue.publish([message(), message(), message()], TransactionId::NONE, 0, |_| {});
        let arrivals = arrivals(&node, &target);
        assert_eq!(arrivals.iter().sum::<usize>(), 3);
        assert!(arrivals.iter().all(|count| *count <= 1), "{arrivals:?}");
    }

    #[test]
    fn a_delayed_message_that_is_copied_to_very_many_queues_is_published_by_itself() {
        let (node, vhost, target) = copying_to_many();
        let fanout = vhost.read(|topology| topology.exchange("amq.fanout").map(|exchange| exchange.id)).unwrap();
        for _ in 0..3 {
            vhost.delayed().hold(5, fanout, message(), TransactionId::NONE);
        }
        let arrivals = arrivals(&node, &target);
        assert_eq!(arrivals.iter().sum::<usize>(), 3);
        assert!(arrivals.iter().all(|count| *count <= 1), "{arrivals:?}");
    }

    /// To delete a queue with 400,000 bindings takes half a second.
    #[test]
    fn an_unused_queue_with_very_many_bindings_is_deleted_while_others_have_the_timer() {
        let node = Arc::new(Node::default());
        let works = Arc::new(Mutex::new(Vec::new()));
        let later = Arc::clone(&works);
        node.background.run_on(Box::new(move |work| later.lock().push(work)));
        let vhost = Broker::new(Arc::clone(&node)).add_vhost("/", QueueKind::Classic);
        for (name, bindings) in [("few", 10), ("many", 2_000)] {
            declared(&vhost, name, [("x-expires", Value::I32(10))].into_iter().collect());
            for key in 0..bindings {
                let key = format!("{name}.{key}");
                vhost.bind_queue(name, "amq.topic", key.as_bytes(), Table::new(), ConnectionId(1), 0).unwrap();
            }
        }
        while node.deadlines.run_next(1_000).is_some() {}
        let bindings = || vhost.bindings_as_made().len();
        assert_eq!(bindings(), 2_000, "few are removed at once");
        works.lock().drain(..).for_each(|work| work());
        assert_eq!((bindings(), vhost.queues().len()), (0, 0));
    }
}
