//! What a start makes of the data directory that it finds: after a stop, after a kill, and after damage.

use std::fs;

use std::path::PathBuf;

use crate::client::properties::properties;
use crate::client::{Channel, Connect, eventually, publish, queue};
use crate::process::{Directory, Program};

/// Bytes of a message, but for its number.
const BODY_BYTES: usize = 16 * 1024;

async fn channel(program: &Program) -> Channel {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("q").durable()).await;
    ch
}

fn body(number: u64) -> String {
    format!("{number:08}{}", ".".repeat(BODY_BYTES))
}

/// Publishes messages with these numbers, all confirmed.
async fn publish_all(ch: &Channel, numbers: std::ops::Range<u64>) {
    ch.confirm_select().await;
    let count = numbers.end - numbers.start;
    for number in numbers {
        ch.publish(publish("", "q", body(number)).with(properties().delivery_mode(2))).await;
    }
    ch.expect_acks_up_to(count).await;
}

/// Takes everything that is in the queue; the numbers.
async fn take_all(ch: &Channel) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(delivery) = ch.get_no_ack("q").await {
        numbers.push(delivery.text()[..8].parse().unwrap());
    }
    numbers
}

fn files(directory: &Directory, of: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path().join(of)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_how_the_last_run_ended() {
    let directory = Directory::new("ends");
    let text = directory.text();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 0..3).await;
    let log = program.stop();
    assert!(log.contains(&format!("made the data directory {text}")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 3..5).await;
    let log = program.kill();
    assert!(log.contains(&format!("opened the data directory {text}")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0, 1, 2, 3, 4]);
    let log = program.stop();
    assert!(log.contains(&format!("recovered the data directory {text} after a crash: read ")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0; 0]);
    let log = program.stop();
    assert!(log.contains(&format!("opened the data directory {text}")), "{log}");
}

/// After a start with a long log, the little that comes is enough to make it short, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_made_short_after_a_restart() {
    let directory = Directory::new("long-log");
    let mut program = Program::start_in(&directory, &[]);
    // Just below the 48 MiB at which half of it goes.
    publish_all(&channel(&program).await, 0..2_800).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 2_800..3_300).await;
    expect_segments(&directory).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, (0..3_300).collect::<Vec<_>>());
    program.stop();
}

async fn expect_segments(directory: &Directory) {
    eventually(
        "there is a segment file",
        async || {
            if files(directory, "segments").is_empty() { Err(()) } else { Ok(()) }
        },
    )
    .await;
}
/// A checkpoint of the second run may need what the first one wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_two_runs_wrote_is_read_whole() {
    let directory = Directory::new("two-runs");
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 0..10).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 10..20).await;
    let ch = channel(&program).await;
    // More than is kept in memory, and nothing that the log has to tell: it stays as long as it is.
    for number in 0..8_000 {
        ch.publish(publish("", "q", body(number))).await;
    }
    expect_segments(&directory).await;
    publish_all(&channel(&program).await, 20..30).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, (0..30).collect::<Vec<_>>());
    program.stop();
}
