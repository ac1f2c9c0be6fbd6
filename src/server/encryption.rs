//! What a broker is to do about TLS, and how that is started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::binding::{ListenerKind, SocketOptions, bind, closable};
use super::builder::Builder;
use super::places::ListenPlaces;
use super::start_error::StartFailure;
use crate::clock::Clock;
use crate::config::{CertificatePart, Listen, Settings};
use crate::connection::listening_socket::ListeningSocket;
use crate::connection::socket::TlsEndpoint;
use crate::protocol::sasl::Mechanism;
use crate::tls::{Certificates, LoginFrom, TlsField, TlsSettings, Turns, Verify};

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct ServerTls {
    pub(super) amqp: SecuredPlaces,
    pub(super) http: SecuredPlaces,
    pub(super) prometheus: SecuredPlaces,
    /// As RabbitMQ's `auth_mechanisms`; `None` for what is usual.
    pub(super) mechanisms: Option<Vec<Mechanism>>,
    pub(super) login_from: LoginFrom,
}

/// One protocol that is to be spoken with TLS.
#[derive(Debug, Default)]
pub(super) struct SecuredPlaces {
    addresses: Vec<Listen>,
    tls: Option<TlsSettings>,
    names: Names,
    options: SocketOptions,
}

/// What the settings of certificate, key and authorities are called, for whoever gave them.
#[derive(Clone, Copy, Debug)]
struct Names([&'static str; 3]);

impl Default for Names {
    /// Those of [`TlsSettings`], in a program that embeds a broker.
    fn default() -> Self {
        Self(["certfile", "keyfile", "cacertfile"])
    }
}

impl Names {
    const OF_AMQP: Self =
        Self(["tls_cert (ssl_options.certfile)", "tls_key (ssl_options.keyfile)", "tls_ca (ssl_options.cacertfile)"]);
    const OF_HTTP: Self = Self([
        "https_cert (management.ssl.certfile)",
        "https_key (management.ssl.keyfile)",
        "https_ca (management.ssl.cacertfile)",
    ]);
    const OF_PROMETHEUS: Self = Self([
        "prometheus_cert (prometheus.ssl.certfile)",
        "prometheus_key (prometheus.ssl.keyfile)",
        "prometheus_ca (prometheus.ssl.cacertfile)",
    ]);

    const fn of(self, field: TlsField) -> &'static str {
        let Self([certificate, key, authorities]) = self;
        match field {
            TlsField::Certificate => certificate,
            TlsField::Key => key,
            TlsField::Authorities => authorities,
            TlsField::Hosts => "tls_hosts (sni_hosts)",
            TlsField::Whole => "tls_versions (ssl_options.versions)",
        }
    }
}

/// What listens with TLS.
#[derive(Debug, Default)]
pub(super) struct Secured {
    pub(super) amqp: Vec<TcpListener>,
    pub(super) amqp_endpoint: Option<Arc<TlsEndpoint>>,
    /// Of the sockets for AMQP.
    options: SocketOptions,
    pub(super) http: SecuredHttp,
    pub(super) prometheus: SecuredHttp,
}

/// Sockets for HTTP, and what they need.
#[derive(Debug, Default)]
pub(super) struct SecuredHttp {
    pub(super) sockets: Vec<TcpListener>,
    /// `None` without sockets.
    pub(super) certificates: Option<Arc<Certificates>>,
}

impl SecuredHttp {
    /// The sockets, with what they need.
    pub(super) fn take(&mut self) -> Vec<(TcpListener, Arc<Certificates>)> {
        let Some(certificates) = &self.certificates else { return Vec::new() };
        std::mem::take(&mut self.sockets).into_iter().map(|socket| (socket, Arc::clone(certificates))).collect()
    }
}

impl Builder {
    /// Listens for AMQP with TLS here, too; by default it does not.
    #[must_use]
    pub fn amqps_listen(mut self, address: SocketAddr, tls: TlsSettings) -> Self {
        self.encryption.amqp = SecuredPlaces::at(address, tls);
        self
    }

    /// Serves the management HTTP API with TLS here, too; by default it does not.
    #[must_use]
    pub fn https_listen(mut self, address: SocketAddr, tls: TlsSettings) -> Self {
        self.encryption.http = SecuredPlaces::at(address, tls);
        self
    }

    /// Serves metrics for Prometheus with TLS here, too; by default it does not.
    #[must_use]
    pub fn prometheus_tls_listen(mut self, address: SocketAddr, tls: TlsSettings) -> Self {
        self.encryption.prometheus = SecuredPlaces::at(address, tls);
        self
    }

    /// How clients may log in, most welcome first. `EXTERNAL` is by the certificate of the client, so only with TLS.
    #[must_use]
    pub fn auth_mechanisms(mut self, mechanisms: &[Mechanism]) -> Self {
        self.encryption.mechanisms = Some(mechanisms.to_vec());
        self
    }

    /// What of a client's certificate names the user.
    #[must_use]
    pub fn login_from_certificate(mut self, login_from: LoginFrom) -> Self {
        self.encryption.login_from = login_from;
        self
    }
}

impl SecuredPlaces {
    fn at(address: SocketAddr, tls: TlsSettings) -> Self {
        Self { addresses: vec![Listen::At(address)], tls: Some(tls), ..Self::default() }
    }

    fn certificates(&self, clock: &Clock) -> Result<Arc<Certificates>, StartFailure> {
        let settings = self.tls.clone().ok_or(StartFailure::NoCertificate)?;
        let fault = |(field, error)| StartFailure::Tls { field: self.names.of(field), error };
        Certificates::load(settings, clock.clone()).map_err(fault)
    }

    fn listen(&self) -> Result<Vec<TcpListener>, StartFailure> {
        bind(&self.addresses, ListenerKind::Tls, self.options).map_err(StartFailure::with_tls)
    }

    fn http(&self, clock: &Clock) -> Result<SecuredHttp, StartFailure> {
        if self.addresses.is_empty() {
            return Ok(SecuredHttp::default());
        }
        let certificates = Some(self.certificates(clock)?);
        Ok(SecuredHttp { sockets: self.listen()?, certificates })
    }
}

impl ServerTls {
    /// What the configuration asks for.
    pub(super) fn for_settings(configured: &Settings, places: &ListenPlaces) -> Self {
        let (san_type, index) = (configured.ssl_cert_login_san_type, configured.ssl_cert_login_san_index.0);
        let login_from = match configured.ssl_cert_login_from {
            CertificatePart::Subject => LoginFrom::DistinguishedName,
            CertificatePart::CommonName => LoginFrom::CommonName,
            CertificatePart::AlternativeName => LoginFrom::SubjectAlternativeName { san_type, index },
        };
        let mechanisms = Some(configured.auth_mechanisms.clone()).filter(|mechanisms| !mechanisms.is_empty());
        let http = [&configured.https_cert, &configured.https_key, &configured.https_ca];
        let http_clients = (configured.https_verify, configured.https_require_client_cert);
        let metrics = [&configured.prometheus_cert, &configured.prometheus_key, &configured.prometheus_ca];
        let metrics_clients = (configured.prometheus_verify, configured.prometheus_require_client_cert);
        let amqp_clients = (configured.tls_verify, configured.tls_require_client_cert);
        Self {
            amqp: SecuredPlaces {
                options: configured.into(),
                ..asked(configured, &places.amqps, (Names::OF_AMQP, [&None; 3]), amqp_clients)
            },
            http: asked(configured, &places.https, (Names::OF_HTTP, http), http_clients),
            prometheus: asked(configured, &places.prometheus_tls, (Names::OF_PROMETHEUS, metrics), metrics_clients),
            mechanisms,
            login_from,
        }
    }

    /// Reads the certificates alone.
    ///
    /// # Errors
    /// When a start would fail for one of them.
    pub(super) fn read(&self, clock: &Clock) -> Result<(), StartFailure> {
        let places = [&self.amqp, &self.http, &self.prometheus];
        places
            .into_iter()
            .filter(|places| !places.addresses.is_empty())
            .try_for_each(|places| places.certificates(clock).map(drop))
    }

    /// Reads certificates and binds addresses.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub(super) fn start(&self, clock: &Clock) -> Result<Secured, StartFailure> {
        let mut secured = Secured { options: self.amqp.options, ..Secured::default() };
        if !self.amqp.addresses.is_empty() {
            // Certificates first: if they cannot be used, the port was never taken.
            secured.amqp_endpoint = Some(self.amqp_endpoint(clock)?);
            secured.amqp = self.amqp.listen()?;
        }
        secured.http = self.http.http(clock)?;
        secured.prometheus = self.prometheus.http(clock)?;
        Ok(secured)
    }

    fn amqp_endpoint(&self, clock: &Clock) -> Result<Arc<TlsEndpoint>, StartFailure> {
        let verifies = self.amqp.tls.as_ref().is_some_and(|settings| settings.verify == Verify::Peer);
        if self.has_external() && !verifies {
            tracing::warn!(
                "EXTERNAL logins are enabled, but clients are not asked for certificates: set --tls-verify peer"
            );
        }
        let certificates = self.amqp.certificates(clock)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(TlsEndpoint { certificates, turns: Arc::new(Turns::for_processors(processors)) }))
    }

    /// Whether clients may log in with certificates.
    pub(super) fn has_external(&self) -> bool {
        self.mechanisms.as_ref().is_some_and(|mechanisms| mechanisms.contains(&Mechanism::External))
    }
}

