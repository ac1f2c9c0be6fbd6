//! Definitions that are imported when the broker starts. These run the binary.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::broker::Management;
use crate::client::{Connect, publish, queue};
use crate::process::{Directory, Program, run_with};

const USERS: &str = r#"{
  "users": [{"name": "anna", "password": "secret", "tags": "administrator"}],
  "vhosts": [{"name": "shop"}],
  "permissions": [{"user": "anna", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}],
  "queues": [{"name": "orders", "vhost": "shop", "durable": true, "auto_delete": false, "arguments": {}}]
}"#;

const QUEUES: &str = r#"{"queues": [{"name": "orders", "durable": true}]}"#;

/// A directory with files in it.
struct Files(Directory);

impl Files {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let directory = Directory::new(test);
        let files_of = Self(directory);
        for (name, text) in files {
            let path = files_of.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        files_of
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

async fn has_queue(program: &Program, user: (&str, &str), vhost: &str) {
    let connection = Connect::to(program.address()).user(user.0, user.1).vhost(vhost).open().await;
    connection.channel(1).await.declare(queue("orders").passive()).await;
}

async fn check_refused(program: &Program, user: &str, password: &str) {
    let text =
        "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.";
    Connect::to(program.address()).user(user, password).start().await.expect_close(403, text, (0, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_brings_users_virtual_hosts_and_queues_and_no_guest_is_made() {
    let files = Files::new("definitions", &[("d.json", USERS)]);
    let mut program = Program::start("definitions", &["--in-memory", "--definitions", &files.text("d.json")]);
    has_queue(&program, ("anna", "secret"), "shop").await;
    check_refused(&program, "guest", "guest").await;
    let slash = Connect::to(program.address()).user("anna", "secret").vhost("/").ask().await;
    slash.expect_close(530, "NOT_ALLOWED - vhost / not found", (10, 40)).await;
    let log = program.stop();
    let counts = "1 virtual host, 1 user, 0 policies, 1 queue, 0 exchanges, 0 bindings";
    assert!(log.contains(&format!("imported definitions from {}: {counts}", files.text("d.json"))), "{log}");
}

/// RabbitMQ makes no user at all then, and nobody can log in.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_file_has_no_users_guest_is_made_and_the_log_says_so() {
    let files = Files::new("definitions-guest", &[("d.json", QUEUES)]);
    let mut program = Program::start("definitions-guest", &["--in-memory", "--definitions", &files.text("d.json")]);
    has_queue(&program, ("guest", "guest"), "/").await;
    let log = program.stop();
    assert!(log.contains("the definitions have no users: made guest, with the password guest"), "{log}");
}

/// The trap that costs people hours with RabbitMQ, which ignores the variables then.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_user_that_was_asked_for_is_made_besides_the_definitions() {
    let files = Files::new("definitions-user", &[("d.json", USERS)]);
    let file = files.text("d.json");
    let environment = [("RABBITMQ_DEFAULT_USER", "bert"), ("RABBITMQ_DEFAULT_PASS", "pw")];
    let mut program = Program::start_with(&environment, "definitions-user", &["--in-memory", "--definitions", &file]);
    has_queue(&program, ("bert", "pw"), "shop").await;
    has_queue(&program, ("anna", "secret"), "shop").await;
    let log = program.stop();
    assert!(log.contains("made user 'bert' besides those of the definitions"), "{log}");

    let strict = ["--in-memory", "--definitions-only", "--definitions", &file];
    let program = Program::start_with(&environment, "definitions-user", &strict);
    check_refused(&program, "bert", "pw").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_read_in_the_order_of_names() {
    let second = r#"{"permissions": [{"user": "anna", "vhost": "two", "configure": "", "write": "", "read": ""}]}"#;
    let files = Files::new(
        "definitions-directory",
        &[
            ("2.json", second),
            ("1.json", r#"{"users": [{"name": "anna", "password": "pw", "tags": ""}], "vhosts": [{"name": "two"}]}"#),
            ("notes.txt", "not JSON"),
        ],
    );
    let program =
        Program::start_with(&[("LEVERET_DEFINITIONS", files.0.text())], "definitions-directory", &["--in-memory"]);
    Connect::to(program.address()).user("anna", "pw").vhost("two").open().await;
}

#[test]
fn a_wrong_file_is_one_sentence_with_its_place_and_what_to_do() {
    for (text, sentence) in [
        (
            "{\n  \"users\": [,]\n}",
            "d.json:2:13: this is not JSON: expected value; mend it, or export the definitions again",
        ),
        (
            "{\"permissions\": [\n {\"user\": \"x\", \"configure\": \"\", \"write\": \"\", \"read\": \"\"}]}",
            "d.json:2:2: user 'x' is not there; add it to 'users', or leave its permissions out",
        ),
        (
            "{\n \"queues\": [{\"vhost\": \"/\"}]}",
            "d.json:2:13: entry 1 of 'queues' cannot be read: missing field `name`",
        ),
        (
            "{\"queues\": [{\"name\": \"q\", \"vhost\": \"v\"}]}",
            "d.json:1:13: virtual host 'v' is not there; add {\"name\": \"v\"} to 'vhosts'",
        ),
        (
            "{\"bindings\":\n[{\"source\": \"amq.topic\", \"vhost\": \"/\", \"destination\": \"q\", \"destination_type\": \"queue\"}]}",
            "d.json:2:2: queue 'q' is not in virtual host '/'; add it to 'queues', or leave out what names it",
        ),
    ] {
        let files = Files::new("definitions-wrong", &[("d.json", text)]);
        let arguments = ["--in-memory", "--port", "0", "--no-http", "--definitions", &files.text("d.json")];
        let output = run_with(&[], &arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(&format!("leveret: cannot import definitions: {}/{sentence}", files.0.text())), "{told}");
        assert_eq!(output.stdout, b"", "{told}");
    }
}

/// What files of the wild have in them: tags of both kinds, keys of no meaning, the exchange without a name, a policy of RabbitMQ 3.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_wild_is_imported() {
    let text = r#"{"$schema": "x", "explanation": "e", "vhosts": [{"name": "shop"}],
      "users": [{"name": "anna", "password": "a", "tags": "administrator,monitoring"},
                {"name": "bert", "password": "b", "tags": ["management"]},
                {"name": "${env:NAME}", "password": "p", "tags": ""}],
      "permissions": [{"user": "anna", "vhost": "shop", "configure": ".*", "write": ".*", "read": ".*"}],
      "exchanges": [{"name": "", "vhost": "shop", "type": "direct"}, {"name": "mine", "vhost": "shop", "type": "topic"}],
      "queues": [{"name": "orders", "vhost": "shop", "arguments": {"x-queue-mode": "lazy"}}],
      "bindings": [
        {"source": "", "vhost": "shop", "destination": "orders", "destination_type": "queue", "routing_key": "orders"},
        {"source": "amq.topic", "vhost": "shop", "destination": "orders", "destination_type": "queue", "routing_key": "a.*"}],
      "policies": [{"vhost": "shop", "name": "ha", "pattern": ".*", "definition": {"ha-mode": "all"}}]}"#;
    let files = Files::new("definitions-wild", &[("d.json", text)]);
    let mut program = Program::start("definitions-wild", &["--in-memory", "--definitions", &files.text("d.json")]);
    let ch = Connect::to(program.address()).user("anna", "a").vhost("shop").open().await.channel(1).await;
    ch.publish(publish("amq.topic", "a.b", "x")).await;
    ch.expect_ready("orders", 1).await;
    let log = program.stop();
    assert!(log.contains("policy 'ha' in virtual host 'shop' has no effect by ha-mode"), "{log}");
    assert!(log.contains("${env:NAME} in name of entry 3 of 'users': nothing stands in for a placeholder"), "{log}");
}

/// What RabbitMQ passes over as well.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_a_wrong_place_of_a_virtual_host_is_told() {
    let text = r#"{"vhosts": [
        {"name": "a", "limits": {"max-queues": 1}, "default_queue_type": "quorum", "protected_from_deletion": true},
        {"name": "b", "limits": {"max-queues": 2}, "default_queue_type": "quorum", "metadata": {"default_queue_type": "quorum"}},
        {"name": "c", "limits": [], "default_queue_type": "undefined", "protected_from_deletion": false}],
      "parameters": [{"vhost": "b", "component": "vhost-limits", "name": "limits", "value": {"max-queues": 2}}]}"#;
    let files = Files::new("definitions-vhosts", &[("d.json", text)]);
    let mut program = Program::start("definitions-vhosts", &["--in-memory", "--definitions", &files.text("d.json")]);
    let log = program.stop();
    let limits = "limits of virtual host 'a' in an imported file have no effect: write a parameter vhost-limits";
    let misplaced =
        |key| format!("{key} of virtual host 'a' in an imported file has no effect: it belongs into its metadata");
    for sentence in [limits.to_owned(), misplaced("default_queue_type"), misplaced("protected_from_deletion")] {
        assert!(log.contains(&sentence), "{sentence}: {log}");
    }
    assert_eq!(log.matches("in an imported file").count(), 3, "{log}");
}

