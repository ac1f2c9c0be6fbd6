//! Which user a client's certificate is for (SASL EXTERNAL).

use std::net::IpAddr;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::name;

/// What of a certificate names the user, as RabbitMQ's `ssl_cert_login_from`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginFrom {
    /// The whole subject.
    #[default]
    DistinguishedName,
    /// The common name in the subject.
    CommonName,
    /// One of the other names, by kind and place.
    SubjectAlternativeName {
        /// `ssl_cert_login_san_type`
        san_type: SanType,
        /// `ssl_cert_login_san_index`, from 0 among those of the kind.
        index: usize,
    },
}

/// The kinds of other names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants carry RabbitMQ's names")]
pub enum SanType {
    #[default]
    Dns,
    Ip,
    Email,
    Uri,
    OtherName,
}

/// Why a certificate names no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLoginName {
    /// The connection has no TLS.
    #[error("not a TLS-enabled connection")]
    NoTls,
    /// Clients are not asked for certificates, so nobody looked at one.
    #[error("TLS configuration is unsafe: clients are not asked for certificates; set --tls-verify peer")]
    Unsafe,
    /// The client showed none.
    #[error("connection peer presented no TLS (x.509) certificate")]
    NoCertificate,
    /// It does not hold what names the user.
    #[error("no name found in the client's certificate; see ssl_cert_login_from")]
    NotFound,
}

impl LoginFrom {
    /// The user that a verified certificate is for.
    pub(super) fn name(self, certificate: &[u8]) -> Result<String, NoLoginName> {
        let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Err(NoLoginName::NotFound) };
        match self {
            Self::DistinguishedName => Some(name::distinguished(certificate.subject())),
            Self::CommonName => name::common(certificate.subject()),
            Self::SubjectAlternativeName { san_type, index } => alternative(&certificate, san_type, index),
        }
        .ok_or(NoLoginName::NotFound)
    }
}

fn alternative(certificate: &X509Certificate<'_>, san_type: SanType, index: usize) -> Option<String> {
    let names = certificate.subject_alternative_name().ok()??;
    let of_type = |name: &GeneralName<'_>| match (san_type, name) {
        (SanType::Dns, GeneralName::DNSName(text))
        | (SanType::Email, GeneralName::RFC822Name(text))
        | (SanType::Uri, GeneralName::URI(text)) => Some((*text).to_owned()),
        (SanType::Ip, GeneralName::IPAddress(octets)) => Some(address(octets)),
        (SanType::OtherName, GeneralName::OtherName(_, value)) => Some(other(value)),
        _ => None,
    };
    names.value.general_names.iter().filter_map(of_type).nth(index)
}

/// For people; RabbitMQ's name would be the bare octets, which nobody can have as a user.
fn address(octets: &[u8]) -> String {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).map(|ip| ip.to_string()).unwrap_or_default()
}

/// Such a name can be anything; mostly it is a text in its ASN.1 form.
fn other(value: &[u8]) -> String {
    let text = x509_parser::der_parser::parse_der(value).ok().and_then(|(_, explicit)| {
        let (_, inner) = x509_parser::der_parser::parse_der(explicit.as_slice().ok()?).ok()?;
        inner.as_str().ok().map(str::to_owned)
    });
    text.unwrap_or_else(|| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType as Made};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "worker");
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.subject_alt_names = vec![
            Made::DnsName("a.example".try_into().unwrap()),
            Made::Rfc822Name("worker@example.com".try_into().unwrap()),
            Made::DnsName("b.example".try_into().unwrap()),
            Made::URI("spiffe://example/worker".try_into().unwrap()),
            Made::IpAddress("10.0.0.7".parse().unwrap()),
            Made::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], "worker@ad.example".into())),
        ];
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn what_names_the_user_can_be_chosen() {
        let certificate = certificate();
        let san = |san_type, index| LoginFrom::SubjectAlternativeName { san_type, index };
        for (from, expected) in [
            (LoginFrom::CommonName, Ok("worker")),
            (san(SanType::Dns, 0), Ok("a.example")),
            (san(SanType::Dns, 1), Ok("b.example")),
            (san(SanType::Dns, 2), Err(NoLoginName::NotFound)),
            (san(SanType::Email, 0), Ok("worker@example.com")),
            (san(SanType::Uri, 0), Ok("spiffe://example/worker")),
            (san(SanType::Ip, 0), Ok("10.0.0.7")),
            (san(SanType::OtherName, 0), Ok("worker@ad.example")),
        ] {
            assert_eq!(from.name(&certificate), expected.map(str::to_owned), "{from:?}");
        }
        let whole = LoginFrom::DistinguishedName.name(&certificate).unwrap();
        assert!(whole.starts_with("O=Example,CN=worker"), "{whole}");
        assert_eq!(LoginFrom::CommonName.name(b"garbage"), Err(NoLoginName::NotFound));
    }
}
