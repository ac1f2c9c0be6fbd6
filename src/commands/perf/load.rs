//! Publishes and consumes, over the client `lapin`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_lite::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::task::JoinSet;

use super::confirms::Confirms;
use super::declared::declare;
use super::meter::Meter;
use super::plan::{Acknowledges, Consumer, Consuming, Plan, Producer, Unit};
use super::report;
use super::secured::Place;

/// Bytes at the beginning of a body, as PerfTest has them: a number, and the time.
const STAMP_BYTES: usize = 12;
/// How often whoever has a rate looks whether something is due.
const TICK: Duration = Duration::from_millis(1);

/// Why a run ends before its time.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    /// The broker refuses, or is gone.
    #[error("{what}: {source}")]
    Client {
        /// What was tried.
        what: String,
        /// The client's words.
        source: Box<lapin::Error>,
    },
    /// TLS cannot be spoken as is asked for.
    #[error("cannot connect: {0}")]
    Tls(String),
    /// A consumer was cancelled: its queue is gone.
    #[error("the consumer of {0} was cancelled: is the queue gone?")]
    Cancelled(String),
}

/// What went wrong while something was tried.
pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(lapin::Error) -> Ended {
    let what = what.into();
    |source| Ended::Client { what, source: Box::new(source) }
}

/// What all tasks share.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) meter: Meter,
    started: Instant,
    /// The wall clock at that moment, so that runs on several machines understand each other.
    started_us: u64,
}

impl Run {
    #[expect(clippy::disallowed_methods, reason = "it measures real brokers, in the time of all machines")]
    fn of(plan: Plan) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started_us = u64::try_from(since.as_micros()).unwrap_or(0);
        Self { plan, meter: Meter::default(), started: Instant::now(), started_us }
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time in the unit in which latency is measured.
    pub(super) fn now(&self) -> u64 {
        let now_us = self.started_us + u64::try_from(self.elapsed().as_micros()).unwrap_or(0);
        match self.plan.unit {
            Unit::Microseconds => now_us,
            Unit::Milliseconds => now_us / 1000,
        }
    }
}

/// Runs a plan until its end, a signal, or an error.
pub(super) async fn run(plan: Plan) -> Result<(), Ended> {
    let connections = connect(&plan).await?;
    if plan.declares
        && let Some(connection) = connections.values().next()
    {
        declare(&plan, connection).await?;
    }
    let run = Arc::new(Run::of(plan));
    let mut tasks = start(&run, &connections).await?;
    let why = until_ended(&run, &mut tasks).await;
    // Before tasks and connections end: what that takes belongs to no rate.
    let elapsed_ms = millis(run.elapsed());
    tasks.shutdown().await;
    for connection in connections.into_values() {
        // What is to be known is known.
        connection.close(200, "done".into()).await.ok();
    }
    let (sent, received) = (run.meter.sent.all(), run.meter.received.all());
    if let Ok(why) = &why {
        tell(&format!("test stopped ({why})"));
    }
    tell(&report::summary(&run.plan.id, elapsed_ms, sent, received));
    why.map(drop)
}

/// Writes a line; whoever reads it may have gone.
fn tell(text: &str) {
    writeln!(io::stdout(), "{text}").ok();
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Connections by role and number.
type Connections = BTreeMap<(Role, usize), Connection>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Consumes,
    Publishes,
}

async fn connect(plan: &Plan) -> Result<Connections, Ended> {
    let consumers = plan.consumers.iter().map(|it| (Role::Consumes, it.connection));
    let producers = plan.producers.iter().map(|it| (Role::Publishes, it.connection));
    let mut connections = Connections::new();
    let place = Place::of(&plan.uri, &plan.tls).map_err(Ended::Tls)?;
    for (role, number) in consumers.chain(producers) {
        if connections.contains_key(&(role, number)) {
            continue;
        }
        let what = match role {
            Role::Consumes => format!("consumer-{number}"),
            Role::Publishes => format!("producer-{number}"),
        };
        let properties = ConnectionProperties::default().with_connection_name(format!("{} {what}", plan.id).into());
        let connection = place.connect(properties).await.map_err(failed("cannot connect"))?;
        connections.insert((role, number), connection);
    }
    Ok(connections)
}

