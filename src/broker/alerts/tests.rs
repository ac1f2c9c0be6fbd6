//! The rules over made-up samples.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::board::ACTIVE_MAX;
use super::engine::Engine;
use super::watched_vhost::QueuePlace;
use super::*;
use crate::broker::definitions::{ApplyTo, PolicyDefinition};
use crate::broker::policies::{Applied, PolicySet, Subject, find_key};
use crate::broker::queue::QueueSample;
use crate::broker::queue::arguments::QueueKind;
use crate::metrics::MessageStats;

mod resting;

const ROUND_MS: u64 = 5_000;

pub(super) fn sample(id: u64) -> QueueSample {
    QueueSample {
        id: QueueId(id),
        messages: 0,
        ready: 0,
        unacked: 0,
        consumers: 0,
        is_paused: false,
        is_wait_queue: false,
        next_seq: 0,
        oldest_ready: None,
        deliveries: 0,
        oldest_delivery: None,
        delivered: 0,
        redelivered: 0,
        deaths: 0,
        passed: MessageStats::default(),
    }
}

/// An engine with one queue, and the time.
struct Stage {
    engine: Engine,
    vhost: Arc<str>,
    policies: Option<Applied>,
    now_ms: u64,
    /// Whether dead letters end in the queue.
    is_end: bool,
}

impl Default for Stage {
    fn default() -> Self {
        Self { engine: Engine::default(), vhost: "/".into(), policies: None, now_ms: 0, is_end: false }
    }
}

impl Stage {
    /// One round after five seconds: what changed, as `+rule` and `-rule`.
    fn round(&mut self, sample: &QueueSample) -> Vec<String> {
        self.now_ms += ROUND_MS;
        self.engine.begin(self.now_ms);
        self.note("q", sample, false);
        self.engine.finish().iter().map(told).collect()
    }

    /// Takes down one sample.
    fn note(&mut self, name: &str, sample: &QueueSample, is_exempt: bool) {
        let sample = &QueueSample { messages: sample.ready + sample.unacked, ..*sample };
        let (watched, moment) = self.engine.vhost(&self.vhost);
        watched.dead_letter_queues.clear();
        watched.dead_letter_queues.extend(self.is_end.then_some(sample.id));
        let place = QueuePlace { vhost: &self.vhost, name: &name.into(), is_exempt };
        watched.queue(moment, place, sample, self.policies.clone().map(Arc::new));
    }

    fn watched(&self) -> Option<&Watched> {
        self.engine.watched("/", QueueId(1))
    }

    fn rounds(&mut self, count: usize, sample: &QueueSample) -> Vec<String> {
        (0..count).flat_map(|_| self.round(sample)).collect()
    }
}

fn told(change: &Change) -> String {
    match change {
        Change::Raised(alert) => format!("+{}", alert.rule),
        Change::Cleared(alert) => format!("-{}", alert.rule),
    }
}

#[test]
fn a_queue_that_nobody_consumes_is_told_of_once_and_with_numbers() {
    let mut stage = Stage::default();
    let waiting = QueueSample { ready: 7, next_seq: 7, oldest_ready: Some(0), ..sample(1) };
    assert_eq!(stage.rounds(13, &waiting), Vec::<String>::new(), "not before a minute is over");
    assert_eq!(stage.rounds(20, &waiting), ["+no_consumers"]);
    let list = stage.engine.list();
    let alert = &list.active[0];
    assert_eq!(alert.text, "Queue 'q' in virtual host '/' has had no consumer for 160 s, while 7 messages wait.");
    assert_eq!((alert.value, alert.threshold, alert.cleared_at_ms), (160, 60, None));
    assert_eq!(stage.round(&QueueSample { consumers: 1, ..waiting }), ["-no_consumers"]);
    let list = stage.engine.list();
    assert_eq!((list.active.len(), list.history.len()), (0, 1));
    assert_eq!(list.history[0].cleared_at_ms, Some(stage.now_ms));
    assert_eq!(stage.rounds(40, &QueueSample { is_paused: true, ..waiting }), Vec::<String>::new(), "it is paused");
    assert_eq!(stage.rounds(40, &QueueSample { is_wait_queue: true, ..waiting }), Vec::<String>::new(), "it waits");
}

