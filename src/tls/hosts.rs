//! Which certificate a client is shown: that of the host which it asks for, if there is one.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

/// Certificates by the hosts that they are for.
#[derive(Debug)]
pub(super) struct ByHost {
    /// For all other hosts, and for clients that ask for none.
    pub(super) usual: Arc<CertifiedKey>,
    pub(super) hosts: Vec<(String, Arc<CertifiedKey>)>,
}

impl ByHost {
    fn of(&self, host: Option<&str>) -> &Arc<CertifiedKey> {
        let of_host = host.and_then(|host| self.hosts.iter().find(|(pattern, _)| is_for(pattern, host)));
        of_host.map_or(&self.usual, |(_, certificate)| certificate)
    }
}

impl ResolvesServerCert for ByHost {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(self.of(client_hello.server_name())))
    }
}

/// Whether a name of a certificate, or of the configuration, is that of a host. A `*` stands for its first word.
pub(super) fn is_for(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(domain)),
        None => host.eq_ignore_ascii_case(pattern),
    }
}

/// The names of hosts in a certificate.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.into_iter().flat_map(|extension| &extension.value.general_names);
    let dns =
        |name: &GeneralName<'_>| if let GeneralName::DNSName(name) = name { Some((*name).to_owned()) } else { None };
    names.filter_map(dns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_word() {
        assert!(is_for("a.example", "A.example") && is_for("*.example", "a.Example"));
        assert!(!is_for("*.example", "example") && !is_for("*.example", "a.b.example"));
        assert!(!is_for("a.example", "b.example"));
    }
}
