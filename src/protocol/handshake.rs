//! The opening of a connection, up to and with `connection.open`: one enum, and one transition for each frame.
//!
//! ```text
//!   protocol header --> StartOkDue --start-ok--> (login) --accept--> TuneOkDue --tune-ok--> OpenDue --open--> Step::Open
//! ```
//!
//! The login is the caller's: [`Step::Authenticate`] asks for it, and [`Login`] waits in its hands meanwhile, so that no frame
//! can be taken before the answer is there.
//!
//! Whatever goes wrong before `connection.open` is due is answered with silence: the caller says nothing and closes after about
//! three seconds, which slows down who guesses passwords. From then on errors are sent. Both as RabbitMQ does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::error::{AmqpError, MethodId};
use crate::protocol::command::{Command, ConnectionMethod, Reply};
use crate::protocol::frame::{self, FRAME_MAX_BEFORE_TUNE, Frame, FrameKind};
use crate::protocol::method;
use crate::protocol::sasl::{self, Credentials, Mechanism};
use crate::table::{Table, Value};

/// The protocol header of AMQP 0-9-1; also the answer to any other.
pub(crate) const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// AMQP 0-9 announced itself so, and RabbitMQ treats it as 0-9-1.
const PROTOCOL_HEADER_0_9: [u8; 8] = *b"AMQP\x01\x01\x00\x09";

/// What a client's first octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolHeader {
    /// Fewer than eight octets: wait for more.
    Incomplete,
    /// AMQP 0-9-1: drop these eight octets and send `connection.start`.
    Accepted,
    /// Another protocol: send [`PROTOCOL_HEADER`] and close.
    Refused,
}

/// Judges a client's first octets.
// spec: connection.start/protocol-name
pub(crate) fn protocol_header(buffer: &[u8]) -> ProtocolHeader {
    match buffer.first_chunk() {
        None => ProtocolHeader::Incomplete,
        Some(&(PROTOCOL_HEADER | PROTOCOL_HEADER_0_9)) => ProtocolHeader::Accepted,
        Some(_) => ProtocolHeader::Refused,
    }
}

/// What the broker says of itself in `connection.start`. Clients read some of it: see [`start`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields carry the names of the properties")]
pub struct Identity {
    pub product: String,
    pub version: String,
    pub platform: String,
    pub information: String,
    pub copyright: String,
    /// Leveret's own version; `version` is the one of RabbitMQ that it stands for.
    pub leveret_version: String,
}

/// What the broker offers in `connection.start` and `connection.tune`.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The SASL mechanisms, most welcome first.
    pub mechanisms: Vec<Mechanism>,
    /// How many channels a client may have open at a time.
    pub channel_max: u16,
    /// The largest frame.
    pub frame_max: u32,
    /// How often heartbeats are sent.
    pub heartbeat: HeartbeatOffer,
}

/// Seconds between heartbeats, which may change while the broker runs. Copies of it change together.
#[derive(Clone, Debug)]
pub struct HeartbeatOffer(Arc<AtomicU16>);

impl From<u16> for HeartbeatOffer {
    fn from(seconds: u16) -> Self {
        Self(Arc::new(AtomicU16::new(seconds)))
    }
}

impl HeartbeatOffer {
    /// What is offered now; 0 disables heartbeats.
    pub(crate) fn seconds(&self) -> u16 {
        self.0.load(Ordering::Relaxed)
    }

    /// From now on this is offered.
    pub(crate) fn set(&self, seconds: u16) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// What the client accepted in `connection.tune-ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How many channels may be open at a time; limits their number, not their ids.
    pub(crate) channel_max: u16,
    /// The largest frame, either way.
    pub(crate) frame_max: u32,
    /// Seconds; 0 disables heartbeats.
    pub(crate) heartbeat: u16,
}

/// The capabilities that a client may have and that change what it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent flags, by their own names")]
pub(crate) struct ClientCapabilities {
    /// Wants `connection.close` when its login is refused.
    pub(crate) authentication_failure_close: bool,
    /// Wants `basic.cancel` when its consumer is cancelled by the broker.
    pub(crate) consumer_cancel_notify: bool,
    /// Wants `connection.blocked` and `connection.unblocked`.
    pub(crate) connection_blocked: bool,
    /// Knows `basic.nack`.
    pub(crate) basic_nack: bool,
    /// Knows publisher confirms.
    pub(crate) publisher_confirms: bool,
    /// Knows `exchange.bind`.
    pub(crate) exchange_exchange_bindings: bool,
}

