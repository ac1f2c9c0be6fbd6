//! The queues and exchanges of the histories.

use std::sync::Arc;

use leveret::internals::broker::ids::ConnectionId;
use leveret::internals::broker::vhost::{ExchangeDeclare, QueueDeclare, Vhost};
use leveret::internals::table::{Table, Value};

/// What a queue is, as far as the ledger must know.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    /// Where its dead letters go.
    pub next: Option<&'static str>,
    pub ttl_ms: Option<u64>,
    pub max_length: Option<i32>,
    pub max_priority: Option<u8>,
    pub is_quorum: bool,
    pub is_durable: bool,
    /// Purged and deleted now and then: no dead letters come from here or go there.
    pub is_disposable: bool,
    /// Returned messages are held back for a while.
    pub is_slow: bool,
    /// Its dead letters find no queue and are kept, because they are to be delivered at least once.
    pub keeps_dead: bool,
}

pub const PLAIN: Kind = Kind {
    name: "plain",
    next: None,
    ttl_ms: None,
    max_length: None,
    max_priority: None,
    is_quorum: false,
    is_durable: true,
    is_disposable: true,
    is_slow: false,
    keeps_dead: false,
};

const QUORUM: Kind = Kind { is_quorum: true, is_disposable: false, ..PLAIN };

/// Each queue after those whose dead letters it gets.
pub const QUEUES: [Kind; 13] = [
    Kind { name: "cellar", next: Some("ttl"), is_disposable: false, ..PLAIN },
    Kind { name: "ttl", next: Some("dead"), ttl_ms: Some(60), is_disposable: false, ..PLAIN },
    Kind { name: "short", next: Some("dead"), max_length: Some(5), is_disposable: false, ..PLAIN },
    Kind { name: "quorum", next: Some("dead"), ttl_ms: Some(300), ..QUORUM },
    Kind { name: "slow", next: Some("dead"), is_slow: true, ..QUORUM },
    Kind { name: "limbo", keeps_dead: true, ..QUORUM },
    Kind { name: "dead", is_disposable: false, ..PLAIN },
    PLAIN,
    Kind { name: "twin", ..PLAIN },
    Kind { name: "prio", max_priority: Some(4), ..PLAIN },
    Kind { name: "fade", ttl_ms: Some(80), ..PLAIN },
    Kind { name: "drop", max_length: Some(6), ..PLAIN },
    Kind { name: "temp", is_durable: false, ..PLAIN },
];

pub const DELIVERY_LIMIT: u32 = 2;
pub const NOBODY: ConnectionId = ConnectionId(0);

pub fn kind(name: &str) -> &'static Kind {
    QUEUES.iter().find(|kind| kind.name == name).unwrap()
}

impl Kind {
    /// The queues that a message which was published here can be in, in the order of deaths.
    pub fn chain(&self) -> Vec<&'static str> {
        let mut chain = vec![kind(self.name).name];
        chain.extend(self.next.map(|next| kind(next).chain()).into_iter().flatten());
        chain
    }

    pub fn declare(&self, vhost: &Arc<Vhost>, now_ms: u64) {
        let mut arguments = Table::new();
        if let Some(next) = self.next {
            arguments.insert("x-dead-letter-exchange", Value::LongString(Vec::new()));
            arguments.insert("x-dead-letter-routing-key", Value::LongString(next.into()));
        }
        if let Some(ttl_ms) = self.ttl_ms {
            arguments.insert("x-message-ttl", Value::I64(ttl_ms as i64));
        }
        if let Some(max_length) = self.max_length {
            arguments.insert("x-max-length", Value::I32(max_length));
        }
        if let Some(max) = self.max_priority {
            arguments.insert("x-max-priority", Value::I32(i32::from(max)));
        }
        if self.is_quorum {
            arguments.insert("x-queue-type", Value::LongString("quorum".into()));
            arguments.insert("x-delivery-limit", Value::I32(DELIVERY_LIMIT as i32));
        }
        if self.is_slow {
            arguments.insert("x-delayed-retry-type", Value::LongString("all".into()));
            arguments.insert("x-delayed-retry-min", Value::I32(20));
            arguments.insert("x-delayed-retry-max", Value::I32(100));
        }
        if self.keeps_dead {
            arguments.insert("x-dead-letter-exchange", Value::LongString("nowhere".into()));
            arguments.insert("x-dead-letter-strategy", Value::LongString("at-least-once".into()));
            arguments.insert("x-overflow", Value::LongString("reject-publish".into()));
        }
        let queue = self.name.to_owned();
        let declare = QueueDeclare { queue, durable: self.is_durable, exclusive: false, auto_delete: false, arguments };
        vhost.declare_queue(&declare, NOBODY, now_ms).unwrap();
        for (exchange, destination) in BINDINGS {
            if destination == self.name {
                vhost.bind_queue(destination, exchange, destination.as_bytes(), Table::new(), NOBODY, now_ms).unwrap();
            }
        }
    }
}

/// The key is the queue's name; a fanout does not mind.
const BINDINGS: [(&str, &str); 5] =
    [("pair", "plain"), ("pair", "twin"), ("later", "plain"), ("later", "prio"), ("later", "ttl")];

/// Declares what is missing.
pub fn declare_all(vhost: &Arc<Vhost>, now_ms: u64) {
    let delayed: Table = [("x-delayed-type", "direct")].into_iter().collect();
    let exchanges = [
        ("pair", "fanout", Table::new()),
        ("nowhere", "fanout", Table::new()),
        ("later", "x-delayed-message", delayed),
    ];
    for (name, kind, arguments) in exchanges {
        let (exchange, kind) = (name.to_owned(), kind.to_owned());
        let declare = ExchangeDeclare { exchange, kind, durable: true, auto_delete: false, internal: false, arguments };
        vhost.declare_exchange(&declare).unwrap();
    }
    for queue in QUEUES {
        queue.declare(vhost, now_ms);
    }
}
