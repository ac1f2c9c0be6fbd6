//! Reads the groups of the log, and finds its end.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Report;
use super::chain::Chain;
use super::finding::{Effect, Finding};
use crate::store::StoreError;
use crate::store::checkpoint::Checkpoint;
use crate::store::codec::Reader;
use crate::store::disk::{Disk, DiskFile};
use crate::store::failure::Call;
use crate::store::run::Run;
use crate::store::wal::{GROUP_HEADER_BYTES, GROUP_MAGIC, checksum, file_path, group_bytes, offset_in_file};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A group of the log.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: u8,
    pub(super) run: Run,
    /// Where the payload begins.
    pub(super) position: u64,
    pub(super) payload: Vec<u8>,
}

/// What stands in front of a group, and how long it is.
struct Header {
    kind: u8,
    payload_bytes: usize,
    run: Run,
    durable: u64,
    crc: u32,
    bytes: [u8; GROUP_HEADER_BYTES],
}

/// Reads the log from a position on.
#[derive(Debug)]
pub(super) struct LogReader<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) file_bytes: u64,
    pub(super) chain: Chain,
    /// Behind the last byte that the files can hold that belong together.
    end: u64,
    position: u64,
    /// The run that wrote the last group.
    run: Run,
    /// Until where the checkpoint knows the log to be durable, and who wrote it there.
    durable: (u64, Run),
    /// Until where some sync had succeeded, as far as the checkpoint or a group that was read knows.
    pub(super) synced: u64,
    /// The numbers of files in which something was left out.
    pub(super) damaged: BTreeSet<u64>,
    block: Vec<u8>,
    block_position: u64,
    open: Option<(u64, Option<Arc<dyn DiskFile>>)>,
}

impl<'a> LogReader<'a> {
    pub(super) fn new(disk: &'a dyn Disk, checkpoint: &Checkpoint, chain: Chain, file_bytes: u64) -> Self {
        let position = checkpoint.start;
        Self {
            disk,
            file_bytes,
            end: chain.end(position, file_bytes),
            chain,
            position,
            run: checkpoint.start_run,
            durable: (checkpoint.durable, checkpoint.run),
            synced: checkpoint.durable,
            damaged: BTreeSet::new(),
            block: Vec::new(),
            block_position: 0,
            open: None,
        }
    }

    /// Behind the last group that was read.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The run that wrote the last group that was read.
    pub(super) const fn run(&self) -> Run {
        self.run
    }

    /// The next group; `None` at the end of the log.
    ///
    /// # Errors
    /// When the file system fails, or the log is damaged before its end.
    pub(super) fn next_group(&mut self, salvage: bool, report: &mut Report) -> Result<Option<Group>, StoreError> {
        if let Some((group, durable)) = self.group_at(self.position)? {
            self.check_run(&group, salvage, report)?;
            self.synced = self.synced.max(durable);
            return Ok(Some(self.take(group, report)));
        }
        // The end of the log, or a hole in it? Whole groups behind it know what was durable
        // when they were written.
        let behind = self.group_behind(self.position)?;
        let known = behind.map_or(0, |(_, durable)| durable).max(self.durable.0);
        if known <= self.position {
            // A write was cut off, and nobody was told that it had succeeded. The disk may have written a later part and not this one.
            if let Some((next, _)) = behind {
                report.cut_off_bytes = next - self.position;
            }
            return Ok(None);
        }
        let missing = behind.map_or(known, |(next, _)| next) - self.position;
        let what = format!("{missing} bytes of the log cannot be read, although they were durable");
        let error = self.damage(self.position, what);
        // Confirmed messages may be among these bytes: somebody has to decide.
        if !salvage {
            return Err(error);
        }
        report.skipped.push(Finding::new(&error, Effect::LeftOut));
        let until = behind.map_or(self.position, |(next, _)| next);
        self.damaged.extend(self.position / self.file_bytes..=until / self.file_bytes);
        let Some((next, _)) = behind else { return Ok(None) };
        self.position = next;
        // The next group may be in a file that no link leads to.
        self.end = self.scanned_end();
        let found = self.group_at(next)?;
        Ok(found.map(|(group, _)| self.take(group, report)))
    }

