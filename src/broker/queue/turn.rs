//! What one transition may do, and what it leaves to others: the next transition, and whoever reads messages back.
//!
//! Invariants: a transition drops and puts back some messages at most, however many there are; whatever is left makes the queue's timer
//! be called at once; a call is ordered only if none is that comes as early; a change that adds messages, consumers or credit ends
//! with a pump.

use smallvec::SmallVec;

use super::DROPS_MAX;
use super::returning::RETURNS_MAX;
use crate::store::loader::Load;

/// The budget of the transition that is under way, and what it found to do later.
#[derive(Debug)]
pub(super) struct Turn {
    drops_left: usize,
    returns_left: u16,
    /// How many may be put back. Tests have fewer.
    returns_max: u16,
    /// There is more to do, with the next call of the timer.
    is_behind: bool,
    /// The earliest time for which a call of the timer is ordered; `u64::MAX` for none.
    called_at_ms: u64,
    /// To be read back.
    loads: SmallVec<[Load; 2]>,
    #[cfg(debug_assertions)]
    owes_pump: bool,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            drops_left: DROPS_MAX,
            returns_left: RETURNS_MAX,
            returns_max: RETURNS_MAX,
            is_behind: false,
            called_at_ms: u64::MAX,
            loads: SmallVec::new(),
            #[cfg(debug_assertions)]
            owes_pump: false,
        }
    }
}

impl Turn {
    #[cfg(test)]
    pub(super) const fn set_returns_max(&mut self, returns_max: u16) {
        (self.returns_max, self.returns_left) = (returns_max, returns_max);
    }

    /// Whether one more message may be dropped.
    pub(super) const fn may_drop(&self) -> bool {
        self.drops_left > 0
    }

    pub(super) fn count_drop(&mut self) {
        debug_assert!(self.may_drop(), "asked before");
        self.drops_left -= 1;
    }

    /// Whether one more message may be put back.
    pub(super) const fn may_put_back(&self) -> bool {
        self.returns_left > 0
    }

    pub(super) fn count_return(&mut self) {
        debug_assert!(self.may_put_back(), "asked before");
        self.returns_left -= 1;
    }

    /// How many messages were dropped or put back.
    pub(super) fn effort(&self) -> usize {
        DROPS_MAX - self.drops_left + usize::from(self.returns_max - self.returns_left)
    }

    /// There is more to do than this transition does.
    pub(super) const fn go_on_later(&mut self) {
        self.is_behind = true;
    }

    pub(super) const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The timer was called: nothing is ordered, and nothing is known to be left.
    pub(super) const fn begin_call(&mut self) {
        // Whatever is still to be done is found again in this call.
        (self.called_at_ms, self.is_behind) = (u64::MAX, false);
    }

    /// The time for which a call is to be ordered so that there is one at `at_ms`; `None` if one comes as early.
    pub(super) fn order_call(&mut self, at_ms: Option<u64>) -> Option<u64> {
        // A call that is ordered is never taken back, so only an earlier one is worth an order. What that call
        // finds orders the next.
        let at_ms = at_ms.filter(|&at_ms| at_ms < self.called_at_ms)?;
        self.called_at_ms = at_ms;
        Some(at_ms)
    }

    /// Has something read back.
    pub(super) fn order_load(&mut self, load: Option<Load>) {
        self.loads.extend(load);
    }

    /// The end of the transition: what is to be read back.
    pub(super) fn end(&mut self) -> SmallVec<[Load; 2]> {
        self.drops_left = DROPS_MAX;
        // Here and not at the beginning: whoever asks for the effort of a transition does so within it.
        self.returns_left = self.returns_max;
        std::mem::take(&mut self.loads)
    }

    /// The transition must end with [`Queue::pump`](super::Queue::pump).
    #[inline]
    pub(super) const fn owe_pump(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.owes_pump = true;
        }
    }

    #[inline]
    pub(super) const fn note_pump(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.owes_pump = false;
        }
    }

    /// # Panics
    /// When the transition did not do what it must.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self) {
        assert!(!self.owes_pump, "the change did not end with a pump");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_ordered_only_if_none_comes_as_early() {
        let mut turn = Turn::default();
        let ordered = [Some(50), Some(70), Some(50), None, Some(20)].map(|at_ms| turn.order_call(at_ms));
        assert_eq!(ordered, [Some(50), None, None, None, Some(20)]);
        turn.begin_call();
        assert_eq!(turn.order_call(Some(70)), Some(70), "the calls that were ordered before are used up");
    }

    #[test]
    fn each_transition_may_do_as_much_as_the_one_before() {
        let mut turn = Turn::default();
        for _ in 0..2 {
            let drops = std::iter::from_fn(|| turn.may_drop().then(|| turn.count_drop())).count();
            turn.count_return();
            assert_eq!((drops, turn.effort()), (DROPS_MAX, DROPS_MAX + 1));
            assert!(turn.end().is_empty());
            assert_eq!(turn.effort(), 0);
        }
    }

    #[test]
    #[should_panic(expected = "did not end with a pump")]
    fn a_change_that_forgets_to_pump_is_noticed() {
        let mut turn = Turn::default();
        turn.owe_pump();
        turn.note_pump();
        turn.check();
        turn.owe_pump();
        turn.check();
    }
}
