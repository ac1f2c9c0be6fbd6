//! What a broker and a client agreed on.

use rustls::{CipherSuite, ProtocolVersion, ServerConnection};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::login::{LoginFrom, NoLoginName};
use super::name;

/// A handshake that is over, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// The version, such as `tlsv1.3`.
    pub protocol: &'static str,
    /// How keys were exchanged.
    pub key_exchange: &'static str,
    /// How it is encrypted.
    pub cipher: &'static str,
    /// The hash.
    pub hash: &'static str,
    /// Whether clients are asked for certificates.
    pub verifies_peer: bool,
    /// The client's certificate, which was verified.
    pub peer: Option<Peer>,
}

/// Whose certificate a client has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    der: Vec<u8>,
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// From when until when it holds.
    pub validity: String,
}

impl Security {
    /// What was agreed on with a client.
    pub fn of(connection: &ServerConnection, verifies_peer: bool) -> Self {
        let (key_exchange, cipher, hash) = words(connection.negotiated_cipher_suite().map(|suite| suite.suite()));
        let protocol = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "tlsv1.2",
            _ => "tlsv1.3",
        };
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        let peer = shown.and_then(|certificate| Peer::of(certificate));
        Self { protocol, key_exchange, cipher, hash, verifies_peer, peer }
    }

    /// The user that the client's certificate is for.
    ///
    /// # Errors
    /// Why it is for nobody.
    pub fn login_name(&self, from: LoginFrom) -> Result<String, NoLoginName> {
        match &self.peer {
            _ if !self.verifies_peer => Err(NoLoginName::Unsafe),
            None => Err(NoLoginName::NoCertificate),
            Some(peer) => from.name(&peer.der),
        }
    }
}

impl Peer {
    fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let date = |time: x509_parser::time::ASN1Time| {
            let time = time.to_datetime();
            let (year, month, day) = time.to_calendar_date();
            let (hour, minute, second) = time.to_hms();
            format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        };
        Some(Self {
            der: der.to_vec(),
            subject: name::distinguished(certificate.subject()),
            issuer: name::distinguished(certificate.issuer()),
            validity: format!("{} - {}", date(validity.not_before), date(validity.not_after)),
        })
    }
}

/// Key exchange, cipher and hash, as Erlang names them.
fn words(suite: Option<CipherSuite>) -> (&'static str, &'static str, &'static str) {
    match suite {
        Some(CipherSuite::TLS13_AES_128_GCM_SHA256) => ("any", "aes_128_gcm", "sha256"),
        Some(CipherSuite::TLS13_AES_256_GCM_SHA384) => ("any", "aes_256_gcm", "sha384"),
        Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256) => ("any", "chacha20_poly1305", "sha256"),
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256) => ("ecdhe_ecdsa", "aes_128_gcm", "sha256"),
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384) => ("ecdhe_ecdsa", "aes_256_gcm", "sha384"),
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256) => {
            ("ecdhe_ecdsa", "chacha20_poly1305", "sha256")
        }
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) => ("ecdhe_rsa", "aes_128_gcm", "sha256"),
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) => ("ecdhe_rsa", "aes_256_gcm", "sha384"),
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256) => ("ecdhe_rsa", "chacha20_poly1305", "sha256"),
        _ => ("", "", ""),
    }
}
