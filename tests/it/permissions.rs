//! Permissions that change while connections are open, and topic permissions (reference: 10).

use crate::broker::{Setup, TestBroker, q, unique, x};
use crate::client::method::bind;
use crate::client::table::{S, args};
use crate::client::{Request, Value, consume, publish, queue};

/// reference: 10. RabbitMQ remembers what a channel was allowed until the channel is idle: here a right that is taken away stops the
/// next publish.
#[tokio::test]
async fn a_revoked_right_stops_the_next_operation() {
    let user = unique("user");
    let broker = Setup::default().user(&user, "secret").start().await;
    let name = broker.name("q");
    let connection = broker.connect_with().user(&user, "secret").open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue(&name)).await;
    ch.confirm_select().await;
    for _ in 0..3 {
        ch.publish_confirmed(publish("", &name, "x")).await;
    }
    broker.administrator().permit(&user, "/", ".*", "", ".*");
    if broker.is_rabbitmq() {
        // Another exchange was not asked about yet.
        let text = format!("ACCESS_REFUSED - write access to {} refused for user '{user}'", x("amq.fanout"));
        ch.publish_refused(publish("amq.fanout", "", "x"), 403, &text).await;
    } else {
        let text = format!("ACCESS_REFUSED - write access to {} refused for user '{user}'", x("amq.default"));
        ch.publish_refused(publish("", &name, "x"), 403, &text).await;
    }
    let ch = connection.channel(2).await;
    broker.administrator().forbid(&user, "/");
    for (access, request) in [("configure", queue("other").into()), ("read", consume(&name).into())] {
        let request: Request = request;
        let what = if access == "read" { q(&name) } else { q("other") };
        let text = format!("ACCESS_REFUSED - {access} access to {what} refused for user '{user}'");
        ch.refused(request, 403, &text).await;
    }
    broker.administrator().permit(&user, "/", ".*", ".*", ".*");
    assert_eq!(ch.counts(&name).await.0, 3);
}

/// reference: 10
#[tokio::test]
async fn whoever_has_no_permissions_any_more_cannot_enter() {
    let user = unique("user");
    let broker = Setup::default().user(&user, "secret").start().await;
    broker.connect_with().user(&user, "secret").open().await.close().await;
    broker.administrator().forbid(&user, "/");
    let refused = broker.connect_with().user(&user, "secret").ask().await;
    let text = format!("NOT_ALLOWED - access to vhost '/' refused for user '{user}'");
    refused.expect_close(530, &text, (10, 40)).await;
}

/// reference: 10
#[tokio::test]
async fn topic_permissions_limit_the_keys_of_one_exchange() {
    let user = unique("user");
    let broker = Setup::default().user(&user, "secret").start().await;
    let name = broker.name("q");
    let connection = broker.connect_with().user(&user, "secret").open().await;
    let ch = connection.channel(1).await;
    ch.declare(queue(&name)).await;
    broker.administrator().permit_topics(&user, "amq.topic", "^{username}[.]{client_id}$", "^r");
    broker.administrator().permit_topics(&user, "amq.direct", "", "");
    ch.confirm_select().await;
    ch.publish_confirmed(publish("amq.topic", format!("{user}.{{client_id}}"), "x")).await;
    ch.publish_confirmed(publish("amq.direct", "it is no topic exchange", "x")).await;
    ch.bind(&name, "amq.direct", "any").await;
    ch.bind(&name, "amq.topic", "r.#").await;
    let refusal = |access: &str| {
        format!("ACCESS_REFUSED - {access} access to topic 'zzz' in {} refused for user '{user}'", x("amq.topic"))
    };
    ch.publish_refused(publish("amq.topic", "zzz", "x"), 403, &refusal("write")).await;
    let ch = connection.channel(2).await;
    ch.refused(bind(&name, "amq.topic", "zzz", &args([]), false), 403, &refusal("read")).await;
}

/// reference: 10
#[tokio::test]
async fn keys_in_cc_are_checked_as_well() {
    let user = unique("user");
    let broker = Setup::default().user(&user, "secret").start().await;
    broker.administrator().permit_topics(&user, "amq.topic", "^a$", "");
    let ch = broker.connect_with().user(&user, "secret").open().await.channel(1).await;
    let text = format!("ACCESS_REFUSED - write access to topic 'zzz' in {} refused for user '{user}'", x("amq.topic"));
    ch.publish_refused(publish("amq.topic", "a", "x").header("CC", Value::A(vec![S("zzz")])), 403, &text).await;
}

/// reference: 6.2, publishing to the dead-letter exchange needs no permission
#[tokio::test]
async fn a_dead_letter_needs_no_permission_to_be_published() {
    let user = unique("user");
    let broker = Setup::default().user(&user, "secret").start().await;
    let [name, dead] = ["q", "dead"].map(|name| broker.name(name));
    let ch = broker.connect_with().user(&user, "secret").open().await.channel(1).await;
    ch.declare(queue(&dead)).await;
    ch.declare(queue(&name).arg("x-dead-letter-exchange", S("")).arg("x-dead-letter-routing-key", S(&dead))).await;
    ch.publish(publish("", &name, "x")).await;
    ch.expect_ready(&name, 1).await;
    // Nobody but the broker may write to the default exchange now.
    broker.administrator().permit(&user, "/", "", "", ".*");
    let delivery = ch.get(&name).await.unwrap();
    ch.reject(delivery.delivery_tag, false).await;
    ch.expect_ready(&dead, 1).await;
}

/// reference: 1.9
#[tokio::test]
async fn a_virtual_host_of_the_same_name_is_a_new_one() {
    let broker = TestBroker::start().await;
    let vhost = unique("vhost");
    broker.administrator().create_vhost(&vhost);
    let ch = broker.connect_with().vhost(&vhost).open().await.channel(1).await;
    ch.declare(queue("q").durable()).await;
    broker.administrator().delete_vhost(&vhost);
    let refused = broker.connect_with().vhost(&vhost).ask().await;
    refused.expect_close(530, &format!("NOT_ALLOWED - vhost {vhost} not found"), (10, 40)).await;
    broker.administrator().create_vhost(&vhost);
    let ch = broker.connect_with().vhost(&vhost).open().await.channel(1).await;
    assert!(!ch.exists("q").await);
    broker.administrator().delete_vhost(&vhost);
}
