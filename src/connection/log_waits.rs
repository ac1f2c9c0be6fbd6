//! What a connection waits for the log with: confirms, which wait while the connection goes on, an answer, before which nothing more is
//! read, and publishing on while the log is behind. What an answer `A` is, the protocol knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::outbox::Outbox;
use crate::store::{Log, LogPosition, Wake};

/// What waits for the log.
///
/// **Invariant**: whatever waits, the log has been asked to wake the connection for it.
#[derive(Debug)]
pub(super) struct LogWaits<A> {
    log: Arc<dyn Log>,
    outbox: Arc<Outbox>,
    /// Channels with confirms that were not due yet.
    unconfirmed: Vec<u16>,
    /// The log wakes the connection at this position, for confirms.
    wakes_at: Option<LogPosition>,
    answer: Option<(LogPosition, A)>,
    caught_up: Option<Arc<CaughtUp>>,
}

/// What need not wait any longer: confirms first, because the publishes came before the method that is answered.
#[derive(Debug, PartialEq)]
pub(super) struct Due<A> {
    pub(super) unconfirmed: Vec<u16>,
    pub(super) answer: Option<A>,
}

/// Is woken when the log has caught up.
#[derive(Debug)]
struct CaughtUp {
    outbox: Arc<Outbox>,
    is_woken: AtomicBool,
}

impl Wake for CaughtUp {
    fn wake(&self) {
        self.is_woken.store(true, Ordering::Release);
        self.outbox.wake_up();
    }
}

impl<A> LogWaits<A> {
    pub(super) fn new(log: Arc<dyn Log>, outbox: Arc<Outbox>) -> Self {
        Self { log, outbox, unconfirmed: Vec::new(), wakes_at: None, answer: None, caught_up: None }
    }

    /// Whether nothing may be read.
    pub(super) const fn holds_reading(&self) -> bool {
        self.is_answering() || self.caught_up.is_some()
    }

    /// Whether a method was carried out whose answer waits.
    pub(super) const fn is_answering(&self) -> bool {
        self.answer.is_some()
    }

    /// Everything up to here is durable; `None` once nothing more will be.
    pub(super) fn durable(&self) -> Option<LogPosition> {
        self.log.durable().ok()
    }

    /// Confirms of this channel are to be sent: the first of them at one position, the last at another.
    pub(super) fn confirm_later(&mut self, channel: u16, first: LogPosition, last: LogPosition) {
        // The last position is to be synced at once; the first one is where something can be told.
        self.log.want(last);
        if !self.unconfirmed.contains(&channel) {
            self.unconfirmed.push(channel);
        }
        // Only if nothing earlier wakes the connection: then everything that is due is looked at.
        if self.wakes_at.is_none_or(|wakes_at| !first.includes(wakes_at)) {
            self.wakes_at = Some(first);
            self.log.when_durable(first, Arc::clone(&self.outbox) as Arc<dyn Wake>);
        }
    }

    /// Keeps an answer until everything up to `position` is durable. Returns it if that is so already.
    pub(super) fn answer_later(&mut self, answer: A, position: LogPosition) -> Option<A> {
        if self.durable().is_some_and(|durable| durable.includes(position)) {
            return Some(answer);
        }
        debug_assert!(self.answer.is_none(), "a method was carried out before the last one was answered");
        self.answer = Some((position, answer));
        // Also if the log has failed: it wakes at once then, and the answer stays away for good.
        self.log.when_durable(position, Arc::clone(&self.outbox) as Arc<dyn Wake>);
        None
    }

    /// Whether so much waits that this connection should publish no more for now. What it has published, up to `position`, helps.
    pub(super) fn wait_if_behind(&mut self, position: LogPosition) {
        if position == LogPosition::START || !self.log.is_behind() {
            return;
        }
        let caught_up = Arc::new(CaughtUp { outbox: Arc::clone(&self.outbox), is_woken: AtomicBool::new(false) });
        self.caught_up = Some(Arc::clone(&caught_up));
        // What this connection has appended is part of what is to be synced, and nobody may be waiting for it.
        self.log.want(position);
        // Last: it may wake at once.
        self.log.when_caught_up(caught_up);
    }

    /// What need not wait any longer. To be asked each time that the connection is woken.
    pub(super) fn take_due(&mut self) -> Option<Due<A>> {
        self.caught_up.take_if(|caught_up| caught_up.is_woken.load(Ordering::Acquire));
        if self.answer.is_none() && self.wakes_at.is_none() {
            return None;
        }
        // After a failure nothing is due any more: neither confirms nor answers.
        let durable = self.durable()?;
        let is_reached = self.wakes_at.take_if(|position| durable.includes(*position)).is_some();
        let unconfirmed = if is_reached { std::mem::take(&mut self.unconfirmed) } else { Vec::new() };
        let answer = self.answer.take_if(|(position, _)| durable.includes(*position)).map(|(_, answer)| answer);
        Some(Due { unconfirmed, answer })
    }
}

#[cfg(test)]
mod tests;
