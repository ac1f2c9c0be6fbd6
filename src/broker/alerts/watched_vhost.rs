//! What is remembered of a virtual host and its queues between two rounds.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::board::{Board, RuleVerdict};
use super::rules::{Measures, RULES};
use super::watched::{Measured, Moment, Watched, Window, percent};
use super::{AlertObject, rest};
use crate::broker::ids::QueueId;
use crate::broker::policies::Applied;
use crate::broker::queue::QueueSample;

/// Publishes of one window below which the share of unroutable ones says nothing.
const PUBLISHES_MIN: u64 = 20;

/// All messages, ready ones, unacknowledged ones: in the order of the API's keys.
pub(crate) type Depths = [u64; 3];

/// What is remembered of a virtual host.
#[derive(Debug, Default)]
pub(super) struct WatchedVhost {
    /// Without those that never had a message.
    pub(super) queues: FxHashMap<QueueId, Watched>,
    /// The messages in all of them.
    pub(super) depths: Depths,
    /// Queues that would raise an alert if there were room for one more.
    waiting: usize,
    /// The epoch of its topology at the last round.
    pub(super) epoch: Option<u64>,
    /// The queues where dead letters end, at that epoch.
    pub(super) dead_letter_queues: FxHashSet<QueueId>,
    published: Window,
    unroutable: Window,
    raised: u32,
    /// The round in which it was seen last.
    pub(super) round: u64,
}

/// What the rules measure of a virtual host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MeasuredVhost {
    pub(super) published: u64,
    pub(super) unroutable: u64,
    pub(super) percent: u64,
}

/// A queue by its names, and what is special about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuePlace<'a> {
    pub(super) vhost: &'a Arc<str>,
    pub(super) name: &'a Arc<str>,
    /// Nothing is raised for it.
    pub(super) is_exempt: bool,
}

impl QueuePlace<'_> {
    fn object(&self) -> AlertObject {
        AlertObject::Queue(Arc::clone(self.vhost), Arc::clone(self.name))
    }
}

/// How a sentence about a queue begins.
fn place_text(vhost: &str, queue: &str) -> String {
    format!("Queue '{queue}' in virtual host '{vhost}'")
}

const fn depths(sample: &QueueSample) -> Depths {
    [sample.messages, sample.ready, sample.unacked]
}

impl WatchedVhost {
    /// Whether a queue waits for room on the board, and there is some: then all must be looked at, for the first one gets it.
    pub(super) fn has_room_for_waiting(&self, board: &Board) -> bool {
        self.waiting > 0 && board.has_room()
    }

    /// Takes a sample of a queue. From when on it must be looked at again, though it stands still.
    pub(super) fn queue(
        &mut self,
        (board, moment): (&mut Board, Moment),
        place: QueuePlace<'_>,
        sample: &QueueSample,
        policies: Option<Arc<Applied>>,
    ) -> u64 {
        // Nothing need be remembered of a queue that never had a message, and no rule asks for one.
        if sample.is_untouched() && !self.queues.contains_key(&sample.id) {
            return u64::MAX - 1;
        }
        let is_dead_letter_queue = self.dead_letter_queues.contains(&sample.id);
        let watched = self.queues.entry(sample.id).or_insert_with(|| Watched::since(moment.before_ms));
        let before = watched.last.as_ref().map_or([0; 3], |(sample, _)| depths(sample));
        for (sum, (before, now)) in self.depths.iter_mut().zip(before.into_iter().zip(depths(sample))) {
            *sum = sum.saturating_sub(before) + now;
        }
        self.waiting -= usize::from(watched.is_waiting);
        refresh(board, watched, &place, moment.before_ms);
        watched.note(sample, is_dead_letter_queue, moment);
        if !place.is_exempt {
            judge(board, watched, &place, (sample, policies.as_deref(), moment.now_ms));
        }
        let until_ms = rest::until_ms(watched, sample, policies.as_deref(), place.is_exempt, moment);
        self.waiting += usize::from(watched.is_waiting);
        watched.last = Some((*sample, policies));
        until_ms
    }

