//! Why a broker could not be started.

use std::io;
use std::net::SocketAddr;

use super::auth::AuthError;
use crate::broker::administration::AdministrationError;
use crate::http::HttpFailed;
use crate::store::StoreError;
use crate::store::disk::DirectoryError;
use crate::tls::{InvalidTrust, TlsFilesError};

/// Why a broker could not be started: a sentence for people, that says what to do about it.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StartError(Box<StartFailure>);

impl From<StartFailure> for StartError {
    fn from(failure: StartFailure) -> Self {
        Self(Box::new(failure))
    }
}

/// All reasons, for the code that finds them.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartFailure {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --amqp-listen, or stop what listens there")]
    Listen {
        /// Where the broker was to listen.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// Where messages are to be kept was not said.
    #[error("it was not said where to keep messages: call data_dir(...), or in_memory()")]
    NoStore,
    /// The data directory cannot be used.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// What is in the data directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A user or virtual host that is to be there cannot be made.
    #[error("cannot make the first users and virtual hosts: {0}")]
    Administration(#[from] AdministrationError),
    /// An operator policy of the configuration makes no sense.
    #[error("default_policies.operator.{0}: {1}")]
    DefaultPolicy(String, AdministrationError),
    /// TLS cannot be spoken with the files that are given.
    #[error("TLS: {field}: {error}")]
    Tls {
        /// The setting that names the file.
        field: &'static str,
        /// What is wrong with it.
        error: TlsFilesError,
    },
    /// Users cannot be known as it is configured.
    #[error("users: {0}")]
    Auth(#[from] AuthError),
    /// The certificate of the receiver of alerts cannot be looked at.
    #[error("alerts_webhook_cacertfile: {0}")]
    Webhook(#[from] InvalidTrust),
    /// There is no certificate for TLS.
    #[error(
        "TLS needs a certificate and its key: give them with --tls-cert and --tls-key (ssl_options.certfile, ssl_options.keyfile); leveret tls dev makes some to try it"
    )]
    NoCertificate,
    /// The address cannot be listened on with TLS.
    #[error(
        "cannot listen on {address}: {source}; choose another with --amqps-listen (--https-listen, --prometheus-tls-listen), or stop what listens there"
    )]
    ListenTls {
        /// Where the broker was to listen.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// Definitions cannot be imported.
    #[error("cannot import definitions: {0}")]
    Definitions(String),
    /// The group that may give commands is not there.
    #[error("there is no group '{group}' on this machine, which socket_group names; make it, or leave the setting out")]
    NoGroup {
        /// The name that the setting gives.
        group: String,
    },
    /// There is nothing to listen on.
    #[error(
        "there is no address to listen on for AMQP; give one with --amqp-listen (listeners.tcp.default), or with TLS: --amqps-listen (listeners.ssl.default)"
    )]
    NoAddress,
    /// The platform does not tell where data belongs.
    #[error("no home directory is known to keep messages in; give one with --data-dir, or say --in-memory")]
    NoDataDirectory,
    /// The address for metrics cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; choose another with --prometheus-listen, or stop what listens there"
    )]
    ListenPrometheus {
        /// Where the broker was to listen.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// The HTTP address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --http-listen, or stop what listens there")]
    ListenHttp {
        /// Where the broker was to listen.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// The management API cannot be served.
    #[error(transparent)]
    Http(#[from] HttpFailed),
}

impl StartFailure {
    /// The same about a listener with TLS.
    pub(super) fn with_tls(self) -> Self {
        if let Self::Listen { address, source } = self {
            return Self::ListenTls { address, source };
        }
        self
    }

    /// The same about the metrics.
    pub(super) fn prometheus(self) -> Self {
        if let Self::Listen { address, source } = self {
            return Self::ListenPrometheus { address, source };
        }
        self
    }

    /// The same about the HTTP API.
    pub(super) fn http(self) -> Self {
        if let Self::Listen { address, source } = self {
            return Self::ListenHttp { address, source };
        }
        self
    }
}
