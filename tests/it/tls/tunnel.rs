//! Lets the tests' client, which knows no TLS, talk to a port that does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Authority, Issued};

/// How a client speaks TLS.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Believes this authority, and shows nothing.
    pub fn of(authority: &Authority) -> Self {
        Self::made(authority, None, rustls::DEFAULT_VERSIONS)
    }

    /// Shows a certificate of its own.
    pub fn showing(authority: &Authority, issued: &Issued) -> Self {
        Self::made(authority, Some(issued), rustls::DEFAULT_VERSIONS)
    }

    pub fn made(
        authority: &Authority,
        issued: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let shown = issued.map(|Issued { certificate, key }| {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            (certificate, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
        });
        Self::in_der(authority.der(), shown, versions)
    }

    pub fn in_der(
        authority: CertificateDer<'static>,
        shown: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let builder = builder.with_root_certificates(roots);
        let config = match shown {
            Some((certificate, key)) => builder.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        Self(Arc::new(config))
    }

    /// Shakes hands with a broker.
    pub async fn connect(&self, broker: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        self.connect_as("localhost", broker).await
    }

    /// The same with another host's name.
    pub async fn connect_as(&self, host: &'static str, broker: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host).unwrap();
        TlsConnector::from(Arc::clone(&self.0)).connect(name, TcpStream::connect(broker).await?).await
    }
}

/// A port, each connection to which leads through TLS to the broker.
pub async fn tunnel(broker: SocketAddr, trust: Trust) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut plain, _)) = listener.accept().await {
            let trust = trust.clone();
            tokio::spawn(async move {
                if let Ok(mut secured) = trust.connect(broker).await {
                    tokio::io::copy_bidirectional(&mut plain, &mut secured).await.ok();
                }
            });
        }
    });
    address
}
