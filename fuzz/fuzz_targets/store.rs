//! A data directory with any contents: it is opened or refused, and whatever is found can be taken out; nothing panics, nothing
//! hangs, and no length that is written somewhere reserves memory.
//!
//! The input is a row of files: an octet that says which, two for the length, then the contents. For most of them the contents are
//! put into frames with right checksums, so that the fuzzer gets behind these.

#![no_main]

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex};

use leveret::internals::broker::Broker;
use leveret::internals::broker::definitions::Definition;
use leveret::internals::broker::ids::{ChannelId, ConsumerId};
use leveret::internals::broker::node::Node;
use leveret::internals::broker::queue::arguments::QueueKind;
use leveret::internals::broker::random::Random;
use leveret::internals::broker::sink::{Delivery, Notice, Sink};
use leveret::internals::store::disk::{Disk, DiskFile};
use leveret::internals::store::loader::Loader;
use leveret::internals::store::record::records;
use leveret::internals::store::recovery::{Opening, recover};
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, Sizes};
use libfuzzer_sys::fuzz_target;

const SIZES: Sizes = Sizes { log_file_bytes: 4096, segment_file_bytes: 4096, block_bytes: 512, excess_bytes: 4096 };
const NOW_MS: u64 = 1_600_000_000_000;

fuzz_target!(|input: &[u8]| {
    records(input).for_each(drop);
    if let Some(definition) = Definition::decode(input) {
        // What was read once can be written and read again.
        assert!(Definition::decode(&definition.encode()).is_some(), "{definition:?}");
    }
    for salvage in [false, true] {
        let disk = Arc::new(MemoryDisk::default());
        let mut rest = input;
        while let Some(left) = add_file(&disk, rest) {
            rest = left;
        }
        open(&disk, salvage);
    }
});

fn add_file<'a>(disk: &MemoryDisk, input: &'a [u8]) -> Option<&'a [u8]> {
    let (&[selector, low, high], rest) = input.split_first_chunk::<3>()?;
    let (contents, rest) = rest.split_at(rest.len().min(usize::from(u16::from_le_bytes([low, high]))));
    let number = u32::from(selector >> 4);
    let (path, bytes) = match selector & 0x0f {
        0 => (format!("wal/{number:010}.log"), contents.to_vec()),
        1 => (format!("segments/{number:08}.seg"), contents.to_vec()),
        2 => ("checkpoint".to_owned(), contents.to_vec()),
        3 | 4 => ("checkpoint".to_owned(), checkpoint(contents)),
        5..=7 => (format!("segments/{number:08}.seg"), segment(number, contents)),
        // Behind what is there already, so that a log of several groups comes to be.
        kind => {
            disk.append_to_log(1 + (kind & 1), 1 + number, contents);
            return Some(rest);
        }
    };
    disk.set(path, bytes);
    Some(rest)
}

