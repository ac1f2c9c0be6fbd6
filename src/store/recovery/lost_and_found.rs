//! Where files go that cannot be used: nothing is deleted at a start.

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
    let failed = |call, path: &str| StoreError::io(call, disk.describe(path));
    disk.create_directory(DIRECTORY).map_err(failed(Call::MakeDirectory, DIRECTORY))?;
    let taken = disk.list(DIRECTORY).map_err(failed(Call::List, DIRECTORY))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let numbered = (1u64..).map(|number| format!("{name}.{number}"));
    let free = numbered.into_iter().find(|name| !taken.contains(name)).unwrap_or_else(|| name.to_owned());
    let target = format!("{DIRECTORY}/{free}");
    disk.rename(path, &target).map_err(failed(Call::Rename, path))?;
    for directory in ["", DIRECTORY, path.rsplit_once('/').map_or("", |(directory, _)| directory)] {
        disk.sync_directory(directory).map_err(failed(Call::SyncDirectory, directory))?;
    }
    report.moved.push(disk.describe(&target));
    Ok(())
}
