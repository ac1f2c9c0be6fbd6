//! `x-consistent-hash`: each message goes to one destination, by the hash of its routing key, of a header or of a property.
//! The binding key is a weight.
//!
//! Weighted rendezvous hashing: every destination draws a number from the hash and its own id, an exponential one with its
//! weight as rate, and the lowest draw wins. That respects any weights exactly, keeps no ring of points, and when a
//! destination comes or goes moves only what it gains or loses. It costs one logarithm per destination and message; channels
//! remember the answer per routing key.

use std::sync::Arc;

use super::{
    Binding, Destination, DestinationKind, ExchangeId, ExchangeType, Matches, Publish, QueueId, Routing, hash,
};
use crate::error::AmqpError;
use crate::properties::Property;
use crate::table::{Bytes, Table, Value, ValueRef};

pub(super) const TYPE: ExchangeType = ExchangeType {
    name: "x-consistent-hash",
    description: "routes by a hash that moves little when bindings change",
    create: |arguments| Ok(Box::new(ConsistentHash { source: Source::from_arguments(arguments)?, bound: Vec::new() })),
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

/// One destination and the sum of its weights: bound twice, it has a greater share and still gets one copy.
#[derive(Clone, Copy, Debug)]
struct Bound {
    destination: Destination,
    weight: u64,
}

/// Everything that is bound, in the order of the ids.
#[derive(Debug)]
struct ConsistentHash {
    source: Source,
    bound: Vec<Bound>,
}

impl Routing for ConsistentHash {
    fn check(&self, binding: &Binding, _: DestinationKind) -> Result<(), AmqpError> {
        weight(&binding.routing_key).map(|_| ())
    }

    fn bind(&mut self, binding: &Arc<Binding>) {
        let Ok(weight) = weight(&binding.routing_key) else { return };
        match self.place(binding.destination) {
            Ok(at) => {
                if let Some(bound) = self.bound.get_mut(at) {
                    bound.weight += weight;
                }
            }
            Err(at) => {
                self.bound.insert(at, Bound { destination: binding.destination, weight });
            }
        }
    }

    fn unbind(&mut self, binding: &Binding) {
        let Ok(weight) = weight(&binding.routing_key) else { return };
        let Ok(at) = self.place(binding.destination) else { return };
        let Some(bound) = self.bound.get_mut(at) else { return };
        bound.weight = bound.weight.saturating_sub(weight);
        if bound.weight == 0 {
            self.bound.remove(at);
        }
    }

    fn route(&self, publish: &Publish<'_>, matches: &mut Matches) {
        // A hash of the same value by very many exchanges is work as well.
        let (hash, hashed_bytes) = self.source.hash(publish);
        matches.spend(self.bound.len() + hashed_bytes / BYTES_PER_STEP);
        let winner = self.bound.iter().min_by(|a, b| draw(hash, a).total_cmp(&draw(hash, b)));
        matches.destinations.extend(winner.map(|bound| bound.destination));
    }

    fn routes_by_key_alone(&self) -> bool {
        self.source == Source::RoutingKey
    }
}

impl ConsistentHash {
    fn place(&self, destination: Destination) -> Result<usize, usize> {
        self.bound.binary_search_by_key(&destination, |bound| bound.destination)
    }
}

/// An exponential draw with the destination's weight as its rate, always the same for the same hash and destination.
fn draw(hash: u64, bound: &Bound) -> f64 {
    let id = match bound.destination {
        Destination::Queue(QueueId(id)) => id,
        Destination::Exchange(ExchangeId(id)) => !id,
    };
    // Halfway between two multiples of 2^-53, hence never 0 and never 1.
    let uniform = ((hash::combine(hash, id) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    -uniform.ln() / bound.weight as f64
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
    fn hash(&self, publish: &Publish<'_>) -> (u64, usize) {
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
