//! A record of a declaration or a deletion is damaged: a salvaged start keeps all messages, of each queue under one name.

use std::sync::Arc;

use leveret::internals::broker::administration::VhostSettings;
use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::{NewMessage, QueueHandle};
use leveret::internals::broker::router::RoutingKeys;
use leveret::internals::broker::sink::Sink;
use leveret::internals::broker::vhost::Vhost;
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::{StoredLog, TransactionId};
use leveret::internals::table::Value;

use crate::disk::SimDisk;
use crate::probe::{body, identify, load_all};
use crate::queues::{self, Kind, NOBODY, PLAIN};
use crate::random::Random;
use crate::world::{Basket, Scale, World};

const NOW_MS: u64 = 1_000_000;
/// Bytes in front of the first group of a file of the log.
const FILE_HEAD_BYTES: u64 = 4096;

fn scale() -> Scale {
    let scale = Scale::of(&mut Random::new(1));
    Scale { sizes: leveret::internals::store::Sizes { log_file_bytes: 1 << 20, ..scale.sizes }, ..scale }
}

fn sync(world: &World) {
    world.wal.sync_everything().unwrap();
    world.wal.seal();
    world.wal.commit(false).unwrap();
}

fn message(world: &World, id: u64, delay_ms: Option<i64>) -> Message {
    let facts = Facts { persistent: true, ..Facts::default() };
    let mut editor = PropertiesEditor::new();
    if let Some(delay_ms) = delay_ms {
        editor.set_header("x-delay", &Value::I64(delay_ms));
    }
    let memory = Arc::clone(&world.broker.node().memory);
    Message::standalone(&memory, facts, &address("", b"plain"), &editor.build(), &body(id, 10))
}

fn publish(world: &World, vhost: &Vhost, name: &str, id: u64) {
    let queue = vhost.read(|topology| topology.queue(name).cloned()).unwrap();
    let new = NewMessage::published(message(world, id, None), None);
    queue.publish([new], TransactionId::NONE, NOW_MS, |_| panic!("it is refused"));
}

/// What the change appends to the log is damaged, and nothing else.
fn damaged_by(world: &World, change: impl FnOnce()) -> (u64, u64) {
    sync(world);
    let from = world.wal.head();
    change();
    let until = world.wal.head();
    sync(world);
    assert!(from < until, "it is recorded");
    (from, until)
}

/// A start after these bytes were damaged, and one more, which has nothing to say.
fn salvaged(world: &World, (from, until): (u64, u64)) -> World {
    sync(world);
    sync(world);
    let disk = world.disk.copy();
    for at in (from..until).step_by(8) {
        disk.flip("wal/0000000000.log", (FILE_HEAD_BYTES + at) as usize, 1);
    }
    assert!(World::open(&disk.copy(), &scale(), NOW_MS, false).is_err(), "the damage is not noticed");
    let first = World::open(&disk, &scale(), NOW_MS, true).unwrap();
    assert!(!first.report.skipped.is_empty());
    World::open(&first.disk.copy(), &scale(), NOW_MS, false).unwrap()
}

/// Names and messages of all queues that have any.
fn all(world: &World, vhost: &str) -> Vec<(String, Vec<u64>)> {
    let vhost = world.broker.vhost(vhost).unwrap();
    let queues: Vec<_> = vhost.read(|topology| topology.queues().cloned().collect());
    for queue in &queues {
        let by_name = vhost.read(|topology| topology.queue(&queue.spec.name).map(|found| found.id));
        assert_eq!(by_name, Some(queue.id), "'{}' is found by its name", queue.spec.name);
    }
    let mut found: Vec<_> = queues.iter().map(|queue| (queue.spec.name.to_string(), take_all(world, queue))).collect();
    found.retain(|(_, ids)| !ids.is_empty());
    found.sort();
    found
}

fn take_all(world: &World, queue: &Arc<QueueHandle>) -> Vec<u64> {
    let sink: Arc<dyn Sink> = Arc::new(Basket::default());
    let mut ids = Vec::new();
    loop {
        load_all(world, NOW_MS);
        let Some((delivery, _)) = queue.get(ChannelId(9), &sink, true, NOW_MS).unwrap() else { return ids };
        ids.push(identify(&delivery.message));
    }
}

