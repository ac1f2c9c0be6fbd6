//! Gives a [`Protocol`] its socket: reads in batches, writes what collects, keeps its timers.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{Interest, Ready};

use super::admission::Admitted;
use super::protocol::Protocol;
use super::socket::{HandshakeFailed, Prepared, Socket};
use super::unused_input::UnusedInput;
use crate::broker::node::Node;
use crate::clock::{Clock, Deadline};
use crate::tls;

/// Bytes read at a time. The buffer belongs to the worker thread, so that an idle connection owns none.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Writes in a row, before the socket is read again: a fast reader with a long queue must not keep its own acknowledgements, or
/// other connections, waiting.
const WRITES_PER_TURN: usize = 16;

/// Turns in a row without reading, before the runtime is made to look what else is ready: it does not while there is always something
/// to deliver, and does not learn then that acknowledgements have come.
const TURNS_WITHOUT_READ_MAX: usize = 4;

/// A client that was refused has so long to say what it still says, and may say so much.
const HEARD_OUT_MS: u64 = 3_000;
const HEARD_OUT_BYTES_MAX: usize = 1024 * 1024;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection with its socket.
#[derive(Debug)]
pub(crate) struct Driver<P> {
    protocol: P,
    socket: Socket,
    admitted: Admitted,
    clock: Clock,
    /// One for the life of the connection: what the protocol waits for moves with every message.
    deadline: Deadline,
    /// What was read and not used up.
    unused: UnusedInput,
    /// There is more than `unused` to be looked at, without reading: the protocol stopped in the middle.
    is_interrupted: bool,
    /// The client has closed its side while nothing was read.
    has_hung_up: bool,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody has anything to say any more, or nobody is there to hear it.
    Over,
    /// The client was told why it is not served, and may still be sending.
    Refused,
}

impl Ending {
    /// Who does something wrong in TLS is told so by an alert.
    const fn of_handshake(error: &HandshakeFailed) -> Self {
        match error {
            HandshakeFailed::Foreign(_) | HandshakeFailed::Refused(_) => Self::Refused,
            HandshakeFailed::Silent
            | HandshakeFailed::NoProxyHeader(_)
            | HandshakeFailed::Gone(_)
            | HandshakeFailed::Io(_) => Self::Over,
        }
    }

    /// The same, after the handshake.
    fn of_failure(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::InvalidData { Self::Refused } else { Self::Over }
    }
}

/// Why a wait ended.
enum Woken {
    Ready(io::Result<Ready>),
    Answered,
    Filled,
    Timer,
}

impl<P: Protocol> Driver<P> {
    /// A connection that was just accepted.
    pub(crate) fn new(protocol: P, socket: Socket, admitted: Admitted, node: Arc<Node>, clock: Clock) -> Self {
        Self {
            protocol,
            socket,
            admitted,
            clock,
            deadline: Deadline::default(),
            unused: UnusedInput::nothing(node),
            is_interrupted: false,
            has_hung_up: false,
        }
    }

    /// Runs the connection until it is over; then nothing of it is left on the broker.
    pub(crate) async fn run(mut self) {
        // Whatever the socket's failure is, the connection is over, and clients need not be told.
        let mut failure = None;
        let ending = match self.prepare().await {
            Err(ending) => ending,
            Ok(()) => match self.serve().await {
                Ok(ending) => {
                    self.socket.say_goodbye();
                    ending
                }
                Err(error) => {
                    let ending = Ending::of_failure(&error);
                    failure = Some(error);
                    ending
                }
            },
        };
        // Before the end, while the socket is still there to be told.
        if self.protocol.is_abandoned()
            && let Err(error) = self.socket.reset_when_closed()
        {
            tracing::debug!(%error, "cannot reset the connection");
        }
        self.protocol.end(failure.as_ref(), self.clock.now_ms());
        if ending == Ending::Refused {
            // Of no weight in a task that does not come here.
            Box::pin(self.hear_out()).await;
        }
    }

    /// Waits until a client that was refused has closed its side: a socket that is closed with something unread is reset, and a
    /// reset takes away what the client was told. Only for a while, and not if others need the place.
    async fn hear_out(&mut self) {
        let given_up = self.clock.sleep_until(self.clock.now_ms() + HEARD_OUT_MS);
        let outbox = Arc::clone(self.protocol.outbox());
        tokio::select! {
            () = self.socket.hear_out(HEARD_OUT_BYTES_MAX) => {}
            () = outbox.filled() => {}
            () = given_up => {}
        }
    }

