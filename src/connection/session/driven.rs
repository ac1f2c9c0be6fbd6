//! What the driver asks of a session: the bytes, what there is to write, and what is due when time passes (heartbeats, and giving up on
//! a client that is gone or does not read).

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Addresses, Phase, Session};
use crate::broker::registry::ConnectionCounters;
use crate::broker::sink::Notice;
use crate::connection::lines::{self, Why};
use crate::connection::outbox::Outbox;
use crate::connection::output::Output;
use crate::connection::protocol::Protocol;
use crate::error::{AmqpError, MethodId};
use crate::impossible::impossible;
use crate::protocol::fast;
use crate::protocol::heartbeat::{Beat, Heartbeat};
use crate::tls::Security;

/// How long output waits for a client that takes none of it.
const STALL_TIMEOUT_MS: u64 = 30_000;
/// How long the log may take with what a client sent before it went away.
const HANG_UP_TIMEOUT_MS: u64 = 30_000;

impl Protocol for Session {
    fn introduced(&mut self, Addresses { peer, local }: Addresses) {
        (self.peer, self.local) = (peer, local);
    }

    fn secured(&mut self, security: Security) {
        self.security = Some(Box::new(security));
    }

    fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn counters(&self) -> &ConnectionCounters {
        &self.counters
    }

    fn output(&mut self) -> Option<&mut Output> {
        match &mut self.phase {
            Phase::Greeting { output, .. }
            | Phase::Handshake { output, .. }
            | Phase::Closing { output, .. }
            | Phase::Drained { output, .. }
            | Phase::Closed { output } => Some(output),
            Phase::Open(open) => Some(open.output()),
            Phase::Silent { .. } => None,
        }
    }

    fn wants_read(&self) -> bool {
        match &self.phase {
            Phase::Open(open) => open.wants_read(),
            Phase::Handshake { asked, .. } => asked.is_none(),
            Phase::Greeting { .. } | Phase::Silent { .. } | Phase::Closing { .. } | Phase::Drained { .. } => true,
            Phase::Closed { .. } => false,
        }
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.phase {
            Phase::Open(open) if open.asks() => open.poll_backend(context),
            Phase::Handshake { asked: Some(asked), .. } => Self::poll_asked(asked, context),
            Phase::Open(_)
            | Phase::Greeting { .. }
            | Phase::Handshake { .. }
            | Phase::Silent { .. }
            | Phase::Closing { .. }
            | Phase::Drained { .. }
            | Phase::Closed { .. } => Poll::Pending,
        }
    }

    fn answered(&mut self, now_ms: u64) {
        match &mut self.phase {
            Phase::Open(open) => {
                if let Err(error) = open.go_on(now_ms) {
                    self.close(&error, now_ms);
                }
            }
            Phase::Handshake { asked, .. } => {
                if let Some(asked) = asked.take() {
                    self.take_answer(*asked, now_ms);
                }
            }
            Phase::Greeting { .. }
            | Phase::Silent { .. }
            | Phase::Closing { .. }
            | Phase::Drained { .. }
            | Phase::Closed { .. } => {}
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    fn is_turn_over(&self) -> bool {
        matches!(&self.phase, Phase::Open(open) if open.is_turn_over())
    }

    fn begin_turn(&mut self) {
        if let Phase::Open(open) = &mut self.phase {
            open.begin_turn();
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed { .. })
    }

    fn is_refused(&self) -> bool {
        self.is_refused
    }

    fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    fn receive(&mut self, bytes: &[u8], now_ms: u64) -> usize {
        // Any bytes are a sign of life, not heartbeats alone.
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.received();
        }
        let mut used = 0;
        loop {
            let count = self.receive_some(bytes.get(used..).unwrap_or_default(), now_ms);
            used += count;
            // An open connection takes all it can at once; before and after, every frame can change the phase.
            if count == 0 || used == bytes.len() {
                return used;
            }
        }
    }

    fn deliver(&mut self, now_ms: u64) {
        match &mut self.phase {
            Phase::Open(open) => {
                if let Err(error) = open.deliver(now_ms) {
                    self.close(&error, now_ms);
                }
            }
            // Somebody may want the connection closed before it is open.
            Phase::Greeting { .. } | Phase::Handshake { .. } | Phase::Silent { .. } => {
                let (mut deliveries, mut notices) = (Vec::new(), Vec::new());
                self.outbox.take(&mut deliveries, &mut notices);
                if notices.iter().any(|notice| matches!(notice, Notice::Close(_))) {
                    // Without a word: there is none before the login.
                    self.phase = Phase::Closed { output: self.leave(now_ms) };
                }
            }
            Phase::Closing { .. } | Phase::Drained { .. } | Phase::Closed { .. } => {}
        }
    }

    fn is_stalled(&self, now_ms: u64) -> bool {
        self.stalled_at_ms.is_some_and(|at_ms| at_ms <= now_ms)
    }

    fn written(&mut self, sent_bytes: u64, now_ms: u64) {
        let has_sent = sent_bytes > 0;
        if has_sent && let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent(now_ms);
        }
        if self.output().is_none_or(|output| output.is_empty()) {
            self.stalled_at_ms = None;
        // Each byte that the client takes begins the time anew.
        } else if has_sent || self.stalled_at_ms.is_none() {
            self.stalled_at_ms = Some(now_ms + STALL_TIMEOUT_MS);
        }
        if let Phase::Open(open) = &mut self.phase {
            open.written(sent_bytes, self.has_patience, now_ms);
        }
    }

