//! What only some files may name: the clock, sockets, files, threads of others.

use super::{code, root, sources};

/// What only some files may name.
const CONFINED: &[(&str, &[&str])] = &[
    // `clock.rs` is the only code that asks what time it is; lines of the log have a date from a type of the library's. The server
    // waits a moment for its connections when it stops, the end of the program for its log, the log's thread for lines that were left
    // out, and the store for its disk: all of these are real whatever the clock of a test says.
    ("Instant", &["clock.rs", "commands/perf/"]),
    (
        "SystemTime",
        &[
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
            "clock/",
            "commands/",
            "connection/socket/",
            "connection/tests/suspended.rs",
            "http/events.rs",
            "http/later.rs",
            "http/local.rs",
            "http/patience.rs",
            "http/secure.rs",
            "http/server.rs",
            "http/unread.rs",
            "logging.rs",
            "logging/output.rs",
            "logging/syslog",
            "logging/writer.rs",
            "server/auth.rs",
            "server/stopping.rs",
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
            "clock/",
            "commands/",
            "http/events.rs",
            "http/later.rs",
            "http/local.rs",
            "http/patience.rs",
            "http/secure.rs",
            "http/server.rs",
            "http/unread.rs",
            "server/stopping.rs",
            "server/webhook.rs",
        ],
    ),
    // Sessions never wait and never touch a socket, so that a whole connection runs in a fuzz target.
    (
        "tokio",
        &[
            "backends/",
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
            "server/builder/",
            "server/encryption.rs",
            "server/management.rs",
            "server/own_messages.rs",
            "server/stopping.rs",
            "server/storage.rs",
            "server/tasks.rs",
            "server/webhook.rs",
            "commands/",
            // Whom the listener waits for.
            "connection/admission.rs",
            // It never waits either; without a runtime of several threads it is a plain call.
            "connection/aside.rs",
            "connection/driver.rs",
            "connection/listener.rs",
            "connection/listening_socket.rs",
            "connection/outbox.rs",
            "connection/socket.rs",
            "connection/socket/",
            "connection/spare_descriptor.rs",
            // Whose changes a listener waits for.
            "connection/suspensions.rs",
            "connection/tests/stopping.rs",
            "connection/tests/suspended.rs",
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
            "logging/syslog",
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
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog",
            "commands/",
            "config/load.rs",
            "config/rabbitmq/files.rs",
            "config/tests.rs",
            "host/",
            "server/auth/oauth2.rs",
            "server/definitions.rs",
            "server/local",
            "store/disk.rs",
            "store/disk/",
            "store/recovery/reader/tests.rs",
            "store/segments/tests.rs",
            "tls/certificates.rs",
            "tls/files.rs",
            "tls/trust.rs",
        ],
    ),
    (
        "std::process",
        &[
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog",
            "commands/",
            "config/tests.rs",
            "host/",
            "main.rs",
            "server/local",
            "store/disk/lock/tests.rs",
            "store/recovery/reader/tests.rs",
            "store/segments/tests.rs",
        ],
    ),
    (
        "std::env",
        &[
            "logging/output.rs",
            "logging/rotation.rs",
            "logging/syslog",
            "commands/",
            "config/environment.rs",
            "config/tests.rs",
            // Which directories systemd has made.
            "host/",
            "main.rs",
            "server/local",
            "store/disk/lock/tests.rs",
            "store/recovery/reader/tests.rs",
            "store/segments/tests.rs",
        ],
    ),
    // One place knows the generated types; beside it only tests, as an oracle.
    ("amq_protocol", &["protocol/method/", "protocol/fast/tests.rs"]),
];

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
                // A module is its file and its folder.
                let module = format!("{}/", file.trim_end_matches(".rs"));
                if is_named && !files.iter().any(|allowed| file.starts_with(allowed) || module == *allowed) {
                    wrong.push(format!("src/{file}:{number}: `{path}` has no business here: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
