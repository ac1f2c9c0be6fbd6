//! Whole connections to the management API and to the metrics, with hostile paths, queries, headers and bodies: nothing panics, every answer
//! is one that HTTP knows, none is an error of the server, and what says that it is JSON can be read.
//!
//! The input is read as a program: an octet that names a request, then what the request needs. The paths are
//! those of the API's own table, so that a new endpoint is fuzzed without a change here.

#![no_main]

use std::sync::Arc;

use leveret::Clock;
use leveret::internals::auth::Logins;
use leveret::internals::broker::Broker;
use leveret::internals::broker::alarm::Alarm;
use leveret::internals::broker::node::Node;
use leveret::internals::broker::own_users::OwnUsers;
use leveret::internals::broker::random::Random;
use leveret::internals::connection::session::Hosting;
use leveret::internals::protocol::handshake::{Identity, Offer};
use leveret::internals::protocol::sasl::Mechanism;
use leveret::internals::server::talk::{Port, Talk};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

const REQUESTS_MAX: usize = 12;
const GUEST: &str = "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n";

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime can be made");
}

fuzz_target!(|input: &[u8]| {
    let talk = talk();
    let paths: Vec<_> = Talk::paths().collect();
    let mut program = Program(input);
    let mut requests = 0;
    while !program.0.is_empty() && requests < REQUESTS_MAX {
        requests += 1;
        if program.octet() % 16 == 0 {
            talk.sample();
        }
        let port = if program.octet() % 8 == 0 { Port::Metrics } else { Port::Management };
        let (request, is_head) = program.request(&paths, port);
        check(&request, is_head, &answer(&talk, port, &request));
    }
});

fn answer(talk: &Talk, port: Port, request: &[u8]) -> Vec<u8> {
    RUNTIME.with(|runtime| runtime.block_on(talk.answer(port, request)))
}

/// An answer that is whole is one that a client can read.
fn check(request: &[u8], is_head: bool, answer: &[u8]) {
    if answer.is_empty() {
        return;
    }
    let context =
        || format!("{:?} was answered with {:?}", String::from_utf8_lossy(request), String::from_utf8_lossy(answer));
    let end =
        answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {}", context()));
    let head = std::str::from_utf8(&answer[..end]).unwrap_or_else(|_| panic!("the head is no text: {}", context()));
    let status =
        head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|status| status.parse::<u16>().ok());
    let status = status.unwrap_or_else(|| panic!("no status: {}", context()));
    assert!((200..=503).contains(&status) && status != 500, "{}", context());
    let header = |name: &str| {
        let of = |line: &str| {
            line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        head.split("\r\n").find_map(of)
    };
    let Some(length) = header("content-length").and_then(|length| length.parse::<usize>().ok()) else { return };
    let is_json = header("content-type").is_some_and(|kind| kind == "application/json");
    let body = answer.get(end + 4..end + 4 + length);
    if is_head || header("content-encoding").is_some() || !is_json || length == 0 {
        return;
    }
    // The client may have gone away before the end.
    let Some(body) = body else { return };
    assert!(serde_json::from_slice::<Value>(body).is_ok(), "no JSON: {}", context());
}

fn talk() -> Talk {
    let node = Node {
        message_bytes_max: 4096.into(),
        random: Random::seeded(7),
        alarm: Alarm::new(64 * 1024 * 1024, u64::MAX),
        ..Node::default()
    };
    let broker = Arc::new(Broker::new(Arc::new(node)));
    broker.begin().expect("a new broker has guest");
    let identity = Identity::default();
    let offer =
        Offer { mechanisms: vec![Mechanism::Plain], channel_max: 2047, frame_max: 131_072, heartbeat: 60.into() };
    let logins = Logins::of(Arc::new(OwnUsers::new(&broker)));
    let hosting = Hosting { broker, logins, identity, offer, external: None };
    Talk::new(&hosting, Clock::manual().0)
}

/// Names that mean something, and names that could break something.
const NAMES: [&str; 22] = [
    "%2F",
    "q",
    "x",
    "guest",
    "amq.topic",
    "amq.default",
    "e",
    "amq.gen-1",
    "max-queues",
    "rabbit@fuzz",
    "amqp",
    "%2f%2F",
    "%00",
    "%ff",
    "%C3%BC",
    "%25",
    "%0D%0A",
    "..",
    "%22",
    "~",
    "a%23",
    "999999999999999999999",
];

