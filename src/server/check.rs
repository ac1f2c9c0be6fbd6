//! `leveret store check`: says what is wrong with a data directory, and what a start would do with it. Changes nothing.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::broker::definitions::{Definition, Definitions, QueueDefinition, VhostDefinition};
use crate::broker::exchange::Destination;
use crate::broker::ids::QueueId;
use crate::config::{CheckFormat, CheckTask};
use crate::host;
use crate::store::check::{Inspection, Read, inspect};
use crate::store::disk::{DirectoryError, Disk, ReadOnlyDisk};
use crate::store::recovery::finding::{Effect, Finding};
use crate::store::{Sizes, StoreError};

/// What the check comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// Nothing is wrong.
    Whole,
    /// Something cannot be read, or does not fit the rest.
    Damaged,
}

/// Why a directory cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The platform does not tell where data belongs.
    #[error("no home directory is known to look for data in; give a directory with --data-dir")]
    NoDataDirectory,
    /// The directory cannot be read, or a broker uses it.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is nothing to check.
    #[error("there is nothing to check in {}: no broker has kept anything there", .0.display())]
    Unused(PathBuf),
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was found cannot be written.
    #[error("cannot write what was found: {0}")]
    Output(#[from] io::Error),
}

/// Checks a directory and writes what was found.
///
/// # Errors
/// When it cannot be checked.
pub fn check(check: &CheckTask, out: &mut impl Write) -> Result<CheckVerdict, CheckError> {
    let directory = check.data_dir.clone().or_else(host::data_directory).ok_or(CheckError::NoDataDirectory)?;
    let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk::open(&directory)?);
    let inspection = inspect(&disk, Sizes::default())?;
    if inspection.report().is_new {
        return Err(CheckError::Unused(directory));
    }
    let result = Checked::of(&directory, &inspection)?;
    match check.format {
        CheckFormat::Text => result.write_text(out)?,
        CheckFormat::Json => writeln!(out, "{}", result.as_json())?,
    }
    out.flush()?;
    Ok(result.verdict())
}

/// Everything that there is to say.
struct Checked<'a> {
    directory: &'a Path,
    inspection: &'a Inspection,
    findings: Vec<Finding>,
    names: BTreeMap<u64, QueueName>,
    queues: u64,
    read: Read,
}

/// What people call a queue.
struct QueueName {
    vhost: String,
    /// `None` for the messages that delayed exchanges hold back.
    name: Option<String>,
}

impl<'a> Checked<'a> {
    fn of(directory: &'a Path, inspection: &'a Inspection) -> Result<Self, StoreError> {
        let mut findings = inspection.findings();
        let mut definitions = definitions(inspection.definitions(), &mut findings);
        // Of all queues, as they were declared.
        let names = names(&definitions);
        findings.extend(definitions.take_replaced().queues.iter().map(|queue| Finding::earlier_queue(queue.id.0)));
        let has_heard_of = |id: u64| definitions.has_heard_of(Destination::Queue(QueueId(id)));
        let (mut queues, mut all) = (0, Read::default());
        let mut sorted: Vec<_> = inspection.queues().collect();
        // So that two checks of the same directory say the same.
        sorted.sort_unstable_by_key(|(id, _)| *id);
        for (id, queue) in sorted {
            let is_gone = !names.contains_key(&id) && (has_heard_of(id) || !queue.is_salvaged);
            let read = inspection.read(queue, is_gone, &mut findings)?;
            if is_gone {
                all.acknowledged += read.acknowledged + read.in_segments;
            } else {
                queues += u64::from(read.messages > 0);
                all.messages += read.messages;
                all.in_segments += read.in_segments;
                all.acknowledged += read.acknowledged;
            }
        }
        Ok(Self { directory, inspection, findings, names, queues, read: all })
    }

    fn verdict(&self) -> CheckVerdict {
        let is_whole = self.findings.is_empty() && self.inspection.refused.is_none();
        if is_whole { CheckVerdict::Whole } else { CheckVerdict::Damaged }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for finding in &self.findings {
            self.write_finding(finding, out)?;
        }
        let (report, read) = (self.inspection.report(), self.read);
        let usage = self.inspection.usage();
        writeln!(out, "read {} bytes of the log, {} segment files", report.log_bytes, usage.files)?;
        writeln!(
            out,
            "found {} messages in {} queues, {} of them in segment files; {} more there were acknowledged",
            read.messages, self.queues, read.in_segments, read.acknowledged
        )?;
        if report.cut_off_bytes > 0 {
            writeln!(out, "the last write was cut off: {} bytes that nobody was told of", report.cut_off_bytes)?;
        }
        self.write_verdict(out)
    }