#[test]
fn where_dead_letters_end_only_their_own_rule_tells() {
    let mut stage = Stage { is_end: true, ..Stage::default() };
    let lying = |ready: u64| QueueSample { ready, next_seq: ready, oldest_ready: Some(0), ..sample(1) };
    assert_eq!(stage.rounds(40, &lying(100)), Vec::<String>::new(), "nobody is missed");
    assert_eq!(stage.rounds(40, &lying(101)), ["+dead_letter_queue"]);
    stage.is_end = false;
    assert_eq!(stage.rounds(40, &lying(101)), ["-dead_letter_queue", "+no_consumers"]);
}

/// What the rules say of one thing, and of two.
#[test]
fn one_is_not_said_as_many() {
    for rule in RULES {
        let said = |count: u64| {
            let queue = watched::Measured {
                ready: count,
                messages: count,
                consumers: count,
                unacked: count,
                deaths: count,
                ..watched::Measured::default()
            };
            let node = watched::MeasuredNode { blocked_connections: count, ..watched::MeasuredNode::default() };
            match rule.measures {
                rules::Measures::Queue(_, text) => text("Queue 'q'", &queue),
                rules::Measures::Node(_, text) => text(&node),
                // It counts twenty, or says nothing.
                rules::Measures::Vhost(..) => String::new(),
            }
        };
        let (one, two) = (said(1), said(2));
        let wrong = ["1 messages", "1 consumers", "1 ready messages", "1 connections", "1 unacknowledged messages"];
        assert!(!wrong.iter().any(|wrong| one.contains(wrong)), "{one}");
        let wrong = ["2 message ", "2 consumer.", "2 ready message ", "2 connection ", "2 unacknowledged message "];
        assert!(!wrong.iter().any(|wrong| two.contains(wrong)), "{two}");
    }
}

#[test]
fn what_waits_for_long_is_old() {
    let mut stage = Stage::default();
    let busy = QueueSample { ready: 5, next_seq: 5, oldest_ready: Some(0), consumers: 1, ..sample(1) };
    assert_eq!(stage.rounds(61, &busy), Vec::<String>::new());
    assert_eq!(stage.rounds(2, &busy), ["+ready_age"]);
    // A younger message is at the head now.
    let next = QueueSample { next_seq: 9, oldest_ready: Some(7), ..busy };
    assert_eq!(stage.round(&next), ["-ready_age"]);
    let held = QueueSample { unacked: 1, deliveries: 3, oldest_delivery: Some(2), consumers: 1, ..sample(1) };
    assert_eq!(stage.rounds(181, &held), Vec::<String>::new());
    assert_eq!(stage.rounds(2, &held), ["+unacked_age"]);
    assert_eq!(stage.round(&QueueSample { oldest_delivery: None, unacked: 0, ..held }), ["-unacked_age"]);
}

#[test]
fn growth_is_told_of_while_it_lasts() {
    let mut stage = Stage { is_end: true, ..Stage::default() };
    let depth = |ready: u64| QueueSample { ready, next_seq: ready, oldest_ready: Some(0), consumers: 1, ..sample(1) };
    let changes: Vec<_> = (0..14).flat_map(|round| stage.round(&depth(100 + round * 100))).collect();
    assert_eq!(changes, ["+dead_letter_queue", "+growth"]);
    assert_eq!(stage.round(&depth(1_399)), ["-growth"], "it became less");
}

