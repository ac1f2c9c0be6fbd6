//! Fills queues that nobody consumes, asks how much memory that takes, and drains them.

use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use super::{Load, unique_name};
use crate::amqp::wire::{Properties, Publish, Table};
use crate::amqp::{Connection, Durability};
use crate::consumer::{Acks, Consuming};
use crate::error::{Error, Result};
use crate::latency::{Latency, Stamps};
use crate::meter::{Meter, Sample, now};
use crate::process::ProcessTree;
use crate::publisher::{Batch, Publishing, Sequences};
use crate::target::Target;
use crate::verify::Checker;

/// How long the broker may take to have all published messages in the queue.
const SETTLE_MAX: Duration = Duration::from_secs(60);

/// A broker may give memory back, or go on writing, once it has nothing else to do.
const REST: Duration = Duration::from_secs(3);

/// Of a durable backlog: more than fit between two writes of the broker to its disk.
const CONFIRM_WINDOW: u64 = 1000;

pub(super) fn run(target: &Target, load: Load, durability: Durability, queues: u16) -> Result<Vec<Sample>> {
    let queues: Vec<String> = (0..queues).map(|_| unique_name("q")).collect();
    let mut connection = Connection::open(&target.url)?;
    for queue in &queues {
        connection.declare_queue(queue, durability, &Table::default())?;
    }
    let mut samples = vec![fill(target, load, &queues, durability, &mut connection)?];
    if durability == Durability::Durable && !load.is_short {
        let meter = Meter::start(target).recording();
        thread::sleep(REST);
        samples.push(meter.stop(load.messages).of_phase("rest"));
    }
    samples.push(drain(target, load, &queues, durability, &mut connection)?);
    queues.iter().try_for_each(|queue| connection.delete_queue(queue))?;
    connection.close()?;
    Ok(samples)
}

/// Publishes all messages to the queues in turn, with confirms where they are durable, and waits until the queues count them.
pub(super) fn fill(
    target: &Target,
    load: Load,
    queues: &[String],
    durability: Durability,
    connection: &mut Connection,
) -> Result<Sample> {
    let mut publisher = Connection::open(&target.url)?;
    let is_durable = durability == Durability::Durable;
    if is_durable {
        publisher.confirm_select()?;
    }
    let properties = Properties { persistent: is_durable, ..Properties::default() };
    let to_queue = |queue: &String| Publish { properties: properties.clone(), ..Publish::to_queue(queue) };
    let publishes: Vec<Publish> = queues.iter().map(to_queue).collect();
    let mut batch = Batch::new(&publishes, load.body_bytes, publisher.frame_max)?;
    let stamps = Stamps::new(load.messages);
    let publishing = Publishing {
        messages: load.messages,
        sequences: load.verify.then_some(Sequences { first: 0, step: 1 }),
        confirm_window: is_durable.then_some(CONFIRM_WINDOW),
        ahead_max: u64::MAX,
        received: &[],
        pace: None,
        stamps: Some(&stamps).filter(|_| is_durable),
    };
    let before = target.process.map(ProcessTree::memory);
    let meter = Meter::start(target).recording();
    let times = publishing.run(&mut publisher, &mut batch)?;
    wait_for_count(connection, queues, |count| count >= load.messages)?;
    let mut sample = meter.stop(load.messages);
    sample.latency = Latency::of(times);
    if let Some((before, after)) = before.zip(sample.memory) {
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes) as f64;
        sample.extra.push(("rss_bytes_per_message", grown / load.messages as f64));
    }
    publisher.close()?;
    Ok(sample)
}

/// Waits until the number of messages in the queues is as wanted.
pub(super) fn wait_for_count(
    connection: &mut Connection,
    queues: &[String],
    is_wanted: impl Fn(u64) -> bool,
) -> Result<()> {
    let deadline = now() + SETTLE_MAX;
    loop {
        let mut count = 0;
        for queue in queues {
            count += connection.message_count(queue)?;
        }
        if is_wanted(count) {
            return Ok(());
        }
        if now() > deadline {
            return Err(Error::verification(format!("there are {count} messages, and it stays so")));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Consumes all messages; acknowledges them where they are durable.
pub(super) fn drain(
    target: &Target,
    load: Load,
    queues: &[String],
    durability: Durability,
    connection: &mut Connection,
) -> Result<Sample> {
    let received = AtomicU64::new(0);
    let acks = match durability {
        Durability::Transient => Acks::None,
        Durability::Durable => Acks::Every(100),
    };
    let lanes = u64::try_from(queues.len()).unwrap_or(u64::MAX);
    let consuming = Consuming {
        messages: load.messages,
        body_bytes: load.body_bytes,
        acks,
        prefetch_count: 1000,
        received: &received,
        checker: load.verify.then(|| Checker::new(0, lanes, load.body_bytes)),
        stamps: None,
    };
    if acks != Acks::None {
        connection.qos(consuming.prefetch_count)?;
    }
    let meter = Meter::start(target).recording();
    connection.consume_all(queues, acks == Acks::None)?;
    consuming.run(connection)?;
    Ok(meter.stop(load.messages).of_phase("drain"))
}