/// What `connection.start-ok` says of the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its properties as it sent them. Shared with whoever lists the connection.
    pub(crate) properties: Arc<Table>,
    /// The known ones of its capabilities.
    pub(crate) capabilities: ClientCapabilities,
    /// The name that it gave the connection, if it is a string in UTF-8.
    pub(crate) connection_name: Option<String>,
    /// How it authenticates.
    pub(crate) mechanism: Mechanism,
}

/// What is due next.
#[derive(Clone, Debug, PartialEq)]
pub enum Handshake {
    /// `connection.start-ok`.
    StartOkDue,
    /// `connection.tune-ok`.
    TuneOkDue(Client),
    /// `connection.open`.
    OpenDue(Client, Tuning),
}

/// A login that waits for the caller's verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    client: Client,
}

/// What the caller is to do after a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send what there is to send, and give the next frame to this.
    Continue(Handshake),
    /// Find out whether the credentials hold, and tell [`Login::accept`] or [`Login::refuse`].
    Authenticate(Login, Credentials),
    /// Find out whether the user may enter the virtual host, then send [`Reply::ConnectionOpenOk`] or close with an error.
    Open {
        /// Who it is.
        client: Client,
        /// What was agreed.
        tuning: Tuning,
        /// Where it wants in.
        virtual_host: String,
    },
    /// Say nothing, and close after about three seconds. The reason is for the log.
    CloseSilently(String),
    /// Close with this error, and wait for `connection.close-ok`.
    Close(AmqpError),
}

/// `connection.start`, which answers an accepted protocol header.
pub(crate) fn start(identity: &Identity, cluster_name: &str, offer: &Offer) -> (Handshake, Reply) {
    let names: Vec<_> = offer.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
    let reply = Reply::ConnectionStart {
        server_properties: server_properties(identity, cluster_name),
        mechanisms: names.join(" "),
        // spec: connection.start/locales/required-support
        locales: "en_US".into(),
    };
    (Handshake::StartOkDue, reply)
}

impl Handshake {
    /// The limit for [`frame::next_frame`].
    pub(crate) fn frame_max(&self) -> u32 {
        match self {
            Self::StartOkDue | Self::TuneOkDue(_) => FRAME_MAX_BEFORE_TUNE,
            Self::OpenDue(_, tuning) => tuning.frame_max,
        }
    }

    /// Takes the next frame.
    pub fn frame(self, frame: &Frame<'_>, offer: &Offer) -> Step {
        // A sign of life, which answers nothing. It may come before an interval is agreed on.
        if frame.kind == FrameKind::Heartbeat {
            return Step::Continue(self);
        }
        if frame.channel != 0 || frame.kind != FrameKind::Method {
            return self.fail(frame::unexpected_frame(frame.kind as u8, frame.payload));
        }
        match method::decode(frame.payload) {
            Ok(command) => self.command(command, frame.payload, offer),
            Err(error) => self.fail(error),
        }
    }

    /// What an error means at this point; also for those of [`frame::next_frame`].
    pub(crate) fn fail(self, error: AmqpError) -> Step {
        match self {
            Self::StartOkDue | Self::TuneOkDue(_) => Step::CloseSilently(error.to_string()),
            Self::OpenDue(..) => Step::Close(error),
        }
    }

    fn command(self, command: Command, payload: &[u8], offer: &Offer) -> Step {
        match (self, command) {
            (
                Self::StartOkDue,
                Command::Connection(ConnectionMethod::StartOk { client_properties, mechanism, response, .. }),
            ) => start_ok(client_properties, &mechanism, &response, offer),
            (
                Self::TuneOkDue(client),
                Command::Connection(ConnectionMethod::TuneOk { channel_max, frame_max, heartbeat }),
            ) => tune_ok(client, Tuning { channel_max, frame_max, heartbeat }, offer),
            (Self::OpenDue(client, tuning), Command::Connection(ConnectionMethod::Open { virtual_host })) => {
                Step::Open { client, tuning, virtual_host }
            }
            (state, _) => {
                let text = format!("unexpected method in connection state {}", state.name());
                state.fail(AmqpError::channel_error(text).with_method(method::id(payload)))
            }
        }
    }

    /// RabbitMQ's name for the state, as its texts show it.
    fn name(&self) -> &'static str {
        match self {
            Self::StartOkDue => "starting",
            Self::TuneOkDue(_) => "tuning",
            Self::OpenDue(..) => "opening",
        }
    }
}

