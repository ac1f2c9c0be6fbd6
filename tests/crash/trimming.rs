//! A policy makes a queue shorter while messages are in memory, in the log and in files; then the power is lost. What was confirmed
//! and not dropped is there, and what was dropped is gone once that is durable.

use std::sync::Arc;

use leveret::internals::broker::definitions::{ApplyTo, PolicyDefinition};
use leveret::internals::broker::queue::NewMessage;
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, StoredLog, TransactionId};
use serde_json::json;

use crate::disk::SimDisk;
use crate::probe::{body, drain, load_all};
use crate::queues::PLAIN;
use crate::random::Random;
use crate::world::{Scale, World};

const NOW_MS: u64 = 1_000_000;

fn publish(world: &World, id: u64, random: &mut Random) {
    let facts = Facts { persistent: true, ..Facts::default() };
    let (to, properties) = (address("", PLAIN.name.as_bytes()), PropertiesEditor::new().build());
    let bytes = body(id, random.below(200));
    let message = Message::standalone(&world.broker.node().memory, facts, &to, &properties, &bytes);
    let queue = world.vhost.read(|topology| topology.queue(PLAIN.name).cloned()).unwrap();
    queue.publish([NewMessage::published(message, None)], TransactionId::NONE, NOW_MS, |_| panic!("it is refused"));
}

fn put_policy(world: &World, max_length: usize) {
    let definition = [("max-length".to_owned(), json!(max_length))].into_iter().collect();
    let policy = PolicyDefinition {
        vhost: "/".to_owned(),
        name: "short".to_owned(),
        pattern: "^plain$".to_owned(),
        apply_to: ApplyTo::All,
        definition,
        priority: 0,
        is_operator: false,
    };
    world.broker.put_policy(policy, NOW_MS).unwrap();
}

/// Does what the broker's own threads do.
fn work(world: &World, random: &mut Random) {
    match random.below(6) {
        0 => world.pager.make_room().unwrap(),
        1 => world.pager.finish().unwrap(),
        2 => load_all(world, NOW_MS),
        3 => world.broker.run_deadlines(NOW_MS),
        _ => world.wal.commit(!random.one_in(3)).unwrap(),
    }
}

#[test]
fn what_a_policy_left_is_there_after_a_crash_and_nothing_else() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let scale = Scale::of(&mut random);
        let world = World::open(&Arc::new(SimDisk::default()), &scale, NOW_MS, false).unwrap();
        let (count, max_length) = (10 + random.below(30) as u64, random.below(12));
        let put_at = random.below(count as usize) as u64;
        // Where the log ended after each message, and with the policy obeyed by all that was read.
        let mut published = Vec::new();
        let mut policy = None;
        for id in 0..count {
            publish(&world, id, &mut random);
            published.push(world.wal.head());
            if id == put_at {
                let before = world.wal.head();
                put_policy(&world, max_length);
                policy = Some((before, world.wal.head()));
            }
            work(&world, &mut random);
        }
        let durable = Wal::place_of(world.wal.durable().unwrap());
        let disk = if random.one_in(2) { world.disk.copy() } else { world.disk.power_loss(&mut random) };
        let world = World::open(&disk, &scale, NOW_MS, false).unwrap();
        assert!(world.head >= durable, "seed {seed}");
        let known = published.iter().filter(|head| **head <= world.head).count();
        let is_short = world.broker.policy("/", "short", false).is_some();
        let (before, after) = policy.unwrap();
        assert!(if is_short { world.head > before } else { world.head < after }, "seed {seed}: the policy");
        world.broker.run_deadlines(NOW_MS);
        load_all(&world, NOW_MS);
        let found: Vec<_> = drain(&world, NOW_MS).into_iter().map(|found| found.id).collect();
        let left = if is_short { known.min(max_length) } else { known };
        let expected: Vec<_> = (0..known as u64).skip(known - left).collect();
        assert_eq!(found, expected, "seed {seed}: of {known}, {left} may stay");
    }
}
