//! Tokens end, and are renewed with `connection.update-secret`.

use amq_protocol::protocol::connection::UpdateSecret;

use super::token::Key;
use super::web::Web;
use crate::client::{Connect, consume, publish, queue};
use crate::process::Program;

fn start(name: &str, key: &Key) -> (Program, Web) {
    let set = key.set();
    let web = Web::start(move |_| (200, set.clone()));
    let arguments = [
        "--in-memory",
        "--auth-backends",
        "oauth2",
        "--auth-oauth2-resource-server-id",
        "rabbitmq",
        "--auth-oauth2-jwks-uri",
    ];
    let program = Program::start(name, &[&arguments[..], &[&web.address("/keys")]].concat());
    (program, web)
}

fn update(token: &str) -> UpdateSecret {
    UpdateSecret { new_secret: token.into(), reason: "it ends soon".into() }
}

const ALL: &str = "rabbitmq.read:*/* rabbitmq.write:*/* rabbitmq.configure:*/*";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_closed_when_its_token_ends() {
    let key = Key::new("k1");
    let (mut program, _web) = start("renewal-end", &key);
    let connection = Connect::to(program.address()).user("x", &key.token(ALL, 2)).open().await;
    connection.expect_close(320, "CONNECTION_FORCED - credential expired", (0, 0)).await;
    assert!(program.stop().contains("credential has expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_token_lives_longer_than_the_old_one() {
    let key = Key::new("k1");
    let (program, _web) = start("renewal-longer", &key);
    let short = Connect::to(program.address()).user("x", &key.token(ALL, 2)).open().await;
    let long = Connect::to(program.address()).user("x", &key.token(ALL, 2)).open().await;
    long.send(update(&key.token(ALL, 600))).await;
    long.expect((10, 71)).await;
    short.expect_close(320, "CONNECTION_FORCED - credential expired", (0, 0)).await;
    // It would have ended in the same moment.
    let ch = long.channel(1).await;
    ch.declare(queue("q")).await;
    long.close().await;
}

/// reference: 1.12, consumers whose queue is no longer readable are cancelled
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_token_counts_at_once_for_what_was_allowed_before() {
    let key = Key::new("k1");
    let (program, _web) = start("renewal-less", &key);
    let connection = Connect::to(program.address()).user("x", &key.token(ALL, 600)).open().await;
    let ch = connection.channel(1).await;
    for name in ["kept", "lost"] {
        ch.declare(queue(name)).await;
        ch.consume(consume(name).tag(name)).await;
    }
    ch.confirm_select().await;
    ch.publish_confirmed(publish("amq.direct", "nowhere", "")).await;
    connection.send(update(&key.token("rabbitmq.read:*/kept rabbitmq.write:*/amq.default", 600))).await;
    ch.expect_cancelled("lost").await;
    connection.expect((10, 71)).await;
    let text = "ACCESS_REFUSED - write access to exchange 'amq.direct' in vhost '/' refused for user 'anna'";
    ch.publish_refused(publish("amq.direct", "nowhere", ""), 403, text).await;
    assert_eq!(connection.channel(2).await.counts("kept").await.1, 0, "the channel is closed, and its consumer gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_somebody_else_is_no_renewal() {
    let key = Key::new("k1");
    let (mut program, _web) = start("renewal-other", &key);
    let other = |claims: serde_json::Value| key.sign(&serde_json::json!({ "alg": "EdDSA", "kid": "k1" }), &claims);
    let bert = other(serde_json::json!({ "sub": "bert", "aud": "rabbitmq", "scope": ALL, "exp": u32::MAX }));
    for token in [bert, "no token".to_owned(), key.token(ALL, 0)] {
        let connection = Connect::to(program.address()).user("x", &key.token(ALL, 600)).open().await;
        connection.send(update(&token)).await;
        connection.expect_close(530, "NOT_ALLOWED - New secret was refused by one of the backends", (10, 70)).await;
    }
    let elsewhere = Connect::to(program.address()).user("x", &key.token(ALL, 600)).open().await;
    elsewhere.send(update(&key.token("rabbitmq.read:other/*", 600))).await;
    elsewhere.expect_close(530, "NOT_ALLOWED - access to vhost '/' refused for user 'anna'", (10, 70)).await;
    assert!(program.stop().contains("Not allowed to change username on refreshed token"));
}
