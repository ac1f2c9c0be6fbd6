//! The program itself: its flags, what it prints, how it ends. These run the binary.

use std::net::{SocketAddr, TcpListener};

use crate::broker::Management;
use crate::client::{Connect, queue};
use crate::process::{Program, check_refused, run, unused_port};

#[tokio::test(flavor = "multi_thread")]
async fn signals_stop_it_cleanly_and_clients_are_told() {
    for (signal, arguments) in
        [("TERM", &["serve", "--in-memory"][..]), ("INT", &["--in-memory", "--log-format", "json"])]
    {
        let mut program = Program::start(signal, arguments);
        let connection = Connect::to(program.address()).open().await;
        connection.channel(1).await;
        program.signal(signal);
        let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'";
        connection.expect_close(320, text, (0, 0)).await;
        let (code, log) = program.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("panicked"), "{log}");
    }
}

#[test]
fn a_client_that_says_nothing_does_not_keep_it_from_stopping() {
    let mut program = Program::start("mute", &["--in-memory"]);
    let mute = std::net::TcpStream::connect(program.address()).unwrap();
    program.signal("TERM");
    assert_eq!(program.end().0, Some(0));
    drop(mute);
}

#[test]
fn a_taken_port_is_one_clear_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check_refused(
        &["--in-memory", "--amqp-listen", &address],
        &format!(
            "leveret: cannot listen on {address}: Address already in use (os error 98); choose another with --amqp-listen"
        ),
    );
}

#[test]
fn bad_options_are_refused() {
    check_refused(&["--no-such-option"], "unexpected argument '--no-such-option'");
    check_refused(&["--compatibility", "3.8"], "invalid value '3.8' for '--compatibility <VERSION>'");
    check_refused(&["--amqp-listen", "nowhere"], "invalid value 'nowhere' for '--amqp-listen <ADDR:PORT>'");
    check_refused(&["--max-message-size", "1099511627776"], "is not in 0..=536870912");
}

/// The management API and the metrics are there without a flag, and not with `--no-http` and `--no-prometheus`.
#[test]
fn http_is_served_unless_told_otherwise() {
    let program = Program::start("http", &["--in-memory"]);
    let port = program.ports()["http"].as_u64().unwrap();
    let api = Management::at(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap())));
    assert_eq!(api.get("/api/overview")["object_totals"]["queues"], 0);
    let port = program.ports()["prometheus"].as_u64().unwrap();
    let metrics = Management::at(SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()))).authorized_by(None);
    assert_eq!(metrics.request("GET", "/healthz", None).0, 200);
    let without = Program::start("no-http", &["--in-memory", "--no-http", "--no-prometheus"]).ports();
    assert!(without["http"].is_null() && without["prometheus"].is_null());
}

/// Also the second ones of a kind.
#[test]
fn the_file_of_ports_lists_every_listener() {
    let listen = ["--amqp-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--prometheus-listen", "127.0.0.1:0"];
    let ports = Program::start("all-ports", &[&["--in-memory"], &listen[..]].concat()).ports();
    let listeners = ports["listeners"].as_array().unwrap();
    let of = |protocol: &str| -> Vec<_> {
        let of_it = listeners.iter().filter(|listener| listener["protocol"] == protocol);
        of_it.map(|listener| (listener["address"].as_str().unwrap(), listener["port"].clone())).collect()
    };
    assert_eq!(of("amqp").len(), 2, "{ports}");
    assert_eq!(of("amqp")[0], ("127.0.0.1", ports["amqp"].clone()));
    assert_eq!(of("http"), [("127.0.0.1", ports["http"].clone())]);
    assert_eq!(of("http/prometheus"), [("127.0.0.1", ports["prometheus"].clone())]);
}

/// RabbitMQ 4.3.6 goes on, too, with a warning of its pid file. The file of ports is Leveret's own.
#[tokio::test(flavor = "multi_thread")]
async fn a_pid_file_or_ports_file_that_cannot_be_written_is_a_warning() {
    let listen = format!("127.0.0.1:{}", unused_port());
    let files = ["--pid-file", "/proc/nowhere/pid", "--ports-file", "/proc/nowhere/ports.json"];
    let checked = run(&[&["config", "check"], &files[..]].concat());
    assert!(checked.status.success(), "{checked:?}");
    let arguments = [&["--in-memory", "--no-http", "--no-prometheus", "--amqp-listen", &listen], &files[..]].concat();
    let mut program = Program::start("unwritable", &arguments);
    let ch = Connect::to(listen.parse().unwrap()).open().await.channel(1).await;
    ch.declare(queue("q")).await;
    let log = program.stop();
    for file in ["/proc/nowhere/pid", "/proc/nowhere/ports.json"] {
        let said: Vec<_> = log.lines().filter(|line| line.contains(file)).collect();
        let why = format!("cannot write {file}: No such file or directory (os error 2); going on without this file");
        assert!(said.len() == 1 && said[0].contains("WARN") && said[0].ends_with(&why), "{log}");
    }
}
