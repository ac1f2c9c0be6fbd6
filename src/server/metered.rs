//! Counts what the files of the store cost: a disk in front of the real one.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::clock::Stopwatch;
use crate::metrics::IoCounters;
use crate::store::disk::{Disk, DiskFile};

/// A disk whose accesses are counted.
#[derive(Debug)]
pub(super) struct Metered {
    disk: Arc<dyn Disk>,
    io: Arc<IoCounters>,
}

impl Metered {
    pub(super) fn new(disk: Arc<dyn Disk>, io: Arc<IoCounters>) -> Self {
        Self { disk, io }
    }
}

impl Disk for Metered {
    fn create_directory(&self, path: &str) -> io::Result<()> {
        self.disk.create_directory(path)
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(path, create)?;
        Ok(Arc::new(MeteredFile { file, io: Arc::clone(&self.io) }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        self.disk.list(directory)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.disk.remove(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, file: &str, name: &str) -> io::Result<()> {
        self.disk.link(file, name)
    }

    fn sync_directory(&self, path: &str) -> io::Result<()> {
        self.disk.sync_directory(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn describe(&self, path: &str) -> String {
        self.disk.describe(path)
    }
}

#[derive(Debug)]
struct MeteredFile {
    file: Arc<dyn DiskFile>,
    io: Arc<IoCounters>,
}

impl DiskFile for MeteredFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let watch = Stopwatch::start();
        let read = self.file.read_at(buffer, offset)?;
        self.io.read_ops.add(1);
        self.io.read_bytes.add(read as u64);
        self.io.read_us.add(watch.elapsed_us());
        Ok(read)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
        let watch = Stopwatch::start();
        self.file.write_at(slices, offset)?;
        self.io.write_ops.add(1);
        self.io.write_bytes.add(bytes as u64);
        self.io.write_us.add(watch.elapsed_us());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let watch = Stopwatch::start();
        self.file.sync()?;
        self.io.note_sync(watch.elapsed_us());
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn uncache(&self) {
        self.file.uncache();
    }
}
