//! How often a broker that nobody uses wakes up. The program runs by itself, so that nothing else wakes its threads.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::process::{Directory, Program};

/// So long is counted at a time.
const SPAN: Duration = Duration::from_secs(10);
/// The statistics and the alerts look at everything so often.
const ROUND: Duration = Duration::from_secs(5);
/// What a start leaves to be done later, and what the system makes a thread wait for, only adds: of several spans the calmest one counts.
const SPANS_MAX: usize = 6;

/// How often each thread of a process has gone to sleep by itself: by the number of the thread, with its name.
fn sleeps(process: u32) -> BTreeMap<String, (String, u64)> {
    let mut found = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let thread = thread.unwrap();
        // A thread that ends meanwhile is not there any more.
        let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else { continue };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let count = field("voluntary_ctxt_switches:").parse().unwrap();
        found.insert(thread.file_name().into_string().unwrap(), (field("Name:"), count));
    }
    found
}

/// The threads that woke up within a span, and how often; with how often all of them may have.
async fn woken(process: u32) -> (BTreeMap<String, u64>, u64) {
    let before = sleeps(process);
    #[expect(clippy::disallowed_methods, reason = "a busy machine makes the span longer, and that is counted in")]
    let since = Instant::now();
    tokio::time::sleep(SPAN).await;
    let mut woken = BTreeMap::new();
    for (thread, (name, count)) in sleeps(process) {
        let moved = count - before.get(&thread).map_or(0, |(_, count)| *count);
        if moved > 0 {
            *woken.entry(name).or_insert(0) += moved;
        }
    }
    // A span may begin just before a round.
    let rounds = since.elapsed().as_secs() / ROUND.as_secs() + 1;
    (woken, rounds)
}

/// The aim is one wake-up in five seconds, of all threads together. A timer of 100 ms would have a hundred in a span.
async fn check_idle(name: &str, arguments: &[&str]) {
    let directory = Directory::new(name);
    let program = Program::start_in(&directory, arguments);
    let mut spans = Vec::new();
    for _ in 0..SPANS_MAX {
        let (woken, rounds) = woken(program.process_id()).await;
        if woken.values().sum::<u64>() <= rounds {
            return;
        }
        spans.push(woken);
    }
    panic!("which threads woke in {SPAN:?}, and how often: {spans:?}");
}

#[tokio::test]
async fn an_idle_broker_with_http_wakes_once_in_five_seconds() {
    check_idle("idle-http", &["--http-listen", "127.0.0.1:0", "--prometheus-listen", "127.0.0.1:0"]).await;
}

#[tokio::test]
async fn an_idle_broker_without_http_wakes_once_in_five_seconds() {
    check_idle("idle", &["--no-http"]).await;
}
