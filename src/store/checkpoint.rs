//! From where the log is to be read, and everything that it need not tell any more: definitions, what is in segment files.
//!
//! There are two files that say the same, each written anew and put in the place of the old one. What the older one needs is kept until
//! both are new, so that either is enough to start from.
//!
//! ```text
//! "LVCP" version u32 length u64 crc32 u32 of the payload, crc32 u32 of the header, then `length` bytes (docs/format.md)
//! ```

mod draft;

use super::address::{Address, SegmentId};
use super::codec::Reader;
use super::disk::Disk;
use super::failure::Call;
use super::head::VERSION;
use super::marks::Marks;
use super::record::{Freed, SEQ_MAX, read_counts, read_one_freed, read_seq};
use super::run::Run;
use super::segments::SegmentFile;
use super::seq::Seq;
use super::{LogExtent, LogFile, StoreError};
use crate::message::{DeliveryCounts, MessageSum};

pub(crate) use draft::Draft;
pub(super) use draft::put_in_place;
pub(crate) use draft::put_part;

/// The two files.
pub(super) const PATHS: [&str; 2] = ["checkpoint", "checkpoint.copy"];
const MAGIC: &[u8; 4] = b"LVCP";
const HEADER_BYTES: usize = 24;

/// A part of a segment file that holds messages of one level of one queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Part {
    /// The priority level.
    pub(crate) level: u8,
    pub(crate) segment: SegmentId,
    /// Where the first record begins.
    pub(crate) start: u32,
    /// Behind the last record.
    pub(crate) end: u32,
    /// The place of its first message in the order of the queue.
    pub(crate) first_seq: Seq,
    /// Stored messages in it, free ones included.
    pub(crate) stored: u32,
    /// Bytes of their bodies.
    pub(crate) body_bytes: u64,
    /// When the first of them expires; `u64::MAX` for never.
    pub(crate) expires_min_ms: u64,
    /// When the last of them expires.
    pub(crate) expires_max_ms: u64,
}

impl Part {
    /// Its stored messages, free ones included.
    pub(crate) const fn stored_sum(&self) -> MessageSum {
        MessageSum { messages: self.stored, body_bytes: self.body_bytes }
    }
}

/// A message in a segment file that is known one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Single {
    /// Its place in the order of what holds it.
    pub(crate) seq: Seq,
    pub(crate) address: Address,
    /// Bytes of its record.
    pub(crate) bytes: u32,
    /// Bytes of its body.
    pub(crate) body_bytes: u32,
    /// When it is due.
    pub(crate) due_ms: u64,
    /// The exchange that holds it back.
    pub(crate) origin: u64,
}

/// A queue, but for what the log says after the checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    pub(crate) queue: u64,
    /// The place of the next message.
    pub(crate) next_seq: Seq,
    /// Until where each level may have been delivered.
    pub(crate) delivered: Marks,
    /// Until where the messages of each level are not in the log any more.
    pub(crate) moved: Marks,
    /// Where they are, in the order of the queue.
    pub(crate) parts: Vec<Part>,
    /// Messages that are known one by one instead.
    pub(crate) singles: Vec<Single>,
    /// Messages in segment files that came back since they were written there, by their places.
    pub counts: Vec<(Seq, DeliveryCounts)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// From where the log is to be read.
    pub(crate) start: u64,
    /// It is the newer one of two whose number is higher.
    pub(crate) number: u64,
    /// Until where the log was durable. It must not end before.
    pub(crate) durable: u64,
    /// No group of the log from `start` on is of an earlier run.
    pub(crate) start_run: Run,
    /// The run that wrote this, and the log before `durable`.
    pub(crate) run: Run,
    /// The files of the log from `start` to `durable`.
    pub(crate) log_files: Vec<LogFile>,
    pub(crate) segment_files: Vec<SegmentFile>,
    /// The broker stopped cleanly: the log has nothing to tell.
    pub(crate) is_clean: bool,
    /// Identities from here on were never given out.
    pub(crate) next_id: u64,
    /// The last segment file that was made.
    pub(crate) last_segment: u32,
    /// The definitions, in the broker's own encoding.
    pub(crate) definitions: Vec<Vec<u8>>,
    pub(crate) queues: Vec<QueueState>,
    /// What is free in segment files.
    pub(crate) free: Vec<Freed>,
}

