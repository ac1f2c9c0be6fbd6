//! Who may ask, and what a refusal looks like.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::refused;
use crate::broker::{Management, Setup, TestBroker};
use crate::client::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_credentials_the_way_to_log_in_is_told() {
    let broker = TestBroker::with_http().await;
    let api = broker.http().authorized_by(None);
    let answered = api.send("GET", "/api/overview", "", &[]);
    assert_eq!((answered.status, answered.text.as_str()), (401, ""));
    assert_eq!(answered.header("www-authenticate"), "Basic realm=\"RabbitMQ Management\"");
    assert!(answered.header("allow").contains("GET"));
    // The version is nobody's secret.
    assert!(api.get("/api/version").is_string());
    assert_eq!(api.send("OPTIONS", "/api/overview", "", &[]).status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_refused_without_a_hint() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let wrong = refused(401, "not_authorized", "Not_Authorized");
    for (name, password) in [("guest", "wrong"), ("nobody", "guest"), ("", "guest")] {
        let answered = api.clone().log_in(name, password).send("GET", "/api/overview", "", &[]);
        assert_eq!((answered.status, answered.json()), wrong, "{name}");
        assert_eq!(answered.header("www-authenticate"), "");
    }
    let get = |login: &str| api.clone().authorized_by(Some(login)).send("GET", "/api/overview", "", &[]);
    assert_eq!((get("Bearer abc").status, get("Bearer abc").json()), wrong);
    assert_eq!(get("Digest username=\"x\"").status, 401);
    assert_eq!(get("Basic ???").status, 400);
    assert_eq!(get("Basic Z3Vlc3Q=").status, 400);
    assert_eq!(get("basic Z3Vlc3Q6Z3Vlc3Q=").status, 200);
}

/// A browser sends the credentials of its user along with what pages of others ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_changes_nothing() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    for headers in [[("origin", "http://evil.example")], [("sec-fetch-site", "cross-site")]] {
        assert_eq!(api.send("PUT", &path, "{}", &headers).status, 401);
        assert_eq!(api.send("GET", "/api/overview", "", &headers).status, 200);
    }
    assert_eq!(api.send("PUT", &path, "{}", &[("origin", "http://localhost")]).status, 201);
}

/// A login that fails; its answer is not waited for.
struct Failing(TcpStream);

impl Failing {
    fn send(api: &Management, request: &str, body: &str) -> Self {
        let mut socket = TcpStream::connect(api.address()).unwrap();
        let length = body.len();
        let head = format!("{request}\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        socket.write_all(format!("{head}{body}").as_bytes()).unwrap();
        Self(socket)
    }

    fn by_header(api: &Management) -> Self {
        Self::send(api, "GET /api/overview HTTP/1.1\r\nauthorization: Basic Z3Vlc3Q6d3Jvbmc=", "")
    }

    fn by_form(api: &Management) -> Self {
        Self::send(api, "POST /api/login HTTP/1.1", "username=guest&password=wrong")
    }

    /// Whether nothing is answered yet. What was answered before another request was is there.
    fn is_held_back(&mut self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let read = self.0.read(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    fn answer(mut self) -> String {
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Waits until so many logins over HTTP have failed.
async fn failed(api: &Management, count: u64) {
    let node = api.get("/api/overview")["node"].as_str().unwrap().to_owned();
    eventually("failed logins are counted", async || {
        let all = api.get(&format!("/api/auth/attempts/{node}"));
        let of_http = |protocol: &&Value| protocol["protocol"] == "http";
        let counted = all.as_array().unwrap().iter().find(of_http).unwrap()["auth_attempts_failed"].as_u64().unwrap();
        if counted == count { Ok(()) } else { Err(counted) }
    })
    .await;
}

async fn timed() -> TestBroker {
    Setup { http: true, manual_clock: true, ..Setup::default() }.start().await
}

/// Whichever way it comes: with its header, and with the form of a page. Others do not wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_login_costs_time_and_is_counted() {
    let broker = timed().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    for (count, send) in [Failing::by_header, Failing::by_form].into_iter().enumerate() {
        let mut failing = send(&api);
        failed(&api, count as u64 + 1).await;
        assert!(failing.is_held_back(), "{count}");
        broker.pass(Duration::from_millis(100)).await;
        let answer = failing.answer();
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("Not_Authorized"), "{answer}");
    }
}

/// Who does not wait for the answers is not looked at any more, until they are out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_without_waiting_is_not_looked_at() {
    let broker = timed().await;
    if broker.is_rabbitmq() {
        return;
    }
    let api = broker.http();
    // A login whose client went away before it was looked at does not count.
    let _guesses: Vec<_> = (0..32).map(|_| Failing::by_header(&api)).collect();
    let mut left = None;
    eventually("too many failed", async || {
        let answered = api.send("GET", "/api/whoami", "", &[]);
        let status = answered.status;
        left = Some(answered);
        if status == 429 { Ok(()) } else { Err(status) }
    })
    .await;
    let answered = left.unwrap();
    let expected = refused(429, "too_many_requests", "too many logins from this address failed");
    assert_eq!((answered.status, answered.json()), expected);
    assert_eq!(answered.header("retry-after"), "1");
    let by_form = api.clone().authorized_by(None).send("POST", "/api/login", "username=guest&password=guest", &[]);
    assert_eq!(by_form.status, 429);
    // Who needs no credentials is not meant.
    assert_eq!(api.clone().authorized_by(None).send("GET", "/api/version", "", &[]).status, 200);
    broker.pass(Duration::from_secs(3)).await;
    assert_eq!(api.send("GET", "/api/whoami", "", &[]).status, 200);
}
