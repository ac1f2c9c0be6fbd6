//! What a start makes of the data directory that it finds: after a stop, after a kill, and after damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::client::properties::properties;
use crate::client::{Channel, Connect, eventually, publish, queue};
use crate::process::{Directory, Program, check_refused, run};

/// Bytes of a message, but for its number.
const BODY_BYTES: usize = 16 * 1024;

async fn channel(program: &Program) -> Channel {
    let ch = Connect::to(program.address()).open().await.channel(1).await;
    ch.declare(queue("q").durable()).await;
    ch
}

fn body(number: u64) -> String {
    format!("{number:08}{}", ".".repeat(BODY_BYTES))
}

/// Publishes messages with these numbers, all confirmed.
async fn publish_all(ch: &Channel, numbers: std::ops::Range<u64>) {
    ch.confirm_select().await;
    let count = numbers.end - numbers.start;
    for number in numbers {
        ch.publish(publish("", "q", body(number)).with(properties().delivery_mode(2))).await;
    }
    ch.expect_acks_up_to(count).await;
}

/// Takes everything that is in the queue; the numbers.
async fn take_all(ch: &Channel) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(delivery) = ch.get_no_ack("q").await {
        numbers.push(delivery.text()[..8].parse().unwrap());
    }
    numbers
}

fn files(directory: &Directory, of: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path().join(of)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_how_the_last_run_ended() {
    let directory = Directory::new("ends");
    let text = directory.text();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 0..2).await;
    let log = program.kill();
    assert!(log.contains(&format!("made the data directory {text}")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 2..3).await;
    let log = program.stop();
    assert!(log.contains(&format!("recovered the data directory {text} after a crash: read ")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 3..5).await;
    let log = program.kill();
    assert!(log.contains(&format!("opened the data directory {text}")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0, 1, 2, 3, 4]);
    let log = program.stop();
    assert!(log.contains(&format!("recovered the data directory {text} after a crash: read ")), "{log}");

    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0; 0]);
    let log = program.stop();
    assert!(log.contains(&format!("opened the data directory {text}")), "{log}");
}

/// After a start with a long log, the little that comes is enough to make it short, and once.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_made_short_after_a_restart() {
    let directory = Directory::new("long-log");
    let mut program = Program::start_in(&directory, &[]);
    // Just below the 32 MiB at which half of it goes.
    publish_all(&channel(&program).await, 0..1_950).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 1_950..2_300).await;
    expect_segments(&directory).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, (0..2_300).collect::<Vec<_>>());
    program.stop();
}

async fn expect_segments(directory: &Directory) {
    eventually(
        "there is a segment file",
        async || {
            if files(directory, "segments").is_empty() { Err(()) } else { Ok(()) }
        },
    )
    .await;
}
/// A checkpoint of the second run may need what the first one wrote.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_two_runs_wrote_is_read_whole() {
    let directory = Directory::new("two-runs");
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 0..10).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 10..20).await;
    let ch = channel(&program).await;
    // More than is kept in memory, and nothing that the log has to tell: it stays as long as it is.
    for number in 0..8_000 {
        ch.publish(publish("", "q", body(number))).await;
    }
    expect_segments(&directory).await;
    publish_all(&channel(&program).await, 20..30).await;
    program.kill();
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, (0..30).collect::<Vec<_>>());
    program.stop();
}

#[test]
fn a_second_process_is_refused_in_one_sentence() {
    let directory = Directory::new("second");
    let _first = Program::start_in(&directory, &[]);
    check_one_sentence(
        directory.path(),
        &format!(
            "the data directory {} is in use by another process; stop that one, or choose another with --data-dir",
            directory.text()
        ),
    );
}

/// The tests may run as root, who may write everywhere but here.
#[test]
fn a_directory_that_cannot_be_used_is_refused_in_one_sentence() {
    let directory = Directory::new("file");
    fs::write(directory.path(), "a file").unwrap();
    let below = directory.path().join("below");
    for (path, why) in [
        (directory.path(), "File exists (os error 17)"),
        (&below, "Not a directory (os error 20)"),
        (Path::new("/proc/leveret"), "No such file or directory (os error 2)"),
    ] {
        let advice = "make it writable, or choose another with --data-dir";
        check_one_sentence(path, &format!("cannot use the data directory {}: {why}; {advice}", path.display()));
    }
    fs::remove_file(directory.path()).unwrap();
}

