//! Reads the groups of the log, and finds its end.

use std::sync::Arc;

use super::Report;
use crate::store::StoreError;
use crate::store::checkpoint::Checkpoint;
use crate::store::codec::Reader;
use crate::store::disk::{Disk, DiskFile};
use crate::store::failure::Call;
use crate::store::wal::{DIRECTORY, GROUP_HEADER_BYTES, GROUP_MAGIC, checksum, file_number, file_path, group_bytes};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1024 * 1024;

/// A group of the log.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) kind: u8,
    /// Where the payload begins.
    pub(super) position: u64,
    pub(super) payload: Vec<u8>,
}

/// What stands in front of a group, and how long it is.
struct Header {
    kind: u8,
    payload_bytes: usize,
    epoch: u32,
    durable: u64,
    crc: u32,
    bytes: [u8; GROUP_HEADER_BYTES],
}

/// Reads the log from a position on.
#[derive(Debug)]
pub(super) struct LogReader<'a> {
    disk: &'a dyn Disk,
    file_bytes: u64,
    /// The numbers of the files that there are.
    numbers: Vec<u64>,
    /// Behind the last byte that a file can hold.
    end: u64,
    position: u64,
    epoch: u32,
    block: Vec<u8>,
    block_position: u64,
    open: Option<(u64, Option<Arc<dyn DiskFile>>)>,
}