impl Checkpoint {
    /// Says from where the log is to be read, and where it goes on.
    pub(crate) fn set_log(&mut self, log: LogExtent) {
        let LogExtent { start, start_run, durable, run, files, checkpoint } = log;
        (self.start, self.start_run, self.durable, self.run) = (start, start_run, durable, run);
        (self.log_files, self.number) = (files, checkpoint);
    }

    /// Reads the file at one of [`PATHS`], with all its bytes; `None` if it is missing.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or of another version.
    pub(super) fn read(disk: &dyn Disk, path: &str) -> Result<Option<(Self, Vec<u8>)>, StoreError> {
        let name = || disk.describe(path);
        let file = match disk.open(path, false) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io(Call::Open, name())(error)),
        };
        // As a whole: nothing of it is believed before its checksum is right.
        let length = file.size().map_err(StoreError::io(Call::Read, name()))?;
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let count = file.read_at(&mut bytes, 0).map_err(StoreError::io(Call::Read, name()))?;
        bytes.truncate(count);
        let payload = checked_payload(&bytes, &name)?;
        let corrupt = |what: &str| StoreError::Corrupt { file: name(), offset: 0, what: what.to_owned() };
        let checkpoint = Self::decode(payload).ok_or_else(|| corrupt("its contents make no sense"))?;
        Ok(Some((checkpoint, bytes)))
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let checkpoint = Self {
            start: reader.varint()?,
            number: reader.varint()?,
            durable: reader.varint()?,
            start_run: Run(reader.u64()?),
            run: Run(reader.u64()?),
            log_files: all(&mut reader, read_log_file)?,
            segment_files: all(&mut reader, read_segment_file)?,
            is_clean: reader.varint()? != 0,
            next_id: reader.varint()?,
            last_segment: reader.varint_u32()?,
            definitions: all(&mut reader, |reader| reader.sized().map(<[u8]>::to_vec))?,
            queues: all(&mut reader, read_queue)?,
            free: all(&mut reader, read_one_freed)?,
        };
        // Its checksum was right, so this is no damage of the disk but a file that something else wrote.
        let makes_sense = checkpoint.start <= checkpoint.durable && checkpoint.durable <= SEQ_MAX;
        (reader.is_empty() && makes_sense).then_some(checkpoint)
    }
}

/// What stands behind the header. Only a whole header tells of another version, but for the first one, which had no checksum there.
fn checked_payload<'a>(bytes: &'a [u8], name: &impl Fn() -> String) -> Result<&'a [u8], StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt { file: name(), offset: 0, what: what.to_owned() };
    let mut reader = Reader::new(bytes);
    let mut header = || Some((reader.array::<4>()?, reader.u32()?, reader.u64()?, reader.u32()?, reader.u32()?));
    let (magic, version, length, crc, header_crc) = header().ok_or_else(|| corrupt("it is too short"))?;
    let is_whole = bytes.get(..HEADER_BYTES - 4).is_some_and(|bytes| crc32fast::hash(bytes) == header_crc);
    let is_first_version = version == 1 && header_crc == 0;
    if magic != *MAGIC || !is_whole && !is_first_version {
        return Err(corrupt("its header cannot be read"));
    }
    // Behind the checksum of the header, and in front of that of the payload: another version may lay out
    // the payload as it likes.
    if version != VERSION {
        return Err(StoreError::UnknownVersion { file: name(), found: version, known: VERSION });
    }
    let payload = bytes.get(HEADER_BYTES..).unwrap_or_default();
    if length != payload.len() as u64 || crc != crc32fast::hash(payload) {
        return Err(corrupt("its checksum is wrong"));
    }
    Ok(payload)
}

fn read_log_file(reader: &mut Reader<'_>) -> Option<LogFile> {
    Some(LogFile { number: reader.varint()?, run: Run(reader.u64()?) })
}

fn read_segment_file(reader: &mut Reader<'_>) -> Option<SegmentFile> {
    Some(SegmentFile { id: SegmentId(reader.varint_u32()?), run: Run(reader.u64()?), length: reader.varint()? })
}

