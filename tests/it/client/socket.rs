//! Frames over a socket, each wait with a deadline.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::method::{Request, parse_method};

/// How long a test waits for what must come. Far above what any broker needs, so that a busy machine fails no test.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// One frame as it came.
#[derive(Clone, PartialEq)]
pub struct Frame {
    pub kind: u8,
    pub channel: u16,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Whether this is the method with these ids.
    pub fn is_method(&self, ids: (u16, u16)) -> bool {
        self.kind == METHOD && Request(self.payload.clone()).ids() == ids
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, channel, payload } = self;
        match *kind {
            // Content methods may carry a routing key that is no text; show their bytes.
            METHOD if !payload.starts_with(&[0, 60]) => write!(f, "[{channel}] {:?}", parse_method(payload)),
            _ => write!(f, "[{channel}] type {kind}: {:?}", String::from_utf8_lossy(payload)),
        }
    }
}

pub const METHOD: u8 = 1;
pub const HEADER: u8 = 2;
pub const BODY: u8 = 3;
pub const HEARTBEAT: u8 = 8;

/// A frame on the wire.
pub fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&channel.to_be_bytes());
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes.push(0xCE);
    bytes
}

/// A method frame on the wire.
pub fn method(channel: u16, request: impl Into<Request>) -> Vec<u8> {
    frame(METHOD, channel, &request.into().0)
}

/// A content header frame on the wire.
pub fn header(channel: u16, body_size: u64, properties: &[u8]) -> Vec<u8> {
    frame(HEADER, channel, &[&[0, 60, 0, 0][..], &body_size.to_be_bytes(), properties].concat())
}

/// A TCP connection to the broker and what came from it, sorted by channel.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    inbox: Mutex<Inbox>,
    has_patience: AtomicBool,
}

#[derive(Debug, Default)]
struct Inbox {
    bytes: Vec<u8>,
    frames: HashMap<u16, VecDeque<Frame>>,
    order: VecDeque<u16>,
    closed: bool,
    /// It was not closed but reset.
    reset: bool,
}

impl Socket {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.expect("connect in time").expect("connect");
        stream.set_nodelay(true).expect("nodelay");
        Self { stream, inbox: Mutex::default(), has_patience: AtomicBool::new(true) }
    }

    /// This end of it.
    pub fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Has frames waited for without an end: for a test that knows otherwise whether the broker goes on.
    pub fn wait_without_end(&self) {
        self.has_patience.store(false, Ordering::Relaxed);
    }

    /// Writes bytes. A broken connection is no failure here: the test reads why.
    pub async fn write(&self, bytes: &[u8]) {
        assert!(self.write_within(PATIENCE, bytes).await == bytes.len(), "the broker stopped reading");
    }

    /// Writes until the time is over; the count of bytes written, all of them if the connection broke.
    pub async fn write_within(&self, limit: Duration, bytes: &[u8]) -> usize {
        let mut written = 0;
        let done = timeout(limit, async {
            while written < bytes.len() {
                if self.stream.writable().await.is_err() {
                    written = bytes.len();
                }
                match self.stream.try_write(&bytes[written..]) {
                    Ok(count) => written += count,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => written = bytes.len(),
                }
            }
        });
        drop(done.await);
        written
    }

    /// The next frame of this channel, heartbeats left out; `None` when the broker closed the socket.
    pub async fn frame(&self, channel: u16) -> Option<Frame> {
        if !self.has_patience.load(Ordering::Relaxed) {
            return self.frame_untimed(channel).await;
        }
        timeout(PATIENCE, self.frame_untimed(channel)).await.unwrap_or_else(|_| {
            panic!("no frame on channel {channel} in {PATIENCE:?}; waiting on others: {:?}", self.inbox.try_lock())
        })
    }

    async fn frame_untimed(&self, channel: u16) -> Option<Frame> {
        let mut inbox = self.inbox.lock().await;
        loop {
            while let Some(frame) = inbox.frames.entry(channel).or_default().pop_front() {
                let position =
                    inbox.order.iter().position(|&other| other == channel).expect("every frame has its turn");
                inbox.order.remove(position);
                if frame.kind != HEARTBEAT || frame.channel != 0 {
                    return Some(frame);
                }
            }
            if channel != 0 {
                let close = inbox.frames.get(&0).and_then(|frames| frames.iter().find(|f| f.is_method((10, 50))));
                assert!(close.is_none(), "waiting on channel {channel}, the connection was closed: {close:?}");
            }
            if inbox.closed {
                return None;
            }
            self.read(&mut inbox).await;
        }
    }

    /// The next frame of any channel, in wire order, heartbeats included; `None` when the broker closed the socket.
    pub async fn any_frame(&self) -> Option<Frame> {
        self.any_frame_within(PATIENCE).await.unwrap_or_else(|| panic!("no frame in {PATIENCE:?}"))
    }

    /// As [`Socket::any_frame`]; the outer `None` says that nothing came in time.
    pub async fn any_frame_within(&self, limit: Duration) -> Option<Option<Frame>> {
        let mut inbox = self.inbox.lock().await;
        timeout(limit, async {
            loop {
                if let Some(channel) = inbox.order.pop_front() {
                    return inbox.frames.get_mut(&channel).and_then(VecDeque::pop_front);
                }
                if inbox.closed {
                    return None;
                }
                self.read(&mut inbox).await;
            }
        })
        .await
        .ok()
    }

    /// Everything until the broker closes the socket, uncut.
    pub async fn bytes_until_closed(&self) -> Vec<u8> {
        let mut inbox = self.inbox.lock().await;
        timeout(PATIENCE, async {
            while !inbox.closed {
                self.read_bytes(&mut inbox).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("the broker did not close the socket in {PATIENCE:?}"));
        std::mem::take(&mut inbox.bytes)
    }

    /// Whether the connection was reset, so that a write fails at once.
    pub async fn is_reset(&self) -> bool {
        self.inbox.lock().await.reset
    }

    /// Resets the connection, as the system of a client does that dies with something unread.
    pub fn reset_when_dropped(&self) {
        self.stream.set_zero_linger().expect("an option that every socket has");
    }

    async fn read(&self, inbox: &mut Inbox) {
        self.read_bytes(inbox).await;
        let mut start = 0;
        while let Some(&[kind, c1, c2, l1, l2, l3, l4]) = inbox.bytes.get(start..start + 7) {
            let length = u32::from_be_bytes([l1, l2, l3, l4]) as usize;
            let Some(payload) = inbox.bytes.get(start + 7..start + 8 + length) else { break };
            assert_eq!(payload[length], 0xCE, "the broker's frame ends with its octet: {payload:?}");
            let channel = u16::from_be_bytes([c1, c2]);
            let frame = Frame { kind, channel, payload: payload[..length].to_vec() };
            start += 8 + length;
            inbox.order.push_back(channel);
            inbox.frames.entry(channel).or_default().push_back(frame);
        }
        inbox.bytes.drain(..start);
    }

    async fn read_bytes(&self, inbox: &mut Inbox) {
        let ready = self.stream.readable().await;
        let mut buffer = [0; 64 * 1024];
        match ready.and_then(|()| self.stream.try_read(&mut buffer)) {
            Ok(0) => inbox.closed = true,
            Ok(count) => inbox.bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // A reset is how RabbitMQ often closes (reference: 1.1).
            Err(_) => (inbox.closed, inbox.reset) = (true, true),
        }
    }
}
