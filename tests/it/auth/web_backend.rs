//! A web server that knows users: what it is asked, what follows from its answers, and that nobody else waits for them.

use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use super::web::{Asked, Web};
use super::{LOGIN_REFUSED, api};
use crate::client::{Connect, eventually, publish, queue};
use crate::process::{Program, unused_port};

fn start(name: &str, web: &Web, arguments: &[&str]) -> Program {
    let addresses: Vec<_> = ["user", "vhost", "resource", "topic"]
        .iter()
        .flat_map(|path| [format!("--auth-http-{path}-path"), web.address(&format!("/{path}"))])
        .collect();
    let mut all = vec!["--in-memory"];
    if !arguments.contains(&"--auth-backends") {
        all.extend(["--auth-backends", "http"]);
    }
    all.extend(addresses.iter().map(String::as_str));
    Program::start(name, &[&all, arguments].concat())
}

fn allow_all(asked: &Asked) -> (u16, String) {
    (200, if asked.path == "/user" { "allow management administrator" } else { "allow" }.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_asked_with_rabbitmqs_words() {
    let web = Web::start(allow_all);
    let program = start("web-words", &web, &[]);
    let connection = Connect::to(program.address()).user("anna", "pass word+&").open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q")).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("amq.topic", "a.b", "")).await;
    ch.publish_confirmed(publish("amq.topic", "a.b", "")).await;
    assert_eq!(web.asked("/user"), ["username=anna&password=pass+word%2B%26"]);
    assert_eq!(web.asked("/vhost"), ["username=anna&vhost=%2F&ip=127.0.0.1&tags=management+administrator"]);
    let resource = |name: &str, kind: &str, permission: &str| {
        format!(
            "username=anna&vhost=%2F&resource={kind}&name={name}&permission={permission}&tags=management+administrator"
        )
    };
    assert_eq!(
        web.asked("/resource"),
        [resource("q", "queue", "configure"), resource("amq.topic", "exchange", "write")]
    );
    let topic = "username=anna&vhost=%2F&resource=topic&name=amq.topic&permission=write&routing_key=a.b&variable_map.vhost=%2F\
                 &variable_map.username=anna&tags=management+administrator";
    assert_eq!(web.asked("/topic"), [topic], "once, however often it is published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_denies_is_refused() {
    let web = Web::start(|asked| {
        let is = |text: &str| asked.query.contains(text);
        match asked.path.as_str() {
            "/user" if is("username=nobody") => (200, "deny of no fame".to_owned()),
            "/user" if is("username=broken") => (500, "oh".to_owned()),
            "/vhost" if is("vhost=closed") => (200, "deny".to_owned()),
            "/resource" if is("name=secret") => (200, "deny it is secret".to_owned()),
            "/topic" if is("routing_key=no") => (200, "DENY".to_owned()),
            "/resource" if is("name=ill") => (503, "ill".to_owned()),
            _ => (200, "allow".to_owned()),
        }
    });
    let arguments = ["--auth-http-authorization-failure-disclosure", "--auth-http-http-method", "post"];
    let mut program = start("web-denies", &web, &arguments);
    for user in ["nobody", "broken"] {
        let connection = Connect::to(program.address()).user(user, "x").start().await;
        connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    }
    let closed = Connect::to(program.address()).user("anna", "x").vhost("closed").ask().await;
    closed.expect_close(530, "NOT_ALLOWED - vhost closed not found", (10, 40)).await;
    let connection = Connect::to(program.address()).user("anna", "x").open().await;
    let text = "ACCESS_REFUSED - configure access to queue 'secret' in vhost '/' refused for user 'anna' by backend \
                rabbit_auth_backend_http: it is secret";
    connection.channel(1).await.refused(queue("secret"), 403, text).await;
    let text =
        "ACCESS_REFUSED - write access to topic 'no' in exchange 'amq.topic' in vhost '/' refused for user 'anna'";
    connection.channel(2).await.publish_refused(publish("amq.topic", "no", ""), 403, text).await;
    let text = "ACCESS_REFUSED - configure access to queue 'ill' in vhost '/' refused for user 'anna', backend \
                rabbit_auth_backend_http returned an error: {503,\"ill\"}";
    connection.channel(3).await.refused(queue("ill"), 403, text).await;
    // It is asked each time: it may be allowed the next time.
    connection.channel(4).await.refused(queue("ill"), 403, text).await;
    assert_eq!(web.asked("/resource").iter().filter(|query| query.contains("name=ill")).count(), 2);
    assert!(web.methods().iter().all(|method| method == "POST"), "{:?}", web.methods());
    let log = program.stop();
    assert!(log.contains("of no fame") && log.contains("Denied by the backing HTTP service"), "{log}");
    assert!(log.contains("rabbit_auth_backend_http failed authenticating broken: {500,"), "{log}");
}

/// A door that a test opens.
#[derive(Clone, Default)]
struct Door(Arc<(Mutex<bool>, Condvar)>);

impl Door {
    fn wait(&self) {
        let guard = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(guard, |is_open| !*is_open).unwrap());
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// More connections wait than there are threads, and everybody else goes on. What waited is done in its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_waits_for_a_slow_answer_and_order_is_kept() {
    let door = Door::default();
    let held = door.clone();
    let web = Web::start(move |asked| {
        if asked.path == "/resource" && asked.query.contains("name=slow") {
            held.wait();
        }
        allow_all(asked)
    });
    // What is held back is held back for as long as the rest takes.
    let program = start("web-slow", &web, &["--auth-http-request-timeout", "off"]);
    let mut waiting = Vec::new();
    for number in 0..8 {
        let connection = Connect::to(program.address()).user("anna", "x").open().await;
        let ch = connection.channel(1).await;
        ch.send(queue(&format!("slow-{number}"))).await;
        ch.publish(publish("", format!("slow-{number}"), "first")).await;
        ch.publish(publish("", format!("slow-{number}"), "second")).await;
        waiting.push(ch);
    }
    eventually("all of them are asked for", async || match web.asked("/resource").len() {
        8 => Ok(()),
        other => Err(other),
    })
    .await;
    let other = Connect::to(program.address()).user("bert", "x").open().await;
    let ch = other.channel(1).await;
    ch.declare(queue("quick")).await;
    assert_eq!(api(&program).log_in("carl", "x").get("/api/whoami")["name"], "carl");
    door.open();
    for (number, ch) in waiting.iter().enumerate() {
        let name = format!("slow-{number}");
        ch.reply_to((50, 10)).await;
        assert_eq!(ch.drain(&name).await, ["first", "second"]);
    }
}

/// A message whose frames are used up when the answer comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_in_many_frames_waits_as_a_whole() {
    let web = Web::start(allow_all);
    let program = start("web-frames", &web, &[]);
    let connection = Connect::to(program.address()).user("anna", "x").frame_max(8192).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q")).await;
    let body = "x".repeat(20_000);
    ch.publish(publish("", "q", &body)).await;
    ch.publish(publish("", "q", "last")).await;
    assert_eq!(ch.drain("q").await, [body, "last".to_owned()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_asks_it_too() {
    let web = Web::start(|asked| {
        let is_no =
            asked.path == "/resource" && asked.query.contains("name=no") || asked.query.contains("username=nobody");
        (
            200,
            if is_no {
                "deny"
            } else if asked.path == "/user" {
                "allow policymaker"
            } else {
                "allow"
            }
            .to_owned(),
        )
    });
    let program = start("web-api", &web, &[]);
    let api = api(&program).log_in("anna", "x");
    assert_eq!(api.get("/api/vhosts")[0]["name"], "/");
    assert_eq!(api.request("PUT", "/api/queues/%2F/yes", Some(&json!({}))).0, 201);
    assert_eq!(api.request("PUT", "/api/queues/%2F/no", Some(&json!({}))).0, 401);
    let message = json!({ "properties": {}, "routing_key": "yes", "payload": "p", "payload_encoding": "string" });
    assert_eq!(api.request("POST", "/api/exchanges/%2F/amq.default/publish", Some(&message)).1["routed"], true);
    let get = json!({ "count": 1, "ackmode": "ack_requeue_false", "encoding": "auto" });
    assert_eq!(api.request("POST", "/api/queues/%2F/yes/get", Some(&get)).1[0]["payload"], "p");
    assert_eq!(api.log_in("nobody", "x").request("GET", "/api/whoami", None).0, 401);
}

/// One says who somebody is, and another what it may do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_somebody_is_and_what_it_may_do_can_be_said_by_two() {
    let web = Web::start(|asked| {
        (200, if asked.query.contains("password=open") { "allow monitoring" } else { "deny" }.to_owned())
    });
    let program = start("web-two", &web, &["--auth-backends", "http/internal"]);
    Connect::to(program.address()).user("guest", "open").open().await.channel(1).await.declare(queue("q")).await;
    for (user, password) in [("guest", "guest"), ("stranger", "open")] {
        let connection = Connect::to(program.address()).user(user, password).start().await;
        connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    }
    let whoami = api(&program).log_in("guest", "open").get("/api/whoami");
    assert_eq!(whoami["tags"], json!(["monitoring", "administrator"]));
    assert_eq!(whoami["is_internal_user"], true);
    assert!(web.asked("/resource").is_empty());
}

/// Nobody is let in because nobody can be asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_lets_nobody_in() {
    let path = format!("http://127.0.0.1:{}/user", unused_port());
    let mut program =
        Program::start("web-gone", &["--in-memory", "--auth-backends", "http", "--auth-http-user-path", &path]);
    let connection = Connect::to(program.address()).start().await;
    connection.expect_close(403, LOGIN_REFUSED, (0, 0)).await;
    assert!(program.stop().contains("rabbit_auth_backend_http failed authenticating guest: "));
}
