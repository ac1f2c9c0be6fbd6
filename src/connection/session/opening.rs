//! From the protocol header to `connection.open`, which a client must get through in time.

use std::net::SocketAddr;
use std::sync::Arc;

use super::login::AskedOfLogin;
use super::{Hosting, Phase, SILENCE_MS, Session};
use crate::auth::User;
use crate::broker::node::Node;
use crate::broker::own::Event;
use crate::broker::registry::{
    ConnectionSpec, ConnectionsReached, Encryption, Endpoint, PeerCertificate, Registration,
};
use crate::broker::sink::Sink;
use crate::broker::vhost::Vhost;
use crate::connection::foreign::Spoken;
use crate::connection::lines;
use crate::connection::open::{LiveRights, NewOpen, Open};
use crate::connection::protocol::Protocol;
use crate::error::AmqpError;
use crate::impossible::impossible;
use crate::protocol::command::Reply;
use crate::protocol::frame;
use crate::protocol::handshake::{self, Client, Handshake, Offer, PROTOCOL_HEADER, ProtocolHeader, Step, Tuning};
use crate::protocol::heartbeat::Heartbeat;
use crate::protocol::method::{self, CONNECTION_OPEN};
use crate::tls::Security;

impl Session {
    pub(super) fn greet(&mut self, bytes: &[u8]) -> usize {
        let Phase::Greeting { output, deadline_ms } = &mut self.phase else {
            impossible!("a protocol header is due, and the phase is another one");
            return 0;
        };
        match handshake::protocol_header(bytes) {
            ProtocolHeader::Incomplete => 0,
            ProtocolHeader::Accepted => {
                let (state, reply) = handshake::start(
                    &self.hosting.identity,
                    &self.hosting.broker.cluster_name(),
                    offer(&self.hosting, self.security.as_deref()),
                );
                method::encode(&reply, 0, output.buffer());
                let (output, deadline_ms) = (std::mem::take(output), *deadline_ms);
                self.phase = Phase::Handshake { state, user: None, output, deadline_ms, asked: None };
                PROTOCOL_HEADER.len()
            }
            ProtocolHeader::Refused => {
                let reason = Spoken::of(bytes).to_amqp();
                tracing::warn!(target: "connection", peer = %self.peer, reason, "not an AMQP 0-9-1 client: closing connection");
                // The answer to another protocol is the header of ours (behaviour reference 1.1).
                output.buffer().extend_from_slice(&PROTOCOL_HEADER);
                self.phase = Phase::Closed { output: std::mem::take(output) };
                self.is_refused = true;
                bytes.len()
            }
        }
    }

    pub(super) fn shake_hands(&mut self, bytes: &[u8], now_ms: u64) -> usize {
        let Phase::Handshake { state, asked, .. } = &mut self.phase else {
            impossible!("a method of the handshake is due, and the phase is another one");
            return 0;
        };
        if asked.is_some() {
            return 0;
        }
        let frame_max = state.frame_max();
        // A step consumes the state; `StartOkDue` stands there for a moment, and is seen by nobody.
        let before = std::mem::replace(state, Handshake::StartOkDue);
        let (step, used) = match frame::next_frame(bytes, frame_max) {
            Ok(Some((frame, used))) => (before.frame(&frame, offer(&self.hosting, self.security.as_deref())), used),
            Ok(None) => {
                *state = before;
                return 0;
            }
            Err(error) => (before.fail(error), bytes.len()),
        };
        self.take_step(step, now_ms);
        used
    }

    pub(super) fn take_step(&mut self, step: Step, now_ms: u64) {
        let Phase::Handshake { state, .. } = &mut self.phase else {
            return impossible!("a step of the handshake is to be taken, and the phase is another one");
        };
        match step {
            Step::Continue(next) => *state = next,
            Step::Authenticate(login, credentials) => self.authenticate(login, credentials, now_ms),
            Step::Open { client, tuning, virtual_host } => {
                self.enter(Box::new(Entering { client, tuning, virtual_host, rights: None }), now_ms);
            }
            Step::CloseSilently(reason) => {
                tracing::info!(target: "connection", peer = %self.peer, reason, "closing without an answer");
                self.phase = Phase::Silent { close_at_ms: now_ms + SILENCE_MS };
            }
            Step::Close(error) => self.close(&error, now_ms),
        }
    }

    /// Opens the connection, unless the user may not enter; waits if a backend has to be asked.
    pub(super) fn enter(&mut self, mut entering: Box<Entering>, now_ms: u64) {
        let result = self.open(&mut entering, now_ms);
        let is_asked = entering.rights.as_ref().is_some_and(LiveRights::is_waiting);
        let Phase::Handshake { user, asked, .. } = &mut self.phase else { return };
        match result {
            Ok(()) => {}
            // The error of a question that is not answered yet is none.
            Err(_) if is_asked => *asked = Some(Box::new(AskedOfLogin::Entering(entering))),
            Err(error) => {
                let user = user.as_ref().map(|logged_in| Arc::clone(&logged_in.user));
                let error = error.with_method(CONNECTION_OPEN);
                self.note_refusal(user.as_ref(), Some(&entering.client), &error, now_ms);
                self.close_noted(&error, now_ms);
            }
        }
    }