/// Tasks end with nothing when they have reached their number of messages.
type Tasks = JoinSet<Result<(), Ended>>;

async fn start(run: &Arc<Run>, connections: &Connections) -> Result<Tasks, Ended> {
    let mut tasks = Tasks::new();
    let id = &run.plan.id;
    let open = async |role, number| match connections.get(&(role, number)) {
        Some(connection) => connection.create_channel().await.map(Some).map_err(failed("cannot open a channel")),
        None => Ok(None),
    };
    // Consumers first, so that nothing waits in the queue that they could have taken.
    for (number, consumer) in run.plan.consumers.iter().enumerate() {
        tell(&format!("id: {id}, starting consumer #{number}"));
        if let Some(channel) = open(Role::Consumes, consumer.connection).await? {
            let deliveries = subscribe(run, &channel, consumer).await?;
            tasks.spawn(consume(Arc::clone(run), deliveries, consumer.queue.clone()));
        }
    }
    for (number, producer) in run.plan.producers.iter().enumerate() {
        tell(&format!("id: {id}, starting producer #{number}"));
        if let Some(channel) = open(Role::Publishes, producer.connection).await? {
            tasks.spawn(publish(Arc::clone(run), channel, producer.clone()));
        }
    }
    Ok(tasks)
}

/// Says each interval what was measured, until the run is over: why.
async fn until_ended(run: &Run, tasks: &mut Tasks) -> Result<&'static str, Ended> {
    let (plan, interval) = (&run.plan, Duration::from_secs(run.plan.interval_s));
    let mut ticks = tokio::time::interval_at((run.started + interval).into(), interval);
    let end = plan.seconds.map(|seconds| run.started + Duration::from_secs(seconds));
    let time_is_up = async {
        match end {
            Some(end) => tokio::time::sleep_until(end.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(time_is_up);
    let (mut limited, mut told_ms) = (plan.limited(), 0);
    let mut tell_measured = || {
        let elapsed_ms = millis(run.elapsed());
        let measured = run.meter.take();
        let has_confirms = plan.publishing.unconfirmed.is_some();
        tell(&report::line(&plan.id, elapsed_ms, elapsed_ms - told_ms, &measured, has_confirms, plan.unit));
        told_ms = elapsed_ms;
    };
    loop {
        tokio::select! {
            // A line that is due is written before the run ends.
            biased;
            _ = ticks.tick() => tell_measured(),
            () = &mut time_is_up => return Ok("Reached time limit"),
            _ = tokio::signal::ctrl_c() => return Ok("Interrupted"),
            Some(ended) = tasks.join_next() => {
                // A panic was told when it happened, and a task that was not awaited ends with the run.
                ended.unwrap_or(Ok(()))?;
                limited = limited.saturating_sub(1);
                if limited == 0 {
                    tell_measured();
                    return Ok("All limits reached");
                }
            }
        }
    }
}

/// Holds somebody back who may do so much a second.
struct Pace<'a> {
    rate: Option<u64>,
    run: &'a Run,
    begun: Duration,
    done: u64,
}

impl<'a> Pace<'a> {
    fn new(rate: Option<u64>, run: &'a Run) -> Self {
        Self { rate, run, begun: run.elapsed(), done: 0 }
    }

    /// Waits until the next one is due.
    async fn next(&mut self) {
        let Some(rate) = self.rate else { return };
        // Counted from the beginning, so that whoever was held up catches up.
        while u128::from(self.done) * 1_000_000 > (self.run.elapsed() - self.begun).as_micros() * u128::from(rate) {
            tokio::time::sleep(TICK).await;
        }
        self.done += 1;
    }
}

async fn publish(run: Arc<Run>, channel: Channel, producer: Producer) -> Result<(), Ended> {
    let publishing = run.plan.publishing;
    let exchange = ShortString::from(run.plan.exchange.as_ref().map_or("", |(name, _)| name.as_str()));
    let key = ShortString::from(producer.routing_key.as_str());
    let options = BasicPublishOptions { mandatory: publishing.is_mandatory, ..Default::default() };
    let properties = BasicProperties::default();
    let properties = if publishing.is_persistent { properties.with_delivery_mode(2) } else { properties };
    let confirms = Confirms::of(&run, &channel).await?;
    let (mut body, mut pace, mut sent) = (vec![0; publishing.bytes], Pace::new(publishing.rate, &run), 0);
    while publishing.messages.is_none_or(|messages| sent < messages) {
        pace.next().await;
        confirms.room().await;
        let sent_at = run.now();
        stamp(&mut body, sent, sent_at);
        let published = channel.basic_publish(exchange.clone(), key.clone(), options, &body, properties.clone()).await;
        confirms.wait_for(published.map_err(failed("cannot publish"))?, sent_at);
        run.meter.sent.add(1);
        sent += 1;
        if sent % YIELD_EVERY == 0 {
            // The client takes whatever it is given: others on this thread write it to the socket.
            tokio::task::yield_now().await;
        }
    }
    confirms.all().await;
    Ok(())
}

const YIELD_EVERY: u64 = 64;

fn stamp(body: &mut [u8], number: u64, time: u64) {
    if let Some((count, rest)) = body.split_first_chunk_mut::<4>()
        && let Some(place) = rest.first_chunk_mut::<8>()
    {
        *count = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0).to_be_bytes();
        *place = time.to_be_bytes();
    }
}

