//! What RabbitMQ's tools tell of a node besides its health: its log, its environment, the policies for a name.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Tools, links};
use crate::process::{Directory, Program};

#[test]
fn one_node_has_reached_its_size() {
    let tools = Tools::start("diagnostics-size");
    let reached = "Target cluster size has been reached on node rabbit@localhost\n";
    let banner = "Checking if target cluster size has been reached on node rabbit@localhost ...\n";
    for tool in ["rabbitmqctl", "rabbitmq-diagnostics", "rabbitmq-upgrade"] {
        assert_eq!(tools.ok(&format!("{tool} has_reached_target_cluster_size")), format!("{banner}{reached}"));
        assert_eq!(tools.ok(&format!("{tool} -q has_reached_target_cluster_size")), reached);
    }
    assert_eq!(tools.ok("rabbitmqctl -s has_reached_target_cluster_size"), "");
    assert_eq!(tools.ok("rabbitmqctl has_reached_target_cluster_size --formatter json"), "{\"result\":\"ok\"}\n");
    assert_eq!(tools.fails("rabbitmqctl has_reached_target_cluster_size x").0, 64);
}

/// A broker whose log goes to a file, in which it writes nothing by itself.
fn logging(name: &str) -> (Tools, Directory, PathBuf) {
    let logs = Directory::new(&format!("{name}-logs"));
    std::fs::create_dir_all(logs.path()).unwrap();
    let file = logs.path().join("broker.log");
    let tools = Tools::start_with(name, &["--log-file", file.to_str().unwrap(), "--log-file-level", "error"]);
    (tools, logs, file)
}

fn append(file: &PathBuf, text: &str) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_last_lines_of_the_log_are_told() {
    let (tools, _logs, file) = logging("diagnostics-tail");
    let long = "x".repeat(200_000);
    append(&file, &format!("first\n{long}\nlast but one\nlast\n"));
    let tail = |arguments: &str| tools.ok(&format!("rabbitmq-diagnostics log_tail {arguments}"));
    assert_eq!(tail("-N 2"), "Last 2 log lines on node rabbit@localhost ...\nlast but one\nlast\n");
    assert_eq!(tail("-q --number 1"), "last\n");
    assert_eq!(tail("-q -N 4"), format!("first\n{long}\nlast but one\nlast\n"));
    assert_eq!(tail("-N 2 --formatter json"), "[\n{\"message\":\"last but one\"}\n,{\"message\":\"last\"}\n]\n");
    assert_eq!(tail("-q -N 0"), "\n");
    let more: String = (0..60).map(|number| format!("{number}\n")).collect();
    append(&file, &more);
    assert_eq!(tail("-q"), more[20..], "the last 50");
    // The end of a line that is being written.
    append(&file, "beg");
    assert_eq!(tail("-q -N 2"), "59\nbeg\n");
    for wrong in ["log_tail -N x", "log_tail_stream --duration x", "log_tail y", "log_tail_stream y"] {
        assert_eq!(tools.fails(&format!("rabbitmq-diagnostics {wrong}")).0, 64, "{wrong}");
    }
}

#[test]
fn lines_of_the_log_are_told_as_they_are_written() {
    let (tools, _logs, file) = logging("diagnostics-stream");
    append(&file, "before\n");
    let links = links("diagnostics-stream-own");
    let mut stream = Command::new(links.path().join("rabbitmq-diagnostics"))
        .args(["log_tail_stream"])
        .env("LEVERET_DATA_DIR", tools.data.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "Streaming logs from node rabbit@localhost ...");
    // Nothing tells when the file was opened: so often as it takes until the first is seen.
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let appended = std::thread::spawn({
        let file = file.clone();
        move || {
            while stopped.recv_timeout(std::time::Duration::from_millis(20)).is_err() {
                append(&file, "while it is followed\n");
            }
        }
    });
    assert_eq!(next(), "while it is followed", "and not what was there before");
    stop.send(()).unwrap();
    appended.join().unwrap();
    append(&file, "last of the old\n");
    let mut seen = next();
    while seen != "last of the old" {
        seen = next();
    }
    // It is rotated: a new one is in its place.
    std::fs::rename(&file, file.with_extension("0")).unwrap();
    std::fs::write(&file, "first of the new\n").unwrap();
    assert_eq!(next(), "first of the new");
    stream.kill().unwrap();
    stream.wait().unwrap();
    let said = tools.ok("rabbitmq-diagnostics log_tail_stream --duration 0");
    assert_eq!(said, "Streaming logs from node rabbit@localhost for 0 seconds ...\n");
}

#[test]
fn without_a_file_there_is_no_log_to_tell() {
    let tools = Tools::start("diagnostics-no-file");
    for verb in ["log_tail", "log_tail_stream"] {
        let (code, error) = tools.fails(&format!("rabbitmq-diagnostics {verb}"));
        assert!(code == 69 && error.contains("the log goes to no file that could be read here: <stderr>"), "{error}");
    }
}