impl<'a> LogReader<'a> {
    /// # Errors
    /// When the files cannot be listed.
    pub(super) fn new(disk: &'a dyn Disk, checkpoint: &Checkpoint, file_bytes: u64) -> Result<Self, StoreError> {
        let (start, epoch) = (checkpoint.start, checkpoint.epoch);
        let names = disk.list(DIRECTORY).map_err(StoreError::io(Call::List, disk.describe(DIRECTORY)))?;
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| file_number(name)).collect();
        numbers.sort_unstable();
        // Files beyond a gap are left from before.
        let first = start / file_bytes;
        let count = (first..).take_while(|number| numbers.binary_search(number).is_ok()).count();
        let end = (first + count as u64) * file_bytes;
        Ok(Self {
            disk,
            file_bytes,
            numbers,
            end,
            position: start,
            epoch,
            block: Vec::new(),
            block_position: 0,
            open: None,
        })
    }

    /// The numbers of the files that hold nothing of the log between two positions.
    pub(super) fn files_outside(&self, start: u64, head: u64) -> Vec<u64> {
        let inside = start / self.file_bytes..=head / self.file_bytes;
        self.numbers.iter().copied().filter(|number| !inside.contains(number)).collect()
    }

    /// Makes the files durable that hold what was read from `start` on.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn sync(&self, start: u64) -> Result<(), StoreError> {
        for number in (start / self.file_bytes..self.position.div_ceil(self.file_bytes)).filter(|at| self.has_file(*at))
        {
            let path = file_path(number);
            let failed = |action| StoreError::io(action, self.disk.describe(&path));
            let file = self.disk.open(&path, false).map_err(failed(Call::Open))?;
            file.sync().map_err(failed(Call::SyncLog))?;
        }
        Ok(())
    }

    fn has_file(&self, number: u64) -> bool {
        self.numbers.binary_search(&number).is_ok()
    }

    /// Behind the last group that was read.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// The epoch of the last group that was read.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The next group; `None` at the end of the log.
    ///
    /// # Errors
    /// When the file system fails, or the log is damaged before its end.
    pub(super) fn next_group(&mut self, salvage: bool, report: &mut Report) -> Result<Option<Group>, StoreError> {
        if let Some((group, epoch, _)) = self.group_at(self.position)? {
            return Ok(Some(self.take(group, epoch, report)));
        }
        let Some((next, durable)) = self.group_behind(self.position)? else { return Ok(None) };
        if !salvage && durable <= self.position {
            // The disk wrote a later one and not this one; neither was ever said to be durable.
            return Ok(None);
        }
        let file = self.disk.describe(&file_path(self.position / self.file_bytes));
        let offset = self.position % self.file_bytes;
        let what = format!("{} bytes of the log cannot be read, although they were durable", next - self.position);
        if !salvage {
            return Err(StoreError::Corrupt { file, offset, what });
        }
        if durable > self.position {
            report.skipped.push(format!("{file} at offset {offset}: {what}"));
        } else {
            return Ok(None);
        }
        self.position = next;
        let found = self.group_at(next)?;
        Ok(found.map(|(group, epoch, _)| self.take(group, epoch, report)))
    }

    /// What is there is whole, and makes no sense.
    pub(super) fn senseless(&self, position: u64) -> StoreError {
        StoreError::Corrupt {
            file: self.disk.describe(&file_path(position / self.file_bytes)),
            offset: position % self.file_bytes,
            what: "a whole group makes no sense".to_owned(),
        }
    }

    fn take(&mut self, group: Group, epoch: u32, report: &mut Report) -> Group {
        let bytes = group_bytes(group.payload.len());
        self.position += bytes;
        self.epoch = epoch;
        report.groups += 1;
        report.log_bytes += bytes;
        group
    }

    /// The group at a position, its epoch, and what it knows to be durable.
    fn group_at(&mut self, position: u64) -> Result<Option<(Group, u32, u64)>, StoreError> {
        let Some(header) = self.header_at(position)? else { return Ok(None) };
        let payload_position = position + GROUP_HEADER_BYTES as u64;
        if payload_position + header.payload_bytes as u64 > self.end {
            return Ok(None);
        }
        let payload = self.bytes(payload_position, header.payload_bytes)?;
        let Some(payload) = payload.filter(|payload| checksum(&header.bytes, payload) == header.crc) else {
            return Ok(None);
        };
        let group = Group { kind: header.kind, position: payload_position, payload: payload.to_vec() };
        Ok(Some((group, header.epoch, header.durable)))
    }

    /// A header that belongs to this position and to this run or a later one.
    fn header_at(&mut self, position: u64) -> Result<Option<Header>, StoreError> {
        let epoch_min = self.epoch;
        let Some(bytes) = self.bytes(position, GROUP_HEADER_BYTES)? else { return Ok(None) };
        let Some(bytes) = bytes.first_chunk().copied() else { return Ok(None) };
        Ok(parse(bytes, position).filter(|header| header.epoch >= epoch_min))
    }

    /// The first whole group behind a position, and the furthest that any group there knows to be durable.
    fn group_behind(&mut self, position: u64) -> Result<Option<(u64, u64)>, StoreError> {
        let end = self.end;
        let mut first = None;
        let mut furthest = 0;
        let mut at = position + 8;
        while at + (GROUP_HEADER_BYTES as u64) <= end {
            let Some(skip) = self.magic_at_or_behind(at)? else {
                // Nothing but zeros, or no file: on to the next one.
                at = (at / self.file_bytes + 1) * self.file_bytes;
                continue;
            };
            at = skip;
            match self.group_at(at)? {
                Some((group, _, durable)) => {
                    first.get_or_insert(at);
                    furthest = furthest.max(durable);
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
    fn bytes(&mut self, position: u64, length: usize) -> Result<Option<&[u8]>, StoreError> {
        let is_inside = position >= self.block_position
            && position + length as u64 <= self.block_position + self.block.len() as u64;
        if !is_inside {
            let wanted = length.max(BLOCK_BYTES);
            let mut block = std::mem::take(&mut self.block);
            block.clear();
            block.resize(wanted, 0);
            let is_there = self.fill(position, &mut block)?;
            self.block = block;
            self.block_position = position;
            if !is_there {
                self.block.clear();
                return Ok(None);
            }
        }
        let from = usize::try_from(position - self.block_position).unwrap_or(usize::MAX);
        Ok(self.block.get(from..from.saturating_add(length)))
    }

    /// Whether the file of the first byte is there.
    fn fill(&mut self, position: u64, block: &mut [u8]) -> Result<bool, StoreError> {
        let mut at = position;
        let mut rest = block;
        while !rest.is_empty() {
            let room = usize::try_from(self.file_bytes - at % self.file_bytes).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(room.min(rest.len()));
            let index = at / self.file_bytes;
            let Some(file) = self.file(index)? else { return Ok(at != position) };
            let name = self.disk.describe(&file_path(index));
            file.read_at(now, at % self.file_bytes).map_err(StoreError::io(Call::Read, name))?;
            at += now.len() as u64;
            rest = later;
        }
        Ok(true)
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
    let (length, epoch, own_position, durable, crc) =
        (reader.u32()?, reader.u32()?, reader.u64()?, reader.u64()?, reader.u32()?);
    let is_header = magic == GROUP_MAGIC && own_position == position;
    is_header.then_some(Header { kind, payload_bytes: length as usize, epoch, durable, crc, bytes })
}
