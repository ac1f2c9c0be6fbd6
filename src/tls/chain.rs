//! The certificates that a broker shows: its own one, and those that lead to its authority.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Longer chains are not believed by anybody.
const CHAIN_MAX: usize = 8;

/// Adds what `authorities` has of the way from the last certificate to its root. RabbitMQ looks there, too, so that a file with
/// the broker's own certificate alone is enough. The root itself is known to clients and is left out.
pub(super) fn complete(
    mut chain: Vec<CertificateDer<'static>>,
    authorities: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    while chain.len() < CHAIN_MAX
        && let Some(next) = chain.last().and_then(|last| issuer_of(last, authorities))
    {
        chain.push(next.clone());
    }
    chain
}

/// Who signed a certificate, if that is somebody else and no root.
fn issuer_of<'a>(
    certificate: &CertificateDer<'_>,
    authorities: &'a [CertificateDer<'static>],
) -> Option<&'a CertificateDer<'static>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    authorities.iter().find(|candidate| {
        X509Certificate::from_der(candidate).is_ok_and(|(_, candidate)| {
            candidate.subject().as_raw() == certificate.issuer().as_raw()
                && candidate.subject().as_raw() != certificate.subject().as_raw()
                && candidate.subject().as_raw() != candidate.issuer().as_raw()
        })
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    #[test]
    fn what_lies_between_the_certificate_and_the_root_is_shown() {
        let key = || KeyPair::generate().unwrap();
        let root = CertifiedIssuer::self_signed(authority("root"), key()).unwrap();
        let between = CertifiedIssuer::signed_by(authority("between"), key(), &root).unwrap();
        let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key(), &between).unwrap();
        let (leaf, between, root) = (leaf.der().clone(), between.der().clone(), root.der().clone());
        let authorities = [root.clone(), between.clone()];
        assert_eq!(complete(vec![leaf.clone()], &authorities), [leaf.clone(), between.clone()]);
        assert_eq!(complete(vec![leaf.clone(), between.clone()], &authorities), [leaf, between], "nothing twice");
        assert_eq!(complete(vec![root.clone()], &authorities), [root], "a root is its own end");
    }
}
