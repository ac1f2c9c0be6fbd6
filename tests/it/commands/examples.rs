//! The example in the help of each command does what it is there for.

use std::collections::BTreeMap;

use super::Tools;
use crate::process::{Directory, Program};

/// Examples that are not run here, and where else they are.
const RUN_ELSEWHERE: [(&str, &str); 2] = [
    ("serve", "it goes on until it is stopped: nearly every test starts it"),
    ("tail", "it waits for messages: `watching` has it"),
];

/// The words of the help's list of commands.
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

fn examples(help: &str) -> Vec<String> {
    help.lines().filter_map(|line| line.trim().strip_prefix("Example: ")).map(str::to_owned).collect()
}

#[test]
fn every_command_has_an_example_that_works() {
    let tools = Tools::start("examples");
    let place = Directory::new("examples-place");
    std::fs::create_dir_all(place.path()).unwrap();
    let mut other = Program::start("examples-data", &["--data-dir", place.path().join("data").to_str().unwrap()]);
    other.stop();
    tools.ok("rabbitmqadmin declare queue name=orders");

    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for command in commands(&tools.ok("leveret help")) {
        let help = tools.ok(&format!("leveret help {command}"));
        let mut of_it = examples(&help);
        for task in commands(&help) {
            of_it.extend(examples(&tools.ok(&format!("leveret help {command} {task}"))));
        }
        found.insert(command, of_it);
    }
    assert!(found.len() > 10, "{found:?}");
    for (command, examples) in &found {
        assert!(!examples.is_empty(), "{command} has no example");
        if RUN_ELSEWHERE.iter().any(|(name, _)| name == command) {
            continue;
        }
        for example in examples {
            let url = "AMQP_URL=amqp://guest:guest@127.0.0.1:$AMQP_PORT";
            let answer = tools.shell(&format!("cd {} && export {url} && {example}", place.text()));
            assert_eq!(answer.code, 0, "{example}: {answer:?}");
        }
    }
}
