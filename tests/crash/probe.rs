//! Takes everything out of a broker, as clients would.

use std::sync::Arc;

use leveret::internals::broker::ids::ChannelId;
use leveret::internals::broker::sink::{Delivery, Sink};
use leveret::internals::message::Message;
use leveret::internals::store::Log;
use leveret::internals::table::ValueRef;

use crate::queues::QUEUES;
use crate::world::{Basket, World};

/// A message that was taken out.
#[derive(Clone, Debug)]
pub struct Found {
    pub queue: &'static str,
    pub id: u64,
    pub redelivered: bool,
    pub counts: (u32, u32),
    /// The queues in which it died, the last one first.
    pub deaths: Vec<String>,
}

/// The body of a message: its identity, then bytes that follow from it.
pub fn body(id: u64, length: usize) -> Vec<u8> {
    let mut body = id.to_le_bytes().to_vec();
    body.extend((0..length).map(|at| (id as usize + at * 7) as u8));
    body
}

/// The identity of a message, whose body must be as it was.
pub fn identify(message: &Message) -> u64 {
    let id = u64::from_le_bytes(message.body()[..8].try_into().unwrap());
    assert!(message.body() == body(id, message.body().len() - 8), "the body of message {id} is damaged");
    id
}

/// The queues in which a message died, the last one first.
pub fn deaths(message: &Message) -> Vec<String> {
    let headers = message.properties().headers();
    let mut deaths = Vec::new();
    if let Some(ValueRef::Array(entries)) = headers.and_then(|headers| headers.get("x-death")) {
        for entry in entries.iter() {
            let queue = entry.as_table().and_then(|entry| entry.get("queue")).unwrap();
            deaths.push(String::from_utf8(queue.as_bytes().unwrap().to_vec()).unwrap());
        }
    }
    deaths
}

fn found(queue: &'static str, delivery: &Delivery) -> Found {
    let message = &delivery.message;
    let counts = (delivery.counts.acquired, delivery.counts.failed);
    Found { queue, id: identify(message), redelivered: delivery.redelivered, counts, deaths: deaths(message) }
}

/// Takes everything out that is ready at this time, then what is held back longer.
pub fn drain(world: &World, now_ms: u64) -> Vec<Found> {
    let mut all = Vec::new();
    for now_ms in [now_ms, now_ms + 86_400_000] {
        world.broker.run_deadlines(now_ms);
        loop {
            let before = all.len();
            load_all(world, now_ms);
            for kind in QUEUES {
                drain_queue(world, kind.name, now_ms, &mut all);
            }
            if all.len() == before {
                break;
            }
        }
    }
    all
}

pub fn load_all(world: &World, now_ms: u64) {
    let mut steps = 0;
    loop {
        match world.loader.step(now_ms) {
            Ok(true) => steps += 1,
            Ok(false) => return,
            Err(error) => return world.wal.fail(error),
        }
        assert!(steps < 10_000, "the same is read again and again");
    }
}

/// Ends when the store fails.
fn drain_queue(world: &World, name: &'static str, now_ms: u64, all: &mut Vec<Found>) {
    let sink: Arc<dyn Sink> = Arc::new(Basket::default());
    let queue = world.vhost.read(|topology| topology.queue(name).cloned()).unwrap();
    while let Ok(Some((delivery, _))) = queue.get(ChannelId(9), &sink, true, now_ms) {
        all.push(found(name, &delivery));
    }
    load_all(world, now_ms);
}
