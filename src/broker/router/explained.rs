//! Where a message would go, and why: the walk of `router.rs` for somebody who asks, with the bindings that it looked at.
//!
//! What routes is asked for the queues, so they are exact. Each binding is then tried alone, in an exchange of the same type that has no
//! other: so the answer for a binding is that of the type itself, and no type is described twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::walk::LOOKED_AT_ONCE;
use super::{RouteWalk, RoutingKeys};
use crate::broker::exchange::{
    Considered, Destination, ExchangeType, Matches, RoutedMessage, Selection, lookup, shown_keys,
};
use crate::broker::ids::ExchangeId;
use crate::broker::topology::{BindingSnapshot, Exchange, Topology};
use crate::broker::vhost::Vhost;
use crate::properties::Properties;
use crate::table::{EncodedTable, ValueRef};

/// Bindings that are looked at: some milliseconds' work, and most of it when nothing is locked.
const BINDINGS_MAX: usize = 5_000;
/// Exchanges that are passed.
const EXCHANGES_MAX: usize = 100;

/// What was asked, and what is there to answer it.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The queues that the message would reach, each once.
    pub(crate) queues: Vec<Arc<str>>,
    /// The exchanges that it passes, in the order of the walk.
    pub(crate) exchanges: Vec<PassedExchange>,
    /// The bindings that lead from them, those that match first.
    pub(crate) bindings: Vec<ExplainedBinding>,
    /// Bindings that were not looked at, because they are too many.
    pub(crate) left_out: usize,
    /// An exchange holds the message back.
    pub(crate) is_held: bool,
}

/// An exchange on the way.
#[derive(Clone, Debug)]
pub(crate) struct PassedExchange {
    pub(crate) name: Arc<str>,
    /// The name of its type, `topic` for example.
    pub(crate) kind: &'static str,
    /// What is special about it.
    pub(crate) note: Option<String>,
}

/// A binding, and whether it takes the message.
#[derive(Clone, Debug)]
pub(crate) struct ExplainedBinding {
    pub(crate) binding: BindingSnapshot,
    /// The message goes this way.
    pub(crate) matches: bool,
    /// Why, or why not.
    pub(crate) why: String,
}

/// A binding that was found, with what its exchange does with the message.
#[derive(Debug)]
struct Found {
    binding: BindingSnapshot,
    kind: &'static ExchangeType,
    arguments: EncodedTable,
    /// Its destination is among those that the exchange chose.
    is_chosen: bool,
}

/// The bindings that the walk comes to.
#[derive(Debug, Default)]
struct Passed {
    exchanges: Vec<PassedExchange>,
    found: Vec<Found>,
    left_out: usize,
    is_held: bool,
}

impl Explained {
    /// Explains what a message would do that is published to this exchange; `None` when there is none, or routing would take too long.
    pub(crate) fn of(
        vhost: &Vhost,
        exchange: &str,
        keys: &RoutingKeys<'_>,
        properties: Properties<'_>,
        random: u64,
    ) -> Option<Self> {
        let begin = |topology: &Topology| {
            let exchange = topology.exchange(exchange)?;
            Some((exchange.id, RouteWalk::new(exchange, keys, properties, random)))
        };
        let (first, walk) = vhost.read(begin)?;
        let route = vhost.walk_on(walk).ok()?;
        let queues = route.queues.iter().map(|queue| Arc::clone(&queue.spec.name)).collect();
        let passed = Passed::walk(vhost, first, &RoutedMessage::new(keys, properties, random));
        let mut bindings: Vec<_> = passed.found.into_iter().map(|found| found.explain(keys, properties)).collect();
        bindings.sort_by_key(|explained| !explained.matches);
        let Passed { exchanges, left_out, is_held, .. } = Passed { found: Vec::new(), ..passed };
        Some(Self { queues, exchanges, bindings, left_out, is_held })
    }
}

impl Passed {
    /// The same walk as that of a message. The topology is locked for one step at one exchange at a time.
    fn walk(vhost: &Vhost, first: ExchangeId, publish: &RoutedMessage<'_>) -> Self {
        let mut passed = Self::default();
        let (mut visited, mut pending) = (FxHashSet::default(), vec![first]);
        while let Some(id) = pending.pop() {
            if !visited.insert(id) || passed.exchanges.len() == EXCHANGES_MAX {
                continue;
            }
            let chosen = chosen(vhost, id, publish);
            vhost.read(|topology| {
                let Some(exchange) = topology.exchange_by_id(id) else { return };
                pending.extend(passed.visit(topology, exchange, publish, &chosen));
            });
        }
        passed
    }

    /// Notes what one exchange does, which has chosen these destinations; the exchanges that come next.
    fn visit(
        &mut self,
        topology: &Topology,
        exchange: &Exchange,
        publish: &RoutedMessage<'_>,
        chosen: &BTreeSet<Destination>,
    ) -> Vec<ExchangeId> {
        let spec = &exchange.spec;
        if spec.name.is_empty() {
            self.exchanges.push(PassedExchange { name: Arc::clone(&spec.name), kind: spec.kind.name, note: None });
            self.note_default(topology, exchange, publish);
            return Vec::new();
        }
        if let Some(delay_ms) = exchange.routing.delay_ms(publish) {
            self.is_held = true;
            let note = Some(format!("it holds the message back for {delay_ms} ms, and routes it then"));
            self.exchanges.push(PassedExchange { name: Arc::clone(&spec.name), kind: spec.kind.name, note });
        } else {
            self.exchanges.push(PassedExchange { name: Arc::clone(&spec.name), kind: spec.kind.name, note: None });
        }
        self.note_bindings(topology, exchange, chosen);
        if chosen.is_empty() {
            return self.alternate(topology, exchange).into_iter().collect();
        }
        let next = chosen.iter().filter_map(|destination| match destination {
            Destination::Exchange(id) => Some(*id),
            Destination::Queue(_) => None,
        });
        next.collect()
    }

