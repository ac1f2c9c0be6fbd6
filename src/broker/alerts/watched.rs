//! What is remembered of a queue between two rounds, and what the rules measure of it.

use std::sync::Arc;

use super::ages::Ages;
use crate::broker::policies::Applied;
use crate::broker::queue::QueueSample;

/// Deliveries of one window below which the share of redeliveries says nothing.
const DELIVERIES_MIN: u64 = 100;
/// Publishes of one window below which the share of unroutable ones says nothing.
const PUBLISHES_MIN: u64 = 20;
/// How far a window reaches back, at least.
const WINDOW_MS: u64 = 60_000;

/// How far a counter moved within the last minute, at least, and not more than a minute and a half.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// What it was at the beginning of the window, and since when.
    from: Option<(u64, u64)>,
    /// Where the next window begins.
    next: (u64, u64),
}

impl Window {
    /// Of a counter that was 0 at that time.
    fn since(at_ms: u64) -> Self {
        Self { from: Some((0, at_ms)), next: (0, at_ms) }
    }

    /// How far it moved.
    pub(super) fn moved(&mut self, count: u64, now_ms: u64) -> u64 {
        let from = *self.from.get_or_insert((count, now_ms));
        if self.next.1 == 0 {
            self.next = (count, now_ms);
        }
        if now_ms.saturating_sub(self.next.1) >= WINDOW_MS / 2 {
            self.from = Some(self.next).filter(|_| now_ms.saturating_sub(from.1) >= WINDOW_MS).or(self.from);
            self.next = (count, now_ms);
        }
        count.saturating_sub(from.0)
    }
}

/// What is remembered of a queue.
#[derive(Clone, Debug, Default)]
pub(super) struct Watched {
    /// The last sample, with the policies that held then.
    pub(super) last: Option<(QueueSample, Option<Arc<Applied>>)>,
    pub(super) ready_ages: Ages,
    pub(super) delivery_ages: Ages,
    /// Since when messages have waited without a consumer.
    lonely_since_ms: Option<u64>,
    /// Since when ready messages have not become fewer, and how many there were.
    growing_since: Option<(u64, u64)>,
    last_ready: u64,
    deaths: Window,
    deliveries: Window,
    redeliveries: Window,
    /// The rules, by their places in the table, that hold an alert.
    pub(super) raised: u32,
    /// The round in which it was seen last.
    pub(super) round: u64,
}

/// What the rules measure of one queue in one round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) ready: u64,
    pub(super) messages: u64,
    pub(super) consumers: u64,
    pub(super) lonely_ms: u64,
    pub(super) grown: u64,
    pub(super) growing_ms: u64,
    pub(super) ready_age_ms: u64,
    pub(super) unacked: u64,
    pub(super) unacked_age_ms: u64,
    pub(super) deaths: u64,
    pub(super) deliveries: u64,
    pub(super) redelivered_percent: u64,
    pub(super) is_dead_letter_queue: bool,
    pub(super) is_paused: bool,
}

impl Watched {
    /// Of a queue that had counted nothing at the last look, if there was one.
    pub(super) fn since(before_ms: Option<u64>) -> Self {
        let window = before_ms.map(Window::since).unwrap_or_default();
        Self { deaths: window, deliveries: window, redeliveries: window, ..Self::default() }
    }

    /// Takes down a sample.
    pub(super) fn note(&mut self, sample: &QueueSample, is_dead_letter_queue: bool, now_ms: u64) -> Measured {
        self.ready_ages.note(sample.next_seq, sample.oldest_ready, now_ms);
        self.delivery_ages.note(sample.deliveries + 1, sample.oldest_delivery, now_ms);
        // Where dead letters end, somebody looks when there are too many: another rule says when.
        let is_to_be_consumed = !sample.is_paused && !sample.is_wait_queue && !is_dead_letter_queue;
        let is_lonely = sample.ready > 0 && sample.consumers == 0 && is_to_be_consumed;
        self.lonely_since_ms = is_lonely.then(|| self.lonely_since_ms.unwrap_or(now_ms));
        if sample.ready < self.last_ready || sample.ready == 0 {
            self.growing_since = None;
        } else {
            self.growing_since.get_or_insert((now_ms, sample.ready));
        }
        self.last_ready = sample.ready;
        let since = |at_ms: u64| now_ms.saturating_sub(at_ms);
        let (growing_ms, grown) =
            self.growing_since.map_or((0, 0), |(at_ms, ready)| (since(at_ms), sample.ready - ready.min(sample.ready)));
        let deliveries = self.deliveries.moved(sample.delivered, now_ms);
        let redeliveries = self.redeliveries.moved(sample.redelivered, now_ms);
        let oldest = |ages: &Ages, number: Option<u64>| number.and_then(|number| ages.age_ms(number, now_ms));
        Measured {
            ready: sample.ready,
            messages: sample.ready + sample.unacked,
            consumers: sample.consumers,
            lonely_ms: self.lonely_since_ms.map_or(0, since),
            grown,
            growing_ms,
            ready_age_ms: oldest(&self.ready_ages, sample.oldest_ready).unwrap_or(0),
            unacked: sample.unacked,
            unacked_age_ms: oldest(&self.delivery_ages, sample.oldest_delivery).unwrap_or(0),
            deaths: self.deaths.moved(sample.deaths, now_ms),
            deliveries,
            redelivered_percent: percent(redeliveries, deliveries, DELIVERIES_MIN),
            is_dead_letter_queue,
            is_paused: sample.is_paused,
        }
    }
}

/// What is remembered of a virtual host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WatchedVhost {
    published: Window,
    unroutable: Window,
    pub(super) raised: u32,
    pub(super) round: u64,
}

/// What the rules measure of a virtual host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MeasuredVhost {
    pub(super) published: u64,
    pub(super) unroutable: u64,
    pub(super) percent: u64,
}

impl WatchedVhost {
    /// Takes down how many messages were published, and how many of them found no queue.
    pub(super) fn note(&mut self, published: u64, unroutable: u64, now_ms: u64) -> MeasuredVhost {
        let published = self.published.moved(published, now_ms);
        let unroutable = self.unroutable.moved(unroutable, now_ms);
        let percent = if unroutable < PUBLISHES_MIN { 0 } else { percent(unroutable, published, PUBLISHES_MIN) };
        MeasuredVhost { published, unroutable, percent }
    }
}

fn percent(part: u64, all: u64, all_min: u64) -> u64 {
    if all < all_min.max(1) { 0 } else { u64::try_from(u128::from(part) * 100 / u128::from(all)).unwrap_or(u64::MAX) }
}

/// What the rules measure of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MeasuredNode {
    /// Connections that are not read because of an alarm.
    pub(super) blocked_connections: u64,
    /// For how long.
    pub(super) blocked_ms: u64,
    /// The memory alarm is on.
    pub(super) memory_alarm: bool,
    /// The disk alarm is on.
    pub(super) disk_alarm: bool,
}
