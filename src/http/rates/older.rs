//! What was counted before the last minute: the longer ago, the fewer samples are kept.

use std::collections::VecDeque;

use super::Run;

const MINUTE_MS: u64 = 60 * 1000;
/// One a minute for an hour.
const MINUTES: usize = 60;
/// One in five minutes for a day.
const FIVES: usize = 288;
/// All of them.
pub(super) const OLDER_MAX: usize = MINUTES + FIVES;

/// Numbers of long ago, in the order of time: first `fives`, then `minutes`.
#[derive(Clone, Debug, Default)]
pub(super) struct Older {
    minutes: VecDeque<Run>,
    fives: VecDeque<Run>,
}

/// Adds a run unless another one began so short a time before.
fn push_apart(runs: &mut VecDeque<Run>, run: Run, apart_ms: u64) {
    if runs.back().is_none_or(|last| run.from_ms >= last.from_ms + apart_ms) {
        runs.push_back(run);
    }
}

fn before(runs: &VecDeque<Run>, at_ms: u64) -> Option<&Run> {
    runs.partition_point(|run| run.from_ms <= at_ms).checked_sub(1).and_then(|last| runs.get(last))
}

impl Older {
    /// Adds what is not of the last minute any more.
    pub(super) fn push(&mut self, run: Run) {
        push_apart(&mut self.minutes, run, MINUTE_MS);
        if self.minutes.len() > MINUTES
            && let Some(run) = self.minutes.pop_front()
        {
            push_apart(&mut self.fives, run, 5 * MINUTE_MS);
        }
    }

    /// Forgets what ended before this time, and the oldest if there are more than so many.
    pub(super) fn forget(&mut self, before_ms: u64, max: usize) {
        let is_old = |runs: &VecDeque<Run>| runs.front().is_some_and(|run| run.until_ms < before_ms);
        while is_old(&self.fives) || !self.fives.is_empty() && self.len() > max {
            self.fives.pop_front();
        }
        while is_old(&self.minutes) || !self.minutes.is_empty() && self.len() > max {
            self.minutes.pop_front();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.minutes.len() + self.fives.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The last that began no later than this.
    pub(super) fn before(&self, at_ms: u64) -> Option<&Run> {
        before(&self.minutes, at_ms).or_else(|| before(&self.fives, at_ms))
    }
}
