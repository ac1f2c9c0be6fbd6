use super::*;

const QUEUE: Owner = Owner::Queue(QueueId(1));

fn looked(numbers: &[(u64, u64)]) -> Rates {
    let rates = Rates::default();
    for (now_ms, number) in numbers {
        rates.look(*now_ms).note(QUEUE, &[*number]);
    }
    rates
}

fn rate(rates: &Rates) -> f64 {
    rates.details(QUEUE, 1, None)[0].rate
}

#[test]
fn a_rate_is_the_change_between_the_last_two_looks() {
    assert!((rate(&looked(&[(0, 0), (5_000, 10)])) - 2.0).abs() < 1e-9);
    assert!((rate(&looked(&[(0, 0), (5_000, 0), (10_000, 0), (15_000, 50)])) - 10.0).abs() < 1e-9);
}

#[test]
fn what_stands_still_has_no_rate_and_costs_one_entry() {
    let rates = looked(&[(0, 0), (5_000, 10), (10_000, 10), (15_000, 10)]);
    assert!(rate(&rates).abs() < 1e-9);
    assert_eq!(rates.looks.lock().histories[&QUEUE].len(), 2);
}

#[test]
fn what_never_counted_anything_costs_nothing() {
    let rates = looked(&[(0, 0), (5_000, 0)]);
    assert!(rates.looks.lock().histories.is_empty());
    rates.look(10_000).note(QUEUE, &[10]);
    assert!((rate(&rates) - 2.0).abs() < 1e-9, "before, it had counted nothing");
}

#[test]
fn before_the_first_look_there_are_no_samples() {
    let details = &looked(&[]).details(QUEUE, 1, Some(Range { age_ms: 10_000, step_ms: 5_000 }))[0];
    assert_eq!((details.avg, details.avg_rate, details.samples.as_deref()), (Some(0.0), Some(0.0), Some(&[][..])));
}

#[test]
fn what_never_counted_anything_has_samples_of_nothing() {
    let rates = looked(&[(0, 0), (5_000, 0)]);
    let details = &rates.details(QUEUE, 2, Some(Range { age_ms: 10_000, step_ms: 5_000 }))[1];
    let samples: Vec<_> = details.samples.as_ref().unwrap().iter().map(|s| (s.timestamp, s.sample)).collect();
    assert_eq!(samples, [(5_000, 0), (0, 0)], "no time is told twice");
    assert_eq!((details.avg, details.avg_rate), (Some(0.0), Some(0.0)));
    assert_eq!(rates.details(QUEUE, 1, None)[0].samples, None, "nobody asked");
}

#[test]
fn what_is_gone_is_forgotten() {
    let rates = Rates::default();
    rates.look(0).note(Owner::Exchange(ExchangeId(1)), &[10]);
    assert_eq!(rates.looks.lock().histories.len(), 1);
    drop(rates.look(5_000));
    assert!(rates.looks.lock().histories.is_empty());
}

#[test]
fn a_queue_that_stands_still_may_be_passed_over() {
    let rates = looked(&[(0, 0), (5_000, 10)]);
    (2..=1 + ROUNDS_OF_REST).for_each(|look| drop(rates.look(look * 5_000)));
    assert!(rate(&rates).abs() < 1e-9, "it has not moved since");
    let range = Range { age_ms: 15_000, step_ms: 5_000 };
    assert_eq!(samples(&rates, range), [(65_000, 10), (60_000, 10), (55_000, 10), (50_000, 10)]);
    // It moves again: what was known held until the look before.
    rates.look(70_000).note(QUEUE, &[20]);
    assert!((rate(&rates) - 2.0).abs() < 1e-9);
    assert_eq!(samples(&rates, range), [(70_000, 20), (65_000, 10), (60_000, 10), (55_000, 10)]);
    (15..=15 + ROUNDS_OF_REST).for_each(|look| drop(rates.look(look * 5_000)));
    assert!(rates.looks.lock().histories.is_empty(), "it is gone, or it would have had its turn");
}

#[test]
fn what_does_not_move_is_still_since_a_look() {
    let rates = looked(&[(5_000, 10), (10_000, 10), (15_000, 10)]);
    assert_eq!(rates.still_since(&QUEUE, &[10], 1_000), Some(5_000));
    assert_eq!(rates.still_since(&QUEUE, &[10], 7_000), Some(7_000), "it was not there before");
    assert_eq!(rates.still_since(&QUEUE, &[11], 1_000), None, "it moves");
    let other = Owner::Exchange(ExchangeId(1));
    assert_eq!(rates.still_since(&other, &[0], 1_000), Some(1_000), "it never moved");
    assert_eq!(rates.still_since(&other, &[1], 1_000), None);
}

