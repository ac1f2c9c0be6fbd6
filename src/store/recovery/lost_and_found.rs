//! Where files go that cannot be used: nothing is deleted at a start.

use std::io::IoSlice;
use std::sync::Arc;

use super::Report;
use crate::store::StoreError;
use crate::store::disk::Disk;
use crate::store::failure::Call;

const DIRECTORY: &str = "lost+found";

/// Moves a file there, under a name that none there has.
///
/// # Errors
/// The file system's.
pub(super) fn put(disk: &Arc<dyn Disk>, path: &str, report: &mut Report) -> Result<(), StoreError> {
    let target = target(disk, path)?;
    // Moved and never deleted: whoever salvages decides later what is worth keeping.
    disk.rename(path, &target).map_err(StoreError::io(Call::Rename, disk.describe(path)))?;
    sync(disk, path)?;
    report.moved.push(disk.describe(&target));
    Ok(())
}

/// Copies a file there that is needed where it is.
///
/// # Errors
/// The file system's.
pub(super) fn copy(disk: &Arc<dyn Disk>, path: &str, report: &mut Report) -> Result<(), StoreError> {
    let target = target(disk, path)?;
    let failed = |call, path: &str| StoreError::io(call, disk.describe(path));
    let file = disk.open(path, false).map_err(failed(Call::Open, path))?;
    let size = file.size().map_err(failed(Call::Read, path))?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    let count = file.read_at(&mut bytes, 0).map_err(failed(Call::Read, path))?;
    bytes.truncate(count);
    let copy = disk.open(&target, true).map_err(failed(Call::Create, &target))?;
    copy.write_at(&mut [IoSlice::new(&bytes)], 0).map_err(failed(Call::Write, &target))?;
    copy.sync().map_err(failed(Call::SyncNew, &target))?;
    sync(disk, path)?;
    report.moved.push(disk.describe(&target));
    Ok(())
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
