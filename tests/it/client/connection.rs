//! The handshake and channel 0.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::{AMQPMethod, Close, CloseOk, Open, TuneOk};

use super::channel::Channel;
use super::method::{Request, parse_method};
use super::socket::{Frame, HEARTBEAT, PATIENCE, Socket, method};
use super::table::{Table, Value, args, with_length};

/// The protocol header of AMQP 0-9-1.
pub const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// A connection; clones share it.
#[derive(Clone, Debug)]
pub struct Connection {
    pub socket: Arc<Socket>,
    /// The negotiated frame-max, by which contents are split.
    pub frame_max: usize,
}

/// How to connect. The default is what most clients do: PLAIN, guest, `/`, every capability, no heartbeats.
#[derive(Clone, Debug)]
pub struct Connect {
    pub address: SocketAddr,
    pub mechanism: String,
    pub response: Vec<u8>,
    pub client_properties: Table,
    pub locale: String,
    pub vhost: String,
    pub channel_max: Option<u16>,
    pub frame_max: Option<u32>,
    pub heartbeat: u16,
}

/// The capabilities that a full client declares.
pub const CAPABILITIES: [&str; 6] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "authentication_failure_close",
];

impl Connect {
    pub fn to(address: SocketAddr) -> Self {
        Self {
            address,
            mechanism: "PLAIN".into(),
            response: b"\0guest\0guest".to_vec(),
            client_properties: Table::default(),
            locale: "en_US".into(),
            vhost: "/".into(),
            channel_max: None,
            frame_max: None,
            heartbeat: 0,
        }
        .capabilities(&CAPABILITIES)
    }

    #[must_use]
    pub fn capabilities(mut self, names: &[&str]) -> Self {
        let capabilities = names.iter().map(|name| (name.as_bytes().to_vec(), Value::t(true))).collect();
        self.client_properties = args([("capabilities", Value::F(Table(capabilities)))]);
        self
    }

    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.response = format!("\0{name}\0{password}").into_bytes();
        self
    }

    #[must_use]
    pub fn mechanism(mut self, mechanism: &str, response: &[u8]) -> Self {
        self.mechanism = mechanism.into();
        self.response = response.to_vec();
        self
    }

    #[must_use]
    pub fn vhost(mut self, vhost: &str) -> Self {
        self.vhost = vhost.into();
        self
    }

    #[must_use]
    pub fn channel_max(mut self, channel_max: u16) -> Self {
        self.channel_max = Some(channel_max);
        self
    }

    #[must_use]
    pub fn frame_max(mut self, frame_max: u32) -> Self {
        self.frame_max = Some(frame_max);
        self
    }

    #[must_use]
    pub fn heartbeat(mut self, seconds: u16) -> Self {
        self.heartbeat = seconds;
        self
    }

    /// `connection.start-ok` as these settings say it.
    pub fn start_ok(&self) -> Request {
        let short = |text: &str| [&[text.len() as u8][..], text.as_bytes()].concat();
        Request(
            [
                &[0, 10, 0, 11][..],
                &self.client_properties.encode(),
                &short(&self.mechanism),
                &with_length(&self.response),
                &short(&self.locale),
            ]
            .concat(),
        )
    }

    /// Up to and including `start-ok`.
    pub async fn start(&self) -> Connection {
        let connection = Connection::raw(self.address).await;
        connection.socket.write(PROTOCOL_HEADER).await;
        connection.expect((10, 10)).await;
        connection.send(self.start_ok()).await;
        connection
    }

    /// Up to and including `tune-ok`.
    pub async fn tune(&self) -> Connection {
        let mut connection = self.start().await;
        let AMQPClass::Connection(AMQPMethod::Tune(tune)) = connection.expect((10, 30)).await else {
            unreachable!("the ids are those of tune")
        };
        let tune_ok = TuneOk {
            channel_max: self.channel_max.unwrap_or(tune.channel_max),
            frame_max: self.frame_max.unwrap_or(tune.frame_max),
            heartbeat: self.heartbeat,
        };
        connection.frame_max = tune_ok.frame_max as usize;
        connection.send(tune_ok).await;
        connection
    }

    /// Up to and including `connection.open`, its answer not read.
    pub async fn ask(&self) -> Connection {
        let connection = self.tune().await;
        connection.send(Open { virtual_host: self.vhost.as_str().into() }).await;
        connection
    }

    /// The whole handshake.
    pub async fn open(&self) -> Connection {
        let connection = self.ask().await;
        connection.expect((10, 41)).await;
        connection
    }
}

