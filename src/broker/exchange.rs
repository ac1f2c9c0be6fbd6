//! Exchange types: bindings in, destinations out.
//!
//! An exchange type is one file here and one line in [`EXCHANGE_TYPES`]. The virtual host keeps the bindings themselves and
//! calls [`Routing`] so that each type holds only the index it needs to answer [`Routing::route`].

mod consistent_hash;
mod delayed;
mod destinations;
mod direct;
mod fanout;
mod hash;
mod headers;
mod history;
mod long_list;
mod modulus_hash;
mod packed;
mod random;
mod recent_history;
mod selection;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod topic;

use std::cell::OnceCell;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use smallvec::SmallVec;

use super::ids::{ExchangeId, QueueId};
use super::profile::{Profile, UnknownExchangeType};
use super::router::RoutingKeys;
use crate::error::AmqpError;
use crate::message::Message;
use crate::properties::Properties;
use crate::table::{EncodedTable, Table, TableRef, ValueRef};

pub(crate) use history::History;
pub(in crate::broker) use packed::PackedDestination;
pub(crate) use selection::{Considered, Selection, shown_keys};

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// To a queue.
    Queue(QueueId),
    /// To another exchange, which routes the message on.
    Exchange(ExchangeId),
}

/// What kind of thing a binding leads to; some exchange types refuse some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationKind {
    /// An exchange, whatever its type.
    Exchange,
    /// A classic queue.
    ClassicQueue,
    /// A quorum queue.
    QuorumQueue,
}

/// A binding as an exchange type sees it. Its identity is its destination, its key and its arguments (behaviour reference 4.3).
///
/// There may be a million: it takes 32 bytes and one allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Of the other fields. They may be 32 KiB, and a table that grows asks for the hashes of all that are in it.
    hash: u32,
    /// How long the key is.
    key_bytes: u32,
    destination: PackedDestination,
    /// The binding key, and the fields of the arguments in the order of their names, so that equal tables have equal bytes.
    key_and_arguments: Box<[u8]>,
}

impl Binding {
    /// A binding; the order of its arguments does not matter.
    pub fn new(destination: Destination, routing_key: &[u8], mut arguments: Table) -> Self {
        // With a key of this process: clients choose what is hashed, and must not find bindings that collide.
        static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        arguments.sort();
        let arguments = EncodedTable::from(&arguments);
        let fields = arguments.fields().as_bytes();
        // The half of it is enough: of a million bindings, some hundred share theirs with another one.
        let hash = (KEYED.hash_one((destination, routing_key, fields)) >> 32) as u32;
        let key_and_arguments = [routing_key, fields].concat().into_boxed_slice();
        debug_assert!(u32::try_from(routing_key.len()).is_ok(), "a key comes in one frame");
        let key_bytes = u32::try_from(routing_key.len()).unwrap_or(u32::MAX);
        Self { hash, key_bytes, destination: destination.into(), key_and_arguments }
    }

    /// Where it leads.
    pub(crate) fn destination(&self) -> Destination {
        self.destination.into()
    }

    /// The binding key.
    pub(crate) fn routing_key(&self) -> &[u8] {
        self.parts().0
    }

    /// The binding's arguments, in the order of their names.
    pub(crate) fn arguments(&self) -> TableRef<'_> {
        TableRef::new(self.parts().1)
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let key_bytes = usize::try_from(self.key_bytes).unwrap_or(usize::MAX);
        self.key_and_arguments.split_at_checked(key_bytes).unwrap_or((&self.key_and_arguments, &[]))
    }
}

impl Hash for Binding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.hash);
    }
}

/// What an exchange type may look at to route one message.
#[derive(Debug)]
pub struct RoutedMessage<'a> {
    /// The routing keys, each once.
    pub(crate) keys: &'a RoutingKeys<'a>,
    /// The message's properties.
    pub(crate) properties: Properties<'a>,
    /// A fresh random number, for the types that choose.
    pub(crate) random: u64,
    fields: OnceCell<Fields<'a>>,
}

/// A message's headers in the order of their names.
type Fields<'a> = SmallVec<[(&'a [u8], ValueRef<'a>); 16]>;

