//! Several certificates on one port: the host that a client asks for chooses.

use leveret::Broker;
use leveret::tls::{HostCertificate, TlsSettings};

use super::{ANYWHERE, Authority, Files, Trust, settings};

/// An authority of its own for each host shows which certificate was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_host_has_its_certificate_and_others_the_usual_one() {
    let (usual, of_a, of_all) = (Authority::new("Usual"), Authority::new("A"), Authority::new("All"));
    let issued = |authority: &Authority, host: &str| {
        authority.server_with(|params| {
            params.subject_alt_names = rcgen::CertificateParams::new([host.to_owned()]).unwrap().subject_alt_names;
        })
    };
    let files = Files::new(&usual, &issued(&usual, "other.example"));
    let a = Files::new(&of_a, &issued(&of_a, "a.example.org"));
    let all = Files::new(&of_all, &issued(&of_all, "*.example.org"));
    let host = |host: &str, files: &Files| HostCertificate {
        host: host.to_owned(),
        certfile: files.certfile(),
        keyfile: files.keyfile(),
    };
    let hosts = vec![host("a.example.org", &a), host("*.example.org", &all)];
    let tls = TlsSettings { hosts, ..settings(&files) };
    let builder = Broker::builder().in_memory().amqps_listen(ANYWHERE, tls.clone()).https_listen(ANYWHERE, tls);
    let broker = builder.start().await.unwrap();
    for address in [broker.amqps_address().unwrap(), broker.https_address().unwrap()] {
        for (name, authority) in [("a.example.org", &of_a), ("b.example.org", &of_all), ("other.example", &usual)] {
            Trust::of(authority).connect_as(name, address).await.unwrap();
        }
        assert!(Trust::of(&usual).connect_as("a.example.org", address).await.is_err());
    }
}
