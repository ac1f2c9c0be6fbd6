//! A disk that forgets: what is counted is the log, not the file system.

use std::io::{self, IoSlice};
use std::sync::Arc;

use leveret::internals::store::disk::{Disk, DiskFile};

#[derive(Debug)]
pub(crate) struct Forgetful;

impl Disk for Forgetful {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, _: &str, _: bool) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(Self))
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn remove(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }

    fn describe(&self, path: &str) -> String {
        path.to_owned()
    }
}

impl DiskFile for Forgetful {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }

    fn write_at(&self, _: &mut [IoSlice<'_>], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(0)
    }
}
