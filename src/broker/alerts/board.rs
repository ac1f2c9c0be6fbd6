//! The alerts that hold, and those that are over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::rules::{Rule, Thresholds};
use super::{Alert, AlertObject};
use crate::broker::ids::QueueId;

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

/// What one rule says of one object.
pub(super) struct RuleVerdict<'a> {
    pub(super) rule: &'static Rule,
    pub(super) at: usize,
    pub(super) thresholds: Thresholds,
    pub(super) value: u64,
    pub(super) text: &'a dyn Fn() -> String,
    /// The queue, if it is about one.
    pub(super) queue: Option<QueueId>,
}

/// An alert that holds. That of a queue which stands still grows with the time: it is brought up to date when somebody asks for it.
#[derive(Clone, Debug)]
pub(super) struct ActiveAlert {
    pub(super) alert: Alert,
    pub(super) queue: Option<QueueId>,
}

#[derive(Debug)]
pub(super) struct Board {
    pub(super) now_ms: u64,
    active_max: usize,
    raised_total: u64,
    /// By object, and the place of the rule in the table.
    pub(super) active: BTreeMap<(AlertObject, usize), ActiveAlert>,
    pub(super) history: VecDeque<Alert>,
    pub(super) changes: Vec<Change>,
}

impl Default for Board {
    fn default() -> Self {
        Self::with_room(ACTIVE_MAX)
    }
}

impl Board {
    /// With room for so many alerts that hold.
    pub(super) fn with_room(active_max: usize) -> Self {
        let (active, history, changes) = (BTreeMap::new(), VecDeque::new(), Vec::new());
        Self { now_ms: 0, active_max, raised_total: 0, active, history, changes }
    }

    /// Whether one more alert can be raised.
    pub(super) fn has_room(&self) -> bool {
        self.active.len() < self.active_max
    }

    /// Raises an alert, keeps it up to date, or ends it. `raised` has a bit for each rule.
    pub(super) fn judge(&mut self, raised: &mut u32, object: impl Fn() -> AlertObject, verdict: &RuleVerdict<'_>) {
        let RuleVerdict { rule, at, thresholds, value, text, queue } = *verdict;
        let bit = 1 << at;
        let is_raised = *raised & bit != 0;
        if !is_raised && value > thresholds.raise && self.has_room() {
            *raised |= bit;
            self.raise(rule, (object(), at), (value, thresholds.raise), (text(), queue));
        } else if is_raised && value <= thresholds.clear {
            *raised &= !bit;
            self.end(&(object(), at));
        } else if is_raised && let Some(ActiveAlert { alert, .. }) = self.active.get_mut(&(object(), at)) {
            (alert.value, alert.threshold, alert.text) = (value, thresholds.raise, text());
        }
    }

    fn raise(
        &mut self,
        rule: &Rule,
        key: (AlertObject, usize),
        (value, threshold): (u64, u64),
        (text, queue): (String, Option<QueueId>),
    ) {
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
        self.active.insert(key, ActiveAlert { alert, queue });
    }

    fn end(&mut self, key: &(AlertObject, usize)) {
        let Some(ActiveAlert { mut alert, .. }) = self.active.remove(key) else { return };
        alert.cleared_at_ms = Some(self.now_ms);
        self.history.push_back(alert.clone());
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
        self.changes.push(Change::Cleared(alert));
    }

    /// The queues of a virtual host that hold alerts, of those that are asked for.
    pub(super) fn of_queues(&self, vhost: &str, is_asked: impl Fn(QueueId) -> bool) -> Vec<(Arc<str>, QueueId)> {
        let of_queue = |((object, _), active): (&(AlertObject, usize), &ActiveAlert)| match (object, active.queue) {
            (AlertObject::Queue(of, name), Some(queue)) if **of == *vhost && is_asked(queue) => {
                Some((Arc::clone(name), queue))
            }
            _ => None,
        };
        let mut found: Vec<_> = self.active.iter().filter_map(of_queue).collect();
        // They are in order: a queue with several alerts has its place beside itself.
        found.dedup();
        found
    }

    /// Ends all alerts about something that is not there any more.
    pub(super) fn end_all(&mut self, object: &AlertObject) {
        let of_object = (object.clone(), 0)..=(object.clone(), usize::MAX);
        let keys: Vec<_> = self.active.range(of_object).map(|(key, _)| key.clone()).collect();
        keys.iter().for_each(|key| self.end(key));
    }
}
