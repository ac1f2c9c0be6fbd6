//! Which segment files are open to be read: a few, those that were read last. There may be very many of them, and descriptors are
//! what connections need.

use std::io;
use std::sync::Arc;

use super::{MAGIC, SegmentFile, Segments, path};
use crate::store::StoreError;
use crate::store::address::SegmentId;
use crate::store::disk::DiskFile;
use crate::store::failure::{Call, Remedy};
use crate::store::head::{HEAD_BYTES, Head};

/// So many files stay open.
pub(super) const OPEN_FILES_MAX: usize = 32;

/// The files, the one that was read last at the end.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(Vec<(SegmentId, Arc<dyn DiskFile>)>);

impl OpenFiles {
    fn get(&mut self, id: SegmentId) -> Option<Arc<dyn DiskFile>> {
        let found = self.forget(id)?;
        self.0.push((id, Arc::clone(&found)));
        Some(found)
    }

    /// Keeps a file open; another one that is to be closed for it.
    #[must_use]
    fn keep(&mut self, id: SegmentId, file: &Arc<dyn DiskFile>) -> Option<Arc<dyn DiskFile>> {
        let same = self.forget(id);
        let oldest = (self.0.len() >= OPEN_FILES_MAX).then(|| self.0.remove(0).1);
        self.0.push((id, Arc::clone(file)));
        same.or(oldest)
    }

    /// Does not keep a file open any more: its space comes back only when it is closed. What is handed out is to be dropped once
    /// nothing is locked.
    #[must_use]
    pub(super) fn forget(&mut self, id: SegmentId) -> Option<Arc<dyn DiskFile>> {
        let at = self.0.iter().position(|(other, _)| *other == id)?;
        Some(self.0.remove(at).1)
    }

    /// As [`OpenFiles::forget`], of all.
    #[must_use]
    fn forget_all(&mut self) -> Vec<Arc<dyn DiskFile>> {
        self.0.drain(..).map(|(_, file)| file).collect()
    }
}

impl Segments {
    /// A file, open; `None` if it is gone, because it was rewritten, or because its last message was settled.
    ///
    /// # Errors
    /// When it cannot be opened, or is not the file that it was.
    pub(super) fn file(&self, id: SegmentId) -> Result<Option<Arc<dyn DiskFile>>, StoreError> {
        // The file is opened when nothing is locked: it may take long on a disk that is busy.
        let known = {
            let mut all = self.all.lock();
            let Some(known) = all.by_id.get(&id).map(|segment| segment.known) else { return Ok(None) };
            if let Some(file) = all.open.get(id) {
                return Ok(Some(file));
            }
            known
        };
        let mut opened = self.reopen(known);
        if opened.as_ref().is_err_and(StoreError::is_out_of_descriptors) {
            // Those that are kept open are only there to save time.
            let kept = self.all.lock().open.forget_all();
            drop(kept);
            opened = self.reopen(known);
        }
        let mut all = self.all.lock();
        if !all.by_id.contains_key(&id) {
            // It may have been removed while it was opened; nobody would close it.
            return Ok(None);
        }
        let file = opened?;
        let closed = all.open.keep(id, &file);
        drop(all);
        drop(closed);
        Ok(Some(file))
    }

    /// A head that cannot be read does no harm, because each record tells whether it can be believed; but another file does.
    fn reopen(&self, known: SegmentFile) -> Result<Arc<dyn DiskFile>, StoreError> {
        let name = || self.describe(known.id);
        let file = match self.disk.open(&path(known.id), false) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = "although it holds messages".to_owned();
                return Err(StoreError::Missing { file: name(), why });
            }
            Err(error) => return Err(StoreError::io(Call::Open, name())(error)),
        };
        let mut bytes = [0; HEAD_BYTES];
        match file.read_at(&mut bytes, 0).map_err(StoreError::io(Call::Read, name())) {
            // What is scarce may be there later; a head that the device cannot read is passed over.
            Err(error) if error.remedy() != Remedy::Refuse => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let is_other = |head: &Head| head.number != u64::from(known.id.0) || head.run != known.run;
        if Head::decode(&bytes, MAGIC).ok().as_ref().is_some_and(is_other) {
            let why = "it is a segment file of another time".to_owned();
            return Err(StoreError::Foreign { file: name(), why });
        }
        Ok(file)
    }
}
