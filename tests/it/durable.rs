//! What survives a stop and a start: the embedded broker with a data directory.

use std::path::PathBuf;
use std::time::Duration;

use leveret::ClockHand;
use leveret::{Clock, Compatibility};

use crate::client::eventually;
use crate::client::properties::properties;
use crate::client::table::S;
use crate::client::{Channel, Connect, Properties, Value, args, consume, exchange, publish, queue};

/// A data directory, and the broker that uses it now.
struct Durable {
    directory: PathBuf,
    clock: Clock,
    hand: std::sync::Arc<ClockHand>,
    broker: Option<leveret::Broker>,
}

impl Durable {
    async fn start(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("leveret-durable-{}-{name}", std::process::id()));
        std::fs::remove_dir_all(&directory).ok();
        let (clock, hand) = Clock::manual();
        let mut durable = Self { directory, clock, hand, broker: None };
        durable.start_like(Compatibility::default()).await;
        durable
    }

    async fn start_like(&mut self, version: Compatibility) {
        let builder = leveret::Broker::builder().data_dir(&self.directory).clock(self.clock.clone()).disk_free_limit(0);
        self.broker = Some(builder.compatibility(version).start().await.unwrap());
    }

    async fn restart(&mut self) {
        self.restart_like(Compatibility::default()).await;
    }

    async fn restart_like(&mut self, version: Compatibility) {
        self.broker.take().unwrap().stop().await;
        self.start_like(version).await;
    }

    async fn channel(&self) -> Channel {
        Connect::to(self.broker.as_ref().unwrap().address()).open().await.channel(1).await
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

fn persistent() -> Properties {
    properties().delivery_mode(2)
}

#[tokio::test(flavor = "multi_thread")]
async fn durable_things_survive_and_others_do_not() {
    let mut durable = Durable::start("topology").await;
    let ch = durable.channel().await;
    ch.declare(queue("kept").durable()).await;
    ch.declare(queue("lost")).await;
    ch.declare(queue("mine").durable().exclusive()).await;
    ch.declare_exchange(exchange("kept.x", "topic").durable().arg("alternate-exchange", S("amq.fanout"))).await;
    ch.declare_exchange(exchange("lost.x", "topic")).await;
    ch.bind_with("kept", "kept.x", "a.#", &args([("k", Value::I(1))])).await;
    ch.bind("kept", "lost.x", "a.#").await;
    ch.bind("lost", "kept.x", "a.#").await;
    ch.bind("kept", "amq.direct", "gone").await;
    ch.unbind("kept", "amq.direct", "gone").await;
    ch.bind_exchange("kept.x", "amq.topic", "b.#").await;
    ch.declare(queue("deleted").durable()).await;
    ch.delete("deleted").await;
    durable.restart().await;
    let ch = durable.channel().await;
    assert!(ch.exists("kept").await);
    assert!(ch.exchange_exists("kept.x").await);
    for gone in ["lost", "mine", "deleted"] {
        assert!(!ch.exists(gone).await, "{gone}");
    }
    assert!(!ch.exchange_exists("lost.x").await);
    for (exchange, key) in [("kept.x", "a.b"), ("amq.topic", "b.c"), ("amq.direct", "gone")] {
        ch.publish(publish(exchange, key, format!("by {exchange}"))).await;
    }
    assert_eq!(ch.drain("kept").await, ["by kept.x"]);
}

/// What vanishes with the broker takes the auto-delete exchanges along whose last binding led there, and these take others along.
#[tokio::test(flavor = "multi_thread")]
async fn an_auto_delete_exchange_goes_with_what_did_not_survive() {
    let mut durable = Durable::start("forsaken").await;
    let ch = durable.channel().await;
    ch.declare(queue("kept").durable()).await;
    ch.declare(queue("lost")).await;
    ch.declare(queue("own").durable().exclusive()).await;
    for name in ["to.lost", "to.own", "to.both", "to.other", "unbound"] {
        ch.declare_exchange(exchange(name, "fanout").durable().auto_delete()).await;
    }
    ch.bind("lost", "to.lost", "").await;
    ch.bind("own", "to.own", "").await;
    ch.bind("lost", "to.both", "").await;
    ch.bind("kept", "to.both", "").await;
    ch.bind_exchange("to.lost", "to.other", "").await;
    durable.restart().await;
    let ch = durable.channel().await;
    for name in ["to.lost", "to.own", "to.other"] {
        assert!(!ch.exchange_exists(name).await, "{name}");
    }
    for name in ["to.both", "unbound"] {
        assert!(ch.exchange_exists(name).await, "{name}");
    }
}

/// A queue that could not be declared today is still what it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_survives_whose_arguments_the_profile_of_today_refuses() {
    let mut durable = Durable::start("refused").await;
    durable.restart_like(Compatibility::V3_13).await;
    let ch = durable.channel().await;
    let with_locator = |name| queue(name).durable().arg("x-queue-master-locator", Value::S("min-masters".into()));
    ch.declare(with_locator("q")).await;
    ch.confirm_select().await;
    ch.publish(publish("", "q", "m").with(persistent())).await;
    ch.expect_acks_up_to(1).await;
    durable.restart_like(Compatibility::V4_3).await;
    let ch = durable.channel().await;
    assert_eq!(ch.get("q").await.unwrap().body, b"m");
    // A new one is refused, which closes the connection.
    ch.send(with_locator("other")).await;
    assert!(ch.connection.any_frame().await.is_method((10, 50)));
}

