//! Publishers and consumers, slow ones, such that vanish, and rings of those that forward, with their sockets simulated and in any
//! order: nobody waits for a client, and queues stay short while consumers take what they are given.

use proptest::prelude::*;

use super::*;

/// What a socket holds in each direction.
const SOCKET_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 128 * 1024;
const BODY_BYTES: usize = 2_000;
/// The length of a delivery with a tag, a queue and a routing key of one letter.
const DELIVERY_BYTES: usize = (8 + 4 + 2 + 8 + 1 + 1 + 2) + (8 + 14) + (8 + BODY_BYTES);
/// See `broker/queue/pace/lead`.
const AHEAD_BYTES_MAX: u64 = 1024 * 1024;
/// What is encoded ahead of the socket.
const OUTPUT_BYTES: usize = 520 * 1024;
/// See `patience`.
const PATIENCE_MS_MAX: u64 = 10;
const PATIENCE_BYTES_PER_MS: usize = 128 * 1024;
const PATIENCE_DELIVERY_BYTES: usize = 8 * 1024;

/// A choice of what happens next, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }

    /// So many places in any order.
    fn order_of(&mut self, count: usize) -> Vec<usize> {
        let mut places: Vec<_> = (0..count).collect();
        (1..count).rev().for_each(|last| places.swap(last, self.below(last + 1)));
        places
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Reads {
    AtOnce,
    Slowly,
    Never,
}

/// A client that publishes to one queue, consumes from another one, or does the second for each message of the first.
struct Actor {
    client: Client,
    to: Option<u8>,
    /// What it has not written yet.
    unsent: usize,
    reads: Reads,
    is_forwarding: bool,
    prefetch: usize,
    /// What its socket holds of what it is sent.
    socket_bytes: usize,
    /// Bytes that it has not read.
    unread_bytes: usize,
    read_bytes: usize,
    acked: usize,
    incoming: Vec<u8>,
    is_gone: bool,
}

impl Actor {
    fn new(hosting: &Arc<Hosting>) -> Self {
        Self {
            client: Client::open(hosting),
            to: None,
            unsent: 0,
            reads: Reads::AtOnce,
            is_forwarding: false,
            prefetch: 0,
            socket_bytes: SOCKET_BYTES,
            unread_bytes: 0,
            read_bytes: 0,
            acked: 0,
            incoming: Vec::new(),
            is_gone: false,
        }
    }

    fn publisher(hosting: &Arc<Hosting>, to: u8, count: usize) -> Self {
        Self { to: Some(to), unsent: count, ..Self::new(hosting) }
    }

    fn consumer(hosting: &Arc<Hosting>, from: u8, reads: Reads, prefetch: u16) -> Self {
        let mut actor = Self { reads, prefetch: usize::from(prefetch), ..Self::new(hosting) };
        let qos = method(1, (60, 10), &[&[0; 4][..], &prefetch.to_be_bytes(), &[0]].concat());
        let flags = if prefetch == 0 { NO_ACK } else { 0 };
        actor.client.send(&[qos, declare(1, &[from]), consume(1, &[from], flags)].concat());
        actor.client.read();
        actor
    }

    fn forwarder(hosting: &Arc<Hosting>, from: u8, to: u8) -> Self {
        Self { to: Some(to), is_forwarding: true, ..Self::consumer(hosting, from, Reads::AtOnce, 0) }
    }

    fn received(&self) -> usize {
        self.read_bytes / DELIVERY_BYTES
    }

    /// The client writes, and reads if it is not busy with that: whether it did something.
    fn act(&mut self) -> bool {
        let mut acts = false;
        while let Some(to) = self.to.filter(|_| self.unsent > 0 && self.incoming.len() < SOCKET_BYTES) {
            self.incoming.extend(publish(1, &[to], &[7; BODY_BYTES]));
            self.unsent -= 1;
            acts = true;
        }
        let limit = match self.reads {
            Reads::Never => 0,
            Reads::Slowly => 1_000,
            // One that cannot write does not read.
            Reads::AtOnce if self.is_forwarding && self.unsent > 0 => 0,
            Reads::AtOnce => usize::MAX,
        };
        let count = self.unread_bytes.min(limit);
        let before = self.received();
        self.unread_bytes -= count;
        self.read_bytes += count;
        if self.is_forwarding {
            self.unsent += self.received() - before;
        }
        if self.prefetch > 0 && self.received() > self.acked && self.incoming.len() < SOCKET_BYTES {
            self.acked = self.received();
            self.incoming.extend(method(1, (60, 80), &[&(self.acked as u64).to_be_bytes()[..], &[1]].concat()));
            acts = true;
        }
        acts || count > 0
    }

    /// What the driver does when it is woken: whether it did something.
    fn drive(&mut self, now_ms: u64) -> bool {
        let session = &mut self.client.session;
        if session.next_deadline_ms().is_some_and(|at_ms| at_ms <= now_ms) {
            session.on_timer(now_ms);
        }
        session.deliver(now_ms);
        let (mut is_refused, mut writes, mut sent_bytes) = (false, 0, 0);
        while writes < 16
            && let Some(output) = session.output().filter(|output| !output.is_empty())
        {
            let count = output.pending_bytes().min(self.socket_bytes - self.unread_bytes);
            is_refused = count == 0;
            if is_refused {
                break;
            }
            output.advance(count);
            self.unread_bytes += count;
            sent_bytes += count as u64;
            writes += 1;
            session.deliver(now_ms);
        }
        session.outbox().set_refused(is_refused);
        session.written(sent_bytes, now_ms);
        session.deliver(now_ms);
        session.begin_turn();
        let before = self.client.unused.len() + self.incoming.len();
        if session.wants_read() {
            let count = self.incoming.len().min(READ_BYTES);
            self.client.unused.extend(self.incoming.drain(..count));
            let used = session.receive(&self.client.unused, now_ms);
            self.client.unused.drain(..used);
        }
        writes > 0 || self.client.unused.len() + self.incoming.len() < before
    }

    fn vanish(&mut self) {
        self.client.session.end(None, 0);
        self.is_gone = true;
        (self.unsent, self.unread_bytes) = (0, 0);
        self.incoming.clear();
    }
}

struct World {
    hosting: Arc<Hosting>,
    actors: Vec<Actor>,
    now_ms: u64,
}

impl World {
    fn new(actors: impl FnOnce(&Arc<Hosting>) -> Vec<Actor>) -> Self {
        let hosting = hosting();
        let mut declaring = Actor::new(&hosting);
        for queue in b"abcdefgh" {
            declaring.client.send(&declare(2, &[*queue]));
            declaring.client.read();
        }
        let mut actors = actors(&hosting);
        actors.push(declaring);
        Self { hosting, actors, now_ms: 0 }
    }

    fn level(&self, queue: u8) -> u64 {
        let vhost = self.hosting.broker.vhost("/").expect("it is there");
        let name = String::from_utf8(vec![queue]).expect("a letter");
        let queue = vhost.read(|topology| topology.queue(&name).cloned()).expect("it was declared");
        queue.level()
    }

    /// Lets things happen in any order.
    fn happen(&mut self, dice: &mut Dice, count: usize) {
        for _ in 0..count {
            let place = dice.below(self.actors.len());
            let actor = &mut self.actors[place];
            if !actor.is_gone && dice.below(2) == 0 {
                actor.act();
            } else if !actor.is_gone {
                actor.drive(self.now_ms);
            }
            self.now_ms += u64::from(dice.below(4) == 0);
        }
    }

    /// Everybody in turn, until nobody does anything more, also after all patience is over.
    fn settle(&mut self) {
        self.come_to_rest();
        self.now_ms += PATIENCE_MS_MAX;
        self.come_to_rest();
    }

    fn come_to_rest(&mut self) {
        let mut is_moving = true;
        while is_moving {
            is_moving = false;
            for actor in self.actors.iter_mut().filter(|actor| !actor.is_gone) {
                is_moving |= actor.drive(self.now_ms);
            }
        }
    }

    fn waiting(&self) -> usize {
        self.actors.iter().filter(|actor| !actor.is_gone && !actor.client.session.wants_read()).count()
    }

    fn received(&self) -> usize {
        self.actors.iter().filter(|actor| !actor.is_forwarding).map(Actor::received).sum()
    }
}

const READS: [Reads; 3] = [Reads::AtOnce, Reads::Slowly, Reads::Never];

fn anybody(hosting: &Arc<Hosting>, dice: &mut Dice) -> Vec<Actor> {
    let queue = |dice: &mut Dice| b"abc"[dice.below(3)];
    let mut actors = Vec::new();
    for _ in 0..1 + dice.below(6) {
        let (to, count) = (queue(dice), dice.below(600));
        actors.push(Actor::publisher(hosting, to, count));
    }
    for _ in 0..1 + dice.below(6) {
        let (from, reads) = (queue(dice), READS[dice.below(3)]);
        let prefetch = [0, 1, 100][dice.below(3)];
        actors.push(Actor::consumer(hosting, from, reads, prefetch));
    }
    for (from, to) in [(b'a', b'd'), (b'd', b'e'), (b'e', b'a')] {
        if dice.below(2) == 0 {
            actors.push(Actor::forwarder(hosting, from, to));
        }
    }
    actors
}

/// What each publisher of a [`flow`] brings.
const MESSAGES: usize = 1_500;

/// Publishers to one queue, and its consumers.
fn flow(publishers: usize, consumers: impl FnOnce(&Arc<Hosting>) -> Vec<Actor>) -> World {
    World::new(|hosting| {
        let mut actors: Vec<_> = (0..publishers).map(|_| Actor::publisher(hosting, b'a', MESSAGES)).collect();
        actors.extend(consumers(hosting));
        actors
    })
}

fn taking_all(hosting: &Arc<Hosting>) -> Actor {
    Actor { socket_bytes: 64 * SOCKET_BYTES, ..Actor::consumer(hosting, b'a', Reads::AtOnce, 0) }
}

/// Lets a flow pass to its end: how long its queue was at most.
fn longest_queue(world: &mut World, dice: &mut Dice, publishers: usize) -> u64 {
    let mut longest = 0;
    // A millisecond each.
    let mut rounds = 0;
    while world.received() < publishers * MESSAGES {
        for place in dice.order_of(world.actors.len()) {
            // A publisher is served much more often than a consumer.
            let times = if world.actors[place].to.is_some() { 1 + dice.below(30) } else { 1 };
            for _ in 0..times {
                world.actors[place].act();
                world.actors[place].drive(rounds);
            }
            longest = longest.max(world.level(b'a'));
        }
        rounds += 1;
        assert!(rounds < 100_000, "{} of {} received", world.received(), publishers * MESSAGES);
    }
    longest
}

/// So long may a queue be whose consumers take what they are given.
fn long_for(publishers: usize) -> u64 {
    AHEAD_BYTES_MAX + (publishers as u64 + 1) * 2 * READ_BYTES as u64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// The broker alone, without any client doing anything, comes to a rest in which it reads from everybody.
    #[test]
    fn nobody_waits_for_a_client(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut world = World::new(|hosting| anybody(hosting, &mut dice));
        for _ in 0..8 {
            let count = dice.below(150);
            world.happen(&mut dice, count);
            if dice.below(10) == 0 {
                let gone = dice.below(world.actors.len() - 1);
                if !world.actors[gone].is_gone {
                    world.actors[gone].vanish();
                }
            }
            world.settle();
            prop_assert_eq!(world.waiting(), 0);
        }
    }

    /// Clients that forward in a ring, each of which writes before it reads, pass everything on.
    #[test]
    fn rings_of_forwarding_clients_do_not_stand_still(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut world = World::new(|hosting| {
            let ring = [(b'a', b'b'), (b'b', b'c'), (b'c', b'a')];
            let mut actors: Vec<_> = ring.map(|(from, to)| Actor::forwarder(hosting, from, to)).into();
            actors.push(Actor::publisher(hosting, b'a', 200 + dice.below(300)));
            actors
        });
        for _ in 0..5 {
            let before: Vec<_> = world.actors.iter().map(Actor::received).collect();
            let count = 300 + dice.below(200);
            world.happen(&mut dice, count);
            let is_moving = world.actors.iter().zip(&before).filter(|(actor, _)| actor.is_forwarding);
            for (actor, before) in is_moving {
                prop_assert!(actor.received() > *before || actor.received() == 0);
            }
        }
    }

    /// As long as consumers take what they are given, a queue is never much longer than what its publishers bring at once.
    #[test]
    fn queues_stay_short_while_consumers_take_what_they_are_given(seed in any::<u64>(), publishers in 1..6_usize) {
        let mut dice = Dice(seed);
        let consumers = 1 + dice.below(3);
        let mut world = flow(publishers, |hosting| (0..consumers).map(|_| taking_all(hosting)).collect());
        let longest = longest_queue(&mut world, &mut dice, publishers);
        prop_assert!(longest <= long_for(publishers), "{longest} bytes with {publishers} publishers");
    }

    /// That some consumers take one message after another, each slow by itself, changes nothing for one that takes all it is given.
    #[test]
    fn slow_consumers_beside_one_that_takes_all_make_no_queue_long(seed in any::<u64>(), publishers in 1..6_usize) {
        let mut dice = Dice(seed);
        let slow = 1 + dice.below(8);
        let mut world = flow(publishers, |hosting| {
            let slow = (0..slow).map(|_| Actor::consumer(hosting, b'a', Reads::AtOnce, 1));
            std::iter::once(taking_all(hosting)).chain(slow).collect()
        });
        let longest = longest_queue(&mut world, &mut dice, publishers);
        prop_assert!(longest <= long_for(publishers), "{longest} bytes with {publishers} publishers and {slow} slow consumers");
    }

    /// Consumers that read slowly, or not at all, or that have no credit, cost a publisher no more than the patience that they earn.
    #[test]
    fn a_consumer_that_is_slow_by_itself_makes_nobody_wait(seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut world = World::new(|hosting| {
            let reads = READS[1 + dice.below(2)];
            let prefetch = [0, 1, 100][dice.below(3)];
            vec![Actor::publisher(hosting, b'a', 800), Actor::consumer(hosting, b'a', reads, prefetch)]
        });
        let mut waited_ms = 0;
        for now_ms in 0.. {
            let before = world.actors[0].unsent + world.actors[0].incoming.len();
            if before == 0 {
                break;
            }
            world.actors[1].act();
            world.actors[1].drive(now_ms);
            world.actors[0].act();
            world.actors[0].drive(now_ms);
            let after = world.actors[0].unsent + world.actors[0].incoming.len();
            waited_ms += usize::from(after == before);
            let taken = world.actors[1].read_bytes + world.actors[1].unread_bytes;
            // What is encoded and not taken counts, too.
            let deliveries = (taken + OUTPUT_BYTES) / DELIVERY_BYTES;
            let earned = taken + deliveries * PATIENCE_DELIVERY_BYTES;
            prop_assert!(waited_ms <= earned / PATIENCE_BYTES_PER_MS, "{waited_ms} ms for {taken} bytes, {after} to come");
        }
    }
}

/// A queue whose consumers keep up has nothing to do with one that is too long, though one connection consumes from both.
#[test]
fn a_short_queue_makes_nobody_wait_whatever_another_queue_does() {
    let mut world = World::new(|hosting| {
        let mut consumer = Actor::consumer(hosting, b'a', Reads::AtOnce, 0);
        consumer.client.send(&[declare(1, b"b"), consume(1, b"b", NO_ACK)].concat());
        consumer.client.read();
        vec![Actor::publisher(hosting, b'a', 3_000), Actor::publisher(hosting, b'b', 100), consumer]
    });
    let [flooding, other, ..] = &mut *world.actors else { panic!("there are three") };
    for _ in 0..40 {
        flooding.act();
        flooding.drive(0);
    }
    assert!(!flooding.client.session.wants_read(), "its queue is too long");
    for _ in 0..40 {
        other.act();
        other.drive(0);
        assert!(other.client.session.wants_read());
    }
}

/// Whatever goes wrong, a publisher goes on in the end.
#[test]
fn a_wait_is_over_after_a_second() {
    let mut world = World::new(|hosting| {
        vec![Actor::publisher(hosting, b'a', 3_000), Actor::consumer(hosting, b'a', Reads::AtOnce, 0)]
    });
    let [publisher, ..] = &mut *world.actors else { panic!("there are two") };
    for _ in 0..40 {
        publisher.act();
        publisher.drive(0);
    }
    let session = &mut publisher.client.session;
    assert!(!session.wants_read());
    assert_eq!(session.next_deadline_ms(), Some(1_000));
    session.on_timer(999);
    assert!(!session.wants_read());
    session.on_timer(1_000);
    assert!(session.wants_read() && session.next_deadline_ms().is_none());
}
