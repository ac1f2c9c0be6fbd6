//! The management API over TLS.

use leveret::Broker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{ANYWHERE, Authority, Files, Trust, settings};

pub async fn get(trust: &Trust, address: std::net::SocketAddr, path: &str) -> String {
    let mut stream = trust.connect(address).await.unwrap();
    // guest:guest
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_served_and_looks_after_certificates() {
    let authority = Authority::new("CA");
    let soon = authority.server_with(|params| {
        let now_s = i64::try_from(leveret::Clock::system().now_ms() / 1000).unwrap();
        let now = time::OffsetDateTime::from_unix_timestamp(now_s).unwrap();
        params.not_after = now + time::Duration::days(20);
    });
    let files = Files::new(&authority, &soon);
    let builder = Broker::builder().in_memory().https_listen(ANYWHERE, settings(&files));
    let broker = builder.start().await.unwrap();
    let address = broker.https_address().unwrap();
    let trust = Trust::of(&authority);
    let overview = get(&trust, address, "/api/overview").await;
    assert!(overview.starts_with("HTTP/1.1 200"), "{overview}");
    assert!(overview.contains(r#""protocol":"https""#) && overview.contains(r#""tls":true"#), "{overview}");
    for (within, expected) in [("2/weeks", "200"), ("1/months", "503"), ("30/days", "503")] {
        let check = get(&trust, address, &format!("/api/health/checks/certificate-expiration/{within}")).await;
        assert!(check.starts_with(&format!("HTTP/1.1 {expected}")), "{within}: {check}");
    }
}
