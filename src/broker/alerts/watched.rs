//! What is remembered of a queue between two looks at it, and what the rules measure of it.

use std::sync::Arc;

use super::ages::Ages;
use crate::broker::policies::Applied;
use crate::broker::queue::QueueSample;

/// Deliveries of one window below which the share of redeliveries says nothing.
const DELIVERIES_MIN: u64 = 100;
/// How far two marks are apart, at least.
pub(super) const MARK_MS: u64 = 30_000;

/// One round, as far as time is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moment {
    pub(super) now_ms: u64,
    /// When the round before began, if there was one.
    pub(super) before_ms: Option<u64>,
    /// All windows move on in this round.
    pub(super) is_mark: bool,
    /// No window moves on before this.
    pub(super) next_mark_ms: u64,
}

/// How far a counter moved within the last minute, at least, and not more than a minute and a half. All windows move on in the same
/// rounds, the marks: one whose counter stands still for three of them says 0 until the counter moves, whether anybody looks or not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// What the counter was at the last marks, the latest first.
    marks: Option<[u64; 3]>,
}

impl Window {
    /// Of a counter that was 0 until now.
    pub(super) fn of_new() -> Self {
        Self { marks: Some([0; 3]) }
    }

    /// How far it moved.
    pub(super) fn moved(&mut self, count: u64, moment: Moment) -> u64 {
        let marks = self.marks.get_or_insert([count; 3]);
        if moment.is_mark {
            let [last, before, _] = *marks;
            *marks = [count, last, before];
        }
        let [.., oldest] = *marks;
        count.saturating_sub(oldest)
    }

    /// Whether no mark changes anything before the counter moves.
    fn is_settled(&self, count: u64) -> bool {
        self.marks.is_some_and(|marks| marks == [count; 3])
    }
}

/// How far the counters of a queue moved within their windows.
#[derive(Clone, Copy, Debug, Default)]
struct Moved {
    deaths: u64,
    deliveries: u64,
    redeliveries: u64,
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
    moved: Moved,
    is_dead_letter_queue: bool,
    /// The rules, by their places in the table, that hold an alert.
    pub(super) raised: u32,
    /// A rule would hold an alert if there were room for one more.
    pub(super) is_waiting: bool,
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
    /// Of a queue that had counted nothing in the round before, if there was one.
    pub(super) fn since(before_ms: Option<u64>) -> Self {
        let window = before_ms.map(|_| Window::of_new()).unwrap_or_default();
        Self { deaths: window, deliveries: window, redeliveries: window, ..Self::default() }
    }

    /// Takes down a sample. Doing so once more with the same sample changes nothing once it [`Watched::is_at_rest`].
    pub(super) fn note(&mut self, sample: &QueueSample, is_dead_letter_queue: bool, moment: Moment) {
        let now_ms = moment.now_ms;
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
        self.moved = Moved {
            deaths: self.deaths.moved(sample.deaths, moment),
            deliveries: self.deliveries.moved(sample.delivered, moment),
            redeliveries: self.redeliveries.moved(sample.redelivered, moment),
        };
        self.is_dead_letter_queue = is_dead_letter_queue;
    }

    /// Whether the next round changes nothing of what is remembered, if the sample stays as it is and no window moves on.
    pub(super) fn is_at_rest(&self, sample: &QueueSample) -> bool {
        self.growing_since.is_some() || sample.ready == 0
    }

    /// Whether the windows stay as they are until the queue moves.
    pub(super) fn is_settled(&self, sample: &QueueSample) -> bool {
        self.deaths.is_settled(sample.deaths)
            && self.deliveries.is_settled(sample.delivered)
            && self.redeliveries.is_settled(sample.redelivered)
    }

    /// What the rules measure of a queue whose sample was noted last, at that time or later.
    pub(super) fn measured(&self, sample: &QueueSample, now_ms: u64) -> Measured {
        let since = |at_ms: u64| now_ms.saturating_sub(at_ms);
        let (growing_ms, grown) =
            self.growing_since.map_or((0, 0), |(at_ms, ready)| (since(at_ms), sample.ready - ready.min(sample.ready)));
        let oldest = |ages: &Ages, number: Option<u64>| number.and_then(|number| ages.age_ms(number, now_ms));
        let Moved { deaths, deliveries, redeliveries } = self.moved;
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
            deaths,
            deliveries,
            redelivered_percent: percent(redeliveries, deliveries, DELIVERIES_MIN),
            is_dead_letter_queue: self.is_dead_letter_queue,
            is_paused: sample.is_paused,
        }
    }

    /// What the rules measure now of a queue that has not moved since the last look.
    pub(super) fn measured_now(&self, now_ms: u64) -> Option<Measured> {
        self.last.as_ref().map(|(sample, _)| self.measured(sample, now_ms))
    }
}

/// A share in percent; 0 where there are too few for one.
pub(super) fn percent(part: u64, all: u64, all_min: u64) -> u64 {
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