impl Connection {
    /// A TCP connection on which nothing was said yet.
    pub async fn raw(address: SocketAddr) -> Self {
        Self { socket: Arc::new(Socket::connect(address).await), frame_max: 131_072 }
    }

    /// The client's end.
    pub fn local_address(&self) -> SocketAddr {
        self.socket.local_address()
    }

    /// Sends a method on channel 0.
    pub async fn send(&self, request: impl Into<Request>) {
        self.socket.write(&method(0, request)).await;
    }

    /// Sends any bytes.
    pub async fn write(&self, bytes: impl AsRef<[u8]>) {
        self.socket.write(bytes.as_ref()).await;
    }

    /// The next method on channel 0, which must be this one.
    pub async fn expect(&self, ids: (u16, u16)) -> AMQPClass {
        match self.socket.frame(0).await {
            Some(frame) if frame.is_method(ids) => parse_method(&frame.payload),
            other => panic!("expected method {ids:?} on channel 0, got {other:?}"),
        }
    }

    /// Opens a channel.
    pub async fn channel(&self, id: u16) -> Channel {
        let channel = self.unopened_channel(id);
        channel.open().await;
        channel
    }

    /// A channel on which `channel.open` was not sent.
    pub fn unopened_channel(&self, id: u16) -> Channel {
        Channel::new(self.clone(), id)
    }

    /// Expects `connection.close` with exactly this content, and does not answer it.
    pub async fn expect_error(&self, code: u16, text: &str, ids: (u16, u16)) {
        let AMQPClass::Connection(AMQPMethod::Close(close)) = self.expect((10, 50)).await else {
            unreachable!("the ids are those of close")
        };
        let got = (close.reply_code, close.reply_text.to_string(), (close.class_id, close.method_id));
        assert_eq!(got, (code, text.to_owned(), ids));
    }

    /// Expects `connection.close`, answers it, and sees the socket closed.
    pub async fn expect_close(&self, code: u16, text: &str, ids: (u16, u16)) {
        self.expect_error(code, text, ids).await;
        self.send(CloseOk {}).await;
        self.expect_socket_closed().await;
    }

    /// Expects that the broker closes the socket; frames that were on their way are passed over.
    pub async fn expect_socket_closed(&self) {
        while let Some(frame) = self.socket.any_frame().await {
            assert!(!frame.is_method((10, 50)), "a closed socket was expected, not {frame:?}");
        }
    }

    /// Expects that the broker closes the socket without another frame but heartbeats.
    pub async fn expect_silent_end(&self) {
        while let Some(frame) = self.socket.any_frame().await {
            assert_eq!(frame.kind, HEARTBEAT, "the socket should close in silence: {frame:?}");
        }
    }

    /// Expects nothing but heartbeats until this time is over.
    pub async fn expect_no_frame_for(&self, time: Duration) {
        assert!(time < PATIENCE);
        let frame = self.socket.any_frame_within(time).await;
        assert_eq!(frame, None, "nothing was expected");
    }

    /// `connection.close` as a client ends well.
    pub async fn close(self) {
        self.send(close()).await;
        self.expect((10, 51)).await;
    }

    /// The next frame of any channel.
    pub async fn any_frame(&self) -> Frame {
        self.socket.any_frame().await.expect("the connection is open")
    }
}

/// `connection.close` with a friendly code.
pub fn close() -> Close {
    Close { reply_code: 200, reply_text: "bye".into(), class_id: 0, method_id: 0 }
}
