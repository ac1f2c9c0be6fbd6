//! TLS: the files with certificates, what a broker and a client agreed on, who a client's certificate says that it is, and whom the
//! broker believes where it is the client.
//!
//! Bytes come from files and from the caller: there is no socket here. Those who have one are `connection/socket/tls` and
//! `http/secure`.

mod advice;
mod anybody;
mod certificates;
mod chain;
mod files;
mod hosts;
mod login;
mod name;
mod security;
pub(crate) mod trust;
mod turns;

use std::path::PathBuf;

pub(crate) use advice::tip;
pub(crate) use certificates::Certificates;
pub(crate) use files::{TlsField, TlsFilesError};
pub(crate) use login::NoLoginName;
pub use login::{LoginFrom, SanType};
pub(crate) use security::Security;
pub(crate) use trust::{ClientIdentity, InvalidTrust, Trust};
pub(crate) use turns::Turns;

/// How TLS is to be spoken. The names are RabbitMQ's, of its `ssl_options`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The broker's certificate, and those that lead from it to its authority, in PEM.
    pub certfile: PathBuf,
    /// The key of the certificate, in PEM.
    pub keyfile: PathBuf,
    /// Certificates of the authorities that a client's certificate may come from, in PEM.
    pub cacertfile: Option<PathBuf>,
    /// Whether clients are asked for a certificate.
    pub verify: Verify,
    /// Whether a client without a certificate is refused. It is asked for one only with [`Verify::Peer`].
    pub fail_if_no_peer_cert: bool,
    /// The versions that are spoken; all without any.
    pub versions: Vec<TlsVersion>,
    /// Other certificates for clients that ask for these hosts (SNI); RabbitMQ's `sni_hosts`.
    pub hosts: Vec<HostCertificate>,
}

/// The certificate that clients are shown who ask for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificate {
    /// `a.example.com`, or `*.example.com` for all names with one more word.
    pub host: String,
    /// Its certificate, and those that lead from it to its authority, in PEM.
    pub certfile: PathBuf,
    /// The key of the certificate, in PEM.
    pub keyfile: PathBuf,
}

/// Whether clients are asked for a certificate, which then must be one of a known authority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// They are not asked.
    #[default]
    None,
    /// They are asked.
    Peer,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2
    V1_2,
    /// 1.3
    V1_3,
}
