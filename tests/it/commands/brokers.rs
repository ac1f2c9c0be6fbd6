//! Which broker a command asks, and how brokers are stopped and waited for.

use super::{Tools, answer, links};
use crate::process::{Directory, Program};

/// A broker in memory has its socket under its port only.
#[test]
fn a_broker_in_memory_is_found_by_its_port() {
    let program = Program::start("by-port", &["--in-memory", "--no-http"]);
    let links = links("by-port");
    let ping = |arguments: &[&str]| {
        let mut command = std::process::Command::new(links.path().join("rabbitmq-diagnostics"));
        answer(command.args(["-q", "ping"]).args(arguments).env_remove("LEVERET_DATA_DIR").output().unwrap())
    };
    let port = program.address().port().to_string();
    assert_eq!(ping(&["--port", &port]).code, 0);
    let wrong = ping(&["--port", "1"]);
    assert_eq!(wrong.code, 69);
    assert!(wrong.error.contains("no broker of this machine listens on port 1"), "{}", wrong.error);
    drop(program);
}

/// Server and commands read the same file.
#[test]
fn a_broker_is_found_by_the_configuration_that_it_was_started_with() {
    let place = Directory::new("by-configuration");
    std::fs::create_dir_all(place.path()).unwrap();
    let file = |name: &str, data: &str| {
        let file = place.path().join(name);
        std::fs::write(&file, format!("data_dir = '{}/{data}'\n", place.text())).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (own, other) = (file("own.toml", "data"), file("other.toml", "nowhere"));
    let _program = Program::start_with(&[("LEVERET_CONFIG_FILE", &own)], "by-configuration", &["--no-http"]);
    let links = links("by-configuration");
    let ping = |configuration: &str| {
        let mut command = std::process::Command::new(links.path().join("rabbitmq-diagnostics"));
        command.args(["-q", "ping"]).env_remove("LEVERET_DATA_DIR").env("LEVERET_CONFIG_FILE", configuration);
        answer(command.output().unwrap())
    };
    assert_eq!(ping(&own).code, 0, "{:?}", ping(&own));
    let elsewhere = ping(&other);
    assert!(
        elsewhere.code == 69 && elsewhere.error.contains("no broker runs with the data directory"),
        "{elsewhere:?}"
    );
}

#[test]
fn a_broker_elsewhere_is_asked_over_http_with_a_password() {
    let tools = Tools::start("over-http");
    let list = "rabbitmqctl -q list_users --url http://127.0.0.1:$HTTP_PORT";
    assert_eq!(tools.ok(list), "user\ttags\nguest\t[administrator]\n");
    tools.ok("rabbitmqctl add_user anna secret && rabbitmqctl set_user_tags anna administrator");
    tools.ok(&format!("{list} --username anna --password secret"));
    let (code, error) = tools.fails(&format!("{list} --username anna --password wrong"));
    assert!(code == 69 && error.contains("Not_Authorized"), "{error}");
    let (code, error) = tools.fails("rabbitmqctl stop --url http://127.0.0.1:$HTTP_PORT");
    assert!(code == 69 && error.contains("on its own machine only"), "{error}");
}

#[test]
fn stop_and_shutdown_end_the_process_and_wait_for_it() {
    let mut tools = Tools::start("ctl-stop");
    assert_eq!(tools.ok("rabbitmqctl stop"), "Stopping and halting node rabbit@localhost ...\n");
    assert_eq!(tools.program.end().0, Some(0));
    let mut tools = Tools::start("ctl-shutdown");
    let said = tools.ok("rabbitmqctl shutdown");
    assert!(said.starts_with("Shutting down RabbitMQ node rabbit@localhost running at PID "), "{said}");
    assert!(said.ends_with(" successfully shut down\n"), "{said}");
    assert_eq!(tools.program.end().0, Some(0));
}

#[test]
fn wait_takes_a_pid_or_a_file_with_one() {
    let tools = Tools::start("ctl-wait");
    let file = tools.data.path().join("its.pid");
    std::fs::write(&file, format!("{}\n", tools.program.process_id())).unwrap();
    let said = tools.ok(&format!("rabbitmqctl wait {}", file.display()));
    assert!(said.starts_with(&format!("Waiting for pid file '{}' to appear\npid is ", file.display())), "{said}");
    tools.ok(&format!("rabbitmqctl -q wait --pid {} --timeout 5", tools.program.process_id()));
    let (code, error) = tools.fails("rabbitmqctl wait /nowhere/pid --timeout 0");
    assert_eq!((code, error.contains("timed out. Timeout value used: 0")), (75, true), "{error}");
    let (code, error) = tools.fails("rabbitmqctl wait");
    assert_eq!((code, error.contains("\"No pid or pidfile specified\"")), (64, true), "{error}");
}