    /// # Errors
    /// 530 when there is no such virtual host, the user may not enter it, or there are too many connections (behaviour reference 1.5).
    fn open(&mut self, entering: &mut Entering, now_ms: u64) -> Result<(), AmqpError> {
        let Phase::Handshake { user: Some(logged_in), .. } = &self.phase else {
            impossible!("a connection is opened by nobody");
            return Ok(());
        };
        let Entering { client, tuning, virtual_host: name, rights } = entering;
        let (user, broker) = (Arc::clone(&logged_in.user), &self.hosting.broker);
        let node = Arc::clone(broker.node());
        let vhost = broker.vhost(name).ok_or_else(|| AmqpError::not_allowed(format!("vhost {name} not found")))?;
        let asked =
            rights.get_or_insert_with(|| LiveRights::new(logged_in.clone(), &vhost.name, &node.metadata, now_ms));
        let from = self.peer.ip().to_canonical();
        asked.check_entry(&node.metadata, from)?;
        let spec = self.spec(client, *tuning, &user, &vhost, now_ms);
        let registration = self.register(spec, &node)?;
        // Again: who deletes a user or a virtual host now finds the connection, and who did it before is found here.
        asked.check_entry(&node.metadata, from)?;
        if vhost.is_deleted() {
            return Err(AmqpError::not_allowed(format!("vhost {name} not found")));
        }
        let Some(rights) = rights.take() else { return Ok(()) };
        lines::opened(self.peer, &registration.info().spec);
        let spec = &registration.info().spec;
        node.own_messages.event(|| Event::connection_created(spec, &node.settings.node_name));
        self.info = Some(Arc::clone(registration.info()));
        let mut output = self.output().map(std::mem::take).unwrap_or_default();
        method::encode(&Reply::ConnectionOpenOk, 0, output.buffer());
        self.heartbeat = Heartbeat::new(tuning.heartbeat, now_ms);
        let (peer, outbox) = (self.peer, Arc::clone(&self.outbox));
        let id = self.id;
        let (client, tuning) = (client.clone(), *tuning);
        let opening = NewOpen { id, node, vhost, user, rights, client, tuning, peer, registration, outbox, output };
        self.phase = Phase::Open(Box::new(Open::new(opening)));
        Ok(())
    }

    /// Lists the connection, unless the node, its virtual host or its user has as many as it may have.
    fn register(&self, spec: ConnectionSpec, node: &Node) -> Result<Registration, AmqpError> {
        let limits = node.metadata.connection_limits(&spec.user, &spec.vhost, node.settings.connections_max);
        let (user, vhost) = (Arc::clone(&spec.user), Arc::clone(&spec.vhost));
        let sink = Arc::clone(&self.outbox) as Arc<dyn Sink>;
        node.registry.register(spec, limits, Arc::clone(&self.counters), sink).map_err(|reached| {
            AmqpError::not_allowed(match reached {
                ConnectionsReached::Node { max } => {
                    format!("connection refused: node connection limit ({max}) is reached")
                }
                ConnectionsReached::Vhost { max } => {
                    format!("access to vhost '{vhost}' refused for user '{user}': connection limit ({max}) is reached")
                }
                ConnectionsReached::User { max } => {
                    format!("connection refused for user '{user}': user connection limit ({max}) is reached")
                }
            })
        })
    }

    fn spec(&self, client: &Client, tuning: Tuning, user: &User, vhost: &Vhost, now_ms: u64) -> ConnectionSpec {
        ConnectionSpec {
            id: self.id,
            peer: endpoint(self.peer),
            local: endpoint(self.local),
            user: Arc::clone(&user.name),
            vhost: Arc::clone(&vhost.name),
            user_provided_name: client.connection_name.clone(),
            auth_mechanism: client.mechanism.name(),
            encryption: self.security.as_deref().map(|security| Box::new(encryption(security))),
            client_properties: client.properties.as_ref().into(),
            channel_max: tuning.channel_max,
            frame_max: tuning.frame_max,
            heartbeat: tuning.heartbeat,
            connected_at_ms: now_ms,
        }
    }
}

pub(super) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint { host: address.ip().to_canonical().to_string(), port: address.port() }
}

/// A client that has asked for a virtual host.
#[derive(Debug)]
pub(super) struct Entering {
    client: Client,
    tuning: Tuning,
    virtual_host: String,
    /// What its user may do there, once that was asked for the first time.
    pub(super) rights: Option<LiveRights>,
}

/// What is offered to a client.
fn offer<'a>(hosting: &'a Hosting, security: Option<&Security>) -> &'a Offer {
    match &hosting.external {
        Some(external) if security.is_some() => &external.offer,
        _ => &hosting.offer,
    }
}

fn encryption(security: &Security) -> Encryption {
    let Security { protocol, key_exchange, cipher, hash, peer, .. } = security;
    let peer_certificate = peer.as_ref().map(|peer| PeerCertificate {
        subject: peer.subject.clone(),
        issuer: peer.issuer.clone(),
        validity: peer.validity.clone(),
    });
    Encryption { protocol, key_exchange, cipher, hash, peer_certificate }
}
