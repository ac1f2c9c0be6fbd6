//! What a connection does when time passes: heartbeats, and giving up on a client that is gone or does not read.

use super::{Phase, Session};
use crate::connection::output::Output;
use crate::impossible::impossible;
use crate::protocol::fast;
use crate::protocol::heartbeat::{Beat, Heartbeat};

/// How long output waits for a client that takes none of it.
const STALL_TIMEOUT_MS: u64 = 30_000;
/// How long the log may take with what a client sent before it went away.
const HANG_UP_TIMEOUT_MS: u64 = 30_000;

impl Session {
    /// Whether the client has taken nothing of the output for too long.
    pub fn is_stalled(&self, now_ms: u64) -> bool {
        self.stalled_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Notes that writing was tried, and whether the client took anything.
    pub fn written(&mut self, has_sent: bool, now_ms: u64) {
        if has_sent && let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent(now_ms);
        }
        if self.output().is_none_or(|output| output.is_empty()) {
            self.stalled_at_ms = None;
        } else if has_sent || self.stalled_at_ms.is_none() {
            self.stalled_at_ms = Some(now_ms + STALL_TIMEOUT_MS);
        }
    }

    /// Notes that the client sent something, though it was not read.
    pub fn heard(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.received();
        }
    }

    /// Notes that the client closed its side of the socket while nothing is read. What an alarm keeps from being read may hold the
    /// memory that the alarm is about, so it is given up. The log will get on with what it has: that is waited for.
    pub fn hung_up(&mut self, now_ms: u64) {
        if matches!(&self.phase, Phase::Open(open) if open.is_blocked()) {
            tracing::info!(peer = %self.peer, "client went away while it was blocked: closing connection");
            self.abandon(now_ms);
        } else {
            self.left_at_ms = Some(now_ms + HANG_UP_TIMEOUT_MS);
        }
    }

    /// When to call [`Session::on_timer`] next.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        [self.phase_deadline_ms(), self.stalled_at_ms, self.left_at_ms].into_iter().flatten().min()
    }

    fn phase_deadline_ms(&self) -> Option<u64> {
        match &self.phase {
            Phase::Greeting { deadline_ms, .. } | Phase::Handshake { deadline_ms, .. } => Some(*deadline_ms),
            Phase::Silent { close_at_ms } | Phase::Closing { close_at_ms, .. } | Phase::Drained { close_at_ms, .. } => {
                Some(*close_at_ms)
            }
            Phase::Open(_) => self.heartbeat.as_ref().map(Heartbeat::next_ms),
            Phase::Closed { .. } => None,
        }
    }

    /// Does what is due.
    pub fn on_timer(&mut self, now_ms: u64) {
        if self.is_stalled(now_ms) {
            tracing::warn!(peer = %self.peer, "client does not read what it is sent: closing connection");
            return self.abandon(now_ms);
        }
        if self.left_at_ms.take_if(|at_ms| *at_ms <= now_ms).is_some() && !self.wants_read() {
            tracing::warn!(peer = %self.peer, "client went away, and the log is not getting on: closing connection");
            return self.abandon(now_ms);
        }
        if self.phase_deadline_ms().is_none_or(|at_ms| at_ms > now_ms) {
            return;
        }
        let Phase::Open(open) = &mut self.phase else {
            self.abandon(now_ms);
            return;
        };
        let Some(heartbeat) = &mut self.heartbeat else {
            return impossible!("an open connection without heartbeats has a deadline");
        };
        match heartbeat.poll(now_ms) {
            Beat::Nothing => {}
            Beat::Send => fast::heartbeat(open.output.buffer()),
            Beat::PeerDead => {
                tracing::warn!(peer = %self.peer, "missed heartbeats from client: closing connection");
                self.abandon(now_ms);
            }
        }
    }

    /// Gives up without a word.
    fn abandon(&mut self, now_ms: u64) {
        self.is_abandoned = true;
        self.end(now_ms);
    }

    /// The socket is gone: takes everything off the broker.
    pub fn end(&mut self, now_ms: u64) {
        drop(self.leave(now_ms));
        self.phase = Phase::Closed { output: Output::default() };
        (self.stalled_at_ms, self.left_at_ms) = (None, None);
        self.hosting.broker.node().check_memory();
    }
}
