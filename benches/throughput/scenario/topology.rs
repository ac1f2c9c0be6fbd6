//! What a run declares, who publishes where, and who consumes what.

use super::unique_name;
use crate::amqp::wire::{Properties, Publish, Table};
use crate::amqp::{Connection, Durability};
use crate::error::Result;

/// The shape of a pipe. What its width counts is said with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// Publishers, and as many queues and consumers: each publisher has one queue, each queue one consumer.
    Pairs,
    /// Publishers to one queue with one consumer.
    Funnel,
    /// Queues of a fanout exchange, with a consumer each; one publisher.
    Fanout,
    /// Queues that one publisher addresses in turn, and that one connection consumes.
    Spread,
    /// Channels that one publisher takes in turn, to one queue.
    Channels,
    /// Bindings of one queue to a direct exchange; the publisher takes their keys in turn.
    Direct,
    /// Bindings of one queue to a topic exchange, a third of them with `*` and a third with `#`. The publisher takes the keys
    /// of the first `keys` in turn; each matches one binding.
    Topic { keys: u16 },
    /// Bindings of one queue to a headers exchange with `x-match: all`; each message matches one.
    Headers,
    /// Priorities, from 0, of one queue; the publisher takes them in turn.
    Priority,
    /// Hops: queues in which a message expires at once and goes to the next; the last is consumed.
    DeadLetters,
}

/// A queue to declare.
#[derive(Debug)]
struct Declared {
    name: String,
    arguments: Table,
}

/// A binding to the exchange of the run.
#[derive(Debug)]
struct Bound {
    binding_key: String,
    arguments: Table,
}

/// What one consumer's connection declares and consumes.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    declared: Vec<Declared>,
    /// Of the first queue.
    bound: Vec<Bound>,
    consumed: Vec<String>,
}

/// A topology with names.
#[derive(Debug)]
pub(super) struct Layout {
    exchange: Option<(String, &'static str)>,
    pub(super) consumers: Vec<Consumer>,
    /// For each publisher, what it publishes in turn.
    pub(super) publishers: Vec<Vec<Publish>>,
    durability: Durability,
}

impl Topology {
    /// How many deliveries, or hops, a publish leads to.
    pub(super) fn copies(self, width: u16) -> u64 {
        if matches!(self, Self::Fanout | Self::DeadLetters) { u64::from(width) } else { 1 }
    }

    /// How many streams of messages, each in its own order, come to one consumer.
    pub(super) fn lanes(self, width: u16) -> u64 {
        let has_lanes = matches!(self, Self::Funnel | Self::Spread | Self::Channels | Self::Priority);
        if has_lanes { u64::from(width) } else { 1 }
    }
}

impl Layout {
    pub(super) fn new(topology: Topology, width: u16, durability: Durability) -> Self {
        let names: Vec<String> = (0..width).map(|_| unique_name("q")).collect();
        let queue = names.first().cloned().unwrap_or_default();
        let exchange = unique_name("x");
        let to_queues = |names: &[String]| names.iter().map(Publish::to_queue).collect::<Vec<_>>();
        let one = Consumer::of(queue.clone(), Table::default());
        let mut layout = Self { exchange: None, consumers: Vec::new(), publishers: Vec::new(), durability };
        match topology {
            Topology::Pairs => {
                layout.consumers = names.iter().map(|name| Consumer::of(name.clone(), Table::default())).collect();
                layout.publishers = to_queues(&names).into_iter().map(|publish| vec![publish]).collect();
            }
            Topology::Funnel => {
                layout.consumers = vec![one];
                layout.publishers = names.iter().map(|_| vec![Publish::to_queue(&*queue)]).collect();
            }
            Topology::Fanout => {
                let consumer = |name: &String| Consumer {
                    bound: vec![Bound { binding_key: String::new(), arguments: Table::default() }],
                    ..Consumer::of(name.clone(), Table::default())
                };
                layout.consumers = names.iter().map(consumer).collect();
                layout.publishers = vec![vec![Publish::to(&*exchange, "")]];
                layout.exchange = Some((exchange, "fanout"));
            }
            Topology::Spread => {
                let declared = |name: &String| Declared { name: name.clone(), arguments: Table::default() };
                let declared = names.iter().map(declared).collect();
                layout.publishers = vec![to_queues(&names)];
                layout.consumers = vec![Consumer { declared, consumed: names, ..Consumer::default() }];
            }
            Topology::Channels => {
                layout.consumers = vec![one];
                let on = |channel| Publish { channel, ..Publish::to_queue(&*queue) };
                layout.publishers = vec![(1..=width).map(on).collect()];
            }
            Topology::Direct | Topology::Topic { .. } | Topology::Headers => {
                let kind = Bindings::of(topology, width);
                layout.consumers = vec![Consumer { bound: (0..width).map(kind.binding).collect(), ..one }];
                layout.publishers = vec![kind.publishes(&exchange)];
                layout.exchange = Some((exchange, kind.exchange_type));
            }
            Topology::Priority => {
                let arguments = Table::default().int("x-max-priority", i32::from(width) - 1);
                layout.consumers = vec![Consumer::of(queue.clone(), arguments)];
                let with = |priority| Publish {
                    properties: Properties { priority: u8::try_from(priority).ok(), ..Properties::default() },
                    ..Publish::to_queue(&*queue)
                };
                layout.publishers = vec![(0..width).map(with).collect()];
            }
            Topology::DeadLetters => {
                layout.publishers = vec![vec![Publish::to_queue(&*queue)]];
                layout.consumers = vec![Consumer::of_chain(names)];
            }
        }
        layout
    }