    /// What comes before the protocol. Its time is that of the protocol's own beginning; how it ended when nothing came of it.
    async fn prepare(&mut self) -> Result<(), Ending> {
        if self.socket.is_prepared() {
            return Ok(());
        }
        loop {
            // Somebody may want the connection closed during a handshake of TLS already: it has a place
            // that another one needs.
            self.protocol.deliver(self.clock.now_ms());
            if self.protocol.is_closed() {
                return Err(Ending::Over);
            }
            self.deadline.set(&self.clock, self.protocol.next_deadline_ms());
            let outbox = Arc::clone(self.protocol.outbox());
            tokio::select! {
                prepared = self.socket.prepare() => match prepared {
                    Ok(Prepared::Introduced(addresses)) => self.protocol.introduced(addresses),
                    Ok(Prepared::Wholly(security)) => {
                        security.into_iter().for_each(|security| self.protocol.secured(security));
                        return Ok(());
                    }
                    Err(error) => {
                        log_failure(self.socket.peer(), &error);
                        return Err(Ending::of_handshake(&error));
                    }
                },
                () = outbox.filled() => {}
                () = self.deadline.reached() => self.protocol.on_timer(self.clock.now_ms()),
            }
        }
    }

    async fn serve(&mut self) -> io::Result<Ending> {
        let mut turns_without_read = 0;
        loop {
            if let Some(ending) = self.advance()? {
                return Ok(ending);
            }
            if self.protocol.is_turn_over() {
                turns_without_read = 0;
                self.let_others_go_first().await;
            }
            // Without a look at the socket: what is to be looked at is here already.
            if self.is_interrupted && self.protocol.wants_read() {
                continue;
            }
            turns_without_read += 1;
            // A task that always has something to do would never come back to the runtime, and so never hear
            // that its socket can be read.
            if turns_without_read >= TURNS_WITHOUT_READ_MAX {
                turns_without_read = 0;
                tokio::task::yield_now().await;
            }
            match self.wait().await {
                Woken::Ready(ready) => {
                    let ready = ready?;
                    // The bytes stay in the socket, so that TCP makes the client wait. Only that
                    // it has gone is noticed.
                    if !self.protocol.wants_read() {
                        self.notice_hang_up(ready)?;
                    } else if ready.is_readable() {
                        turns_without_read = 0;
                        if !self.read()? {
                            return Ok(Ending::Over);
                        }
                    }
                }
                Woken::Filled => {}
                Woken::Answered => self.protocol.answered(self.clock.now_ms()),
                Woken::Timer => self.on_timer()?,
            }
        }
    }

    /// Delivers, goes on with what was read and not used, and writes. The ending, if there is nothing more to do.
    fn advance(&mut self) -> io::Result<Option<Ending>> {
        let now_ms = self.clock.now_ms();
        // Deliveries, confirms and urgent notices first: they must go out also while nothing is read.
        self.protocol.deliver(now_ms);
        // Behind them, because they may be what the reading waited for.
        self.resume_reading(now_ms);
        if self.protocol.is_open() {
            self.admitted.logged_in();
        }
        // Last, so that one write has the answers to what was just read, too.
        self.write(now_ms)?;
        let is_over = self.protocol.is_closed() && self.protocol.output().is_none_or(|output| output.is_empty());
        Ok(is_over.then(|| if self.protocol.is_refused() { Ending::Refused } else { Ending::Over }))
    }

