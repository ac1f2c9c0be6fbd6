//! The program itself: its flags, what it prints, how it ends. These run the binary.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use crate::client::connection::Connect;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

/// A running program; killed when dropped.
struct Program {
    child: Child,
    ports_file: PathBuf,
}

impl Program {
    /// Starts it on a free port and waits until it says that it is ready.
    fn start(name: &str, arguments: &[&str]) -> Self {
        let ports_file = std::env::temp_dir().join(format!("leveret-test-{}-{name}.json", std::process::id()));
        let mut command = Command::new(LEVERET);
        command.args(arguments).args(["--amqp-listen", "127.0.0.1:0", "--ports-file"]).arg(&ports_file);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "Server startup complete; 0 plugins started.\n");
        Self { child, ports_file }
    }

    /// The port that the file tells, which is there once the line is.
    fn address(&self) -> SocketAddr {
        let text = std::fs::read_to_string(&self.ports_file).unwrap();
        let ports: serde_json::Value = serde_json::from_str(&text).unwrap();
        let port = ports["amqp"].as_u64().unwrap().try_into().unwrap();
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end; exit code and log.
    fn end(&mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_file(&self.ports_file).ok();
    }
}

/// Runs it to its end, which comes by itself.
fn run(arguments: &[&str]) -> Output {
    Command::new(LEVERET).args(arguments).output().unwrap()
}

/// Exactly one sentence on stderr besides the log, and a failure.
fn check_refused(arguments: &[&str], sentence: &str) {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{arguments:?} succeeded");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    assert!(stderr.contains(sentence), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

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

#[test]
fn what_this_version_lacks_is_refused_and_not_ignored() {
    check_refused(&["--http-listen", "127.0.0.1:0"], "leveret: --http-listen: this version has no management HTTP API");
}

#[test]
fn an_unwritable_ports_file_is_one_clear_sentence() {
    let file = "/nowhere/ports.json";
    check_refused(
        &["--in-memory", "--amqp-listen", "127.0.0.1:0", "--ports-file", file],
        "leveret: cannot write /nowhere/ports.json: ",
    );
}