    /// The log before the place that the checkpoint knows was written by the run that wrote the checkpoint.
    fn check_run(&self, group: &Group, salvage: bool, report: &mut Report) -> Result<(), StoreError> {
        let (durable, writer) = self.durable;
        let end = self.position + group_bytes(group.payload.len());
        // Only the group that ends at that very place tells by whom it was written; those before it
        // are followed by this one.
        if self.position >= durable || end < durable || end == durable && group.run == writer {
            return Ok(());
        }
        let why = "the checkpoint knows what another run wrote there".to_owned();
        let error = StoreError::Foreign { file: self.disk.describe(&file_path(self.position / self.file_bytes)), why };
        if !salvage {
            return Err(error);
        }
        report.skipped.push(Finding::new(&error, Effect::LeftOut));
        Ok(())
    }

    fn damage(&self, position: u64, what: String) -> StoreError {
        StoreError::Corrupt {
            file: self.disk.describe(&file_path(position / self.file_bytes)),
            offset: offset_in_file(position, self.file_bytes),
            what,
        }
    }

    /// What is there is whole, and makes no sense.
    pub(super) fn senseless(&self, position: u64) -> StoreError {
        self.damage(position, "a whole group makes no sense".to_owned())
    }

    fn take(&mut self, group: Group, report: &mut Report) -> Group {
        let bytes = group_bytes(group.payload.len());
        self.position += bytes;
        // From here on no group of an earlier run can follow: what such a run left behind its end is dead.
        self.run = group.run;
        // One without payload changes nothing: it says that a run began, or what was durable.
        report.groups += u64::from(!group.payload.is_empty());
        report.log_bytes += bytes;
        group
    }

    /// The group at a position, and what it knows to be durable.
    fn group_at(&mut self, position: u64) -> Result<Option<(Group, u64)>, StoreError> {
        let Some(header) = self.header_at(position)? else { return Ok(None) };
        let payload_position = position + GROUP_HEADER_BYTES as u64;
        let end = payload_position + header.payload_bytes as u64;
        // No memory is taken for what no file can hold, whatever a damaged length says.
        let mut numbers = position / self.file_bytes..end.div_ceil(self.file_bytes);
        if end > self.end || numbers.any(|number| !self.chain.has(number)) {
            return Ok(None);
        }
        // The checksum covers header and payload, so a torn group is no group.
        let payload = self.bytes(payload_position, header.payload_bytes)?;
        let Some(payload) = payload.filter(|payload| checksum(&header.bytes, payload) == header.crc) else {
            return Ok(None);
        };
        let group = Group { kind: header.kind, run: header.run, position: payload_position, payload: payload.to_vec() };
        Ok(Some((group, header.durable)))
    }

    /// A header that belongs to this position and to this run or a later one.
    fn header_at(&mut self, position: u64) -> Result<Option<Header>, StoreError> {
        let before = self.run;
        if position + GROUP_HEADER_BYTES as u64 > self.end {
            return Ok(None);
        }
        let Some(bytes) = self.bytes(position, GROUP_HEADER_BYTES)? else { return Ok(None) };
        let Some(bytes) = bytes.first_chunk().copied() else { return Ok(None) };
        Ok(parse(bytes, position).filter(|header| header.run.can_follow(before)))
    }

    /// The first whole group behind a position, and the furthest that any group there knows to be durable. Files that belong to nothing
    /// are searched, too: one of them may belong behind one that was put back from another time.
    fn group_behind(&mut self, position: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let end = self.end;
        self.end = self.scanned_end();
        // Groups begin on multiples of eight. The one at this place is the one that cannot be read.
        let found = self.scan(position + 8);
        self.end = end;
        found
    }

    /// Whether there is a whole group anywhere.
    pub(super) fn has_groups(&mut self) -> Result<bool, StoreError> {
        self.end = self.scanned_end();
        Ok(self.group_at(0)?.is_some() || self.scan(0)?.is_some())
    }

    fn scanned_end(&self) -> u64 {
        let last = self.chain.all.last().copied().unwrap_or_default();
        (last + 1).saturating_mul(self.file_bytes).max(self.end)
    }

    fn scan(&mut self, from: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let mut first = None;
        let mut furthest = 0;
        let mut at = from;
        loop {
            let number = at / self.file_bytes;
            let Some(&there) = self.chain.all.iter().find(|there| **there >= number) else { break };
            at = at.max(there * self.file_bytes);
            let Some(magic) = self.magic_at_or_behind(at)? else {
                at = (there + 1) * self.file_bytes;
                continue;
            };
            at = magic;
            match self.group_at(at)? {
                Some((group, durable)) => {
                    first.get_or_insert(at);
                    furthest = furthest.max(durable);
                    // A whole group is passed over as a whole: what looks like a group in a body is none.
                    at += group_bytes(group.payload.len());
                }
                None => at += 8,
            }
        }
        Ok(first.map(|first| (first, furthest)))
    }

