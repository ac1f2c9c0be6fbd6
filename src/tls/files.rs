//! Reads the files with certificates and keys, and says which of them is wrong, how, and what to do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::hosts::{self, ByHost};
use super::{HostCertificate, TlsSettings, TlsVersion, Verify, chain};

/// What is wrong with the files of TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsFilesError {
    /// A file cannot be read.
    #[error("cannot read {what} from {file}: {source}; check the path, and that the broker's user may read it", file = file.display())]
    Unreadable {
        /// What is to be in it.
        what: &'static str,
        file: PathBuf,
        source: io::Error,
    },
    /// A file is no PEM.
    #[error("{file} is not in the PEM format: {reason}; it must have lines such as -----BEGIN CERTIFICATE-----", file = file.display())]
    NotPem {
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no certificate in it.
    #[error("{file} holds no certificate{found}; name a PEM file that begins with the broker's own certificate", file = file.display())]
    NoCertificate {
        file: PathBuf,
        /// What it holds instead.
        found: Found,
    },
    /// A certificate cannot be understood.
    #[error("certificate {number} in {file} cannot be read: {reason}; make it anew", file = file.display())]
    BadCertificate {
        file: PathBuf,
        /// Its place in the file, from 1.
        number: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no key in it.
    #[error("{file} holds no private key{found}; name the PEM file with the key of the certificate", file = file.display())]
    NoKey {
        file: PathBuf,
        /// What it holds instead.
        found: Found,
    },
    /// The key has a password.
    #[error("the private key in {file} is encrypted, which cannot be read; decrypt it: openssl pkey -in {file} -out plain.pem", file = file.display())]
    EncryptedKey { file: PathBuf },
    /// The key is of a kind that is not known.
    #[error("the private key in {file} cannot be used: {reason}; RSA keys of 2048 bits and more, ECDSA P-256 and P-384, and Ed25519 can", file = file.display())]
    BadKey { file: PathBuf, reason: String },
    /// Certificate and key are not of each other.
    #[error("the private key in {keyfile} is not the key of the certificate in {certfile}, which is that of {subject}; name the key that the certificate was made with", keyfile = keyfile.display(), certfile = certfile.display())]
    WrongKey {
        /// The file with the certificate.
        certfile: PathBuf,
        /// The file with the key.
        keyfile: PathBuf,
        /// Whose certificate it is.
        subject: String,
    },
    /// The key belongs to another certificate of the file.
    #[error("the key in {keyfile} is that of certificate {number} in {certfile}; put that certificate first", keyfile = keyfile.display(), certfile = certfile.display())]
    WrongOrder {
        /// The file with the certificates.
        certfile: PathBuf,
        /// The file with the key.
        keyfile: PathBuf,
        /// Which certificate the key belongs to, from 1.
        number: usize,
    },
    /// Clients are to be verified by nobody.
    #[error("clients are to show certificates, but it was not said whose: name the authorities there")]
    NoAuthorities,
    /// The settings cannot be had together.
    #[error("TLS cannot be set up as asked: {0}")]
    Refused(#[from] rustls::Error),
}

/// What was found in a file where something else was expected.
#[derive(Debug)]
pub(crate) enum Found {
    Nothing,
    /// A private key.
    Key,
    Certificates,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "",
            Self::Key => " but a private key (are the two files swapped?)",
            Self::Certificates => " but certificates (are the two files swapped?)",
        })
    }
}

/// Which of the files something is about, by the names of [`TlsSettings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsField {
    /// `certfile`
    Certificate,
    /// `keyfile`
    Key,
    /// `cacertfile`
    Authorities,
    /// `hosts`
    Hosts,
    /// None of them: what was asked for as a whole.
    Whole,
}

/// What is wrong, and with which of the files.
#[derive(Debug)]
pub(super) struct TlsFault {
    pub(super) field: TlsField,
    pub(super) error: TlsFilesError,
}

impl TlsFault {
    const fn of(field: TlsField, error: TlsFilesError) -> Self {
        Self { field, error }
    }
}

/// What the files say, ready for use.
#[derive(Clone, Debug)]
pub(super) struct LoadedTls {
    pub(super) config: Arc<ServerConfig>,
    /// What clients may be shown, the usual certificate first.
    pub(super) shown: Vec<ShownCertificate>,
}

