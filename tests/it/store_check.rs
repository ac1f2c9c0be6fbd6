//! `leveret store check`: finds each kind of damage, says what a start would do, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::client::properties::properties;
use crate::client::{Connect, publish, queue};
use crate::process::{Directory, Program, run};
use crate::recovery::{directory_with_segments, directory_with_ten, flip, flip_behind};

/// All files and directories, with what they hold and when they were changed.
type Contents = BTreeMap<PathBuf, (SystemTime, Option<Vec<u8>>)>;

fn contents(directory: &Path) -> Contents {
    let mut all = Contents::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::metadata(&path).unwrap();
        let bytes = metadata.is_file().then(|| fs::read(&path).unwrap());
        if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        all.insert(path, (metadata.modified().unwrap(), bytes));
    }
    all
}

/// Checks a directory, which must come out of it as it was; the exit code, and what was written.
fn check(directory: &Directory, arguments: &[&str]) -> (i32, String) {
    let before = contents(directory.path());
    let output = run(&[&["store", "check", "--data-dir", directory.text()], arguments].concat());
    assert!(contents(directory.path()) == before, "a check changes nothing");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// It is damaged, and these are among what is said.
fn check_damaged(directory: &Directory, sentences: &[&str]) {
    let (code, text) = check(directory, &[]);
    assert_eq!(code, 1, "{text}");
    for sentence in sentences {
        assert!(text.contains(sentence), "{sentence:?} is not in {text}");
    }
}

const REFUSED: &str = "a start is refused: ";

#[tokio::test(flavor = "multi_thread")]
async fn whole_directories_are_whole() {
    let stopped = directory_with_ten("check-stopped", false).await;
    let (code, text) = check(&stopped, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("found 10 messages in 1 queues, 10 of them in segment files"), "{text}");
    let killed = directory_with_segments("check-killed").await;
    let (code, text) = check(&killed, &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("found 20 messages in 1 queues, 10 of them in segment files"), "{text}");
    assert!(text.contains("is whole"), "{text}");
    // A write that was cut off is no damage.
    let log = killed.path().join("wal/0000000000.log");
    let whole = fs::read(&log).unwrap();
    let at = whole.windows(4).rposition(|window| window == b"LVG2").unwrap();
    fs::write(&log, [&whole[..at], &[0x55; 40]].concat()).unwrap();
    assert_eq!(check(&killed, &[]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_a_checkpoint_is_found() {
    let directory = directory_with_ten("check-checkpoint", false).await;
    let file = directory.path().join("checkpoint.copy");
    let whole = fs::read(&file).unwrap();
    flip(&file, 30);
    let place = format!("{} is damaged at offset 0: its checksum is wrong", file.display());
    let says = [&place, "the other checkpoint is used", "a start goes on with what is said above"];
    check_damaged(&directory, &says);
    fs::remove_file(&file).unwrap();
    let place = format!("{} is missing", file.display());
    check_damaged(&directory, &[&place, "the other checkpoint is used"]);
    fs::write(&file, &whole).unwrap();
    for file in ["checkpoint", "checkpoint.copy"] {
        flip(&directory.path().join(file), 30);
    }
    check_damaged(&directory, &[REFUSED, "found 10 messages in 1 queues", "and keeps 3 files in lost+found"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_the_log_is_found() {
    let directory = directory_with_ten("check-log", true).await;
    let file = directory.path().join("wal/0000000000.log");
    flip_behind(&file, b"00000004");
    let place = format!("{} is damaged at offset ", file.display());
    check_damaged(&directory, &[&place, REFUSED, "found 9 messages", "leaves out 2 places"]);
    let (code, json) = check(&directory, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json["whole"]), (1, &false.into()));
    let finding = &json["findings"][0];
    assert_eq!((&finding["fault"], &finding["effect"]), (&"damaged".into(), &"left-out".into()), "{json}");
    assert!(finding["offset"].as_u64().unwrap() > 4096 && json["start"]["refused"].is_string(), "{json}");
    fs::remove_file(&file).unwrap();
    check_damaged(&directory, &[&format!("{} is missing", file.display()), REFUSED]);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_of_segment_files_is_found() {
    let directory = directory_with_segments("check-segment").await;
    let file = directory.path().join("segments/00000001.seg");
    let whole = fs::read(&file).unwrap();
    flip_behind(&file, b"00000004");
    let place = format!("{} is damaged at offset ", file.display());
    let of = "the message at place 4 of its queue, or behind it, is lost; queue \"q\" in virtual host \"/\"";
    check_damaged(&directory, &[&place, of, "found 19 messages", "a start goes on"]);
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    check_damaged(&directory, &["bytes are missing at its end", "; queue \"q\" in virtual host \"/\"", REFUSED]);
    fs::remove_file(&file).unwrap();
    let says = [&*format!("{} is missing", file.display()), "the messages in it are lost", "; queue \"q\"", REFUSED];
    check_damaged(&directory, &says);
}

/// The record of a deletion is damaged, behind which a queue of the same name was declared.
#[tokio::test(flavor = "multi_thread")]
async fn two_queues_of_one_name_are_found() {
    let directory = Directory::new("check-names");
    let mut program = Program::start_in(&directory, &[]);
    let log = directory.path().join("wal/0000000000.log");
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("twice").durable()).await;
    ch.confirm_select().await;
    ch.publish_confirmed(publish("", "twice", "earlier").with(properties().delivery_mode(2))).await;
    ch.delete("twice").await;
    ch.declare(queue("twice").durable()).await;
    // The second one knows that everything before the first one was synced.
    for body in ["first", "second"] {
        ch.publish_confirmed(publish("", "twice", body).with(properties().delivery_mode(2))).await;
    }
    program.kill();
    let bytes = fs::read(&log).unwrap();
    // A group, and in it a change of two bytes: that a queue is gone.
    let is_deletion = |at: &usize| bytes[*at..].starts_with(b"LVG2") && bytes[at + 40..].starts_with(&[7, 2, 5]);
    flip(&log, (4096..bytes.len() - 43).find(is_deletion).unwrap() + 42);
    let name = "the log contradicts itself: two queues have one name, and nothing tells that the earlier one was deleted: a start \
                keeps its messages in a queue whose name begins with lost+found; queue \"twice\" in virtual host \"/\"";
    check_damaged(&directory, &[REFUSED, name, "found 3 messages in 2 queues"]);
    let (_, json) = check(&directory, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let findings = json["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["fault"] == "contradictory").unwrap();
    assert_eq!((&found["effect"], &found["queues"][0]["name"]), (&"kept-apart".into(), &"twice".into()), "{json}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_checked_is_told_from_damage() {
    let directory = directory_with_ten("check-used", false).await;
    let mut program = Program::start_in(&directory, &[]);
    let output = run(&["store", "check", "--data-dir", directory.text()]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("is in use by another process"), "{text}");
    program.stop();
    // The version of the first file, with the checksum of the header.
    for file in ["checkpoint", "checkpoint.copy"] {
        let mut bytes = fs::read(directory.path().join(file)).unwrap();
        bytes[4] = 9;
        let crc = crc32fast::hash(&bytes[..20]).to_le_bytes();
        bytes[20..24].copy_from_slice(&crc);
        fs::write(directory.path().join(file), bytes).unwrap();
    }
    let (code, text) = check(&directory, &[]);
    assert!(code == 2 && text.contains("has the format version 9"), "{code}: {text}");
    let empty = Directory::new("check-empty");
    fs::create_dir(empty.path()).unwrap();
    let (code, text) = check(&empty, &[]);
    assert!(code == 2 && text.contains("there is nothing to check in "), "{code}: {text}");
    let missing = run(&["store", "check", "--data-dir", "/proc/leveret"]);
    assert_eq!(missing.status.code(), Some(2), "{missing:?}");
}