impl<'a> RoutedMessage<'a> {
    /// A message with these keys and properties.
    pub fn new(keys: &'a RoutingKeys<'a>, properties: Properties<'a>, random: u64) -> Self {
        Self { keys, properties, random, fields: OnceCell::new() }
    }

    /// The value of a header. All are read once, however many exchanges and bindings ask.
    pub(crate) fn header(&self, name: &[u8]) -> Option<ValueRef<'a>> {
        let fields = self.fields.get_or_init(|| {
            let mut fields: Fields<'_> = self.properties.headers().unwrap_or_default().iter().collect();
            // They are in order already, unless a program that embeds the broker built them.
            fields.sort_by_key(|(name, _)| *name);
            fields
        });
        let first = fields.partition_point(|(present, _)| *present < name);
        fields.get(first).filter(|(present, _)| *present == name).map(|(_, value)| *value)
    }
}

/// How many keys, bindings and nodes of a topic exchange are looked at for one message at most: some milliseconds' work.
pub(crate) const ROUTING_STEPS_MAX: usize = 250_000;

/// What routing one message has found so far, and how much may still be looked at: all in all, and before others are to have the lock
/// of the topology.
#[derive(Debug)]
pub struct Matches {
    /// The destinations, with repetitions.
    pub destinations: Vec<Destination>,
    steps_left: usize,
    /// The step is over when no more than these are left.
    left_behind_step: usize,
    /// Where an exchange that was not done in one step goes on; only it knows what the number means.
    goes_on_at: Option<usize>,
}

impl Default for Matches {
    fn default() -> Self {
        Self { destinations: Vec::new(), steps_left: ROUTING_STEPS_MAX, left_behind_step: 0, goes_on_at: None }
    }
}

impl Matches {
    /// Counts what is looked at. False when that is too much: then the answer does not matter any more.
    pub(crate) fn spend(&mut self, steps: usize) -> bool {
        self.steps_left = self.steps_left.saturating_sub(steps);
        self.steps_left > 0
    }

    /// Gives up: the message is refused, whatever was found.
    pub(crate) fn exhaust(&mut self) {
        self.steps_left = 0;
    }

    /// Begins a step, which is over when so much was looked at.
    pub(crate) fn begin_step(&mut self, steps: usize) {
        self.left_behind_step = self.steps_left.saturating_sub(steps);
    }

    /// Whether others are to have the lock of the topology first.
    pub(crate) const fn is_step_over(&self) -> bool {
        self.steps_left <= self.left_behind_step
    }

    /// The exchange that is asked goes on from there in the next step.
    pub(crate) fn go_on_at(&mut self, place: usize) {
        self.goes_on_at = Some(place);
    }

    /// Where the exchange that is asked is to go on.
    pub(crate) fn take_place(&mut self) -> usize {
        self.goes_on_at.take().unwrap_or(0)
    }

    /// Whether the exchange that was asked last is to be asked again.
    pub(crate) const fn is_unfinished(&self) -> bool {
        self.goes_on_at.is_some()
    }

    /// How much was looked at.
    pub(crate) const fn spent(&self) -> usize {
        ROUTING_STEPS_MAX - self.steps_left
    }

    /// Whether too much was looked at.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.steps_left == 0
    }
}

/// One exchange's routing index. Where a method has a body here, most types have no use for what it is given.
pub trait Routing: Send + Sync + fmt::Debug {
    /// Whether `binding` may be added.
    ///
    /// # Errors
    /// 406 with RabbitMQ's text, when this exchange type refuses it.
    fn check(&self, binding: &Binding, kind: DestinationKind, profile: &Profile) -> Result<(), AmqpError> {
        let _ = (binding, kind, profile);
        Ok(())
    }

    /// Adds a binding that [`Routing::check`] accepted. The virtual host never adds the same binding twice.
    fn bind(&mut self, binding: &Arc<Binding>);

    /// As [`Routing::bind`], with the name of the destination. Only `x-modulus-hash` looks at it.
    fn bind_named(&mut self, binding: &Arc<Binding>, name: &Arc<str>) {
        let _ = name;
        self.bind(binding);
    }

    /// Removes a binding that was added before.
    fn unbind(&mut self, binding: &Binding);

    /// Bytes of memory that the index takes for this binding, at most.
    fn index_bytes(&self, binding: &Binding) -> usize {
        let _ = binding;
        size_of::<(Destination, u64)>()
    }

