//! What must be in the queues, by the promises that the broker made.
//!
//! Everything that happens to a message is known by the positions of the log between which it was recorded. From where
//! the log ended that was found after a crash follows whether it happened, did not happen, or may have.

use std::collections::BTreeMap;

use crate::probe::Found;
use crate::queues::{DELIVERY_LIMIT, kind};

/// Where something was recorded: not before `from`, whole at `to`.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

impl Span {
    pub const ALWAYS: Self = Self { from: 0, to: 0 };
    /// The end of what nobody depends on yet.
    pub const UNTOLD: u64 = u64::MAX;

    /// Recorded as one, up to this position.
    pub const fn exact(position: u64) -> Self {
        Self { from: position.saturating_sub(1), to: position }
    }

    /// Whether it happened, when the log ends here; `None` if it may have.
    const fn at(self, head: u64) -> Option<bool> {
        if self.to <= head {
            Some(true)
        } else if self.from >= head {
            Some(false)
        } else {
            None
        }
    }
}

/// A message in the queue that it was routed to, or where its deaths took it.
#[derive(Clone, Debug)]
pub struct Entry {
    pub id: u64,
    pub home: &'static str,
    pub level: u8,
    /// It survives a restart.
    pub is_stored: bool,
    /// It survives one in each queue.
    pub is_persistent: bool,
    pub published: Span,
    pub arrival: u64,
    pub settled: Option<Span>,
    pub delivered: Option<Span>,
    pub expires_ms: Option<u64>,
    /// It was held back until then.
    pub due_ms: Option<u64>,
    /// What a quorum queue counted, its own deliveries and all that failed.
    pub counts: (u32, u32),
    /// What a start finds that was counted, and since when: a delivery that is out counts as failed from its beginning.
    pub recorded: Vec<(Span, (u32, u32))>,
    /// The queues in which it had died before it came to its home, the last one first.
    pub past: Vec<String>,
    /// It died so often, at least, since then.
    pub deaths: Vec<(Span, usize)>,
    /// It is delivered and not settled.
    pub is_held: bool,
    /// It died in a queue that keeps its dead letters where nobody sees them.
    pub is_kept_dead: bool,
    /// It was not there after a start, although it could have been.
    pub is_uncertain: bool,
}

impl Entry {
    pub const fn is_gone(&self) -> bool {
        self.settled.is_some()
    }

    /// What a start can find that was counted, when the log ends here.
    fn counts_at(&self, head: u64) -> Vec<(u32, u32)> {
        let last_certain = self.recorded.iter().rposition(|(span, _)| span.at(head) == Some(true)).unwrap_or(0);
        let possible = self.recorded[last_certain..].iter().filter(move |(span, _)| span.at(head) != Some(false));
        possible.map(|(_, counts)| *counts).collect()
    }

    /// It may have died at the start, in a queue that keeps its dead letters, because of deliveries that failed.
    fn may_be_over_limit(&self, look: Look) -> bool {
        look.is_restarted && self.counts_at(look.head).iter().any(|(_, failed)| *failed > DELIVERY_LIMIT)
    }

    /// Goes on with what was counted.
    fn recount(&mut self, counts: (u32, u32)) {
        self.counts = counts;
        self.recorded = vec![(Span::ALWAYS, counts)];
    }
}

/// All messages that may be there.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub arrivals: u64,
}

/// When the broker is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Where its log ends.
    pub head: u64,
    pub now_ms: u64,
    /// It was started anew.
    pub is_restarted: bool,
}

