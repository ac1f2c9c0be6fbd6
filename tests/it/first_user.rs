//! The user and the virtual host that a new broker has, as RabbitMQ's variables say. These run the binary.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::broker::Management;
use crate::client::{Connect, queue};
use crate::process::{Directory, Program, run_with};

const REFUSED: &str =
    "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";

async fn check_refused(program: &Program, user: &str, password: &str) {
    let connection = Connect::to(program.address()).user(user, password).start().await;
    connection.expect_close(403, REFUSED, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmqs_variables_make_the_first_user_and_there_is_no_guest() {
    let environment =
        [("RABBITMQ_DEFAULT_USER", "anna"), ("RABBITMQ_DEFAULT_PASS", "secret"), ("RABBITMQ_DEFAULT_VHOST", "shop")];
    let program = Program::start_with(&environment, "first-user", &["--in-memory"]);
    Connect::to(program.address()).user("anna", "secret").vhost("shop").open().await;
    check_refused(&program, "guest", "guest").await;
    let slash = Connect::to(program.address()).user("anna", "secret").vhost("/").ask().await;
    slash.expect_close(530, "NOT_ALLOWED - vhost / not found", (10, 40)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn own_variables_override_rabbitmqs_and_a_password_may_be_in_a_file() {
    let directory = Directory::new("pass-file");
    std::fs::create_dir_all(directory.path()).unwrap();
    let file = directory.path().join("password");
    std::fs::write(&file, "from a file\n").unwrap();
    let environment = [
        ("RABBITMQ_DEFAULT_USER", "other"),
        ("LEVERET_DEFAULT_USER", "bert"),
        ("RABBITMQ_DEFAULT_PASS_FILE", file.to_str().unwrap()),
    ];
    let program = Program::start_with(&environment, "pass-file", &["--in-memory"]);
    Connect::to(program.address()).user("bert", "from a file").open().await;
    check_refused(&program, "other", "from a file").await;
}

/// A broker that has read this `rabbitmq.conf`, and its API as the user that it made.
fn configured(name: &str, conf: &str) -> (Directory, Program, Management) {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let file = directory.path().join("rabbitmq.conf");
    std::fs::write(&file, format!("default_user = anna\ndefault_pass = secret\n{conf}")).unwrap();
    let arguments = ["--in-memory", "--http-listen", "127.0.0.1:0", "--config", file.to_str().unwrap()];
    let program = Program::start(&format!("{name}-run"), &arguments);
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let api = Management::at(SocketAddr::from(([127, 0, 0, 1], port))).log_in("anna", "secret");
    (directory, program, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_user_has_the_permissions_of_rabbitmqs_file() {
    let conf =
        "default_permissions.configure = ^own\ndefault_permissions.read = ^in\ndefault_permissions.write = ^out\n";
    let (_directory, program, api) = configured("first-permissions", conf);
    let permission = json!({ "user": "anna", "vhost": "/", "configure": "^own", "write": "^out", "read": "^in" });
    assert_eq!(api.get("/api/permissions/%2F/anna"), permission);
    let ch = Connect::to(program.address()).user("anna", "secret").open().await.channel(1).await;
    ch.declare(queue("own-1")).await;
    let text = "ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'anna'";
    ch.refused(queue("other"), 403, text).await;
}

/// A tag that the file names takes the place of `administrator`, as in RabbitMQ.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_user_has_the_tags_of_rabbitmqs_file() {
    for (conf, tags) in [
        ("", json!(["administrator"])),
        ("default_user_tags.monitoring = true\n", json!(["monitoring"])),
        ("default_user_tags.management = true\ndefault_user_tags.administrator = false\n", json!(["management"])),
        ("default_user_tags.administrator = true\ndefault_user_tags.mine = true\n", json!(["administrator", "mine"])),
    ] {
        let (_directory, _program, api) = configured("first-tags", conf);
        assert_eq!(api.get("/api/whoami")["tags"], tags, "{conf}");
    }
    let (_directory, program, api) = configured("first-no-tags", "default_user_tags.administrator = false\n");
    assert_eq!(api.request("GET", "/api/whoami", None).0, 401, "nobody without a tag is let in");
    Connect::to(program.address()).user("anna", "secret").open().await;
    let shown: Value = api.request("GET", "/api/overview", None).1;
    assert_eq!(shown["error"], "not_authorised");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_user_is_made_once_and_a_later_one_is_told_why_not() {
    let directory = Directory::new("first-user-once");
    let arguments = ["--data-dir", directory.text()];
    let mut first = Program::start_with(&[("RABBITMQ_DEFAULT_USER", "anna")], "first-user-once", &arguments);
    Connect::to(first.address()).user("anna", "guest").open().await;
    first.stop();
    let mut second = Program::start_with(&[("RABBITMQ_DEFAULT_USER", "bert")], "first-user-once", &arguments);
    check_refused(&second, "bert", "guest").await;
    let log = second.stop();
    assert!(
        log.contains("WARN user 'bert' was not made: a default user is made only while the data directory is new"),
        "{log}"
    );
    assert!(log.contains("AMQP is spoken on 127.0.0.1:") && !log.contains(" as bert"), "{log}");
    let environment = [("RABBITMQ_DEFAULT_USER", "anna"), ("RABBITMQ_DEFAULT_PASS", "new")];
    let mut third = Program::start_with(&environment, "first-user-once", &arguments);
    Connect::to(third.address()).user("anna", "guest").open().await;
    let log = third.stop();
    assert!(log.contains("WARN user 'anna' keeps its password: default_pass counts only while"), "{log}");
}

/// Definitions bring the user, and so nobody gives it permissions in the default virtual host: RabbitMQ's order, which is a trap.
#[test]
fn nobody_is_told_to_connect_where_a_user_has_no_permissions() {
    let directory = Directory::new("first-without-permissions");
    std::fs::create_dir_all(directory.path()).unwrap();
    let (conf, definitions) = (directory.path().join("rabbitmq.conf"), directory.path().join("d.json"));
    let users =
        r#"{"vhosts": [{"name": "prod"}], "users": [{"name": "anna", "password": "x", "tags": "administrator"}]}"#;
    std::fs::write(&definitions, users).unwrap();
    let named = format!("default_user = anna\ndefault_vhost = prod\nload_definitions = {}\n", definitions.display());
    std::fs::write(&conf, named).unwrap();
    let arguments = ["--in-memory", "--no-http", "--config", conf.to_str().unwrap()];
    let log = Program::start("first-without-permissions-run", &arguments).stop();
    assert!(log.contains("AMQP is spoken on 127.0.0.1:") && !log.contains(" as anna"), "{log}");
}

#[test]
fn a_variable_that_is_not_understood_is_named_with_the_likely_one() {
    let environment = [("RABBITMQ_DEFAULT_PASSWORD", "x"), ("RABBITMQ_ERLANG_COOKIE", "x")];
    let log = Program::start_with(&environment, "unknown-variable", &["--in-memory"]).stop();
    let expected =
        "WARN RABBITMQ_DEFAULT_PASSWORD: is no variable that has an effect; did you mean RABBITMQ_DEFAULT_PASS?";
    assert!(log.contains(expected), "{log}");
    assert!(log.contains("INFO RABBITMQ_ERLANG_COOKIE: is not needed"), "{log}");
}

#[test]
fn a_password_is_never_shown() {
    let output = run_with(&[("RABBITMQ_DEFAULT_PASS", "hunter2")], &["config", "show"]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("default_pass = \"********\""), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let output = run_with(&[("RABBITMQ_DEFAULT_PASS_FILE", "/nowhere/secret")], &["--in-memory"]);
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stderr).unwrap();
    let expected = "leveret: RABBITMQ_DEFAULT_PASS_FILE: /nowhere/secret: the file cannot be read: No such file";
    assert!(told.contains(expected), "{told}");
}

#[test]
fn the_file_with_the_process_number_is_there_while_it_runs() {
    let directory = Directory::new("pid-file");
    // Nothing is there yet: RabbitMQ, too, makes the way to it.
    let file = directory.path().join("mnesia/rabbit.pid");
    let mut program =
        Program::start_with(&[("RABBITMQ_PID_FILE", file.to_str().unwrap())], "pid-file", &["--in-memory"]);
    let pid: u32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    program.stop();
    assert!(!file.exists());
}
