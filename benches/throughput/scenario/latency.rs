//! One message in flight, in one thread: to a consumer, there and back, to its confirm.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use super::{Load, unique_name};
use crate::amqp::wire::{self, Properties, Publish, Table};
use crate::amqp::{Connection, Durability};
use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::meter::{Meter, Sample, now};
use crate::publisher::Batch;
use crate::target::Target;

/// What direct reply-to calls the queue that is none.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What a log writes for a small message, for comparison: a block.
const BLOCK_BYTES: usize = 4096;

/// How many confirms, and how many syncs, are timed in a row.
const TURN: u64 = 50;

/// From the publisher's write to the consumer's read of the whole body.
pub(super) fn to_consumer(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut consumer = Connection::open(&target.url)?;
    consumer.declare_queue(&queue, Durability::Transient, &Table::default())?;
    consumer.basic_consume(&queue, "c", true)?;
    let mut publisher = Connection::open(&target.url)?;
    let mut batch = Batch::new(&[Publish::to_queue(&*queue)], load.body_bytes, publisher.frame_max)?;
    let sample = timed(target, load.messages, |_| {
        publisher.write(batch.part(0, 1))?;
        wait_for_body(&mut consumer, load.body_bytes)
    })?;
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

    let sample = timed(target, load.messages, |_| {
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

/// A persistent message to a durable queue, and its confirm; in between, syncs of a file on the same disk.
pub(super) fn confirm(target: &Target, load: Load) -> Result<Sample> {
    let queue = unique_name("q");
    let mut connection = Connection::open(&target.url)?;
    connection.declare_queue(&queue, Durability::Durable, &Table::default())?;
    connection.confirm_select()?;
    let properties = Properties { persistent: true, ..Properties::default() };
    let publish = Publish { properties, ..Publish::to_queue(&*queue) };
    let mut batch = Batch::new(&[publish], load.body_bytes, connection.frame_max)?;

    let mut disk = Disk::new(target)?;
    let (mut confirmed, mut synced) = (Vec::new(), Vec::new());
    let meter = Meter::start(target);
    for tag in 1..=load.messages {
        confirmed.push(nanos_of(|| {
            connection.write(batch.part(0, 1))?;
            wait_for_confirm(&mut connection, tag)
        })?);
        // In turn, so that a slow spell of the disk meets both; in blocks, so that neither wakes a cold processor each time.
        if tag % TURN == 0 {
            (0..TURN).try_for_each(|_| nanos_of(|| disk.write_and_sync()).map(|nanos| synced.push(nanos)))?;
        }
    }
    let mut sample = meter.stop(load.messages);
    sample.seconds = confirmed.iter().sum::<u64>() as f64 / 1e9;
    sample.latency = Latency::of(confirmed);
    if let Some((confirm, sync)) = sample.latency.zip(Latency::of(synced)) {
        sample.extra.push(("fdatasync_p50_us", sync.p50_us));
        sample.extra.push(("fdatasync_p99_us", sync.p99_us));
        sample.extra.push(("confirm/fdatasync_p50", confirm.p50_us / sync.p50_us));
    }
    connection.delete_queue(&queue)?;
    connection.close()?;
    Ok(sample)
}

/// Calls `round` with 1, 2, ... and takes the time of each.
fn timed(target: &Target, rounds: u64, mut round: impl FnMut(u64) -> Result<()>) -> Result<Sample> {
    let mut times = Vec::new();
    let meter = Meter::start(target);
    for number in 1..=rounds {
        times.push(nanos_of(|| round(number))?);
    }
    let mut sample = meter.stop(rounds);
    sample.latency = Latency::of(times);
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

/// A file that is written and synced as a log would be.
struct Disk {
    file: File,
    path: std::path::PathBuf,
}

/// A log writes into space that it has reserved, else every sync would also write the file's length.
const RESERVED_BLOCKS: usize = 4096;

impl Disk {
    fn new(target: &Target) -> Result<Self> {
        let path = target.disk().join(unique_name("sync"));
        let mut file = File::create(&path)?;
        (0..RESERVED_BLOCKS).try_for_each(|_| file.write_all(&[0; BLOCK_BYTES]))?;
        file.sync_all()?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self { file, path })
    }

    fn write_and_sync(&mut self) -> Result<()> {
        if self.file.stream_position()? >= u64::try_from(RESERVED_BLOCKS * BLOCK_BYTES).unwrap_or(u64::MAX) {
            self.file.seek(SeekFrom::Start(0))?;
        }
        self.file.write_all(&[1; BLOCK_BYTES])?;
        Ok(self.file.sync_data()?)
    }
}

impl Drop for Disk {
    /// Nobody is left to be told.
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}
