//! Passing over queues that stand still must not show: two engines are told the same histories, one of them looks at everything each time.

use std::collections::BTreeSet;

use super::*;

/// Queues of the histories; each has its place.
const QUEUES: usize = 5;

/// What happens to one queue between two rounds.
#[derive(Clone, Copy, Debug)]
enum Event {
    Published(u64),
    Taken(u64),
    Delivered(u64),
    Acked(u64),
    Redelivered(u64),
    Died(u64),
    Consumers(u64),
    Paused,
    Waits,
    /// It obeys another policy.
    Policy(usize),
    /// Dead letters begin, or cease, to end there: nothing of the queue itself moves.
    End,
    /// Something touched it and changed nothing.
    Touched,
    /// It is deleted, and one of the same name is declared.
    Replaced,
    /// It is deleted, or declared.
    Gone,
}

#[derive(Clone, Debug)]
struct QueueOfStory {
    name: Arc<str>,
    is_there: bool,
    sample: QueueSample,
    policies: Option<Arc<Applied>>,
    is_end: bool,
    /// Until when the engine that passes queues over lets it rest.
    rests_until_ms: u64,
}

impl QueueOfStory {
    fn new(place: usize, id: u64) -> Self {
        let name = format!("q{place}").as_str().into();
        Self { name, is_there: true, sample: sample(id), policies: None, is_end: false, rests_until_ms: 0 }
    }

    fn tell(&mut self, event: Event, fresh_id: &mut u64) {
        let now = &mut self.sample;
        match event {
            Event::Published(count) => {
                now.ready += count;
                now.next_seq += count;
            }
            Event::Taken(count) => now.ready -= count.min(now.ready),
            Event::Delivered(count) => {
                let count = count.min(now.ready);
                now.ready -= count;
                now.unacked += count;
                now.deliveries += count;
                now.delivered += count;
            }
            Event::Acked(count) => now.unacked -= count.min(now.unacked),
            Event::Redelivered(count) => {
                now.delivered += count;
                now.redelivered += count;
            }
            Event::Died(count) => now.deaths += count,
            Event::Consumers(count) => now.consumers = count,
            Event::Paused => now.is_paused = !now.is_paused,
            Event::Waits => now.is_wait_queue = !now.is_wait_queue,
            Event::Policy(which) => self.policies = policies(which),
            Event::End => {
                self.is_end = !self.is_end;
                return;
            }
            Event::Touched => {}
            Event::Replaced => {
                *fresh_id += 1;
                self.sample = sample(*fresh_id);
            }
            Event::Gone => {
                *fresh_id += 1;
                self.is_there = !self.is_there;
                self.sample = sample(*fresh_id);
            }
        }
        let now = &mut self.sample;
        now.messages = now.ready + now.unacked;
        now.oldest_ready = (now.ready > 0).then(|| now.next_seq - now.ready);
        now.oldest_delivery = (now.unacked > 0).then(|| now.deliveries + 1 - now.unacked);
        self.rests_until_ms = 0;
    }
}

fn policies(which: usize) -> Option<Arc<Applied>> {
    let definition = match which {
        0 => return None,
        1 => serde_json::json!({ "leveret-alert-no-consumers": 7, "leveret-alert-depth": 5_000 }),
        _ => serde_json::json!({ "leveret-alert-ready-age": 33, "leveret-alert-unacked-age": 21 }),
    };
    policy(&definition).map(Arc::new)
}

/// One engine, and what it knows of the topology.
struct Looker {
    engine: Engine,
    vhost: Arc<str>,
    /// It looks at everything in each round.
    all: bool,
    known: BTreeSet<u64>,
    looks: usize,
}

impl Looker {
    fn new(all: bool) -> Self {
        // With room for two alerts, others have to wait.
        Self { engine: Engine::with_room(2), vhost: "/".into(), all, known: BTreeSet::new(), looks: 0 }
    }

    /// One round, as `round` does it.
    fn round(&mut self, now_ms: u64, queues: &mut [QueueOfStory]) -> Vec<Change> {
        self.engine.begin(now_ms);
        let there: BTreeSet<_> = queues.iter().filter(|queue| queue.is_there).map(|queue| queue.sample.id.0).collect();
        let ends = queues.iter().filter(|queue| queue.is_there && queue.is_end).map(|queue| queue.sample.id).collect();
        let (watched, (board, moment)) = self.engine.vhost(&self.vhost);
        if there != self.known {
            watched.keep((&mut *board, moment), &self.vhost, |queue| there.contains(&queue.0));
            self.known = there;
        }
        let has_changed = watched.dead_letter_queues != ends;
        watched.dead_letter_queues = ends;
        for queue in queues.iter_mut().filter(|queue| queue.is_there) {
            let must_look = self.all || has_changed || watched.has_room_for_waiting(board);
            if !must_look && queue.rests_until_ms > now_ms {
                continue;
            }
            self.looks += 1;
            let last = watched.queues.get(&queue.sample.id).and_then(|watched| watched.last.clone());
            let has_moved = self.all || queue.rests_until_ms == 0;
            let (sample, policies) =
                last.filter(|_| !has_moved).unwrap_or_else(|| (queue.sample, queue.policies.clone()));
            let place = QueuePlace { vhost: &self.vhost, name: &queue.name, is_exempt: false };
            let until_ms = watched.queue((&mut *board, moment), place, &sample, policies);
            if !self.all {
                queue.rests_until_ms = until_ms;
            }
        }
        self.engine.finish()
    }

