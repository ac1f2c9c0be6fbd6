//! The log, and what else the program writes: whoever does not read it, or cannot take it, neither stops nor ends the broker.

use crate::client::table::S;
use crate::client::{Connect, args, publish, queue};
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

/// As `leveret 2>&1 | head -n 1` does.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_has_gone_ends_nothing() {
    let directory = Directory::new("left-log");
    let pipe = format!("mkdir {0}; mkfifo {0}/pipe; head -n 1 {0}/pipe >/dev/null & exec 2>{0}/pipe", directory.text());
    check_serves("left-log", &pipe).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_sends_cannot_forge_a_line_or_reach_the_terminal() {
    let forged = "x\n2026-01-01T00:00:00.000000Z  INFO user authenticated user=admin\u{1b}[2J\u{9b}1m";
    for format in ["text", "json"] {
        let mut program = Program::start(&format!("forged-{format}"), &["--in-memory", "--log-format", format]);
        let connection = Connect::to(program.address()).vhost(forged).ask().await;
        connection.expect_close(530, &format!("NOT_ALLOWED - vhost {forged} not found"), (10, 40)).await;
        let log = program.stop();
        assert!(log.contains("closing connection"), "{log}");
        assert!(log.chars().all(|character| character == '\n' || !character.is_control()), "{log:?}");
        assert!(!log.lines().any(|line| line.starts_with("2026-01-01")), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_errs_again_and_again_does_not_fill_the_log() {
    let mut program = Program::start("repeated-errors", &["--in-memory"]);
    let connection = Connect::to(program.address()).open().await;
    let ch = connection.channel(1).await;
    #[expect(
        clippy::disallowed_methods,
        reason = "so many lines are let through in a time, and a busy machine takes longer"
    )]
    let start = std::time::Instant::now();
    for _ in 0..200 {
        ch.refused(queue("nowhere").passive(), 404, "NOT_FOUND - no queue 'nowhere' in vhost '/'").await;
    }
    // Twenty in ten seconds, and what has begun counts.
    let most = (20 * (start.elapsed().as_secs() as usize / 10 + 2)).min(200);
    let log = program.stop();
    let lines =
        log.lines().filter(|line| line.contains("closing channel") && !line.contains("lines were left out")).count();
    assert!((1..=most).contains(&lines), "{lines} lines, not more than {most}");
    let left_out = log.lines().filter(|line| line.contains("lines were left out") && line.contains("closing channel"));
    let counts = left_out.map(|line| line.rsplit_once("lines=").unwrap().1.parse::<usize>().unwrap());
    assert_eq!(counts.sum::<usize>(), 200 - lines, "{log}");
}

/// The program's lines are messages with their level as key; reading them makes no new ones.
#[tokio::test(flavor = "multi_thread")]
async fn lines_go_to_an_exchange_if_they_are_to() {
    let program = Program::start("log-exchange", &["--in-memory", "--log-exchange"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("lines")).await;
    ch.bind("lines", "amq.rabbitmq.log", "#").await;
    let other = Connect::to(program.address()).open().await.channel(1).await;
    other.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
    loop {
        let line = ch.get_eventually("lines").await;
        assert_eq!(line.properties.content_type.as_deref(), Some("text/plain"));
        assert!(line.headers().get("node") == Some(&S("rabbit@localhost")) && line.properties.timestamp.is_some());
        if line.key() == "error" {
            assert!(line.text().contains("[error]") && line.text().contains("no queue 'none'"), "{}", line.text());
            break;
        }
        assert_eq!(line.key(), "info", "{}", line.text());
    }
}

/// As in the other outputs: whoever reads the queue may have a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_for_the_exchange_cannot_be_forged_and_is_cut() {
    let program = Program::start("log-exchange-forged", &["--in-memory", "--log-exchange"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("lines")).await;
    ch.bind("lines", "amq.rabbitmq.log", "error").await;
    let long = "y".repeat(4_000);
    let forged = format!("x\n2026-01-01T00:00:00.000000Z  [info] user authenticated user=admin\u{1b}[2J{long}");
    let mut connect = Connect::to(program.address());
    connect.client_properties = args([("connection_name", S(&forged))]);
    let other = connect.open().await.channel(1).await;
    other.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
    let line = ch.get_eventually("lines").await.text();
    let text = line.strip_suffix('\n').unwrap();
    assert!(text.contains("closing channel") && !text.chars().any(char::is_control), "{text:?}");
    assert!(text.contains(r#"connection="x\n2026-01-01"#) && text.len() < 2_000, "{} bytes: {text}", text.len());
}

/// Twenty such lines of one client go there in ten seconds, as to the other outputs.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_errs_again_and_again_does_not_fill_a_queue() {
    let program = Program::start("log-exchange-repeated", &["--in-memory", "--log-exchange"]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("lines")).await;
    ch.bind("lines", "amq.rabbitmq.log", "error").await;
    for _ in 0..200 {
        ch.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
    }
    ch.get_eventually("lines").await;
    // A busy machine may take long enough for more than twenty.
    assert!(ch.counts("lines").await.0 <= 100);
}

/// It has a level of its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_exchange_gets_no_lines_below_its_level() {
    let arguments = ["--in-memory", "--log-exchange", "--log-exchange-level", "error"];
    let program = Program::start("log-exchange-level", &arguments);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("lines")).await;
    ch.bind("lines", "amq.rabbitmq.log", "#").await;
    let other = Connect::to(program.address()).open().await.channel(1).await;
    other.refused(queue("none").passive(), 404, "NOT_FOUND - no queue 'none' in vhost '/'").await;
    let line = ch.get_eventually("lines").await;
    assert_eq!(line.key(), "error", "the line that the connection was opened is less bad: {}", line.text());
}
