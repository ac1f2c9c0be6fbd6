//! Files of the log: what is written to them, how they are rotated, and that nothing depends on them.

use std::fs;

use crate::client::{Connect, eventually, queue};
use crate::process::{Directory, Program};

fn text(directory: &Directory, name: &str) -> String {
    fs::read_to_string(directory.path().join(name)).unwrap_or_default()
}

/// Waits until a file holds this.
async fn holds(directory: &Directory, name: &str, wanted: &str) {
    eventually("the file of the log holds it", async || {
        let found = text(directory, name);
        if found.contains(wanted) { Ok(()) } else { Err(format!("{name} without '{wanted}': {found}")) }
    })
    .await;
}

async fn declare(program: &Program, name: &str) {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue(name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_gets_the_file_of_the_node_in_a_format_and_with_levels_of_its_own() {
    let logs = Directory::new("log-dir");
    let arguments = ["--in-memory", "--log-dir", logs.text(), "--log-file-format", "json", "--log-file-level", "debug"];
    let mut program = Program::start("log-dir", &arguments);
    declare(&program, "q1").await;
    holds(&logs, "rabbit@localhost.log", "queue declared").await;
    for line in text(&logs, "rabbit@localhost.log").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["fields"]["message"].is_string(), "{line}");
    }
    let stderr = program.stop();
    assert!(stderr.contains(" INFO connection opened") && !stderr.contains("queue declared"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmqs_keys_say_where_the_log_goes_and_how_much_of_it() {
    let logs = Directory::new("log-conf");
    fs::create_dir_all(logs.path()).unwrap();
    let conf = logs.path().join("rabbitmq.conf");
    let keys = format!(
        "log.console = false\nlog.dir = {}\nlog.file = broker.log\nlog.file.level = debug\nlog.connection.level = error\n\
         log.queue.level = debug\nlog.file.rotation.size = 1000000\nlog.file.rotation.count = 3\n",
        logs.text()
    );
    fs::write(&conf, keys).unwrap();
    let mut program = Program::start("log-conf", &["--in-memory", "--config", conf.to_str().unwrap()]);
    declare(&program, "q1").await;
    holds(&logs, "broker.log", "queue declared").await;
    let stderr = program.stop();
    assert!(!text(&logs, "broker.log").contains("connection opened"), "{}", text(&logs, "broker.log"));
    assert_eq!(stderr, "", "nothing goes to the console");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_rotated_by_size_and_few_are_kept() {
    let logs = Directory::new("log-size");
    let file = logs.path().join("a.log");
    let arguments = ["--in-memory", "--log-file", file.to_str().unwrap(), "--log-file-rotation-size", "2000"];
    let more = ["--log-file-rotation-count", "2", "--log-file-rotation-compress"];
    let mut program = Program::start("log-size", &[&arguments[..], &more].concat());
    eventually("the file was rotated several times", async || {
        declare(&program, "q").await;
        if logs.path().join("a.log.1.gz").exists() { Ok(()) } else { Err(text(&logs, "a.log")) }
    })
    .await;
    program.stop();
    let mut names: Vec<_> = fs::read_dir(logs.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["a.log", "a.log.0.gz", "a.log.1.gz"]);
    assert!(fs::metadata(&file).unwrap().len() <= 2000);
}

/// As `logrotate` does it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved_away_is_opened_again_at_a_hang_up() {
    let logs = Directory::new("log-hang-up");
    let file = logs.path().join("a.log");
    let mut program = Program::start("log-hang-up", &["--in-memory", "--log-file", file.to_str().unwrap()]);
    holds(&logs, "a.log", "connect to").await;
    fs::rename(&file, logs.path().join("moved")).unwrap();
    program.signal("HUP");
    holds(&logs, "a.log", "read the configuration again").await;
    program.stop();
    assert!(text(&logs, "moved").contains("connect to"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_written_costs_lines_and_nothing_else() {
    for (name, file, said) in [
        ("log-full", "/dev/full", None),
        ("log-nowhere", "/proc/nowhere/a.log", Some("cannot write the log to /proc/nowhere/a.log: ")),
    ] {
        let mut program = Program::start(name, &["--in-memory", "--log-file", file]);
        declare(&program, "q").await;
        let stderr = program.stop();
        assert!(said.is_none_or(|said| stderr.contains(said)), "{stderr}");
        assert!(stderr.contains("connection opened"), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_rabbitmq_say_where_the_log_goes() {
    let logs = Directory::new("log-variables");
    let variables = [("RABBITMQ_LOG_BASE", logs.text()), ("RABBITMQ_LOG", "debug,connection=error")];
    let mut program = Program::start_with(&variables, "log-variables", &["--in-memory"]);
    declare(&program, "q1").await;
    holds(&logs, "rabbit@localhost.log", "queue declared").await;
    program.stop();
    assert!(!text(&logs, "rabbit@localhost.log").contains("connection opened"));
}