/// A protocol with files of its own, or with those of AMQP: a certificate and its key are of the same place.
fn asked(
    configured: &Settings,
    addresses: &[Listen],
    (own_names, [own_cert, own_key, own_ca]): (Names, [&Option<PathBuf>; 3]),
    (verify, fail_if_no_peer_cert): (Verify, bool),
) -> SecuredPlaces {
    let has_own = own_cert.is_some() && own_key.is_some();
    let (Names([cert, key, _]), Names([_, _, ca])) =
        (if has_own { own_names } else { Names::OF_AMQP }, if own_ca.is_some() { own_names } else { Names::OF_AMQP });
    let (certfile, keyfile) = if has_own { (own_cert, own_key) } else { (&configured.tls_cert, &configured.tls_key) };
    let tls = certfile.clone().zip(keyfile.clone()).map(|(certfile, keyfile)| TlsSettings {
        certfile,
        keyfile,
        cacertfile: own_ca.clone().or_else(|| configured.tls_ca.clone()),
        verify,
        fail_if_no_peer_cert,
        versions: configured.tls_versions.clone(),
        hosts: configured.tls_hosts.clone(),
    });
    SecuredPlaces {
        addresses: addresses.to_vec(),
        tls,
        names: Names([cert, key, ca]),
        options: SocketOptions::default(),
    }
}

impl Secured {
    /// All certificates that are used.
    pub(super) fn certificates(&self) -> Vec<Arc<Certificates>> {
        let amqp = self.amqp_endpoint.iter().map(|endpoint| &endpoint.certificates);
        amqp.chain(&self.http.certificates).chain(&self.prometheus.certificates).map(Arc::clone).collect()
    }

    /// The sockets, with what they need.
    pub(super) fn into_sockets(self) -> impl Iterator<Item = (ListeningSocket, Option<Arc<TlsEndpoint>>)> {
        let Self { amqp, amqp_endpoint: endpoint, options, .. } = self;
        amqp.into_iter().map(move |socket| (closable(socket, ListenerKind::Tls, options), endpoint.clone()))
    }
}
