//! When an issuer is asked for its keys again, after it did not give them.

/// After a failure nobody asks for so long. A login that needs a key which is not known is refused meanwhile, as it would be after
/// the failure of its own question; but it does not wait for that, and those behind it do not wait in line.
const PAUSE_MS: u64 = 5_000;

/// Whether an issuer may be asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FetchPause {
    asked_ms: u64,
    until_ms: Option<u64>,
}

impl FetchPause {
    /// It is asked.
    pub(crate) const fn asked(&mut self, now_ms: u64) {
        self.asked_ms = now_ms;
    }

    /// It did not answer, or not with keys.
    pub(crate) const fn failed(&mut self, now_ms: u64) {
        self.until_ms = Some(now_ms.saturating_add(PAUSE_MS));
    }

    /// Who has asked has gone before there was an answer. After a while that is a failure, too: clients have less patience than a
    /// question to a machine that is switched off takes. Who goes at once keeps nobody else from asking.
    pub(crate) const fn given_up(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.asked_ms) >= PAUSE_MS {
            self.failed(now_ms);
        }
    }

    /// It gave its keys.
    pub(crate) const fn succeeded(&mut self) {
        self.until_ms = None;
    }

    pub(crate) fn is_over(self, now_ms: u64) -> bool {
        self.until_ms.is_none_or(|until_ms| now_ms >= until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_nobody_asks_for_five_seconds() {
        let mut pause = FetchPause::default();
        assert!(pause.is_over(0), "nothing has failed yet");
        pause.failed(1_000);
        assert_eq!([1_000, 5_999, 6_000].map(|now_ms| pause.is_over(now_ms)), [false, false, true]);
        pause.failed(6_000);
        assert!(!pause.is_over(10_999));
        pause.succeeded();
        assert!(pause.is_over(6_000));
    }

    #[test]
    fn a_question_that_was_given_up_has_failed_if_it_took_long() {
        let mut pause = FetchPause::default();
        pause.asked(1_000);
        pause.given_up(5_999);
        assert!(pause.is_over(5_999));
        pause.asked(6_000);
        pause.given_up(11_000);
        assert_eq!([15_999, 16_000].map(|now_ms| pause.is_over(now_ms)), [false, true]);
    }
}
