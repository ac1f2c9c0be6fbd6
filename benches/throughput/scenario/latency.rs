//! One message in flight, in one thread: to a consumer, there and back, to its confirm; and what the machine takes for the
//! same without a broker.

use super::{Load, unique_name};
use crate::amqp::wire::{self, Properties, Publish, Table};
use crate::amqp::{Connection, Durability};
use crate::error::{Error, Result};
use crate::floor::{Disk, Echo};
use crate::latency::Latency;
use crate::meter::{Meter, Sample, now};
use crate::publisher::Batch;
use crate::target::Target;

/// What direct reply-to calls the queue that is none.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What an echo is called.
const ECHO: [&str; 2] = ["echo_p50_us", "echo_p99_us"];

/// How many confirms, and how many syncs, are timed in a row: in turn, so that a slow spell of the disk meets both; in rows, so that
/// neither wakes a cold processor each time.
const TURN: u64 = 50;

/// Something that takes turns with the messages of a scenario.
struct Floor<'a> {
    /// Of the median and of the 99th percentile.
    names: [&'static str; 2],
    round: &'a mut dyn FnMut() -> Result<()>,
}

/// From the publisher's write to the consumer's read of the whole body.
pub(super) fn to_consumer(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut consumer = Connection::open(&target.url)?;
    consumer.declare_queue(&queue, Durability::Transient, &Table::default())?;
    consumer.basic_consume(&queue, "c", true)?;
    let mut publisher = Connection::open(&target.url)?;
    let mut batch = Batch::new(&[Publish::to_queue(&*queue)], load.body_bytes, publisher.frame_max)?;
    let mut echo = Echo::new(load.body_bytes)?;
    let floor = Floor { names: ECHO, round: &mut || echo.round() };
    // Afterwards: another busy thread in between makes the scheduler place all of them differently.
    let mut sample = in_turn(target, load.messages, load.messages, [floor], |_| {
        publisher.write(batch.part(0, 1))?;
        wait_for_body(&mut consumer, load.body_bytes)
    })?;
    let cpu_us = sample.us_per_message(echo.end()?);
    sample.extra.push(("echo_cpu_us", cpu_us));
    publisher.close()?;
    consumer.delete_queue(&queue)?;
    consumer.close()?;
    Ok(sample)
}

/// A request to a queue with a server behind it, and the reply by direct reply-to.
pub(super) fn rpc(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut server = Connection::open(&target.url)?;
    server.declare_queue(&queue, Durability::Transient, &Table::default())?;
    server.basic_consume(&queue, "c", true)?;
    let mut client = Connection::open(&target.url)?;
    client.basic_consume(REPLY_TO, "r", true)?;
    let properties = Properties { reply_to: Some(REPLY_TO.to_owned()), ..Properties::default() };
    let request = Publish { properties, ..Publish::to_queue(&*queue) };
    let mut request = Batch::new(&[request], load.body_bytes, client.frame_max)?;

    // The address to reply to is the same for every request of a channel.
    client.write(request.part(0, 1))?;
    let address = wait_for_reply_to(&mut server, load.body_bytes)?;
    let mut reply = Batch::new(&[Publish::to_queue(address)], load.body_bytes, server.frame_max)?;
    server.write(reply.part(0, 1))?;
    wait_for_body(&mut client, load.body_bytes)?;

    let mut echo = Echo::new(load.body_bytes)?;
    let floor = Floor { names: ECHO, round: &mut || echo.round() };
    let sample = in_turn(target, load.messages, load.messages, [floor], |_| {
        client.write(request.part(0, 1))?;
        wait_for_body(&mut server, load.body_bytes)?;
        server.write(reply.part(0, 1))?;
        wait_for_body(&mut client, load.body_bytes)
    })?;
    client.close()?;
    server.delete_queue(&queue)?;
    server.close()?;
    Ok(sample)
}

