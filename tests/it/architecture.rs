//! Which room may use which, as ARCHITECTURE.md says, read off the source: a wrong `use` fails here and not in a review.
//!
//! Not a compiler: it looks for paths in lines that are no comments. What it cannot see, such as a type that is passed on without
//! being named, it lets through.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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
    ("broker", &["auth", "error", "message", "metrics", "properties", "store", "table"]),
    // The outside world.
    ("store", &["message", "table"]),
    ("clock", &[]),
    // Backends that are asked over the network.
    ("backends", &["auth", "clock"]),
    ("throttle", &[]),
    ("tls", &["clock"]),
    ("host", &[]),
    ("logging", &["clock", "config", "host", "throttle"]),
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
            "properties",
            "protocol",
            "store",
            "table",
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
            "backends",
            "broker",
            "config",
            "connection",
            "error",
            "logging",
            "message",
            "properties",
            "protocol",
            "server",
            "store",
            "table",
        ],
    ),
    // Part of the program and not of the library, which it uses by its front.
    ("commands", &[]),
];

/// What only some files may name.
const CONFINED: &[(&str, &[&str])] = &[
    // `clock.rs` is the only code that asks what time it is; lines of the log have a date from a type of the library's. The server
    // waits a moment for its connections when it stops, the end of the program for its log, the log's thread for lines that were left
    // out, and the store for its disk: all of these are real whatever the clock of a test says.
    ("Instant", &["clock.rs", "commands/perf/"]),
    (
        "SystemTime",
        &[
            "clock.rs",
            "clock/",
            "logging/exchange.rs",
            "logging/format.rs",
            "commands/perf/",
            "logging/output.rs",
            "tls/certificates.rs",
        ],
    ),
    (
        "std::time",
        &[
            "backends/",
            "clock.rs",
            "clock/",
            "commands/",
            "connection/socket/",
            "http/events.rs",
            "http/later.rs",
            "http/local.rs",
            "http/patience.rs",
            "http/secure.rs",
            "http/server.rs",
            "http/unread.rs",
            "logging.rs",
            "logging/output.rs",
            "logging/syslog.rs",
            "logging/writer.rs",
            "server.rs",
            "server/auth.rs",
            "server/storage.rs",
            "server/webhook.rs",
            "store/wal/",
            "tls/certificates.rs",
        ],
    ),
    (
        "tokio::time",
        &[
            "backends/",
            "clock.rs",
            "clock/",
            "commands/",
            "http/events.rs",
            "http/later.rs",
            "http/local.rs",
            "http/patience.rs",
            "http/secure.rs",
            "http/server.rs",
            "http/unread.rs",
            "server.rs",
            "server/webhook.rs",
        ],
    ),
    // Sessions never wait and never touch a socket, so that a whole connection runs in a fuzz target.
    (
        "tokio",
        &[
            "backends/",
            "clock.rs",
            "clock/",
            "http/events.rs",
            "http/handling.rs",
            "http/later.rs",
            "http/local.rs",
            "http/patience.rs",
            "http/secure.rs",
            "http/server.rs",
            "http/talk.rs",
            "http/unread.rs",
            "server.rs",
            "server/background.rs",
            "server/wake_ups",
            "server/binding.rs",
            "server/builder/start.rs",
            "server/encryption.rs",
            "server/management.rs",
            "server/own_messages.rs",
            "server/storage.rs",
            "server/tasks.rs",
            "server/webhook.rs",
            "commands/",
            // It never waits either; without a runtime of several threads it is a plain call.
            "connection/aside.rs",
            // Whom the listener waits for.
            "connection/admission.rs",
            "connection/driver.rs",
            "connection/listener.rs",
            "connection/outbox.rs",
            "connection/socket.rs",
            "connection/socket/",
            "connection/spare.rs",
            "tls/turns.rs",
        ],
    ),
    (
        "std::net",
        &[
            "auth/",
            "backends/",
            "commands/",
            "config/",
            "connection/",
            "http/",
            "logging/syslog.rs",
            "server.rs",
            "server/binding.rs",
            "server/builder.rs",
            "server/start_error.rs",
            "server/encryption.rs",
            "server/url.rs",
            "server/management.rs",
            "tls/login.rs",
        ],
    ),
    (
        "std::fs",
        &[
            "backends/trust.rs",
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog.rs",
            "commands/",
            "config/load.rs",
            "config/rabbitmq/files.rs",
            "config/tests.rs",
            "host.rs",
            "host/",
            "server/auth/oauth2.rs",
            "server/definitions.rs",
            "server/local",
            "store/disk.rs",
            "store/disk/",
            "store/segments/tests.rs",
            "tls/certificates.rs",
            "tls/files.rs",
        ],
    ),
    (
        "std::process",
        &[
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog.rs",
            "commands/",
            "config/tests.rs",
            "host.rs",
            "host/",
            "main.rs",
            "server/local",
            "store/segments/tests.rs",
        ],
    ),
    (
        "std::env",
        &[
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog.rs",
            "commands/",
            "config/environment.rs",
            "config/tests.rs",
            // Which directories systemd has made.
            "host.rs",
            "host/",
            "main.rs",
            "server/local",
            "store/segments/tests.rs",
        ],
    ),
    // One place knows the generated types; beside it only tests, as an oracle.
    ("amq_protocol", &["protocol/method.rs", "protocol/method/", "protocol/fast/tests.rs"]),
];