    fn notice_hang_up(&mut self, ready: Ready) -> io::Result<()> {
        if ready.is_error() {
            return Err(self.socket.take_error()?.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()));
        }
        if ready.is_read_closed() && !self.has_hung_up {
            self.has_hung_up = true;
            self.protocol.hung_up(self.clock.now_ms());
        }
        Ok(())
    }

    fn on_timer(&mut self) -> io::Result<()> {
        let now_ms = self.clock.now_ms();
        // A client that is not read sends heartbeats all the same. They are noticed by the number of bytes
        // that lie in the socket.
        if !self.protocol.wants_read() && self.socket.has_more_unread() {
            self.protocol.noticed_input();
        }
        // One last try before the client is given up: the runtime may not have heard of a little room.
        if self.protocol.is_stalled(now_ms)
            && let Some(output) = self.protocol.output()
        {
            let count = self.socket.write_regardless(output)?;
            output.advance(count);
            self.protocol.written(count as u64, now_ms);
            self.protocol.counters().sent_bytes.add(count as u64);
        }
        self.protocol.on_timer(now_ms);
        Ok(())
    }

    /// The runtime looks at all sockets before it comes back to this one, which then is read, too, however much there is to deliver.
    async fn let_others_go_first(&mut self) {
        tokio::task::yield_now().await;
        self.protocol.deliver(self.clock.now_ms());
        self.protocol.begin_turn();
    }

    async fn wait(&mut self) -> Woken {
        let interest = self.interest();
        self.deadline.set(&self.clock, self.protocol.next_deadline_ms());
        let outbox = Arc::clone(self.protocol.outbox());
        tokio::select! {
            // All of these are cancel safe: what is not ready is asked for again in the next turn.
            ready = self.socket.ready(interest) => Woken::Ready(ready),
            () = outbox.filled() => Woken::Filled,
            () = self.deadline.reached() => Woken::Timer,
            () = poll_fn(|context| self.protocol.poll_answer(context)) => Woken::Answered,
        }
    }

    fn interest(&mut self) -> Option<Interest> {
        let wants_write = self.protocol.output().is_some_and(|output| !output.is_empty());
        match (self.protocol.wants_read(), wants_write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            // It is known. Asked for again, it would be ready at once each time.
            (false, true) if self.has_hung_up => Some(Interest::WRITABLE),
            (false, true) => Some(Interest::WRITABLE | self.socket.hang_up_interest()),
            (false, false) if self.has_hung_up => Some(Interest::ERROR),
            (false, false) => Some(self.socket.hang_up_interest()),
        }
    }

    /// Reads once and hands it on. False at the end of the stream.
    fn read(&mut self) -> io::Result<bool> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            // What was kept may be longer than a read: half of the buffer is always free.
            buffer.resize(READ_BUFFER_BYTES.max(self.unused.bytes().len() * 2), 0);
            let start = self.unused.bytes().len();
            let (kept, free) = buffer.split_at_mut(start);
            // In front of what is read, so that the protocol sees one piece.
            kept.copy_from_slice(self.unused.bytes());
            let count = match self.socket.try_read(free) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            // It is noticed again when nothing is read the next time.
            self.has_hung_up = false;
            let counters = self.protocol.counters();
            counters.received_bytes.add(count as u64);
            counters.reads.add(1);
            let filled = buffer.get(..start + count).unwrap_or_default();
            let used = self.protocol.receive(filled, self.clock.now_ms());
            self.keep(filled.get(used..).unwrap_or_default());
            Ok(true)
        })
    }

    /// Goes on where the protocol stopped although there was more.
    fn resume_reading(&mut self, now_ms: u64) {
        if !self.is_interrupted || !self.protocol.wants_read() {
            return;
        }
        let used = self.protocol.receive(self.unused.bytes(), now_ms);
        self.unused.forget_first(used);
        self.note_interruption();
    }

    fn keep(&mut self, unused: &[u8]) {
        self.unused.set(unused);
        self.note_interruption();
    }

    fn note_interruption(&mut self) {
        self.is_interrupted = !self.unused.bytes().is_empty() && !self.protocol.wants_read();
    }

    fn write(&mut self, now_ms: u64) -> io::Result<()> {
        let (mut sent_bytes, mut writes, mut is_refused) = (0, 0, false);
        // Until the socket takes no more, or it is the turn of others.
        for _ in 0..WRITES_PER_TURN {
            let Some(output) = self.protocol.output().filter(|output| !output.is_empty()) else { break };
            match self.socket.try_write(output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    output.advance(count);
                    sent_bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // It takes nothing more: from here on the client is what everybody waits for.
                    is_refused = true;
                    break;
                }
                Err(error) => return Err(error),
            }
            writes += 1;
            if self.protocol.is_turn_over() {
                break;
            }
            // There is room again: what waits for it comes along with the next write.
            self.protocol.deliver(now_ms);
        }
        // Before `written`, which looks whether queues are to be told that nobody is served any more.
        self.protocol.outbox().set_refused(is_refused);
        self.protocol.written(sent_bytes, now_ms);
        // Also when the socket takes nothing: that is when somebody looks.
        let pending_bytes = self.protocol.output().map_or(0, |output| output.pending_bytes());
        let counters = self.protocol.counters();
        counters.pending_bytes.set(pending_bytes as u64);
        if writes > 0 {
            counters.sent_bytes.add(sent_bytes);
            counters.writes.add(writes);
        }
        Ok(())
    }
}

fn log_failure(peer: SocketAddr, error: &HandshakeFailed) {
    match error {
        // Whoever looks whether the port is open.
        HandshakeFailed::Silent => {}
        HandshakeFailed::Foreign(spoken) => {
            tracing::warn!(%peer, reason = spoken.to_amqps(), "closing connection: not a TLS client");
        }
        HandshakeFailed::NoProxyHeader(reason) => {
            tracing::warn!(%peer, %reason, "closing connection: a proxy was to send a PROXY header");
        }
        HandshakeFailed::Refused(error) => {
            let tip = tls::tip(error);
            tracing::warn!(%peer, %error, tip, "TLS handshake failed: closing connection");
        }
        HandshakeFailed::Gone(_) | HandshakeFailed::Io(_) => {
            tracing::info!(%peer, %error, "TLS handshake failed: closing connection");
        }
    }
}
