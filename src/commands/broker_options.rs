//! The options of Leveret's own commands that say which broker is asked.

use std::path::PathBuf;

use clap::Args;

use super::client::{Client, Problem};
use super::target::{TlsOptions, Wanted};

/// Which broker is asked, and as whom.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(super) struct BrokerOptions {
    /// The socket of a broker on this machine
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,

    /// The data directory of a broker on this machine
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// The port on which a broker of this machine listens for AMQP
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The HTTP API of a broker anywhere
    #[arg(long, value_name = "http[s]://HOST:PORT")]
    url: Option<String>,

    /// Who asks over HTTP [default: guest]
    #[arg(long, value_name = "NAME", requires = "url")]
    username: Option<String>,

    /// Its password [default: guest]
    #[arg(long, value_name = "PASSWORD", requires = "url")]
    password: Option<String>,

    #[command(flatten)]
    tls: TlsArguments,
}

/// How TLS is spoken with it.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(super) struct TlsArguments {
    /// With TLS: the authorities that the broker's certificate may come from, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    tls_ca_cert_file: Option<PathBuf>,

    /// With TLS: the certificate to show, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key_file")]
    tls_cert_file: Option<PathBuf>,

    /// The key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert_file")]
    tls_key_file: Option<PathBuf>,

    /// With TLS: whatever the broker's certificate is
    #[arg(long)]
    insecure: bool,
}

impl TlsArguments {
    /// The same as other commands have it.
    pub(super) fn options(&self) -> TlsOptions {
        TlsOptions {
            ca_file: self.tls_ca_cert_file.clone(),
            cert_file: self.tls_cert_file.clone(),
            key_file: self.tls_key_file.clone(),
            is_insecure: self.insecure,
        }
    }
}

impl BrokerOptions {
    /// Whoever asks that broker.
    ///
    /// # Errors
    /// When there is none, or one must choose.
    pub(super) fn client(&self) -> Result<Client, Problem> {
        let configured = Wanted::from_configuration();
        let wanted = Wanted {
            socket: self.socket.clone().or(configured.socket),
            data_dir: self.data_dir.clone().or(configured.data_dir),
            port: self.port.or(configured.port),
            url: self.url.clone().or(configured.url),
            user: self.username.clone(),
            password: self.password.clone(),
            tls: self.tls.options(),
        };
        Client::new(wanted.find().map_err(Problem::Unreachable)?, Some(PATIENCE))
    }
}

/// How long a command waits for an answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