    fn write_finding(&self, finding: &Finding, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{finding}")?;
        for id in &finding.queues {
            match self.names.get(id) {
                Some(QueueName { vhost, name: Some(name) }) => {
                    write!(out, "; queue {name:?} in virtual host {vhost:?}")?;
                }
                Some(QueueName { vhost, name: None }) => {
                    write!(out, "; delayed messages in virtual host {vhost:?}")?;
                }
                None => write!(out, "; queue number {id}, of which no name is known")?,
            }
        }
        writeln!(out)
    }

    /// What a start would do.
    fn write_verdict(&self, out: &mut impl Write) -> io::Result<()> {
        let (path, report) = (self.directory.display(), self.inspection.report());
        match &self.inspection.refused {
            None if self.findings.is_empty() => writeln!(out, "{path} is whole: a start changes nothing of it"),
            None => writeln!(out, "{path} is damaged: a start goes on with what is said above, --salvage or not"),
            Some(error) => {
                writeln!(out, "a start is refused: {error}")?;
                writeln!(
                    out,
                    "a start with --salvage leaves out {} places, finds {} messages again and keeps {} files in lost+found",
                    report.skipped.len(),
                    report.salvaged.messages,
                    report.moved.len()
                )
            }
        }
    }

    fn as_json(&self) -> Value {
        let (report, read) = (self.inspection.report(), self.read);
        json!({
            "directory": self.directory.display().to_string(),
            "whole": self.verdict() == CheckVerdict::Whole,
            "findings": self.findings.iter().map(|finding| self.finding_as_json(finding)).collect::<Vec<_>>(),
            "log_bytes": report.log_bytes,
            "cut_off_bytes": report.cut_off_bytes,
            "segment_files": self.inspection.usage().files,
            "messages": read.messages,
            "messages_in_segments": read.in_segments,
            "acknowledged": read.acknowledged,
            "queues": self.queues,
            "start": { "refused": self.inspection.refused.as_ref().map(ToString::to_string) },
            "start_with_salvage": {
                "left_out": report.skipped.len(),
                "messages_found_again": report.salvaged.messages,
                "files_in_lost_and_found": report.moved.len(),
            },
        })
    }

    fn finding_as_json(&self, finding: &Finding) -> Value {
        let queue = |id: &u64| {
            let name = self.names.get(id);
            json!({ "id": id, "vhost": name.map(|it| &it.vhost), "name": name.and_then(|it| it.name.as_ref()) })
        };
        let place = match finding.effect {
            Effect::MessageLost { from } => Some(from),
            Effect::OtherCheckpoint
            | Effect::AcknowledgedReturn
            | Effect::LeftOut
            | Effect::RecordByRecord
            | Effect::FileLost
            | Effect::NothingLost
            | Effect::KeptApart => None,
        };
        json!({
            "file": finding.file,
            "fault": finding.fault.name(),
            "offset": finding.offset,
            "what": finding.what,
            "effect": finding.effect.name(),
            "place": place,
            "queues": finding.queues.iter().map(queue).collect::<Vec<_>>(),
        })
    }
}

/// What is defined. A definition that makes no sense is one more finding: it refuses any start.
fn definitions(encoded: &[Vec<u8>], findings: &mut Vec<Finding>) -> Definitions {
    let mut all = Definitions::default();
    for (number, bytes) in encoded.iter().enumerate() {
        match Definition::decode(bytes) {
            Some(definition) => all.apply(definition),
            None => {
                let what = "a definition makes no sense: any start is refused".to_owned();
                findings.push(Finding::damaged("the log".to_owned(), number as u64, what, Effect::LeftOut));
            }
        }
    }
    all
}

/// The queues that there are.
fn names(definitions: &Definitions) -> BTreeMap<u64, QueueName> {
    let delayed = |vhost: &VhostDefinition| (vhost.delayed.0, QueueName { vhost: vhost.name.clone(), name: None });
    let queue = |queue: &QueueDefinition| {
        (queue.id.0, QueueName { vhost: queue.vhost.clone(), name: Some(queue.name.clone()) })
    };
    definitions.metadata.vhosts.values().map(delayed).chain(definitions.queues.values().map(queue)).collect()
}
