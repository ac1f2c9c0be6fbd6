//! Publishers and consumers at the same time, with a bounded backlog between them.

use std::sync::atomic::AtomicU64;
use std::thread;

use super::{Load, unique_name};
use crate::amqp::Connection;
use crate::consumer::{Acks, Consuming};
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample};
use crate::publisher::{Batch, Publishing};
use crate::target::Target;
use crate::verify::Checker;

/// Who publishes to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topology {
    /// As many publishers as consumers; each publisher has one queue, each queue one consumer.
    Pairs,
    /// One publisher, an exchange, and a queue for each consumer.
    Fanout,
}

/// The shape of a pipe; every publisher and every consumer has a connection of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pipe {
    pub(super) topology: Topology,
    /// Consumers, and queues.
    pub(super) width: u16,
    pub(super) acks: Acks,
    pub(super) prefetch_count: u16,
    pub(super) confirm_window: Option<u64>,
}

/// Each flow's sequence numbers start at its own multiple of this, so that a message in the wrong queue is noticed.
const FLOW_SEQUENCES: u64 = 1 << 48;

/// What one run declares.
#[derive(Debug)]
struct Names {
    exchange: String,
    queues: Vec<String>,
}

impl Names {
    fn new(width: u16) -> Self {
        Self { exchange: unique_name("x"), queues: (0..width).map(|_| unique_name("q")).collect() }
    }
}

impl Pipe {
    pub(super) const AUTOACK: Self =
        Self { topology: Topology::Pairs, width: 1, acks: Acks::None, prefetch_count: 1000, confirm_window: None };

    pub(super) fn run(&self, target: &Target, load: Load) -> Result<Sample> {
        let each = (load.messages / u64::from(self.width)).max(1);
        let names = Names::new(self.width);
        let mut consumers = self.open_consumers(target, &names)?;
        let mut publishers = self.open_publishers(target, &names, load)?;
        let received: Vec<AtomicU64> = consumers.iter().map(|_| AtomicU64::new(0)).collect();

        let meter = Meter::start(target);
        thread::scope(|scope| {
            let mut threads = Vec::new();
            for (flow, (connection, received)) in (0..).zip(consumers.iter_mut().zip(&received)) {
                let consuming = self.consuming(flow, each, load, received);
                threads.push(scope.spawn(move || consuming.run(connection)));
            }
            for (flow, (connection, batch)) in (0..).zip(publishers.iter_mut()) {
                let publishing = self.publishing(flow, each, load, &received);
                threads.push(scope.spawn(move || publishing.run(connection, batch)));
            }
            let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_panic| Err(panicked())));
            ended.fold(Ok(()), Result::and)
        })?;
        let sample = meter.stop(each * u64::from(self.width));

        publishers.into_iter().try_for_each(|(connection, _)| connection.close())?;
        for (mut connection, queue) in consumers.into_iter().zip(&names.queues) {
            connection.delete_queue(queue)?;
            connection.close()?;
        }
        Ok(sample)
    }

    fn open_consumers(&self, target: &Target, names: &Names) -> Result<Vec<Connection>> {
        let open = |queue: &String| {
            let mut connection = Connection::open(&target.url)?;
            connection.declare_queue(queue)?;
            if self.topology == Topology::Fanout {
                connection.declare_fanout(&names.exchange)?;
                connection.bind_queue(queue, &names.exchange, "")?;
            }
            if self.acks != Acks::None {
                connection.qos(self.prefetch_count)?;
            }
            connection.basic_consume(queue, self.acks == Acks::None)?;
            Ok(connection)
        };
        names.queues.iter().map(open).collect()
    }

    fn open_publishers(&self, target: &Target, names: &Names, load: Load) -> Result<Vec<(Connection, Batch)>> {
        let open = |(exchange, routing_key): (&str, &str)| {
            let mut connection = Connection::open(&target.url)?;
            if self.confirm_window.is_some() {
                connection.confirm_select()?;
            }
            let batch = Batch::new(exchange, routing_key, load.body_bytes, connection.frame_max);
            Ok((connection, batch))
        };
        match self.topology {
            Topology::Fanout => Ok(vec![open((&names.exchange, ""))?]),
            Topology::Pairs => names.queues.iter().map(|queue| open(("", queue))).collect(),
        }
    }

    fn consuming<'a>(&self, flow: u64, messages: u64, load: Load, received: &'a AtomicU64) -> Consuming<'a> {
        let first_sequence = match self.topology {
            Topology::Fanout => 0,
            Topology::Pairs => flow * FLOW_SEQUENCES,
        };
        Consuming {
            messages,
            body_bytes: load.body_bytes,
            acks: self.acks,
            prefetch_count: self.prefetch_count,
            received,
            checker: load.verify.then(|| Checker::new(first_sequence, load.body_bytes)),
        }
    }

    fn publishing<'a>(&self, flow: usize, messages: u64, load: Load, received: &'a [AtomicU64]) -> Publishing<'a> {
        let received = match self.topology {
            Topology::Fanout => received,
            Topology::Pairs => received.get(flow..=flow).unwrap_or_default(),
        };
        let first_sequence = u64::try_from(flow).unwrap_or(u64::MAX) * FLOW_SEQUENCES;
        Publishing {
            messages,
            body_bytes: load.body_bytes,
            first_sequence: load.verify.then_some(first_sequence),
            confirm_window: self.confirm_window,
            received,
        }
    }
}

fn panicked() -> Error {
    Error::unexpected("a thread of the load generator panicked")
}
