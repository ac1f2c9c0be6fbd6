//! The help texts of the tools.

use std::fmt::Write;

use super::verb::{self, Tool, Verb};

/// All verbs of a tool.
pub(super) fn overview(tool: Tool) -> String {
    let name = tool.name();
    let mut text = format!(
        "\nUsage\n\n{name} [--node <node>] [--timeout <timeout>] [--longnames] [--quiet] <command> [<command options>]\n\n\
         Available commands:\n\nHelp:\n\n   {:<45} Displays usage information for a command\n",
        "help"
    );
    for (heading, verbs) in verb::VERBS {
        let own: Vec<_> = verbs.iter().filter(|verb| verb.tools.contains(&tool)).collect();
        if own.is_empty() {
            continue;
        }
        let lines: String = own.iter().map(|verb| format!("   {:<45} {}\n", verb.name, verb.about)).collect();
        // Writing to a text cannot fail.
        write!(text, "\n{heading}:\n\n{lines}").ok();
    }
    text + &format!("\nUse '{name} help <command>' to learn more about a specific command\n")
}

fn usage(tool: Tool, verb: &Verb) -> String {
    let mut line = format!("{} [--node <node>] [--longnames] [--quiet] {}", tool.name(), verb.name);
    if !verb.usage.is_empty() {
        line = format!("{line} {}", verb.usage);
    }
    line
}

/// One verb.
pub(super) fn of_verb(tool: Tool, verb: &Verb) -> String {
    format!(
        "\nUsage\n\n{}\n\n{}.\n\nGeneral Options\n\nThe following options are accepted by most or all commands.\n\n\
         -?, --help             displays command help\n\
         -n, --node <node>      connect to node <node>\n\
         -t, --timeout <n>      for commands that support it, operation timeout in seconds\n\
         -q, --quiet            suppress informational messages\n\
         -s, --silent           suppress informational messages and table header row\n\
         -p, --vhost            for commands that are scoped to a virtual host, virtual host to use\n\
         \x20   --formatter        json, pretty_table, table, csv, erlang\n\
         \x20   --socket, --data-dir, --port\n\
         \x20                      the broker of this machine to ask: its socket, its data directory, its port of AMQP\n\
         \x20   --url, --username, --password\n\
         \x20                      the broker to ask over HTTP\n",
        usage(tool, verb),
        verb.about
    )
}

/// A command line that is not understood.
pub(super) fn refusal(tool: Tool, verb: &Verb, why: &str, given: &[String]) -> String {
    format!(
        "Error (argument validation): {why}\nArguments given:\n\t{}\n\nUsage\n\n{}\n",
        given.join(" "),
        usage(tool, verb)
    )
}

/// A verb that there is not.
pub(super) fn unknown(tool: Tool, name: &str) -> String {
    let text = format!("\nCommand '{name}' not found. \n");
    let near = verb::of(tool).map(|verb| (distance(name, verb.name), verb.name)).min();
    match near {
        Some((distance, near)) if distance <= name.len() / 2 => format!("{text}Did you mean '{near}'? \n\n"),
        _ => format!("{text}{}", overview(tool)),
    }
}

/// Verbs that begin so.
pub(super) fn completions(tool: Tool, prefix: Option<&str>) -> String {
    let prefix = prefix.unwrap_or_default();
    let names = verb::of(tool).map(|verb| verb.name).filter(|name| name.starts_with(prefix));
    names.map(|name| format!("{name}\n")).collect()
}

/// How many characters must be changed, added or left out.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, character) in one.chars().enumerate() {
        let mut before = at + 1;
        let mut next = vec![before];
        for (pair, theirs) in row.windows(2).zip(&other) {
            if let &[diagonal, above] = pair {
                before = (diagonal + usize::from(character != *theirs)).min(above + 1).min(before + 1);
                next.push(before);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_a_hint() {
        assert_eq!(distance("list_queus", "list_queues"), 1);
        let text = unknown(Tool::Ctl, "list_queus");
        assert_eq!(text, "\nCommand 'list_queus' not found. \nDid you mean 'list_queues'? \n\n");
        assert!(unknown(Tool::Ctl, "x").contains("Available commands:"));
    }
}
