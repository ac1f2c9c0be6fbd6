use super::super::disk::RealDisk;
use super::record::RECORD_HEADER_BYTES;
use super::*;
use crate::message::{Facts, Message, address};
use crate::store::seq::Seq;

struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("leveret-segments-{}-{name}", std::process::id()));
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }

    fn open(&self) -> Segments {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(&self.0).unwrap());
        disk.create_directory(DIRECTORY).unwrap();
        Segments::new(disk, Arc::default())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn message(body: &[u8]) -> Message {
    Message::standalone(&Arc::default(), Facts::default(), &address("x", b"key"), &[0, 0], body)
}

fn write(segments: &Segments, bodies: &[&[u8]]) -> Vec<Written> {
    let mut writer = SegmentWriter::new(segments);
    let mut written = Vec::new();
    for (seq, body) in bodies.iter().enumerate() {
        let label =
            Label { queue: 7, seq: Seq(seq as u64), expires_at_ms: u64::MAX, is_stored: true, ..Label::default() };
        written.push(writer.push(&label, &message(body)).unwrap());
    }
    writer.flush(true).unwrap();
    writer.finish();
    written
}

fn bounds(written: &[Written]) -> (SegmentId, u32, u32) {
    let (first, last) = (written.first().unwrap(), written.last().unwrap());
    (first.segment, first.offset, last.offset + last.bytes)
}

fn freed(written: &Written) -> Freed {
    let Written { segment, offset, bytes } = *written;
    Freed { segment, start: offset, end: offset + bytes, stored: 1, body_bytes: 3 }
}

fn free_stretches(segments: &Segments) -> Vec<Freed> {
    let mut all = Vec::new();
    segments.each_free(|freed| all.push(freed));
    all
}

#[test]
fn records_are_read_back_block_by_block() {
    let directory = Directory::new("read");
    let segments = directory.open();
    let bodies: Vec<Vec<u8>> = (0u8..20).map(|at| vec![at; 100 * usize::from(at)]).collect();
    let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
    let (id, mut start, end) = bounds(&write(&segments, &bodies));
    let mut read = Vec::new();
    while start < end {
        let Block { records, next, .. } = segments.read(id, start, end, 700, 7).unwrap();
        assert!(!records.is_empty());
        read.extend(records);
        start = next;
    }
    let seqs: Vec<_> = read.iter().map(|record| record.label.seq.0).collect();
    assert_eq!(seqs, (0..20).collect::<Vec<_>>());
    assert!(read.iter().zip(&bodies).all(|(record, body)| record.message.body() == *body));
}

#[test]
fn free_stretches_join_and_are_left_out() {
    let directory = Directory::new("free");
    let segments = directory.open();
    let written = write(&segments, &[b"one", b"two", b"six", b"ten"]);
    let (id, start, end) = bounds(&written);
    for at in [2, 0, 1, 1] {
        segments.free(&[freed(&written[at])]);
    }
    let stretches = free_stretches(&segments);
    assert_eq!(stretches.len(), 1);
    assert_eq!((stretches[0].stored, stretches[0].body_bytes), (3, 9));
    for from in [start, written[1].offset, written[3].offset] {
        let Block { records, next, .. } = segments.read(id, from, end, 9999, 7).unwrap();
        assert_eq!(records.iter().map(|record| record.label.seq.0).collect::<Vec<_>>(), [3]);
        assert_eq!(next, end);
    }
    assert!(segments.take_empty().is_empty());
    segments.free(&[freed(&written[3])]);
    assert_eq!(segments.take_empty(), [id]);
}

#[test]
fn a_stretch_that_spans_freed_ones_counts_them_once() {
    let directory = Directory::new("span");
    let segments = directory.open();
    let written = write(&segments, &[b"one", b"two", b"six"]);
    let (segment, start, end) = bounds(&written);
    segments.free(&[freed(&written[1])]);
    segments.free(&[Freed { segment, start, end, stored: 3, body_bytes: 9 }]);
    assert_eq!(segments.usage().free_bytes, segments.usage().bytes);
    assert_eq!(free_stretches(&segments).len(), 1);
}

/// Three messages, the second one damaged, and what is read of them: seqs, and the damage.
fn read_damaged(name: &str, middle: &[u8], damage: impl Fn(&mut Vec<u8>, usize)) -> (Vec<u64>, Vec<Damaged>, Written) {
    let directory = Directory::new(name);
    let segments = directory.open();
    let written = write(&segments, &[b"one", middle, b"three"]);
    let (id, start, end) = bounds(&written);
    let file = directory.0.join(path(id));
    let mut bytes = std::fs::read(&file).unwrap();
    damage(&mut bytes, written[1].offset as usize);
    std::fs::write(&file, bytes).unwrap();
    let (mut seqs, mut damaged, mut at) = (Vec::new(), Vec::new(), start);
    while at < end {
        let mut block = segments.read(id, at, end, 128, 7).unwrap();
        seqs.extend(block.records.iter().map(|record| record.label.seq.0));
        damaged.append(&mut block.damaged);
        at = block.next;
    }
    (seqs, damaged, written[1])
}