/// A persistent message to a durable queue, and its confirm.
pub(super) fn confirm(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut connection = Connection::open(&target.url)?;
    connection.declare_queue(&queue, Durability::Durable, &Table::default())?;
    connection.confirm_select()?;
    let properties = Properties { persistent: true, ..Properties::default() };
    let publish = Publish { properties, ..Publish::to_queue(&*queue) };
    let mut batch = Batch::new(&[publish], load.body_bytes, connection.frame_max)?;
    let mut disk = Disk::new(target)?;
    let mut echo = Echo::synced(load.body_bytes, Disk::new(target)?)?;
    let floors = [
        Floor { names: ["fdatasync_p50_us", "fdatasync_p99_us"], round: &mut || Ok(disk.write_and_sync()?) },
        Floor { names: ["synced_echo_p50_us", "synced_echo_p99_us"], round: &mut || echo.round() },
    ];
    let sample = in_turn(target, load.messages, TURN, floors, |tag| {
        connection.write(batch.part(0, 1))?;
        wait_for_confirm(&mut connection, tag)
    })?;
    connection.delete_queue(&queue)?;
    connection.close()?;
    Ok(sample)
}

/// Calls `message` with 1, 2, ... and takes the time of each; after each `turn` of them every floor has as many.
fn in_turn<const FLOORS: usize>(
    target: &Target,
    messages: u64,
    turn: u64,
    mut floors: [Floor<'_>; FLOORS],
    mut message: impl FnMut(u64) -> Result<()>,
) -> Result<Sample> {
    let mut nanos = Vec::new();
    let mut floor_nanos = [const { Vec::new() }; FLOORS];
    let meter = Meter::start(target);
    for number in 1..=messages {
        nanos.push(nanos_of(|| message(number))?);
        if number % turn == 0 {
            for (floor, nanos) in floors.iter_mut().zip(&mut floor_nanos) {
                (0..turn).try_for_each(|_| nanos_of(&mut *floor.round).map(|round| nanos.push(round)))?;
            }
        }
    }
    let mut sample = meter.stop(messages);
    sample.seconds = nanos.iter().sum::<u64>() as f64 / 1e9;
    sample.latency = Latency::of(nanos);
    for (Floor { names: [p50, p99], .. }, nanos) in floors.iter().zip(floor_nanos) {
        if let Some(latency) = Latency::of(nanos) {
            sample.extra.extend([(*p50, latency.p50_us), (*p99, latency.p99_us)]);
        }
    }
    Ok(sample)
}

fn nanos_of(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let begin = now();
    work()?;
    Ok(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

fn wait_for_body(consumer: &mut Connection, body_bytes: usize) -> Result<()> {
    wait_for_reply_to(consumer, body_bytes).map(drop)
}

/// Waits for a whole delivery; returns its `reply_to`, or nothing.
fn wait_for_reply_to(consumer: &mut Connection, body_bytes: usize) -> Result<String> {
    let (mut arrived, mut reply_to) = (0, String::new());
    while arrived < body_bytes {
        consumer.read(|frame| {
            match frame.kind {
                wire::BODY => arrived += frame.payload.len(),
                wire::HEADER => reply_to = wire::reply_to_alone(frame)?,
                wire::HEARTBEAT => {}
                _ if frame.method_id() == wire::BASIC_DELIVER => {}
                _ => return Err(frame.unexpected()),
            }
            Ok(())
        })?;
    }
    if arrived == body_bytes { Ok(reply_to) } else { Err(Error::verification("more than one message was in flight")) }
}

fn wait_for_confirm(connection: &mut Connection, tag: u64) -> Result<()> {
    let mut confirmed = 0;
    while confirmed < tag {
        connection.read(|frame| {
            if frame.kind != wire::METHOD || frame.method_id() != wire::BASIC_ACK {
                return Err(frame.unexpected());
            }
            confirmed = frame.arguments().long_long()?;
            Ok(())
        })?;
    }
    if confirmed == tag {
        Ok(())
    } else {
        Err(Error::verification(format!("{confirmed} confirmed where {tag} was due")))
    }
}