    /// Appends the destinations for one message; repetitions are allowed, the caller removes them. However many keys the message
    /// has, a binding is to be found once, and what is looked at is to be counted. What looks at each of its bindings ends with
    /// [`Matches::go_on_at`] when the step is over, and is asked again.
    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches);

    /// Whether the routing key alone decides, so that channels may remember the answer while no binding changes.
    fn routes_by_key_alone(&self) -> bool;

    /// Whether a client may publish a message with these properties here.
    ///
    /// # Errors
    /// 406 when this exchange type cannot do what they ask for. Only `x-delayed-message` refuses any.
    fn check_publish(&self, properties: Properties<'_>) -> Result<(), AmqpError> {
        let _ = properties;
        Ok(())
    }

    /// How long to hold the message back before it is routed, in milliseconds. Only `x-delayed-message` does.
    fn delay_ms(&self, publish: &RoutedMessage<'_>) -> Option<u64> {
        let _ = publish;
        None
    }

    /// How many bindings were ever added, if it wants to be told of each message ([`Routing::published`]). Only `x-recent-history` does.
    fn remembers(&self) -> Option<u64> {
        None
    }

    /// What was bound since so many bindings had been added. A message that was routed then is told of later: these have it neither
    /// by its route nor by the history.
    fn bound_since(&self, bindings_made: u64) -> Vec<Destination> {
        let _ = bindings_made;
        Vec::new()
    }

    /// Tells of a message that was published here, if [`Routing::remembers`] says that it wants it.
    fn published(&self, message: &Message) {
        let _ = message;
    }

    /// The messages that a queue which is bound now receives at once, oldest first. Only `x-recent-history` has any.
    fn history(&self) -> History {
        History::default()
    }
}

/// An exchange type: what there is to know of it, and how its routing index is made from the arguments of `exchange.declare`.
#[derive(Clone, Copy, Debug)]
pub struct ExchangeType {
    /// The name that `exchange.declare` gives.
    pub name: &'static str,
    /// One line for the management pages.
    pub(crate) description: &'static str,
    /// The arguments of `exchange.declare` that it alone knows.
    pub(crate) arguments: &'static [&'static str],
    /// How it selects bindings, for whoever asks why a message goes where it goes.
    pub(crate) selection: Selection,
    /// Makes an empty index.
    pub create: fn(&Table) -> Result<Box<dyn Routing>, AmqpError>,
}

/// Every exchange type there is. `exchange.declare`, the management pages and the tests that run over all types read this.
pub const EXCHANGE_TYPES: &[ExchangeType] = &[
    direct::TYPE,
    fanout::TYPE,
    headers::TYPE,
    topic::TYPE,
    consistent_hash::TYPE,
    delayed::TYPE,
    random::LOCAL_TYPE,
    modulus_hash::TYPE,
    random::TYPE,
    recent_history::TYPE,
];

/// The arguments that `exchange.declare` may have, of whatever type.
pub(crate) fn known_arguments() -> impl Iterator<Item = &'static str> + Clone {
    let of_types = EXCHANGE_TYPES.iter().flat_map(|exchange_type| exchange_type.arguments.iter().copied());
    std::iter::once("alternate-exchange").chain(of_types)
}

/// The exchange type of that name.
pub fn lookup(name: &str) -> Option<&'static ExchangeType> {
    EXCHANGE_TYPES.iter().find(|exchange_type| exchange_type.name == name)
}

/// The exchange type of that name, or the refusal that a client gets for another.
///
/// # Errors
/// `unknown exchange type`, or `invalid exchange type` for the two names that RabbitMQ knows as something else (behaviour
/// reference 3.2), with 406 or 503 (behaviour reference 12).
pub(crate) fn require(name: &str, profile: &Profile) -> Result<&'static ExchangeType, AmqpError> {
    lookup(name).ok_or_else(|| {
        let what = if matches!(name, "" | "system") { "invalid" } else { "unknown" };
        let text = format!("{what} exchange type '{name}'");
        match profile.unknown_exchange_type {
            UnknownExchangeType::CommandInvalid => AmqpError::command_invalid(text),
            UnknownExchangeType::PreconditionFailed => AmqpError::precondition_failed(text),
        }
    })
}
