//! `x-consistent-hash`: each message goes to one destination, by the hash of its routing key, of a header or of a property.
//! The binding key is a weight.
//!
//! Weighted rendezvous hashing: every destination draws a number from the hash and its own place, an exponential one with its
//! weight as rate, and the lowest draw wins. That respects any weights exactly, keeps no ring of points, and when a
//! destination comes moves only what it gains. It costs one logarithm per destination and message; channels remember the answer
//! per routing key.
//!
//! Places are numbered in the order of binding, as in RabbitMQ: exchanges that are bound alike send a key the same way, and one
//! that is declared anew goes on as before. When a destination goes, those behind it move up.

use std::sync::Arc;

use super::long_list::LongList;
use super::selection::BY_HASH;
use super::{
    Binding, Destination, DestinationKind, ExchangeType, Matches, PackedDestination, RoutedMessage, Routing, hash,
};
use crate::broker::profile::Profile;
use crate::broker::split_map::FxSplitMap;
use crate::error::AmqpError;
use crate::properties::Property;
use crate::table::{Bytes, Table, Value, ValueRef};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-consistent-hash",
    description: "routes by a hash that moves little when bindings change",
    arguments: &["hash-header", "hash-property"],
    selection: BY_HASH,
    create: |arguments| {
        let source = Source::from_arguments(arguments)?;
        Ok(Box::new(ConsistentHash {
            source,
            bound: LongList::default(),
            numbers: FxSplitMap::default(),
            destinations_made: 0,
        }))
    },
};

/// The highest weight of one binding.
const WEIGHT_MAX: u64 = 10_000;

/// So many bytes are hashed in about the time in which a binding is looked at.
const BYTES_PER_STEP: usize = 16;

/// What is hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    RoutingKey,
    Header(Box<[u8]>),
    Property(Property),
}

#[derive(Debug)]
struct ConsistentHash {
    source: Source,
    /// Everything that is bound, in the order of binding.
    bound: LongList<Bound>,
    /// By which number a destination is found there.
    numbers: FxSplitMap<PackedDestination, u64>,
    /// How many destinations there ever were.
    destinations_made: u64,
}

/// A destination that is bound.
#[derive(Debug)]
struct Bound {
    /// How many destinations were bound before it, those that are gone too.
    number: u64,
    destination: PackedDestination,
    /// The sum of its weights: bound twice, it has a greater share and still gets one copy.
    weight: u64,
}

impl Routing for ConsistentHash {
    fn check(&self, binding: &Binding, _: DestinationKind, _: &Profile) -> Result<(), AmqpError> {
        weight(binding.routing_key()).map(|_| ())
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        let Ok(weight) = weight(binding.routing_key()) else { return };
        let destination = binding.destination().into();
        if let Some(bound) = self.bound_mut(destination) {
            bound.weight += weight;
            return;
        }
        let number = self.destinations_made;
        self.destinations_made += 1;
        self.numbers.insert(destination, number);
        self.bound.insert(Bound { number, destination, weight }, |other| other.number < number);
    }

    fn unbind(&mut self, binding: &Binding) {
        let Ok(weight) = weight(binding.routing_key()) else { return };
        let destination = binding.destination().into();
        let Some(bound) = self.bound_mut(destination) else { return };
        bound.weight = bound.weight.saturating_sub(weight);
        if bound.weight == 0 {
            let number = bound.number;
            self.bound.remove(|other| other.number < number);
            self.numbers.remove(&destination);
        }
    }

    fn index_bytes(&self, _: &Binding) -> usize {
        // The pieces of the list are at least half full but for a moment, and so is a hash map.
        2 * size_of::<Bound>() + 2 * size_of::<(PackedDestination, u64)>()
    }

    fn route(&self, publish: &RoutedMessage<'_>, matches: &mut Matches) {
        // A hash of the same value by very many exchanges is work as well.
        let (hash, hashed_bytes) = self.source.hash(publish);
        matches.spend(self.bound.len() + hashed_bytes / BYTES_PER_STEP);
        let draws =
            self.bound.iter().zip(0..).map(|(bound, place)| (draw(hash, place, bound.weight), bound.destination));
        let winner = draws.min_by(|(one, _), (other, _)| one.total_cmp(other));
        matches.destinations.extend(winner.map(|(_, destination)| Destination::from(destination)));
    }