#[tokio::test(flavor = "multi_thread")]
async fn persistent_messages_survive_in_their_order_with_all_they_have() {
    let mut durable = Durable::start("messages").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    for body in ["1", "2", "3", "4"] {
        ch.publish(publish("", "q", body).with(persistent().correlation_id(body))).await;
        ch.publish(publish("", "q", "transient")).await;
    }
    ch.expect_acks_up_to(8).await;
    let first = ch.get("q").await.unwrap();
    assert!(!first.redelivered);
    ch.get("q").await.unwrap();
    let third = ch.get("q").await.unwrap();
    ch.ack(third.delivery_tag).await;
    ch.sync().await;
    durable.restart().await;
    let ch = durable.channel().await;
    ch.expect_ready("q", 3).await;
    let first = ch.get("q").await.unwrap();
    assert!(first.redelivered);
    assert_eq!((first.text(), first.properties.correlation_id), ("1".to_owned(), Some("1".to_owned())));
    let third = ch.get("q").await.unwrap();
    assert_eq!((third.text(), third.redelivered), ("3".to_owned(), false));
    assert_eq!(ch.get("q").await.unwrap().text(), "4");
    assert_eq!(ch.get("q").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_of_requeued_messages_does_not_come_back() {
    let mut durable = Durable::start("purge").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    for body in ["1", "2", "3"] {
        ch.publish(publish("", "q", body).with(persistent())).await;
    }
    ch.expect_acks_up_to(3).await;
    let held = ch.get("q").await.unwrap();
    let requeued = ch.get("q").await.unwrap();
    ch.nack(requeued.delivery_tag, true).await;
    assert_eq!(ch.purge("q").await, 2);
    durable.restart().await;
    let ch = durable.channel().await;
    assert_eq!(ch.drain("q").await, [held.text()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn times_to_live_go_on_while_the_broker_is_down() {
    let mut durable = Durable::start("ttl").await;
    let ch = durable.channel().await;
    ch.declare(queue("dead").durable()).await;
    let dead = [("x-dead-letter-exchange", S("")), ("x-dead-letter-routing-key", S("dead"))];
    ch.declare(queue("q").durable().args(args(dead))).await;
    ch.confirm_select().await;
    ch.publish(publish("", "q", "short").with(persistent().expiration("1000"))).await;
    ch.publish(publish("", "q", "long").with(persistent().expiration("9000"))).await;
    ch.expect_acks_up_to(2).await;
    durable.hand.advance(Duration::from_secs(2));
    durable.restart().await;
    let ch = durable.channel().await;
    let died = ch.get_eventually("dead").await;
    assert_eq!(died.text(), "short");
    assert!(died.headers().get("x-death").is_some());
    durable.restart().await;
    durable.hand.advance(Duration::from_secs(8));
    let ch = durable.channel().await;
    assert_eq!(ch.get_eventually("dead").await.text(), "long");
    assert_eq!(ch.get("dead").await, None);
    assert_eq!(ch.drain("q").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn delivery_counts_of_quorum_queues_survive() {
    let mut durable = Durable::start("quorum").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").quorum().arg("x-delivery-limit", Value::I(2))).await;
    ch.confirm_select().await;
    // A quorum queue keeps messages that are not persistent, too.
    ch.publish(publish("", "q", "poison")).await;
    ch.expect_acks_up_to(1).await;
    for count in 0..3 {
        let ch = durable.channel().await;
        let poison = ch.get("q").await.unwrap();
        let header = poison.headers().get("x-delivery-count").cloned();
        assert_eq!(header, (count > 0).then_some(Value::l(count)));
        ch.reject(poison.delivery_tag, true).await;
        ch.sync().await;
        durable.restart().await;
    }
    let ch = durable.channel().await;
    assert_eq!(ch.get("q").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_messages_survive_and_come_when_they_are_due() {
    let mut durable = Durable::start("delayed").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable()).await;
    ch.declare_exchange(exchange("x", "x-delayed-message").durable().arg("x-delayed-type", S("direct"))).await;
    ch.bind("q", "x", "k").await;
    ch.confirm_select().await;
    for (delay, body) in [(9000, "late"), (3000, "soon")] {
        let headers = args([("x-delay", Value::I(delay))]);
        ch.publish(publish("x", "k", body).with(persistent().headers(headers))).await;
    }
    ch.expect_acks_up_to(2).await;
    durable.restart().await;
    durable.hand.advance(Duration::from_secs(4));
    let ch = durable.channel().await;
    assert_eq!(ch.get_eventually("q").await.text(), "soon");
    durable.restart().await;
    durable.hand.advance(Duration::from_secs(9));
    let ch = durable.channel().await;
    assert_eq!(ch.get_eventually("q").await.text(), "late");
    assert_eq!(ch.get("q").await, None);
}

/// (behaviour reference 6.3): counted in a classic queue, held back by a delayed exchange, told by a quorum queue.
#[tokio::test(flavor = "multi_thread")]
async fn failed_deliveries_survive_on_their_way_through_queues_and_exchanges() {
    let mut durable = Durable::start("failed").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").quorum()).await;
    ch.declare_exchange(exchange("x", "x-delayed-message").durable().arg("x-delayed-type", S("direct"))).await;
    ch.bind("q", "x", "work").await;
    ch.declare(queue("work").durable().arg("x-dead-letter-exchange", S("x"))).await;
    let message = persistent().headers(args([("x-delay", Value::I(1000))]));
    ch.confirm_select().await;
    ch.publish(publish("", "work", "m").with(message)).await;
    ch.expect_acks_up_to(1).await;
    let delivery = ch.get("work").await.unwrap();
    ch.reject(delivery.delivery_tag, true).await;
    ch.sync().await;
    durable.restart().await;
    let ch = durable.channel().await;
    let delivery = ch.get("work").await.unwrap();
    ch.reject(delivery.delivery_tag, false).await;
    ch.sync().await;
    durable.restart().await;
    durable.hand.advance(Duration::from_secs(2));
    let ch = durable.channel().await;
    let delivery = ch.get_eventually("q").await;
    assert!(delivery.redelivered);
    assert_eq!(delivery.headers().get("x-delivery-count"), Some(&Value::l(2)));
}

/// (behaviour reference 7.5)
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_exchange_sends_each_key_the_same_way_after_a_restart() {
    let mut durable = Durable::start("hash").await;
    let queues = ["d", "a", "c", "b"];
    let ch = durable.channel().await;
    ch.declare_exchange(exchange("x", "x-consistent-hash").durable()).await;
    for name in queues {
        ch.declare(queue(name).durable()).await;
    }
    // Neither the order of names nor that of declaring; one goes, and comes back last.
    for name in ["b", "d", "a", "c"] {
        ch.bind(name, "x", "1").await;
    }
    ch.unbind("d", "x", "1").await;
    ch.bind("d", "x", "1").await;
    let assignment = async |ch: &Channel| {
        ch.confirm_select().await;
        for key in 0..40_u64 {
            ch.publish(publish("x", key.to_string(), key.to_string())).await;
        }
        ch.expect_acks_up_to(40).await;
        [ch.drain("a").await, ch.drain("b").await, ch.drain("c").await, ch.drain("d").await]
    };
    let before = assignment(&ch).await;
    for _ in 0..2 {
        durable.restart().await;
        assert_eq!(assignment(&durable.channel().await).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn priorities_survive() {
    let mut durable = Durable::start("priorities").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable().arg("x-max-priority", Value::I(9))).await;
    ch.confirm_select().await;
    for (priority, body) in [(1, "low 1"), (9, "high 1"), (1, "low 2"), (9, "high 2")] {
        ch.publish(publish("", "q", body).with(persistent().priority(priority))).await;
    }
    ch.expect_acks_up_to(4).await;
    durable.restart().await;
    let ch = durable.channel().await;
    assert_eq!(ch.drain("q").await, ["high 1", "high 2", "low 1", "low 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_committed_transaction_survives_whole() {
    let mut durable = Durable::start("tx").await;
    let ch = durable.channel().await;
    ch.declare(queue("from").durable()).await;
    ch.declare(queue("to").durable()).await;
    ch.publish(publish("", "from", "work").with(persistent())).await;
    ch.tx_select().await;
    ch.expect_ready("from", 1).await;
    let work = ch.get("from").await.unwrap();
    ch.ack(work.delivery_tag).await;
    ch.publish(publish("", "to", "done").with(persistent())).await;
    ch.tx_commit().await;
    let rolled_back = publish("", "to", "never").with(persistent());
    ch.publish(rolled_back).await;
    durable.restart().await;
    let ch = durable.channel().await;
    assert_eq!(ch.drain("from").await, [""; 0]);
    assert_eq!(ch.drain("to").await, ["done"]);
}

/// More than the log's window, so that most of it goes through segment files.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_queue_is_read_back_in_its_order() {
    const MESSAGES: u64 = 2_000;
    // 32 KiB each, told apart by their first bytes.
    let body = |number: u64| format!("{number:08}{}", ".".repeat(32 * 1024));
    let number_of = |text: String| text.get(..8).and_then(|digits| digits.parse::<u64>().ok());
    let mut durable = Durable::start("long").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    for number in 0..MESSAGES {
        ch.publish(publish("", "q", body(number)).with(persistent())).await;
    }
    ch.expect_acks_up_to(MESSAGES).await;
    ch.qos(100).await;
    ch.consume(consume("q")).await;
    for number in 0..MESSAGES / 2 {
        let delivery = ch.expect_deliver().await;
        assert_eq!(number_of(delivery.text()), Some(number));
        ch.ack(delivery.delivery_tag).await;
    }
    ch.sync().await;
    durable.restart().await;
    let ch = durable.channel().await;
    for number in MESSAGES / 2..MESSAGES {
        assert_eq!(number_of(ch.get_no_ack("q").await.unwrap().text()), Some(number));
    }
    assert_eq!(ch.get("q").await, None);
}

/// A few messages that are never acknowledged must not keep the space of all that were queued with them.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_which_most_is_free_are_rewritten() {
    const MESSAGES: u64 = 4_000;
    const KEPT_ONE_IN: u64 = 100;
    let mut durable = Durable::start("sparse").await;
    let ch = durable.channel().await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    let padding = ".".repeat(32 * 1024);
    for number in 0..MESSAGES {
        ch.publish(publish("", "q", format!("{number:08}{padding}")).with(persistent())).await;
    }
    ch.expect_acks_up_to(MESSAGES).await;
    ch.consume(consume("q")).await;
    for number in 0..MESSAGES {
        let delivery = ch.expect_deliver().await;
        if number % KEPT_ONE_IN != 0 {
            ch.ack(delivery.delivery_tag).await;
        }
    }
    ch.sync().await;
    let segments = durable.directory.join("segments");
    eventually("the files have become small", async || {
        let sizes = std::fs::read_dir(&segments).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        let bytes: u64 = sizes.sum();
        if bytes < 72 * 1024 * 1024 { Ok(()) } else { Err(bytes) }
    })
    .await;
    durable.restart().await;
    let ch = durable.channel().await;
    ch.expect_ready("q", u32::try_from(MESSAGES / KEPT_ONE_IN).unwrap()).await;
    for number in (0..MESSAGES).step_by(KEPT_ONE_IN as usize) {
        let kept = ch.get("q").await.unwrap();
        assert_eq!((kept.text().get(..8), kept.redelivered), (Some(format!("{number:08}").as_str()), true));
    }
    assert_eq!(ch.get("q").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_is_refused() {
    let durable = Durable::start("locked").await;
    let second = leveret::Broker::builder().data_dir(&durable.directory).start().await;
    let text = second.unwrap_err().to_string();
    assert!(text.contains("is in use by another process; stop that one"), "{text}");
}
