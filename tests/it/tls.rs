//! TLS: with certificates that each test makes for itself.

mod authority;
mod connecting;
mod dev;
mod external;
mod handshakes;
mod hosts;
mod https;
mod only;
mod reload;
mod starting;
mod tunnel;

pub use authority::{Authority, Files, Issued};
pub use tunnel::{Trust, tunnel};

use std::net::SocketAddr;

use leveret::Broker;
use leveret::tls::{TlsSettings, Verify};

/// Where a test's broker is to listen: on a free port.
pub const ANYWHERE: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0));

/// The settings for a server's certificate in files.
pub fn settings(files: &Files) -> TlsSettings {
    TlsSettings {
        certfile: files.certfile(),
        keyfile: files.keyfile(),
        cacertfile: Some(files.cacertfile()),
        verify: Verify::None,
        fail_if_no_peer_cert: false,
        versions: Vec::new(),
        hosts: Vec::new(),
    }
}

/// A broker that speaks AMQP with TLS.
pub async fn start(tls: TlsSettings) -> (Broker, SocketAddr) {
    let broker = Broker::builder().in_memory().amqps_listen(ANYWHERE, tls).start().await.unwrap();
    let address = broker.amqps_address().unwrap();
    (broker, address)
}
