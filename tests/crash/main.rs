//! The store against a disk that loses power, fails, and fills up: random histories of the real broker on a fake disk, one
//! thread, a clock that is moved by hand, and a ledger that knows what must be there afterwards.
//!
//! `LEVERET_SEEDS=100000` runs more histories than usual, with `LEVERET_FIRST=n` not from the first one on; `LEVERET_SEED=n`
//! repeats the one that a failure named, and says what happened in it.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "test code: a panic is a verdict, and a story may be long"
)]

mod actor;
mod adjoining;
mod administration;
mod check;
mod damage;
mod descriptors;
mod disk;
mod faults;
mod history;
mod ledger;
mod log;
mod lost_delayed;
mod lost_records;
mod moments;
mod probe;
mod queues;
mod random;
mod restarts;
mod salvage;
mod trimming;
mod world;
