//! The prefetch that all consumers of a channel share, and who waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::broker::ids::ConsumerId;

/// Consumers that lack something their connection or channel shares out, in the order in which they found that out: so that
/// what becomes free is offered to those who want it, and not to all there are.
#[derive(Debug, Default)]
pub(crate) struct Wanting {
    by_turn: BTreeMap<u64, ConsumerId>,
    turns: FxHashMap<ConsumerId, u64>,
    next_turn: u64,
}

impl Wanting {
    /// Adds a consumer, unless it waits already.
    pub(crate) fn add(&mut self, id: ConsumerId) {
        let turn = self.next_turn;
        // An earlier turn is kept: whoever asks again does not lose its place.
        if *self.turns.entry(id).or_insert(turn) == turn {
            self.by_turn.insert(turn, id);
            self.next_turn += 1;
        }
    }

    /// Takes out the one that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<ConsumerId> {
        let (_, id) = self.by_turn.pop_first()?;
        self.turns.remove(&id);
        Some(id)
    }

    /// Forgets a consumer that is gone.
    pub(crate) fn remove(&mut self, id: ConsumerId) {
        if let Some(turn) = self.turns.remove(&id) {
            self.by_turn.remove(&turn);
        }
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

/// The prefetch that all consumers of a channel share (`basic.qos` with `global`), owned by the channel and read by the queues
/// that it consumes from.
#[derive(Debug, Default)]
pub struct ChannelCredit {
    /// 0 for no limit.
    limit: AtomicU32,
    used: AtomicU32,
    /// Who found no credit. Locked under a queue's lock, and nothing is locked under it.
    wanting: Mutex<Wanting>,
}

impl ChannelCredit {
    /// Sets the limit, 0 for none, while `used` messages are unacknowledged.
    pub(crate) fn set(&self, limit: u32, used: u32) {
        // Only the channel's task changes the limit. A queue that sees the old pair for a moment hands out a
        // message more or less, as if it had been earlier.
        self.used.store(used, Ordering::Relaxed);
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// The limit; 0 for none.
    pub(crate) fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.load(Ordering::Relaxed) > 0
    }

    /// Gives back the credit of `count` settled messages.
    pub(crate) fn release(&self, count: u32) {
        // Without a limit nothing is counted; `set` brings the number when there is one.
        if self.is_limited() {
            let subtracted = |used: u32| Some(used.saturating_sub(count));
            // The closure never declines, so this cannot fail.
            self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtracted).ok();
        }
    }

    /// Takes credit for one message of this consumer. If there is none, the consumer is one of those whom [`ChannelCredit::next`]
    /// names.
    pub(super) fn take(&self, id: ConsumerId) -> bool {
        if self.take_one() {
            return true;
        }
        self.wanting.lock().add(id);
        // Asked again, so that what was released in between is not missed.
        self.take_one()
    }

    fn take_one(&self) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == 0 {
            return true;
        }
        let added = |used: u32| (used < limit).then_some(used + 1);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added).is_ok()
    }

    /// Who is to be resumed next, as long as there is credit.
    pub(crate) fn next(&self) -> Option<ConsumerId> {
        // Locked before the credit is looked at: whoever waits has looked after it was released, or is found here.
        let mut wanting = self.wanting.lock();
        let limit = self.limit();
        let has_credit = limit == 0 || self.used.load(Ordering::Relaxed) < limit;
        if has_credit { wanting.pop() } else { None }
    }

    /// Forgets a consumer that is gone.
    pub(crate) fn forget(&self, id: ConsumerId) {
        self.wanting.lock().remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_offered_in_turn_and_only_to_those_who_found_none() {
        let credit = ChannelCredit::default();
        credit.set(1, 0);
        let [one, two, three] = [1, 2, 3].map(ConsumerId);
        assert!(credit.take(one));
        for id in [two, three, two, one] {
            assert!(!credit.take(id));
        }
        assert_eq!(credit.next(), None, "there is none");
        credit.forget(three);
        credit.release(1);
        assert_eq!(credit.next(), Some(two));
        assert!(credit.take(two));
        assert_eq!(credit.next(), None);
        credit.set(0, 0);
        assert_eq!((credit.next(), credit.next()), (Some(one), None));
        assert!(credit.wanting.lock().is_empty());
    }
}
