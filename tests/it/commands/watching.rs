//! `leveret tail` and `leveret top`: what is seen of a broker as it works.

use std::process::{Command, Stdio};

use super::Tools;
use crate::client::{Connect, eventually, exchange, publish, queue};

/// Publishes until the command has seen enough; what it wrote.
async fn tailed(tools: &Tools, flags: &str) -> String {
    let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
    ch.declare_exchange(exchange("shop", "topic")).await;
    ch.declare(queue("orders")).await;
    ch.bind("orders", "shop", "order.*").await;
    let mut leveret = Command::new(env!("CARGO_BIN_EXE_leveret"));
    leveret.args(["tail", "--data-dir", tools.data.text()]).args(flags.split(' '));
    let mut child = leveret.stdout(Stdio::piped()).spawn().unwrap();
    eventually("the tail has seen enough", async || {
        ch.publish(publish("shop", "order.new", "a\u{1b}b")).await;
        ch.publish(publish("shop", "other", "c")).await;
        ch.publish(publish("", "orders", "d")).await;
        ch.sync().await;
        if child.try_wait().unwrap().is_some() { Ok(()) } else { Err("it goes on") }
    })
    .await;
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_shows_what_passes_its_filters_and_ends_at_its_limit() {
    let tools = Tools::start("tail");
    let told = tailed(&tools, "--exchange shop --key order.* --queue orders --limit 2").await;
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 2, "{told}");
    let shown = r" exchange 'shop' key 'order.new' -> [orders] 3 bytes: a\u{1b}b";
    assert!(lines.iter().all(|line| line.ends_with(shown)), "{told}");
    let told = tailed(&tools, "--exchange amq.default --limit 1 --json").await;
    let message: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&message["routing_key"], &message["payload"]), (&"orders".into(), &"d".into()));
}

#[test]
fn a_tail_of_what_is_not_there_is_one_sentence() {
    let tools = Tools::start("tail-nowhere");
    let (code, error) = tools.fails("leveret tail --vhost nowhere");
    assert_eq!((code, error.as_str()), (69, "leveret: there is no virtual host 'nowhere'\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn top_draws_in_a_terminal_until_a_key_ends_it() {
    let tools = Tools::start("top");
    let ch = Connect::to(tools.program.address()).open().await.channel(1).await;
    ch.declare(queue("orders")).await;
    ch.publish(publish("", "orders", "x")).await;
    ch.expect_ready("orders", 1).await;
    let frame = tools.ok("leveret top --once");
    assert!(frame.starts_with("rabbit@localhost like RabbitMQ 4."), "{frame}");
    assert!(frame.lines().any(|line| line.starts_with("│orders ") && line.contains(" 1 ")), "{frame}");
    let drawn = tools.shell("printf nq | script -qec 'stty rows 40 cols 120; leveret top' /dev/null");
    assert_eq!(drawn.code, 0, "{drawn:?}");
    assert!(drawn.out.contains("orders") && drawn.out.contains("name: 1 of 1"), "{drawn:?}");
    let (code, error) = tools.fails("leveret top | cat; exit 64");
    assert!(code == 64 && error.contains("--once writes one frame as text"), "{error}");
}
