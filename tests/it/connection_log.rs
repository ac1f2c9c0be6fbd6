//! What the log says of connections, and of what clients do wrong.

use std::net::Ipv4Addr;

use serde_json::json;
use tokio::net::TcpStream;

use crate::broker::Management;
use crate::client::{Connect, Value, args, publish, queue};
use crate::process::Program;

fn lines<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_one_line_at_its_beginning_and_one_at_its_end() {
    let mut program = Program::start("connection-lines", &["--in-memory", "--no-http"]);
    let address = program.address();
    // Whoever only looks whether the port is open.
    drop(TcpStream::connect(address).await.unwrap());
    let named = || {
        let mut connect = Connect::to(address);
        connect.client_properties = args([
            ("connection_name", Value::S(b"worker 7".to_vec())),
            ("product", Value::S(b"pika".to_vec())),
            ("version", Value::S(b"1.3.2".to_vec())),
        ]);
        connect
    };
    named().open().await.close().await;
    drop(named().open().await);
    // A second connection is served after the first two are over: their lines are there.
    crate::client::eventually("both ends are logged", async || {
        let log = program.log();
        if lines(&log, "connection lost").len() + lines(&log, "connection closed").len() == 2 {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    let log = program.stop();
    let about = r#"user=guest vhost=/ connection="worker 7" client="pika 1.3.2""#;
    let opened = lines(&log, "connection opened");
    assert!(opened.len() == 2 && opened.iter().all(|line| line.contains(about)), "{log}");
    let closed = lines(&log, "connection closed");
    assert!(closed[0].contains(about) && closed[0].contains(r#"why="closed by the client""#), "{log}");
    assert!(closed[0].contains(" duration=0.") || closed[0].contains(" duration="), "{log}");
    let lost = lines(&log, "connection lost");
    assert!(lost[0].contains(about) && lost[0].contains("client unexpectedly closed TCP connection"), "{log}");
    assert_eq!(lines(&log, "peer=").len(), 4, "nothing else about clients: {log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_says_who_what_and_what_to_do() {
    let mut program = Program::start("error-lines", &["--in-memory", "--no-http"]);
    let connection = Connect::to(program.address()).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q").durable()).await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'";
    ch.refused(queue("q").auto_delete(), 406, text).await;
    Connect::to(program.address())
        .vhost("nowhere")
        .ask()
        .await
        .expect_close(530, "NOT_ALLOWED - vhost nowhere not found", (10, 40))
        .await;
    let log = program.stop();
    let channel = lines(&log, "inequivalent arg 'durable' for queue 'q'");
    for words in [
        "ERROR closing channel",
        "user=guest",
        "vhost=/",
        "channel=1",
        "method=queue.declare",
        "reply_code=406",
        "tip=\"declare it as it is",
    ] {
        assert!(channel.len() == 1 && channel[0].contains(words), "{words}: {log}");
    }
    let vhost = lines(&log, "ERROR closing connection");
    assert!(vhost[0].contains("vhost nowhere not found") && vhost[0].contains("add_vhost"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistyped_argument_is_accepted_and_named() {
    let mut program = Program::start("mistyped", &["--in-memory", "--no-http"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    let declare = || queue("q").arg("x-mesage-ttl", Value::I(1000)).arg("my-own", Value::I(1));
    ch.declare(declare()).await;
    ch.declare(declare()).await;
    let log = program.stop();
    let named = lines(&log, "an argument has no effect");
    assert!(
        named.len() == 1
            && named[0].contains("argument=x-mesage-ttl")
            && named[0].contains("did you mean x-message-ttl?"),
        "{log}"
    );
    assert!(named[0].contains("queue 'q'"), "{log}");
}

/// Of what the HTTP API and a file of definitions make, too; of an argument that several queues of a file have once.
#[test]
fn a_mistyped_argument_is_named_however_it_comes() {
    let mut program = Program::start("mistyped-http", &["--in-memory", "--http-listen", "127.0.0.1:0"]);
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let http = Management::at((Ipv4Addr::LOCALHOST, port).into());
    let queue = json!({"arguments": {"x-mesage-ttl": 1000, "my-own": 1}});
    let exchange = json!({"type": "fanout", "arguments": {"alternate-exchagne": "x"}});
    let imported = json!({
        "queues": [
            {"name": "q3", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {"x-max-lenght": 1}},
            {"name": "q4", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {"x-max-lenght": 1}},
        ],
        "exchanges": [
            {"name": "x2", "vhost": "/", "type": "direct", "arguments": {"alternate-exchange": "x", "alternate_exchange": "x"}},
        ],
    });
    for status in [201, 204] {
        assert_eq!(http.request("PUT", "/api/queues/%2F/q1", Some(&queue)).0, status);
        assert_eq!(http.request("PUT", "/api/exchanges/%2F/x1", Some(&exchange)).0, status);
        assert_eq!(http.request("POST", "/api/definitions", Some(&imported)).0, 204);
    }
    let log = program.stop();
    let named = lines(&log, "an argument has no effect");
    let expected = [
        ("queue 'q1'", "user=guest", r#"by="the HTTP API""#, "argument=x-mesage-ttl", "mean x-message-ttl?"),
        (
            "exchange 'x1'",
            "user=guest",
            r#"by="the HTTP API""#,
            "argument=alternate-exchagne",
            "mean alternate-exchange?",
        ),
        ("queue 'q3'", "vhost=/", r#"by="imported definitions""#, "argument=x-max-lenght", "mean x-max-length?"),
        (
            "exchange 'x2'",
            "vhost=/",
            r#"by="imported definitions""#,
            "argument=alternate_exchange",
            "mean alternate-exchange?",
        ),
    ];
    assert_eq!(named.len(), expected.len(), "{log}");
    for (line, words) in named.iter().zip(expected) {
        for words in [words.0, words.1, words.2, words.3, words.4] {
            assert!(line.contains(words), "{words}: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn levels_are_set_by_category() {
    let mut program = Program::start(
        "categories",
        &["--in-memory", "--no-http", "--log-level", "info,connection=warning,queue=debug"],
    );
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("q")).await;
    let log = program.stop();
    assert_eq!((lines(&log, "connection opened").len(), lines(&log, "queue declared").len()), (0, 1), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_nowhere_and_what_is_deprecated_is_named_with_its_client() {
    let mut program = Program::start("nowhere", &["--in-memory", "--no-http", "--log-level", "info,queue=debug"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("transient")).await;
    ch.publish(publish("", "nowhere", "x")).await;
    let dying = queue("dying").exclusive().arg("x-message-ttl", Value::I(0));
    ch.declare(
        dying
            .arg("x-dead-letter-exchange", Value::S(Vec::new()))
            .arg("x-dead-letter-routing-key", Value::S(b"gone".to_vec())),
    )
    .await;
    ch.publish(publish("", "dying", "x")).await;
    ch.expect_ready("dying", 0).await;
    let log = program.stop();
    let deprecated = lines(&log, "transient_nonexcl_queues");
    assert!(
        deprecated.len() == 1
            && deprecated[0].contains("queue 'transient' in vhost '/', declared by user 'guest' from 127.0.0.1:"),
        "{log}"
    );
    let unroutable = lines(&log, "a message is unroutable");
    assert!(unroutable.len() == 1 && unroutable[0].contains("key=nowhere mandatory=false"), "{log}");
    let dead = lines(&log, "dead-lettered into nothing");
    assert!(dead.len() == 1 && dead[0].contains("queue=dying"), "{log}");
}

/// Two different mistakes have the same text, which is RabbitMQ's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_is_not_known_was_settled_before_or_never_given() {
    let mut program = Program::start("unknown-tag", &["--in-memory", "--no-http"]);
    let connection = Connect::to(program.address()).open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue("q")).await;
    ch.publish(publish("", "q", "x")).await;
    ch.expect_ready("q", 1).await;
    let tag = ch.get("q").await.unwrap().delivery_tag;
    ch.ack(tag).await;
    ch.ack(tag).await;
    ch.expect_close(406, "PRECONDITION_FAILED - unknown delivery tag 1", (60, 80)).await;
    let ch = connection.channel(2).await;
    ch.ack(7).await;
    ch.expect_close(406, "PRECONDITION_FAILED - unknown delivery tag 7", (60, 80)).await;
    let log = program.stop();
    assert!(lines(&log, "unknown delivery tag 1")[0].contains("that delivery was settled already"), "{log}");
    assert!(lines(&log, "unknown delivery tag 7")[0].contains("no delivery of this channel had that tag"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_declared_it_and_who_has_it_is_told() {
    let mut program = Program::start("declared-by", &["--in-memory", "--no-http"]);
    let mut owner = Connect::to(program.address());
    owner.client_properties = args([("connection_name", Value::S(b"owner".to_vec()))]);
    let owner = owner.open().await;
    let first = owner.channel(1).await;
    first.declare(queue("shared")).await;
    first.declare(queue("own").exclusive()).await;
    let other = Connect::to(program.address()).open().await.channel(1).await;
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'shared' in vhost '/': received 'true' but current is 'false'";
    other.refused(queue("shared").durable(), 406, text).await;
    let text = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'own' in vhost '/'. It could be originally declared on \
                another connection or the exclusive property value does not match that of the original declaration.";
    other.refused(queue("own").passive(), 405, text).await;
    other
        .refused(queue("amq.mine"), 403, "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'")
        .await;
    let log = program.stop();
    for words in ["inequivalent arg", "RESOURCE_LOCKED"] {
        let line = lines(&log, words)[0];
        assert!(line.contains("declared_by=\"user 'guest' from 127.0.0.1:") && line.contains(" (owner), 0."), "{line}");
    }
    let reserved = lines(&log, "reserved prefix")[0];
    assert!(reserved.contains("names that begin with amq.") && !reserved.contains("declared_by"), "{reserved}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_says_who_and_with_what() {
    let mut program = Program::start("login-lines", &["--in-memory", "--no-http"]);
    let mut connect = Connect::to(program.address());
    connect.client_properties = args([
        ("connection_name", Value::S(b"worker".to_vec())),
        ("product", Value::S(b"pika".to_vec())),
        ("capabilities", Value::F(args([("authentication_failure_close", Value::t(true))]))),
    ]);
    let text =
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";
    connect.user("guest", "wrong").start().await.expect_close(403, text, (0, 0)).await;
    Connect::to(program.address())
        .vhost("nowhere")
        .ask()
        .await
        .expect_close(530, "NOT_ALLOWED - vhost nowhere not found", (10, 40))
        .await;
    let log = program.stop();
    let refused = lines(&log, "login refused");
    let who = "user=guest connection=worker client=pika mechanism=PLAIN reason=\"wrong password\"";
    assert!(refused.len() == 1 && refused[0].contains(who), "{log}");
    assert!(!log.contains("Password"), "{log}");
    assert!(lines(&log, "vhost nowhere not found")[0].contains(" user=guest "), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_by_an_alarm_is_told() {
    let mut program = Program::start("who-is-blocked", &["--in-memory", "--no-http", "--memory-high-watermark", "1"]);
    let mut connect = Connect::to(program.address());
    connect.client_properties = args([("connection_name", Value::S(b"flood".to_vec()))]);
    let ch = connect.open().await.channel(1).await;
    ch.declare(queue("q")).await;
    ch.publish(publish("", "q", "x")).await;
    ch.publish(publish("", "q", "x")).await;
    crate::client::eventually("the blocked publisher is in the log", async || {
        let log = program.log();
        let is_told = lines(&log, "a publisher is blocked until the alarm is over");
        match is_told.first() {
            Some(line) if line.contains("connection=flood") && line.contains("reason=\"low on memory\"") => Ok(()),
            _ => Err(log),
        }
    })
    .await;
    program.stop();
}