fn stamped(body: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*body.get(4..STAMP_BYTES)?.first_chunk()?))
}

async fn subscribe(run: &Run, channel: &Channel, consumer: &Consumer) -> Result<lapin::Consumer, Ended> {
    let Consuming { prefetch, acknowledges, .. } = run.plan.consuming;
    if prefetch > 0 {
        let asked = channel.basic_qos(prefetch, BasicQosOptions::default()).await;
        asked.map_err(failed("cannot set the prefetch"))?;
    }
    let options = BasicConsumeOptions { no_ack: acknowledges == Acknowledges::Never, ..Default::default() };
    let queue = consumer.queue.as_str();
    let consumed = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await;
    consumed.map_err(failed(format!("cannot consume from {queue}")))
}

async fn consume(run: Arc<Run>, mut deliveries: lapin::Consumer, queue: String) -> Result<(), Ended> {
    let Consuming { rate, messages, acknowledges, .. } = run.plan.consuming;
    let (mut pace, mut received) = (Pace::new(rate, &run), 0);
    while messages.is_none_or(|messages| received < messages) {
        let Some(delivery) = deliveries.next().await else { return Err(Ended::Cancelled(queue)) };
        let delivery = delivery.map_err(failed("a consumer ended"))?;
        received += 1;
        run.meter.received.add(1);
        if let Some(sent_at) = stamped(&delivery.data) {
            run.meter.consumer_latency.add(run.now().saturating_sub(sent_at));
        }
        let is_last = messages == Some(received);
        match acknowledges {
            // The last ones, too, though they may be fewer.
            Acknowledges::Every(every) if received % every == 0 || is_last => acknowledge(&delivery, every > 1).await?,
            Acknowledges::Every(_) | Acknowledges::Never => {}
        }
        pace.next().await;
    }
    Ok(())
}

async fn acknowledge(delivery: &Delivery, multiple: bool) -> Result<(), Ended> {
    delivery.acker.ack(BasicAckOptions { multiple }).await.map(drop).map_err(failed("cannot acknowledge"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_carries_the_time_if_there_is_room() {
        let mut body = vec![0; 20];
        stamp(&mut body, 7, 1_600_000_000_000_123);
        assert_eq!(stamped(&body), Some(1_600_000_000_000_123));
        assert_eq!(body.first_chunk(), Some(&7_u32.to_be_bytes()));
        let mut small = vec![0; STAMP_BYTES - 1];
        stamp(&mut small, 7, 1);
        assert_eq!(stamped(&small), None);
    }
}
