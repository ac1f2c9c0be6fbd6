//! The log, and what else the program writes: whoever does not read it, or cannot take it, neither stops nor ends the broker.

use crate::client::{Connect, publish, queue};
use crate::process::{Directory, Program};

/// It starts, serves and stops although its output goes there.
async fn check_serves(name: &str, words: &str) {
    let mut program = Program::start_unheard(words, name, &["--in-memory"]).await;
    for _ in 0..3 {
        let ch = Connect::to(program.address()).open().await.channel(1).await;
        ch.declare(queue("q")).await;
        ch.publish(publish("", "q", "x")).await;
        ch.expect_ready("q", 1).await;
        ch.delete("q").await;
    }
    program.signal("TERM");
    assert_eq!(program.end().0, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_on_a_full_disk_ends_nothing() {
    check_serves("full-log", "exec 2>/dev/full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_stops_nothing() {
    let directory = Directory::new("unread-log");
    let pipe = format!("mkdir {0}; mkfifo {0}/pipe; exec 2<>{0}/pipe; head -c 65536 /dev/zero >&2", directory.text());
    check_serves("unread-log", &pipe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_are_closed_end_nothing() {
    check_serves("closed-log", "exec 2>&-").await;
    check_serves("closed-output", "exec >&-").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_takes_nothing_ends_nothing() {
    check_serves("full-output", "exec >/dev/full").await;
    let directory = Directory::new("unread-output");
    let pipe = format!("mkdir {0}; mkfifo {0}/pipe; exec 1<>{0}/pipe; head -c 65536 /dev/zero", directory.text());
    check_serves("unread-output", &pipe).await;
}
