use proptest::prelude::*;

use super::*;

const AHEAD: u64 = lead::AHEAD_BYTES_FIRST;

/// Somebody makes a queue longer, up to this level.
fn brings(pace: &mut Pace<u8>, who: u8, bytes: u64, level: u64) -> bool {
    pace.wait_if_ahead(&who, (level - bytes, level), || true)
}

fn goes_on(pace: &mut Pace<u8>, left: u64, level: u64, is_served: bool) -> Vec<u8> {
    let mut on = Vec::new();
    pace.go_on(left, level, is_served, &mut on);
    on
}

#[test]
fn only_who_makes_a_long_queue_longer_while_a_consumer_is_served_waits() {
    let mut pace = Pace::default();
    assert!(!brings(&mut pace, 1, 10, AHEAD), "it is not too long");
    assert!(!pace.wait_if_ahead(&1, (AHEAD + 10, AHEAD + 10), || true), "it is not longer");
    assert!(!pace.wait_if_ahead(&1, (0, AHEAD + 10), || false), "no consumer is served");
    assert!(pace.is_empty());
    assert!(brings(&mut pace, 1, 10, AHEAD + 10));
    assert!(!pace.is_empty());
}

/// However long the queue is, publishers are not kept until it is short: they bring half of what leaves.
#[test]
fn twice_as_much_leaves_as_was_brought_before_the_next_goes_on() {
    let (mut pace, level) = (Pace::default(), 100 * AHEAD);
    assert!(brings(&mut pace, 1, 100, level));
    assert!(brings(&mut pace, 2, 50, level + 50));
    assert!(!brings(&mut pace, 2, 50, level + 100), "it is the last one in the line already");
    assert_eq!(goes_on(&mut pace, 199, level, true), [0; 0]);
    assert_eq!(goes_on(&mut pace, 1, level, true), [1]);
    assert!(brings(&mut pace, 1, 100, level));
    assert_eq!(goes_on(&mut pace, 199, level, true), [0; 0]);
    assert_eq!(goes_on(&mut pace, 1, level, true), [2]);
    assert_eq!(goes_on(&mut pace, 200, level, true), [1]);
    assert!(pace.is_empty());
}

#[test]
fn as_many_go_on_as_a_short_queue_has_room_for() {
    let mut pace = Pace::default();
    for who in 1..=4 {
        brings(&mut pace, who, AHEAD / 2, 10 * AHEAD);
    }
    assert_eq!(goes_on(&mut pace, 0, AHEAD / 2 + 1, true), [0; 0]);
    assert_eq!(goes_on(&mut pace, 0, 0, true), [1, 2]);
    assert_eq!(goes_on(&mut pace, 0, AHEAD / 2, true), [3]);
    // What one brings at a time may be more than that.
    brings(&mut pace, 5, 3 * AHEAD, 10 * AHEAD);
    assert_eq!(goes_on(&mut pace, 0, 0, true), [4]);
    assert_eq!(goes_on(&mut pace, 0, 0, true), [5]);
}

#[test]
fn all_go_on_when_no_consumer_is_served() {
    let mut pace = Pace::default();
    for who in 1..=3 {
        brings(&mut pace, who, 100, 10 * AHEAD);
    }
    assert_eq!(goes_on(&mut pace, 0, 10 * AHEAD, false), [1, 2, 3]);
    assert!(pace.is_empty());
}

/// Publishers that are slow tell nothing of the consumers.
#[test]
fn the_lead_is_measured_while_somebody_waits() {
    let mut pace = Pace::default();
    let mut now_ms = 1_000;
    for _ in 0..100 {
        now_ms += 1_000;
        pace.note_time(now_ms);
        brings(&mut pace, 1, AHEAD, 10 * AHEAD);
        now_ms += 1;
        pace.note_time(now_ms);
        assert_eq!(goes_on(&mut pace, 40_000, 10 * AHEAD - 40_000, true), [0; 0]);
        assert_eq!(goes_on(&mut pace, 0, 0, true), [1]);
    }
    assert!(!brings(&mut pace, 1, 10, AHEAD + 50_000), "the lead is longer by now");
}

#[derive(Clone, Debug)]
enum Step {
    Brings(u8, u64),
    Leaves(u64, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..5_u8, 1..2 * AHEAD).prop_map(|(who, bytes)| Step::Brings(who, bytes)),
        (0..2 * AHEAD, prop::bool::weighted(0.9)).prop_map(|(bytes, is_served)| Step::Leaves(bytes, is_served)),
    ]
}

proptest! {
    /// Whoever waits goes on in the order of the line, at the latest when twice has left what was brought since the line began.
    #[test]
    fn everybody_goes_on_in_turn(steps in prop::collection::vec(step(), 1..100)) {
        let (mut pace, mut line) = (Pace::default(), Vec::new());
        let (mut level, mut brought, mut left) = (0_u64, 0, 0);
        for step in steps {
            match step {
                // Who waits brings nothing.
                Step::Brings(who, _) if line.contains(&who) => {}
                Step::Brings(who, bytes) => {
                    level += bytes;
                    if brings(&mut pace, who, bytes, level) {
                        line.push(who);
                        brought += bytes;
                    }
                }
                Step::Leaves(bytes, is_served) => {
                    let bytes = bytes.min(level);
                    level -= bytes;
                    left += bytes;
                    let on = goes_on(&mut pace, bytes, level, is_served);
                    prop_assert_eq!(&line[..on.len()], &on[..]);
                    line.drain(..on.len());
                    prop_assert!(is_served || line.is_empty());
                    prop_assert!(left < 2 * brought || line.is_empty());
                    prop_assert!(level > 0 || !on.is_empty() || line.is_empty());
                }
            }
            prop_assert_eq!(pace.is_empty(), line.is_empty());
            if line.is_empty() {
                (brought, left) = (0, 0);
            }
        }
    }
}
