//! The socket for commands on the same machine: no password, and nobody else's.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::process::{Directory, Program};

/// The status and the body of an answer to `GET`, with these lines in the head.
fn get(socket: &Path, path: &str, head: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn whoever_may_open_it_is_administrator_without_a_password() {
    let directory = Directory::new("local-socket");
    let mut program = Program::start_in(&directory, &["--no-http"]);
    let socket = directory.path().join("leveret.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, body) = get(&socket, "/api/whoami", "");
    assert_eq!((status, body.contains("\"administrator\"")), (200, true), "{body}");
    assert_eq!(get(&socket, "/api/queues/%2F", "").0, 200);
    // What is brought counts: a command can ask whether a password is right.
    assert_eq!(get(&socket, "/api/whoami", "Authorization: Basic Z3Vlc3Q6d3Jvbmc=\r\n").0, 401);
    let (status, body) = get(&socket, "/api/whoami", "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n");
    assert_eq!((status, body.contains("\"guest\"")), (200, true), "{body}");
    program.stop();
    assert!(!socket.exists(), "it goes with the broker");
}

#[test]
fn a_start_replaces_the_socket_of_a_killed_broker() {
    let directory = Directory::new("local-socket-killed");
    let socket = directory.path().join("leveret.sock");
    Program::start_in(&directory, &[]).kill();
    assert!(UnixStream::connect(&socket).is_err());
    let _program = Program::start_in(&directory, &[]);
    assert_eq!(get(&socket, "/api/whoami", "").0, 200);
}
