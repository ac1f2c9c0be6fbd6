//! Publishers and consumers at the same time, with a backlog between them that a window bounds, or nothing but the broker.

use std::sync::atomic::AtomicU64;
use std::thread;

use clap::ValueEnum;

use super::Load;
use super::topology::{Layout, Topology};
use crate::amqp::{Connection, Durability};
use crate::consumer::{Acks, Consuming};
use crate::error::{Error, Result};
use crate::latency::{Latency, Stamps};
use crate::meter::{Meter, Sample};
use crate::publisher::{Batch, Publishing, Sequences, ahead_max};
use crate::target::Target;
use crate::verify::Checker;

/// A pipe's shape and habits; every publisher and every consumer has a connection of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipe {
    pub(crate) topology: Topology,
    /// See [`Topology`].
    pub(crate) width: u16,
    pub(crate) acks: Acks,
    pub(crate) prefetch_count: u16,
    pub(crate) confirm_window: Option<u64>,
    /// Of the queues and of the messages.
    pub(crate) durability: Durability,
    pub(crate) mandatory: bool,
    /// Messages per second of each publisher, when not as many as possible.
    pub(crate) pace: Option<f64>,
    /// Publishers write as fast as the socket takes it, however far the consumers are behind.
    pub(crate) is_free: bool,
}

/// Which runs to make of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Leads {
    /// Publishers wait for consumers when they are a window ahead.
    Window,
    /// Publishers write as fast as the socket takes it.
    Free,
    /// The one, then the other.
    Both,
}

/// Each flow's sequence numbers start at its own multiple of this, so that a message in the wrong queue is noticed.
const FLOW_SEQUENCES: u64 = 1 << 48;

/// The part of the greatest rate at which deliveries are timed: at the greatest itself, what is measured is the backlog.
const TIMED_SHARE: f64 = 0.5;

/// The same where nothing but the broker bounds the backlog: what remains of it when there is a little room.
const NEARLY_ALL: f64 = 0.9;

/// How long deliveries are timed.
const TIMED_SECONDS: f64 = 1.5;

impl Pipe {
    pub(crate) const AUTOACK: Self = Self {
        topology: Topology::Pairs,
        width: 1,
        acks: Acks::None,
        prefetch_count: 1000,
        confirm_window: None,
        durability: Durability::Transient,
        mandatory: false,
        pace: None,
        is_free: false,
    };

    /// Whether a window of the generator bounds the backlog, so that it can be left out. Confirms and a fixed rate bound it as well.
    const fn can_be_free(&self) -> bool {
        self.confirm_window.is_none() && self.pace.is_none()
    }

    const fn free(self) -> Self {
        Self { is_free: true, ..self }
    }

    /// One run; without the window if that is what was asked for alone.
    pub(super) fn run_short(&self, target: &Target, load: Load) -> Result<Vec<Sample>> {
        let pipe = if load.leads == Leads::Free && self.can_be_free() { self.free() } else { *self };
        Ok(vec![pipe.run(target, load)?])
    }