/// Repeats other sections in short, so there is nothing of its own to show.
const CHECKLIST: &str = "11";

/// The sections of `docs/behaviour.md`: the conventions at its beginning, and the smallest numbered ones.
fn sections(reference: &str) -> Vec<String> {
    let number = |heading: &str| heading.split([' ', '\t']).next().unwrap_or_default().trim_end_matches('.').to_owned();
    let headings = reference.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    let numbers: Vec<String> = headings.map(number).collect();
    let is_divided = |chapter: &str| numbers.iter().any(|number| number.starts_with(&format!("{chapter}.")));
    let smallest = numbers.iter().filter(|number| !is_divided(number) && *number != CHECKLIST);
    std::iter::once("conventions".to_owned()).chain(smallest.cloned()).collect()
}

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The files under `folder` as (path within it, text).
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the source is there") {
            let path = entry.expect("the source is there").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name =
                    path.strip_prefix(folder).expect("it lies in the folder").to_string_lossy().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).expect("it can be read")));
            }
        }
    }
    found.sort();
    found
}

/// Lines that are no comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// `broker/queue/mod.rs` lies in the room `broker`, `table.rs` in `table`.
fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// How many modules deep a file lies: `table.rs` and `broker/mod.rs` one, `broker/alarm.rs` two.
fn depth_of(file: &str) -> usize {
    file.trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
}