impl Ledger {
    pub fn find(&mut self, id: u64, queue: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == id && kind(entry.home).chain().contains(&queue))
    }

    /// A client is told that everything is durable up to here: what it did before must be, too.
    pub fn told(&mut self, durable: u64) {
        for (span, _) in self.entries.iter_mut().flat_map(|entry| &mut entry.deaths) {
            if span.to == Span::UNTOLD && span.from < durable {
                span.to = durable;
            }
        }
    }

    /// Checks what was found in all queues, and goes on with exactly that.
    pub fn check(&mut self, found: &[Found], look: Look) {
        let mut by_key: BTreeMap<(u64, &str), &Found> = BTreeMap::new();
        for one in found {
            let id = one.id;
            let home = self.find(id, one.queue).unwrap_or_else(|| panic!("{one:?} was never published")).home;
            let twice = by_key.insert((id, home), one);
            assert!(twice.is_none(), "{one:?} is there twice, also as {twice:?}: {:?}", self.find(id, one.queue));
        }
        for entry in &self.entries {
            check_entry(entry, by_key.get(&(entry.id, entry.home)).copied(), look);
        }
        self.check_order(found, look);
        self.entries.retain_mut(|entry| {
            // What is too much is dropped sooner or later, and what expires in this very moment is still delivered or not:
            // it need not be gone everywhere.
            let home = kind(entry.home);
            let is_limited = home.max_length.is_some() || home.keeps_dead || entry.expires_ms == Some(look.now_ms);
            let Some(found) = by_key.get(&(entry.id, entry.home)) else {
                let is_kept = is_limited && could_be_there(entry, look);
                let over_limit = entry.counts_at(look.head).into_iter().rfind(|(_, failed)| *failed > DELIVERY_LIMIT);
                if let Some(counts) = over_limit {
                    entry.recount(counts);
                }
                (entry.is_held, entry.settled, entry.published) = (false, None, Span::ALWAYS);
                entry.is_uncertain = true;
                entry.delivered = entry.delivered.filter(|delivered| delivered.at(look.head) == Some(true));
                return is_kept;
            };
            entry.published = Span::ALWAYS;
            entry.settled = None;
            entry.is_held = false;
            entry.is_kept_dead = false;
            entry.delivered = found.redelivered.then_some(Span::ALWAYS);
            entry.recount(found.counts);
            entry.deaths.clear();
            if !is_limited {
                entry.deaths.push((Span::ALWAYS, deaths(entry, found)));
            }
            true
        });
    }

    fn check_order(&mut self, found: &[Found], look: Look) {
        let mut last: BTreeMap<(&str, u8), u64> = BTreeMap::new();
        for one in found.iter().filter(|one| look.is_restarted || !kind(one.queue).is_quorum) {
            let Some(entry) = self.find(one.id, one.queue) else { continue };
            if entry.home != one.queue || entry.due_ms.is_some() {
                continue;
            }
            let before = last.insert((one.queue, entry.level), entry.arrival);
            assert!(before.is_none_or(|before| before < entry.arrival), "{one:?} is out of order: {found:#?}");
        }
    }
}

fn deaths(entry: &Entry, found: &Found) -> usize {
    kind(entry.home).chain().iter().position(|name| *name == found.queue).unwrap()
}

fn could_be_there(entry: &Entry, look: Look) -> bool {
    let is_published = entry.published.at(look.head) != Some(false) && (entry.is_stored || !look.is_restarted);
    is_published && entry.settled.is_none_or(|settled| settled.at(look.head) != Some(true))
}

fn check_entry(entry: &Entry, found: Option<&Found>, look: Look) {
    let published = if look.is_restarted && !entry.is_stored { Some(false) } else { entry.published.at(look.head) };
    let settled = entry.settled.map_or(Some(false), |settled| settled.at(look.head));
    let home = kind(entry.home);
    let is_expired = entry.expires_ms.is_some_and(|at_ms| at_ms <= look.now_ms);
    let Some(found) = found else {
        // A quorum queue keeps what its dead letter queue does not.
        let may_have_ended = home.next.is_some() && look.is_restarted && !entry.is_persistent;
        let may_vanish = home.next.is_none() && (home.max_length.is_some() || is_expired) || may_have_ended;
        let is_hidden = home.keeps_dead
            && (is_expired || entry.is_kept_dead && !look.is_restarted || entry.may_be_over_limit(look));
        let may_vanish = (may_vanish && !home.keeps_dead) || is_hidden || entry.is_uncertain;
        let is_needed = published == Some(true) && settled == Some(false) && !may_vanish;
        assert!(!is_needed, "{entry:?} is lost, {look:?}");
        return;
    };
    assert!(published != Some(false), "{found:?} was not published: {entry:?}, {look:?}");
    assert!(settled != Some(true), "{found:?} was settled: {entry:?}, {look:?}");
    let deaths = deaths(entry, found);
    let certain = entry.deaths.iter().filter(|(span, _)| span.at(look.head) == Some(true));
    let deaths_min = certain.map(|(_, deaths)| *deaths).max().unwrap_or(0);
    assert!(deaths >= deaths_min, "{found:?} rose from the dead: {entry:?}");
    let chain = home.chain();
    let of_chain = chain[..deaths].iter().rev().map(ToString::to_string);
    let of_chain: Vec<_> = of_chain.chain(entry.past.iter().cloned()).collect();
    assert_eq!(found.deaths, of_chain, "{found:?}");
    if deaths == 0 {
        assert!(!is_expired, "{found:?} is expired: {entry:?}, {look:?}");
        let was_delivered = entry.delivered.is_some_and(|delivered| delivered.at(look.head) == Some(true));
        // The mark is in the log with the delivery. If power was lost before either was synced, nobody can know.
        assert!(found.redelivered || !was_delivered, "{found:?} is not redelivered: {entry:?}, {look:?}");
        if home.is_quorum {
            check_counts(entry, found, look);
        }
    }
}

fn check_counts(entry: &Entry, found: &Found, look: Look) {
    let possible = if look.is_restarted { entry.counts_at(look.head) } else { vec![entry.counts] };
    assert!(possible.contains(&found.counts), "{found:?} was counted otherwise: {possible:?}, {entry:?}, {look:?}");
    assert!(found.counts.1 <= DELIVERY_LIMIT, "{found:?} was delivered too often");
}
