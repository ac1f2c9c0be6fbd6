use std::io::IoSlice;

use super::*;
use crate::store::disk::RealDisk;
use crate::store::wal::DIRECTORY;

/// There may be another file behind one that is missing, also within what is read at once.
#[test]
fn a_gap_between_files_hides_nothing_behind_it() {
    const FILE_BYTES: u64 = 4096;
    let path = std::env::temp_dir().join(format!("leveret-log-reader-{}", std::process::id()));
    let disk = RealDisk::open(&path).unwrap();
    disk.create_directory(DIRECTORY).unwrap();
    for (number, byte) in [(0, 1), (2, 3)] {
        let file = disk.open(&file_path(number), true).unwrap();
        let offset = offset_in_file(number * FILE_BYTES, FILE_BYTES);
        file.write_at(&mut [IoSlice::new(&[byte; 8])], offset).unwrap();
    }
    let chain = Chain { all: vec![0, 2], linked: Vec::new() };
    let mut reader = LogReader::new(&disk, &Checkpoint::default(), chain, FILE_BYTES);
    let first_bytes = [0, 1, 2].map(|number| reader.bytes(number * FILE_BYTES, 1).unwrap().map(<[u8]>::to_vec));
    assert_eq!(first_bytes, [Some(vec![1]), None, Some(vec![3])]);
    std::fs::remove_dir_all(&path).unwrap();
}