impl Login {
    /// Who logs in.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The credentials hold: send the reply.
    pub fn accept(self, offer: &Offer) -> (Handshake, Reply) {
        let Offer { channel_max, frame_max, ref heartbeat, .. } = *offer;
        let heartbeat = heartbeat.seconds();
        (Handshake::TuneOkDue(self.client), Reply::ConnectionTune { channel_max, frame_max, heartbeat })
    }

    /// The credentials do not hold. Only clients that say so know what to make of `connection.close` here; others understand
    /// a closed socket.
    // rabbitmq: auth-notification
    pub(crate) fn refuse(self) -> Step {
        let mechanism = self.client.mechanism.name();
        let error = AmqpError::access_refused(format!(
            "Login was refused using authentication mechanism {mechanism}. For details see the broker logfile."
        ));
        if self.client.capabilities.authentication_failure_close {
            Step::Close(error.on_connection().with_method(MethodId::NONE))
        } else {
            Step::CloseSilently(error.to_string())
        }
    }
}

// spec: connection.start-ok/mechanism/validity
fn start_ok(properties: Table, mechanism: &str, response: &[u8], offer: &Offer) -> Step {
    let Some(mechanism) = offer.mechanisms.iter().copied().find(|offered| offered.name() == mechanism) else {
        return Step::CloseSilently(format!("mechanism '{mechanism}' is not offered"));
    };
    let Some(credentials) = sasl::credentials(mechanism, response) else {
        return Step::CloseSilently(format!("malformed {} response", mechanism.name()));
    };
    let capabilities = ClientCapabilities::of(&properties);
    let connection_name = match properties.get("connection_name") {
        Some(Value::LongString(name)) => String::from_utf8(name.clone()).ok(),
        _ => None,
    };
    Step::Authenticate(
        Login { client: Client { properties: Arc::new(properties), capabilities, connection_name, mechanism } },
        credentials,
    )
}

/// Limits may be lowered, not raised, and neither may be lifted with 0.
// spec: connection.tune-ok/channel-max/upper-limit
// spec: connection.tune-ok/frame-max/upper-limit
fn tune_ok(client: Client, tuning: Tuning, offer: &Offer) -> Step {
    // The heartbeat is the client's to choose, also a longer one than was offered.
    let Tuning { channel_max, frame_max, .. } = tuning;
    if !(1..=offer.channel_max).contains(&channel_max) {
        return Step::CloseSilently(format!("channel_max {channel_max} is not in 1..={}", offer.channel_max));
    }
    if !(FRAME_MAX_BEFORE_TUNE..=offer.frame_max).contains(&frame_max) {
        let frame_max_offered = offer.frame_max;
        return Step::CloseSilently(format!(
            "frame_max {frame_max} is not in {FRAME_MAX_BEFORE_TUNE}..={frame_max_offered}"
        ));
    }
    Step::Continue(Handshake::OpenDue(client, tuning))
}

impl ClientCapabilities {
    /// The capabilities in a client's properties.
    fn of(properties: &Table) -> Self {
        let Some(Value::Table(table)) = properties.get("capabilities") else { return Self::default() };
        let has = |name| matches!(table.get(name), Some(Value::Bool(true)));
        Self {
            authentication_failure_close: has("authentication_failure_close"),
            consumer_cancel_notify: has("consumer_cancel_notify"),
            connection_blocked: has("connection.blocked"),
            basic_nack: has("basic.nack"),
            publisher_confirms: has("publisher_confirms"),
            exchange_exchange_bindings: has("exchange_exchange_bindings"),
        }
    }
}

/// What the broker can do, in RabbitMQ's order.
const SERVER_CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// In the order of their names.
fn server_properties(identity: &Identity, cluster_name: &str) -> Table {
    let mut capabilities = Table::default();
    for name in SERVER_CAPABILITIES {
        capabilities.insert(name, Value::Bool(true));
    }
    let mut properties = Table::default();
    properties.insert("capabilities", Value::Table(capabilities));
    for (name, text) in [
        ("cluster_name", cluster_name),
        ("copyright", identity.copyright.as_str()),
        ("information", &identity.information),
        ("leveret_version", &identity.leveret_version),
        ("platform", &identity.platform),
        ("product", &identity.product),
        ("version", &identity.version),
    ] {
        properties.insert(name, Value::LongString(text.as_bytes().to_vec()));
    }
    properties
}

#[cfg(test)]
mod tests;
