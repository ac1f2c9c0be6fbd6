//! Fills a queue that nobody consumes, asks how much memory that takes, and drains it.

use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use super::{Load, unique_name};
use crate::amqp::Connection;
use crate::consumer::{Acks, Consuming};
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample, now};
use crate::process::ProcessTree;
use crate::publisher::{Batch, Publishing};
use crate::target::Target;
use crate::verify::Checker;

/// How long the broker may take to have all published messages in the queue.
const SETTLE_MAX: Duration = Duration::from_secs(30);

pub(super) fn run(target: &Target, load: Load) -> Result<Vec<Sample>> {
    let queue = unique_name("q");
    let mut connection = Connection::open(&target.url)?;
    connection.declare_queue(&queue)?;
    let fill = fill(target, load, &mut connection, &queue)?;
    let drain = drain(target, load, &mut connection, &queue)?;
    connection.delete_queue(&queue)?;
    connection.close()?;
    Ok(vec![fill, drain])
}

fn fill(target: &Target, load: Load, connection: &mut Connection, queue: &str) -> Result<Sample> {
    let mut batch = Batch::new("", queue, load.body_bytes, connection.frame_max);
    let publishing = Publishing {
        messages: load.messages,
        body_bytes: load.body_bytes,
        first_sequence: load.verify.then_some(0),
        confirm_window: None,
        received: &[],
    };
    let before = target.process.map(ProcessTree::memory);
    let meter = Meter::start(target);
    publishing.run(connection, &mut batch)?;
    let deadline = now() + SETTLE_MAX;
    while connection.message_count(queue)? < load.messages {
        if now() > deadline {
            return Err(Error::verification("the queue does not get as long as what was published"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    let mut sample = meter.stop(load.messages);
    if let Some((before, after)) = before.zip(sample.memory) {
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes) as f64;
        sample.extra.push(("rss_bytes_per_message", grown / load.messages as f64));
    }
    Ok(sample)
}

fn drain(target: &Target, load: Load, connection: &mut Connection, queue: &str) -> Result<Sample> {
    let received = AtomicU64::new(0);
    let consuming = Consuming {
        messages: load.messages,
        body_bytes: load.body_bytes,
        acks: Acks::None,
        prefetch_count: 0,
        received: &received,
        checker: load.verify.then(|| Checker::new(0, load.body_bytes)),
    };
    let meter = Meter::start(target);
    connection.basic_consume(queue, true)?;
    consuming.run(connection)?;
    let mut sample = meter.stop(load.messages);
    sample.phase = Some("drain");
    Ok(sample)
}
