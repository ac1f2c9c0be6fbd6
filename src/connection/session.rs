//! A connection's life, without its socket: bytes in, bytes out, and when to close.
//!
//! ```text
//!   Greeting --header--> Handshake --connection.open--> Open
//!       |                    |  \                         |  \
//!       | other protocol     |   \ error                  |   \ client's connection.close
//!       v                    v    \                       v    v
//!     Closed  <--3 s---  Silent    +----error-------> Closing  Drained --> Closed
//!                                                       \--close-ok, 30 s--> Closed
//! ```

mod driven;
mod login;
mod opening;

use std::net::SocketAddr;
use std::sync::Arc;

use login::AskedOfLogin;

use super::lines::{self, Why};
use super::open::{Open, Received, before_open};
use super::outbox::Outbox;
use super::output::Output;
use super::protocol::Protocol;
use crate::auth::{LoggedIn, Logins, User};
use crate::broker::Broker;
use crate::broker::ids::ConnectionId;
use crate::broker::registry::{ConnectionCounters, ConnectionInfo};
use crate::error::{AmqpError, MethodId};
use crate::protocol::command::{Command, ConnectionMethod, Reply};
use crate::protocol::frame::{self, FRAME_MAX_BEFORE_TUNE, FrameKind};
use crate::protocol::handshake::{Client, Handshake, Identity, Offer};
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::method;
use crate::tls::{LoginFrom, Security};

/// How long a client may take to open its connection.
const HANDSHAKE_TIMEOUT_MS: u64 = 10_000;
/// How long a client that does something wrong before it has logged in waits for nothing: it slows down guessing.
const SILENCE_MS: u64 = 3_000;
/// How long we wait for an answer to our `connection.close`, or for the client to close its socket.
const CLOSE_TIMEOUT_MAX_MS: u64 = 30_000;

/// What connections need of the server that they belong to.
#[derive(Debug)]
pub struct Hosting {
    /// The virtual hosts.
    pub broker: Arc<Broker>,
    /// What holds for all logins.
    pub logins: Logins,
    /// What we say we are.
    pub identity: Identity,
    /// What we offer.
    pub offer: Offer,
    /// Logins with certificates; `None` when they are not enabled.
    pub external: Option<External>,
}

/// How clients log in that show a certificate.
#[derive(Debug)]
pub struct External {
    /// What of it names the user.
    pub(crate) login_from: LoginFrom,
    /// What is offered over TLS.
    pub(crate) offer: Offer,
}

/// The two ends of a connection's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The client's.
    pub peer: SocketAddr,
    /// The broker's.
    pub local: SocketAddr,
}

/// A connection without its socket.
#[derive(Debug)]
pub struct Session {
    hosting: Arc<Hosting>,
    id: ConnectionId,
    peer: SocketAddr,
    local: SocketAddr,
    /// `None` without TLS.
    security: Option<Box<Security>>,
    outbox: Arc<Outbox>,
    counters: Arc<ConnectionCounters>,
    phase: Phase,
    heartbeat: Option<Heartbeat>,
    /// When the output will have made no progress for too long; set while there is any.
    stalled_at_ms: Option<u64>,
    /// When to give up on what was sent by a client that went away.
    left_at_ms: Option<u64>,
    is_abandoned: bool,
    /// The client does not speak AMQP 0-9-1.
    is_refused: bool,
    /// What the log says at its end; of a connection that was opened.
    info: Option<Arc<ConnectionInfo>>,
    /// Why it ends, once that is known.
    why: Option<Why>,
    /// Publishers wait while the client pauses (`patience`).
    has_patience: bool,
}

