//! Which room may use which.

use std::collections::BTreeSet;
use std::fs;

use super::{code, names_after, room_of, root, sources};

/// A room, and the rooms of the crate that it may use beside itself. A new room needs a line.
const ROOMS: &[(&str, &[&str])] = &[
    // Leaves: values without behaviour, open to all.
    ("impossible", &[]),
    ("nearest", &[]),
    ("erlang", &[]),
    ("error", &[]),
    ("metrics", &[]),
    ("table", &[]),
    ("properties", &["table"]),
    ("message", &["properties"]),
    // Bytes and meaning.
    ("protocol", &["error", "properties", "table"]),
    // Meaning and state.
    ("auth", &["erlang", "error"]),
    ("broker", &["auth", "error", "impossible", "message", "metrics", "nearest", "properties", "store", "table"]),
    // The outside world.
    ("store", &["message", "table"]),
    ("clock", &[]),
    // Backends that are asked over the network.
    ("backends", &["auth", "clock", "tls"]),
    ("throttle", &[]),
    ("tls", &["clock"]),
    ("host", &[]),
    ("logging", &["clock", "config", "host", "throttle", "tls"]),
    ("config", &["auth", "broker", "erlang", "nearest", "protocol", "tls"]),
    (
        "connection",
        &[
            "auth",
            "broker",
            "clock",
            "error",
            "impossible",
            "message",
            "metrics",
            "nearest",
            "properties",
            "protocol",
            "store",
            "table",
            "throttle",
            "tls",
        ],
    ),
    (
        "http",
        &[
            "auth",
            "broker",
            "clock",
            "connection",
            "error",
            "host",
            "impossible",
            "message",
            "metrics",
            "nearest",
            "properties",
            "protocol",
            "store",
            "table",
            "throttle",
            "tls",
        ],
    ),
    (
        "server",
        &[
            "auth",
            "backends",
            "broker",
            "clock",
            "config",
            "connection",
            "host",
            "http",
            "logging",
            "message",
            "metrics",
            "protocol",
            "store",
            "tls",
        ],
    ),
    // Shows the rooms to the program, to tests, benches and fuzz targets, and to nobody else.
    (
        "internals",
        &[
            "auth",
            "broker",
            "config",
            "connection",
            "error",
            "http",
            "logging",
            "message",
            "properties",
            "protocol",
            "server",
            "store",
            "table",
            "tls",
        ],
    ),
    // Part of the program and not of the library, which it uses by its front.
    ("commands", &[]),
];

/// How many modules deep a file lies: `table.rs` and `broker.rs` one, `broker/alarm.rs` two.
fn depth_of(file: &str) -> usize {
    file.split('/').count()
}

#[test]
fn rooms_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root("src")) {
        let room = room_of(&file);
        if matches!(room, "lib" | "main") {
            continue;
        }
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("src/{file}: the room `{room}` has no line in ROOMS"));
            continue;
        };
        // Enough `super` to leave the room; a module within a file makes it one more, and that never leaves it by accident.
        let out_of_the_room = "super::".repeat(depth_of(&file));
        for (number, line) in code(&text) {
            let mut used = names_after(line, "crate::");
            used.extend(names_after(line, &out_of_the_room).into_iter().filter(|name| *name != "super"));
            let known = |name: &&str| ROOMS.iter().any(|(room, _)| room == name);
            for name in used.into_iter().filter(known).filter(|name| *name != room && !allowed.contains(name)) {
                wrong.push(format!("src/{file}:{number}: `{room}` must not use `{name}`: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_program_uses_the_library_by_its_front() {
    let main = ("main.rs".to_owned(), fs::read_to_string(root("src/main.rs")).unwrap());
    let program = sources(&root("src/commands")).into_iter().chain([main]);
    let used: BTreeSet<_> = program
        .flat_map(|(_, text)| {
            let used = code(&text).flat_map(|(_, line)| names_after(line, "leveret::"));
            used.map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let used: BTreeSet<_> = used.iter().map(String::as_str).collect();
    assert!(used.is_subset(&BTreeSet::from(["Broker", "Clock", "internals"])), "{used:?}");
}
