//! Leveret's own commands.

use std::process::{Command, Stdio};

use super::{Tools, answer, links};
use crate::client::eventually;

#[test]
fn ping_and_status_ask_the_broker() {
    let mut tools = Tools::start("own-ping");
    assert!(tools.ok("leveret ping").ends_with("leveret.sock answers\n"));
    assert_eq!(tools.ok("leveret ping --quiet"), "");
    let status: serde_json::Value = serde_json::from_str(&tools.ok("leveret status --json")).unwrap();
    assert_eq!((status["node"].as_str(), status["queues"].as_u64()), (Some("rabbit@localhost"), Some(0)));
    assert_eq!(status["pid"], tools.program.process_id().to_string());
    assert!(tools.ok("leveret status").contains("alarms           none\n"));
    tools.program.stop();
    let socket = tools.data.path().join("leveret.sock");
    let (code, error) = tools.fails(&format!("leveret ping --socket {}", socket.display()));
    assert!(code == 69 && error.starts_with("leveret: no broker answers at "), "{error}");
}

fn run(name: &str, script: &str) -> super::Answer {
    let links = links(name);
    let mut command = Command::new(links.path().join("leveret"));
    let path = format!("{}:{}", links.path().display(), std::env::var("PATH").unwrap());
    answer(command.args(["run", "--", "sh", "-c", script]).env("PATH", path).output().unwrap())
}

#[test]
fn run_gives_a_command_a_broker_of_its_own() {
    let told = run(
        "own-run",
        "echo $AMQP_URL $RABBITMQ_URL $CLOUDAMQP_URL $RABBITMQ_HOST:$RABBITMQ_PORT; leveret ping -q; leveret status --json; exit 7",
    );
    assert_eq!(told.code, 7, "{told:?}");
    let (urls, status) = told.out.split_once('\n').unwrap();
    let status: serde_json::Value = serde_json::from_str(status).unwrap();
    let words: Vec<_> = urls.split_whitespace().collect();
    let [url, again, third, address] = words[..] else { panic!("{told:?}") };
    assert_eq!((url, url), (again, third));
    assert_eq!(url, format!("amqp://guest:guest@{address}/%2F"));
    // Not its port, which another test may have by now.
    let process = status["pid"].as_str().unwrap();
    let is_running = Command::new("kill").args(["-0", process]).stderr(Stdio::null()).status().unwrap().success();
    assert!(!is_running, "the broker is gone with the command");
    assert_eq!(run("own-run-signal", "kill -TERM $$").code, 128 + 15);
    let missing = Command::new(env!("CARGO_BIN_EXE_leveret")).args(["run", "/nowhere/command"]).output().unwrap();
    let missing = answer(missing);
    assert!(missing.code == 127 && missing.error.starts_with("leveret: cannot run /nowhere/command: "), "{missing:?}");
}

#[tokio::test]
async fn run_passes_signals_on() {
    let file = std::env::temp_dir().join(format!("leveret-run-{}", std::process::id()));
    let script = format!("trap 'exit 9' TERM; echo ready > {}; while :; do sleep 0.1; done", file.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret"));
    let mut child = command.args(["run", "sh", "-c", &script]).stdin(Stdio::null()).spawn().unwrap();
    eventually("the command runs", async || if file.exists() { Ok(()) } else { Err("not yet") }).await;
    let status = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(9));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn definitions_are_exported_imported_and_checked() {
    let tools = Tools::start("own-definitions");
    let file = tools.data.path().join("definitions.json");
    let file = file.display();
    tools.ok("rabbitmqctl add_vhost kept");
    tools.ok(&format!("leveret definitions export {file}"));
    tools.ok("rabbitmqctl delete_vhost kept");
    assert_eq!(tools.ok(&format!("leveret definitions check {file}")), "can be imported\n");
    assert!(!tools.ok("rabbitmqctl -s list_vhosts").contains("kept"), "a check changes nothing");
    assert_eq!(tools.ok(&format!("leveret definitions import {file}")), "imported\n");
    assert!(tools.ok("rabbitmqctl -s list_vhosts").contains("kept\n"));
    let (code, error) = tools.fails("echo '{\"queues\": [{\"name\": 1}]}' | leveret definitions check");
    assert!(code == 65 && error.starts_with("leveret: "), "{code} {error}");
}

#[test]
fn completions_and_manual_pages_are_made_of_the_table() {
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef leveret"), ("fish", "complete -c leveret")] {
        let script = answer(Command::new(env!("CARGO_BIN_EXE_leveret")).args(["completions", shell]).output().unwrap());
        assert!(script.code == 0 && script.out.contains(sign) && script.out.contains("definitions"), "{shell}");
    }
    let page = answer(Command::new(env!("CARGO_BIN_EXE_leveret")).arg("man").output().unwrap());
    assert!(page.out.contains(".TH leveret 1") && page.out.contains("leveret\\-definitions(1)"), "{}", page.out);
}

