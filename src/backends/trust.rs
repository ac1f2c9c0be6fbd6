//! Whom to believe that a server is who it says.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

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

/// Why nobody can be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidTrust {
    /// The file cannot be read.
    #[error("cannot read the authorities in {}: {error}", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is none in it.
    #[error("no certificate of an authority is in {}", .0.display())]
    Empty(PathBuf),
    /// The library refuses it.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// How TLS is spoken with such a server.
    ///
    /// # Errors
    /// When nobody can be believed.
    pub(crate) fn tls(&self) -> Result<ClientConfig, InvalidTrust> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
        let roots = match self {
            Self::System => system(),
            Self::File(file) => of_file(file)?,
            Self::Anybody => {
                let verifier = Arc::new(Anybody(provider));
                return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
            }
        };
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
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