#[derive(Debug)]
enum Phase {
    /// Nothing came yet; gives up at the time.
    Greeting { output: Output, deadline_ms: u64 },
    /// The connection is being opened.
    Handshake {
        state: Handshake,
        user: Option<LoggedIn>,
        output: Output,
        deadline_ms: u64,
        /// A backend is being asked: nothing is read meanwhile.
        asked: Option<Box<AskedOfLogin>>,
    },
    /// Says nothing more, and closes at the time.
    Silent { close_at_ms: u64 },
    /// Channels can be opened.
    Open(Box<Open>),
    /// We sent `connection.close` and wait for the answer.
    Closing { output: Output, close_at_ms: u64, frame_max: u32 },
    /// The client sent `connection.close` and was answered; it is to close its socket.
    Drained { output: Output, close_at_ms: u64, frame_max: u32 },
    /// What is left of the output is to be written, then the socket closed.
    Closed { output: Output },
}

impl Session {
    /// A connection that was just accepted.
    pub fn new(hosting: Arc<Hosting>, addresses: Addresses, now_ms: u64) -> Self {
        let id = ConnectionId(hosting.broker.node().ids.fresh());
        let deadline_ms = now_ms + HANDSHAKE_TIMEOUT_MS;
        let phase = Phase::Greeting { output: Output::default(), deadline_ms };
        let Addresses { peer, local } = addresses;
        let outbox = Arc::new(Outbox::new(Arc::clone(hosting.broker.node().replies.budget())));
        Self {
            hosting,
            id,
            peer,
            local,
            security: None,
            outbox,
            counters: Arc::default(),
            phase,
            heartbeat: None,
            stalled_at_ms: None,
            left_at_ms: None,
            is_abandoned: false,
            is_refused: false,
            info: None,
            why: None,
            has_patience: true,
        }
    }

    /// The same, whose publishers never wait for a pause of a client: where time stands still, it would not be over.
    pub(super) fn without_patience(mut self) -> Self {
        self.has_patience = false;
        self
    }

    fn receive_some(&mut self, bytes: &[u8], now_ms: u64) -> usize {
        match &mut self.phase {
            Phase::Greeting { .. } => self.greet(bytes),
            Phase::Handshake { .. } => self.shake_hands(bytes, now_ms),
            Phase::Open(open) => match open.receive(bytes, now_ms) {
                Ok(Received::Consumed(count)) => count,
                Ok(Received::ClosedByClient) => {
                    self.close_for_client(now_ms);
                    bytes.len()
                }
                Err(error) => {
                    self.close(&error, now_ms);
                    bytes.len()
                }
            },
            Phase::Closing { frame_max, .. } | Phase::Drained { frame_max, .. } => {
                let frame_max = *frame_max;
                self.receive_closing(bytes, frame_max)
            }
            Phase::Silent { .. } | Phase::Closed { .. } => bytes.len(),
        }
    }

    /// Closes by our own will, and waits for the answer.
    fn close(&mut self, error: &AmqpError, now_ms: u64) {
        match &self.phase {
            Phase::Open(open) => open.note_failure(None, error, now_ms),
            Phase::Handshake { user, .. } => {
                self.note_refusal(user.as_ref().map(|logged_in| &logged_in.user), None, error, now_ms);
            }
            Phase::Greeting { .. }
            | Phase::Silent { .. }
            | Phase::Closing { .. }
            | Phase::Drained { .. }
            | Phase::Closed { .. } => self.note_refusal(None, None, error, now_ms),
        }
        self.close_noted(error, now_ms);
    }

    /// Has an error remembered that ends the connection before it is open.
    fn note_refusal(&self, user: Option<&Arc<User>>, client: Option<&Client>, error: &AmqpError, now_ms: u64) {
        let addresses = Addresses { peer: self.peer, local: self.local };
        let source = before_open(addresses, user, client);
        self.hosting.broker.node().recent_errors.note(source, error.clone(), now_ms);
    }

