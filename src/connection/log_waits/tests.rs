use super::*;
use crate::store::fake_log::FakeLog;

fn waits() -> (Arc<FakeLog>, LogWaits<&'static str>) {
    let log = Arc::new(FakeLog::default());
    let waits = LogWaits::new(Arc::clone(&log) as Arc<dyn Log>, Arc::default());
    (log, waits)
}

#[test]
fn an_answer_waits_for_its_position_and_nothing_is_read_meanwhile() {
    let (log, mut waits) = waits();
    assert_eq!(waits.answer_later("at once", LogPosition::START), Some("at once"));
    assert_eq!(waits.answer_later("later", LogPosition::at(5)), None);
    assert!(waits.holds_reading() && waits.is_answering());
    log.set_durable(4);
    assert_eq!(waits.take_due(), Some(Due { unconfirmed: Vec::new(), answer: None }));
    log.set_durable(5);
    assert_eq!(waits.take_due().and_then(|due| due.answer), Some("later"));
    assert!(!waits.holds_reading() && waits.take_due().is_none());
}

#[test]
fn the_log_is_asked_for_the_first_position_and_each_channel_is_named_once() {
    let (log, mut waits) = waits();
    for (channel, first, last) in [(1, 5, 6), (1, 7, 8), (2, 3, 9)] {
        waits.confirm_later(channel, LogPosition::at(first), LogPosition::at(last));
    }
    assert_eq!((log.waited_for(), log.wanted()), (vec![5, 3], 9));
    assert!(!waits.holds_reading(), "the connection goes on");
    log.set_durable(3);
    assert_eq!(waits.take_due().map(|due| due.unconfirmed), Some(vec![1, 2]));
    assert_eq!(waits.take_due(), None, "they ask again for what is not due yet");
}

#[test]
fn once_the_log_has_failed_nothing_is_due() {
    let (log, mut waits) = waits();
    waits.confirm_later(1, LogPosition::at(5), LogPosition::at(5));
    log.break_down();
    assert_eq!(waits.answer_later("never", LogPosition::START), None);
    assert_eq!(waits.take_due(), None);
    assert!(waits.holds_reading());
}

#[test]
fn a_publisher_waits_until_the_log_has_caught_up() {
    let (log, mut waits) = waits();
    waits.wait_if_behind(LogPosition::at(1));
    assert!(!waits.holds_reading(), "it is not behind");
    log.set_behind(true);
    waits.wait_if_behind(LogPosition::START);
    assert!(!waits.holds_reading(), "nothing was added to the log");
    waits.wait_if_behind(LogPosition::at(1));
    assert_eq!(waits.take_due(), None);
    assert!(waits.holds_reading());
    log.set_behind(false);
    assert_eq!(waits.take_due(), None);
    assert!(!waits.holds_reading());
}
