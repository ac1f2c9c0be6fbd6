//! What is the same for all requests: methods, paths, headers, sizes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::{absent, refused};
use crate::broker::TestBroker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_method_that_is_not_there_is_refused_with_those_that_are() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    for (method, path) in [("PATCH", "/api/queues"), ("POST", "/api/overview"), ("PUT", "/api/whoami")] {
        let answered = api.send(method, path, "", &[]);
        assert_eq!((answered.status, answered.text.as_str()), (405, ""), "{method} {path}");
        assert!(answered.header("allow").contains("GET"), "{}", answered.header("allow"));
    }
    let options = api.send("OPTIONS", "/api/queues/%2F/q", "", &[]);
    assert_eq!(options.status, 200);
    for method in ["HEAD", "GET", "PUT", "DELETE", "OPTIONS"] {
        assert!(options.header("allow").contains(method), "{method}");
    }
    let head = api.send("HEAD", "/api/overview", "", &[]);
    assert_eq!((head.status, head.text.as_str(), head.header("content-type")), (200, "", "application/json"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_are_read_as_rabbitmq_reads_them() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let status = |path: &str| api.send("GET", path, "", &[]).status;
    for (path, expected) in [
        ("/api/whoami/", 200),
        ("/api/queues/%2F", 200),
        ("/api/queues/%2f/", 200),
        ("/api/queues//", 404),
        ("/api//whoami", 404),
        ("/api/WHOAMI", 404),
        ("/api/zzz", 404),
        ("/zzz.html", 404),
        ("/api/overview/zzz", 404),
        ("/api/queues/%252F", 404),
        ("/api/queues/%zz", 400),
        ("/api/queues/%ff", 404),
        ("/api/overview?a=1&&=&x", 400),
        ("/api/overview?unknown=1", 200),
    ] {
        assert_eq!(status(path), expected, "{path}");
    }
    assert_eq!(api.request("GET", "/api/zzz", None), absent());
}

/// RabbitMQ knows no such names, so this is asked of our own broker only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_written_as_in_a_query_is_found_if_no_other_is() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let status = |method: &str, path: &str| api.send(method, path, "", &[]).status;
    assert_eq!(status("PUT", "/api/queues/%2F/new%20orders"), 201);
    for (method, name, expected) in [
        ("GET", "new+orders", 200),
        ("HEAD", "new+orders", 200),
        ("GET", "new%2Borders", 404),
        ("GET", "old+orders", 404),
        ("DELETE", "new+orders", 404),
    ] {
        assert_eq!(status(method, &format!("/api/queues/%2F/{name}")), expected, "{method} {name}");
    }
    assert_eq!(status("PUT", "/api/queues/%2F/new+orders"), 201);
    assert_eq!(api.get("/api/queues/%2F/new+orders")["name"], "new+orders");
}

/// Bodies come from `curl -d`, which says that they are forms, and numbers go through languages that have no larger ones than these.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_numbers_of_arguments_stay_whole() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let arguments = format!(r#"{{"x-max-length":{},"most":{},"least":{}}}"#, 1_u64 << 53 | 1, i64::MAX, i64::MIN);
    assert_eq!(api.send("PUT", &path, &format!(r#"{{"arguments":{arguments}}}"#), &form).status, 201);
    let found = &api.get(&path)["arguments"];
    assert_eq!((&found["x-max-length"], &found["most"]), (&Value::from(1_u64 << 53 | 1), &Value::from(i64::MAX)));
    assert_eq!(found["least"], i64::MIN);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_carry_rabbitmqs_headers() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let answered = api.send("GET", "/api/overview", "", &[]);
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-cache"),
        ("vary", "accept, accept-encoding, origin"),
        ("content-security-policy", "script-src 'self'; object-src 'self'"),
    ] {
        assert_eq!(answered.header(name), value, "{name}");
    }
    let compressed = api.send("GET", "/api/overview", "", &[("accept-encoding", "gzip")]);
    assert_eq!((compressed.status, compressed.header("content-encoding")), (200, "gzip"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_has_a_largest_size() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let path = format!("/api/queues/%2F/{name}");
    let padding = |bytes: usize| format!("{{\"unknown\":\"{}\"}}", "x".repeat(bytes));
    assert_eq!(api.send("PUT", &path, &padding(1_000_000), &[]).status, 201);
    let answered = api.send("PUT", &path, &padding(11_000_000), &[]);
    let too_large = refused(400, "bad_request", "Exceeded HTTP request body size limit");
    assert_eq!((answered.status, answered.json()), too_large);
}

/// The answer is made before the body has come. A connection that were closed then would be reset, and the answer with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_all_of_its_body_before_it_reads_has_its_answer() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let body = "x".repeat(30_000_000);
    for (verb, path, status) in [
        ("PUT", "/api/queues/%2F/q", 400),
        ("PATCH", "/api/queues/%2F/q", 405),
        ("PUT", "/api/zzz", 404),
        ("POST", "/zzz.html", 404),
    ] {
        assert_eq!(api.send(verb, path, &body, &[]).status, status, "{verb} {path}");
    }
    let nobody = broker.http().authorized_by(None);
    assert_eq!(nobody.send("PUT", "/api/queues/%2F/q", &body, &[]).status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_for_leave_to_send_its_body_has_its_answer_instead() {
    let broker = TestBroker::with_http().await;
    let mut socket = TcpStream::connect(broker.http().address()).unwrap();
    let head = "PUT /api/queues/%2F/q HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nexpect: 100-continue\r\n";
    write!(socket, "{head}content-length: 30000000\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_an_object_or_nothing() {
    let broker = TestBroker::with_http().await;
    let (api, name) = (broker.http(), broker.name("q"));
    let put = |body: &str| {
        let answered = api.send("PUT", &format!("/api/queues/%2F/{name}"), body, &[]);
        if answered.text.is_empty() { (answered.status, Value::Null) } else { (answered.status, answered.json()) }
    };
    // Some clients write `null` where there is nothing to say.
    for (body, status) in [("null", 201), ("", 204), ("{}", 204)] {
        assert_eq!(put(body), (status, Value::Null), "{body}");
    }
    for body in ["[]", "1", "true", "{", "{}}", "\u{feff}{}"] {
        assert_eq!(put(body), refused(400, "bad_request", "not_json"), "{body}");
    }
    let twice = "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?";
    assert_eq!(put(r#""{}""#), refused(400, "bad_request", twice));
}

/// What is no request, or one that is too large, is answered before all of it has come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_more_than_is_looked_at_reads_why_it_is_refused() {
    let broker = TestBroker::with_http().await;
    if broker.is_rabbitmq() {
        return;
    }
    let more = vec![b'a'; 30_000_000];
    for (begin, status) in [("GET /api/overview HTTP/1.1\r\nx: ", "431"), ("AMQP\0\0\x09\x01", "400")] {
        let mut socket = TcpStream::connect(broker.http().address()).unwrap();
        socket.write_all(&[begin.as_bytes(), &more].concat()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

/// Whatever comes that is no request ends one connection and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_harms_nobody() {
    let broker = TestBroker::with_http().await;
    let api = broker.http();
    let long = vec![b'a'; 100_000];
    for bytes in [&b"AMQP\0\0\x09\x01"[..], b"\x16\x03\x01\x02\0\x01\0", b"GET\r\n\r\n", &long] {
        let mut socket = TcpStream::connect(api.address()).unwrap();
        // The other end may have closed already.
        socket.write_all(bytes).ok();
        socket.shutdown(std::net::Shutdown::Write).ok();
        socket.read_to_end(&mut Vec::new()).ok();
    }
    api.get("/api/overview");
}
