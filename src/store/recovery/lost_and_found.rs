//! Where files go that cannot be used: nothing is deleted at a start.

use std::io::IoSlice;
use std::sync::Arc;

use super::Report;
use super::salvage::whole;
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::failure::Call;

const DIRECTORY: &str = "lost+found";
/// A copy that is being made: only a whole one has the name of what it is a copy of.
const UNFINISHED: &str = "lost+found/unfinished";

/// Moves a file there, under a name that none there has.
///
/// # Errors
/// The file system's.
pub(super) fn put(disk: &Arc<dyn Disk>, path: &str, report: &mut Report) -> Result<(), StoreError> {
    let target = target(disk, path)?;
    // Moved and never deleted: whoever salvages decides later what is worth keeping.
    disk.rename(path, &target).map_err(StoreError::io(Call::Rename, disk.describe(path)))?;
    kept_as(disk, path, &target, report)
}

/// Gives a file that is not used another name there. Where it is it stays until a checkpoint does without it: a start that is interrupted
/// before that changes nothing for the next one.
///
/// # Errors
/// The file system's.
pub(super) fn link(disk: &Arc<dyn Disk>, path: &str, report: &mut Report) -> Result<(), StoreError> {
    let bytes = whole(disk, path)?;
    if let Some(kept) = find(disk, path, &bytes)? {
        report.moved.push(disk.describe(&kept));
        return Ok(());
    }
    let target = target(disk, path)?;
    match disk.link(path, &target) {
        Ok(()) => kept_as(disk, path, &target, report),
        // Not every file system has second names.
        Err(_) => copy(disk, path, report),
    }
}

/// Copies a file there that is needed where it is, or will be written over.
///
/// # Errors
/// The file system's.
pub(super) fn copy(disk: &Arc<dyn Disk>, path: &str, report: &mut Report) -> Result<(), StoreError> {
    let bytes = whole(disk, path)?;
    if let Some(kept) = find(disk, path, &bytes)? {
        report.moved.push(disk.describe(&kept));
        return Ok(());
    }
    let target = target(disk, path)?;
    let failed = |call| StoreError::io(call, disk.describe(UNFINISHED));
    remove_unfinished(disk)?;
    let copy = disk.open(UNFINISHED, true).map_err(failed(Call::Create))?;
    copy.write_at(&mut [IoSlice::new(&bytes)], 0).map_err(failed(Call::Write))?;
    copy.sync().map_err(failed(Call::SyncNew))?;
    disk.rename(UNFINISHED, &target).map_err(failed(Call::Rename))?;
    kept_as(disk, path, &target, report)
}

/// Removes what an interrupted start has left of a copy.
///
/// # Errors
/// The file system's.
pub(super) fn remove_unfinished(disk: &Arc<dyn Disk>) -> Result<(), StoreError> {
    disk.remove(UNFINISHED).map_err(StoreError::io(Call::Remove, disk.describe(UNFINISHED)))
}

fn kept_as(disk: &Arc<dyn Disk>, path: &str, target: &str, report: &mut Report) -> Result<(), StoreError> {
    sync(disk, path)?;
    report.moved.push(disk.describe(target));
    Ok(())
}

/// Where an interrupted start has kept the same already.
fn find(disk: &Arc<dyn Disk>, path: &str, bytes: &[u8]) -> Result<Option<String>, StoreError> {
    let failed = StoreError::io(Call::List, disk.describe(DIRECTORY));
    let name = path.rsplit('/').next().unwrap_or(path);
    for other in disk.list(DIRECTORY).map_err(failed)? {
        let is_of_it = other.rsplit_once('.').is_some_and(|(of, number)| of == name && number.parse::<u64>().is_ok());
        let other = format!("{DIRECTORY}/{other}");
        if is_of_it && whole(disk, &other)? == bytes {
            return Ok(Some(other));
        }
    }
    Ok(None)
}

fn target(disk: &Arc<dyn Disk>, path: &str) -> Result<String, StoreError> {
    let failed = |call, path: &str| StoreError::io(call, disk.describe(path));
    disk.create_directory(DIRECTORY).map_err(failed(Call::MakeDirectory, DIRECTORY))?;
    let taken = disk.list(DIRECTORY).map_err(failed(Call::List, DIRECTORY))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let numbered = (1u64..).map(|number| format!("{name}.{number}"));
    let free = numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned());
    Ok(format!("{DIRECTORY}/{free}"))
}

fn sync(disk: &Arc<dyn Disk>, path: &str) -> Result<(), StoreError> {
    for directory in ["", DIRECTORY, path.rsplit_once('/').map_or("", |(directory, _)| directory)] {
        disk.sync_directory(directory).map_err(StoreError::io(Call::SyncDirectory, disk.describe(directory)))?;
    }
    Ok(())
}
