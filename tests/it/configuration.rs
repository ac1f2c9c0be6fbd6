//! Settings from files, environment and flags: which one holds, and what is said of a wrong one. These run the binary.

use std::path::PathBuf;
use std::process::Output;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::AMQPMethod;

use crate::process::{Directory, Program, run_with};

/// A configuration file in a directory of its own.
struct File {
    directory: Directory,
    name: &'static str,
}

impl File {
    fn new(test: &str, name: &'static str, text: &str) -> Self {
        let directory = Directory::new(test);
        std::fs::create_dir_all(directory.path()).unwrap();
        let file = Self { directory, name };
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(self.name)
    }

    fn text(&self) -> String {
        self.path().display().to_string()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The line of `config show` about a setting, without its padding.
fn shown(output: &Output, setting: &str) -> String {
    let text = stdout(output);
    let is_of_it = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{setting} ="));
    let line = text.lines().find(is_of_it).unwrap_or_else(|| panic!("{setting}: {text}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_flag_overrides_a_variable_and_a_variable_the_file() {
    let file =
        File::new("config-order", "leveret.toml", "heartbeat = 10\nlog_format = 'json'\ncompatibility = '4.3'\n");
    let config = file.text();
    let environment =
        [("LEVERET_CONFIG_FILE", config.as_str()), ("LEVERET_HEARTBEAT", "20"), ("LEVERET_LOG_FORMAT", "text")];
    let output = run_with(&environment, &["config", "show", "--heartbeat", "30s"]);
    assert_eq!(shown(&output, "heartbeat"), "heartbeat = \"30s\" # --heartbeat");
    assert_eq!(shown(&output, "log_format"), "log_format = \"text\" # LEVERET_LOG_FORMAT");
    assert_eq!(shown(&output, "compatibility"), format!("compatibility = \"4.3\" # {config}:3:1"));
    assert_eq!(shown(&output, "max_message_size"), "max_message_size = \"16MiB\" # default");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_check_tells_what_is_unknown_from_what_is_wrong() {
    let check = |text: &str| {
        let file = File::new("config-check", "leveret.toml", text);
        let output = run_with(&[], &["config", "check", "--config", &file.text()]);
        (output.status.code(), stdout(&output).replace(&file.text(), "FILE"))
    };
    assert_eq!(check("heartbeat = 10\n"), (Some(0), String::new()));
    let unknown = "FILE:1:1: heartbeats is no setting and has no effect; did you mean heartbeat?\n";
    assert_eq!(check("heartbeats = 10\n"), (Some(1), unknown.to_owned()));
    let (code, told) = check("\nmemory_high_watermark = 'much'\nheartbeats = 10\n");
    assert_eq!(code, Some(78));
    assert!(
        told.contains("FILE:2:1: memory_high_watermark cannot be 'much': allowed is a whole number of bytes"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 2, "{told}");
}

/// The same sentence as that of the start, which reads the same files.
#[test]
fn a_check_reads_the_files_that_a_start_reads() {
    let check = |text: &str| {
        let file = File::new("config-check-files", "leveret.toml", &format!("in_memory = true\n{text}"));
        let output = run_with(&[], &["config", "check", "--config", &file.text()]);
        let start = run_with(&[], &["serve", "--port", "0", "--no-http", "--no-prometheus", "--config", &file.text()]);
        assert_eq!(output.status.code(), Some(78), "{text}");
        let told = stdout(&output);
        assert!(stderr(&start).contains(&format!("leveret: {told}")), "{told}: {}", stderr(&start));
        told
    };
    assert!(check("amqps_listen = 0").starts_with("TLS needs a certificate and its key"));
    let missing = "amqps_listen = 0\ntls_cert = '/nowhere/cert.pem'\ntls_key = '/nowhere/key.pem'";
    assert!(check(missing).contains("/nowhere/cert.pem"));
    assert!(check("definitions = '/nowhere/definitions.json'").starts_with("cannot import definitions: /nowhere"));
    let definitions = File::new("config-check-definitions", "definitions.json", "{\"users\": 5");
    assert!(check(&format!("definitions = '{}'", definitions.text())).contains("definitions.json:1:"));
}

#[test]
fn a_wrong_value_keeps_it_from_starting_and_an_unknown_key_does_not() {
    let file = File::new("config-wrong", "leveret.toml", "in_memory = true\nlog_level = 'verbose'\n");
    let output = run_with(&[("LEVERET_CONFIG_FILE", &file.text())], &["serve"]);
    assert_eq!(output.status.code(), Some(78));
    let expected = format!("leveret: {}:2:1: log_level cannot be 'verbose': allowed is debug, info", file.text());
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");

    std::fs::write(file.path(), "in_memory = true\ncolour = 'red'\n").unwrap();
    let mut program = Program::start_with(&[("LEVERET_CONFIG_FILE", &file.text())], "config-unknown", &[]);
    let log = program.stop();
    assert!(log.contains(&format!("WARN {}:2:1: colour is no setting and has no effect", file.text())), "{log}");
}

/// An empty or unknown level would silence the log.
#[test]
fn a_level_that_is_none_is_refused() {
    for level in ["verbose", ""] {
        let output = run_with(&[("LEVERET_LOG", level)], &["--in-memory"]);
        assert_eq!(output.status.code(), Some(78));
        let expected = format!("leveret: LEVERET_LOG: it cannot be '{level}': allowed is debug, info, warning");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}

#[test]
fn what_kubernetes_sets_for_a_service_of_this_name_changes_nothing() {
    let link = "tcp://10.43.0.7:5672";
    let environment =
        [("LEVERET_PORT", link), ("LEVERET_SERVICE_PORT", "5672"), ("LEVERET_PORT_5672_TCP_ADDR", "10.43.0.7")];
    let mut program = Program::start_with(&environment, "service-links", &["--in-memory"]);
    let log = program.stop();
    assert!(!log.contains("has no effect"), "{log}");
}

#[test]
fn a_file_that_is_named_and_is_not_there_is_one_clear_sentence() {
    let output = run_with(&[], &["--config", "/nowhere/leveret.toml", "--in-memory"]);
    assert_eq!(output.status.code(), Some(78));
    let expected =
        "leveret: /nowhere/leveret.toml:1:1: the file cannot be read: No such file or directory (os error 2)";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn rabbitmqs_file_is_read_where_its_variable_says_and_counts_less() {
    let text = "# as in a container\nlisteners.tcp.default = 5673\nheartbeat=30\nloopback_users.guest = false\nmqtt.exchange = x\n";
    let file = File::new("rabbitmq-conf", "rabbitmq.conf", text);
    let without_its_ending = file.text().replace(".conf", "");
    let environment = [("RABBITMQ_CONFIG_FILE", without_its_ending.as_str()), ("LEVERET_HEARTBEAT", "20s")];
    let output = run_with(&environment, &["config", "show"]);
    assert_eq!(shown(&output, "amqp_listen"), format!("amqp_listen = [\":5673\"] # {}:2:1", file.text()));
    assert_eq!(shown(&output, "heartbeat"), "heartbeat = \"20s\" # LEVERET_HEARTBEAT");
    assert_eq!(shown(&output, "loopback_users"), format!("loopback_users = [\"none\"] # {}:4:1", file.text()));
    let output = run_with(&environment, &["config", "check"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("{}:5:1: mqtt.exchange has no effect: the protocol is not there yet\n", file.text());
    assert_eq!(stdout(&output), expected);
}

#[test]
fn files_of_a_directory_are_read_by_name_and_erlang_terms_are_understood() {
    let first = File::new("rabbitmq-conf-d", "10-defaults.conf", "heartbeat = 10\ndefault_user = anna\n");
    std::fs::write(first.directory.path().join("20-more.conf"), "heartbeat = 20\n").unwrap();
    let terms = File::new("rabbitmq-config", "rabbitmq.config", "[{rabbit, [{loopback_users, []}]}].\n");
    let environment = [("RABBITMQ_CONFIG_FILES", first.directory.text())];
    let output = run_with(&environment, &["config", "show", "--config", &terms.text()]);
    assert!(shown(&output, "heartbeat").starts_with("heartbeat = \"20s\" # "), "{}", stdout(&output));
    assert!(shown(&output, "default_user").starts_with("default_user = \"anna\""));
    assert!(shown(&output, "loopback_users").starts_with("loopback_users = [\"none\"]"));
}

#[test]
fn a_wrong_line_of_rabbitmqs_file_keeps_it_from_starting() {
    let file = File::new(
        "rabbitmq-conf-wrong",
        "rabbitmq.conf",
        "heartbeat = 10\n  disk_free_limit.absolute = much\nnonsense\n",
    );
    let output = run_with(&[], &["--config", &file.text()]);
    assert_eq!(output.status.code(), Some(78));
    let told = stderr(&output);
    assert!(told.starts_with("BOOT FAILED\n"), "{told}");
    assert!(
        told.contains(&format!("{}:2:3: disk_free_limit.absolute cannot be 'much': allowed is", file.text())),
        "{told}"
    );
    assert!(told.contains(&format!("{}:3:9: a line is 'key = value'; here it ends too early", file.text())), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reads_the_level_of_the_log_again_and_ends_nothing() {
    let file = File::new("hang-up", "leveret.toml", "in_memory = true\nlog_level = 'warning'\n");
    let mut program = Program::start_with(&[("LEVERET_CONFIG_FILE", &file.text())], "hang-up", &[]);
    assert!(!program.log().contains("connect to"), "{}", program.log());
    std::fs::write(file.path(), "log_level = 'info'\n").unwrap();
    program.signal("HUP");
    crate::client::eventually("it has read the configuration again", async || {
        if program.log().contains("read the configuration again") { Ok(()) } else { Err(program.log()) }
    })
    .await;
    std::fs::write(file.path(), "log_level = 'verbose'\n").unwrap();
    program.signal("HUP");
    crate::client::eventually("it has told what is wrong", async || {
        if program.log().contains("log_level cannot be 'verbose'") { Ok(()) } else { Err(program.log()) }
    })
    .await;
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_takes_over_what_changes_at_run_time_and_names_the_rest() {
    let file = File::new("hang-up-more", "leveret.toml", "in_memory = true\nheartbeat = '60s'\n");
    let mut program = Program::start_with(&[("LEVERET_CONFIG_FILE", &file.text())], "hang-up-more", &[]);
    let changed = "in_memory = true\nheartbeat = '7s'\nnode_name = 'rabbit@other'\nmemory_high_watermark = 1000\n";
    std::fs::write(file.path(), changed).unwrap();
    program.signal("HUP");
    crate::client::eventually("it has read the configuration again", async || {
        let log = program.log();
        if log.contains("took over memory_high_watermark, heartbeat;") { Ok(()) } else { Err(log) }
    })
    .await;
    let warning = format!("WARN {}:3:1: node_name was changed: it is taken over at the next start", file.text());
    assert!(program.log().contains(&warning), "{}", program.log());
    let connection = crate::client::Connect::to(program.address()).start().await;
    let AMQPClass::Connection(AMQPMethod::Tune(tune)) = connection.expect((10, 30)).await else { unreachable!() };
    assert_eq!(tune.heartbeat, 7);
    program.stop();
}

#[test]
fn the_first_line_says_where_to_connect_as_whom_and_what_it_is() {
    let environment = [("LEVERET_DEFAULT_USER", "a@b"), ("LEVERET_DEFAULT_VHOST", "my/shop")];
    let mut program = Program::start_with(&environment, "welcome", &["--in-memory", "--memory-high-watermark", "0"]);
    let (amqp, http) = (program.ports()["amqp"].clone(), program.ports()["http"].clone());
    let log = program.stop();
    let expected = format!(
        "connect to amqp://a%40b@127.0.0.1:{amqp}/my%2Fshop as a@b, management at http://127.0.0.1:{http}/ (everything is kept in memory"
    );
    assert!(log.contains(&expected), "{log}");
    assert!(log.contains("WARN memory_high_watermark is 0: everybody who publishes is blocked at once"), "{log}");
}

/// The one would never be shown to the directory, and the other cannot be.
#[test]
fn a_key_without_its_certificate_and_a_certificate_without_its_key_are_told() {
    let key = File::new("config-ldap-key", "rabbitmq.conf", "auth_ldap.ssl_options.keyfile = /k.pem\n");
    let told = format!(
        "{}:1:1: auth_ldap_keyfile is the key /k.pem of no certificate: name that with auth_ldap_certfile, or leave the key out\n",
        key.text()
    );
    let output = run_with(&[], &["config", "check", "--config", &key.text()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(78), told.clone()));
    let output = run_with(&[], &["serve", "--in-memory", "--config", &key.text()]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(78), format!("BOOT FAILED\nleveret: {told}")));

    let certificate = File::new("config-ldap-certificate", "cert.pem", "-----BEGIN CERTIFICATE-----\n");
    let environment = [("LEVERET_AUTH_LDAP_CERTFILE", certificate.text())];
    let environment = environment.each_ref().map(|(name, file)| (*name, file.as_str()));
    let output = run_with(&environment, &["config", "check"]);
    let told = format!(
        "LEVERET_AUTH_LDAP_CERTFILE: auth_ldap_certfile has no key, and none is in {}: name it with auth_ldap_keyfile\n",
        certificate.text()
    );
    assert_eq!((output.status.code(), stdout(&output)), (Some(78), told));
    std::fs::write(certificate.path(), "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n").unwrap();
    let output = run_with(&environment, &["config", "check"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(0), String::new()), "one file may hold both");
}

/// Also a variable of a file that is named there.
#[test]
fn rabbitmqs_file_of_variables_counts_less_than_the_environment() {
    let text = "# RabbitMQ's scripts read this\nNODENAME=rabbit@file\nexport NODE_PORT=5680\nulimit -n 65536\n";
    let file = File::new("rabbitmq-env", "rabbitmq-env.conf", text);
    let environment = [("RABBITMQ_CONF_ENV_FILE", file.text()), ("RABBITMQ_NODENAME", "rabbit@variable".to_owned())];
    let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let output = run_with(&environment, &["config", "show"]);
    assert_eq!(shown(&output, "node_name"), "node_name = \"rabbit@variable\" # RABBITMQ_NODENAME");
    assert_eq!(shown(&output, "amqp_listen"), "amqp_listen = [\":5680\"] # RABBITMQ_NODE_PORT");
    let output = run_with(&environment, &["config", "check"]);
    let expected =
        format!("{}:4:1: has no effect: of such files NAME=value is read, and nothing is run\n", file.text());
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), expected));
}