/// Whatever bit of a record is wrong, it costs this record only: its length and its queue are no exceptions.
#[test]
fn a_flipped_bit_costs_one_message() {
    for at in 0..RECORD_HEADER_BYTES as usize + 29 {
        let (seqs, damaged, record) =
            read_damaged("flip", b"some body", |bytes, offset| bytes[offset + at] ^= 1 << (at * 5 % 8));
        assert_eq!(seqs, [0, 2], "byte {at}");
        let Written { segment, offset: start, bytes } = record;
        assert_eq!(damaged, [Damaged { segment, start, end: start + bytes }], "byte {at}");
    }
}

#[test]
fn a_lost_beginning_costs_one_message() {
    let (seqs, damaged, record) = read_damaged("zeros", &[7; 900], |bytes, offset| bytes[offset..offset + 512].fill(0));
    assert_eq!((seqs, damaged.len(), damaged[0].end), (vec![0, 2], 1, record.offset + record.bytes));
}

#[test]
fn garbage_in_the_padding_is_no_damage() {
    // 64 bytes in front, 12 + 7 + 2 of the message's head, and this: three bytes are left.
    let (seqs, damaged, _) = read_damaged("padding", b"12345678", |bytes, offset| bytes[offset + 93..][..3].fill(0xaa));
    assert_eq!((seqs, damaged), (vec![0, 1, 2], vec![]));
}

#[test]
fn what_is_behind_the_end_of_a_cut_file_is_damaged() {
    let (seqs, damaged, record) = read_damaged("cut", b"two", |bytes, offset| bytes.truncate(offset + 70));
    assert_eq!((seqs, damaged.len(), damaged[0].start), (vec![0], 1, record.offset));
}

#[test]
fn what_cannot_be_read_is_set_aside() {
    let directory = Directory::new("aside");
    let segments = directory.open();
    let written = write(&segments, &[b"one", b"two"]);
    let (id, start, end) = bounds(&written);
    let file = directory.0.join(path(id));
    let mut bytes = std::fs::read(&file).unwrap();
    let place = written[1].offset as usize..end as usize;
    bytes[place.start + 60] ^= 4;
    std::fs::write(&file, &bytes).unwrap();
    assert_eq!(segments.read(id, start, end, 9999, 7).unwrap().damaged.len(), 1);
    let aside = directory.0.join(format!("{LOST_DIRECTORY}/{:08}.seg-{}", id.0, written[1].offset));
    assert_eq!(std::fs::read(aside).unwrap(), bytes[place]);
}

#[test]
fn a_stretch_that_overlaps_a_freed_one_counts_the_rest() {
    let directory = Directory::new("overlap");
    let segments = directory.open();
    let written = write(&segments, &[b"one", b"two", b"six", b"ten"]);
    let (segment, start, end) = bounds(&written);
    segments.free(&[freed(&written[0]), freed(&written[1])]);
    segments.free(&[Freed { segment, start: written[1].offset, end: written[3].offset, stored: 1, body_bytes: 3 }]);
    let usage = segments.usage();
    assert_eq!(usage.free_bytes, u64::from(written[3].offset - start));
    assert_eq!(free_stretches(&segments)[0].stored, 3);
    assert!(segments.take_empty().is_empty(), "the last message up to {end} is still there");
}

#[test]
fn what_is_read_late_is_not_left_to_the_cache_of_the_system() {
    let directory = Directory::new("cache");
    let segments = directory.open();
    let is_cached = |written: &[Written]| {
        segments.all.lock().by_id.get(&bounds(written).0).is_some_and(|segment| segment.is_cached)
    };
    let first = write(&segments, &[b"one"]);
    assert!(is_cached(&first));
    let first_bytes = u64::from(bounds(&first).2);
    segments.written(bounds(&first).0, CACHED_BYTES_MAX - first_bytes);
    let late = write(&segments, &[b"two".as_slice(); 8]);
    assert!(is_cached(&first) && !is_cached(&late));
    assert_eq!(segments.read(bounds(&late).0, bounds(&late).1, bounds(&late).2, 4096, 7).unwrap().records.len(), 8);
    segments.all.lock().by_id.remove(&bounds(&first).0);
    assert!(is_cached(&write(&segments, &[b"three"])), "the next that are read");
}
