//! Messages of the broker's own: what happens in it, and the lines of its log, for those who bind a queue to `amq.rabbitmq.event` or
//! `amq.rabbitmq.log`. (What is published and delivered, for `amq.rabbitmq.trace`, is `trace`.)
//!
//! ```text
//!   whoever makes it happen --event, line--> a bounded list --publish_own_messages--> the exchange
//! ```
//!
//! Who tells often holds a lock, so nothing is published there and then: a task of the server does that. While no queue is bound to
//! an exchange, telling costs one look at a flag. What does not fit the list is dropped and counted.

mod administered;
mod event;
mod told;
mod trace;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::Broker;
use super::publisher::AtOnce;
use super::vhost::Vhost;
use crate::properties::{PropertiesEditor, Property};
use crate::store::Wake;
use crate::table::{Table, Value};

pub(crate) use event::Event;
pub(crate) use told::ConnectionEnds;
pub(crate) use trace::TracedBy;

/// Where events go.
pub(crate) const EVENT_EXCHANGE: &str = "amq.rabbitmq.event";
/// Where lines of the log go.
pub(crate) const LOG_EXCHANGE: &str = "amq.rabbitmq.log";
/// Where what is published and delivered goes.
pub(crate) const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// Messages that wait to be published, and bytes of them.
const WAITING_MAX: usize = 10_000;
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// So many are published before others get their turn, if each goes to one queue.
const PUBLISHED_AT_ONCE: usize = 256;

/// Whether only the broker publishes to this exchange.
pub(in crate::broker) fn is_own_exchange(name: &str) -> bool {
    [EVENT_EXCHANGE, LOG_EXCHANGE, TRACE_EXCHANGE].contains(&name)
}

thread_local! {
    /// This thread publishes such messages now: what it logs meanwhile is not to become another one.
    static IS_PUBLISHING: Cell<bool> = const { Cell::new(false) };
}

/// A message of the broker's own.
#[derive(Debug)]
enum OwnMessage {
    Event(Event),
    Line { level: &'static str, text: String },
}

impl OwnMessage {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Event(event) => event.bytes(),
                Self::Line { text, .. } => text.len(),
            }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<OwnMessage>,
    bytes: usize,
    dropped: u64,
}

/// What waits to be published, and whether anybody wants it.
#[derive(Default)]
pub struct OwnMessages {
    wants_events: AtomicBool,
    wants_lines: AtomicBool,
    waiting: Mutex<Waiting>,
    wake: OnceLock<Arc<dyn Wake>>,
}

impl fmt::Debug for OwnMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnMessages").field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

impl OwnMessages {
    /// Whether events are wanted.
    pub fn wants_events(&self) -> bool {
        self.wants_events.load(Ordering::Relaxed)
    }

    /// Whether lines of the log are wanted, and this thread does not write one because it publishes others.
    pub fn wants_lines(&self) -> bool {
        self.wants_lines.load(Ordering::Relaxed) && !IS_PUBLISHING.get()
    }

    /// Notes whether queues are bound to the two exchanges.
    pub(in crate::broker) fn set_wanted(&self, events: bool, lines: bool) {
        self.wants_events.store(events, Ordering::Relaxed);
        self.wants_lines.store(lines, Ordering::Relaxed);
    }

    /// `wake` is called from now on when there is something to publish. Only the first one who asks is told.
    pub fn on_waiting(&self, wake: Arc<dyn Wake>) {
        // A broker has one task that publishes them.
        self.wake.set(wake).ok();
    }

    /// Tells what happened, if anybody wants to know. It may be called under any lock.
    pub fn event(&self, event: impl FnOnce() -> Event) {
        if self.wants_events() {
            self.push(OwnMessage::Event(event()));
        }
    }

    /// Tells a line of the log, if anybody wants it.
    pub fn line(&self, level: &'static str, text: impl FnOnce() -> String) {
        if self.wants_lines() {
            self.push(OwnMessage::Line { level, text: text() });
        }
    }

    fn push(&self, message: OwnMessage) {
        let bytes = message.bytes();
        let mut waiting = self.waiting.lock();
        if waiting.messages.len() >= WAITING_MAX || waiting.bytes + bytes > WAITING_BYTES_MAX {
            waiting.dropped += 1;
            return;
        }
        waiting.bytes += bytes;
        waiting.messages.push_back(message);
        // A task that was woken goes on until the list is empty: one call is enough.
        let is_first = waiting.messages.len() == 1;
        drop(waiting);
        if is_first && let Some(wake) = self.wake.get() {
            wake.wake();
        }
    }

    /// Takes some, with the number of those that were dropped before them.
    fn take(&self) -> (VecDeque<OwnMessage>, u64) {
        let mut waiting = self.waiting.lock();
        let count = waiting.messages.len().min(PUBLISHED_AT_ONCE);
        let taken: VecDeque<_> = waiting.messages.drain(..count).collect();
        waiting.bytes = waiting.bytes.saturating_sub(taken.iter().map(OwnMessage::bytes).sum());
        (taken, std::mem::take(&mut waiting.dropped))
    }

