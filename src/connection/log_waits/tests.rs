use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::*;
use crate::message::Chunk;
use crate::store::{LogFailed, StoreError};

/// A log that becomes durable when the test says so.
#[derive(Debug, Default)]
struct SlowLog {
    durable: AtomicU64,
    has_failed: AtomicBool,
    is_behind: AtomicBool,
    wanted: AtomicU64,
    woken_at: Mutex<Vec<u64>>,
    behind: Mutex<Vec<Arc<dyn Wake>>>,
}

impl Log for SlowLog {
    fn keeps(&self) -> bool {
        true
    }
    fn begin(&self) -> u64 {
        0
    }
    fn end(&self, _: u64) {}
    fn owe(&self) -> u64 {
        0
    }
    fn paid(&self, _: u64) {}
    fn append_chunk(&self, _: &Arc<Chunk>) {}
    fn reusable_from(&self) -> u64 {
        0
    }
    fn append(&self, _: &[u8]) -> LogPosition {
        LogPosition::START
    }
    fn durable(&self) -> Result<LogPosition, LogFailed> {
        let durable = LogPosition(self.durable.load(Ordering::SeqCst));
        if self.has_failed.load(Ordering::SeqCst) { Err(LogFailed) } else { Ok(durable) }
    }
    fn want(&self, position: LogPosition) {
        self.wanted.fetch_max(position.0, Ordering::SeqCst);
    }
    fn when_durable(&self, position: LogPosition, _: Arc<dyn Wake>) {
        self.woken_at.lock().push(position.0);
    }
    fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::SeqCst)
    }
    fn when_caught_up(&self, waiter: Arc<dyn Wake>) {
        self.behind.lock().push(waiter);
    }
    fn new_transaction(&self) -> u64 {
        0
    }
    fn fail(&self, _: StoreError) {}
}

fn waits() -> (Arc<SlowLog>, LogWaits<&'static str>) {
    let log = Arc::new(SlowLog::default());
    let waits = LogWaits::new(Arc::clone(&log) as Arc<dyn Log>, Arc::default());
    (log, waits)
}

#[test]
fn an_answer_waits_for_its_position_and_nothing_is_read_meanwhile() {
    let (log, mut waits) = waits();
    assert_eq!(waits.answer_later("at once", LogPosition::START), Some("at once"));
    assert_eq!(waits.answer_later("later", LogPosition(5)), None);
    assert!(waits.holds_reading() && waits.is_answering());
    log.durable.store(4, Ordering::SeqCst);
    assert_eq!(waits.take_due(), Some(Due { unconfirmed: Vec::new(), answer: None }));
    log.durable.store(5, Ordering::SeqCst);
    assert_eq!(waits.take_due().and_then(|due| due.answer), Some("later"));
    assert!(!waits.holds_reading() && waits.take_due().is_none());
}

#[test]
fn the_log_is_asked_for_the_first_position_and_each_channel_is_named_once() {
    let (log, mut waits) = waits();
    for (channel, first, last) in [(1, 5, 6), (1, 7, 8), (2, 3, 9)] {
        waits.confirm_later(channel, LogPosition(first), LogPosition(last));
    }
    assert_eq!((&*log.woken_at.lock(), log.wanted.load(Ordering::SeqCst)), (&vec![5, 3], 9));
    assert!(!waits.holds_reading(), "the connection goes on");
    log.durable.store(3, Ordering::SeqCst);
    assert_eq!(waits.take_due().map(|due| due.unconfirmed), Some(vec![1, 2]));
    assert_eq!(waits.take_due(), None, "they ask again for what is not due yet");
}

#[test]
fn once_the_log_has_failed_nothing_is_due() {
    let (log, mut waits) = waits();
    waits.confirm_later(1, LogPosition(5), LogPosition(5));
    log.has_failed.store(true, Ordering::SeqCst);
    assert_eq!(waits.answer_later("never", LogPosition::START), None);
    assert_eq!(waits.take_due(), None);
    assert!(waits.holds_reading());
}

#[test]
fn a_publisher_waits_until_the_log_has_caught_up() {
    let (log, mut waits) = waits();
    waits.wait_if_behind(LogPosition(1));
    assert!(!waits.holds_reading(), "it is not behind");
    log.is_behind.store(true, Ordering::SeqCst);
    waits.wait_if_behind(LogPosition::START);
    assert!(!waits.holds_reading(), "nothing was added to the log");
    waits.wait_if_behind(LogPosition(1));
    assert_eq!(waits.take_due(), None);
    assert!(waits.holds_reading());
    log.behind.lock().drain(..).for_each(|waiter| waiter.wake());
    assert_eq!(waits.take_due(), None);
    assert!(!waits.holds_reading());
}
