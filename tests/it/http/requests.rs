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
