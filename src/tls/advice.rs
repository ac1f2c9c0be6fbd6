//! What to do about a handshake that failed.

use rustls::{AlertDescription, CertificateError, Error};

/// What whoever reads the log can do.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library has many kinds, and there may be more")]
pub(crate) fn tip(error: &Error) -> &'static str {
    match error {
        Error::NoCertificatesPresented => {
            "the client must show a certificate: give it one, or do without (--tls-require-client-cert)"
        }
        Error::InvalidCertificate(error) => of_client_certificate(error),
        Error::PeerIncompatible(_) => {
            "client and broker have no version or cipher of TLS in common: TLS 1.2 or 1.3 is needed"
        }
        Error::AlertReceived(alert) => of_alert(*alert),
        _ => "check that both sides speak TLS 1.2 or 1.3",
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library has many kinds, and there may be more")]
fn of_client_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the client's certificate has expired: renew it"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the client's certificate does not hold yet: check the clocks"
        }
        CertificateError::UnknownIssuer => {
            "the client's certificate is of none of the authorities that --tls-ca (ssl_options.cacertfile) names"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the client's certificate is not for clients: make one with the extended key usage clientAuth"
        }
        _ => "the client's certificate cannot be used: make it anew",
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library has many kinds, and there may be more")]
fn of_alert(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => {
            "the client does not trust the broker's certificate: give it the authority's certificate, and connect by a name that the certificate has"
        }
        AlertDescription::CertificateExpired => "the broker's certificate has expired: renew it",
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            "client and broker have no version or cipher of TLS in common: TLS 1.2 or 1.3 is needed"
        }
        _ => "the client gave up: its own log says why",
    }
}