#[test]
fn samples_go_back_as_far_as_asked() {
    let rates = looked(&[(0, 0), (5_000, 10), (10_000, 30)]);
    let details = &rates.details(QUEUE, 1, Some(Range { age_ms: 10_000, step_ms: 5_000 }))[0];
    let samples: Vec<_> = details.samples.as_ref().unwrap().iter().map(|s| (s.timestamp, s.sample)).collect();
    assert_eq!(samples, [(10_000, 30), (5_000, 10), (0, 0)]);
    assert!((details.avg_rate.unwrap() - 3.0).abs() < 1e-9);
}

fn samples(rates: &Rates, range: Range) -> Vec<(u64, u64)> {
    let details = &rates.details(QUEUE, 1, Some(range))[0];
    details.samples.as_ref().unwrap().iter().map(|sample| (sample.timestamp, sample.sample)).collect()
}

/// Before the first look RabbitMQ says 0, too: a broker that was started with messages has a step there.
#[test]
fn before_its_first_look_an_object_has_samples_of_nothing() {
    let range = Range { age_ms: 20_000, step_ms: 5_000 };
    let restored = looked(&[(50_000, 7), (55_000, 7)]);
    assert_eq!(samples(&restored, range), [(55_000, 7), (50_000, 7), (45_000, 0), (40_000, 0), (35_000, 0)]);
    // The looks are not at even times.
    let uneven = looked(&[(51_234, 7), (56_240, 9)]);
    assert_eq!(samples(&uneven, range), [(55_000, 9), (50_000, 7), (45_000, 0), (40_000, 0), (35_000, 0)]);
}

#[test]
fn what_is_not_known_any_more_is_left_out() {
    let rates = Rates::default();
    let day_ms = 24 * 60 * 60 * 1000;
    for look in 0..2 * day_ms / 20_000 {
        rates.look(look * 20_000).note(QUEUE, &[look + 1]);
    }
    let samples = samples(&rates, Range { age_ms: 2 * day_ms, step_ms: 10 * 60 * 60 * 1000 });
    assert_eq!(samples.len(), 3, "0, 10 and 20 hours ago: {samples:?}");
    assert!(samples.is_sorted_by(|later, earlier| later.1 > earlier.1), "none twice: {samples:?}");
}

#[test]
fn a_minute_an_hour_and_a_day_are_kept_ever_more_coarsely() {
    let rates = Rates::default();
    let day_ms = 24 * 60 * 60 * 1000;
    for look in 0..2 * day_ms / INTERVAL_MS {
        rates.look(look * INTERVAL_MS).note(QUEUE, &[look]);
    }
    let last = 2 * day_ms / INTERVAL_MS - 1;
    let kept = rates.looks.lock().histories[&QUEUE].len();
    assert!((300..=CHANGES_MAX + OLDER_MAX).contains(&kept), "{kept}");
    let at = |age_ms: u64| {
        let details = rates.details(QUEUE, 1, Some(Range { age_ms, step_ms: age_ms }));
        let sample = details[0].samples.as_ref().unwrap().last().unwrap().sample;
        (last - age_ms / INTERVAL_MS).abs_diff(sample) * INTERVAL_MS
    };
    assert_eq!(at(50_000), 0, "within a minute");
    assert!(at(30 * 60_000) <= 60_000, "within an hour");
    assert!(at(day_ms - 600_000) <= 300_000, "within a day");
}

#[test]
fn many_objects_share_one_budget() {
    let (few, many, very_many) = (of_objects(10), of_objects(10_000), of_objects(10_000_000));
    assert_eq!((few.recent, few.older), (CHANGES_MAX, OLDER_MAX));
    assert!(10_000 * (many.recent + many.older) <= BUDGET);
    assert_eq!((very_many.recent, very_many.older), (2, 0));
}

#[test]
fn what_is_forgotten_begins_anew() {
    let rates = looked(&[(0, 0), (5_000, 10)]);
    rates.forget();
    assert!(rate(&rates).abs() < 1e-9);
}

#[test]
fn what_does_not_move_is_written_as_everything_else() {
    let details = |rate: f64| Details { rate, ..Details::default() };
    let (still, moving) = (details(0.0), details(2.5));
    assert_eq!(serde_json::to_string(&[&still, &moving]).unwrap(), r#"[{"rate":0.0},{"rate":2.5}]"#);
    assert_eq!(serde_json::to_value(still).unwrap(), serde_json::json!({ "rate": 0.0 }));
    let sampled =
        looked(&[(0, 0), (5_000, 10)]).details(QUEUE, 1, Some(Range { age_ms: 5_000, step_ms: 5_000 })).remove(0);
    assert_eq!(
        serde_json::to_string(&sampled).unwrap(),
        r#"{"rate":2.0,"avg":5.0,"avg_rate":2.0,"samples":[{"sample":10,"timestamp":5000},{"sample":0,"timestamp":0}]}"#
    );
}
