//! RabbitMQ's management interface, as far as tests need it to set a stage: blocking, one request per connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Management {
    address: SocketAddr,
    login: Option<String>,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    pub text: String,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// A header; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(known, _)| *known == name).map(|(_, value)| value).next().unwrap_or_default()
    }
}

impl Management {
    /// The interface of the RabbitMQ at this AMQP address.
    pub fn beside(amqp: SocketAddr) -> Self {
        Self::at(SocketAddr::new(amqp.ip(), amqp.port() + 10_000))
    }

    /// The interface at this address, as guest.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, login: None }.log_in("guest", "guest")
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as another user.
    #[must_use]
    pub fn log_in(mut self, name: &str, password: &str) -> Self {
        self.login = Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}"))));
        self
    }

    /// The same with this header `Authorization`, or without any.
    #[must_use]
    pub fn authorized_by(mut self, login: Option<&str>) -> Self {
        self.login = login.map(str::to_owned);
        self
    }

    /// A request; its status and body.
    pub fn request(&self, verb: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answered = self.send(verb, path, &body.map(Value::to_string).unwrap_or_default(), &[]);
        (answered.status, answered.json())
    }

    /// `GET`, which must succeed.
    pub fn get(&self, path: &str) -> Value {
        let (status, body) = self.request("GET", path, None);
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// A request, with everything that came back.
    pub fn send(&self, verb: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answered {
        let mut stream = TcpStream::connect(self.address).expect("the management interface answers");
        let login = self.login.as_ref().map(|login| format!("authorization: {login}\r\n")).unwrap_or_default();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let has_type = headers.starts_with("content-type:");
        let content_type = if has_type { "" } else { "content-type: application/json\r\n" };
        let request = format!(
            "{verb} {path} HTTP/1.1\r\nhost: localhost\r\n{login}{headers}connection: close\r\n\
             {content_type}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer is read");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap_or(answer.len());
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let body = answer.get(end + 4..).unwrap_or_default();
        let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let body = if is_chunked { unchunked(body) } else { body.to_vec() };
        let text = String::from_utf8_lossy(&body).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        // Names of headers have no case; values keep theirs.
        let line = |line: &str| match line.split_once(": ") {
            Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
            None => format!("{line}\n"),
        };
        Answered { status, head: head.lines().map(line).collect(), text }
    }

    pub fn put(&self, path: &str, body: &Value) {
        let (status, answer) = self.request("PUT", path, Some(body));
        assert!((200..300).contains(&status), "PUT {path}: {status} {answer}");
    }

    /// Deletes what may not be there.
    pub fn delete_quietly(&self, path: &str) {
        self.request("DELETE", path, None);
    }

    pub fn create_vhost(&self, name: &str) {
        self.put(&format!("/api/vhosts/{name}"), &json!({}));
        self.permit("guest", name, ".*", ".*", ".*");
    }

    pub fn create_quorum_vhost(&self, name: &str) {
        self.put(&format!("/api/vhosts/{name}"), &json!({"default_queue_type": "quorum"}));
        self.permit("guest", name, ".*", ".*", ".*");
    }

    pub fn create_user(&self, name: &str, password: &str, tags: &str) {
        self.put(&format!("/api/users/{name}"), &json!({"password": password, "tags": tags}));
    }

    pub fn permit(&self, user: &str, vhost: &str, configure: &str, write: &str, read: &str) {
        let vhost = vhost.replace('/', "%2F");
        let permissions = json!({"configure": configure, "write": write, "read": read});
        self.put(&format!("/api/permissions/{vhost}/{user}"), &permissions);
    }

    /// `max-connections` or `max-queues` of a virtual host.
    pub fn limit_vhost(&self, vhost: &str, limit: &str, value: i64) {
        self.put(&format!("/api/vhost-limits/{vhost}/{limit}"), &json!({"value": value}));
    }

    /// `max-connections` or `max-channels` of a user.
    pub fn limit_user(&self, user: &str, limit: &str, value: i64) {
        self.put(&format!("/api/user-limits/{user}/{limit}"), &json!({"value": value}));
    }
}

/// A body that came in pieces, each behind its length.
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = rest.windows(2).position(|bytes| bytes == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some(length @ 1..) = length else { break };
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    whole
}