/// A certificate that clients are shown.
#[derive(Clone, Debug)]
pub(super) struct ShownCertificate {
    pub(super) file: PathBuf,
    /// Between which times it holds, in seconds since 1970.
    pub(super) valid_s: (i64, i64),
    /// Whose certificate it is.
    pub(super) subject: String,
    /// The host that it is shown for, if it is not for that one: and those that it is for.
    pub(super) mismatch: Option<(String, String)>,
}

/// Reads and checks all files.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn load(settings: &TlsSettings) -> Result<LoadedTls, TlsFault> {
    let provider = Arc::new(ring::default_provider());
    let authorities = match &settings.cacertfile {
        Some(file) => certificates(file, "the authorities' certificates")
            .map_err(|error| TlsFault::of(TlsField::Authorities, error))?,
        None => Vec::new(),
    };
    let (usual, first) = shown(&settings.certfile, &settings.keyfile, &authorities, &provider)?;
    let mut all = vec![first];
    let mut hosts = Vec::new();
    for HostCertificate { host, certfile, keyfile } in &settings.hosts {
        let of_host = |fault: TlsFault| TlsFault { field: TlsField::Hosts, ..fault };
        let (key, mut shown) = shown(certfile, keyfile, &authorities, &provider).map_err(of_host)?;
        shown.mismatch = mismatch(host, key.cert.first());
        hosts.push((host.clone(), key));
        all.push(shown);
    }
    let refused = |error| TlsFault::of(TlsField::Whole, TlsFilesError::Refused(error));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(&settings.versions))
        .map_err(refused)?
        .with_client_cert_verifier(verifier(settings, &authorities, provider)?);
    let config = Arc::new(builder.with_cert_resolver(Arc::new(ByHost { usual, hosts })));
    Ok(LoadedTls { config, shown: all })
}

/// A certificate with its key, and what is to be known of it.
fn shown(
    certfile: &Path,
    keyfile: &Path,
    authorities: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Result<(Arc<CertifiedKey>, ShownCertificate), TlsFault> {
    let in_certificate = |error| TlsFault::of(TlsField::Certificate, error);
    let own = certificates(certfile, "the certificate").map_err(in_certificate)?;
    let leaf = parsed(certfile, 1, own.first()).map_err(in_certificate)?;
    let valid_s = (leaf.validity().not_before.timestamp(), leaf.validity().not_after.timestamp());
    let subject = super::name::distinguished(leaf.subject());
    let files = (certfile, keyfile);
    let key =
        with_key(files, own, &subject, authorities, provider).map_err(|error| TlsFault::of(TlsField::Key, error))?;
    Ok((Arc::new(key), ShownCertificate { file: certfile.to_owned(), valid_s, subject, mismatch: None }))
}

/// What a certificate is for, if that is not this host.
fn mismatch(host: &str, leaf: Option<&CertificateDer<'_>>) -> Option<(String, String)> {
    let (_, leaf) = X509Certificate::from_der(leaf?).ok()?;
    let names = hosts::names(&leaf);
    let is_for = names.iter().any(|name| name.eq_ignore_ascii_case(host) || hosts::is_for(name, host));
    (!is_for).then(|| (host.to_owned(), names.join(", ")))
}

fn versions(wanted: &[TlsVersion]) -> Vec<&'static SupportedProtocolVersion> {
    let is_wanted = |version| wanted.is_empty() || wanted.contains(&version);
    let all = [(TlsVersion::V1_3, &version::TLS13), (TlsVersion::V1_2, &version::TLS12)];
    all.into_iter().filter(|(version, _)| is_wanted(*version)).map(|(_, version)| version).collect()
}