const QUERIES: [&str; 12] = [
    "page=1&page_size=500",
    "page=0",
    "page=99999999999999999999&page_size=-1",
    "sort=messages&sort_reverse=true&columns=name,arguments.x",
    "name=(&use_regex=true&page=1",
    "lengths_age=60&lengths_incr=5",
    "msg_rates_age=18446744073709551615&msg_rates_incr=0",
    "columns=",
    "%",
    "a=%zz",
    "disable_stats=true&enable_queue_totals=true",
    "family=queue_metrics&vhost=%2F&family=",
];

const HEADERS: [&str; 8] = [
    "Authorization: Basic \r\n",
    "Authorization: Basic Z3Vlc3Q6\u{fc}\r\n",
    "Accept-Encoding: gzip\r\n",
    "Content-Type: multipart/form-data; boundary=X\r\n",
    "X-Reason: \u{1}\r\n",
    "Origin: http://evil\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Range: bytes=0-\r\n",
];

/// Keys and values of bodies.
const KEYS: [&str; 26] = [
    "durable",
    "auto_delete",
    "arguments",
    "type",
    "routing_key",
    "payload",
    "payload_encoding",
    "properties",
    "headers",
    "count",
    "ackmode",
    "encoding",
    "truncate",
    "pattern",
    "definition",
    "apply-to",
    "priority",
    "password",
    "password_hash",
    "tags",
    "configure",
    "write",
    "read",
    "value",
    "exchange",
    "vhost",
];
const VALUES: [&str; 20] = [
    "true",
    "null",
    "\"\"",
    "\"string\"",
    "\".*\"",
    "\"(\"",
    "\"(a+)+$\"",
    "\"x-delayed-message\"",
    "\"ack_requeue_true\"",
    "\"auto\"",
    "\"topic\"",
    "-1",
    "9223372036854775807",
    "1e308",
    "{}",
    "[]",
    "[\"a\",1]",
    "{\"max-length\":1}",
    "{\"x-queue-type\":\"quorum\"}",
    "{\"x-expires\":1}",
];

struct Program<'a>(&'a [u8]);

impl Program<'_> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn octets(&mut self) -> Vec<u8> {
        let length = usize::from(self.octet()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::from(self.octet()) % from.len()]
    }

    /// The bytes of a request, and whether its answer has no body.
    fn request(&mut self, paths: &[&str], port: Port) -> (Vec<u8>, bool) {
        let method = self.pick(&["GET", "PUT", "POST", "DELETE", "GET", "PUT", "HEAD", "OPTIONS", "PATCH", "\u{1}"]);
        let mut request = format!("{method} ").into_bytes();
        match (port, self.octet() % 16) {
            (_, 0) => request.extend(self.octets()),
            (Port::Metrics, 1..4) => request.extend(b"/metrics"),
            (Port::Metrics, 4..8) => request.extend(b"/metrics/per-object"),
            (Port::Metrics, _) => request.extend(b"/metrics/detailed"),
            (Port::Management, _) => self.path(paths, &mut request),
        }
        if self.octet().is_multiple_of(3) {
            request.push(b'?');
            match self.octet() % 4 {
                0 => request.extend(self.octets()),
                _ => request.extend(self.pick(&QUERIES).as_bytes()),
            }
        }
        request.extend(b" HTTP/1.1\r\nHost: x\r\n");
        if !self.octet().is_multiple_of(8) {
            request.extend(GUEST.as_bytes());
        }
        match self.octet() % 8 {
            0 => request.extend(self.octets()),
            1 | 2 => request.extend(self.pick(&HEADERS).as_bytes()),
            _ => {}
        }
        let body = self.body();
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
        request.extend(body);
        (request, method == "HEAD")
    }

    fn path(&mut self, paths: &[&str], request: &mut Vec<u8>) {
        let place = usize::from(self.octet()) | usize::from(self.octet()) << 8;
        let path = paths[place % paths.len()];
        request.extend(b"/api");
        for (index, piece) in path.split('/').enumerate() {
            if index > 0 {
                request.push(b'/');
            }
            match piece.starts_with('{') {
                true if self.octet().is_multiple_of(8) => request.extend(self.octets()),
                true => request.extend(self.pick(&NAMES).as_bytes()),
                false => request.extend(piece.as_bytes()),
            }
        }
    }

    fn body(&mut self) -> Vec<u8> {
        match self.octet() % 8 {
            0 => self.octets(),
            1 | 2 => Vec::new(),
            _ => {
                let count = self.octet() % 8;
                let mut pairs = Vec::new();
                for _ in 0..count {
                    let (key, value) = (self.pick(&KEYS), self.pick(&VALUES));
                    pairs.push(format!("\"{key}\":{value}"));
                }
                format!("{{{}}}", pairs.join(",")).into_bytes()
            }
        }
    }
}
