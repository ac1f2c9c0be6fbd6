//! The program as a service: what systemd is told, and a start in the background.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::links;
use crate::client::eventually;
use crate::client::socket::PATIENCE;
use crate::process::{Directory, Program};

#[test]
fn systemd_is_told_that_it_is_ready_alive_and_stopping() {
    let directory = Directory::new("notify");
    std::fs::create_dir_all(directory.path()).unwrap();
    let path = directory.path().join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let words = format!("export NOTIFY_SOCKET={} WATCHDOG_USEC=200000", path.display());
    let mut program = Program::start_after(&words, "notify", &["--in-memory", "--no-http"]);
    let heard = |wanted: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted} was not said: {error}"));
            if std::str::from_utf8(&buffer[..length]).unwrap().lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    heard("READY=1");
    heard("WATCHDOG=1");
    heard("WATCHDOG=1");
    program.signal("TERM");
    heard("STOPPING=1");
    assert_eq!(program.end().0, Some(0));
}

/// `rabbitmq-server -detached` returns at once, and the server runs on.
#[tokio::test]
async fn a_detached_server_runs_on() {
    let links = links("detached");
    let ports = links.path().join("ports.json");
    let mut server = Command::new(links.path().join("rabbitmq-server"));
    server.args([
        "-detached",
        "--in-memory",
        "--amqp-listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
        "--ports-file",
    ]);
    assert!(server.arg(&ports).status().unwrap().success());
    eventually("the server is ready", async || if ports.exists() { Ok(()) } else { Err("not yet") }).await;
    let ports: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&ports).unwrap()).unwrap();
    let mut stop = Command::new(links.path().join("rabbitmqctl"));
    let stopped = stop.args(["-q", "stop", "--port", &ports["amqp"].to_string()]).output().unwrap();
    assert!(stopped.status.success(), "{stopped:?}");
}
