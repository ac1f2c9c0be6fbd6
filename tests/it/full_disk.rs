//! A small file system that becomes full. Needs the right to mount one, as root has; without it these tests say so and do
//! nothing, and what is left is the disk of tests/crash, which becomes full at every call.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::basic::AMQPMethod as Basic;
use amq_protocol::protocol::connection::AMQPMethod as Connection;

use crate::client::method::parse_method;
use crate::client::properties::properties;
use crate::client::socket::{Frame, METHOD};
use crate::client::{Channel, Connect, publish, queue};
use crate::process::{Directory, Program};

/// Of the file system: a log of three files, and some.
const MIB: usize = 64;
/// How long a publisher waits for a confirm before it publishes the next message.
const PAUSE: Duration = Duration::from_millis(300);
/// Bytes of a message.
const BODY_BYTES: usize = 64 * 1024;

/// A file system in memory, mounted on a directory while this is alive.
struct SmallDisk {
    directory: Directory,
}

impl SmallDisk {
    fn mount(name: &str) -> Option<Self> {
        let directory = Directory::new(name);
        fs::create_dir_all(directory.path()).unwrap();
        let mount = ["-t", "tmpfs", "-o", &format!("size={MIB}m"), "leveret-test", directory.text()];
        let output = Command::new("mount").args(mount).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            eprintln!("not tested: without root no small file system can be mounted: {why}");
            return None;
        }
        Some(Self { directory })
    }

    /// Takes this much of the space away; the file that does so.
    fn ballast(&self, mib: usize) -> PathBuf {
        let path = self.directory.path().join("ballast");
        fs::write(&path, vec![1; mib << 20]).unwrap();
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.directory.path()).status().ok();
    }
}

/// A client that publishes one message after the other and knows which were confirmed.
struct Publisher {
    ch: Channel,
    next: u64,
    confirmed: u64,
}

impl Publisher {
    async fn new(program: &Program) -> Self {
        let ch = Connect::to(program.address()).open().await.channel(1).await;
        ch.declare(queue("q").durable()).await;
        ch.confirm_select().await;
        Self { ch, next: 0, confirmed: 0 }
    }

    async fn publish(&mut self) {
        let body = format!("{:08}{}", self.next, ".".repeat(BODY_BYTES));
        self.ch.publish(publish("", "q", body).with(properties().delivery_mode(2))).await;
        self.next += 1;
    }

    /// Publishes until it is told that it must wait; why. Only who publishes is told, so it does not wait long for a confirm.
    async fn until_blocked(&mut self) -> String {
        loop {
            self.publish().await;
            while self.confirmed < self.next {
                match self.ch.connection.socket.any_frame_within(PAUSE).await {
                    None => break,
                    Some(frame) => {
                        if let Some(reason) = self.understand(&frame.expect("the connection stays open")) {
                            return reason;
                        }
                    }
                }
            }
        }
    }

    /// Waits until it may go on and everything is confirmed.
    async fn until_unblocked(&mut self) {
        self.ch.connection.expect((10, 61)).await;
        while self.confirmed < self.next {
            assert_eq!(self.hear().await, None);
        }
    }

    /// A confirm, or why the connection is blocked.
    async fn hear(&mut self) -> Option<String> {
        let frame = self.ch.connection.any_frame().await;
        self.understand(&frame)
    }

    fn understand(&mut self, frame: &Frame) -> Option<String> {
        assert_eq!(frame.kind, METHOD, "{frame:?}");
        match parse_method(&frame.payload) {
            AMQPClass::Basic(Basic::Ack(ack)) => {
                self.confirmed = ack.delivery_tag;
                None
            }
            AMQPClass::Connection(Connection::Blocked(blocked)) => Some(blocked.reason.to_string()),
            other => panic!("{other:?}"),
        }
    }
}

/// Takes everything, acknowledged one by one; the numbers.
async fn take_all(program: &Program) -> Vec<u64> {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    let mut numbers = Vec::new();
    while let Some(delivery) = ch.get("q").await {
        numbers.push(delivery.text()[..8].parse().unwrap());
        ch.ack(delivery.delivery_tag).await;
    }
    ch.sync().await;
    numbers
}

/// Everything that was confirmed is there, and of the one that waits nobody knows.
fn check_all(numbers: &[u64], publisher: &Publisher) {
    let all: Vec<u64> = (0..numbers.len() as u64).collect();
    assert_eq!(numbers, all);
    assert!((publisher.confirmed..=publisher.next).contains(&(numbers.len() as u64)), "{}", publisher.confirmed);
}

/// reference: 1.11, low on disk: trigger, frame and release
#[tokio::test(flavor = "multi_thread")]
async fn publishers_wait_before_the_disk_is_full_and_go_on_when_it_is_drained() {
    let Some(disk) = SmallDisk::mount("low-disk") else { return };
    let mut program = Program::start_in(&disk.directory, &["--disk-free-limit", &(16 << 20).to_string()]);
    let mut publisher = Publisher::new(&program).await;
    for _ in 0..2 {
        assert_eq!(publisher.until_blocked().await, "low on disk");
        take_all(&program).await;
        publisher.until_unblocked().await;
    }
    let log = program.stop();
    assert!(log.contains("disk alarm raised") && log.contains("disk alarm cleared"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_on_a_full_disk_starts_again_and_goes_on_when_there_is_space() {
    let Some(disk) = SmallDisk::mount("full-disk") else { return };
    let ballast = disk.ballast(40);
    let mut program = Program::start_in(&disk.directory, &["--disk-free-limit", "0"]);
    let mut publisher = Publisher::new(&program).await;
    assert_eq!(publisher.until_blocked().await, "low on disk");
    program.kill();

    let mut program = Program::start_in(&disk.directory, &["--disk-free-limit", "0"]);
    // What is delivered need not be written.
    check_all(&take_all(&program).await, &publisher);
    let mut publisher = Publisher::new(&program).await;
    assert_eq!(publisher.until_blocked().await, "low on disk");
    fs::remove_file(ballast).unwrap();
    publisher.until_unblocked().await;
    program.kill();

    let mut program = Program::start_in(&disk.directory, &["--disk-free-limit", "0"]);
    check_all(&take_all(&program).await, &publisher);
    program.stop();
}
