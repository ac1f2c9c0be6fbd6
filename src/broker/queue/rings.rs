//! Consumers that wait for their turn: one ring a priority, of which the highest is served.
//!
//! Whoever leaves stays in its ring until its turn comes, or until half of the ring has left: so that neither leaving nor coming
//! looks at all the others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use crate::broker::ids::ConsumerId;

/// The consumers of one priority that wait, and some that have left.
#[derive(Debug)]
struct Ring {
    priority: i64,
    waiting: VecDeque<ConsumerId>,
    /// How many of them have left.
    gone: usize,
}

impl Ring {
    /// Whether all have left.
    fn is_over(&self) -> bool {
        self.gone == self.waiting.len()
    }
}

/// The rings. A consumer is in one of them at most.
#[derive(Debug, Default)]
pub(super) struct Rings {
    /// The ring of the highest priority: in it somebody waits, or there is no ring at all.
    first: Option<Ring>,
    /// The others; somebody waits in each.
    others: BTreeMap<Reverse<i64>, Ring>,
}

impl Rings {
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whose turn it is: a consumer, or one that has left.
    pub(super) fn front(&self) -> Option<ConsumerId> {
        self.first.as_ref()?.waiting.front().copied()
    }

    /// The one at the front had its turn, and waits for the next.
    pub(super) fn rotate(&mut self) {
        if let Some(ring) = &mut self.first {
            // One step of the ends of a deque, whatever its length.
            ring.waiting.rotate_left(1);
        }
    }

    /// The one at the front waits no more.
    pub(super) fn pop(&mut self) {
        if let Some(ring) = &mut self.first {
            ring.waiting.pop_front();
            self.tidy();
        }
    }

    /// The one at the front has left.
    pub(super) fn pop_gone(&mut self) {
        if let Some(ring) = &mut self.first {
            ring.waiting.pop_front();
            ring.gone = ring.gone.saturating_sub(1);
            self.tidy();
        }
    }

    /// Puts a consumer behind the others of its priority.
    pub(super) fn wait(&mut self, priority: i64, id: ConsumerId) {
        let new = || Ring { priority, waiting: VecDeque::from([id]), gone: 0 };
        match &mut self.first {
            Some(first) if first.priority == priority => first.waiting.push_back(id),
            Some(first) if first.priority > priority => {
                let others = self.others.entry(Reverse(priority));
                others.and_modify(|ring| ring.waiting.push_back(id)).or_insert_with(new);
            }
            // Higher than all, or the first of all.
            _ => {
                if let Some(lower) = self.first.replace(new()) {
                    self.others.insert(Reverse(lower.priority), lower);
                }
            }
        }
    }

    /// A consumer that waited has left; `is_there` tells who has not.
    pub(super) fn leave(&mut self, priority: i64, is_there: impl Fn(ConsumerId) -> bool) {
        let is_first = self.first.as_ref().is_some_and(|ring| ring.priority == priority);
        let ring = if is_first { self.first.as_mut() } else { self.others.get_mut(&Reverse(priority)) };
        let Some(ring) = ring else { return };
        ring.gone += 1;
        // Each that leaves pays for two in the sum, so a thousand that leave do not cost a thousand looks each.
        if ring.gone > ring.waiting.len() / 2 {
            ring.waiting.retain(|id| is_there(*id));
            ring.gone = 0;
        }
        if is_first {
            self.tidy();
        } else if ring.is_over() {
            self.others.remove(&Reverse(priority));
        }
    }

    fn tidy(&mut self) {
        if self.first.as_ref().is_some_and(Ring::is_over) {
            // In each of the others somebody waits, so the next one is not over.
            self.first = self.others.pop_first().map(|(_, ring)| ring);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// Against the plain thing: all who wait, in their order, of which the first of the highest priority is served.
        #[test]
        fn whoever_waits_has_a_turn_in_order(steps in proptest::collection::vec((0..4_u8, 0..8_u64), 1..200)) {
            let mut rings = Rings::default();
            let mut waiting: Vec<(i64, u64)> = Vec::new();
            let mut next_id = 0;
            for (step, choice) in steps {
                let highest = waiting.iter().map(|(priority, _)| *priority).max();
                let served = waiting.iter().position(|(priority, _)| Some(*priority) == highest);
                match (step, served) {
                    (0, _) => {
                        next_id += 1;
                        let priority = i64::try_from(choice % 3).unwrap();
                        waiting.push((priority, next_id));
                        rings.wait(priority, ConsumerId(next_id));
                    }
                    (1, Some(_)) => {
                        let at = usize::try_from(choice).unwrap() % waiting.len();
                        let (priority, _) = waiting.remove(at);
                        rings.leave(priority, |id| waiting.iter().any(|(_, waits)| *waits == id.0));
                    }
                    (_, Some(at)) => {
                        while rings.front().is_some_and(|id| waiting.iter().all(|(_, waits)| *waits != id.0)) {
                            rings.pop_gone();
                        }
                        let turn = waiting.remove(at);
                        prop_assert_eq!(rings.front(), Some(ConsumerId(turn.1)));
                        if step == 2 {
                            rings.pop();
                        } else {
                            rings.rotate();
                            waiting.push(turn);
                        }
                    }
                    _ => {}
                }
                prop_assert_eq!(rings.is_empty(), waiting.is_empty());
            }
        }
    }
}
