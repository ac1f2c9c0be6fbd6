//! One message in flight: from the publisher's write to the consumer's read of the whole body, in one thread.

use super::{Load, unique_name};
use crate::amqp::Connection;
use crate::amqp::wire;
use crate::error::{Error, Result};
use crate::meter::{Meter, Sample, now};
use crate::publisher::Batch;
use crate::target::Target;

pub(super) fn run(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut consumer = Connection::open(&target.url)?;
    consumer.declare_queue(&queue)?;
    consumer.basic_consume(&queue, true)?;
    let mut publisher = Connection::open(&target.url)?;
    let batch = Batch::new("", &queue, load.body_bytes, publisher.frame_max);

    let mut times_us = Vec::new();
    let meter = Meter::start(target);
    for _ in 0..load.messages {
        let begin = now();
        publisher.write(batch.first(1))?;
        wait_for_body(&mut consumer, load.body_bytes)?;
        times_us.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    let mut sample = meter.stop(load.messages);
    times_us.sort_by(f64::total_cmp);
    for (name, permille) in [("p50_us", 500), ("p99_us", 990), ("p99.9_us", 999)] {
        let at = (times_us.len() * permille / 1000).min(times_us.len().saturating_sub(1));
        sample.extra.push((name, times_us.get(at).copied().unwrap_or_default()));
    }
    publisher.close()?;
    consumer.delete_queue(&queue)?;
    consumer.close()?;
    Ok(sample)
}

fn wait_for_body(consumer: &mut Connection, body_bytes: usize) -> Result<()> {
    let mut arrived = 0;
    while arrived < body_bytes {
        consumer.read(|frame| {
            match frame.kind {
                wire::BODY => arrived += frame.payload.len(),
                wire::HEADER | wire::HEARTBEAT => {}
                _ if frame.method_id() == wire::BASIC_DELIVER => {}
                _ => return Err(frame.unexpected()),
            }
            Ok(())
        })?;
    }
    if arrived == body_bytes { Ok(()) } else { Err(Error::verification("more than one message was in flight")) }
}
