//! Settings from files, environment and flags: which one holds, and what is said of a wrong one. These run the binary.

use std::path::PathBuf;
use std::process::Output;

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
