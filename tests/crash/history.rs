//! Whole histories: steps, evacuations in the middle of which clients go on, crashes and clean stops; after each the ledger is
//! checked, and the history goes on with what was found.

use std::sync::{Arc, Mutex};

use leveret::internals::store::failure::Remedy;
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, StoredLog};

use crate::actor::Actor;
use crate::disk::{Fault, SimDisk};
use crate::ledger::Look;
use crate::probe::{drain, load_all};
use crate::queues::kind;
use crate::random::Random;
use crate::world::{Scale, World};

/// A history, and where it is.
pub struct History {
    pub scale: Scale,
    pub random: Random,
    pub world: World,
    pub actor: Arc<Mutex<Actor>>,
    /// Evacuations are interrupted by clients.
    has_hook: bool,
}

impl History {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let scale = Scale::of(&mut random);
        let world = World::open(&Arc::default(), &scale, 1_000_000, false).unwrap();
        let actor = Actor::new(&world, Random::new(random.next()), 1_000_000);
        Self { scale, random, world, actor: Arc::new(Mutex::new(actor)), has_hook: true }
    }

    /// Runs steps until there were so many, or until the store has failed.
    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            if self.random.one_in(12) {
                self.make_room();
            } else {
                self.actor.lock().unwrap().step();
            }
            if self.has_ended() {
                // Not of itself.
                let failure = self.world.wal.failure();
                assert!(self.world.disk.has_failed(), "{failure:?}");
                return;
            }
        }
    }

    /// Runs steps although the store has failed.
    pub fn go_on(&mut self, steps: usize) {
        for _ in 0..steps {
            if self.random.one_in(12) {
                self.make_room();
            } else {
                self.actor.lock().unwrap().step();
            }
        }
    }

    /// No clients in the middle of evacuations from now on.
    pub const fn calm(&mut self) {
        self.has_hook = false;
    }

    pub fn has_ended(&self) -> bool {
        self.world.disk.is_off() || self.world.wal.failure().is_some()
    }

    /// An evacuation, with clients in the middle of it.
    pub fn make_room(&mut self) {
        self.with_hook(|world| world.pager.make_room());
    }

    fn with_hook(&mut self, run: impl FnOnce(&World) -> Result<(), leveret::internals::store::StoreError>) {
        self.actor.lock().unwrap().trace.push(format!("{} make_room", self.world.wal.head()));
        if self.has_hook {
            let (actor, mut random) = (Arc::clone(&self.actor), Random::new(self.random.next()));
            self.world.disk.set_hook(Some(Box::new(move |path| {
                for _ in 0..random.below(4) {
                    let mut actor = actor.lock().unwrap();
                    actor.trace.push(format!("  before {path}:"));
                    actor.step();
                }
            })));
        }
        let result = run(&self.world);
        self.world.disk.set_hook(None);
        let mut actor = self.actor.lock().unwrap();
        match result {
            Ok(()) => actor.trace.push("relieved".to_owned()),
            Err(error) => {
                actor.trace.push(format!("relief failed: {error}"));
                if error.remedy() == Remedy::Stop {
                    self.world.wal.fail(error);
                }
            }
        }
    }

    /// What the live broker has is what the ledger says, and what a start without a crash would find.
    pub fn check_live(&self) {
        let mut actor = self.actor.lock().unwrap();
        actor.disconnect();
        // Rejected messages that must be read first are where they were until then.
        load_all(&self.world, actor.now_ms);
        self.world.wal.sync_everything().unwrap();
        assert_eq!(
            Wal::place_of(self.world.wal.durable().unwrap()),
            self.world.wal.head(),
            "something is owed for good"
        );
        let now_ms = actor.now_ms;
        let copy = World::open(&self.world.disk.copy(), &self.scale, now_ms, false).unwrap();
        assert_eq!(copy.head, self.world.wal.head());
        let look = Look { head: copy.head, now_ms, is_restarted: true };
        let replayed = drain(&copy, now_ms);
        assert!(copy.wal.failure().is_none(), "{:?}", copy.wal.failure());
        actor.ledger.clone().check(&replayed, look);
        let live = drain(&self.world, now_ms);
        actor.ledger.clone().check(&live, Look { is_restarted: false, ..look });
        // Where messages are dropped or die while they are taken out, the two need not agree.
        let is_steady = |name| {
            let kind = kind(name);
            kind.max_length.is_none() && !kind.keeps_dead && !kind.is_slow && name != "dead"
        };
        for one in replayed.iter().filter(|one| is_steady(one.queue)) {
            let alike = live.iter().find(|other| other.id == one.id && other.queue == one.queue);
            assert!(alike.is_some_and(|alike| alike.counts == one.counts), "{one:?} is live {alike:?}");
        }
    }

    /// The broker is gone; what is left of its disk is opened, checked and taken over. With the chance of losing power once more
    /// while it starts.
    pub fn crash(&mut self, how: Crash) {
        self.actor.lock().unwrap().trace.push(format!("{} crash: {how:?}", self.world.wal.head()));
        let mut disk = match how {
            Crash::PowerLoss => self.world.disk.power_loss(&mut self.random),
            Crash::Killed => self.world.disk.copy(),
        };
        if self.random.one_in(3) {
            disk.set_fault(Some(Fault::Power { at: 1 + self.random.below(12) as u64 }));
            drop(World::open(&disk, &self.scale, self.actor.lock().unwrap().now_ms, false));
            disk = disk.power_loss(&mut self.random);
        }
        self.restart(&disk);
    }

    /// A clean stop.
    pub fn stop(&mut self) {
        self.actor.lock().unwrap().disconnect();
        self.with_hook(|world| world.pager.finish());
        let disk = self.world.disk.copy();
        self.restart(&disk);
    }

    /// Opens the disk, and checks what is there.
    pub fn restart(&mut self, disk: &Arc<SimDisk>) {
        let mut actor = self.actor.lock().unwrap();
        let now_ms = actor.now_ms;
        let open = |disk: &Arc<SimDisk>| World::open(disk, &self.scale, now_ms, false).unwrap();
        let copy = open(&disk.copy());
        assert!(copy.head >= actor.durable, "{} was durable, and the log ends at {}", actor.durable, copy.head);
        actor.administration.check(&copy, now_ms);
        let look = Look { head: copy.head, now_ms, is_restarted: true };
        let found = drain(&copy, now_ms);
        assert!(copy.wal.failure().is_none(), "{:?}", copy.wal.failure());
        actor.ledger.check(&found, look);
        self.world = open(disk);
        actor.reconnect(&self.world);
        actor.trace.push(format!("found {} messages, log up to {}", found.len(), copy.head));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    PowerLoss,
    Killed,
}

