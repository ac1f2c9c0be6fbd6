//! Which checkpoint to start from. There are two files; one that cannot be read is made good from the other, and each one is as good
//! as the other: what the older one needs is kept until both are new. What one of them says is believed only as far as the files
//! are there that it tells of, so that one from another time does no harm.

use std::sync::Arc;

use super::finding::{Effect, Finding};
use super::{Opening, Report, lost_and_found};
use crate::store::StoreError;
use crate::store::checkpoint::{Checkpoint, PATHS, put_in_place};
use crate::store::disk::Disk;

#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The newer one of those that can be read.
    pub(super) checkpoint: Option<Checkpoint>,
    bytes: Vec<u8>,
    /// The files that do not say the same.
    outdated: Vec<&'static str>,
    /// The files that cannot be read.
    damaged: Vec<&'static str>,
}

/// Reads both files.
///
/// # Errors
/// When one is of another version, or when none can be read and nothing is to be salvaged.
pub(super) fn choose(disk: &Arc<dyn Disk>, opening: Opening, report: &mut Report) -> Result<Choice, StoreError> {
    let mut choice = Choice::default();
    let mut faults = Vec::new();
    let mut found: Vec<(&'static str, Vec<u8>)> = Vec::new();
    for path in PATHS {
        match Checkpoint::read(disk.as_ref(), path) {
            Ok(Some((checkpoint, bytes))) => {
                // By their numbers and not by their names: the write of one may have been interrupted.
                if choice.checkpoint.as_ref().is_none_or(|other| other.number < checkpoint.number) {
                    (choice.checkpoint, choice.bytes) = (Some(checkpoint), bytes.clone());
                }
                found.push((path, bytes));
            }
            Ok(None) => {
                choice.outdated.push(path);
                faults.push(missing(disk, path));
            }
            Err(error) if error.is_damage() => {
                choice.damaged.push(path);
                faults.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    choice.outdated.extend(found.iter().filter(|(_, bytes)| *bytes != choice.bytes).map(|(path, _)| *path));
    if choice.checkpoint.is_some() {
        report.mended.extend(faults.iter().map(|fault| Finding::new(fault, Effect::OtherCheckpoint)));
        return Ok(choice);
    }
    if opening.salvage {
        report.skipped.extend(faults.iter().map(|fault| Finding::new(fault, Effect::LeftOut)));
        return Ok(choice);
    }
    // A damaged file says more than a missing one. With none at all the directory may be new.
    let damaged = faults.into_iter().find(|fault| matches!(fault, StoreError::Corrupt { .. }));
    damaged.map_or(Ok(choice), Err)
}

/// That no checkpoint is there, although there are files that had one.
pub(super) fn missing(disk: &Arc<dyn Disk>, path: &str) -> StoreError {
    StoreError::Missing { file: disk.describe(path), why: "although there are other files".to_owned() }
}

impl Choice {
    /// Makes both files say the same, once it is certain that the start succeeds with this one: before anything is forgotten that the
    /// older one needs. What cannot be read is kept aside.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn make_good(&self, disk: &Arc<dyn Disk>, report: &mut Report) -> Result<(), StoreError> {
        for path in &self.damaged {
            // It stays where it is until a whole one is written over it: without any, the next start would take the directory for a new one.
            lost_and_found::copy(disk, path, report)?;
        }
        let paths: Vec<_> = self.outdated.iter().chain(&self.damaged).copied().collect();
        // Both say the same, or a salvage had none to copy.
        if paths.is_empty() || self.bytes.is_empty() {
            Ok(())
        } else {
            put_in_place(disk.as_ref(), &paths, &[&self.bytes])
        }
    }
}