#[test]
fn deaths_and_redeliveries_count_within_a_minute() {
    let mut stage = Stage::default();
    stage.round(&sample(1));
    let died = QueueSample { deaths: 2, delivered: 1_000, redelivered: 600, consumers: 1, ..sample(1) };
    assert_eq!(stage.round(&died), ["+dead_letters", "+redelivery_loop"]);
    let changes = stage.rounds(20, &died);
    assert_eq!(changes.iter().collect::<BTreeSet<_>>().len(), 2, "{changes:?}");
    assert!(changes.contains(&"-dead_letters".to_owned()) && changes.contains(&"-redelivery_loop".to_owned()));
}

#[test]
fn a_virtual_host_and_the_node_have_rules_of_their_own() {
    let mut stage = Stage::default();
    let mut round = |published: u64, unroutable: u64, node: watched::MeasuredNode| {
        stage.now_ms += ROUND_MS;
        stage.engine.begin(stage.now_ms);
        let (watched, moment) = stage.engine.vhost(&stage.vhost);
        watched.publishes(moment, &stage.vhost, published, unroutable);
        stage.engine.node(node);
        stage.engine.finish().iter().map(told).collect::<Vec<_>>()
    };
    let calm = watched::MeasuredNode::default();
    assert!(round(0, 0, calm).is_empty());
    assert_eq!(round(100, 30, calm), ["+unroutable"]);
    assert!(round(100, 30, calm).is_empty());
    let alarmed = watched::MeasuredNode { blocked_connections: 2, memory_alarm: true, ..calm };
    assert_eq!(round(100, 30, alarmed), ["+memory_alarm"]);
    assert!(round(100, 30, alarmed).is_empty());
    assert!(round(100, 30, alarmed).is_empty());
    assert_eq!(round(100, 30, alarmed), ["+blocked_connections"]);
    assert_eq!(round(100, 30, calm), ["-blocked_connections", "-memory_alarm"]);
}

#[test]
fn what_is_gone_ends_and_leaves_nothing_behind() {
    let mut stage = Stage { is_end: true, ..Stage::default() };
    let deep = QueueSample { ready: 20_000, next_seq: 20_000, oldest_ready: Some(0), consumers: 1, ..sample(1) };
    assert_eq!(stage.round(&deep), ["+depth", "+dead_letter_queue"]);
    stage.now_ms += ROUND_MS;
    stage.engine.begin(stage.now_ms);
    let (watched, moment) = stage.engine.vhost(&stage.vhost);
    assert_eq!(watched.depths, [20_000, 20_000, 0]);
    watched.keep(moment, &stage.vhost, |_| false);
    assert_eq!(watched.depths, [0; 3]);
    let changes: Vec<_> = stage.engine.finish().iter().map(told).collect();
    assert_eq!(changes, ["-depth", "-dead_letter_queue"]);
    assert!(stage.watched().is_none());
    assert_eq!(stage.round(&deep), ["+depth", "+dead_letter_queue"]);
    stage.now_ms += ROUND_MS;
    stage.engine.begin(stage.now_ms);
    let changes: Vec<_> = stage.engine.finish().iter().map(told).collect();
    assert_eq!(changes, ["-depth", "-dead_letter_queue"], "with its virtual host");
}

#[test]
fn nothing_is_kept_of_a_queue_that_never_had_a_message() {
    let mut stage = Stage::default();
    assert!(stage.rounds(3, &QueueSample { consumers: 1, ..sample(1) }).is_empty());
    assert!(stage.watched().is_none());
    stage.round(&QueueSample { ready: 1, next_seq: 1, oldest_ready: Some(0), ..sample(1) });
    assert!(stage.watched().is_some());
}

#[test]
fn alerts_are_bounded() {
    let mut stage = Stage::default();
    for round in 0..3 {
        stage.now_ms += ROUND_MS;
        stage.engine.begin(stage.now_ms);
        for id in 0..3_000 {
            let ready = if round == 1 { 0 } else { 20_000 };
            let deep = QueueSample { ready, consumers: 1, ..sample(id) };
            stage.note(&id.to_string(), &deep, false);
        }
        stage.engine.finish();
        let list = stage.engine.list();
        assert!(list.active.len() <= ACTIVE_MAX && list.history.len() <= HISTORY_MAX);
    }
    assert_eq!(stage.engine.list().history.len(), HISTORY_MAX);
}

