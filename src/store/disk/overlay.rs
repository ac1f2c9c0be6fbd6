//! A disk whose changes stay in memory: what it is laid over is read, and never changed.
//!
//! Memory grows with what is written, page by page, not with what is read. Nothing is ever durable: syncs do nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Disk, DiskFile};

const PAGE_BYTES: usize = 4096;

/// The disk.
#[derive(Debug)]
pub struct Overlay {
    base: Arc<dyn Disk>,
    /// The names that were looked at or changed; `None` for those that were removed.
    names: Mutex<BTreeMap<String, Option<Node>>>,
}

/// A file.
#[derive(Clone, Debug)]
struct Node {
    /// Its name below, if it is there.
    base: Option<String>,
    written: Arc<Mutex<Written>>,
}

/// What was written to a file.
#[derive(Debug, Default)]
struct Written {
    /// Whole pages by their numbers.
    pages: BTreeMap<u64, Vec<u8>>,
    /// Behind the last byte.
    end: u64,
}

impl Overlay {
    /// Laid over another disk, of which only what reads is called.
    pub fn new(base: Arc<dyn Disk>) -> Self {
        Self { base, names: Mutex::default() }
    }

    /// The file of this name, open below if it is there; `None` if there is none.
    fn find(&self, path: &str) -> io::Result<Option<OverlayFile>> {
        let known = self.names.lock().get(path).cloned();
        match known {
            Some(None) => Ok(None),
            Some(Some(node)) => {
                let base = node.base.as_ref().map(|base| self.base.open(base, false)).transpose()?;
                Ok(Some(OverlayFile { base, written: node.written }))
            }
            None => match self.base.open(path, false) {
                Ok(file) => {
                    let node = Node { base: Some(path.to_owned()), written: Arc::default() };
                    let written = Arc::clone(&node.written);
                    self.names.lock().insert(path.to_owned(), Some(node));
                    Ok(Some(OverlayFile { base: Some(file), written }))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }
}

impl Disk for Overlay {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.find(path)? {
            return Ok(Arc::new(file));
        }
        if !create {
            return Err(io::ErrorKind::NotFound.into());
        }
        let node = Node { base: None, written: Arc::default() };
        let written = Arc::clone(&node.written);
        self.names.lock().insert(path.to_owned(), Some(node));
        Ok(Arc::new(OverlayFile { base: None, written }))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut listed = self.base.list(directory)?;
        let names = self.names.lock();
        let inside = |path: &str| {
            let name = path.strip_prefix(directory)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        listed.retain(|name| !names.contains_key(&format!("{directory}/{name}")));
        listed.extend(names.iter().filter(|(_, node)| node.is_some()).filter_map(|(path, _)| inside(path)));
        Ok(listed)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.names.lock().insert(path.to_owned(), None);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        // Looked for first, so that a file below is known here before its name goes.
        self.find(from)?.ok_or(io::ErrorKind::NotFound)?;
        let mut names = self.names.lock();
        let node = names.insert(from.to_owned(), None).flatten();
        names.insert(to.to_owned(), node);
        Ok(())
    }

    fn link(&self, file: &str, name: &str) -> io::Result<()> {
        self.find(file)?.ok_or(io::ErrorKind::NotFound)?;
        let mut names = self.names.lock();
        let node = names.get(file).cloned().flatten();
        names.insert(name.to_owned(), node);
        Ok(())
    }

    fn sync_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.base.free_bytes()
    }

    fn describe(&self, path: &str) -> String {
        self.base.describe(path)
    }
}

#[derive(Debug)]
struct OverlayFile {
    base: Option<Arc<dyn DiskFile>>,
    written: Arc<Mutex<Written>>,
}

impl OverlayFile {
    fn base_size(&self) -> io::Result<u64> {
        self.base.as_ref().map_or(Ok(0), |base| base.size())
    }

    fn read_base(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.base.as_ref().map_or(Ok(0), |base| base.read_at(buffer, offset))
    }

    fn write_one(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        let mut written = self.written.lock();
        while !bytes.is_empty() {
            let (number, within) = place(offset);
            let (now, later) = bytes.split_at(bytes.len().min(PAGE_BYTES - within));
            let page = match written.pages.entry(number) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut page = vec![0; PAGE_BYTES];
                    self.read_base(&mut page, number * PAGE_BYTES as u64)?;
                    entry.insert(page)
                }
            };
            if let Some(to) = page.get_mut(within..within + now.len()) {
                to.copy_from_slice(now);
            }
            offset += now.len() as u64;
            written.end = written.end.max(offset);
            bytes = later;
        }
        Ok(())
    }
}

/// The page of an offset, and the offset in it.
fn place(offset: u64) -> (u64, usize) {
    let within = usize::try_from(offset % PAGE_BYTES as u64).unwrap_or(0);
    (offset / PAGE_BYTES as u64, within)
}

impl DiskFile for OverlayFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let size = self.size()?;
        let length = buffer.len().min(usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let buffer = buffer.get_mut(..length).unwrap_or_default();
        let count = self.read_base(buffer, offset)?;
        // What was written may be behind the end of the file below: in between are zeros.
        if let Some(rest) = buffer.get_mut(count..) {
            rest.fill(0);
        }
        let written = self.written.lock();
        let (first, end) = (place(offset).0, offset + length as u64);
        for (number, page) in written.pages.range(first..end.div_ceil(PAGE_BYTES as u64).max(first)) {
            let start = number * PAGE_BYTES as u64;
            let (from, to) = (start.max(offset), (start + PAGE_BYTES as u64).min(end));
            let index = |at: u64, origin: u64| usize::try_from(at - origin).unwrap_or(usize::MAX);
            let source = page.get(index(from, start)..index(to, start));
            if let (Some(target), Some(source)) = (buffer.get_mut(index(from, offset)..index(to, offset)), source) {
                target.copy_from_slice(source);
            }
        }
        Ok(length)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        for slice in slices {
            self.write_one(slice, offset)?;
            offset += slice.len() as u64;
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.base_size()?.max(self.written.lock().end))
    }
}
