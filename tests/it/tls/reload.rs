//! Certificates that change while the broker runs.

use std::net::SocketAddr;
use std::time::Duration;

use leveret::Clock;

use super::{ANYWHERE, Authority, Files, Issued, Trust, settings};

/// The certificate that a broker shows.
async fn shown(address: SocketAddr, authority: &Authority) -> Vec<u8> {
    let stream = Trust::of(authority).connect(address).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn der(issued: &Issued) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_files_are_used_without_a_restart_and_broken_ones_are_not() {
    let authority = Authority::new("CA");
    let (first, second) = (authority.server(), authority.server());
    let files = Files::new(&authority, &first);
    let (clock, hand) = Clock::manual();
    let builder = leveret::Broker::builder().in_memory().clock(clock);
    let broker = builder.amqps_listen(ANYWHERE, settings(&files)).start().await.unwrap();
    let address = broker.amqps_address().unwrap();
    assert_eq!(shown(address, &authority).await, der(&first));

    // Only half of it is there yet: the key is the old one.
    std::fs::write(files.certfile(), &second.certificate).unwrap();
    hand.advance(Duration::from_secs(10));
    assert_eq!(shown(address, &authority).await, der(&first), "they do not belong together");
    files.replace(&second);
    hand.advance(Duration::from_secs(10));
    assert_eq!(shown(address, &authority).await, der(&second), "the very next client sees it");

    files.replace(&Issued { certificate: "garbage".into(), key: String::new() });
    broker.reload_certificates();
    assert_eq!(shown(address, &authority).await, der(&second));
    files.replace(&first);
    broker.reload_certificates();
    assert_eq!(shown(address, &authority).await, der(&first), "at once when it is told");
}