    /// Puts back what was taken last and not published: it is still the first.
    fn put_back(&self, messages: VecDeque<OwnMessage>) {
        let mut waiting = self.waiting.lock();
        waiting.bytes += messages.iter().map(OwnMessage::bytes).sum::<usize>();
        for message in messages.into_iter().rev() {
            waiting.messages.push_front(message);
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.lock().messages.is_empty()
    }
}

/// This thread publishes, until it is dropped.
struct Publishing;

impl Publishing {
    fn begin() -> Self {
        IS_PUBLISHING.set(true);
        Self
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        IS_PUBLISHING.set(false);
    }
}

impl Broker {
    /// Publishes some of what waits; whether there is more.
    pub fn publish_own_messages(&self, now_ms: u64) -> bool {
        let node = self.node();
        let (mut messages, dropped) = node.own_messages.take();
        // It was deleted, so nobody can be bound to the exchanges there.
        let Some(vhost) = self.vhost(&node.settings.own_vhost) else { return !node.own_messages.is_empty() };
        let _publishing = Publishing::begin();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "events or lines of the log came faster than they can be published: some are missing"
            );
        }
        let mut published = 0;
        while published < PUBLISHED_AT_ONCE
            && let Some(message) = messages.pop_front()
        {
            published += self.publish_own_message(&vhost, message, now_ms);
        }
        node.own_messages.put_back(messages);
        node.check_memory();
        !node.own_messages.is_empty()
    }

    /// As many messages that go to one queue take as long as this one.
    fn publish_own_message(&self, vhost: &Vhost, message: OwnMessage, now_ms: u64) -> usize {
        let node = self.node();
        match message {
            OwnMessage::Event(event) => {
                let properties = event.properties(now_ms);
                vhost.publish_own(EVENT_EXCHANGE, event.key().as_bytes(), &properties, &[], now_ms, &mut AtOnce)
            }
            // A log that fills the memory would fill it faster with each line about that.
            OwnMessage::Line { .. } if node.alarm.is_raised() => 1,
            OwnMessage::Line { level, text } => {
                let properties = line_properties(&node.settings.node_name, now_ms);
                vhost.publish_own(LOG_EXCHANGE, level.as_bytes(), &properties, text.as_bytes(), now_ms, &mut AtOnce)
            }
        }
    }
}

fn line_properties(node_name: &str, now_ms: u64) -> Vec<u8> {
    let mut headers = Table::new();
    headers.insert("node", Value::LongString(node_name.into()));
    let mut editor = PropertiesEditor::new();
    editor.set(Property::ContentType, "text/plain").set_timestamp(now_ms / 1_000).set_headers(&headers);
    editor.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ids::ConnectionId;
    use crate::broker::node::Node;
    use crate::broker::queue::arguments::QueueKind;
    use crate::broker::vhost::QueueDeclare;

    const OWNER: ConnectionId = ConnectionId(1);

    #[test]
    fn an_event_that_is_copied_to_very_many_queues_is_published_by_itself() {
        let broker = Broker::new(Arc::new(Node::default()));
        let vhost = broker.add_vhost("/", QueueKind::Classic);
        for number in 0..2_500 {
            let queue = format!("target-{number}");
            let declare =
                QueueDeclare { queue, durable: false, exclusive: false, auto_delete: false, arguments: Table::new() };
            vhost.declare_queue(&declare, OWNER, 0).unwrap();
            vhost.bind_queue(&declare.queue, "amq.fanout", b"", Table::new(), OWNER, 0).unwrap();
        }
        vhost.bind_exchange("amq.fanout", EVENT_EXCHANGE, b"#", Table::new(), 0).unwrap();
        let own = &broker.node().own_messages;
        // Of the binding itself.
        own.take();
        for key in ["one", "two", "three"] {
            own.event(|| Event::new(key));
        }
        let last = vhost.queue("target-2499", OWNER).unwrap();
        let mut arrived = vec![];
        while broker.publish_own_messages(0) {
            arrived.push(last.counts().ready);
        }
        assert_eq!((arrived.as_slice(), last.counts().ready), ([1, 2].as_slice(), 3));
        assert_eq!(own.waiting.lock().bytes, 0);
    }

    #[test]
    fn what_nobody_wants_is_not_even_made() {
        let own = OwnMessages::default();
        own.event(|| unreachable!("nobody asked"));
        own.line("info", || unreachable!("nobody asked"));
        own.set_wanted(true, true);
        own.event(|| Event::new("queue.created"));
        own.line("info", || "text".to_owned());
        assert_eq!(own.take().0.len(), 2);
        let _publishing = Publishing::begin();
        own.line("info", || unreachable!("it is about publishing such lines"));
    }

    #[test]
    fn the_list_is_bounded_and_says_what_it_dropped() {
        let own = OwnMessages::default();
        own.set_wanted(true, true);
        for _ in 0..=WAITING_MAX {
            own.event(|| Event::new("queue.created"));
        }
        let mut taken = 0;
        let (some, dropped) = own.take();
        taken += some.len();
        assert_eq!((some.len(), dropped), (PUBLISHED_AT_ONCE, 1));
        while !own.is_empty() {
            taken += own.take().0.len();
        }
        assert_eq!((taken, own.waiting.lock().bytes), (WAITING_MAX, 0));
        own.line("info", || "x".repeat(WAITING_BYTES_MAX));
        assert_eq!(own.take().1, 1);
    }
}