#[test]
fn the_environment_is_told_without_passwords() {
    let data = Directory::new("diagnostics-environment");
    let variables = [("RABBITMQ_DEFAULT_PASS", "hush"), ("LEVERET_DEFAULT_USER", "anna"), ("OTHER_NAME", "x")];
    let arguments = ["--data-dir", data.text(), "--http-listen", "127.0.0.1:0"];
    let program = Program::start_with(&variables, "diagnostics-environment", &arguments);
    let tools = Tools { program, links: links("diagnostics-environment"), data };
    let said = tools.ok("rabbitmq-diagnostics os_env");
    let mut lines = said.lines();
    let banner = "Listing RabbitMQ-specific environment variables defined on node rabbit@localhost...";
    assert_eq!(lines.next(), Some(banner));
    let told: Vec<_> = lines.collect();
    assert!(told.contains(&"LEVERET_DEFAULT_USER=anna") && told.contains(&"RABBITMQ_DEFAULT_PASS=********"), "{said}");
    assert!(told.is_sorted() && !said.contains("OTHER_NAME") && !said.contains("hush"), "{said}");
    let json: Value = serde_json::from_str(&tools.ok("rabbitmq-diagnostics os_env --formatter json")).unwrap();
    assert_eq!((&json["result"], &json["node"]), (&json!("ok"), &json!("rabbit@localhost")));
    assert_eq!(json["variables"]["LEVERET_DEFAULT_USER"], "anna");
    let csv = tools.ok("rabbitmq-diagnostics os_env --formatter csv");
    assert!(
        csv.starts_with("\"variable\",\"value\"\n") && csv.contains("\"LEVERET_DEFAULT_USER\",\"anna\"\n"),
        "{csv}"
    );
}

#[test]
fn policies_for_a_name_are_told_the_first_one_holds() {
    let tools = Tools::start("diagnostics-policies");
    for command in [
        "set_policy p1 '^q' '{\"max-length\":5}' --priority 3 --apply-to queues",
        "set_policy p2 '.*' '{\"max-length\":6,\"expires\":60000}' --priority 1",
        "set_policy p3 '.*' '{\"alternate-exchange\":\"x\"}' --priority 7 --apply-to exchanges",
        "set_policy p4 '^other' '{\"max-length\":5}' --priority 9",
        "set_operator_policy o1 '.*' '{\"max-length\":6}'",
    ] {
        tools.ok(&format!("rabbitmqctl {command}"));
    }
    tools.ok("leveret admin declare queue name=q1 durable=true && leveret admin declare exchange name=e1 type=fanout");
    let ask = |arguments: &str| tools.shell(&format!("rabbitmq-diagnostics list_policies_that_match {arguments}"));
    let json: Value = serde_json::from_str(&ask("q1 --formatter json").out).unwrap();
    let p1 = json!({ "vhost": "/", "name": "p1", "pattern": "^q", "apply-to": "queues", "definition": { "max-length": 5 }, "priority": 3 });
    let p2 = json!({ "vhost": "/", "name": "p2", "pattern": ".*", "apply-to": "all",
                     "definition": { "expires": 60000, "max-length": 6 }, "priority": 1 });
    assert_eq!(json, json!({ "result": "ok", "policies": [p1, p2] }));
    let drawn = ask("q1").out;
    assert!(
        drawn.starts_with("Listing policies that match queue 'q1' in vhost '/' ...\n\u{1b}(0lqqqqqqqwqqqqqqw"),
        "{drawn}"
    );
    assert!(drawn.contains(" {<<\"expires\">>,60000}{<<\"max-length\">>,6} "), "{drawn}");
    let json: Value = serde_json::from_str(&ask("e1 --object-type exchange --formatter json").out).unwrap();
    let names: Vec<_> =
        json["policies"].as_array().unwrap().iter().map(|policy| policy["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["p3", "p2"]);

    tools.ok("rabbitmqctl clear_policy p2 && rabbitmqctl clear_policy p3");
    let banner = "Listing policies that match queue 'r1' in vhost '/' ...\n";
    tools.ok("leveret admin declare queue name=r1 durable=true");
    let output = "\u{1b}(0lqqqqqqqqk\u{1b}(B\n\u{1b}(0x\u{1b}(B \u{1b}[1mOutput\u{1b}[0m \u{1b}(0x\u{1b}(B\n\u{1b}(0tqqqqqqqqu\u{1b}(B\n\
                  \u{1b}(0x\u{1b}(B []     \u{1b}(0x\u{1b}(B\n\u{1b}(0mqqqqqqqqj\u{1b}(B\n";
    for (arguments, expected) in [
        ("r1", format!("{banner}{output}")),
        ("r1 -q", output.to_owned()),
        ("r1 --formatter pretty_table", format!("{banner}{output}")),
        ("r1 --formatter table", format!("{banner}\n")),
        ("r1 --formatter erlang", format!("{banner}[]\n")),
        ("r1 --formatter csv", "\r\n\r\n\n".to_owned()),
    ] {
        assert_eq!(ask(arguments).out, expected, "{arguments}");
    }
    let json: Value = serde_json::from_str(&ask("r1 --formatter json").out).unwrap();
    assert_eq!(json, json!({ "result": "ok", "policies": [] }));

    let absent = "Object (queue, stream, exchange, etc) was not found\n";
    for arguments in ["nosuch", "q1 -p nosuch", "q1 --object-type exchange"] {
        let asked = ask(arguments);
        assert_eq!((asked.code, asked.error.as_str()), (65, absent), "{arguments}");
    }
    let asked = ask("nosuch --formatter json");
    let json: Value = serde_json::from_str(&asked.out).unwrap();
    assert_eq!(
        (asked.code, json),
        (0, json!({ "message": "object (queue, exchange) not found", "result": "error", "policies": [] }))
    );
    for arguments in ["", "a b", "q1 --object-type moon"] {
        assert_eq!(ask(arguments).code, 64, "{arguments}");
    }
    // It is a verb of the diagnostics alone.
    assert!(tools.fails("rabbitmqctl list_policies_that_match q1").1.contains("Did you mean 'list_policies'?"));
}
