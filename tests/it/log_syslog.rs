//! Lines of the log that go to a syslog server.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;

use crate::client::socket::PATIENCE;
use crate::client::{Connect, eventually, queue};
use crate::process::{Directory, Program, check_refused, run};
use crate::tls::{Authority, Files, Issued};

/// What RabbitMQ's keys say of syslog, by datagrams.
#[tokio::test(flavor = "multi_thread")]
async fn lines_go_to_a_syslog_server_if_they_are_to() {
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let directory = Directory::new("log-syslog");
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    let keys = format!(
        "log.syslog = true\nlog.syslog.ip = 127.0.0.1\nlog.syslog.port = {}\nlog.syslog.protocol = rfc5424\n\
         log.syslog.facility = local0\nlog.syslog.identity = my_rabbitmq\nlog.syslog.level = error\n",
        server.local_addr().unwrap().port()
    );
    std::fs::write(&conf, keys).unwrap();
    let program = Program::start("log-syslog-data", &["--in-memory", "--config", conf.to_str().unwrap()]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
    let mut buffer = [0; 65_536];
    let length = server.recv(&mut buffer).unwrap();
    let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
    // 16 * 8 + 3: local0, an error.
    assert!(line.starts_with("<131>1 20") && line.contains(" my_rabbitmq "), "{line}");
    assert!(line.contains(" - - closing channel") && line.contains("no queue 'none'"), "{line}");
    assert!(!line.contains('\n'), "{line}");
}

/// What a syslog server with TLS sees.
#[derive(Debug)]
enum Seen {
    Message(String),
    /// A connection ended, as it should or not.
    End {
        is_clean: bool,
    },
    /// Hands could not be shaken.
    Refused,
}

/// A syslog server with TLS.
struct Server {
    port: u16,
    seen: UnboundedReceiver<Seen>,
    /// Has it end its connections.
    end: Arc<Notify>,
}

impl Server {
    /// It shows this certificate, and asks clients for one of this authority, if there is one.
    async fn start(shown: &Issued, of_clients: Option<&Authority>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let verifier = match of_clients {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der()).unwrap();
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap()
            }
        };
        let certificate = CertificateDer::from_pem_slice(shown.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(shown.key.as_bytes()).unwrap();
        let config = builder.unwrap().with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let ((tell, seen), end) = (unbounded_channel(), Arc::new(Notify::new()));
        let told_to_end = Arc::clone(&end);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(take_messages(acceptor.clone(), socket, tell.clone(), Arc::clone(&told_to_end)));
            }
        });
        Self { port, seen, end }
    }

    /// Waits for what it sees next.
    async fn next(&mut self) -> Seen {
        let seen = tokio::time::timeout(PATIENCE, self.seen.recv()).await;
        seen.expect("the server sees something in time").unwrap()
    }

    /// Waits for a message with this text.
    async fn message_with(&mut self, text: &str) -> String {
        loop {
            match self.next().await {
                Seen::Message(message) if message.contains(text) => return message,
                Seen::Message(_) => {}
                other => panic!("{other:?} before a message with {text}"),
            }
        }
    }
}

/// Takes messages from a client, each with its length before it.
async fn take_messages(acceptor: TlsAcceptor, socket: TcpStream, tell: UnboundedSender<Seen>, end: Arc<Notify>) {
    let Ok(stream) = acceptor.accept(socket).await else { return tell.send(Seen::Refused).unwrap_or_default() };
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = Vec::new();
        let read = tokio::select! {
            read = stream.read_until(b' ', &mut length) => read,
            () = end.notified() => stream.shutdown().await.map(|()| 0),
        };
        if !matches!(read, Ok(1..)) {
            return tell.send(Seen::End { is_clean: read.is_ok() }).unwrap_or_default();
        }
        let length: usize = std::str::from_utf8(&length).unwrap().trim_end().parse().unwrap();
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await.unwrap();
        tell.send(Seen::Message(String::from_utf8(message).unwrap())).unwrap_or_default();
    }
}

/// A program whose log goes to a syslog server with TLS at this port, with more lines in its configuration.
fn program(name: &str, port: u16, more: &str) -> Program {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    let keys = format!(
        "log.syslog = true\nlog.syslog.transport = tls\nlog.syslog.ip = 127.0.0.1\nlog.syslog.port = {port}\n{more}"
    );
    std::fs::write(&conf, keys).unwrap();
    Program::start(&format!("{name}-data"), &["--in-memory", "--config", conf.to_str().unwrap()])
}

fn authorities(files: &Files) -> String {
    format!("log.syslog.ssl_options.cacertfile = {}\n", files.cacertfile().display())
}

