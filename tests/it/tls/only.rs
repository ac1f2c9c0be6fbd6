//! TLS and nothing else: for AMQP, for the API and for metrics.

use super::{Authority, Files, Trust, tunnel};
use crate::client::Connect;
use crate::process::Program;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_is_served_is_served_with_tls() {
    let authority = Authority::new("CA");
    let files = Files::new(&authority, &authority.server());
    let (certfile, keyfile) = (files.certfile(), files.keyfile());
    let mut arguments = vec!["--in-memory", "--no-amqp"];
    for listener in ["--amqps-listen", "--https-listen", "--prometheus-tls-listen"] {
        arguments.extend([listener, "127.0.0.1:0"]);
    }
    arguments.extend(["--tls-cert", certfile.to_str().unwrap(), "--tls-key", keyfile.to_str().unwrap()]);
    let mut program = Program::start("tls-only", &arguments);
    let ports = program.ports();
    let mut names: Vec<_> = ports.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["amqps", "https", "listeners", "prometheus_tls"]);
    let listeners = ports["listeners"].as_array().unwrap().iter();
    let protocols: Vec<_> = listeners.map(|listener| listener["protocol"].as_str().unwrap()).collect();
    assert_eq!(protocols, ["amqp/ssl", "https", "https/prometheus"]);
    let address = |name: &str| {
        std::net::SocketAddr::from(([127, 0, 0, 1], u16::try_from(ports[name].as_u64().unwrap()).unwrap()))
    };
    let trust = Trust::of(&authority);
    Connect::to(tunnel(address("amqps"), trust.clone()).await).open().await;
    let metrics = super::https::get(&trust, address("prometheus_tls"), "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("rabbitmq_build_info"), "{metrics}");
    let listeners = super::https::get(&trust, address("https"), "/api/overview").await;
    assert!(listeners.contains(r#""protocol":"https/prometheus""#), "{listeners}");
    let log = program.stop();
    let url = format!("connect to amqps://guest:guest@127.0.0.1:{}/", ports["amqps"]);
    assert!(log.contains(&url), "{url}: {log}");
    assert!(log.contains(&format!("management at https://127.0.0.1:{}/", ports["https"])), "{log}");
}

#[test]
fn a_broker_that_nobody_can_reach_does_not_start() {
    let expected = "there is no address to listen on for AMQP; give one with --amqp-listen (listeners.tcp.default), or";
    crate::process::check_refused(&["--in-memory", "--no-http", "--no-prometheus", "--no-amqp"], expected);
}
