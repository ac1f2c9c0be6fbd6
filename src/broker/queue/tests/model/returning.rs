//! What comes back to the naive queue, in steps.

use super::Model;
use super::message::Place;
use crate::broker::queue::arguments::QueueKind;
use crate::broker::queue::{DeathReason, Return};
use crate::broker::sink::Token;

impl Model {
    pub(in super::super) fn is_returning(&self) -> bool {
        !self.returns.is_empty()
    }

    /// One transition puts some more messages back.
    pub(in super::super) fn go_on_returning(&mut self) {
        let mut left = self.returns_max;
        self.put_back(&mut left);
    }

    pub(in super::super) fn finish_returns(&mut self) {
        while self.is_returning() {
            self.go_on_returning();
        }
    }

    pub(super) fn put_back(&mut self, left: &mut u16) {
        while let Some((tokens, cause, since_ms)) = self.returns.front_mut() {
            if *left == 0 {
                return;
            }
            let Some(token) = tokens.pop_front() else {
                self.returns.pop_front();
                if !self.is_returning() {
                    self.all_returned();
                }
                continue;
            };
            *left -= 1;
            let (cause, since_ms) = (*cause, *since_ms);
            self.put_back_one(token, cause, since_ms);
        }
    }

    pub(super) fn all_returned(&mut self) {
        if self.arguments.kind == QueueKind::Classic {
            self.trim();
        }
        self.promote();
    }

    pub(in super::super) fn requeue(&mut self, tokens: &[Token], cause: Return) {
        let mut left = self.returns_max;
        self.take_back(tokens, cause, &mut left);
    }

    pub(super) fn take_back(&mut self, tokens: &[Token], cause: Return, left: &mut u16) {
        let is_first = !self.is_returning();
        self.returns.push_back((tokens.iter().copied().collect(), cause, self.now_ms));
        if is_first {
            self.put_back(left);
        }
    }

    pub(super) fn put_back_one(&mut self, token: Token, cause: Return, since_ms: u64) {
        let Some(mut message) = self.take_out(token) else { return };
        message.place = Place::Ready;
        let is_failure = matches!(cause, Return::Rejected | Return::Lost);
        message.counts.acquired += 1;
        message.counts.failed += u32::from(is_failure);
        if self.arguments.kind == QueueKind::Quorum {
            if self.arguments.delivery_limit.is_some_and(|limit| message.counts.failed > limit) {
                return self.kill(message, DeathReason::DeliveryLimit);
            }
            let retry = self.arguments.delayed_retry;
            let retry = retry.filter(|retry| if is_failure { retry.failed } else { retry.returned });
            message.place = match retry {
                None => Place::Returned(self.number()),
                Some(retry) => {
                    let delay_ms = (retry.min_ms * u64::from(message.counts.failed.max(1))).min(retry.max_ms);
                    Place::HeldBack { until_ms: since_ms + delay_ms }
                }
            };
        }
        self.messages.push(message);
    }
}
