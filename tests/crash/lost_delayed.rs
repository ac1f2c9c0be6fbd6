//! A delayed message that cannot be read back when its file is rewritten: it is lost by itself, and the start after that is whole.

use std::sync::Arc;

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::{NewMessage, Settlement};
use leveret::internals::broker::router::RoutingKeys;
use leveret::internals::broker::sink::Sink;
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::{Sizes, TransactionId};
use leveret::internals::table::Value;

use crate::disk::SimDisk;
use crate::probe::{body, drain};
use crate::queues::PLAIN;
use crate::random::Random;
use crate::world::{Basket, Scale, World};

const NOW_MS: u64 = 1_000_000;
const CHANNEL: ChannelId = ChannelId(7);

fn message(world: &World, id: u64, editor: &PropertiesEditor<'_>) -> Message {
    let facts = Facts { persistent: true, ..Facts::default() };
    let memory = Arc::clone(&world.broker.node().memory);
    Message::standalone(&memory, facts, &address("", b"plain"), &editor.build(), &body(id, 100))
}

fn hold(world: &World, id: u64) {
    let mut editor = PropertiesEditor::new();
    editor.set_header("x-delay", &Value::I64(50));
    let message = message(world, id, &editor);
    let keys = RoutingKeys::single(PLAIN.name.as_bytes());
    let route = world.vhost.route("later", &keys, message.properties()).unwrap();
    world.vhost.hold(&route.holds, &NewMessage::published(message, None), TransactionId::NONE, NOW_MS);
}

fn unreadable(world: &World) -> u64 {
    world.broker.node().registry.message_stats_by_vhost().get("/").map_or(0, |stats| stats.unreadable)
}

#[test]
fn a_delayed_message_that_is_damaged_when_its_file_is_rewritten_is_lost_alone() {
    let sizes = Sizes { log_file_bytes: 32_768, segment_file_bytes: 65_536, block_bytes: 8192, excess_bytes: 0 };
    let scale = Scale { sizes, window_bytes: 65_536, ..Scale::of(&mut Random::new(1)) };
    let world = World::open(&Arc::new(SimDisk::default()), &scale, NOW_MS, false).unwrap();
    let queue = world.vhost.read(|topology| topology.queue(PLAIN.name).cloned()).unwrap();
    for id in 10..20 {
        let new = NewMessage::published(message(&world, id, &PropertiesEditor::new()), None);
        queue.publish([new], TransactionId::NONE, NOW_MS, |_| panic!("it is refused"));
    }
    (1..=2).for_each(|id| hold(&world, id));
    world.pager.finish().unwrap();
    let sink: Arc<dyn Sink> = Arc::new(Basket::default());
    while let Some((delivery, _)) = queue.get(CHANNEL, &sink, false, NOW_MS).unwrap() {
        queue.settle(delivery.token, Settlement::Acked, TransactionId::NONE, NOW_MS);
    }
    let (damaged, at) = place_of(&world.disk, &body(1, 100));
    world.disk.flip(&damaged, at, 1);
    // What is left is rewritten; the file that it was in goes with the next checkpoint.
    world.pager.make_room().unwrap();
    world.pager.make_room().unwrap();
    assert!(!world.disk.contents().contains_key(&damaged), "{:?}", world.disk.files());
    let later = World::open(&world.disk.copy(), &scale, NOW_MS, false).unwrap();
    for world in [&world, &later] {
        let found: Vec<_> = drain(world, NOW_MS).iter().map(|found| found.id).collect();
        assert_eq!((found, world.wal.failure().is_none()), (vec![2], true));
    }
    assert_eq!(unreadable(&world), 1);
}

/// The segment file that has these bytes, and where.
fn place_of(disk: &SimDisk, bytes: &[u8]) -> (String, usize) {
    let files = disk.contents().into_iter().filter(|(path, _)| path.starts_with("segments"));
    let mut places = files.filter_map(|(path, file)| {
        let at = file.windows(bytes.len()).position(|window| window == bytes)?;
        Some((path, at))
    });
    places.next().expect("it was moved")
}
