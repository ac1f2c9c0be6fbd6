//! What of TLS is spoken: the same whatever the broker is configured for.

use super::output::Output;
use super::verb::{BOTH, DIAGNOSTICS, Verb, value};

pub(super) const VERBS: &[Verb] = &[
    Verb::new("list_ciphers", BOTH, "Lists cipher suites that can be agreed on", |_| Ok(suites())),
    Verb::new("cipher_suites", DIAGNOSTICS, "Lists cipher suites that can be agreed on", |_| Ok(suites()))
        .takes(0, 0, "[--format <openssl|erlang|map>] [--all]")
        .switches(&[value("format"), super::verb::flag("all")]),
    Verb::new("tls_versions", DIAGNOSTICS, "Lists versions of TLS that can be spoken", |_| {
        Ok(Output::Lines(vec!["tlsv1.3".to_owned(), "tlsv1.2".to_owned()]))
    }),
];

/// In the words of OpenSSL.
const SUITES: [&str; 9] = [
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-CHACHA20-POLY1305",
];

fn suites() -> Output {
    Output::Lines(SUITES.iter().map(|&suite| suite.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_suites_of_the_library_are_told() {
        assert_eq!(rustls::crypto::ring::ALL_CIPHER_SUITES.len(), SUITES.len());
    }
}
