//! One queue with many publishers and as many consumers: what it costs that all of them need the same lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::{Load, unique_name};
use crate::amqp::wire::{self, Publish, Table};
use crate::amqp::{Connection, Durability};
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample};
use crate::publisher::{Batch, Publishing, ahead_max};
use crate::target::Target;

/// The most that one read takes.
const READ_BYTES: usize = 256 * 1024;

/// Nobody knows which consumer gets how many messages: who got none for so long looks whether all have arrived.
const LOOK: Duration = Duration::from_millis(20);

/// So many publishers, and so many consumers without acknowledgements, each with a connection of its own.
pub(crate) fn run(target: &Target, load: Load, width: u64) -> Result<Sample> {
    let queue = unique_name("q");
    let mut owner = Connection::open(&target.url)?;
    // A durable one, because a transient one would be exclusive. Its messages are transient.
    owner.declare_queue(&queue, Durability::Durable, &Table::default())?;
    let mut consumers = Vec::new();
    let mut publishers = Vec::new();
    for _ in 0..width {
        let mut consumer = Connection::open(&target.url)?;
        consumer.basic_consume(&queue, "c", true)?;
        consumer.reserve(READ_BYTES);
        consumers.push(consumer);
        let publisher = Connection::open(&target.url)?;
        let batch = Batch::new(&[Publish::to_queue(&*queue)], load.body_bytes, publisher.frame_max)?;
        publishers.push((publisher, batch));
    }
    let each = (load.messages / width).max(1);
    let arrived = AtomicU64::new(0);
    let all_bytes = each * width * u64::try_from(load.body_bytes).unwrap_or(u64::MAX);
    let publishing = || Publishing {
        messages: each,
        sequences: None,
        confirm_window: None,
        ahead_max: ahead_max(load.body_bytes, 1),
        received: Default::default(),
        pace: None,
        stamps: None,
    };

    let meter = Meter::start(target);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for consumer in &mut consumers {
            threads.push(scope.spawn(|| consume(consumer, &arrived, all_bytes)));
        }
        for (connection, batch) in &mut publishers {
            threads.push(scope.spawn(move || publishing().run(connection, batch).map(drop)));
        }
        let panicked = |_| Err(Error::unexpected("a thread of the load generator panicked"));
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect();
        ended.into_iter().collect::<Result<()>>()
    })?;
    let sample = meter.stop(each * width);
    publishers.into_iter().try_for_each(|(connection, _)| connection.close())?;
    consumers.into_iter().try_for_each(Connection::close)?;
    owner.delete_queue(&queue)?;
    owner.close()?;
    Ok(sample)
}

/// Receives until all consumers together have everything.
fn consume(connection: &mut Connection, arrived: &AtomicU64, all_bytes: u64) -> Result<()> {
    connection.limit_reads(LOOK)?;
    while arrived.load(Ordering::Relaxed) < all_bytes {
        let mut body_bytes = 0;
        let read = connection.read(|frame| {
            match frame.kind {
                wire::BODY => body_bytes += frame.payload.len(),
                wire::HEADER | wire::HEARTBEAT => {}
                _ if frame.method_id() == wire::BASIC_DELIVER => {}
                _ => return Err(frame.unexpected()),
            }
            Ok(())
        });
        arrived.fetch_add(u64::try_from(body_bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
        match read {
            Err(Error::Silent) => {}
            other => other?,
        }
    }
    connection.limit_reads(Connection::SILENCE_MAX)
}
