//! The management API over TLS.

use leveret::Broker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::process::{Program, run};

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

/// Commands speak TLS, too: with an authority that they are told, and a certificate of their own where one is asked for.
#[test]
fn commands_ask_over_https() {
    let (authority, stranger) = (Authority::new("CA"), Authority::new("Stranger"));
    let server = Files::new(&authority, &authority.server());
    let client = Files::new(&authority, &authority.client("anna"));
    let strange = Files::new(&stranger, &stranger.client("anna"));
    let path = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let [cert, key, ca] = [server.certfile(), server.keyfile(), server.cacertfile()].map(path);
    let program = Program::start(
        "https-commands",
        &[
            "--in-memory",
            "--https-listen",
            "127.0.0.1:0",
            "--tls-cert",
            &cert,
            "--tls-key",
            &key,
            "--https-ca",
            &ca,
            "--https-verify",
            "peer",
            "--https-require-client-cert",
        ],
    );
    let port = program.ports()["https"].to_string();
    let url = format!("https://127.0.0.1:{port}");
    let [own_cert, own_key] = [client.certfile(), client.keyfile()].map(path);
    let [other_cert, other_key, other_ca] = [strange.certfile(), strange.keyfile(), strange.cacertfile()].map(path);
    let own = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &own_cert, "--tls-key-file", &own_key];
    let first_version = ["--ssl-ca-cert-file", &ca, "--ssl-cert-file", &own_cert, "--ssl-key-file", &own_key];
    let insecure = ["--insecure", "--tls-cert-file", &own_cert, "--tls-key-file", &own_key];
    let with = |words: &[&str], options: &[&str]| {
        let words: Vec<_> = words.iter().chain(options).copied().collect();
        let output = run(&words);
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let admin = ["admin", "-H", "127.0.0.1", "-P", &port, "list", "vhosts"];
    for (words, options) in [
        (&["ping", "--url", &url][..], &own[..]),
        (&["ping", "--url", &url], &insecure),
        (&["ctl", "list_vhosts", "--url", &url], &own),
        (&[&admin[..], &["--use-tls"]].concat(), &own),
        (&[&admin[..], &["--ssl"]].concat(), &first_version),
        (&[&admin[..], &["-s", "-k"]].concat(), &insecure[1..]),
    ] {
        let (is_done, told) = with(words, options);
        assert!(is_done, "{words:?}: {told}");
    }
    let stranger = ["--tls-ca-cert-file", &ca, "--tls-cert-file", &other_cert, "--tls-key-file", &other_key];
    for (options, sentence) in [
        (&own[2..], "; --tls-ca-cert-file names the authorities to believe"),
        (&[&["--tls-ca-cert-file", &other_ca], &own[2..]].concat(), "invalid peer certificate"),
        // In TLS 1.3 the broker refuses a certificate after the handshake, and its alert may come too late.
        (&own[..2], "the broker did not answer"),
        (&stranger, "the broker did not answer"),
        (&["--tls-ca-cert-file", "/nowhere.pem"], "/nowhere.pem"),
    ] {
        let (is_done, told) = with(&["ping", "--url", &url], options);
        assert!(!is_done && told.contains(sentence) && told.lines().count() == 1, "{options:?}: {told}");
    }
}
