//! From what is measured to alerts: each rule has two thresholds, so that a value in between neither raises nor ends anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::round::ROUNDS_OF_REST;
use super::rules::{Measures, RULES, Rule, Thresholds};
use super::watched::{MeasuredNode, Watched, WatchedVhost};
use super::{Alert, AlertList, AlertObject};
use crate::broker::ids::QueueId;
use crate::broker::policies::Applied;
use crate::broker::queue::QueueSample;

/// So many alerts hold at a time; others wait until some of them are over.
pub(crate) const ACTIVE_MAX: usize = 1_000;
/// So many that are over are remembered.
pub(crate) const HISTORY_MAX: usize = 1_000;

/// An alert that was raised, or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It holds from now on.
    Raised(Alert),
    /// It held until now.
    Cleared(Alert),
}

/// What is known between two rounds.
#[derive(Debug, Default)]
pub(super) struct Engine {
    round: u64,
    /// When the round before began.
    before_ms: Option<u64>,
    /// Without those that never had a message.
    queues: FxHashMap<QueueId, Watched>,
    vhosts: BTreeMap<Arc<str>, WatchedVhost>,
    node_raised: u32,
    blocked_since_ms: Option<u64>,
    board: Board,
    /// The queues that dead letters go to, and at which epoch of its topology that was found, by virtual host.
    pub(super) dead_letter_queues: BTreeMap<Arc<str>, (u64, FxHashSet<QueueId>)>,
}

/// The alerts that hold, and those that are over.
#[derive(Debug, Default)]
struct Board {
    now_ms: u64,
    raised_total: u64,
    /// By object, and the place of the rule in the table.
    active: BTreeMap<(AlertObject, usize), Alert>,
    history: VecDeque<Alert>,
    changes: Vec<Change>,
}

/// What one rule says of one object.
struct Verdict<'a> {
    rule: &'static Rule,
    at: usize,
    thresholds: Thresholds,
    value: u64,
    text: &'a dyn Fn() -> String,
}

impl Engine {
    pub(super) fn watched(&self, queue: QueueId) -> Option<&Watched> {
        self.queues.get(&queue)
    }

    pub(super) fn is_dead_letter_queue(&self, vhost: &str, queue: QueueId) -> bool {
        self.dead_letter_queues.get(vhost).is_some_and(|(_, found)| found.contains(&queue))
    }