    /// The next place in the same file where a group could begin.
    fn magic_at_or_behind(&mut self, position: u64) -> Result<Option<u64>, StoreError> {
        let file_end = (position / self.file_bytes + 1) * self.file_bytes;
        let mut at = position;
        while at < file_end {
            // What is at hand first: groups are looked for one by one. They begin on multiples of eight, a block may not end there.
            let at_hand = (self.block_position + self.block.len() as u64).saturating_sub(at) / 8 * 8;
            let most = if at >= self.block_position && at_hand > 0 { at_hand } else { BLOCK_BYTES as u64 };
            let length = usize::try_from((file_end - at).min(most)).unwrap_or(BLOCK_BYTES);
            let Some(bytes) = self.bytes(at, length)? else { return Ok(None) };
            let magic = GROUP_MAGIC.to_le_bytes();
            if let Some(index) = bytes.chunks(8).position(|word| word.starts_with(&magic)) {
                return Ok(Some(at + index as u64 * 8));
            }
            at += length as u64;
        }
        Ok(None)
    }

    /// Bytes of the log; zeros where the files are shorter, and `None` where the first of them is missing.
    pub(super) fn bytes(&mut self, position: u64, length: usize) -> Result<Option<&[u8]>, StoreError> {
        let is_inside = position >= self.block_position
            && position + length as u64 <= self.block_position + self.block.len() as u64;
        if !is_inside {
            // A mebibyte at a time, because groups may be short and are many.
            let wanted = length.max(BLOCK_BYTES);
            // The one before goes first, so that there is one at a time. The allocator gives zeros; a loop would write them byte by
            // byte in a build without optimisation.
            self.block = Vec::new();
            let mut block = vec![0; wanted];
            let filled = self.fill(position, &mut block)?;
            if filled == 0 {
                return Ok(None);
            }
            // Where a file is missing, zeros are for this request only: behind the gap there may be another file.
            block.truncate(filled.max(length));
            self.block = block;
            self.block_position = position;
        }
        let from = usize::try_from(position - self.block_position).unwrap_or(usize::MAX);
        Ok(self.block.get(from..from.saturating_add(length)))
    }

    /// Fills the block up to the first file that is missing: so many bytes.
    fn fill(&mut self, position: u64, block: &mut [u8]) -> Result<usize, StoreError> {
        let wanted = block.len();
        let mut rest = block;
        while !rest.is_empty() {
            let at = position + (wanted - rest.len()) as u64;
            let room = usize::try_from(self.file_bytes - at % self.file_bytes).unwrap_or(usize::MAX);
            let index = at / self.file_bytes;
            let Some(file) = self.file(index)? else { break };
            let (now, later) = rest.split_at_mut(room.min(rest.len()));
            let name = self.disk.describe(&file_path(index));
            file.read_at(now, offset_in_file(at, self.file_bytes)).map_err(StoreError::io(Call::Read, name))?;
            rest = later;
        }
        Ok(wanted - rest.len())
    }

    fn file(&mut self, index: u64) -> Result<Option<Arc<dyn DiskFile>>, StoreError> {
        if let Some((open, file)) = &self.open
            && *open == index
        {
            return Ok(file.clone());
        }
        let path = file_path(index);
        let file = match self.disk.open(&path, false) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(StoreError::io(Call::Open, self.disk.describe(&path))(error)),
        };
        self.open = Some((index, file.clone()));
        Ok(file)
    }
}

fn parse(bytes: [u8; GROUP_HEADER_BYTES], position: u64) -> Option<Header> {
    let mut reader = Reader::new(&bytes);
    let magic = reader.u32()?;
    let kind = reader.u8()?;
    reader.bytes(3)?;
    let (length, run, own_position, durable, crc) =
        (reader.u32()?, Run(reader.u64()?), reader.u64()?, reader.u64()?, reader.u32()?);
    // Each group knows its place: one that is left from what the file was before has another.
    let is_header = magic == GROUP_MAGIC && own_position == position;
    is_header.then_some(Header { kind, payload_bytes: length as usize, run, durable, crc, bytes })
}
