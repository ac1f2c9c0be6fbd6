//! `leveret tls dev`: an authority and certificates to try TLS with.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use leveret::Clock;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use super::{Run, system};

/// How long certificates hold. Some systems believe none that holds longer.
const CERTIFICATE_DAYS: i64 = 825;
const AUTHORITY_DAYS: i64 = 3650;

/// The arguments of `leveret tls`.
#[derive(Debug, Args)]
#[command(after_help = "Example: leveret tls dev --dir certificates")]
pub(super) struct Tls {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Make an authority of your own and certificates for a broker and a client, and say how to use them.
    Dev(Dev),
}

#[derive(Debug, Args)]
struct Dev {
    /// Where to put them; must not be there yet
    #[arg(long, value_name = "DIR", default_value = "leveret-tls")]
    dir: PathBuf,

    /// A name or an address that clients connect to; may be given several times [default: localhost, 127.0.0.1, ::1]
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,

    /// The user that the client's certificate is for
    #[arg(long, value_name = "USER", default_value = "guest")]
    client: String,
}

impl Run for Tls {
    fn run(self) -> ExitCode {
        let Task::Dev(dev) = self.task;
        match dev.make() {
            Ok(()) => {
                let text = dev.instructions();
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
                written.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
            }
            Err(error) => {
                writeln!(io::stderr(), "leveret: {error}").ok();
                ExitCode::FAILURE
            }
        }
    }
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
enum NotMade {
    #[error("{0} is there already: use what is in it, remove it, or name another directory with --dir")]
    AlreadyThere(String),
    #[error("cannot write {file}: {source}")]
    Unwritable { file: String, source: io::Error },
    #[error("cannot make a certificate: {0}; names given with --host must be names or addresses")]
    Certificate(#[from] rcgen::Error),
}

impl Dev {
    fn hosts(&self) -> Vec<String> {
        if self.host.is_empty() {
            ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
        } else {
            self.host.clone()
        }
    }

    fn make(&self) -> Result<(), NotMade> {
        let now_s = i64::try_from(Clock::system().now_ms() / 1000).unwrap_or_default();
        let now = OffsetDateTime::from_unix_timestamp(now_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut params = lasting(CertificateParams::default(), "Leveret development CA", now, AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let hosts = self.hosts();
        let name = hosts.first().map_or("localhost", String::as_str);
        let mut server = lasting(CertificateParams::new(hosts.clone())?, name, now, CERTIFICATE_DAYS);
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut client = lasting(CertificateParams::default(), &self.client, now, CERTIFICATE_DAYS);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];

        // After all names were looked at: a wrong one leaves no directory behind.
        self.make_directory()?;
        write(&self.dir.join("ca.pem"), &authority.pem())?;
        write(&self.dir.join("ca.key"), &authority.key().serialize_pem())?;
        for (file, params) in [("server", server), ("client", client)] {
            let key = KeyPair::generate()?;
            write(&self.dir.join(format!("{file}.pem")), &params.signed_by(&key, &authority)?.pem())?;
            write(&self.dir.join(format!("{file}.key")), &key.serialize_pem())?;
        }
        Ok(())
    }

    /// For the user alone: keys are in it.
    fn make_directory(&self) -> Result<(), NotMade> {
        system::create_directory_for_one_user(&self.dir).map_err(|source| {
            let file = self.dir.display().to_string();
            if source.kind() == io::ErrorKind::AlreadyExists {
                NotMade::AlreadyThere(file)
            } else {
                NotMade::Unwritable { file, source }
            }
        })
    }

    fn instructions(&self) -> String {
        let dir = fs::canonicalize(&self.dir).unwrap_or_else(|_| self.dir.clone()).display().to_string();
        let host = self.hosts().first().cloned().unwrap_or_default();
        INSTRUCTIONS.replace("{dir}", &dir).replace("{host}", &host)
    }
}

fn lasting(mut params: CertificateParams, name: &str, now: OffsetDateTime, days: i64) -> CertificateParams {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Clocks differ.
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(days);
    params.use_authority_key_identifier_extension = true;
    params
}

fn write(file: &Path, text: &str) -> Result<(), NotMade> {
    let written = system::for_one_user(OpenOptions::new().write(true).create_new(true)).open(file);
    let written = written.and_then(|mut made| made.write_all(text.as_bytes()));
    written.map_err(|source| NotMade::Unwritable { file: file.display().to_string(), source })
}

const INSTRUCTIONS: &str = r#"An authority and certificates for development are in {dir}. Start the broker with them:

leveret --amqps-listen 5671 --tls-cert {dir}/server.pem --tls-key {dir}/server.key

Clients trust the authority, as with Python (pika):

import pika, ssl
tls = ssl.create_default_context(cafile="{dir}/ca.pem")
options = pika.SSLOptions(tls, "{host}")
connection = pika.BlockingConnection(pika.ConnectionParameters("{host}", 5671, ssl_options=options))
print(connection.is_open)

Node.js (amqplib):

const amqp = require("amqplib"), fs = require("fs");
const ca = [fs.readFileSync("{dir}/ca.pem")];
amqp.connect("amqps://{host}:5671", { ca }).then((connection) => connection.close());

Go (amqp091-go):

ca, _ := os.ReadFile("{dir}/ca.pem")
roots := x509.NewCertPool()
roots.AppendCertsFromPEM(ca)
connection, err := amqp.DialTLS("amqps://{host}:5671", &tls.Config{RootCAs: roots})

Java, after keytool -importcert -noprompt -alias dev -file {dir}/ca.pem -keystore {dir}/ca.p12 -storepass changeit
and with -Djavax.net.ssl.trustStore={dir}/ca.p12 -Djavax.net.ssl.trustStorePassword=changeit:

ConnectionFactory factory = new ConnectionFactory();
factory.setUri("amqps://{host}:5671");
factory.useSslProtocol(javax.net.ssl.SSLContext.getDefault());
factory.enableHostnameVerification();
Connection connection = factory.newConnection();

To ask clients for a certificate, and let them log in with {dir}/client.pem and {dir}/client.key, add

  --tls-ca {dir}/ca.pem --tls-verify peer --auth-mechanisms PLAIN --auth-mechanisms EXTERNAL --ssl-cert-login-from common_name
"#;