fn id_of(world: &World, name: &str) -> u64 {
    world.vhost.read(|topology| topology.queue(name).map(|queue| queue.id.0)).unwrap()
}

fn world() -> World {
    World::open(&Arc::new(SimDisk::default()), &scale(), NOW_MS, false).unwrap()
}

#[test]
fn a_queue_whose_deletion_is_lost_gives_its_name_to_the_later_one() {
    for (is_moved, is_taken) in [(false, false), (true, false), (false, true)] {
        let world = world();
        let old = id_of(&world, PLAIN.name);
        (0..3).for_each(|id| publish(&world, &world.vhost, PLAIN.name, id));
        if is_moved {
            world.pager.make_room().unwrap();
        }
        let kept = format!("lost+found.{old}");
        if is_taken {
            let name: &'static str = kept.clone().leak();
            Kind { name, ..PLAIN }.declare(&world.vhost, NOW_MS);
            publish(&world, &world.vhost, name, 7);
        }
        let place = damaged_by(&world, || {
            world.vhost.delete_queue(PLAIN.name, false, false, NOBODY).unwrap();
        });
        PLAIN.declare(&world.vhost, NOW_MS);
        (3..5).for_each(|id| publish(&world, &world.vhost, PLAIN.name, id));
        let later = salvaged(&world, place);
        let mut expected = vec![(kept.clone(), vec![0, 1, 2]), (PLAIN.name.to_owned(), vec![3, 4])];
        if is_taken {
            expected = vec![(kept.clone(), vec![7]), (format!("{kept}.1"), vec![0, 1, 2]), expected.remove(1)];
        }
        assert_eq!(all(&later, "/"), expected);
        later.vhost.delete_queue(PLAIN.name, false, false, NOBODY).unwrap();
        assert!(later.vhost.read(|topology| topology.queue(&kept).is_some()));
    }
}

#[test]
fn messages_of_a_queue_whose_declaration_is_lost_are_kept() {
    let world = world();
    let place = damaged_by(&world, || Kind { name: "extra", ..PLAIN }.declare(&world.vhost, NOW_MS));
    (0..3).for_each(|id| publish(&world, &world.vhost, "extra", id));
    let name = format!("lost+found.{}", id_of(&world, "extra"));
    // Nobody keeps what was in a queue of which the deletion is told.
    Kind { name: "gone", ..PLAIN }.declare(&world.vhost, NOW_MS);
    publish(&world, &world.vhost, "gone", 9);
    world.vhost.delete_queue("gone", false, false, NOBODY).unwrap();
    assert_eq!(all(&salvaged(&world, place), "/"), [(name, vec![0, 1, 2])]);
}

#[test]
fn a_virtual_host_is_made_again_for_the_queues_that_are_in_it() {
    let world = world();
    let place = damaged_by(&world, || _ = world.broker.put_vhost("other", VhostSettings::default(), None).unwrap());
    let other = world.broker.vhost("other").unwrap();
    queues::declare_all(&other, NOW_MS);
    (0..3).for_each(|id| publish(&world, &other, PLAIN.name, id));
    assert_eq!(all(&salvaged(&world, place), "other"), [(PLAIN.name.to_owned(), vec![0, 1, 2])]);
}

#[test]
fn what_an_exchange_held_back_whose_deletion_is_lost_the_later_one_delivers() {
    let world = world();
    let keys = RoutingKeys::single(PLAIN.name.as_bytes());
    let hold = |id| {
        let message = message(&world, id, Some(50));
        let route = world.vhost.route("later", &keys, message.properties()).unwrap();
        world.vhost.hold(&route.holds, &NewMessage::published(message, None), TransactionId::NONE, NOW_MS);
    };
    hold(1);
    let place = damaged_by(&world, || world.vhost.delete_exchange("later", false).unwrap());
    queues::declare_all(&world.vhost, NOW_MS);
    hold(2);
    let later = salvaged(&world, place);
    later.broker.run_deadlines(NOW_MS + 60);
    assert_eq!(all(&later, "/"), [(PLAIN.name.to_owned(), vec![1, 2])]);
}