fn with_key(
    (certfile, keyfile): (&Path, &Path),
    own: Vec<CertificateDer<'static>>,
    subject: &str,
    authorities: &[CertificateDer<'static>],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsFilesError> {
    let key = provider
        .key_provider
        .load_private_key(private_key(keyfile)?)
        .map_err(|error| TlsFilesError::BadKey { file: keyfile.to_owned(), reason: error.to_string() })?;
    let is_of = |certificate: &CertificateDer<'static>| {
        let alone = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&key));
        !matches!(alone.keys_match(), Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)))
    };
    let (certfile, keyfile) = (certfile.to_owned(), keyfile.to_owned());
    match own.iter().position(is_of) {
        Some(0) => Ok(CertifiedKey::new(chain::complete(own, authorities), key)),
        Some(at) => Err(TlsFilesError::WrongOrder { certfile, keyfile, number: at + 1 }),
        None => Err(TlsFilesError::WrongKey { certfile, keyfile, subject: subject.to_owned() }),
    }
}

fn verifier(
    settings: &TlsSettings,
    authorities: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let in_authorities = |error| TlsFault::of(TlsField::Authorities, error);
    if settings.verify == Verify::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let Some(file) = &settings.cacertfile else { return Err(in_authorities(TlsFilesError::NoAuthorities)) };
    let mut roots = RootCertStore::empty();
    for (number, authority) in (1..).zip(authorities) {
        roots.add(authority.clone()).map_err(|error| in_authorities(bad(file, number, error)))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if settings.fail_if_no_peer_cert { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| in_authorities(bad(file, 1, error)))
}

fn bad(file: &Path, number: usize, reason: impl ToString) -> TlsFilesError {
    TlsFilesError::BadCertificate { file: file.to_owned(), number, reason: reason.to_string() }
}

/// All certificates of a file; at least one, each of which can be read.
fn certificates(file: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsFilesError> {
    let sections = sections(file, what)?;
    let is_key = |kind: &SectionKind| !matches!(kind, SectionKind::Certificate);
    let found = if sections.iter().any(|(kind, _)| is_key(kind)) { Found::Key } else { Found::Nothing };
    let certificates = sections.into_iter().filter(|(kind, _)| !is_key(kind));
    let certificates: Vec<_> = certificates.map(|(_, der)| CertificateDer::from(der)).collect();
    if certificates.is_empty() {
        return Err(TlsFilesError::NoCertificate { file: file.to_owned(), found });
    }
    for (number, certificate) in (1..).zip(&certificates) {
        parsed(file, number, Some(certificate))?;
    }
    Ok(certificates)
}

fn parsed<'a>(
    file: &Path,
    number: usize,
    certificate: Option<&'a CertificateDer<'static>>,
) -> Result<X509Certificate<'a>, TlsFilesError> {
    let der = certificate.map(AsRef::as_ref).unwrap_or_default();
    X509Certificate::from_der(der).map(|(_, certificate)| certificate).map_err(|error| bad(file, number, error))
}

/// The first key of a file.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has many kinds, and there may be more")]
fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsFilesError> {
    let sections = sections(file, "the private key")?;
    let mut found = Found::Nothing;
    for (kind, der) in sections {
        match kind {
            SectionKind::Certificate => found = Found::Certificates,
            SectionKind::RsaPrivateKey => return Ok(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::PrivateKey => return Ok(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::EcPrivateKey => return Ok(PrivateKeyDer::Sec1(der.into())),
            _ => {}
        }
    }
    Err(TlsFilesError::NoKey { file: file.to_owned(), found })
}

/// What a PEM file holds, in its order.
fn sections(file: &Path, what: &'static str) -> Result<Vec<(SectionKind, Vec<u8>)>, TlsFilesError> {
    let text = fs::read(file).map_err(|source| TlsFilesError::Unreadable { what, file: file.to_owned(), source })?;
    if text.windows(ENCRYPTED_KEY.len()).any(|at| at == ENCRYPTED_KEY)
        || text.windows(ENCRYPTED.len()).any(|at| at == ENCRYPTED)
    {
        return Err(TlsFilesError::EncryptedKey { file: file.to_owned() });
    }
    <(SectionKind, Vec<u8>) as PemObject>::pem_slice_iter(&text)
        .collect::<Result<_, pem::Error>>()
        .map_err(|error| TlsFilesError::NotPem { file: file.to_owned(), reason: error.to_string() })
}

/// How PEM begins a key with a password; and how OpenSSL did before there was that.
const ENCRYPTED_KEY: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
const ENCRYPTED: &[u8] = b"Proc-Type: 4,ENCRYPTED";