fn checkpoint(payload: &[u8]) -> Vec<u8> {
    let mut bytes = b"LVCP\x02\0\0\0".to_vec();
    bytes.extend((payload.len() as u64).to_le_bytes());
    bytes.extend(crc32fast::hash(payload).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// A file of records of at most 120 octets each.
fn segment(number: u32, contents: &[u8]) -> Vec<u8> {
    let mut bytes = head(*b"LVSG", u64::from(number), RUN);
    for contents in contents.chunks(120) {
        let mut record = (contents.len().saturating_sub(48) as u32).to_le_bytes().to_vec();
        record.extend(contents);
        record.resize((4 + record.len()).max(56).next_multiple_of(8) - 4, 0);
        bytes.extend(crc32fast::hash(&record).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// The run that makes segment files, and the first one of the log.
const RUN: u64 = 1 << 32;

fn head(magic: [u8; 4], number: u64, run: u64) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(2u32.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(run.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// The beginning of a file of the log; each tells of a next one.
fn log_head(number: u64) -> Vec<u8> {
    let mut link = b"LVLN".to_vec();
    [number, RUN, RUN].iter().for_each(|word| link.extend(word.to_le_bytes()));
    link.extend(crc32fast::hash(&link).to_le_bytes());
    let mut bytes = head(*b"LVLG", number, RUN);
    bytes.resize(512, 0);
    bytes.extend(link);
    bytes
}

fn group(kind: u8, epoch: u32, position: u64, payload: &[u8]) -> Vec<u8> {
    let mut header = b"LVG2".to_vec();
    header.extend([kind, 0, 0, 0]);
    header.extend((payload.len() as u32).to_le_bytes());
    header.extend((u64::from(epoch) << 32).to_le_bytes());
    header.extend(position.to_le_bytes());
    header.extend(position.to_le_bytes());
    let mut crc = crc32fast::Hasher::new();
    crc.update(&header);
    crc.update(payload);
    header.extend(crc.finalize().to_le_bytes());
    header.extend(payload);
    header.resize(header.len().next_multiple_of(8), 0);
    header
}

fn open(disk: &Arc<MemoryDisk>, salvage: bool) {
    let disk = Arc::clone(disk) as Arc<dyn Disk>;
    let mut node = Node { random: Random::seeded(7), ..Node::default() };
    let Ok(recovered) = recover(&disk, &node.memory, Opening { salvage, nonce: 0, sizes: SIZES }) else { return };
    let wal = Arc::new(Wal::new(disk, recovered.resume));
    let loader = Arc::new(Loader::new(Arc::new(recovered.segments)));
    node.ids.skip_to(recovered.next_id);
    node.log = Arc::clone(&wal) as Arc<dyn Log>;
    node.loader = Some(Arc::clone(&loader));
    let broker = Arc::new(Broker::new(Arc::new(node)));
    if broker.restore(&recovered.definitions, recovered.queues, loader.segments(), NOW_MS).is_err() {
        return;
    }
    let vhost = broker.add_vhost("/", QueueKind::Classic);
    broker.run_deadlines(NOW_MS);
    let queues: Vec<_> = vhost.read(|topology| topology.queues().cloned().collect());
    let sink: Arc<dyn Sink> = Arc::new(Nobody);
    for queue in queues {
        while !matches!(queue.get(ChannelId(1), &sink, true, NOW_MS), Ok(None)) {}
    }
    while wal.failure().is_none() && loader.step(NOW_MS).unwrap_or(false) {}
}

#[derive(Debug)]
struct Nobody;

impl Sink for Nobody {
    fn room_bytes(&self) -> usize {
        0
    }

    fn starve(&self, _: ConsumerId) {}

    fn reply(&self, _: Delivery) {}

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        deliveries.clear();
    }

    fn notify(&self, _: Notice) {}
}

type Contents = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
struct MemoryDisk {
    files: Mutex<BTreeMap<String, Contents>>,
    log_end: Mutex<u64>,
}

impl MemoryDisk {
    fn set(&self, path: String, bytes: Vec<u8>) {
        self.files.lock().unwrap().insert(path, Arc::new(Mutex::new(bytes)));
    }

    fn append_to_log(&self, kind: u8, epoch: u32, payload: &[u8]) {
        let mut end = self.log_end.lock().unwrap();
        for byte in group(kind, epoch, *end, payload) {
            let number = *end / SIZES.log_file_bytes;
            let path = format!("wal/{number:010}.log");
            let file = Arc::clone(self.files.lock().unwrap().entry(path).or_default());
            if file.lock().unwrap().is_empty() {
                put(&mut file.lock().unwrap(), 0, &log_head(number));
            }
            put(&mut file.lock().unwrap(), (4096 + *end % SIZES.log_file_bytes) as usize, &[byte]);
            *end += 1;
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    bytes.resize(bytes.len().max(offset + data.len()), 0);
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl Disk for MemoryDisk {
    fn create_directory(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.files.lock().unwrap();
        if create {
            return Ok(Arc::new(MemoryFile(Arc::clone(files.entry(path.to_owned()).or_default()))));
        }
        let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemoryFile(Arc::clone(file))))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let prefix = format!("{directory}/");
        let files = self.files.lock().unwrap();
        Ok(files.keys().filter_map(|path| path.strip_prefix(&prefix)).map(str::to_owned).collect())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.files.lock().unwrap().remove(path);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
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

#[derive(Debug)]
struct MemoryFile(Contents);

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = bytes.len().min(start + buffer.len());
        buffer[..end - start].copy_from_slice(&bytes[start..end]);
        Ok(end - start)
    }

    fn write_at(&self, slices: &mut [IoSlice<'_>], offset: u64) -> io::Result<()> {
        let data: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        put(&mut self.0.lock().unwrap(), offset as usize, &data);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
}
