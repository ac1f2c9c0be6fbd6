//! The sockets of a broker. They are bound before its store is opened, so that a start whose port is taken changes nothing.

use std::sync::Arc;

use tokio::net::TcpListener;

use super::Builder;
use crate::config::Listen;
use crate::connection::listening_socket::ListeningSocket;
use crate::connection::socket::TlsEndpoint;
use crate::http::ListenerInfo;
use crate::server::binding::{ListenerKind, SocketOptions, bind, closable};
use crate::server::encryption::Secured;
use crate::server::management::{self, WebSockets};
use crate::server::start_error::StartFailure;

/// Everything that clients connect to over the network.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) amqp: Vec<TcpListener>,
    http: Vec<TcpListener>,
    metrics: Vec<TcpListener>,
    pub(super) secured: Secured,
    options: SocketOptions,
}

impl Builder {
    /// Binds all addresses.
    ///
    /// # Errors
    /// When one of them cannot be listened on, or its certificates cannot be used.
    pub(super) fn bind_sockets(&self) -> Result<Sockets, StartFailure> {
        // They listen from here on. Clients that come before the broker accepts wait in the backlog.
        let options = self.socket_options();
        let amqp = bind(&self.addresses, ListenerKind::Plain, options)?;
        let secured = self.encryption.start(&self.clock)?;
        let plain = |places: &[Listen]| bind(places, ListenerKind::Plain, SocketOptions::default());
        let http = plain(&self.http_addresses).map_err(StartFailure::http)?;
        let metrics = plain(&self.prometheus_addresses).map_err(StartFailure::prometheus)?;
        Ok(Sockets { amqp, http, metrics, secured, options })
    }

    /// What the system is told of sockets for AMQP.
    fn socket_options(&self) -> SocketOptions {
        let options = self.configured.as_deref().map(SocketOptions::from).unwrap_or_default();
        self.socket_buffer_bytes.map_or(options, |bytes| options.with_buffers(bytes))
    }
}

impl Sockets {
    /// All of them, for those who ask.
    pub(super) fn listeners(&self) -> Vec<ListenerInfo> {
        management::listeners(&self.amqp, &self.http, &self.secured, &self.metrics)
    }

    /// Takes out those that HTTP is spoken on.
    pub(super) fn take_web(&mut self) -> WebSockets {
        WebSockets {
            management: std::mem::take(&mut self.http),
            metrics: std::mem::take(&mut self.metrics),
            secured_management: self.secured.http.take(),
            secured_metrics: self.secured.prometheus.take(),
        }
    }

    /// Those that AMQP is spoken on, and how those with TLS speak it.
    pub(super) fn into_amqp(self) -> impl Iterator<Item = (ListeningSocket, Option<Arc<TlsEndpoint>>)> {
        let Self { amqp, secured, options, .. } = self;
        let plain = amqp.into_iter().map(move |bound| (closable(bound, ListenerKind::Plain, options), None));
        plain.chain(secured.into_sockets())
    }
}
