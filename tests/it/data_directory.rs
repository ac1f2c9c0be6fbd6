//! The data directory belongs to one user, and to one process at a time.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use crate::broker::Management;
use crate::client::properties::properties;
use crate::client::{Channel, Connect, publish, queue};
use crate::process::{Directory, Program, check_refused, run_with};

async fn durable_queue(program: &Program) -> Channel {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("q").durable()).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", "q", "kept").with(properties().delivery_mode(2))).await;
    ch
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every directory and file in `path` has these permissions, and the socket for commands is its owner's alone.
fn check_modes(path: &Path, directory_mode: u32, file_mode: u32) {
    assert_eq!(format!("{:o}", mode(path)), format!("{directory_mode:o}"), "{}", path.display());
    for entry in fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()) {
        let file_type = fs::symlink_metadata(&entry).unwrap().file_type();
        if file_type.is_dir() {
            check_modes(&entry, directory_mode, file_mode);
        } else {
            let wanted = if file_type.is_socket() { 0o600 } else { file_mode };
            assert_eq!(format!("{:o}", mode(&entry)), format!("{wanted:o}"), "{}", entry.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_read_messages() {
    let directory = Directory::new("private");
    let mut program = Program::start_in(&directory, &[]);
    durable_queue(&program).await;
    check_modes(directory.path(), 0o700, 0o600);
    assert_eq!(mode(program.ports_file()), 0o600);
    program.stop();
    check_modes(directory.path(), 0o700, 0o600);

    // As an earlier version left them.
    for (path, open) in [("", 0o755), ("wal", 0o755), ("lock", 0o644)] {
        fs::set_permissions(directory.path().join(path), fs::Permissions::from_mode(open)).unwrap();
    }
    let mut program = Program::start_in(&directory, &[]);
    durable_queue(&program).await;
    check_modes(directory.path(), 0o700, 0o600);
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_reads_if_the_directory_was_opened_to_it() {
    let directory = Directory::new("group");
    fs::create_dir(directory.path()).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o750)).unwrap();
    let mut program = Program::start_in(&directory, &[]);
    durable_queue(&program).await;
    check_modes(directory.path(), 0o750, 0o640);
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_file_that_is_removed_lets_no_second_process_in() {
    let directory = Directory::new("lock-removed");
    let mut program = Program::start_in(&directory, &[]);
    fs::remove_file(directory.path().join("lock")).unwrap();
    let other = ["--amqp-listen", "127.0.0.1:0", "--data-dir", directory.text()];
    check_refused(&other, "is in use by another process");
    durable_queue(&program).await;
    assert!(program.stop().contains("the lock file was removed while it was in use: it is made again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_taken_away_ends_the_broker_and_nothing_more_is_confirmed() {
    for how in ["removed", "moved"] {
        let directory = Directory::new(&format!("directory-{how}"));
        let elsewhere = Directory::new(&format!("directory-{how}-elsewhere"));
        let mut program = Program::start_in(&directory, &[]);
        let ch = durable_queue(&program).await;
        if how == "moved" {
            fs::rename(directory.path(), elsewhere.path()).unwrap();
            fs::create_dir(directory.path()).unwrap();
        } else {
            fs::remove_dir_all(directory.path()).unwrap();
        }
        ch.publish(publish("", "q", "lost").with(properties().delivery_mode(2))).await;
        let (code, log) = program.end();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("the data directory was moved or removed while it was in use"), "{log}");
        assert!(fs::read_dir(directory.path()).map_or(0, Iterator::count) == 0, "nothing is written to another one");
    }
}

/// RabbitMQ keeps messages in a directory below it that is called as the node, and so seems to lose them with each new name of a container.
#[tokio::test(flavor = "multi_thread")]
async fn rabbitmqs_directory_holds_everything_whatever_the_node_is_called() {
    let directory = Directory::new("mnesia-base");
    let base = directory.path().join("mnesia");
    let start = |node: &str| {
        let environment =
            [("RABBITMQ_MNESIA_BASE", base.to_str().unwrap()), ("RABBITMQ_NODENAME", node), ("HOSTNAME", "f00ba4")];
        Program::start_with(&environment, "mnesia-base", &["--http-listen", "127.0.0.1:0"])
    };
    let mut first = start("rabbit@one");
    durable_queue(&first).await;
    assert_eq!(node_of(&first), "rabbit@one");
    first.stop();
    assert!(base.join("lock").exists() && base.join("wal").is_dir());
    let mut second = start("rabbit@two");
    assert_eq!(node_of(&second), "rabbit@two");
    let ch = Connect::to(second.address()).open().await.channel(1).await;
    assert_eq!(ch.get_no_ack("q").await.unwrap().body, b"kept");
    second.stop();
}

/// It would be strange to find an empty broker without a word where there were queues and messages.
#[test]
fn files_of_rabbitmq_are_told_of() {
    for below in ["", "rabbit@host"] {
        let directory = Directory::new("of-rabbitmq");
        let place = directory.path().join(below);
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("schema.DAT"), "").unwrap();
        let log = Program::start_in(&directory, &["--no-http"]).stop();
        assert!(log.contains("schema.DAT is RabbitMQ's, and is not read: export its definitions"), "{log}");
        let log = Program::start_in(&directory, &["--no-http"]).stop();
        assert!(!log.contains("schema.DAT"), "only once: {log}");
    }
}

/// Names of hosts with dots need the variable in RabbitMQ; here they need nothing, and it changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_name_of_the_node_is_told_as_it_is() {
    for is_long in ["true", "false", "1"] {
        let name = "rabbit@broker-0.broker.default.svc.cluster.local";
        let environment = [("RABBITMQ_USE_LONGNAME", is_long), ("RABBITMQ_NODENAME", name)];
        let directory = Directory::new("long-name");
        let arguments = ["--data-dir", directory.text(), "--http-listen", "127.0.0.1:0"];
        let mut program = Program::start_with(&environment, "long-name", &arguments);
        assert_eq!(node_of(&program), name);
        for command in [&["-n", name][..], &["--longnames", "-n", name], &["-l", "-q"]] {
            let words = [&["ctl"], command, &["ping", "--data-dir", directory.text()]].concat();
            let output = run_with(&environment, &words);
            assert!(output.status.success(), "{words:?}: {output:?}");
        }
        let log = program.stop();
        assert!(log.contains("INFO RABBITMQ_USE_LONGNAME: is not needed"), "{log}");
    }
}

/// What the management API says.
fn node_of(program: &Program) -> String {
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    let api = Management::at(SocketAddr::from(([127, 0, 0, 1], port)));
    api.get("/api/overview")["node"].as_str().unwrap().to_owned()
}
