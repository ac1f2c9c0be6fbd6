//! The log by itself, where a history would have to be very lucky.

use std::sync::Arc;

use leveret::internals::store::disk::Disk;
use leveret::internals::store::recovery::{Opening, Recovered, recover};
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, Sizes, StoredLog};

use crate::disk::{Fault, SimDisk};
use crate::random::Random;
use crate::world::nonce;

const SIZES: Sizes = Sizes { log_file_bytes: 4096, segment_file_bytes: 4096, block_bytes: 512, excess_bytes: 4096 };

fn open(disk: &Arc<SimDisk>) -> (Wal, Recovered) {
    let as_disk = Arc::clone(disk) as Arc<dyn Disk>;
    let recovered =
        recover(&as_disk, &Arc::default(), Opening { salvage: false, nonce: nonce(), sizes: SIZES }).unwrap();
    (Wal::new(as_disk, recovered.resume.clone()), recovered)
}

/// A record that nobody minds; where the log ends then.
fn append(wal: &Wal, transaction: u8) -> u64 {
    wal.append(&[6, transaction]);
    wal.head()
}

#[test]
fn what_a_killed_process_wrote_is_synced_before_it_counts() {
    let disk = Arc::new(SimDisk::default());
    let (wal, _) = open(&disk);
    wal.sync_everything().unwrap();
    let written = append(&wal, 1);
    wal.commit(false).unwrap();
    let disk = disk.copy();
    let (_, recovered) = open(&disk);
    assert_eq!(recovered.resume.head, written);
    for seed in 0..20 {
        let (_, recovered) = open(&disk.power_loss(&mut Random::new(seed)));
        assert_eq!(recovered.resume.head, written);
    }
}

#[test]
fn two_runs_never_have_the_same_number() {
    let mut disk = Arc::new(SimDisk::default());
    let mut last = 0;
    for seed in 0..20 {
        let (wal, recovered) = open(&disk);
        assert!(recovered.resume.run.epoch() > last);
        // Whatever of this survives, what comes next is of another run.
        for transaction in 0..50 {
            append(&wal, transaction);
        }
        wal.commit(false).unwrap();
        last = recovered.resume.run.epoch();
        wal.commit(false).unwrap();
        disk = disk.power_loss(&mut Random::new(seed));
    }
}

#[test]
fn after_a_failed_sync_nothing_is_durable_any_more() {
    for fault in [|at| Fault::Broken { at }, |at| Fault::Full { at, calls: 1 }] {
        let disk = Arc::new(SimDisk::default());
        let (wal, _) = open(&disk);
        wal.sync_everything().unwrap();
        let durable = wal.durable().unwrap();
        append(&wal, 1);
        wal.commit(false).unwrap();
        disk.set_fault(Some(fault(disk.calls() + 1)));
        // A sync of a file does not need space here; where it does, what is lost is lost all the same.
        if wal.commit(true).is_err() {
            assert!(wal.commit(true).is_err(), "another thread may ask before the failure is known");
            assert_eq!(wal.durable().unwrap(), durable);
        }
    }
}

#[test]
fn a_file_whose_making_failed_half_way_is_named_durably() {
    let disk = Arc::new(SimDisk::default());
    let (wal, _) = open(&disk);
    while wal.head() + 48 < SIZES.log_file_bytes {
        append(&wal, 1);
    }
    wal.sync_everything().unwrap();
    // The second file is made, and then its head, its name or the link to it is not written.
    for calls in 2..6 {
        let disk = disk.copy();
        let (wal, _) = open(&disk);
        append(&wal, 1);
        append(&wal, 1);
        wal.commit(true).unwrap();
        let full = Fault::Full { at: disk.calls() + calls, calls: 1 };
        disk.set_fault(Some(full));
        _ = wal.commit(true);
        disk.set_fault(None);
        append(&wal, 1);
        wal.sync_everything().unwrap();
        let head = wal.head();
        assert!(head > SIZES.log_file_bytes);
        for seed in 0..20 {
            assert_eq!(open(&disk.power_loss(&mut Random::new(seed))).1.resume.head, head, "{full:?}");
        }
    }
}

#[test]
fn files_of_an_earlier_run_are_used_again() {
    let disk = Arc::new(SimDisk::default());
    let (wal, _) = open(&disk);
    while wal.head() < 10 * SIZES.log_file_bytes {
        append(&wal, 1);
    }
    wal.sync_everything().unwrap();
    let (wal, _) = open(&disk);
    wal.sync_everything().unwrap();
    wal.trim(wal.head()).unwrap();
    assert!(disk.files().iter().filter(|(path, _)| path.starts_with("wal")).count() <= 8, "{:?}", disk.files());
}
