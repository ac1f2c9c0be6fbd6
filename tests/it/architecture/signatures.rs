//! Two 64-bit numbers side by side can be exchanged, and nothing says so. So they are types of their own, or fields with names.

use std::collections::BTreeSet;

use super::{code, root, sources};

/// Functions that take two of them all the same, with the reason.
const ALLOWED: &[&str] = &[
    // Arithmetic: the same two numbers in the same order as in the formula.
    "broker/alerts/watched.rs percent",
    "broker/exchange/consistent_hash.rs draw",
    "broker/exchange/hash.rs combine",
    "http/rates.rs per_second",
    "store/recovery/chain.rs end",
    "store/wal/files.rs offset_in_file",
    // Two of the same thing, told apart by their names, with one caller.
    "broker/alarm.rs new",
    "broker/alarm.rs note_resident",
    "broker/alerts/watched_vhost.rs publishes",
    "broker/pager.rs write_queue",
    "broker/queue/pace.rs go_on",
    "broker/queue/ready.rs learn_property_bytes",
    "http/nodes.rs memory_parts",
    "logging/rotation.rs is_due",
    "protocol/assembler.rs message_too_large",
    // A number, and the time in milliseconds, which comes last everywhere.
    "backends/cache.rs put",
    "broker/alerts/ages.rs age_ms",
    "broker/alerts.rs age_of_delivery_ms",
    "broker/alerts.rs age_of_ready_ms",
    "connection/open/deliver.rs time_out",
    "connection/protocol.rs written",
    "connection/session/driven.rs written",
    // Numbers of the log: a debt or a queue, and a position.
    "broker/queue/paging/search.rs begin_search",
    "store/wal/telling.rs pay",
];

/// The parameters between the brackets of a function, each as its name and its type.
fn parameters(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut depth = 0;
    let end = text.char_indices().find_map(|(at, character)| {
        match character {
            '(' | '[' | '<' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' | ']' | '>' => depth -= 1,
            _ => {}
        }
        None
    })?;
    Some(
        text[..end]
            .split(',')
            .filter_map(|one| one.split_once(':'))
            .map(|(name, kind)| (name.trim(), kind.trim()))
            .collect(),
    )
}

#[test]
fn no_function_takes_two_numbers_that_could_be_exchanged() {
    let mut found = BTreeSet::new();
    for (file, text) in sources(&root("src")) {
        // What a program prints and computes for people is arithmetic; tests say what they mean by what they expect.
        if file.starts_with("commands/") || file.contains("tests") {
            continue;
        }
        let text: String = code(&text).map(|(_, line)| format!("{line}\n")).collect();
        // The arrow of a result is no bracket.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().replace("->", "  ");
        for (at, _) in text.match_indices("fn ") {
            let Some((name, rest)) = text[at + 3..].split_once('(') else { continue };
            let name = name.split('<').next().unwrap_or_default();
            if !name.chars().all(|character| character.is_alphanumeric() || character == '_') {
                continue;
            }
            let parameters = parameters(rest).unwrap_or_default();
            if parameters.windows(2).any(|pair| pair[0].1 == "u64" && pair[1].1 == "u64") {
                found.insert(format!("{file} {name}"));
            }
        }
    }
    let allowed: BTreeSet<_> = ALLOWED.iter().map(|allowed| (*allowed).to_owned()).collect();
    assert_eq!(found.difference(&allowed).collect::<Vec<_>>(), [""; 0], "give one of the numbers a type");
    assert_eq!(allowed.difference(&found).collect::<Vec<_>>(), [""; 0], "these need no line in ALLOWED any more");
}
