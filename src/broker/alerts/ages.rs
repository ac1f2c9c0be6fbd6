//! How old a message is, without a time in each message: from time to time it is noted how far the numbers are, and a message was there
//! whenever its number was given.

/// Notes that are kept. The older ones are further apart, so that an age is exact to an eighth of itself.
const NOTES_MAX: usize = 24;

/// How far ascending numbers were at some times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ages {
    /// Numbers below the first part were given at the time of the second part.
    notes: Vec<(u64, u64)>,
}

impl Ages {
    /// Notes that all numbers below this one have been given. `oldest` is the smallest one that still matters; without any, nothing is
    /// kept.
    pub(super) fn note(&mut self, given_below: u64, oldest: Option<u64>, now_ms: u64) {
        let Some(oldest) = oldest else {
            self.notes = Vec::new();
            return;
        };
        // What only tells of numbers that are gone is not asked for any more.
        let gone = self.notes.partition_point(|(below, _)| *below <= oldest);
        self.notes.drain(..gone);
        if given_below > oldest && self.notes.last().is_none_or(|(below, _)| *below < given_below) {
            self.notes.push((given_below, now_ms));
        }
        if self.notes.len() > NOTES_MAX {
            self.thin(now_ms);
        }
    }

    /// Drops the note that stands closest behind another one, for its age. The first one stays: it tells how old the oldest is.
    fn thin(&mut self, now_ms: u64) {
        let gap = |at: usize| {
            let time = |at: usize| self.notes.get(at).map_or(now_ms, |(_, at_ms)| *at_ms);
            let age = now_ms.saturating_sub(time(at)).max(1);
            u128::from(time(at + 1).saturating_sub(time(at.saturating_sub(1)))) * 1_000_000 / u128::from(age)
        };
        let inner = 1..self.notes.len().saturating_sub(1);
        if let Some(at) = inner.min_by_key(|at| gap(*at)) {
            self.notes.remove(at);
        }
    }

    /// How long ago this number was given, at least; `None` when it is not known.
    pub(super) fn age_ms(&self, number: u64, now_ms: u64) -> Option<u64> {
        let first = self.notes.partition_point(|(below, _)| *below <= number);
        self.notes.get(first).map(|(_, at_ms)| now_ms.saturating_sub(*at_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list of when each number was given: never older than it is, exact to five seconds when it is young, and to a fifth
        /// of itself later.
        #[test]
        fn an_age_is_never_too_high_and_not_far_too_low(
            rounds in prop::collection::vec((0..50_u64, 0..60_u64), 1..400),
        ) {
            let (mut ages, mut given) = (Ages::default(), Vec::new());
            let (mut now_ms, mut oldest) = (1_000_000, 0);
            for (new, gone) in rounds {
                // All of them came just after the last round.
                given.extend(std::iter::repeat_n(now_ms, usize::try_from(new).unwrap()));
                now_ms += 5_000;
                let below = given.len() as u64;
                oldest = (oldest + gone).min(below);
                ages.note(below, Some(oldest).filter(|oldest| *oldest < below), now_ms);
                prop_assert!(ages.notes.len() <= NOTES_MAX);
                for number in oldest..below {
                    let real_ms = now_ms - given[usize::try_from(number).unwrap()];
                    let age_ms = ages.age_ms(number, now_ms);
                    let Some(age_ms) = age_ms else { return Err(TestCaseError::fail("it was there at the last round")) };
                    prop_assert!(age_ms <= real_ms, "{age_ms} of {real_ms}");
                    prop_assert!(age_ms + 5_000 + real_ms / 3 >= real_ms, "{age_ms} of {real_ms}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_kept_of_an_empty_queue() {
        let mut ages = Ages::default();
        ages.note(5, Some(0), 1_000);
        assert_eq!(
            (ages.age_ms(0, 6_000), ages.age_ms(4, 6_000), ages.age_ms(5, 6_000)),
            (Some(5_000), Some(5_000), None)
        );
        ages.note(5, None, 6_000);
        assert_eq!((ages.age_ms(4, 6_000), ages.notes.capacity()), (None, 0));
    }
}
