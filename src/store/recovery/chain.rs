//! The files of the log that belong together: from the one that the checkpoint names, each tells of the next one.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::Report;
use super::finding::{Effect, Finding};
use crate::store::checkpoint::Checkpoint;
use crate::store::disk::Disk;
use crate::store::failure::Call;
use crate::store::run::Run;
use crate::store::wal::{DIRECTORY, file_number, file_path, read_head};
use crate::store::{LogFile, StoreError};

/// The files of the log.
#[derive(Debug)]
pub(super) struct Chain {
    /// The numbers of all files that there are, ascending.
    pub(super) all: Vec<u64>,
    /// Those that belong together, ascending and without a gap unless salvaging.
    pub(super) linked: Vec<LogFile>,
}

impl Chain {
    /// Follows the links from where the checkpoint begins.
    ///
    /// # Errors
    /// When a file is missing, another one or damaged. If that is to be salvaged, all files from there on are taken as they are.
    pub(super) fn follow(
        disk: &Arc<dyn Disk>,
        checkpoint: &Checkpoint,
        file_bytes: u64,
        salvage: bool,
        report: &mut Report,
    ) -> Result<Self, StoreError> {
        let mut chain = Self { all: numbers(disk)?, linked: Vec::new() };
        let first = checkpoint.start / file_bytes;
        let named = |number| checkpoint.log_files.iter().find(|file| file.number == number).map(|file| file.run);
        let mut number = first;
        let mut expected = named(first);
        while let Some(run) = expected {
            match check(disk, LogFile { number, run }) {
                Ok(next) => {
                    chain.linked.push(LogFile { number, run });
                    number += 1;
                    // A link is synced with what is written next, so the last file may be known
                    // to the checkpoint alone.
                    expected = next.or_else(|| named(number));
                }
                Err(error) if salvage && error.is_damage() => {
                    report.skipped.push(Finding::new(&error, Effect::LeftOut));
                    // The links are broken: from here on each group has to tell by itself
                    // whether it belongs here.
                    chain.take_all(disk, first)?;
                    return Ok(chain);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(chain)
    }

    /// Takes all files from this number on, whatever they say.
    pub(super) fn take_all(&mut self, disk: &Arc<dyn Disk>, first: u64) -> Result<(), StoreError> {
        self.linked.clear();
        for &number in self.all.iter().filter(|number| **number >= first) {
            self.linked.push(LogFile { number, run: run_of(disk.as_ref(), number)? });
        }
        Ok(())
    }

    /// Takes those of these files, too, that no link leads to.
    pub(super) fn take_among(&mut self, disk: &dyn Disk, numbers: &RangeInclusive<u64>) -> Result<(), StoreError> {
        for &number in self.all.iter().filter(|number| numbers.contains(number)) {
            if self.linked.iter().all(|file| file.number != number) {
                self.linked.push(LogFile { number, run: run_of(disk, number)? });
            }
        }
        self.linked.sort_unstable_by_key(|file| file.number);
        Ok(())
    }

    /// Whether a file is there.
    pub(super) fn has(&self, number: u64) -> bool {
        self.all.binary_search(&number).is_ok()
    }

    /// Behind the last of the files that belong together; at least `start`.
    pub(super) fn end(&self, start: u64, file_bytes: u64) -> u64 {
        self.linked.last().map_or(start, |last| (last.number + 1).saturating_mul(file_bytes).max(start))
    }
}

/// The numbers of the files that there are, ascending.
fn numbers(disk: &Arc<dyn Disk>) -> Result<Vec<u64>, StoreError> {
    let names = disk.list(DIRECTORY).map_err(StoreError::io(Call::List, disk.describe(DIRECTORY)))?;
    // A position must fit 62 bits.
    let mut all: Vec<u64> = names.iter().filter_map(|name| file_number(name)).filter(|it| *it < 1 << 32).collect();
    all.sort_unstable();
    Ok(all)
}

/// The run that a file says it is of; [`Run::NONE`] if it does not say it.
fn run_of(disk: &dyn Disk, number: u64) -> Result<Run, StoreError> {
    let head = open(disk, number)?.and_then(|(head, _)| head.ok()).filter(|head| head.number == number);
    Ok(head.map_or(Run::NONE, |head| head.run))
}

type HeadAndLink = (Result<crate::store::head::Head, crate::store::head::HeadFault>, Option<Run>);

fn open(disk: &dyn Disk, number: u64) -> Result<Option<HeadAndLink>, StoreError> {
    let path = file_path(number);
    let failed = |call| StoreError::io(call, disk.describe(&path));
    match disk.open(&path, false) {
        Ok(file) => read_head(file.as_ref()).map(Some).map_err(failed(Call::Read)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(Call::Open)(error)),
    }
}

/// Whether this is the file; who made the next one.
fn check(disk: &Arc<dyn Disk>, wanted: LogFile) -> Result<Option<Run>, StoreError> {
    let file = disk.describe(&file_path(wanted.number));
    let Some((head, next)) = open(disk.as_ref(), wanted.number)? else {
        return Err(StoreError::Missing { file, why: "although it belongs to the log".to_owned() });
    };
    let head = match head {
        Ok(head) => head,
        Err(fault) => return Err(fault.of(file)),
    };
    // A file of the same name from a copy of this directory has another run.
    if head.number != wanted.number || head.run != wanted.run {
        return Err(StoreError::Foreign { file, why: "it is a file of the log of another time".to_owned() });
    }
    Ok(next)
}
