//! The end of the log, read from its file: that lies on the machine of the broker.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table};
use super::status::{facts, texts};
use super::verb::{DIAGNOSTICS, Switch, Verb};
use crate::commands::exit;
use crate::commands::target::Target;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("log_tail", DIAGNOSTICS, "Displays the last lines of the log", tail)
        .takes(0, 0, "[--number|-N <number>] [--timeout <timeout>]")
        .switches(&[Switch { name: "number", letter: Some('N'), takes_value: true }])
        .checks(|it| number(it, "number").map(drop))
        .says(|it| {
            let (node, number) = (it.node(), it.option("number").unwrap_or("50"));
            Some(format!("Last {number} log lines on node {node} ..."))
        }),
    Verb::new("log_tail_stream", DIAGNOSTICS, "Displays the lines of the log as they are written", stream)
        .takes(0, 0, "[--duration|-d <seconds>] [--timeout <timeout>]")
        .switches(&[Switch { name: "duration", letter: Some('d'), takes_value: true }])
        .checks(|it| number(it, "duration").map(drop))
        .says(|it| {
            let span = it.option("duration").map(|seconds| format!(" for {seconds} seconds")).unwrap_or_default();
            Some(format!("Streaming logs from node {}{span} ...", it.node()))
        }),
];

/// So many lines, unless told otherwise.
const LINES_DEFAULT: usize = 50;
/// The file is read backwards in pieces of so many bytes.
const PIECE_BYTES: u64 = 64 * 1024;
/// The file is looked at so often while it is followed.
const POLL: Duration = Duration::from_millis(100);
const POLLS_A_SECOND: usize = 10;

fn number(it: &Invocation, option: &str) -> Result<Option<usize>, Failure> {
    let Some(text) = it.option(option) else { return Ok(None) };
    let wrong = |_none| Failure::usage(format!("Invalid options for this command:\n--{option} : {text}"));
    text.parse().map(Some).map_err(wrong)
}

fn file(it: &Invocation) -> Result<PathBuf, Failure> {
    if !matches!(it.client()?.target(), Target::Socket(_)) {
        let text = "the log can be read on the broker's own machine only, over its local socket";
        return Err(Failure::said(exit::UNAVAILABLE, text));
    }
    let (_, node) = facts(it)?;
    let places = texts(node.get("log_files"));
    let found = places.iter().map(PathBuf::from).find(|path| path.is_file());
    found.ok_or_else(|| {
        let places = places.join(", ");
        Failure::said(exit::UNAVAILABLE, format!("the log goes to no file that could be read here: {places}"))
    })
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::said(exit::UNAVAILABLE, format!("the file of the log cannot be read: {error}"))
}

fn tail(it: &Invocation) -> Result<Output, Failure> {
    let count = number(it, "number")?.unwrap_or(LINES_DEFAULT);
    let lines =
        File::open(file(it)?).and_then(|mut file| last_lines(&mut file, count)).map_err(|it| unreadable(&it))?;
    let rows = lines.iter().map(|line| vec![Cell::text(line)]).collect();
    // Without a line RabbitMQ's tool writes an empty one.
    let lines = if lines.is_empty() { vec![String::new()] } else { lines };
    Ok(Table::new(&["message"], rows).with_lines(lines).into())
}

fn last_lines(file: &mut File, count: usize) -> io::Result<Vec<String>> {
    let mut start = file.seek(SeekFrom::End(0))?;
    let (mut pieces, mut ends) = (Vec::new(), 0);
    // The end of the line before the first one is seen as well.
    while start > 0 && ends <= count {
        let length = start.min(PIECE_BYTES);
        start -= length;
        file.seek(SeekFrom::Start(start))?;
        let mut piece = Vec::new();
        Read::by_ref(file).take(length).read_to_end(&mut piece)?;
        ends += piece.iter().filter(|byte| **byte == b'\n').count();
        pieces.push(piece);
    }
    pieces.reverse();
    let bytes = pieces.concat();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines.iter().skip(lines.len().saturating_sub(count)).map(|&line| line.to_owned()).collect())
}

/// A file of the log, and how far it was read.
struct Followed {
    path: PathBuf,
    file: File,
    read_bytes: u64,
}

impl Followed {
    fn from_its_end(path: PathBuf) -> io::Result<Self> {
        let mut file = File::open(&path)?;
        let read_bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self { path, file, read_bytes })
    }

    /// What was written since.
    fn news(&mut self) -> io::Result<Vec<u8>> {
        let mut news = Vec::new();
        self.read_bytes += self.file.read_to_end(&mut news)? as u64;
        // A rotation has put a shorter one in its place. Until that is there, the old one is waited at.
        if fs::metadata(&self.path).is_ok_and(|now| now.len() < self.read_bytes) {
            self.file = File::open(&self.path)?;
            self.read_bytes = self.file.read_to_end(&mut news)? as u64;
        }
        Ok(news)
    }
}

fn stream(it: &Invocation) -> Result<Output, Failure> {
    let polls = number(it, "duration")?.map_or(usize::MAX, |seconds| seconds.saturating_mul(POLLS_A_SECOND));
    let mut followed = Followed::from_its_end(file(it)?).map_err(|error| unreadable(&error))?;
    for _ in 0..polls {
        thread::sleep(POLL);
        let news = followed.news().map_err(|error| unreadable(&error))?;
        let mut out = io::stdout().lock();
        // Whoever reads may have gone: that is the end, and no failure.
        if out.write_all(&news).and_then(|()| out.flush()).is_err() {
            break;
        }
    }
    Ok(Output::Nothing)
}