/// It does not start, and says so as RabbitMQ does, then this, and nothing else but what it did.
fn check_one_sentence(directory: &Path, sentence: &str) {
    let arguments = ["--amqp-listen", "127.0.0.1:0", "--data-dir", directory.to_str().unwrap()];
    let output = run(&arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{stderr}");
    let said: Vec<_> = stderr.lines().filter(|line| !line.contains(" INFO ")).collect();
    assert_eq!(said, ["BOOT FAILED".to_owned(), format!("leveret: {sentence}")]);
}

/// A directory with ten messages, left by a killed broker or by one that stopped.
pub async fn directory_with_ten(name: &str, is_killed: bool) -> Directory {
    let directory = Directory::new(name);
    let mut program = Program::start_in(&directory, &[]);
    let ch = channel(&program).await;
    for number in 0..10 {
        ch.confirm_select().await;
        ch.publish_confirmed(publish("", "q", body(number)).with(properties().delivery_mode(2))).await;
    }
    if is_killed {
        program.kill()
    } else {
        program.stop()
    };
    directory
}

/// Flips a bit behind the first place where a file has these bytes.
pub fn flip_behind(file: &Path, needle: &[u8]) {
    let bytes = fs::read(file).unwrap();
    let at = bytes.windows(needle.len()).position(|window| window == needle).expect("the bytes are there");
    flip(file, at + needle.len());
}

pub fn flip(file: &Path, offset: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[offset] ^= 0x40;
    fs::write(file, bytes).unwrap();
}

/// Starts to salvage; the numbers of the messages that are there, and the log.
async fn salvage(directory: &Directory) -> (Vec<u64>, String) {
    let mut program = Program::start_in(directory, &["--salvage"]);
    let numbers = take_all(&channel(&program).await).await;
    let log = program.stop();
    // What was skipped is not there any more: the next start finds nothing wrong.
    let mut program = Program::start_in(directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0; 0]);
    program.stop();
    (numbers, log)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_the_log_is_refused_and_can_be_salvaged() {
    let directory = directory_with_ten("flipped-log", true).await;
    let file = directory.path().join("wal/0000000000.log");
    flip_behind(&file, b"00000004");
    let place = format!("{} is damaged at offset ", file.display());
    check_refused(&["--amqp-listen", "127.0.0.1:0", "--data-dir", directory.text()], &place);
    let (numbers, log) = salvage(&directory).await;
    assert_eq!(numbers, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    assert!(log.contains("bytes of the log cannot be read, although they were durable"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_one_checkpoint_does_no_harm() {
    for (number, offset) in [(0, 4), (1, 4), (0, 30), (1, 30)] {
        let directory = directory_with_ten(&format!("flipped-checkpoint-{number}-{offset}"), false).await;
        let file = directory.path().join(["checkpoint", "checkpoint.copy"][number]);
        flip(&file, offset);
        let damaged = fs::read(&file).unwrap();
        let mut program = Program::start_in(&directory, &[]);
        assert_eq!(take_all(&channel(&program).await).await, (0..10).collect::<Vec<_>>());
        let log = program.stop();
        let sentence = format!("{} is damaged at offset 0: ", file.display());
        assert!(log.contains(&sentence) && log.contains("the other checkpoint is used"), "{log}");
        let kept = files(&directory, "lost+found");
        assert!(kept.len() == 1 && fs::read(&kept[0]).unwrap() == damaged, "{kept:?}");
        let log = Program::start_in(&directory, &[]).stop();
        assert!(!log.contains("damaged"), "{log}");
    }
}

/// Nothing tells any more what the queue was; everything else is there, from the log or from the segment file alone.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_checkpoint_messages_are_found_by_their_records() {
    for (has_log, expected) in [(true, 0..20), (false, 0..10)] {
        let directory = directory_with_segments(&format!("no-checkpoint-{has_log}")).await;
        for file in ["checkpoint", "checkpoint.copy"] {
            flip(&directory.path().join(file), 4);
        }
        if !has_log {
            fs::remove_dir_all(directory.path().join("wal")).unwrap();
        }
        let log = Program::start_in(&directory, &["--salvage"]).kill();
        assert!(log.contains("files kept in lost+found"), "{log}");
        let kept = files(&directory, "lost+found");
        let is_checkpoint = |path: &&PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("checkpoint");
        assert_eq!(kept.iter().filter(is_checkpoint).count(), 2, "{kept:?}");
        // The next start finds nothing wrong.
        let mut program = Program::start_in(&directory, &[]);
        // Where the log still has it, the queue is what it was.
        let ch = channel(&program).await;
        let checkpoint = fs::read(directory.path().join("checkpoint")).unwrap();
        let mut numbers = take_all(&ch).await;
        assert_eq!(numbers.is_empty(), !has_log, "{log}");
        let prefix = b"lost+found.";
        for at in (0..checkpoint.len()).filter(|at| checkpoint[*at..].starts_with(prefix)) {
            let digits = checkpoint[at + prefix.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            let id: String = digits.map(|digit| char::from(*digit)).collect();
            let name = format!("lost+found.{id}");
            while let Some(delivery) = ch.get_no_ack(&name).await {
                numbers.push(delivery.text()[..8].parse().unwrap());
            }
        }
        assert_eq!(numbers, expected.collect::<Vec<_>>(), "{log}");
        program.stop();
    }
}

/// A copy that was made while the broker went on, file by file, as `cp -r` makes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_directory_starts_whole() {
    let directory = directory_with_segments("copied").await;
    let mut program = Program::start_in(&directory, &[]);
    let ch = channel(&program).await;
    ch.confirm_select().await;
    for number in 20..60 {
        ch.publish(publish("", "q", body(number)).with(properties().delivery_mode(2))).await;
    }
    ch.expect_acks_up_to(40).await;
    let copied = Directory::new("copy");
    let copy = std::thread::spawn({
        let (from, to) = (directory.path().to_owned(), copied.path().to_owned());
        move || assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success())
    });
    for number in 60..200 {
        ch.publish(publish("", "q", body(number)).with(properties().delivery_mode(2))).await;
    }
    ch.expect_acks_up_to(180).await;
    copy.join().unwrap();
    let mut from_copy = Program::start_in(&copied, &[]);
    let numbers = take_all(&channel(&from_copy).await).await;
    assert!(numbers.len() >= 60 && numbers == (0..numbers.len() as u64).collect::<Vec<_>>(), "{numbers:?}");
    from_copy.stop();
    program.stop();
}

/// Ten messages in the log, ten more in a segment file.
pub async fn directory_with_segments(name: &str) -> Directory {
    let directory = directory_with_ten(name, false).await;
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 10..20).await;
    program.kill();
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_emptied_file_is_refused_and_nothing_is_changed() {
    let directory = directory_with_segments("missing").await;
    for file in ["wal/0000000000.log", "segments/00000001.seg"] {
        let path = directory.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        check_refused_unchanged(&directory, &format!("{} is missing, although it ", path.display()));
        fs::write(&path, []).unwrap();
        check_refused_unchanged(
            &directory,
            &format!("{} is damaged at offset 0: its head cannot be read", path.display()),
        );
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        if file.starts_with("segments") {
            check_refused_unchanged(&directory, "bytes are missing at its end");
        }
        fs::write(&path, whole).unwrap();
    }
    let checkpoints = ["checkpoint", "checkpoint.copy"].map(|file| directory.path().join(file));
    let whole = checkpoints.each_ref().map(|path| fs::read(path).unwrap());
    checkpoints.iter().for_each(|path| fs::remove_file(path).unwrap());
    check_refused_unchanged(
        &directory,
        &format!("{} is missing, although there are other files", checkpoints[0].display()),
    );
    for (path, whole) in checkpoints.iter().zip(whole) {
        fs::write(path, whole).unwrap();
    }
    let wal = directory.path().join("wal");
    fs::rename(&wal, directory.path().join("elsewhere")).unwrap();
    check_refused_unchanged(&directory, &format!("{}/0000000000.log is missing, although it belongs", wal.display()));
    fs::remove_dir(&wal).unwrap();
    fs::rename(directory.path().join("elsewhere"), &wal).unwrap();
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, (0..20).collect::<Vec<_>>());
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_an_earlier_time_are_refused_or_lose_nothing() {
    let directory = directory_with_segments("earlier").await;
    let names = ["checkpoint", "checkpoint.copy"].map(|file| directory.path().join(file));
    let earlier = names.each_ref().map(|path| fs::read(path).unwrap());
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await.len(), 20);
    publish_all(&channel(&program).await, 20..30).await;
    program.stop();
    for (path, bytes) in names.iter().zip(earlier) {
        fs::write(path, bytes).unwrap();
    }
    // What the first ten were in is gone.
    let first = directory.path().join("segments/00000001.seg");
    check_refused_unchanged(&directory, &format!("{} is missing, although it holds messages", first.display()));
}

/// The last group that was confirmed is damaged, and nothing of weight follows.
#[tokio::test(flavor = "multi_thread")]
async fn damage_in_what_was_confirmed_last_is_refused() {
    let directory = Directory::new("last-group");
    let mut program = Program::start_in(&directory, &[]);
    publish_all(&channel(&program).await, 0..3).await;
    let file = directory.path().join("wal/0000000000.log");
    // A group without payload behind all others: it says how far the log is durable.
    eventually("the log says what is durable", async || {
        let bytes = fs::read(&file).unwrap();
        let at = bytes.windows(4).rposition(|window| window == b"LVG2").unwrap();
        if bytes[at + 8..at + 12] == [0; 4] { Ok(()) } else { Err(()) }
    })
    .await;
    program.kill();
    flip_behind(&file, b"00000002");
    check_refused_unchanged(&directory, "bytes of the log cannot be read, although they were durable");
    let (numbers, log) = salvage(&directory).await;
    assert_eq!(numbers, [0, 1]);
    assert!(log.contains("bytes of the log cannot be read, although they were durable"), "{log}");
}

fn check_refused_unchanged(directory: &Directory, sentence: &str) {
    let before = contents(directory.path());
    check_refused(&["--amqp-listen", "127.0.0.1:0", "--data-dir", directory.text()], sentence);
    assert!(before == contents(directory.path()), "a refused start changed something: {sentence}");
}

/// The files of a directory. The socket for commands, which a killed broker leaves, is none.
fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.append(&mut contents(&path));
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, bytes);
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_segment_file_costs_one_message() {
    let directory = directory_with_ten("flipped-segment", false).await;
    let file = directory.path().join("segments/00000001.seg");
    flip_behind(&file, b"00000004");
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    // The broker still takes messages and gives them out, and what was lost is not found again by the next start.
    publish_all(&channel(&program).await, 10..12).await;
    let log = program.stop();
    let sentence = "a message of queue 'q' in vhost '/' is lost: segments/00000001.seg is damaged at offset ";
    assert_eq!(log.matches(sentence).count(), 1, "{log}");
    assert!(log.contains("bytes are set aside in lost+found"), "{log}");
    assert_eq!(files(&directory, "lost+found").len(), 1);
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await, [10, 11]);
    let log = program.stop();
    assert!(!log.contains("damaged"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_version_are_refused() {
    let directory = directory_with_ten("version", false).await;
    for (file, header_bytes) in [("checkpoint", 24), ("checkpoint.copy", 24), ("segments/00000001.seg", 32)] {
        let path = directory.path().join(file);
        let whole = fs::read(&path).unwrap();
        let mut newer = whole.clone();
        newer[4..8].copy_from_slice(&7_u32.to_le_bytes());
        // A flipped bit there is damage: only a whole header tells of another version.
        let crc = crc32fast::hash(&newer[..header_bytes - 4]);
        newer[header_bytes - 4..header_bytes].copy_from_slice(&crc.to_le_bytes());
        fs::write(&path, newer).unwrap();
        let sentence = format!(
            "leveret: {} has the format version 7, and this leveret knows only 2; use the leveret that wrote it",
            path.display()
        );
        for salvage in [&["--salvage"][..], &[]] {
            let arguments = ["--amqp-listen", "127.0.0.1:0", "--data-dir", directory.text()];
            check_refused(&[&arguments, salvage].concat(), &sentence);
        }
        fs::write(&path, whole).unwrap();
    }
    let mut program = Program::start_in(&directory, &[]);
    assert_eq!(take_all(&channel(&program).await).await.len(), 10);
    program.stop();
}

#[test]
fn a_directory_of_the_first_version_is_refused_in_one_sentence() {
    let directory = Directory::new("version-1");
    fs::create_dir(directory.path()).unwrap();
    let payload = [0, 0, 1, 1, 0, 0, 0, 0];
    let mut checkpoint = b"LVCP\x01\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
    checkpoint.extend(crc32fast::hash(&payload).to_le_bytes());
    checkpoint.extend([0; 4]);
    checkpoint.extend(payload);
    let file = directory.path().join("checkpoint");
    fs::write(&file, checkpoint).unwrap();
    let known = "and this leveret knows only 2; use the leveret that wrote it";
    check_one_sentence(directory.path(), &format!("{} has the format version 1, {known}", file.display()));
}
