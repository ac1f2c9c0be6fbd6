//! What a broker is to do about TLS, and how that is started.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::StartError;
use super::binding::{Kind, bind};
use super::builder::Builder;
use crate::clock::Clock;
use crate::config::{CertificatePart, Listen, Settings};
use crate::connection::socket::TlsEndpoint;
use crate::protocol::sasl::Mechanism;
use crate::tls::{Certificates, LoginFrom, TlsSettings, Turns, Verify};

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Encryption {
    pub(super) amqp_addresses: Vec<Listen>,
    pub(super) amqp: Option<TlsSettings>,
    pub(super) http_addresses: Vec<Listen>,
    pub(super) http: Option<TlsSettings>,
    /// As RabbitMQ's `auth_mechanisms`; `None` for what is usual.
    pub(super) mechanisms: Option<Vec<Mechanism>>,
    pub(super) login_from: LoginFrom,
}

/// What listens with TLS.
#[derive(Debug, Default)]
pub(super) struct Secured {
    pub(super) amqp: Vec<TcpListener>,
    pub(super) amqp_endpoint: Option<Arc<TlsEndpoint>>,
    pub(super) http: Vec<TcpListener>,
    pub(super) http_certificates: Option<Arc<Certificates>>,
}

impl Builder {
    /// Listens for AMQP with TLS here, too; by default it does not.
    #[must_use]
    pub fn amqps_listen(mut self, address: SocketAddr, tls: TlsSettings) -> Self {
        self.encryption.amqp_addresses = vec![Listen::At(address)];
        self.encryption.amqp = Some(tls);
        self
    }

    /// Serves the management HTTP API with TLS here, too; by default it does not.
    #[must_use]
    pub fn https_listen(mut self, address: SocketAddr, tls: TlsSettings) -> Self {
        self.encryption.http_addresses = vec![Listen::At(address)];
        self.encryption.http = Some(tls);
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

impl Encryption {
    /// What the configuration asks for.
    pub(super) fn for_settings(configured: &Settings) -> Self {
        let certificate = configured.tls_cert.clone().zip(configured.tls_key.clone());
        let amqp = certificate.map(|(certfile, keyfile)| TlsSettings {
            certfile,
            keyfile,
            cacertfile: configured.tls_ca.clone(),
            verify: configured.tls_verify,
            fail_if_no_peer_cert: configured.tls_require_client_cert,
            versions: configured.tls_versions.clone(),
        });
        let (san_type, index) = (configured.ssl_cert_login_san_type, configured.ssl_cert_login_san_index.0);
        let login_from = match configured.ssl_cert_login_from {
            CertificatePart::Subject => LoginFrom::DistinguishedName,
            CertificatePart::CommonName => LoginFrom::CommonName,
            CertificatePart::AlternativeName => LoginFrom::SubjectAlternativeName { san_type, index },
        };
        let own = configured.https_cert.clone().zip(configured.https_key.clone());
        let common = amqp.as_ref().map(|tls| (tls.certfile.clone(), tls.keyfile.clone()));
        let http = own.or(common).map(|(certfile, keyfile)| TlsSettings {
            certfile,
            keyfile,
            cacertfile: configured.https_ca.clone().or_else(|| configured.tls_ca.clone()),
            verify: configured.https_verify,
            fail_if_no_peer_cert: configured.https_require_client_cert,
            versions: configured.tls_versions.clone(),
        });
        let mechanisms = Some(configured.auth_mechanisms.clone()).filter(|mechanisms| !mechanisms.is_empty());
        Self {
            amqp_addresses: configured.amqps_listen.clone(),
            amqp,
            http_addresses: if configured.no_http { Vec::new() } else { configured.https_listen.clone() },
            http,
            mechanisms,
            login_from,
        }
    }

    /// Reads certificates and binds addresses.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub(super) async fn start(&self, clock: &Clock) -> Result<Secured, StartError> {
        let mut secured = Secured::default();
        if !self.amqp_addresses.is_empty() {
            secured.amqp_endpoint = Some(self.amqp_endpoint(clock)?);
            secured.amqp = bind(&self.amqp_addresses, Kind::Tls).await.map_err(StartError::with_tls)?.1;
        }
        if !self.http_addresses.is_empty() {
            let settings = self.http.clone().ok_or(StartError::NoCertificate)?;
            secured.http_certificates = Some(Certificates::load(settings, clock.clone())?);
            secured.http = bind(&self.http_addresses, Kind::Tls).await.map_err(StartError::with_tls)?.1;
        }
        Ok(secured)
    }

    fn amqp_endpoint(&self, clock: &Clock) -> Result<Arc<TlsEndpoint>, StartError> {
        let settings = self.amqp.clone().ok_or(StartError::NoCertificate)?;
        if self.has_external() && settings.verify == Verify::None {
            tracing::warn!(
                "EXTERNAL logins are enabled, but clients are not asked for certificates: set --tls-verify peer"
            );
        }
        let certificates = Certificates::load(settings, clock.clone())?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Arc::new(TlsEndpoint { certificates, turns: Arc::new(Turns::for_processors(processors)) }))
    }

    /// Whether clients may log in with certificates.
    pub(super) fn has_external(&self) -> bool {
        self.mechanisms.as_ref().is_some_and(|mechanisms| mechanisms.contains(&Mechanism::External))
    }
}

impl Secured {
    /// All certificates that are used.
    pub(super) fn certificates(&self) -> Vec<Arc<Certificates>> {
        let amqp = self.amqp_endpoint.iter().map(|endpoint| &endpoint.certificates);
        amqp.chain(&self.http_certificates).map(Arc::clone).collect()
    }

    /// The sockets for HTTP, with what they need.
    pub(super) fn take_http(&mut self) -> Vec<(TcpListener, Arc<Certificates>)> {
        let Some(certificates) = &self.http_certificates else { return Vec::new() };
        std::mem::take(&mut self.http).into_iter().map(|socket| (socket, Arc::clone(certificates))).collect()
    }

    /// The sockets, with what they need.
    pub(super) fn into_sockets(self) -> impl Iterator<Item = (TcpListener, Option<Arc<TlsEndpoint>>)> {
        let endpoint = self.amqp_endpoint;
        self.amqp.into_iter().map(move |socket| (socket, endpoint.clone()))
    }

    /// Where it listens for AMQP first.
    pub(super) fn amqp_address(&self) -> Option<SocketAddr> {
        self.amqp.first().and_then(|socket| socket.local_addr().ok())
    }
}