    /// How old the messages of a queue are said to be.
    fn ages(&self, queue: &QueueOfStory, now_ms: u64) -> Option<[Option<u64>; 2]> {
        let watched = self.engine.watched("/", queue.sample.id)?;
        let ready_ms = queue.sample.oldest_ready.and_then(|number| watched.ready_ages.age_ms(number, now_ms));
        let unacked_ms = queue.sample.oldest_delivery.and_then(|number| watched.delivery_ages.age_ms(number, now_ms));
        Some([ready_ms, unacked_ms])
    }
}

fn events() -> impl Strategy<Value = Event> {
    let few = || prop_oneof![0..5_u64, 0..3_000_u64, 0..20_000_u64];
    prop_oneof![
        4 => few().prop_map(Event::Published),
        2 => few().prop_map(Event::Taken),
        2 => few().prop_map(Event::Delivered),
        1 => few().prop_map(Event::Acked),
        1 => (0..300_u64).prop_map(Event::Redelivered),
        1 => (0..5_u64).prop_map(Event::Died),
        2 => (0..3_u64).prop_map(Event::Consumers),
        1 => Just(Event::Paused),
        1 => Just(Event::Waits),
        1 => (0..3_usize).prop_map(Event::Policy),
        1 => Just(Event::End),
        1 => Just(Event::Touched),
        1 => Just(Event::Replaced),
        1 => Just(Event::Gone),
    ]
}

/// Rounds: how long after the one before, and what happens before it. Mostly nothing.
fn rounds() -> impl Strategy<Value = Vec<(u64, Vec<(usize, Event)>)>> {
    let apart_ms = prop_oneof![8 => Just(ROUND_MS), 2 => 5_000..5_100_u64, 1 => 1..100_000_u64, 1 => Just(600_000)];
    let happens = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec((0..QUEUES, events()), 1..4),
    ];
    prop::collection::vec((apart_ms, happens), 1..120)
}

proptest! {
    #[test]
    fn passing_over_what_stands_still_does_not_show(rounds in rounds()) {
        let mut queues: Vec<_> = (0..QUEUES).map(|place| QueueOfStory::new(place, place as u64)).collect();
        let (mut thorough, mut resting) = (Looker::new(true), Looker::new(false));
        let (mut now_ms, mut fresh_id) = (1_000_000, QUEUES as u64);
        for (apart_ms, events) in rounds {
            now_ms += apart_ms;
            for (place, event) in events {
                queues[place].tell(event, &mut fresh_id);
            }
            let expected = thorough.round(now_ms, &mut queues);
            prop_assert_eq!(resting.round(now_ms, &mut queues), expected);
            let (lists, ages) = (resting.engine.list(), |looker: &Looker| {
                queues.iter().filter(|queue| queue.is_there).map(|queue| looker.ages(queue, now_ms + 700)).collect::<Vec<_>>()
            });
            let expected = thorough.engine.list();
            prop_assert_eq!((lists.looked_at_ms, lists.active), (expected.looked_at_ms, expected.active));
            prop_assert_eq!(lists.history, expected.history);
            prop_assert_eq!(ages(&resting), ages(&thorough));
            let depths = |looker: &Looker| looker.engine.depths().map(|(_, depths)| depths).collect::<Vec<_>>();
            prop_assert_eq!(depths(&resting), depths(&thorough));
        }
    }
}

/// A queue in which nothing moves is looked at twice, when time alone raises something, and once a minute.
#[test]
fn a_queue_that_stands_still_is_left_alone() {
    let mut queues = vec![QueueOfStory::new(0, 1)];
    queues[0].tell(Event::Published(7), &mut 1);
    let mut resting = Looker::new(false);
    let mut changes = Vec::new();
    for round in 1..=144 {
        changes.extend(resting.round(1_000_000 + round * ROUND_MS, &mut queues).iter().map(told));
    }
    assert_eq!(changes, ["+no_consumers"]);
    let waited = "Queue 'q0' in virtual host '/' has had no consumer for 715 s, while 7 messages wait.";
    assert_eq!(resting.engine.list().active[0].text, waited, "it is said of the last round nevertheless");
    assert!(resting.looks <= 14, "{} looks in 144 rounds", resting.looks);
}