    /// Opens nothing, but declares and binds all that a consumer's connection needs, and consumes.
    pub(super) fn lay(&self, consumer: &Consumer, connection: &mut Connection, no_ack: bool) -> Result<()> {
        for queue in &consumer.declared {
            connection.declare_queue(&queue.name, self.durability, &queue.arguments)?;
        }
        if let (Some((exchange, kind)), Some(queue)) = (&self.exchange, consumer.declared.first()) {
            connection.declare_exchange(exchange, kind)?;
            for bound in &consumer.bound {
                connection.bind_queue(&queue.name, exchange, &bound.binding_key, &bound.arguments)?;
            }
        }
        for (number, queue) in consumer.consumed.iter().enumerate() {
            connection.basic_consume(queue, &format!("c{number}"), no_ack)?;
        }
        Ok(())
    }

    /// Deletes a consumer's queues: closing the connection would delete the transient ones only, and not at once.
    pub(super) fn clear(consumer: &Consumer, connection: &mut Connection) -> Result<()> {
        consumer.declared.iter().try_for_each(|queue| connection.delete_queue(&queue.name))
    }
}

impl Consumer {
    fn of(queue: String, arguments: Table) -> Self {
        let declared = vec![Declared { name: queue.clone(), arguments }];
        Self { declared, bound: Vec::new(), consumed: vec![queue] }
    }

    /// After as many hops as there are names, a message is in a queue more.
    fn of_chain(names: Vec<String>) -> Self {
        let last = unique_name("q");
        let next = names.iter().skip(1).chain([&last]);
        let hop = |(name, next): (&String, &String)| Declared {
            name: name.clone(),
            arguments: Table::default()
                .int("x-message-ttl", 0)
                .string("x-dead-letter-exchange", "")
                .string("x-dead-letter-routing-key", next),
        };
        let mut declared: Vec<Declared> = names.iter().zip(next).map(hop).collect();
        declared.push(Declared { name: last.clone(), arguments: Table::default() });
        Self { declared, bound: Vec::new(), consumed: vec![last] }
    }
}

/// How the n-th binding looks, and the message that matches it alone.
struct Bindings {
    exchange_type: &'static str,
    binding: fn(u16) -> Bound,
    routing_key: fn(u16) -> String,
    headers: Option<fn(u16) -> Table>,
    /// How many of the messages are published in turn.
    messages: u16,
}

/// Prime, so that neighbours in time are far apart among the bindings.
const STRIDE: u32 = 7919;

impl Bindings {
    fn of(topology: Topology, width: u16) -> Self {
        let keyed = |routing_key: fn(u16) -> String, binding: fn(u16) -> Bound, exchange_type| Self {
            exchange_type,
            binding,
            routing_key,
            headers: None,
            messages: width,
        };
        let direct = |number| Bound { binding_key: device_key(number), arguments: Table::default() };
        if let Topology::Topic { keys } = topology {
            return Self { messages: keys.min(width), ..keyed(device_key, topic_binding, "topic") };
        }
        if topology == Topology::Headers {
            let headers: fn(u16) -> Table = |number| headers(number).string("unit", "kelvin");
            return Self { headers: Some(headers), ..keyed(|_| String::new(), headers_binding, "headers") };
        }
        keyed(device_key, direct, "direct")
    }

    fn publishes(&self, exchange: &str) -> Vec<Publish> {
        let nth = |number: u16| {
            let shuffled = (u32::from(number) * STRIDE) % u32::from(self.messages);
            let number = u16::try_from(shuffled).unwrap_or(number);
            let headers = self.headers.map(|headers| headers(number));
            let properties = Properties { headers, ..Properties::default() };
            Publish { properties, ..Publish::to(exchange, (self.routing_key)(number)) }
        };
        (0..self.messages).map(nth).collect()
    }
}

fn device_key(number: u16) -> String {
    format!("device.{number:05}.temperature")
}

fn topic_binding(number: u16) -> Bound {
    let last = match number % 3 {
        0 => "temperature",
        1 => "*",
        _ => "#",
    };
    Bound { binding_key: format!("device.{number:05}.{last}"), arguments: Table::default() }
}

fn headers_binding(number: u16) -> Bound {
    Bound { binding_key: String::new(), arguments: headers(number).string("x-match", "all") }
}

fn headers(number: u16) -> Table {
    Table::default().string("kind", "temperature").int("device", i32::from(number))
}