/// Runs a check for one seed after the other; a failure names its seed, and with `LEVERET_SEED` what happened.
pub fn for_seeds(usual: u64, check: impl Fn(&mut History)) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("LEVERET_SEED") {
        Some(seed) => seed..seed + 1,
        None => number("LEVERET_FIRST").unwrap_or(0)..number("LEVERET_SEEDS").unwrap_or(usual),
    };
    let is_single = seeds.end - seeds.start == 1;
    for seed in seeds {
        let mut history = History::new(seed);
        let actor = Arc::clone(&history.actor);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&mut history)));
        if let Err(panic) = result {
            if is_single {
                let actor = actor.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                for line in &actor.trace {
                    eprintln!("{line}");
                }
                eprintln!("{:?}", history.scale);
            }
            eprintln!("repeat with LEVERET_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn nothing_is_lost_and_nothing_returns() {
    for_seeds(200, |history| {
        for _ in 0..1 + history.random.below(6) {
            if history.random.one_in(2) {
                let at = history.world.disk.calls() + 1 + history.random.below(120) as u64;
                history.world.disk.set_fault(Some(Fault::Power { at }));
            }
            let steps = 20 + history.random.below(150);
            history.run(steps);
            if history.has_ended() || history.random.one_in(2) {
                history.crash(Crash::PowerLoss);
            } else if history.random.one_in(2) {
                history.crash(Crash::Killed);
            } else {
                history.stop();
            }
        }
        history.check_live();
    });
}