    /// As [`Session::close`], of an error that is remembered already.
    fn close_noted(&mut self, error: &AmqpError, now_ms: u64) {
        let user = if let Phase::Handshake { user: Some(logged_in), .. } = &self.phase {
            Some(Arc::clone(&logged_in.user.name))
        } else {
            None
        };
        lines::refused(self.peer, self.info.as_deref().map(|info| &info.spec), user.as_deref(), error);
        self.why.get_or_insert_with(|| Why::ClosedByBroker(error.to_string()));
        // Known before the phase is left: what the client still sends is cut by it.
        let frame_max = self.frame_max();
        // Everything is off the broker before the client hears of the end.
        let mut output = self.leave(now_ms);
        let close = Reply::ConnectionClose {
            reply_code: error.code.code(),
            reply_text: error.reply_text(),
            method: error.method.unwrap_or(MethodId::NONE),
        };
        method::encode(&close, 0, output.buffer());
        self.phase = Phase::Closing { output, close_at_ms: self.close_at_ms(now_ms), frame_max };
    }

    /// Exclusive queues are gone before `connection.close-ok` is sent. The client closes its socket first.
    fn close_for_client(&mut self, now_ms: u64) {
        self.why.get_or_insert(Why::ClosedByClient);
        let frame_max = self.frame_max();
        // Before the answer: a client that reads it finds its exclusive queues gone and its messages back.
        let mut output = self.leave(now_ms);
        method::encode(&Reply::ConnectionCloseOk, 0, output.buffer());
        self.phase = Phase::Drained { output, close_at_ms: self.close_at_ms(now_ms), frame_max };
    }

    /// Takes everything off the broker, and keeps what is to be written.
    fn leave(&mut self, now_ms: u64) -> Output {
        match std::mem::replace(&mut self.phase, Phase::Closed { output: Output::default() }) {
            Phase::Open(open) => open.end(now_ms),
            Phase::Greeting { output, .. }
            | Phase::Handshake { output, .. }
            | Phase::Closing { output, .. }
            | Phase::Drained { output, .. }
            | Phase::Closed { output } => output,
            Phase::Silent { .. } => Output::default(),
        }
    }

    fn frame_max(&self) -> u32 {
        match &self.phase {
            Phase::Open(open) => open.frame_max(),
            Phase::Handshake { state, .. } => state.frame_max(),
            Phase::Closing { frame_max, .. } | Phase::Drained { frame_max, .. } => *frame_max,
            Phase::Greeting { .. } | Phase::Silent { .. } | Phase::Closed { .. } => FRAME_MAX_BEFORE_TUNE,
        }
    }

    /// The heartbeat's time, if there is one that is shorter than the usual patience.
    fn close_at_ms(&self, now_ms: u64) -> u64 {
        let heartbeat_ms = self.heartbeat.as_ref().map_or(CLOSE_TIMEOUT_MAX_MS, Heartbeat::interval_ms);
        now_ms + heartbeat_ms.min(CLOSE_TIMEOUT_MAX_MS)
    }

    /// Everything but the end of the conversation is ignored (behaviour reference 1.9).
    fn receive_closing(&mut self, bytes: &[u8], frame_max: u32) -> usize {
        let (frame, used) = match frame::next_frame_or_nonsense(bytes, frame_max) {
            Ok(Some((Some(frame), used))) => (frame, used),
            // The end may be behind it.
            Ok(Some((None, used))) => return used,
            Ok(None) => return 0,
            // Garbage behind what we closed for: there is nothing more to say.
            Err(_) => return bytes.len(),
        };
        if frame.channel != 0 || frame.kind != FrameKind::Method {
            return used;
        }
        match method::decode(frame.payload) {
            Ok(Command::Connection(ConnectionMethod::Close { .. })) => {
                if let Some(output) = self.output() {
                    method::encode(&Reply::ConnectionCloseOk, 0, output.buffer());
                }
            }
            Ok(Command::Connection(ConnectionMethod::CloseOk)) if matches!(self.phase, Phase::Closing { .. }) => {
                let output = self.output().map(std::mem::take).unwrap_or_default();
                self.phase = Phase::Closed { output };
            }
            // It was on its way when the connection was closed.
            _ => {}
        }
        used
    }
}