#[test]
fn nothing_is_raised_for_what_is_exempt() {
    let mut stage = Stage { is_end: true, ..Stage::default() };
    stage.engine.begin(ROUND_MS);
    stage.note("amq.gen", &QueueSample { ready: 1_000_000, ..sample(1) }, true);
    assert_eq!(stage.engine.finish(), []);
}

proptest! {
    /// Whatever is sampled: each alert is raised above its threshold and over below it, never twice in a row, and a depth between the
    /// two thresholds changes nothing.
    #[test]
    fn alerts_neither_flap_nor_get_lost(depths in prop::collection::vec(0..15_000_u64, 1..60)) {
        let mut stage = Stage::default();
        let mut is_raised = false;
        for ready in depths {
            let now = QueueSample { ready, consumers: 1, next_seq: ready, ..sample(1) };
            let changes = stage.round(&now);
            let raised = changes.iter().filter(|change| *change == "+depth").count();
            let cleared = changes.iter().filter(|change| *change == "-depth").count();
            let expected = match (is_raised, ready) {
                (false, 10_001..) => (1, 0),
                (true, ..=8_000) => (0, 1),
                _ => (0, 0),
            };
            prop_assert_eq!((raised, cleared), expected, "at {}", ready);
            is_raised = (is_raised || raised == 1) && cleared == 0;
            let list = stage.engine.list();
            prop_assert_eq!(list.active.iter().any(|alert| alert.rule == "depth"), is_raised);
            let ids: BTreeSet<_> = list.active.iter().chain(&list.history).map(|alert| alert.id).collect();
            prop_assert_eq!(ids.len(), list.active.len() + list.history.len());
        }
    }
}

#[test]
fn the_table_makes_sense() {
    let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
    assert!(RULES.len() <= 32, "there is a bit for each rule");
    assert!(RULES.iter().all(|rule| rule.clear <= rule.raise && rule.next_step.ends_with('.')));
}

pub(super) fn policy(definition: &serde_json::Value) -> Option<Applied> {
    let definition = definition.as_object().unwrap().clone();
    let (vhost, name, pattern, apply_to) = ("/".to_owned(), "p".to_owned(), ".*".to_owned(), ApplyTo::All);
    let policy = PolicyDefinition { vhost, name, pattern, apply_to, definition, priority: 0, is_operator: false };
    let applied = PolicySet::new(vec![policy], 1).applied("q", Subject::Queue(QueueKind::Classic));
    applied.map(|applied| (*applied).clone())
}

#[test]
fn a_policy_sets_other_thresholds() {
    let policies =
        policy(&serde_json::json!({ "leveret-alert-depth": 5, "leveret-alert-dead-letter-queue": 1_000_000 }));
    let mut stage = Stage { policies, ..Stage::default() };
    let depth = |ready: u64| QueueSample { ready, consumers: 1, next_seq: ready, ..sample(1) };
    assert_eq!(stage.round(&depth(5)), Vec::<String>::new());
    assert_eq!(stage.round(&depth(6)), ["+depth"]);
    assert_eq!(stage.engine.list().active[0].threshold, 5);
    // Four fifths, as without a policy.
    assert_eq!(stage.round(&depth(5)), Vec::<String>::new());
    assert_eq!(stage.round(&depth(4)), ["-depth"]);
    stage.policies = None;
    assert_eq!(stage.round(&depth(6)), Vec::<String>::new());
}

#[test]
fn each_key_of_a_rule_is_one_of_policies() {
    let keys: Vec<_> = RULES.iter().filter_map(|rule| rule.policy_key).collect();
    assert!(keys.iter().all(|key| find_key(key, false).is_some() && find_key(key, true).is_some()), "{keys:?}");
    assert_eq!(keys.len(), 8);
}
