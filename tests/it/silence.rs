//! What a broker answers with silence: everything wrong before `connection.open` closes the socket after about 3 s, without
//! a byte (reference: 1.3, 1.4, 1.5). The cases run side by side, because each costs those seconds on RabbitMQ.

use std::time::{Duration, Instant};

use amq_protocol::protocol::connection::Open;
use tokio::task::JoinSet;

use crate::broker::{Setup, TestBroker};
use crate::client::connection::PROTOCOL_HEADER;
use crate::client::table::{S, args};
use crate::client::{Connect, Connection, POLL};

/// A connection that is told something wrong, and since when it was not yet.
type Case = (&'static str, Instant, Connection);

/// Has the connection told what is wrong. A RabbitMQ that is busy takes a while for that, so each has its own time.
async fn told(case: &'static str, connection: impl Future<Output = Connection>) -> Case {
    #[expect(clippy::disallowed_methods, reason = "the pause is the behaviour")]
    let since = Instant::now();
    (case, since, connection.await)
}

/// Each connection was told something wrong and must end in silence, not at once but after the pause.
async fn all_end_in_silence(broker: &TestBroker, connections: Vec<Case>, pause: Duration) {
    let (least, most) = (pause.mul_f32(0.8), pause.mul_f32(3.0));
    let mut waiting = JoinSet::new();
    for (case, since, connection) in connections {
        waiting.spawn(async move {
            assert_eq!(connection.socket.any_frame().await, None, "{case}: the socket should close in silence");
            (case, since.elapsed())
        });
    }
    if !broker.is_rabbitmq() {
        // Nothing answers that could be awaited. By the time that a whole connection was served, what was said before it has been read.
        broker.connect().await.close().await;
        assert!(waiting.try_join_next().is_none(), "none may end without the pause");
        crate::client::eventually("all sockets close", async || {
            broker.pass(pause.mul_f32(1.1)).await;
            tokio::time::sleep(POLL).await;
            while let Some(done) = waiting.try_join_next() {
                done.unwrap_or_else(|error| panic!("{error}"));
            }
            if waiting.is_empty() { Ok(()) } else { Err(waiting.len()) }
        })
        .await;
    }
    while let Some(done) = waiting.join_next().await {
        let (case, waited) = done.unwrap_or_else(|error| panic!("{error}"));
        if broker.is_rabbitmq() {
            assert!(waited > least && waited < most, "{case} was closed after {waited:?}");
        }
    }
}

/// reference: 1.3, all silent rows
#[tokio::test]
async fn refused_logins_end_in_silence() {
    let broker = TestBroker::with_clock().await;
    let with = || broker.connect_with();
    let no_close = || broker.connect_with().capabilities(&[]);
    // The length is part of a field table on the wire, but not of an AMQPLAIN response.
    let amqplain = |table: crate::client::Table| table.encode()[4..].to_vec();
    let cases: Vec<(&str, Connect)> = vec![
        ("authorisation id", with().mechanism("PLAIN", b"guest\0guest\0guest")),
        ("no NULs", with().mechanism("PLAIN", b"guest")),
        ("one NUL", with().mechanism("PLAIN", b"\0guest")),
        ("empty response", with().mechanism("PLAIN", b"")),
        ("wrong password without the capability", no_close().user("guest", "wrong")),
        ("unknown user without the capability", no_close().user("nobody", "guest")),
        ("wrong AMQPLAIN without the capability", {
            no_close().mechanism("AMQPLAIN", &amqplain(args([("LOGIN", S("guest")), ("PASSWORD", S("x"))])))
        }),
        ("AMQPLAIN without password", with().mechanism("AMQPLAIN", &amqplain(args([("LOGIN", S("guest"))])))),
        ("AMQPLAIN garbage", with().mechanism("AMQPLAIN", b"garbage")),
        ("EXTERNAL", with().mechanism("EXTERNAL", b"")),
        ("an unknown mechanism", with().mechanism("BOGUS", b"")),
        ("lower case", with().mechanism("plain", b"\0guest\0guest")),
        ("capabilities that are no table", {
            let mut connect = with().user("guest", "wrong");
            connect.client_properties = args([("capabilities", S("authentication_failure_close"))]);
            connect
        }),
    ];
    let mut connections = Vec::new();
    for (case, connect) in cases {
        connections.push(told(case, connect.start()).await);
    }
    all_end_in_silence(&broker, connections, Duration::from_secs(3)).await;
}

/// reference: 1.4, all refused rows
#[tokio::test]
async fn refused_tunings_end_in_silence() {
    let broker = TestBroker::with_clock().await;
    let cases = vec![
        ("channel-max 0", broker.connect_with().channel_max(0)),
        ("channel-max 2048", broker.connect_with().channel_max(2048)),
        ("channel-max 65535", broker.connect_with().channel_max(65535)),
        ("frame-max 0", broker.connect_with().frame_max(0)),
        ("frame-max 4096", broker.connect_with().frame_max(4096)),
        ("frame-max 8191", broker.connect_with().frame_max(8191)),
        ("frame-max 131073", broker.connect_with().frame_max(131_073)),
    ];
    let mut connections = Vec::new();
    for (case, connect) in cases {
        connections.push(told(case, connect.tune()).await);
    }
    all_end_in_silence(&broker, connections, Duration::from_secs(3)).await;
}

/// reference: 1.4 (before tune-ok) and 1.5 (handshake ordering)
#[tokio::test]
async fn a_handshake_out_of_order_or_too_large_ends_in_silence() {
    let broker = TestBroker::with_clock().await;
    let mut large = broker.connect_with();
    large.client_properties = args([("product", S("x".repeat(8200)))]);
    let early = async {
        let early = broker.raw().await;
        early.write(PROTOCOL_HEADER).await;
        early.expect((10, 10)).await;
        early.send(Open { virtual_host: "/".into() }).await;
        early
    };
    let untuned = async {
        let untuned = broker.connect_with().start().await;
        untuned.expect((10, 30)).await;
        untuned.send(Open { virtual_host: "/".into() }).await;
        untuned
    };
    let connections = vec![
        told("a start-ok of more than 8192 bytes", large.start()).await,
        told("open before start-ok", early).await,
        told("open instead of tune-ok", untuned).await,
    ];
    all_end_in_silence(&broker, connections, Duration::from_secs(3)).await;
}

/// reference: 1.1 (fewer than 8 bytes) and 1.5 (handshake timeout)
#[tokio::test]
async fn an_unfinished_handshake_is_closed_after_ten_seconds() {
    let broker = TestBroker::with_clock().await;
    let half = async {
        let half = broker.raw().await;
        half.write(b"AMQP").await;
        half
    };
    let started = async {
        let started = broker.raw().await;
        started.write(PROTOCOL_HEADER).await;
        started.expect((10, 10)).await;
        started
    };
    let tuned = async {
        let tuned = broker.connect_with().start().await;
        tuned.expect((10, 30)).await;
        tuned
    };
    let connections = vec![
        told("nothing", broker.raw()).await,
        told("half a header", half).await,
        told("no start-ok", started).await,
        told("no tune-ok", tuned).await,
    ];
    all_end_in_silence(&broker, connections, Duration::from_secs(10)).await;
}

/// reference: 1.3, the loopback rule and users of one's own
#[tokio::test]
async fn users_of_ones_own_log_in() {
    let user = crate::broker::unique("user");
    let broker = Setup::default().user(&user, "pass word\u{e9}").start().await;
    broker.connect_with().user(&user, "pass word\u{e9}").open().await.close().await;
    let refused = broker.connect_with().user(&user, "other").start().await;
    let text =
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";
    refused.expect_close(403, text, (0, 0)).await;
}
