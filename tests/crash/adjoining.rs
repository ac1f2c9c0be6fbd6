//! Messages are taken out of the middle of a part while it is written: what is left are parts that adjoin in their file. A free
//! stretch may reach over them, and a start must know for each of them what is gone.

use std::sync::{Arc, Mutex};

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::queue::{Choice, NewMessage, QueueHandle, Settlement};
use leveret::internals::broker::sink::{Delivery, Sink};
use leveret::internals::message::{Facts, Message, address};
use leveret::internals::properties::PropertiesEditor;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, Sizes, StoredLog, TransactionId};

use crate::disk::SimDisk;
use crate::probe::{body, drain, load_all};
use crate::queues::PLAIN;
use crate::random::Random;
use crate::world::{Basket, Scale, World};

const NOW_MS: u64 = 1_000_000;
const CHANNEL: ChannelId = ChannelId(7);
const COUNT: u64 = 9;

fn queue(world: &World) -> Arc<QueueHandle> {
    world.vhost.read(|topology| topology.queue(PLAIN.name).cloned()).unwrap()
}

fn publish(world: &World) {
    for id in 0..COUNT {
        let facts = Facts { persistent: id % 4 != 3, ..Facts::default() };
        let memory = Arc::clone(&world.broker.node().memory);
        let (to, properties) = (address("", PLAIN.name.as_bytes()), PropertiesEditor::new().build());
        let message = Message::standalone(&memory, facts, &to, &properties, &body(id, 10));
        let new = NewMessage::published(message, None);
        queue(world).publish([new], TransactionId::NONE, NOW_MS, |_| panic!("it is refused"));
    }
}

/// When the first segment file is made, some messages are delivered from the head of the queue, and others deleted.
fn write_and_take_out(world: &World, delivered: usize, deleted: &[u64]) -> Vec<Delivery> {
    let queue = queue(world);
    let choices: Vec<_> = deleted.iter().map(|id| Choice { position: 0, id: *id }).collect();
    let taken = Arc::new(Mutex::new(None));
    let out = Arc::clone(&taken);
    world.disk.set_hook(Some(Box::new(move |path| {
        if path.starts_with("segments/") && out.lock().unwrap().is_none() {
            assert_eq!(queue.delete_chosen(&choices, NOW_MS).0.len(), choices.len());
            *out.lock().unwrap() = Some((0..delivered).map_while(|_| get(&queue)).collect());
        }
    })));
    world.pager.finish().unwrap();
    world.disk.set_hook(None);
    let deliveries = taken.lock().unwrap().take();
    deliveries.unwrap()
}

fn get(queue: &Arc<QueueHandle>) -> Option<Delivery> {
    let sink: Arc<dyn Sink> = Arc::new(Basket::default());
    Some(queue.get(CHANNEL, &sink, false, NOW_MS).unwrap()?.0)
}

fn restart(world: World, scale: &Scale) -> World {
    while Wal::place_of(world.wal.durable().unwrap()) < world.wal.head() {
        world.wal.commit(true).unwrap();
    }
    World::open(&world.disk.copy(), scale, NOW_MS, false).unwrap()
}

#[test]
fn what_is_gone_is_known_of_each_of_several_parts_that_adjoin() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let scale = Scale::of(&mut random);
        let scale = Scale { budget_bytes: u64::MAX, sizes: Sizes { excess_bytes: u64::MAX, ..scale.sizes }, ..scale };
        let world = World::open(&Arc::new(SimDisk::default()), &scale, NOW_MS, false).unwrap();
        publish(&world);
        let deleted: Vec<_> = (0..COUNT).filter(|_| random.one_in(4)).collect();
        let mut left: Vec<_> = (0..COUNT).filter(|id| !deleted.contains(id)).collect();
        let mut deliveries = write_and_take_out(&world, random.below(4), &deleted);
        while deliveries.len() < left.len() {
            load_all(&world, NOW_MS);
            deliveries.extend(get(&queue(&world)));
        }
        // Acknowledged in some order, several at once or one by one, with a checkpoint in between or not.
        let mut tokens: Vec<_> = deliveries.iter().zip(left.clone()).filter(|_| !random.one_in(3)).collect();
        while !tokens.is_empty() {
            let count = 1 + random.below(tokens.len());
            let from = random.below(tokens.len() - count + 1);
            let acked: Vec<_> = tokens.drain(from..from + count).collect();
            left.retain(|id| acked.iter().all(|(_, other)| other != id));
            queue(&world).settle(
                acked.iter().map(|(delivery, _)| delivery.token.unwrap()),
                Settlement::Acked,
                TransactionId::NONE,
                NOW_MS,
            );
            match random.below(6) {
                0 => world.pager.make_room().unwrap(),
                1 => world.pager.finish().unwrap(),
                _ => {}
            }
        }
        drop(deliveries);
        left.retain(|id| id % 4 != 3);
        let mut world = restart(world, &scale);
        if random.one_in(3) {
            world = restart(world, &scale);
        }
        assert_eq!(queue(&world).counts().ready, left.len(), "seed {seed}: {left:?}");
        let found: Vec<_> = drain(&world, NOW_MS).into_iter().map(|found| found.id).collect();
        assert_eq!(found, left, "seed {seed}");
    }
}
