//! How long a queue need not be looked at while it stands still: until time alone could raise an alert, or move a window.
//!
//! What the rules measure of a queue that stands still only grows with the time, from one mark to the next: an age, a duration. So what
//! holds an alert goes on holding it, and for what does not there is a first moment at which it could.

use std::ops::Range;

use super::rules::{Measures, RULES, Thresholds};
use super::watched::{Moment, Watched};
use crate::broker::policies::Applied;
use crate::broker::queue::QueueSample;

/// The longest rest, in milliseconds.
const REST_MAX_MS: u64 = 60_000;

/// A look is to follow in the next round, whatever its time is.
const NEXT_ROUND: u64 = 1;

/// From when on a queue must be looked at again though it stands still: it was looked at, and judged unless it is `exempt`. Notes whether it
/// waits for room to raise an alert.
pub(super) fn until_ms(
    watched: &mut Watched,
    sample: &QueueSample,
    policies: Option<&Applied>,
    is_exempt: bool,
    moment: Moment,
) -> u64 {
    watched.is_waiting = false;
    if !watched.is_at_rest(sample) {
        return NEXT_ROUND;
    }
    let latest_ms = moment.now_ms.saturating_add(REST_MAX_MS);
    let latest_ms = if watched.is_settled(sample) { latest_ms } else { latest_ms.min(moment.next_mark_ms) };
    if is_exempt {
        return latest_ms;
    }
    let is_waiting = is_over(watched, sample, policies, moment.now_ms, |_| true);
    watched.is_waiting = is_waiting.is_some();
    // What waits already is over its threshold now, and says nothing of what comes.
    let waits = is_waiting.unwrap_or(0);
    let will_be_over = |at_ms: u64| is_over(watched, sample, policies, at_ms, |bit| waits & bit == 0).is_some();
    if will_be_over(latest_ms) { first_ms(moment.now_ms..latest_ms, will_be_over) } else { latest_ms }
}

/// The rules that would raise an alert at that time, of those that hold none and are asked for: as bits, if there are any.
fn is_over(
    watched: &Watched,
    sample: &QueueSample,
    policies: Option<&Applied>,
    at_ms: u64,
    is_asked: impl Fn(u32) -> bool,
) -> Option<u32> {
    let measured = watched.measured(sample, at_ms);
    let mut over = 0;
    for (at, rule) in RULES.iter().enumerate() {
        let bit = 1 << at;
        let Measures::Queue(measure, _) = rule.measures else { continue };
        if watched.raised & bit != 0 || !is_asked(bit) {
            continue;
        }
        let Thresholds { raise, .. } = rule.thresholds_of(policies);
        if measure(&measured) > raise {
            over |= bit;
        }
    }
    (over != 0).then_some(over)
}

/// The first time at which something holds that does not hold at the start of a time, holds at its end, and does not end in between.
fn first_ms(Range { start: mut before_ms, end: mut at_ms }: Range<u64>, holds: impl Fn(u64) -> bool) -> u64 {
    while at_ms - before_ms > 1 {
        let middle_ms = before_ms + (at_ms - before_ms) / 2;
        if holds(middle_ms) {
            at_ms = middle_ms;
        } else {
            before_ms = middle_ms;
        }
    }
    at_ms
}
