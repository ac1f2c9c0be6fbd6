//! What a session asks of an open connection.

use crate::connection::output::Output;

use super::Open;
use super::asking::Stops;

impl Open {
    /// What is to be written.
    pub(in crate::connection) const fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// The largest frame that was agreed on.
    pub(in crate::connection) const fn frame_max(&self) -> u32 {
        self.tuning.frame_max
    }

    /// Who logged in.
    pub(in crate::connection) fn user(&self) -> &str {
        &self.user.name
    }

    /// Whether it is to be read: what is read would be looked at, and no consumer is behind.
    pub(in crate::connection) fn wants_read(&self) -> bool {
        self.takes_input() && !self.pace.is_waiting()
    }

    /// Whether an alarm keeps it from being read.
    pub(in crate::connection) const fn is_blocked(&self) -> bool {
        self.stops.has(Stops::ALARM)
    }

    /// Whether it is the turn of others.
    pub(in crate::connection) const fn is_turn_over(&self) -> bool {
        self.effort.is_turn_over()
    }

    /// Others have had their turn.
    pub(in crate::connection) const fn begin_turn(&mut self) {
        self.effort.begin_turn();
    }

    /// When the user's secret ends.
    pub(in crate::connection) fn expires_at_ms(&self) -> Option<u64> {
        self.rights.expires_at_ms()
    }

    /// When it waits no more: a publisher for consumers that are behind, or those who publish for a pause of this client.
    pub(in crate::connection) fn waits_until_ms(&self) -> Option<u64> {
        let patience_ms = self.patience.until_ms().filter(|_| self.outbox.is_watched());
        self.pace.deadline_ms().into_iter().chain(patience_ms).min()
    }

    /// Waits no more for consumers that are behind, if it is time.
    pub(in crate::connection) fn stop_waiting(&mut self, now_ms: u64) {
        if let Some(waits) = self.pace.give_up(now_ms) {
            self.publisher.wait_with(waits);
        }
    }

    /// The client took so many bytes. `has_patience` says whether publishers may wait for a pause of it at all.
    pub(in crate::connection) fn written(&mut self, sent_bytes: u64, has_patience: bool, now_ms: u64) {
        self.patience.note(sent_bytes, !self.outbox.has_work(), now_ms);
        // Before queues are told: whoever asks them sees whether a pause is waited for.
        self.outbox.set_patient(has_patience && self.patience.is_left());
        self.tell_queues_of_pace();
    }
}
