//! RabbitMQ's management interface, as far as tests need it to set a stage: blocking, one request per connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

#[derive(Clone, Debug)]
pub struct Management {
    address: SocketAddr,
}

impl Management {
    /// The interface of the RabbitMQ at this AMQP address.
    pub fn beside(amqp: SocketAddr) -> Self {
        Self { address: SocketAddr::new(amqp.ip(), amqp.port() + 10_000) }
    }

    /// A request; its status and body.
    pub fn request(&self, verb: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).expect("the management interface answers");
        let body = body.map(Value::to_string).unwrap_or_default();
        let login = BASE64_STANDARD.encode("guest:guest");
        let request = format!(
            "{verb} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic {login}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("the request is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer is read");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn put(&self, path: &str, body: &Value) {
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
