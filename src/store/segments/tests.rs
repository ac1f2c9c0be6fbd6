use super::super::disk::RealDisk;
use super::*;
use crate::message::{Facts, Message, address};

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
        Segments::new(disk, Arc::default(), false)
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
        let label = Label { queue: 7, seq: seq as u64, expires_at_ms: u64::MAX, is_stored: true, ..Label::default() };
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
        let (records, next) = segments.read(id, start, end, 700).unwrap();
        assert!(!records.is_empty());
        read.extend(records);
        start = next;
    }
    let seqs: Vec<_> = read.iter().map(|record| record.label.seq).collect();
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
        let (records, next) = segments.read(id, from, end, 9999).unwrap();
        assert_eq!(records.iter().map(|record| record.label.seq).collect::<Vec<_>>(), [3]);
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

#[test]
fn a_flipped_bit_is_found_and_named() {
    let directory = Directory::new("flip");
    let segments = directory.open();
    let written = write(&segments, &[b"one", b"two"]);
    let (id, start, end) = bounds(&written);
    let file = directory.0.join(path(id));
    let mut bytes = std::fs::read(&file).unwrap();
    let at = written[1].offset as usize + 60;
    bytes[at] ^= 4;
    std::fs::write(&file, bytes).unwrap();
    let error = segments.read(id, start, end, 9999).unwrap_err().to_string();
    assert!(error.contains(&path(id)) && error.contains("queue number 7"), "{error}");
    assert!(error.contains(&format!("offset {}", written[1].offset)), "{error}");
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
    assert_eq!(segments.read(bounds(&late).0, bounds(&late).1, bounds(&late).2, 4096).unwrap().0.len(), 8);
    segments.all.lock().by_id.remove(&bounds(&first).0);
    assert!(is_cached(&write(&segments, &[b"three"])), "the next that are read");
}