    fn routes_by_key_alone(&self) -> bool {
        self.source == Source::RoutingKey
    }
}

impl ConsistentHash {
    fn bound_mut(&mut self, destination: PackedDestination) -> Option<&mut Bound> {
        let number = *self.numbers.get(&destination)?;
        self.bound.find_mut(|other| other.number < number)
    }
}

/// An exponential draw with the weight as its rate, always the same for the same hash and place.
fn draw(hash: u64, place: u64, weight: u64) -> f64 {
    // Halfway between two multiples of 2^-53, hence never 0 and never 1.
    let uniform = ((hash::combine(hash, place) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / weight as f64
}

/// The weight that a binding key stands for.
fn weight(key: &[u8]) -> Result<u64, AmqpError> {
    let (negative, digits) = match key {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(AmqpError::precondition_failed(format!("The binding key must be an integer: {}", Bytes(key))));
    }
    // Digits that do not fit 64 bits are beyond the limit all the same.
    let weight = String::from_utf8_lossy(digits).parse().unwrap_or(u64::MAX);
    if negative || weight == 0 {
        return Err(AmqpError::precondition_failed("The binding key must be greater than 0"));
    }
    if weight > WEIGHT_MAX {
        return Err(AmqpError::precondition_failed(format!("The binding key must not exceed {WEIGHT_MAX}")));
    }
    Ok(weight)
}

impl Source {
    fn from_arguments(arguments: &Table) -> Result<Self, AmqpError> {
        match (arguments.get("hash-header"), arguments.get("hash-property")) {
            (None, None) => Ok(Self::RoutingKey),
            (Some(header), None) => Self::from_header(header),
            (None, Some(property)) => Self::from_property(property),
            (Some(_), Some(_)) => {
                Err(AmqpError::precondition_failed("hash-header and hash-property are mutually exclusive"))
            }
        }
    }

    /// RabbitMQ takes any type here and fails later; nothing but a string can name a header.
    fn from_header(name: &Value) -> Result<Self, AmqpError> {
        let unsupported = || AmqpError::precondition_failed(format!("Unsupported header: {name}"));
        name.as_bytes().map(|name| Self::Header(name.into())).ok_or_else(unsupported)
    }

    fn from_property(name: &Value) -> Result<Self, AmqpError> {
        match name.as_bytes() {
            Some(b"correlation_id") => Ok(Self::Property(Property::CorrelationId)),
            Some(b"message_id") => Ok(Self::Property(Property::MessageId)),
            Some(b"timestamp") => Ok(Self::Property(Property::Timestamp)),
            _ => Err(AmqpError::precondition_failed(format!("Unsupported property: {name}"))),
        }
    }

    /// The hash of what this exchange looks at, and how long that is. Messages that lack it all hash alike.
    fn hash(&self, publish: &RoutedMessage<'_>) -> (u64, usize) {
        let bytes = match self {
            Self::RoutingKey => publish.keys.own(),
            Self::Property(property) => publish.properties.get(*property).unwrap_or_default(),
            Self::Header(name) => match publish.header(name) {
                Some(value) => return hash_value(value),
                None => b"",
            },
        };
        (hash::hash(bytes), bytes.len())
    }
}

/// The hash of a header's value; an integer hashes alike whatever its width.
fn hash_value(value: ValueRef<'_>) -> (u64, usize) {
    let hashed = |bytes: &[u8]| (hash::hash(bytes), bytes.len());
    if let Some(text) = value.as_bytes() {
        return hashed(text);
    }
    if let Some(integer) = value.as_integer() {
        return hashed(&integer.to_be_bytes());
    }
    let mut bytes = Vec::new();
    value.to_owned().encode(&mut bytes);
    hashed(&bytes)
}

#[cfg(test)]
mod tests;