    /// Forgets the queues that are gone, and ends their alerts.
    pub(super) fn keep(
        &mut self,
        (board, moment): (&mut Board, Moment),
        vhost: &Arc<str>,
        is_there: impl Fn(QueueId) -> bool,
    ) {
        let gone = board.of_queues(vhost, |queue| !is_there(queue));
        for (name, queue) in gone {
            let Some(watched) = self.queues.get(&queue) else { continue };
            refresh(board, watched, &QueuePlace { vhost, name: &name, is_exempt: false }, moment.before_ms);
            board.end_all(&AlertObject::Queue(Arc::clone(vhost), name));
        }
        let Self { queues, depths: sums, waiting, .. } = self;
        queues.retain(|id, watched| {
            let stays = is_there(*id);
            if !stays {
                let last = watched.last.as_ref().map_or([0; 3], |(sample, _)| depths(sample));
                sums.iter_mut().zip(last).for_each(|(sum, last)| *sum = sum.saturating_sub(last));
                *waiting -= usize::from(watched.is_waiting);
            }
            stays
        });
        if self.queues.capacity() > 4 * (self.queues.len() + 64) {
            self.queues.shrink_to_fit();
        }
    }

    /// Takes down how many messages were published, and how many of them found no queue.
    pub(super) fn publishes(
        &mut self,
        (board, moment): (&mut Board, Moment),
        name: &Arc<str>,
        published: u64,
        unroutable: u64,
    ) {
        let published = self.published.moved(published, moment);
        let unroutable = self.unroutable.moved(unroutable, moment);
        let percent = if unroutable < PUBLISHES_MIN { 0 } else { percent(unroutable, published, PUBLISHES_MIN) };
        let measured = MeasuredVhost { published, unroutable, percent };
        for (at, rule) in RULES.iter().enumerate() {
            let Measures::Vhost(measure, text) = rule.measures else { continue };
            let text = || text(&format!("Virtual host '{name}'"), &measured);
            let (thresholds, value) = (rule.thresholds(), measure(&measured));
            let verdict = RuleVerdict { rule, at, thresholds, value, text: &text, queue: None };
            board.judge(&mut self.raised, || AlertObject::Vhost(Arc::clone(name)), &verdict);
        }
    }

    /// Whether the sums are those of all queues.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        let mut sums = [0; 3];
        for (sample, _) in self.queues.values().filter_map(|watched| watched.last.as_ref()) {
            sums.iter_mut().zip(depths(sample)).for_each(|(sum, depth)| *sum += depth);
        }
        assert_eq!(sums, self.depths, "the depths of a virtual host are the sum of those of its queues");
        assert_eq!(self.queues.values().filter(|watched| watched.is_waiting).count(), self.waiting);
    }
}

/// Has every rule look at a queue.
fn judge(
    board: &mut Board,
    watched: &mut Watched,
    place: &QueuePlace<'_>,
    (sample, policies, now_ms): (&QueueSample, Option<&Applied>, u64),
) {
    let measured = watched.measured(sample, now_ms);
    for (at, rule) in RULES.iter().enumerate() {
        let Measures::Queue(measure, text) = rule.measures else { continue };
        let text = || text(&place_text(place.vhost, place.name), &measured);
        let (thresholds, value) = (rule.thresholds_of(policies), measure(&measured));
        let verdict = RuleVerdict { rule, at, thresholds, value, text: &text, queue: Some(sample.id) };
        board.judge(&mut watched.raised, || place.object(), &verdict);
    }
}

/// Has the alerts of a queue that was not looked at say what they said in the round before, in case they are over now.
fn refresh(board: &mut Board, watched: &Watched, place: &QueuePlace<'_>, before_ms: Option<u64>) {
    if watched.raised == 0 {
        return;
    }
    let Some(measured) = before_ms.and_then(|before_ms| watched.measured_now(before_ms)) else { return };
    for at in (0..RULES.len()).filter(|at| watched.raised & (1 << at) != 0) {
        if let Some(active) = board.active.get_mut(&(place.object(), at)) {
            (active.alert.value, active.alert.text) = said(at, (place.vhost, place.name), &measured);
        }
    }
}

/// What a rule measures of a queue, and its sentence.
pub(super) fn said(at: usize, (vhost, queue): (&str, &str), measured: &Measured) -> (u64, String) {
    match RULES.get(at).map(|rule| rule.measures) {
        Some(Measures::Queue(measure, text)) => (measure(measured), text(&place_text(vhost, queue), measured)),
        Some(Measures::Vhost(..) | Measures::Node(..)) | None => (0, String::new()),
    }
}
