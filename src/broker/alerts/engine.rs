//! From what is measured to alerts: each rule has two thresholds, so that a value in between neither raises nor ends anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::board::{ActiveAlert, Board, Change, RuleVerdict};
use super::round::{ROUNDS_OF_REST, Turn};
use super::rules::{Measures, RULES};
use super::watched::{MARK_MS, MeasuredNode, Moment, Watched};
use super::watched_vhost::{Depths, WatchedVhost, said};
use super::{Alert, AlertList, AlertObject};
use crate::broker::ids::QueueId;

/// What is known between two rounds.
#[derive(Debug, Default)]
pub(super) struct Engine {
    round: u64,
    moment: Moment,
    vhosts: BTreeMap<Arc<str>, WatchedVhost>,
    node_raised: u32,
    blocked_since_ms: Option<u64>,
    board: Board,
}

impl Engine {
    /// With room for so many alerts that hold.
    #[cfg(test)]
    pub(super) fn with_room(active_max: usize) -> Self {
        Self { board: Board::with_room(active_max), ..Self::default() }
    }

    pub(super) fn watched(&self, vhost: &str, queue: QueueId) -> Option<&Watched> {
        self.vhosts.get(vhost)?.queues.get(&queue)
    }

    /// What is known of a queue, and whether dead letters end in it.
    pub(super) fn queue(&self, vhost: &str, queue: QueueId) -> (Option<&Watched>, bool) {
        self.vhosts
            .get(vhost)
            .map_or((None, false), |watched| (watched.queues.get(&queue), watched.dead_letter_queues.contains(&queue)))
    }

    /// Begins a round. All virtual hosts follow, then [`Engine::finish`].
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.round += 1;
        let before_ms = Some(std::mem::replace(&mut self.board.now_ms, now_ms)).filter(|before_ms| *before_ms > 0);
        let is_mark = now_ms >= self.moment.next_mark_ms;
        let next_mark_ms = if is_mark { now_ms.saturating_add(MARK_MS) } else { self.moment.next_mark_ms };
        self.moment = Moment { now_ms, before_ms, is_mark, next_mark_ms };
    }

    /// Whose turn it is in this round.
    pub(super) const fn turn(&self) -> Turn {
        Turn(self.round % ROUNDS_OF_REST)
    }

    /// What is remembered of a virtual host that is there in this round, with what its queues are noted with.
    pub(super) fn vhost(&mut self, name: &Arc<str>) -> (&mut WatchedVhost, (&mut Board, Moment)) {
        // One that was deleted and made anew is another one.
        if self.vhosts.get_key_value(name).is_some_and(|(known, _)| !Arc::ptr_eq(known, name)) {
            self.forget(name);
        }
        let watched = self.vhosts.entry(Arc::clone(name)).or_default();
        watched.round = self.round;
        (watched, (&mut self.board, self.moment))
    }

    /// Forgets a virtual host with its queues, and ends their alerts.
    fn forget(&mut self, name: &str) {
        let Some((name, mut watched)) = self.vhosts.remove_entry(name) else { return };
        watched.keep((&mut self.board, self.moment), &name, |_| false);
        self.board.end_all(&AlertObject::Vhost(name));
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
            let (thresholds, value) = (rule.thresholds(), measure(&measured));
            let verdict = RuleVerdict { rule, at, thresholds, value, text: &text, queue: None };
            self.board.judge(&mut self.node_raised, || AlertObject::Node, &verdict);
        }
    }

    /// Ends a round: virtual hosts that were not seen in it are gone, and their alerts are over. What changed.
    pub(super) fn finish(&mut self) -> Vec<Change> {
        let is_gone = |(_, watched): &(&Arc<str>, &WatchedVhost)| watched.round != self.round;
        let gone: Vec<_> = self.vhosts.iter().filter(is_gone).map(|(name, _)| Arc::clone(name)).collect();
        gone.iter().for_each(|name| self.forget(name));
        #[cfg(debug_assertions)]
        self.vhosts.values().filter(|watched| watched.queues.len() <= CHECKED_MAX).for_each(WatchedVhost::check);
        std::mem::take(&mut self.board.changes)
    }

    /// How many messages each virtual host has, as of the last look at each queue.
    pub(super) fn depths(&self) -> impl Iterator<Item = (&Arc<str>, Depths)> {
        self.vhosts.iter().map(|(name, watched)| (name, watched.depths))
    }

    /// All alerts, the latest first.
    pub(super) fn list(&self) -> AlertList {
        let Board { now_ms, active, history, .. } = &self.board;
        let mut active: Vec<_> = active.iter().map(|((object, at), active)| self.shown(object, *at, active)).collect();
        active.sort_by_key(|alert| std::cmp::Reverse(alert.id));
        AlertList { looked_at_ms: *now_ms, active, history: history.iter().rev().cloned().collect() }
    }

    /// An alert with what is measured in this round.
    fn shown(&self, object: &AlertObject, at: usize, active: &ActiveAlert) -> Alert {
        let mut alert = active.alert.clone();
        if let (AlertObject::Queue(vhost, name), Some(queue)) = (object, active.queue)
            && let Some(measured) = self.watched(vhost, queue).and_then(|it| it.measured_now(self.board.now_ms))
        {
            (alert.value, alert.text) = said(at, (vhost, name), &measured);
        }
        alert
    }
}

/// In debug builds the sums of virtual hosts with so many queues are looked at in each round.
#[cfg(debug_assertions)]
const CHECKED_MAX: usize = 1_000;