/// Each hash with the salt 01020304, as RabbitMQ writes it.
const HASHED: &str = r#"{
  "users": [
    {"name": "long", "hashing_algorithm": "rabbit_password_hashing_sha512", "tags": [],
     "password_hash": "AQIDBHyaBJQSNruEUWstBCaAHjaW+PJ8vEy9EyJdqecN22lILQUxrMAtMTORP2JKuOi2gV6azldVxUGHBufq3sRXQdo="},
    {"name": "old", "password_hash": "AQIDBAynXLxl0ZOtmWYu26uErRM=", "hashing_algorithm": "rabbit_password_hashing_md5", "tags": ""},
    {"name": "usual", "password_hash": "AQIDBGQoPxOU7lDtzEPuNk4NrbNz5ydL/AIt0+yFWpON0FJe", "tags": ""}],
  "permissions": [
    {"user": "long", "vhost": "/", "configure": "", "write": "", "read": ""},
    {"user": "old", "vhost": "/", "configure": "", "write": "", "read": ""},
    {"user": "usual", "vhost": "/", "configure": "", "write": "", "read": ""}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn users_log_in_with_passwords_that_were_hashed_in_each_way() {
    let files = Files::new("definitions-hashes", &[("d.json", HASHED)]);
    let program = Program::start("definitions-hashes", &["--in-memory", "--definitions", &files.text("d.json")]);
    for (user, password) in [("long", "five-twelve"), ("old", "five"), ("usual", "two-five-six")] {
        Connect::to(program.address()).user(user, password).open().await;
        check_refused(&program, user, "wrong").await;
    }
}

/// A program that has read this `rabbitmq.conf`; `DIR` in it is the directory of the files.
fn configured(files: &Files, test: &str, conf: &str, more: &[&str]) -> Program {
    std::fs::write(files.path("rabbitmq.conf"), conf.replace("DIR", files.0.text())).unwrap();
    Program::start(test, &[&["--config", &files.text("rabbitmq.conf")], more].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmqs_file_names_a_file_or_a_directory_of_definitions() {
    let rest = USERS.replace("\"users\"", "\"passed_over\"").replace("\"vhosts\"", "\"passed_over_too\"");
    let files =
        Files::new("definitions-conf", &[("all.json", USERS), ("parts/2.json", &rest), ("parts/1.json", USERS)]);
    for place in ["DIR/all.json", "DIR/parts"] {
        let conf = format!("definitions.import_backend = local_filesystem\ndefinitions.local.path = {place}\n");
        let mut program = configured(&files, "definitions-conf", &conf, &["--in-memory"]);
        has_queue(&program, ("anna", "secret"), "shop").await;
        check_refused(&program, "guest", "guest").await;
        let log = program.stop();
        let last = place.replace("DIR", files.0.text()).replace("parts", "parts/2.json");
        assert!(log.contains(&format!("imported definitions from {last}: ")), "{log}");
        assert!(!log.lines().any(|line| line.contains("WARN") && line.contains("definitions")), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmqs_file_has_unchanged_definitions_skipped() {
    let files = Files::new("definitions-conf-skip", &[("parts/d.json", QUEUES)]);
    let data = files.text("data");
    let start = |skip: bool| {
        let conf = format!(
            "definitions.import_backend = local_filesystem\ndefinitions.local.path = DIR/parts\n\
             definitions.skip_if_unchanged = {skip}\n"
        );
        configured(&files, "definitions-conf-skip", &conf, &["--data-dir", &data])
    };
    let delete = async |program: &Program| {
        Connect::to(program.address()).open().await.channel(1).await.delete("orders").await;
    };
    let mut first = start(true);
    delete(&first).await;
    first.stop();
    let mut second = start(true);
    assert!(!Connect::to(second.address()).open().await.channel(1).await.exists("orders").await);
    second.stop();
    // Another file beside it is a change, too.
    std::fs::write(files.path("parts/e.json"), "{}").unwrap();
    let mut third = start(true);
    delete(&third).await;
    third.stop();
    has_queue(&start(false), ("guest", "guest"), "/").await;
}

/// RabbitMQ, too, puts nothing in their place: what looks like one is a text like others, and comes back as it was.
#[tokio::test(flavor = "multi_thread")]
async fn placeholders_are_texts_and_the_log_says_where_they_are() {
    let text = r#"{"vhosts": [{"name": "/", "description": "of ${TEAM}"}],
      "users": [{"name": "anna", "password": "${env:PASSWORD}", "tags": "administrator"}],
      "permissions": [{"user": "anna", "vhost": "/", "configure": ".*", "write": ".*", "read": "^a$|(b|c)$"}],
      "queues": [{"name": "orders", "vhost": "/", "arguments": {"x-dead-letter-exchange": "$(DLX)"}}],
      "bindings": [{"source": "amq.topic", "vhost": "/", "destination": "orders", "destination_type": "queue", "routing_key": "${KEY}"}],
      "policies": [{"vhost": "/", "name": "p", "pattern": "^${PREFIX}", "definition": {"max-length": 5}}]}"#;
    let files = Files::new("definitions-texts", &[("d.json", text)]);
    let definitions = files.text("d.json");
    let arguments = ["--in-memory", "--http-listen", "127.0.0.1:0", "--definitions", &definitions];
    let mut program = Program::start_with(&[("KEY", "set"), ("DLX", "set")], "definitions-texts", &arguments);
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let api = Management::at(SocketAddr::from(([127, 0, 0, 1], port))).log_in("anna", "${env:PASSWORD}");
    let exported = api.get("/api/definitions");
    assert_eq!(exported["vhosts"][0]["metadata"]["description"], "of ${TEAM}");
    assert_eq!(exported["queues"][0]["arguments"]["x-dead-letter-exchange"], "$(DLX)");
    assert_eq!(exported["bindings"][0]["routing_key"], "${KEY}");
    assert_eq!(exported["policies"][0]["pattern"], "^${PREFIX}");
    let log = program.stop();
    for place in [
        "${TEAM} in description of entry 1 of 'vhosts'",
        "${env:PASSWORD} in password of entry 1 of 'users'",
        "$(DLX) in arguments of entry 1 of 'queues'",
        "${KEY} in routing_key of entry 1 of 'bindings'",
        "${PREFIX} in pattern of entry 1 of 'policies'",
    ] {
        assert!(log.contains(&format!("WARN {place}: nothing stands in for a placeholder")), "{place}: {log}");
    }
    assert_eq!(log.matches("nothing stands in").count(), 5, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_skipped_if_that_is_wanted() {
    let files = Files::new("definitions-skip", &[("d.json", QUEUES)]);
    let directory = Directory::new("definitions-skip-data");
    let file = files.text("d.json");
    let start = |more: &[&str]| {
        let arguments = [&["--data-dir", directory.text(), "--definitions", &file], more].concat();
        Program::start("definitions-skip", &arguments)
    };
    let skip = ["--definitions-skip-if-unchanged"];
    let mut first = start(&skip);
    Connect::to(first.address()).open().await.channel(1).await.delete("orders").await;
    first.stop();
    let mut second = start(&skip);
    let text = "NOT_FOUND - no queue 'orders' in vhost '/'";
    let ch = Connect::to(second.address()).open().await.channel(1).await;
    ch.refused(queue("orders").passive(), 404, text).await;
    assert!(second.stop().contains("the definitions have not changed since they were imported"));
    std::fs::write(files.path("d.json"), format!("{QUEUES}\n")).unwrap();
    let mut third = start(&skip);
    has_queue(&third, ("guest", "guest"), "/").await;
    Connect::to(third.address()).open().await.channel(1).await.delete("orders").await;
    third.stop();
    has_queue(&start(&[]), ("guest", "guest"), "/").await;
}