    /// Begins a round. All samples follow, then [`Engine::finish`].
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.round += 1;
        self.before_ms = Some(std::mem::replace(&mut self.board.now_ms, now_ms)).filter(|before_ms| *before_ms > 0);
    }

    /// Whether it is the turn of a queue that stands still to be asked anew.
    pub(super) const fn is_turn_of(&self, queue: QueueId) -> bool {
        queue.0 % ROUNDS_OF_REST == self.round % ROUNDS_OF_REST
    }

    /// What a queue said when it was asked last, if there was anything to remember.
    pub(super) fn last_of(&self, queue: QueueId) -> Option<(QueueSample, Option<Arc<Applied>>)> {
        self.queues.get(&queue)?.last.clone()
    }

    /// Takes a sample of a queue. Nothing is raised for one that is `exempt`.
    pub(super) fn queue(
        &mut self,
        (vhost, name): (&Arc<str>, &Arc<str>),
        sample: &QueueSample,
        policies: Option<Arc<Applied>>,
        is_dead_letter_queue: bool,
        is_exempt: bool,
    ) {
        // Nothing need be remembered of a queue that never had a message, and no rule asks for one.
        if sample.is_untouched() && !self.queues.contains_key(&sample.id) {
            return;
        }
        let before_ms = self.before_ms;
        let watched = self.queues.entry(sample.id).or_insert_with(|| Watched::since(before_ms));
        watched.round = self.round;
        let measured = watched.note(sample, is_dead_letter_queue, self.board.now_ms);
        if is_exempt {
            watched.last = Some((*sample, policies));
            return;
        }
        let object = || AlertObject::Queue(Arc::clone(vhost), Arc::clone(name));
        for (at, rule) in RULES.iter().enumerate() {
            let Measures::Queue(measure, text) = rule.measures else { continue };
            let text = || text(&format!("Queue '{name}' in virtual host '{vhost}'"), &measured);
            let under = |policies: &Arc<Applied>| rule.thresholds_under(policies);
            let thresholds = policies.as_ref().map_or_else(|| rule.thresholds(), under);
            let verdict = Verdict { rule, at, thresholds, value: measure(&measured), text: &text };
            self.board.judge(&mut watched.raised, object, &verdict);
        }
        watched.last = Some((*sample, policies));
    }

    /// Takes down what was published in a virtual host, and how much of it found no queue.
    pub(super) fn vhost(&mut self, name: &Arc<str>, published: u64, unroutable: u64) {
        let watched = self.vhosts.entry(Arc::clone(name)).or_default();
        watched.round = self.round;
        let measured = watched.note(published, unroutable, self.board.now_ms);
        for (at, rule) in RULES.iter().enumerate() {
            let Measures::Vhost(measure, text) = rule.measures else { continue };
            let text = || text(&format!("Virtual host '{name}'"), &measured);
            let verdict = Verdict { rule, at, thresholds: rule.thresholds(), value: measure(&measured), text: &text };
            self.board.judge(&mut watched.raised, || AlertObject::Vhost(Arc::clone(name)), &verdict);
        }
    }

    /// Takes down the state of the node.
    pub(super) fn node(&mut self, mut measured: MeasuredNode) {
        let now_ms = self.board.now_ms;
        let is_blocked = measured.blocked_connections > 0;
        self.blocked_since_ms = is_blocked.then(|| self.blocked_since_ms.unwrap_or(now_ms));
        measured.blocked_ms = self.blocked_since_ms.map_or(0, |since_ms| now_ms.saturating_sub(since_ms));
        for (at, rule) in RULES.iter().enumerate() {
            let Measures::Node(measure, text) = rule.measures else { continue };
            let text = || text(&measured);
            let verdict = Verdict { rule, at, thresholds: rule.thresholds(), value: measure(&measured), text: &text };
            self.board.judge(&mut self.node_raised, || AlertObject::Node, &verdict);
        }
    }

    /// Ends a round: what was not seen in it is gone, and its alerts are over. What changed.
    pub(super) fn finish(&mut self, is_there: impl Fn(&AlertObject) -> bool) -> Vec<Change> {
        let round = self.round;
        self.queues.retain(|_, watched| watched.round == round);
        self.vhosts.retain(|_, watched| watched.round == round);
        if self.queues.capacity() > 4 * (self.queues.len() + 64) {
            self.queues.shrink_to_fit();
        }
        let vhosts = &self.vhosts;
        self.dead_letter_queues.retain(|vhost, _| vhosts.contains_key(vhost));
        self.board.end_gone(is_there);
        std::mem::take(&mut self.board.changes)
    }

    /// All alerts, the latest first.
    pub(super) fn list(&self) -> AlertList {
        let Board { now_ms, active, history, .. } = &self.board;
        let mut active: Vec<_> = active.values().cloned().collect();
        active.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        AlertList { looked_at_ms: *now_ms, active, history: history.iter().rev().cloned().collect() }
    }
}

impl Board {
    /// Raises an alert, keeps it up to date, or ends it. `raised` has a bit for each rule.
    fn judge(&mut self, raised: &mut u32, object: impl Fn() -> AlertObject, verdict: &Verdict<'_>) {
        let Verdict { rule, at, thresholds, value, text } = *verdict;
        let bit = 1 << at;
        let is_raised = *raised & bit != 0;
        if !is_raised && value > thresholds.raise && self.active.len() < ACTIVE_MAX {
            *raised |= bit;
            self.raise(rule, (object(), at), (value, thresholds.raise), text());
        } else if is_raised && value <= thresholds.clear {
            *raised &= !bit;
            self.end(&(object(), at));
        } else if is_raised && let Some(alert) = self.active.get_mut(&(object(), at)) {
            (alert.value, alert.threshold, alert.text) = (value, thresholds.raise, text());
        }
    }

    fn raise(&mut self, rule: &Rule, key: (AlertObject, usize), (value, threshold): (u64, u64), text: String) {
        self.raised_total += 1;
        let alert = Alert {
            id: self.raised_total,
            rule: rule.name,
            severity: rule.severity,
            object: key.0.clone(),
            raised_at_ms: self.now_ms,
            cleared_at_ms: None,
            value,
            threshold,
            text,
            next_step: rule.next_step,
        };
        self.changes.push(Change::Raised(alert.clone()));
        self.active.insert(key, alert);
    }

    fn end(&mut self, key: &(AlertObject, usize)) {
        let Some(mut alert) = self.active.remove(key) else { return };
        alert.cleared_at_ms = Some(self.now_ms);
        self.history.push_back(alert.clone());
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
        self.changes.push(Change::Cleared(alert));
    }

    /// Ends the alerts of queues and virtual hosts that are not there any more.
    fn end_gone(&mut self, is_there: impl Fn(&AlertObject) -> bool) {
        let gone: Vec<_> = self.active.keys().filter(|(object, _)| !is_there(object)).cloned().collect();
        gone.iter().for_each(|key| self.end(key));
    }
}