    /// Every queue is bound to the exchange without a name, with its own name.
    fn note_default(&mut self, topology: &Topology, exchange: &Exchange, publish: &RoutedMessage<'_>) {
        for key in publish.keys.iter() {
            let name = String::from_utf8_lossy(key);
            let is_chosen = topology.queue(&name).is_some();
            let binding = BindingSnapshot::of_default(&name);
            let (kind, arguments) = (exchange.spec.kind, EncodedTable::default());
            self.found.push(Found { binding, kind, arguments, is_chosen });
        }
    }

    /// Those to what was chosen are all of interest; of the others there may be very many.
    fn note_bindings(&mut self, topology: &Topology, exchange: &Exchange, chosen: &BTreeSet<Destination>) {
        let all = topology.bindings_within(exchange, chosen, BINDINGS_MAX.saturating_sub(self.found.len()));
        self.left_out += exchange.binding_count() - all.len().min(exchange.binding_count());
        let (kind, arguments) = (exchange.spec.kind, &exchange.spec.arguments);
        self.found.extend(all.into_iter().map(|(binding, is_chosen)| Found {
            binding,
            kind,
            arguments: arguments.clone(),
            is_chosen,
        }));
    }

    fn alternate(&mut self, topology: &Topology, exchange: &Exchange) -> Option<ExchangeId> {
        let name = exchange.alternate()?;
        let found = topology.exchange(name).filter(|_| !name.is_empty());
        let note = match found {
            Some(_) => format!("nothing matches, so the alternate exchange '{name}' gets the message"),
            None => format!("nothing matches, and there is no alternate exchange '{name}'"),
        };
        if let Some(passed) = self.exchanges.last_mut() {
            passed.note = Some(passed.note.take().map_or_else(|| note.clone(), |before| format!("{before}; {note}")));
        }
        found.map(|exchange| exchange.id)
    }
}

impl Found {
    fn explain(self, keys: &RoutingKeys<'_>, properties: Properties<'_>) -> ExplainedBinding {
        let Self { binding, kind, arguments, is_chosen } = self;
        let kind = effective(kind, &arguments);
        let alone = || is_taken_alone(kind, &arguments, &binding, keys, properties);
        let looks_at_each = matches!(kind.selection, Selection::Each(_));
        let matches = is_chosen && (binding.binding.is_none() || !looks_at_each || alone());
        let why = why(kind, &binding, keys, properties, matches);
        ExplainedBinding { binding, matches, why }
    }
}

/// What an exchange chooses for a message.
fn chosen(vhost: &Vhost, id: ExchangeId, publish: &RoutedMessage<'_>) -> BTreeSet<Destination> {
    let mut matches = Matches::default();
    loop {
        matches.begin_step(LOOKED_AT_ONCE);
        let look = |exchange: &Exchange| exchange.routing.route(publish, &mut matches);
        let is_there = vhost.read(|topology| topology.exchange_by_id(id).map(look)).is_some();
        if !is_there || !matches.is_unfinished() {
            return matches.destinations.into_iter().collect();
        }
    }
}

/// The type that routes in the end.
fn effective(kind: &'static ExchangeType, arguments: &EncodedTable) -> &'static ExchangeType {
    let Selection::AsNamedBy(argument) = kind.selection else { return kind };
    arguments.fields().get(argument).and_then(ValueRef::as_str).and_then(lookup).unwrap_or(kind)
}

/// Whether an exchange of this type with this binding alone would send the message along it.
fn is_taken_alone(
    kind: &ExchangeType,
    arguments: &EncodedTable,
    binding: &BindingSnapshot,
    keys: &RoutingKeys<'_>,
    properties: Properties<'_>,
) -> bool {
    let Some(binding) = &binding.binding else { return true };
    let Ok(mut routing) = (kind.create)(&arguments.fields().to_owned()) else { return true };
    routing.bind(binding);
    let mut matches = Matches::default();
    routing.route(&RoutedMessage::new(keys, properties, 0), &mut matches);
    !matches.destinations.is_empty()
}

fn why(
    kind: &ExchangeType,
    binding: &BindingSnapshot,
    keys: &RoutingKeys<'_>,
    properties: Properties<'_>,
    matches: bool,
) -> String {
    let Some(bound) = &binding.binding else {
        return match matches {
            true => format!("there is a queue of the name {}", shown_keys(keys)),
            false => format!("there is no queue of the name '{}'", String::from_utf8_lossy(binding.routing_key())),
        };
    };
    match kind.selection {
        Selection::Each(why) => why(&Considered { binding: bound, keys, properties, is_selected: matches }),
        Selection::Among { chosen, .. } if matches => chosen.to_owned(),
        Selection::Among { others, .. } => others.to_owned(),
        Selection::AsNamedBy(argument) => format!("the type that {argument} names decides"),
    }
}