    fn noticed_input(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.received();
        }
    }

    /// What an alarm keeps from being read may hold the memory that the alarm is about, so it is given up. The log will get on with
    /// what it has: that is waited for.
    fn hung_up(&mut self, now_ms: u64) {
        if matches!(&self.phase, Phase::Open(open) if open.is_blocked()) {
            self.abandon(Why::LeftUnread, now_ms);
        } else {
            self.left_at_ms = Some(now_ms + HANG_UP_TIMEOUT_MS);
        }
    }

    fn next_deadline_ms(&self) -> Option<u64> {
        let waits = if let Phase::Open(open) = &self.phase { open.waits_until_ms() } else { None };
        let (expires, phase) = (self.expires_at_ms(), self.phase_deadline_ms());
        [phase, self.stalled_at_ms, self.left_at_ms, waits, expires].into_iter().flatten().min()
    }

    fn on_timer(&mut self, now_ms: u64) {
        // In the order of how certain it is that nobody is there.
        if self.is_stalled(now_ms) {
            return self.abandon(Why::DoesNotRead, now_ms);
        }
        // If it is read again, the end of the stream will be found by reading.
        if self.left_at_ms.take_if(|at_ms| *at_ms <= now_ms).is_some() && !self.wants_read() {
            return self.abandon(Why::LeftUnread, now_ms);
        }
        if let Phase::Open(open) = &mut self.phase {
            open.stop_waiting(now_ms);
        }
        if self.expires_at_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            return self.expire(now_ms);
        }
        if self.phase_deadline_ms().is_none_or(|at_ms| at_ms > now_ms) {
            return;
        }
        let Phase::Open(open) = &mut self.phase else {
            self.abandon(Why::TooSlow, now_ms);
            return;
        };
        let Some(heartbeat) = &mut self.heartbeat else {
            return impossible!("an open connection without heartbeats has a deadline");
        };
        match heartbeat.poll(now_ms) {
            Beat::Nothing => {}
            Beat::Send => fast::heartbeat(open.output().buffer()),
            Beat::PeerDead => {
                let interval_ms = heartbeat.interval_ms();
                self.abandon(Why::Silent { interval_ms }, now_ms);
            }
        }
    }

    fn end(&mut self, failure: Option<&io::Error>, now_ms: u64) {
        self.log_end(failure, now_ms);
        drop(self.leave(now_ms));
        (self.stalled_at_ms, self.left_at_ms) = (None, None);
        self.hosting.broker.node().check_memory();
    }
}

impl Session {
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

    /// When the user's secret ends.
    fn expires_at_ms(&self) -> Option<u64> {
        if let Phase::Open(open) = &self.phase { open.expires_at_ms() } else { None }
    }

    /// The user's secret has ended, and was not renewed.
    fn expire(&mut self, now_ms: u64) {
        if let Phase::Open(open) = &self.phase {
            let user = open.user();
            tracing::warn!(target: "connection", peer = %self.peer, user, "closing connection: credential has expired");
        }
        let error = AmqpError::connection_forced("credential expired").with_method(MethodId::NONE);
        self.close(&error, now_ms);
    }

    /// Gives up without a word.
    fn abandon(&mut self, why: Why, now_ms: u64) {
        self.is_abandoned = true;
        self.why.get_or_insert(why);
        self.end(None, now_ms);
    }

    /// Once. Who has said nothing, as one that looks whether the port is open, leaves no line.
    fn log_end(&mut self, failure: Option<&io::Error>, now_ms: u64) {
        let why = self.why.take().unwrap_or_else(|| match failure {
            Some(error) => Why::Lost(error.to_string()),
            None => Why::Vanished,
        });
        if let Some(info) = self.info.take() {
            lines::closed(self.peer, &info.spec, &why, now_ms);
        } else if matches!(self.phase, Phase::Handshake { .. }) {
            lines::not_opened(self.peer, &why);
        }
    }
}
