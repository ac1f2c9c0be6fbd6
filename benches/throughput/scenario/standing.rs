//! One message in and one out, over and over, while many more stand in the queue.

use super::{Load, unique_name};
use crate::amqp::wire::{self, Publish, Table};
use crate::amqp::{CHANNEL, Connection, Durability};
use crate::error::Result;
use crate::meter::{Meter, Sample};
use crate::publisher::Batch;
use crate::target::Target;

/// How many are published, and then acknowledged, at once.
const TURN: u64 = 500;

/// Keeps `depth` messages in the queue while `load` goes through it.
pub(crate) fn run(target: &Target, load: Load, depth: u64) -> Result<Sample> {
    let queue = unique_name("q");
    let mut consumer = Connection::open(&target.url)?;
    consumer.declare_queue(&queue, Durability::Transient, &Table::default())?;
    let mut publisher = Connection::open(&target.url)?;
    let mut batch = Batch::new(&[Publish::to_queue(&*queue)], load.body_bytes, publisher.frame_max)?;
    let mut standing = 0;
    while standing < depth {
        let count = TURN.min(depth - standing);
        publisher.write(batch.part(0, count))?;
        standing += count;
    }
    super::backlog::wait_for_count(&mut consumer, std::slice::from_ref(&queue), |count| count >= depth)?;
    consumer.qos(u16::try_from(TURN).unwrap_or(u16::MAX))?;

    let turns = load.messages / TURN;
    let bytes_of_turn = usize::try_from(TURN).unwrap_or(usize::MAX) * load.body_bytes;
    let mut ack = Vec::new();
    let mut take = |consumer: &mut Connection, turn: u64| -> Result<()> {
        let mut arrived = 0;
        while arrived < bytes_of_turn {
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
        ack.clear();
        wire::ack(CHANNEL, turn * TURN, true, &mut ack);
        consumer.write(&ack)
    };
    publisher.write(batch.part(0, TURN))?;
    consumer.basic_consume(&queue, "c", false)?;
    take(&mut consumer, 1)?;
    let meter = Meter::start(target);
    for turn in 2..=turns + 1 {
        publisher.write(batch.part(0, TURN))?;
        take(&mut consumer, turn)?;
    }
    let sample = meter.stop(turns * TURN);
    publisher.close()?;
    // Deliveries are still under way: only the end of the connection settles those.
    drop(consumer);
    Ok(sample)
}