    pub(super) fn measure(&self, target: &Target, load: Load) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        if load.leads != Leads::Free || !self.can_be_free() {
            samples.push(self.measure_in_window(target, load)?);
        }
        if load.leads != Leads::Window && self.can_be_free() {
            samples.push(self.measure_free(target, load)?.of_phase("free"));
        }
        Ok(samples)
    }

    /// Measures at the greatest rate, and then times deliveries at half of it; confirms are timed in the first run, as
    /// their window bounds the backlog.
    fn measure_in_window(&self, target: &Target, load: Load) -> Result<Sample> {
        let mut sample = self.run(target, load)?;
        if self.can_be_free() && self.topology != Topology::Priority {
            sample.latency = self.time_at(TIMED_SHARE, &sample, target, load)?;
        }
        Ok(sample)
    }

    /// Measures without the window and times deliveries in the same run; then again at nine tenths of its rate.
    fn measure_free(&self, target: &Target, load: Load) -> Result<Sample> {
        let mut sample = self.free().run(target, load)?;
        if self.topology != Topology::Priority
            && let Some(latency) = self.time_at(NEARLY_ALL, &sample, target, load)?
        {
            sample.extra.push(("p50_us_at_90_percent", latency.p50_us));
            sample.extra.push(("p99_us_at_90_percent", latency.p99_us));
        }
        Ok(sample)
    }

    /// Times deliveries at a part of the rate that was measured.
    fn time_at(&self, share: f64, measured: &Sample, target: &Target, load: Load) -> Result<Option<Latency>> {
        let publishers = if self.topology == Topology::Pairs { f64::from(self.width) } else { 1.0 };
        let copies = self.topology.copies(self.width) as f64;
        let publishes_per_second = measured.rate() / copies * share;
        let timed = Self { pace: Some(publishes_per_second / publishers), ..*self };
        let messages = super::rounded(publishes_per_second * copies * TIMED_SECONDS).min(load.messages);
        Ok(timed.run(target, Load { messages, ..load })?.latency)
    }

    pub(crate) fn run(&self, target: &Target, load: Load) -> Result<Sample> {
        let layout = Layout::new(self.topology, self.width, self.durability);
        let copies = self.topology.copies(self.width);
        let publisher_count = u64::try_from(layout.publishers.len()).unwrap_or(u64::MAX);
        let each = (load.messages / copies / publisher_count).max(1);
        let mut consumers = self.open_consumers(target, &layout)?;
        let mut publishers = self.open_publishers(target, &layout, load)?;
        let received: Vec<AtomicU64> = consumers.iter().map(|_| AtomicU64::new(0)).collect();
        let stamps: Vec<Stamps> = publishers.iter().map(|_| Stamps::new(each)).collect();
        let work = Work { pipe: self, load, each, received: &received, stamps: &stamps };

        let meter = Meter::start(target);
        let times = thread::scope(|scope| {
            let mut threads = Vec::new();
            for (flow, connection) in consumers.iter_mut().enumerate() {
                let consuming = work.consuming(flow);
                threads.push(scope.spawn(move || consuming.run(connection)));
            }
            for (flow, (connection, batch)) in publishers.iter_mut().enumerate() {
                let publishing = work.publishing(flow);
                threads.push(scope.spawn(move || publishing.run(connection, batch)));
            }
            let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_panic| Err(panicked())));
            // Every thread is waited for before the first error is reported.
            ended.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>>>()
        })?;
        let mut sample = meter.stop(each * publisher_count * copies);
        sample.latency = Latency::of(times.concat());

        publishers.into_iter().try_for_each(|(connection, _)| connection.close())?;
        for (mut connection, consumer) in consumers.into_iter().zip(&layout.consumers) {
            Layout::clear(consumer, &mut connection)?;
            connection.close()?;
        }
        Ok(sample)
    }

    fn open_consumers(&self, target: &Target, layout: &Layout) -> Result<Vec<Connection>> {
        let open = |consumer| {
            let mut connection = Connection::open(&target.url)?;
            if self.acks != Acks::None {
                connection.qos(self.prefetch_count)?;
            }
            layout.lay(consumer, &mut connection, self.acks == Acks::None)?;
            Ok(connection)
        };
        layout.consumers.iter().map(open).collect()
    }

    fn open_publishers(&self, target: &Target, layout: &Layout, load: Load) -> Result<Vec<(Connection, Batch)>> {
        let mut opened = Vec::new();
        for publishes in &layout.publishers {
            let mut connection = Connection::open(&target.url)?;
            if self.confirm_window.is_some() {
                connection.confirm_select()?;
            }
            let mut publishes = publishes.clone();
            for publish in &mut publishes {
                publish.mandatory = self.mandatory;
                publish.properties.persistent = self.durability == Durability::Durable;
            }
            let mut channels: Vec<u16> = publishes.iter().map(|publish| publish.channel).collect();
            channels.sort_unstable();
            channels.dedup();
            channels.into_iter().skip(1).try_for_each(|channel| connection.open_channel(channel))?;
            let batch = Batch::new(&publishes, load.body_bytes, connection.frame_max)?;
            opened.push((connection, batch));
        }
        Ok(opened)
    }
}

/// What the threads of one run share.
struct Work<'a> {
    pipe: &'a Pipe,
    load: Load,
    /// Messages of each publisher.
    each: u64,
    received: &'a [AtomicU64],
    stamps: &'a [Stamps],
}

impl<'a> Work<'a> {
    fn consuming(&self, flow: usize) -> Consuming<'a> {
        let Pipe { topology, width, acks, prefetch_count, .. } = *self.pipe;
        let flow_number = if topology == Topology::Pairs { u64::try_from(flow).unwrap_or(u64::MAX) } else { 0 };
        let first_sequence = flow_number * FLOW_SEQUENCES;
        let publishers = if topology == Topology::Funnel { u64::from(width) } else { 1 };
        let stamps = if topology == Topology::Fanout { self.stamps.first() } else { self.stamps.get(flow) };
        let is_timed = (self.pipe.pace.is_some() || self.pipe.is_free) && self.pipe.confirm_window.is_none();
        Consuming {
            messages: self.each * publishers,
            body_bytes: self.load.body_bytes,
            acks,
            prefetch_count,
            received: self.received.get(flow).unwrap_or(&NOBODY),
            checker: self
                .load
                .verify
                .then(|| Checker::new(first_sequence, topology.lanes(width), self.load.body_bytes)),
            stamps: stamps.filter(|_| is_timed),
        }
    }

    fn publishing(&self, flow: usize) -> Publishing<'a> {
        let Pipe { topology, width, confirm_window, pace, is_free, .. } = *self.pipe;
        let number = u64::try_from(flow).unwrap_or(u64::MAX);
        let (received, sequences) = if topology == Topology::Pairs {
            let received = self.received.get(flow..=flow).unwrap_or_default();
            (received, Sequences { first: number * FLOW_SEQUENCES, step: 1 })
        } else if topology == Topology::Funnel {
            // Their windows of confirms bound the backlog.
            (Default::default(), Sequences { first: number, step: u64::from(width) })
        } else {
            (self.received, Sequences { first: 0, step: 1 })
        };
        Publishing {
            messages: self.each,
            sequences: self.load.verify.then_some(sequences),
            confirm_window,
            ahead_max: ahead_max(self.load.body_bytes, topology.copies(width)),
            received: if is_free { Default::default() } else { received },
            pace,
            stamps: self.stamps.get(flow).filter(|_| is_free || pace.is_some() || confirm_window.is_some()),
        }
    }
}

/// Where a consumer without a publisher would count.
static NOBODY: AtomicU64 = AtomicU64::new(0);

fn panicked() -> Error {
    Error::unexpected("a thread of the load generator panicked")
}
