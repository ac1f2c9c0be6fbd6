//! What definitions take in memory while nobody uses them. The program runs by itself, so that nothing else is in its memory.

use crate::client::Value::I;
use crate::client::method::bind;
use crate::client::{Channel, Connect, Request, args, exchange, queue};
use crate::process::Program;

/// So many that what the broker takes by itself does not matter; hash tables are as full as with four times as many.
const QUEUES: usize = 25_000;
const BINDINGS: usize = 50_000;

/// An idle queue with a short name.
const QUEUE_BYTES_MAX: usize = 1_200;
/// A binding with a short key.
const BINDING_BYTES_MAX: usize = 300;

/// The n-th binding key.
type Key = fn(usize) -> String;

/// Sends requests that nobody answers, and waits until the last one is done. Not for all at once: on a slow machine they take long.
async fn send_all(ch: &Channel, requests: impl Iterator<Item = Request>) {
    const AT_A_TIME: usize = 1_000;
    for (number, request) in (1..).zip(requests) {
        ch.send(request).await;
        if number % AT_A_TIME == 0 {
            ch.sync().await;
        }
    }
    ch.sync().await;
}

/// What the allocator keeps for later, and what else the program does meanwhile, only adds: of several measurements the smallest one is
/// what the things take.
const MEASURED_MAX: usize = 3;

#[tokio::test]
async fn idle_queues_and_bindings_are_small() {
    let mut smallest = measured().await;
    for _ in 1..MEASURED_MAX {
        if smallest.iter().all(|(_, bytes, max)| bytes <= max) {
            break;
        }
        for (known, (_, bytes, _)) in smallest.iter_mut().zip(measured().await) {
            known.1 = known.1.min(bytes);
        }
    }
    assert!(smallest.iter().all(|(_, bytes, max)| bytes <= max), "what, its bytes, what is allowed: {smallest:?}");
}

/// What each thing takes, and what it may take.
async fn measured() -> Vec<(&'static str, usize, usize)> {
    let program = Program::start("footprint", &["--in-memory"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    let names = || (0..QUEUES).map(|number| format!("queue-{number}"));
    send_all(&ch, names().take(100).map(|name| queue(&name).no_wait().into())).await;
    let mut before = program.resident_bytes();
    let mut grown = |count: usize| {
        let now = program.resident_bytes();
        let each = now.saturating_sub(before) / count;
        before = now;
        each
    };
    send_all(&ch, names().skip(100).map(|name| queue(&name).no_wait().into())).await;
    let mut found = vec![("queue", grown(QUEUES - 100), QUEUE_BYTES_MAX)];

    let keys: [(&str, Key); 5] = [
        ("direct", |number| format!("device.{number}")),
        ("fanout", |number| format!("device.{number}")),
        ("headers", |_| String::new()),
        ("topic", |number| format!("device.{number}")),
        ("topic, three words", |number| format!("device.{number}.temperature")),
    ];
    for (kind, key) in keys {
        let (exchange_type, _) = kind.split_once(',').unwrap_or((kind, ""));
        ch.declare_exchange(exchange(kind, exchange_type)).await;
        let bound = (0..BINDINGS).map(|number| {
            let name = format!("queue-{}", number % QUEUES);
            let device = i32::try_from(number).unwrap();
            let arguments = if kind == "headers" { args([("device", I(device))]) } else { args([]) };
            bind(&name, kind, &key(number), &arguments, true)
        });
        send_all(&ch, bound).await;
        found.push((kind, grown(BINDINGS), BINDING_BYTES_MAX));
    }
    found
}
