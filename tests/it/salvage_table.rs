//! The table that a start with `--salvage` writes into its log: what was read, left out, found again and kept aside.

use std::fs;

use crate::client::properties::properties;
use crate::client::{Connect, publish, queue};
use crate::process::{Directory, Program};
use crate::recovery::{directory_with_segments, directory_with_ten, flip, flip_behind};

/// Bytes in front of the first group of a file of the log.
const LOG_HEAD_BYTES: usize = 4096;

/// The number of each line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Table {
    changes: u64,
    log_bytes: u64,
    left_out: u64,
    searched: u64,
    messages: u64,
    queues: u64,
    kept: u64,
}

impl Table {
    /// What a start with `--salvage` says; it must say every line once, and nothing else of this form.
    fn of_start(directory: &Directory) -> Self {
        let log = Program::start_in(directory, &["--salvage"]).kill();
        let mut table = Self::default();
        let mut said = Vec::new();
        for line in log.lines() {
            let Some((_, rest)) = line.split_once(&format!("salvaging {}: ", directory.text())) else { continue };
            let Some((count, what)) = rest.trim_start().split_once(' ') else { continue };
            let Ok(count) = count.parse() else { continue };
            *table.line(what) = count;
            said.push(what.to_owned());
        }
        assert_eq!(said, LINES, "{log}");
        table
    }

    fn line(&mut self, what: &str) -> &mut u64 {
        let all = [
            &mut self.changes,
            &mut self.log_bytes,
            &mut self.left_out,
            &mut self.searched,
            &mut self.messages,
            &mut self.queues,
            &mut self.kept,
        ];
        let place = LINES.iter().position(|line| *line == what).unwrap_or_else(|| panic!("a line of '{what}'"));
        all.into_iter().nth(place).unwrap()
    }
}

const LINES: [&str; 7] = [
    "changes read from the log",
    "bytes read from the log",
    "places that were left out",
    "segment files searched for messages",
    "messages found there again",
    "queues that they belong to",
    "files kept in lost+found",
];

/// The groups of the first file of the log: where each begins, and its bytes; those that tell of a change have more than a head.
fn groups(directory: &Directory) -> Vec<(usize, u64)> {
    const HEAD_BYTES: usize = 40;
    let bytes = fs::read(directory.path().join("wal/0000000000.log")).unwrap();
    let mut groups = Vec::new();
    let mut at = LOG_HEAD_BYTES;
    while bytes.get(at..at + 4) == Some(b"LVG2") {
        let payload = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let length = HEAD_BYTES + payload.next_multiple_of(8);
        groups.push((at, length as u64));
        at += length;
    }
    groups
}

/// What is said of these groups.
fn read(groups: &[(usize, u64)]) -> Table {
    let changes = groups.iter().filter(|(_, bytes)| *bytes > 40).count() as u64;
    Table { changes, log_bytes: groups.iter().map(|(_, bytes)| bytes).sum(), ..Table::default() }
}

/// Two places: the group with the body, and the one that refers to it. The file with both is copied.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_damaged_log_it_tells_what_was_read_and_what_was_left_out() {
    let directory = directory_with_ten("table-log", true).await;
    let file = directory.path().join("wal/0000000000.log");
    let mut groups = groups(&directory);
    let needle = b"00000004";
    let bytes = fs::read(&file).unwrap();
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    flip_behind(&file, needle);
    let before = groups.len();
    groups.retain(|(start, length)| !(*start..*start + *length as usize).contains(&at));
    assert_eq!(groups.len(), before - 1);
    assert_eq!(Table::of_start(&directory), Table { left_out: 2, kept: 1, ..read(&groups) });
}

/// Without a checkpoint the whole log is read. It has all that is in the segment file, which is searched and not needed.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_checkpoint_it_tells_of_a_log_that_has_everything() {
    let directory = directory_with_segments("table-no-checkpoint").await;
    damage_checkpoints(&directory);
    let all = read(&groups(&directory));
    // Both checkpoints are left out, and kept with the segment file.
    assert_eq!(Table::of_start(&directory), Table { left_out: 2, searched: 1, kept: 3, ..all });
}

/// Nothing but segment files: messages of two queues in one of them, and one with nothing that is a message.
#[tokio::test(flavor = "multi_thread")]
async fn without_checkpoint_and_log_it_tells_what_was_found_in_segment_files() {
    let directory = Directory::new("table-segments");
    let mut program = Program::start_in(&directory, &[]);
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.confirm_select().await;
    for (name, count) in [("many", 10), ("few", 3)] {
        ch.declare(queue(name).durable()).await;
        for _ in 0..count {
            ch.publish_confirmed(publish("", name, "body").with(properties().delivery_mode(2))).await;
        }
    }
    program.stop();
    damage_checkpoints(&directory);
    fs::remove_dir_all(directory.path().join("wal")).unwrap();
    fs::write(directory.path().join("segments/00000009.seg"), [0x55; 256]).unwrap();
    let expected = Table { left_out: 3, searched: 2, messages: 13, queues: 2, kept: 3, ..Table::default() };
    assert_eq!(Table::of_start(&directory), expected);
}

/// A file that holds messages and is gone: one place, and nothing to keep.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_missing_segment_file_it_tells_one_place() {
    let directory = directory_with_ten("table-missing", false).await;
    fs::remove_file(directory.path().join("segments/00000001.seg")).unwrap();
    let table = Table::of_start(&directory);
    assert_eq!(table, Table { left_out: 1, ..read(&[]) });
}

fn damage_checkpoints(directory: &Directory) {
    for file in ["checkpoint", "checkpoint.copy"] {
        flip(&directory.path().join(file), 4);
    }
}
