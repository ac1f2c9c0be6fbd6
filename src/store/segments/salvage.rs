//! Files that are taken over although something is wrong with them: each record tells by its checksum whether it can be believed.

use std::io::IoSlice;

use super::{MAGIC, SegmentFile, Segments, path};
use crate::store::StoreError;
use crate::store::failure::Call;
use crate::store::head::{HEAD_BYTES, Head};

impl Segments {
    /// Takes over a file as it is. It gets another head if its own cannot be read, so that the next start finds nothing wrong.
    ///
    /// # Errors
    /// The file system's.
    pub(in crate::store) fn restore_damaged(&self, known: SegmentFile, bytes: u64) -> Result<(), StoreError> {
        let failed = |call| StoreError::io(call, self.describe(known.id));
        let file = self.disk.open(&path(known.id), false).map_err(failed(Call::Open))?;
        let length = file.size().map_err(failed(Call::Read))?;
        let mut head = [0; HEAD_BYTES];
        let count = file.read_at(&mut head, 0).map_err(failed(Call::Read))?;
        let number = u64::from(known.id.0);
        let found = Head::decode(head.get(..count).unwrap_or_default(), MAGIC).ok();
        // A head that is whole and of this number is believed; only another one is written over.
        let run = found.filter(|head| head.number == number).map(|head| head.run);
        if run.is_none() {
            let head = Head { number, run: known.run }.encode(MAGIC);
            file.write_at(&mut [IoSlice::new(&head)], 0).map_err(failed(Call::Write))?;
            file.sync().map_err(failed(Call::SyncNew))?;
        }
        self.adopt(SegmentFile { length, run: run.unwrap_or(known.run), ..known }, bytes);
        Ok(())
    }
}