#[test]
fn peek_and_routes_look_and_touch_nothing() {
    let tools = Tools::start("own-peek");
    tools.ok("rabbitmqadmin declare queue name=orders && rabbitmqadmin publish routing_key=orders payload=hello");
    let seen = tools.ok("leveret peek orders");
    assert!(seen.starts_with("1 message is ready in the queue orders\n"), "{seen}");
    assert!(seen.contains("exchange '', routing key 'orders', 5 bytes") && seen.ends_with("hello\n"), "{seen}");
    assert_eq!(tools.ok("rabbitmqctl -s list_queues name messages_ready messages_unacknowledged"), "orders\t1\t0\n");
    tools.ok("rabbitmqadmin declare binding source=amq.topic destination=orders routing_key='order.*'");
    let routes = tools.ok("leveret routes amq.topic order.new");
    assert!(routes.starts_with("orders\n  + amq.topic -> queue orders: "), "{routes}");
    assert!(tools.ok("leveret routes amq.topic mail").starts_with("no queue\n  - amq.topic -> queue orders: "));
    let (code, error) = tools.fails("leveret peek nosuch");
    assert_eq!((code, error.as_str()), (69, "leveret: there is no queue 'nosuch' in virtual host '/'\n"));
    let (_, error) = tools.fails("leveret routes nosuch key");
    assert_eq!(error, "leveret: there is no exchange 'nosuch' in virtual host '/'\n");
    let (_, error) = tools.fails("leveret tail --vhost nosuch");
    assert_eq!(error, "leveret: there is no virtual host 'nosuch'\n");
    let (_, error) = tools.fails("leveret status --url http://127.0.0.1:$HTTP_PORT --username guest --password wrong");
    assert!(error.starts_with("leveret: Not_Authorized: user 'guest' is not let in: "), "{error}");
}

/// Names and bodies are a client's, and may hold what a terminal acts on.
#[test]
fn what_is_listed_does_nothing_to_the_terminal() {
    let tools = Tools::start("own-terminal");
    let name = "a\u{1b}[2J\u{9b}1m";
    tools.ok(&format!(
        "leveret admin declare queue name='{name}' && rabbitmqadmin publish routing_key='{name}' payload='{name}'"
    ));
    let lists = [
        "rabbitmqctl -s list_queues name arguments",
        "rabbitmqctl -s list_bindings",
        "rabbitmqadmin list queues",
        "leveret routes amq.default \"$(printf 'a\\033[2J\\302\\2331m')\"",
        "leveret peek \"$(printf 'a\\033[2J\\302\\2331m')\"",
    ];
    for list in lists {
        let text = tools.ok(list);
        assert!(text.contains(r"a\u{1b}[2J\u{9b}1m"), "{list}: {text:?}");
        assert!(
            text.chars().all(|character| character == '\n' || character == '\t' || !character.is_control()),
            "{list}: {text:?}"
        );
    }
    assert!(tools.ok("rabbitmqctl -s list_queues name --formatter json").contains(r"\u001b[2J"));
}

/// Each command's help has an example, and it works as it stands there.
#[test]
fn rabbitmqadmin_speaks_both_of_its_languages() {
    let tools = Tools::start("own-admin");
    let said = |command: &str, text: &str| assert_eq!(tools.ok(&format!("rabbitmqadmin {command}")), text, "{command}");
    // The first version.
    said("declare vhost name=v", "vhost declared\n");
    said("declare user name=u password=p tags=administrator", "user declared\n");
    said("declare permission vhost=v user=u configure=.* write=.* read=.*", "permission declared\n");
    said("--vhost=v declare exchange name=e type=topic", "exchange declared\n");
    said("-V v declare queue name=q arguments='{\"x-max-length\":5}'", "queue declared\n");
    said("-V v declare binding source=e destination=q destination_type=queue routing_key='a.#'", "binding declared\n");
    said("-V v publish exchange=e routing_key=a.b payload=hello", "Message published\n");
    said("-V v publish exchange=e routing_key=x payload=hello", "Message published but NOT routed\n");
    let table =
        "+------+----------+\n| name | messages |\n+------+----------+\n| q    | 1        |\n+------+----------+\n";
    said("-V v list queues", table);
    said("-V v -f tsv list queues name durable", "name\tdurable\nq\tTrue\n");
    said("-V v -f bash list queues name", "q\n");
    let got = tools.ok("rabbitmqadmin -V v -f raw_json get queue=q ackmode=ack_requeue_false");
    assert!(got.contains("\"payload\":\"hello\""), "{got}");
    said("-V v purge queue name=q", "queue purged\n");
    said("-V v list consumers", "No items\n");
    said("-V v delete queue name=q", "queue deleted\n");
    // The second one.
    said("--vhost v declare queue --name q2 --type quorum", "queue declared\n");
    said("--vhost v --format tsv list queues name type", "name\ttype\nq2\tquorum\n");
    said("--vhost v delete queue --name q2 --quiet", "");
    said("--vhost v queues declare --name q3", "queue declared\n");
    said("--vhost v --format tsv queues list name durable", "name\tdurable\nq3\tTrue\n");
    said("--vhost v policies declare --name p --pattern x --definition '{\"max-length\":1}'", "policy declared\n");
    said(
        "--vhost v queues delete --name q3 && rabbitmqadmin --vhost v queues delete --name q3 -q --idempotently",
        "queue deleted\n",
    );
    said("health_check port_listener --port $AMQP_PORT", "health check passed\n");
    // Over HTTP, as somebody.
    said("-H 127.0.0.1 -P $HTTP_PORT -u u -p p -f tsv list vhosts name", "name\n/\nv\n");
    let (code, error) = tools.fails("rabbitmqadmin -H 127.0.0.1 -P $HTTP_PORT -u u -p wrong list vhosts");
    assert!(code == 1 && error.starts_with("*** Access refused: "), "{error}");
    let (code, error) = tools.fails("rabbitmqadmin declare queue");
    assert_eq!((code, error.as_str()), (1, "*** mandatory argument 'name' is missing\n"));
    let (code, error) = tools.fails("rabbitmqadmin declare queue name=q durabel=true");
    assert_eq!((code, error.as_str()), (1, "*** a queue has no argument 'durabel'\n"));
}
