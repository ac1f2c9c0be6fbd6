//! Keeps a client that makes the same thing happen again and again from filling the log: some lines are written, the rest is counted.
//! Pure: time comes in as milliseconds.

use rustc_hash::FxHashMap;
use tracing::callsite::Identifier;

use crate::throttle::{INTERVAL_MS, Throttle};

/// Lines that tell of an error of a client, of one kind and from one address, in each interval.
const ERRORS: u32 = 20;
/// Other lines about a client, such as that it has connected.
const OTHERS: u32 = 500;
/// So many kinds of lines times addresses are told apart.
const SOURCES_MAX: usize = 4096;

/// A line about a client.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// The place in the code.
    pub(super) callsite: Identifier,
    /// What it says.
    pub(super) message: String,
    /// Whom: the client's address without its port.
    pub(super) address: String,
    pub(super) is_error: bool,
}

/// Lines of one kind about one client that were not written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) message: String,
    pub(super) address: String,
    pub(super) lines: u64,
}

/// What was written lately.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    sources: FxHashMap<(Identifier, String), (Throttle, String)>,
    swept_ms: u64,
}

impl Repeated {
    /// Whether to write a line.
    pub(super) fn pass(&mut self, about: About, now_ms: u64) -> bool {
        let About { callsite, message, address, is_error } = about;
        let mut source = (callsite, address);
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&source) {
            // All others together are one source.
            source.1.clear();
        }
        let most = if is_error { ERRORS } else { OTHERS };
        let (throttle, _) = self.sources.entry(source).or_insert_with(|| (Throttle::default(), message));
        throttle.pass(now_ms, most)
    }

    /// As [`Repeated::take_over`], but looks only once an interval, so that it can be called for each line.
    pub(super) fn sweep(&mut self, now_ms: u64) -> Vec<LeftOut> {
        if now_ms < self.swept_ms.saturating_add(INTERVAL_MS) {
            return Vec::new();
        }
        self.take_over(now_ms)
    }

    /// Tells what was left out of those whose interval is over, and forgets them.
    pub(super) fn take_over(&mut self, now_ms: u64) -> Vec<LeftOut> {
        self.swept_ms = now_ms;
        self.take(|throttle| throttle.is_over(now_ms))
    }

    /// Tells everything that was left out, because the log ends.
    pub(super) fn take_all(&mut self) -> Vec<LeftOut> {
        self.take(|_| true)
    }

    fn take(&mut self, is_taken: impl Fn(&Throttle) -> bool) -> Vec<LeftOut> {
        let mut all = Vec::new();
        self.sources.retain(|(_, address), (throttle, message)| {
            if !is_taken(throttle) {
                return true;
            }
            let lines = throttle.take_left_out();
            if lines > 0 {
                all.push(LeftOut { message: message.clone(), address: address.clone(), lines });
            }
            false
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(callsite: &Identifier, address: String, is_error: bool) -> About {
        About { callsite: callsite.clone(), message: "closing channel".to_owned(), address, is_error }
    }

    fn callsite() -> Identifier {
        struct Nowhere;
        impl tracing::Callsite for Nowhere {
            fn set_interest(&self, _: tracing::subscriber::Interest) {}
            fn metadata(&self) -> &tracing::Metadata<'_> {
                unreachable!("nobody asks")
            }
        }
        Identifier(&Nowhere)
    }

    #[test]
    fn of_a_client_that_errs_again_and_again_some_lines_are_written_and_the_rest_is_counted() {
        let (mut repeated, callsite) = (Repeated::default(), callsite());
        repeated.sweep(INTERVAL_MS);
        let mut pass = |address: &str, is_error| {
            let pass = |_: &u32| repeated.pass(about(&callsite, address.to_owned(), is_error), INTERVAL_MS);
            (0..50_000).filter(pass).count()
        };
        assert_eq!(pass("10.0.0.1", true), ERRORS as usize);
        assert_eq!(pass("10.0.0.2", true), ERRORS as usize, "each client has its own");
        assert_eq!(repeated.sweep(2 * INTERVAL_MS - 1), []);
        let mut left_out = repeated.sweep(2 * INTERVAL_MS);
        left_out.sort_by(|a, b| a.address.cmp(&b.address));
        let of = |address: &str| LeftOut {
            message: "closing channel".to_owned(),
            address: address.to_owned(),
            lines: 50_000 - u64::from(ERRORS),
        };
        assert_eq!(left_out, [of("10.0.0.1"), of("10.0.0.2")]);
        assert_eq!(repeated.sweep(3 * INTERVAL_MS), [], "said once");
    }

    #[test]
    fn what_was_left_out_is_told_without_another_line() {
        let (mut repeated, callsite) = (Repeated::default(), callsite());
        let pass = |repeated: &mut Repeated, now_ms| repeated.pass(about(&callsite, String::new(), true), now_ms);
        let lines = |all: Vec<LeftOut>| all.iter().map(|left_out| left_out.lines).sum::<u64>();
        assert_eq!((0..=ERRORS).filter(|_| pass(&mut repeated, 5_000)).count(), ERRORS as usize);
        repeated.sweep(12_000);
        assert_eq!(lines(repeated.take_over(14_999)), 0, "more may come");
        assert_eq!(lines(repeated.take_over(15_000)), 1, "however long ago the last sweep was");
        assert_eq!((0..=ERRORS).filter(|_| pass(&mut repeated, 15_001)).count(), ERRORS as usize);
        assert_eq!((lines(repeated.take_all()), lines(repeated.take_all())), (1, 0));
    }

    #[test]
    fn however_many_clients_there_are_little_is_kept() {
        let (mut repeated, callsite) = (Repeated::default(), callsite());
        for number in 0..2 * SOURCES_MAX {
            repeated.pass(about(&callsite, format!("address {number}"), false), 0);
        }
        assert_eq!(repeated.sources.len(), SOURCES_MAX + 1);
        repeated.sweep(INTERVAL_MS);
        assert!(repeated.sources.is_empty());
    }
}