fn all<'a, T>(reader: &mut Reader<'a>, read: impl Fn(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let count = usize::try_from(reader.varint()?).ok()?;
    // Damaged counts must not reserve memory: each element has a byte at least.
    let mut all = Vec::with_capacity(count.min(reader.len()));
    for _ in 0..count {
        all.push(read(reader)?);
    }
    Some(all)
}

fn read_queue(reader: &mut Reader<'_>) -> Option<QueueState> {
    Some(QueueState {
        queue: reader.varint()?,
        next_seq: read_seq(reader)?,
        delivered: read_marks(reader)?,
        moved: read_marks(reader)?,
        parts: all(reader, read_part)?,
        singles: all(reader, read_single)?,
        counts: all(reader, |reader| Some((read_seq(reader)?, read_counts(reader)?)))?,
    })
}

fn read_marks(reader: &mut Reader<'_>) -> Option<Marks> {
    Some(all(reader, |reader| Some((reader.u8()?, read_seq(reader)?)))?.into_iter().collect())
}

pub(crate) fn read_part(reader: &mut Reader<'_>) -> Option<Part> {
    let part = Part {
        level: reader.u8()?,
        segment: SegmentId(reader.varint_u32()?),
        start: reader.varint_u32()?,
        end: reader.varint_u32()?,
        first_seq: read_seq(reader)?,
        stored: reader.varint_u32()?,
        body_bytes: reader.varint()?,
        // Zero stands for never, so the usual case is one byte and not ten.
        expires_min_ms: reader.varint()?.wrapping_sub(1),
        expires_max_ms: reader.varint()?.wrapping_sub(1),
    };
    (part.start <= part.end).then_some(part)
}

fn read_single(reader: &mut Reader<'_>) -> Option<Single> {
    let address = Address::from_bits(reader.u64()?);
    Some(Single {
        address,
        seq: read_seq(reader)?,
        bytes: reader.varint_u32()?,
        body_bytes: reader.varint_u32()?,
        due_ms: reader.varint()?,
        origin: reader.varint()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        let part =
            Part { level: 3, segment: SegmentId(9), start: 16, end: 900, stored: 4, body_bytes: 77, ..Part::default() };
        let single =
            Single { seq: Seq(5), address: Address::in_segment(SegmentId(9), 900), bytes: 64, ..Single::default() };
        let queue = QueueState {
            queue: 12,
            next_seq: Seq(1 << 40),
            delivered: [(0, Seq(7)), (4, Seq(9))].into_iter().collect(),
            moved: [(0, Seq(3))].into_iter().collect(),
            parts: vec![part, Part { expires_min_ms: u64::MAX, expires_max_ms: u64::MAX, ..part }],
            singles: vec![single],
            counts: vec![(Seq(8), DeliveryCounts { acquired: 2, failed: 1 })],
        };
        let freed = Freed { segment: SegmentId(9), start: 16, end: 80, stored: 1, body_bytes: 10 };
        Checkpoint {
            start: 1 << 33,
            number: 5,
            durable: 1 << 34,
            start_run: Run(4 << 32 | 1),
            run: Run(6 << 32 | 2),
            log_files: vec![LogFile { number: 512, run: Run(4 << 32 | 1) }],
            segment_files: vec![SegmentFile { id: SegmentId(9), run: Run(1), length: 5000 }],
            is_clean: true,
            next_id: 99,
            last_segment: 9,
            definitions: vec![b"vhost".to_vec(), Vec::new()],
            queues: vec![queue, QueueState::default()],
            free: vec![freed],
        }
    }

    fn encoded(checkpoint: &Checkpoint) -> Vec<u8> {
        Draft::default().payload(checkpoint).concat()
    }

    #[test]
    fn a_checkpoint_comes_back() {
        let checkpoint = checkpoint();
        assert_eq!(Checkpoint::decode(&encoded(&checkpoint)), Some(checkpoint));
    }

    #[test]
    fn a_cut_one_is_refused() {
        let bytes = encoded(&checkpoint());
        for length in 0..bytes.len() {
            assert_eq!(Checkpoint::decode(&bytes[..length]), None, "cut at {length}");
        }
    }
}