/// The first names of all paths in the line that begin with `prefix`, also in braces: `crate::{a, b::c}`.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        if line[..at].chars().next_back().is_some_and(|before| is_name(before) || before == ':') {
            continue;
        }
        let rest = &line[at + prefix.len()..];
        let items: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        names.extend(items.iter().filter_map(|item| item.split(|character| !is_name(character)).next()));
    }
    names.retain(|name| !name.is_empty());
    names
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
fn the_outside_world_stays_where_it_is_let_in() {
    let mut wrong = Vec::new();
    for (file, text) in sources(&root("src")) {
        for (number, line) in code(&text) {
            for (path, files) in CONFINED {
                let is_named = line.match_indices(path).any(|(at, _)| {
                    let (before, after) = (line[..at].chars().next_back(), line[at + path.len()..].chars().next());
                    let continues =
                        |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
                    !continues(before) && !continues(after)
                });
                if is_named && !files.iter().any(|allowed| file.starts_with(allowed)) {
                    wrong.push(format!("src/{file}:{number}: `{path}` has no business here: {}", line.trim()));
                }
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

#[test]
fn every_file_says_what_lives_in_it() {
    let silent = sources(&root("src")).into_iter().filter(|(_, text)| !text.starts_with("//!"));
    // What tests are for, their names say.
    let silent: Vec<_> = silent.map(|(file, _)| file).filter(|file| !file.ends_with("tests.rs")).collect();
    assert_eq!(silent, [""; 0]);
}

/// Names that two types still have, with the reason.
const SHARED_NAMES: &[&str] = &[
    // The front of the library, and the state of the broker that it runs.
    "Broker", // Of queues and the store, to be renamed there.
    "Access", "Choice", "Group", "Head", "Read", "Turn",
    // New ones of the HTTP API and of webhooks, to be renamed there.
    "Asked", "Talk",
];

/// A name that means one thing needs no path to be understood. Types that only one file sees may be called as it likes.
#[test]
fn a_type_name_is_unique_in_the_library() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources(&root("src")) {
        // The program's commands are no part of the library, and tests may repeat the names of what they imitate.
        if room_of(&file) == "commands" || file.contains("tests") || file.ends_with("testing.rs") {
            continue;
        }
        // What two systems have of their own has the same names: only one of the files is compiled.
        let file = file.replace("_windows.rs", ".rs").replace("/windows.rs", "/unix.rs");
        for (_, line) in code(&text) {
            let Some(item) = line.trim_start().strip_prefix("pub") else { continue };
            // `pub(super)`, `pub(in crate::broker)`.
            let item = item.strip_prefix('(').and_then(|scope| scope.split_once(')')).map_or(item, |(_, item)| item);
            let mut words = item.trim_start().split(|character: char| !character.is_alphanumeric() && character != '_');
            if let (Some("struct" | "enum" | "trait" | "type"), Some(name)) = (words.next(), words.next())
                // A macro's name is a variable.
                && !name.is_empty()
            {
                places.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    let mended = SHARED_NAMES.iter().filter(|name| places.get(**name).is_none_or(|files| files.len() < 2));
    assert_eq!(mended.collect::<Vec<_>>(), [&""; 0], "these need no line in SHARED_NAMES any more");
    places.retain(|name, files| files.len() > 1 && !SHARED_NAMES.contains(&name.as_str()));
    assert!(places.is_empty(), "two types of one name: {places:#?}");
}

/// The sections that a citation names: the first one, and those that are joined to it by "and".
fn cited(citation: &str) -> Vec<&str> {
    let mut words = citation.split_whitespace().map(|word| word.trim_matches(|c: char| ",:;`)(".contains(c)));
    let mut sections: Vec<_> = words.next().into_iter().collect();
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let rest: Vec<_> = words.collect();
    sections.extend(rest.windows(2).filter(|pair| pair[0] == "and").map(|pair| pair[1]).filter(is_number));
    sections
}

/// A section that nobody cites is a gap in the tests; one that does not exist is a slip of the pen.
#[test]
fn citations_of_the_behaviour_reference_name_sections_that_exist_and_leave_none_out() {
    let reference = fs::read_to_string(root("docs/behaviour.md")).unwrap();
    let known = sections(&reference);
    let mut seen = BTreeSet::new();
    let mut unknown = Vec::new();
    let mut look = |place: String, citation: &str| {
        for section in cited(citation) {
            let section = section.trim_end_matches('.').to_owned();
            if !known.contains(&section) {
                unknown.push(format!("{place} cites section {section}"));
            }
            seen.insert(section);
        }
    };
    for (file, text) in sources(&root("tests/it")) {
        for citation in text.lines().filter_map(|line| line.trim_start().strip_prefix("/// reference: ")) {
            look(format!("tests/it/{file}"), citation);
        }
    }
    let exceptions = fs::read_to_string(root("conformance/exceptions.toml")).unwrap();
    for sections in exceptions.lines().filter_map(|line| line.strip_prefix("section = ")) {
        for section in sections.trim_matches('"').split(',').filter(|section| !section.contains("row")) {
            look(
                "conformance/exceptions.toml".to_owned(),
                section.trim().trim_start_matches("and every column on streams in "),
            );
        }
    }
    for (file, text) in sources(&root("src")) {
        for (_, citation) in
            text.match_indices("(behaviour reference ").map(|(at, found)| (at, &text[at + found.len()..]))
        {
            let section = citation.split([')', ',', ';', ' ']).next().unwrap_or_default();
            // The code may cite a whole chapter.
            let is_chapter = known.iter().any(|known| known.split('.').next() == Some(section));
            if !is_chapter {
                look(format!("src/{file}"), section);
            }
        }
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
    let uncited: Vec<_> = known.iter().filter(|section| !seen.contains(*section)).collect();
    assert_eq!(uncited, [""; 0], "sections with neither a test nor an exception");
}
