//! Gives a [`Session`] its socket: reads in batches, writes what collects, keeps its timers.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::admission::Seat;
use super::output::Output;
use super::session::Session;
use crate::clock::{Clock, Deadline};

/// Bytes read at a time. The buffer belongs to the worker thread, so that an idle connection owns none.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// Writes in a row, before the socket is read again: a fast reader with a long queue must not keep its own acknowledgements, or
/// other connections, waiting.
const WRITES_PER_TURN: usize = 16;

/// Turns in a row without reading, before the runtime is made to look what else is ready: it does not while there is always something
/// to deliver, and does not learn then that acknowledgements have come.
const TURNS_WITHOUT_READ_MAX: usize = 4;

thread_local! {
    static READ_BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A connection with its socket.
#[derive(Debug)]
pub struct Driver {
    session: Session,
    stream: TcpStream,
    seat: Seat,
    clock: Clock,
    /// One for the life of the connection: what the session waits for moves with every message.
    deadline: Deadline,
    /// What was read and not used up: the beginning of a frame, or everything since the connection was blocked.
    unused: Vec<u8>,
    /// There is more than `unused` to be looked at, without reading: the session stopped in the middle.
    is_interrupted: bool,
}

/// Why a wait ended.
enum Woken {
    Ready(io::Result<tokio::io::Ready>),
    Filled,
    Timer,
}

impl Driver {
    /// A connection that was just accepted.
    pub fn new(session: Session, stream: TcpStream, seat: Seat, clock: Clock) -> Self {
        Self { session, stream, seat, clock, deadline: Deadline::default(), unused: Vec::new(), is_interrupted: false }
    }

    /// Runs the connection until it is over; then nothing of it is left on the broker.
    pub async fn run(mut self) {
        // Whatever the socket's failure is, the connection is over, and clients need not be told.
        if let Err(error) = self.serve().await {
            tracing::info!(peer = %self.session.peer(), %error, "connection lost");
        }
        self.session.end(self.clock.now_ms());
    }

    async fn serve(&mut self) -> io::Result<()> {
        let mut turns_without_read = 0;
        loop {
            let now_ms = self.clock.now_ms();
            self.session.deliver(now_ms);
            self.resume_reading(now_ms);
            if self.session.is_open() {
                self.seat.logged_in();
            }
            self.write(now_ms)?;
            if self.session.is_closed() && self.session.output().is_none_or(|output| output.is_empty()) {
                return Ok(());
            }
            if self.is_interrupted && self.session.wants_read() {
                continue;
            }
            turns_without_read += 1;
            if turns_without_read >= TURNS_WITHOUT_READ_MAX {
                turns_without_read = 0;
                tokio::task::yield_now().await;
            }
            match self.wait().await {
                Woken::Ready(ready) => {
                    if ready?.is_readable() {
                        turns_without_read = 0;
                        if self.session.wants_read() && !self.read()? {
                            return Ok(());
                        }
                    }
                }
                Woken::Filled => {}
                Woken::Timer => self.session.on_timer(self.clock.now_ms()),
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let interest = self.interest();
        self.deadline.set(&self.clock, self.session.next_deadline_ms());
        let outbox = Arc::clone(self.session.outbox());
        tokio::select! {
            ready = ready(&self.stream, interest) => Woken::Ready(ready),
            () = outbox.filled() => Woken::Filled,
            () = self.deadline.reached() => Woken::Timer,
        }
    }

    fn interest(&mut self) -> Option<Interest> {
        let wants_write = self.session.output().is_some_and(|output| !output.is_empty());
        match (self.session.wants_read(), wants_write) {
            (true, true) => Some(Interest::READABLE | Interest::WRITABLE),
            (true, false) => Some(Interest::READABLE),
            (false, true) => Some(Interest::WRITABLE),
            (false, false) => None,
        }
    }

    /// Reads once and hands it on. False at the end of the stream.
    fn read(&mut self) -> io::Result<bool> {
        READ_BUFFER.with_borrow_mut(|buffer| {
            buffer.resize(READ_BUFFER_BYTES.max(self.unused.len() * 2), 0);
            let start = self.unused.len();
            let (kept, free) = buffer.split_at_mut(start);
            kept.copy_from_slice(&self.unused);
            let count = match try_read(&self.stream, free) {
                Ok(0) => return Ok(false),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            let counters = self.session.counters();
            counters.received_bytes.add(count as u64);
            counters.reads.add(1);
            let filled = buffer.get(..start + count).unwrap_or_default();
            let used = self.session.receive(filled, self.clock.now_ms());
            self.keep(filled.get(used..).unwrap_or_default());
            Ok(true)
        })
    }

    /// Goes on where the session stopped although there was more.
    fn resume_reading(&mut self, now_ms: u64) {
        if !self.is_interrupted || !self.session.wants_read() {
            return;
        }
        let unused = std::mem::take(&mut self.unused);
        let used = self.session.receive(&unused, now_ms);
        self.keep(unused.get(used..).unwrap_or_default());
    }

    fn keep(&mut self, unused: &[u8]) {
        self.unused.clear();
        self.unused.extend_from_slice(unused);
        if unused.is_empty() {
            self.unused = Vec::new();
        }
        self.is_interrupted = !unused.is_empty() && !self.session.wants_read();
    }

    fn write(&mut self, now_ms: u64) -> io::Result<()> {
        let (mut sent_bytes, mut writes) = (0, 0);
        for _ in 0..WRITES_PER_TURN {
            let Some(output) = self.session.output().filter(|output| !output.is_empty()) else { break };
            match try_write(&self.stream, output) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    output.advance(count);
                    sent_bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            writes += 1;
            // There is room again: what waits for it comes along with the next write.
            self.session.deliver(now_ms);
        }
        if writes > 0 {
            self.session.sent(now_ms);
            let pending_bytes = self.session.output().map_or(0, |output| output.pending_bytes());
            let counters = self.session.counters();
            counters.sent_bytes.add(sent_bytes);
            counters.writes.add(writes);
            counters.pending_bytes.set(pending_bytes as u64);
        }
        Ok(())
    }
}

/// Reads once. A read that leaves room in the buffer has emptied the socket. The runtime, which hears of what arrives (edges, both
/// of epoll and of kqueue), is told so here; else it would have to learn it from one more read, which finds nothing.
fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    let read = stream.try_io(Interest::READABLE, || {
        count = rustix::io::read(stream, &mut *buffer)?;
        if 0 < count && count < buffer.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    });
    if count > 0 { Ok(count) } else { read }
}

fn try_write(stream: &TcpStream, output: &Output) -> io::Result<usize> {
    match output.single_slice() {
        Some(slice) => stream.try_write(slice),
        None => stream.try_write_vectored(&output.slices()),
    }
}

async fn ready(stream: &TcpStream, interest: Option<Interest>) -> io::Result<tokio::io::Ready> {
    match interest {
        Some(interest) => stream.ready(interest).await,
        None => std::future::pending().await,
    }
}