/// Has the program log that a channel was closed.
async fn fail(program: &Program) {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_go_to_a_syslog_server_with_tls_up_to_the_last_one() {
    let authority = Authority::new("Syslog");
    let shown = authority.server();
    let files = Files::new(&authority, &shown);
    let mut server = Server::start(&shown, None).await;
    let mut program = program("syslog-tls", server.port, &authorities(&files));
    fail(&program).await;
    let message = server.message_with("closing channel").await;
    // 3 * 8 + 3: daemon, an error. RFC 5424 without being asked for it, as in RabbitMQ.
    assert!(message.starts_with("<27>1 20") && message.contains("no queue 'none'"), "{message}");
    program.stop();
    server.message_with("stopping").await;
    loop {
        match server.next().await {
            Seen::Message(_) => {}
            Seen::End { is_clean } => break assert!(is_clean, "the connection was cut off"),
            Seen::Refused => panic!("one more connection was refused"),
        }
    }
}

/// It is looked at before a line is sent: what is written to a connection that the other side has closed is lost.
#[tokio::test(flavor = "multi_thread")]
async fn no_line_is_lost_when_a_syslog_server_ends_the_connection() {
    let authority = Authority::new("Syslog");
    let shown = authority.server();
    let files = Files::new(&authority, &shown);
    let mut server = Server::start(&shown, None).await;
    let keys = authorities(&files) + "log.syslog.level = error\n";
    let program = program("syslog-again", server.port, &keys);
    for _ in 0..3 {
        fail(&program).await;
        server.message_with("closing channel").await;
        server.end.notify_one();
        assert!(matches!(server.next().await, Seen::End { .. }));
    }
}

/// Its own authority is not among those that are believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_syslog_server_that_nobody_vouches_for_gets_nothing() {
    let (believed, other) = (Authority::new("Syslog"), Authority::new("Somebody"));
    let files = Files::new(&believed, &believed.server());
    let shown = other.server();
    let mut server = Server::start(&shown, None).await;
    let mut strict = program("syslog-untrusted", server.port, &authorities(&files));
    fail(&strict).await;
    assert!(matches!(server.next().await, Seen::Refused));
    eventually("it says why", async || {
        let log = strict.log();
        if log.contains("the syslog server takes no lines") && log.contains("UnknownIssuer") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    strict.stop();
    while let Ok(seen) = server.seen.try_recv() {
        assert!(matches!(seen, Seen::Refused), "{seen:?}");
    }
    let lenient = program("syslog-anybody", server.port, "log.syslog.ssl_options.verify = verify_none\n");
    fail(&lenient).await;
    server.message_with("closing channel").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_to_a_syslog_server_that_asks_for_one() {
    let authority = Authority::new("Syslog");
    let (shown, own) = (authority.server(), authority.client("broker"));
    let files = Files::new(&authority, &own);
    let mut server = Server::start(&shown, Some(&authority)).await;
    let without = program("syslog-no-certificate", server.port, &authorities(&files));
    eventually("it says that the server ended the connection", async || {
        // Each line tries again.
        fail(&without).await;
        let log = without.log();
        if log.contains("the syslog server takes no lines") && log.contains("CertificateRequired") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    drop(without);
    let (certificate, key) = (files.certfile(), files.keyfile());
    let identity = format!(
        "log.syslog.ssl_options.certfile = {}\nlog.syslog.ssl_options.keyfile = {}\n",
        certificate.display(),
        key.display()
    );
    let with = program("syslog-certificate", server.port, &(authorities(&files) + &identity));
    fail(&with).await;
    while !matches!(server.next().await, Seen::Message(message) if message.contains("closing channel")) {}
}

/// Hands are not shaken, and nothing is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_syslog_server_that_says_nothing_stops_nothing() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut program = program("syslog-mute", mute.local_addr().unwrap().port(), "");
    for _ in 0..3 {
        fail(&program).await;
    }
    program.stop();
}

#[test]
fn what_is_wrong_with_tls_to_a_syslog_server_is_said_at_the_start() {
    let tls = ["--in-memory", "--log-syslog", "--log-syslog-transport", "tls"];
    check_refused(
        &[&tls[..], &["--log-syslog-cacertfile", "/nowhere.pem"]].concat(),
        "cannot read the authorities in /nowhere.pem",
    );
    check_refused(&[&tls[..], &["--log-syslog-host", "no host"]].concat(), "log_syslog_host: 'no host' is no name");
    let old = [&["config", "check"], &tls[..], &["--log-syslog-protocol", "rfc3164"]].concat();
    let output = run(&old);
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("log_syslog_protocol cannot be rfc3164 with TLS"), "{told}");
}
