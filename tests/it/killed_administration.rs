//! `kill -9` of the real program after, and in the middle of, what an administrator does over HTTP.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;

use serde_json::{Value, json};

use crate::broker::Management;
use crate::client::properties::properties;
use crate::client::{Channel, Connect, publish, queue};
use crate::process::{Directory, Program};

fn start(directory: &Directory) -> Program {
    Program::start_in(directory, &["--http-listen", "127.0.0.1:0"])
}

fn api(program: &Program) -> Management {
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
}

async fn channel(program: &Program) -> Channel {
    Connect::to(program.address()).open().await.channel(1).await
}

async fn publish_confirmed(ch: &Channel, name: &str, count: u32) {
    for number in 0..count {
        ch.publish_confirmed(publish("", name, number.to_string()).with(properties().delivery_mode(2))).await;
    }
}

/// What a policy dropped stays away, and it goes on to drop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_in_force_after_a_kill() {
    let directory = Directory::new("killed-policy");
    let mut program = start(&directory);
    let ch = channel(&program).await;
    ch.confirm_select().await;
    ch.declare(queue("limited").durable()).await;
    publish_confirmed(&ch, "limited", 10).await;
    let policy = json!({ "pattern": "^limited$", "definition": { "max-length": 3 }, "apply-to": "queues" });
    api(&program).put("/api/policies/%2F/limit", &policy);
    ch.expect_ready("limited", 3).await;
    program.kill();

    let mut program = start(&directory);
    let ch = channel(&program).await;
    assert_eq!(ch.counts("limited").await.0, 3);
    assert_eq!(api(&program).get("/api/queues/%2F/limited")["policy"], "limit");
    ch.confirm_select().await;
    publish_confirmed(&ch, "limited", 2).await;
    ch.expect_ready("limited", 3).await;
    let kept: Vec<_> = [ch.get("limited").await, ch.get("limited").await].map(|got| got.unwrap().text()).to_vec();
    assert_eq!(kept, ["9", "0"], "the oldest went first");
    assert_eq!(api(&program).request("DELETE", "/api/policies/%2F/limit", None).0, 204);
    program.kill();

    let program = start(&directory);
    let ch = channel(&program).await;
    ch.confirm_select().await;
    publish_confirmed(&ch, "limited", 5).await;
    ch.expect_ready("limited", 8).await;
}

/// What tells the cluster from all others belongs to its data directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_has_the_same_id_after_a_kill() {
    let id = |program: &Program| api(program).get("/api/global-parameters/internal_cluster_id");
    let directory = Directory::new("killed-id");
    let mut program = start(&directory);
    let before = id(&program);
    channel(&program).await.declare(queue("q").durable()).await;
    program.kill();
    assert_eq!(id(&start(&directory)), before);
    assert_ne!(id(&start(&Directory::new("another-id"))), before);
}

/// A broker that is killed while it moves messages has each of them in one of the two queues.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_loses_and_doubles_nothing() {
    // As many as one look shows.
    const MESSAGES: u32 = 500;
    let directory = Directory::new("killed-move");
    let mut program = start(&directory);
    let ch = channel(&program).await;
    ch.confirm_select().await;
    for name in ["from", "to"] {
        ch.declare(queue(name).durable()).await;
    }
    for number in 0..MESSAGES {
        ch.publish(publish("", "from", number.to_string()).with(properties().delivery_mode(2))).await;
    }
    ch.expect_acks_up_to(u64::from(MESSAGES)).await;
    let management = api(&program);
    let peeked = management.get(&format!("/api/leveret/queues/%2F/from/peek?limit={MESSAGES}"));
    let chosen: Vec<_> = peeked["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| json!({ "position": message["position"], "id": message["id"] }))
        .collect();
    let moving = std::thread::spawn(move || {
        // It may be answered before the kill, or never.
        let body = json!({ "messages": chosen, "queue": "to" });
        let path = "/api/leveret/queues/%2F/from/messages/move";
        std::panic::catch_unwind(AssertUnwindSafe(|| management.request("POST", path, Some(&body)))).ok()
    });
    crate::client::eventually("some are moved", async || {
        let moved = ch.counts("to").await.0;
        if moved > 0 { Ok(()) } else { Err(moved) }
    })
    .await;
    program.kill();
    let answered: Option<(u16, Value)> = moving.join().unwrap();

    let program = start(&directory);
    let ch = channel(&program).await;
    let mut numbers = Vec::new();
    for name in ["from", "to"] {
        while let Some(got) = ch.get(name).await {
            numbers.push(got.text().parse::<u32>().unwrap());
        }
        if name == "from" && answered.is_some() {
            assert!(numbers.is_empty(), "it said that all were moved");
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
}
