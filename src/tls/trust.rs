//! Which certificates of servers are accepted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::Verify;
use super::anybody::Anybody;

/// Whom to believe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Authorities that the system knows.
    System,
    /// Those in a file, in PEM.
    File(PathBuf),
    /// Anybody: the connection is encrypted, with whomever it is.
    Anybody,
}

/// A certificate that a client shows, and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The file with the certificate, and those that lead to its authority.
    pub certificate: PathBuf,
    /// The file with its key.
    pub key: PathBuf,
}

impl ClientIdentity {
    /// That in these files, if there is one. As in RabbitMQ, one file may hold both.
    pub(crate) fn of(certificate: Option<&PathBuf>, key: Option<&PathBuf>) -> Option<Self> {
        let certificate = certificate?;
        Some(Self { certificate: certificate.clone(), key: key.unwrap_or(certificate).clone() })
    }
}

/// How a command of this program speaks TLS with a broker: whom it believes, and which certificate it shows.
///
/// # Errors
/// A sentence, when a file cannot be used.
pub fn client_tls(
    authorities: Option<&PathBuf>,
    identity: Option<&ClientIdentity>,
    is_verified: bool,
) -> Result<ClientConfig, String> {
    let verify = if is_verified { Verify::Peer } else { Verify::None };
    Trust::of(verify, authorities).tls_as(identity).map_err(|error| error.to_string())
}

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTrust {
    /// The file cannot be read.
    #[error("cannot read the authorities in {}: {error}", .file.display())]
    Unreadable { file: PathBuf, error: io::Error },
    /// There is none in it.
    #[error("no certificate of an authority is in {}", .0.display())]
    Empty(PathBuf),
    /// The client's own certificate, or its key.
    #[error("cannot use the certificate in {} with the key in {}: {error}", .certificate.display(), .key.display())]
    Identity {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// The library refuses it.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// Whom these settings name.
    pub(crate) fn of(verify: Verify, file: Option<&PathBuf>) -> Self {
        match (verify, file) {
            (Verify::None, _) => Self::Anybody,
            (Verify::Peer, Some(file)) => Self::File(file.clone()),
            (Verify::Peer, None) => Self::System,
        }
    }

    /// How TLS is spoken with such a server.
    ///
    /// # Errors
    /// When nobody can be believed.
    pub(crate) fn tls(&self) -> Result<ClientConfig, InvalidTrust> {
        self.tls_as(None)
    }

    /// The same, with a certificate to show.
    ///
    /// # Errors
    /// When nobody can be believed, or there is no such certificate.
    pub(crate) fn tls_as(&self, identity: Option<&ClientIdentity>) -> Result<ClientConfig, InvalidTrust> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let roots = match self {
            Self::System => system(),
            Self::File(file) => of_file(file)?,
            Self::Anybody => {
                let verifier = Arc::new(Anybody(provider));
                return shown(builder.dangerous().with_custom_certificate_verifier(verifier), identity);
            }
        };
        shown(builder.with_root_certificates(roots), identity)
    }
}

/// Has the client show its certificate, if it has one.
fn shown(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, InvalidTrust> {
    let Some(ClientIdentity { certificate, key }) = identity else { return Ok(builder.with_no_client_auth()) };
    let wrong = |error: String| InvalidTrust::Identity { certificate: certificate.clone(), key: key.clone(), error };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(|error| wrong(error.to_string()))?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(error.to_string()))?;
    builder.with_client_auth_cert(chain, private).map_err(|error| wrong(error.to_string()))
}

fn system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn of_file(file: &PathBuf) -> Result<RootCertStore, InvalidTrust> {
    let unreadable = |error: io::Error| InvalidTrust::Unreadable { file: file.clone(), error };
    let pem = std::fs::read(file).map_err(unreadable)?;
    let mut roots = RootCertStore::empty();
    match roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten()) {
        (0, _) => Err(InvalidTrust::Empty(file.clone())),
        _ => Ok(roots),
    }
}
