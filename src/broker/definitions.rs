//! Durable virtual hosts, exchanges, queues and bindings, as the log and the checkpoints have them.
//!
//! A definition is one change. Changes are applied to what is known by identities, which are never used again, so that a
//! checkpoint that has seen some of them already does no harm: a name is free again only for another identity.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exchange::{self, Binding, Destination};
use super::ids::{ExchangeId, QueueId};
use super::queue::arguments::QueueKind;
use super::topology::ExchangeSpec;
use crate::store::codec::{Reader, put_sized, put_varint};
use crate::table::Table;

/// A virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VhostDefinition {
    /// Its name.
    pub name: String,
    /// The type of queues that do not name one.
    pub default_queue_kind: QueueKind,
    /// What its delayed messages are known by.
    pub delayed: QueueId,
}

/// A queue that survives a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDefinition {
    /// Its virtual host.
    pub vhost: String,
    /// Its identity.
    pub id: QueueId,
    /// Its name.
    pub name: String,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Its arguments.
    pub arguments: Table,
}

/// An exchange that survives a restart.
#[derive(Clone, Debug)]
pub struct ExchangeDefinition {
    /// Its virtual host.
    pub vhost: String,
    /// Its identity.
    pub id: ExchangeId,
    /// What it was declared as.
    pub spec: ExchangeSpec,
    /// A binding led from it once. It is auto-delete then: of others nobody asks.
    pub was_bound: bool,
}

/// A binding between durable things.
#[derive(Clone, Debug, PartialEq)]
pub struct BindingDefinition {
    /// Where it leads from.
    pub source: ExchangeId,
    /// The rest.
    pub binding: Arc<Binding>,
}

impl BindingDefinition {
    /// A binding from this exchange.
    pub fn new(source: ExchangeId, binding: &Arc<Binding>) -> Self {
        Self { source, binding: Arc::clone(binding) }
    }
}

/// One change.
#[derive(Clone, Debug)]
pub enum Definition {
    /// A virtual host was added.
    Vhost(VhostDefinition),
    /// An exchange was declared.
    Exchange(ExchangeDefinition),
    /// An exchange is gone, with its bindings.
    ExchangeDeleted(ExchangeId),
    /// A queue was declared.
    Queue(QueueDefinition),
    /// A queue is gone, with its bindings and messages.
    QueueDeleted(QueueId),
    /// A binding was added.
    Bound(BindingDefinition),
    /// A binding was removed.
    Unbound(BindingDefinition),
}

const VHOST: u8 = 1;
const EXCHANGE: u8 = 2;
const EXCHANGE_DELETED: u8 = 3;
const QUEUE: u8 = 4;
const QUEUE_DELETED: u8 = 5;
const BOUND: u8 = 6;
const UNBOUND: u8 = 7;

const TO_QUEUE: u8 = 0;
const TO_EXCHANGE: u8 = 1;

const DURABLE: u8 = 1;
const AUTO_DELETE: u8 = 2;
const INTERNAL: u8 = 4;
const WAS_BOUND: u8 = 8;

impl Definition {
    /// The change in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Vhost(vhost) => {
                out.push(VHOST);
                put_sized(&mut out, vhost.name.as_bytes());
                put_sized(&mut out, vhost.default_queue_kind.name().as_bytes());
                put_varint(&mut out, vhost.delayed.0);
            }
            Self::Exchange(exchange) => {
                let spec = &exchange.spec;
                let bits = [
                    (spec.durable, DURABLE),
                    (spec.auto_delete, AUTO_DELETE),
                    (spec.internal, INTERNAL),
                    (exchange.was_bound, WAS_BOUND),
                ];
                out.push(EXCHANGE);
                put_sized(&mut out, exchange.vhost.as_bytes());
                put_varint(&mut out, exchange.id.0);
                put_sized(&mut out, spec.name.as_bytes());
                put_sized(&mut out, spec.kind.name.as_bytes());
                out.push(bits.into_iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, bit)| flags | bit));
                put_table(&mut out, &spec.arguments.fields().to_owned());
            }
            Self::ExchangeDeleted(id) => {
                out.push(EXCHANGE_DELETED);
                put_varint(&mut out, id.0);
            }
            Self::Queue(queue) => {
                out.push(QUEUE);
                put_sized(&mut out, queue.vhost.as_bytes());
                put_varint(&mut out, queue.id.0);
                put_sized(&mut out, queue.name.as_bytes());
                out.push(u8::from(queue.auto_delete) * AUTO_DELETE);
                put_table(&mut out, &queue.arguments);
            }
            Self::QueueDeleted(id) => {
                out.push(QUEUE_DELETED);
                put_varint(&mut out, id.0);
            }
            Self::Bound(bound) => put_binding(&mut out, BOUND, bound),
            Self::Unbound(bound) => put_binding(&mut out, UNBOUND, bound),
        }
        out
    }

    /// A change from bytes; `None` for what no version ever wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let reader = &mut reader;
        let definition = match reader.u8()? {
            VHOST => Self::Vhost(VhostDefinition {
                name: text(reader)?,
                default_queue_kind: kind(&text(reader)?)?,
                delayed: QueueId(reader.varint()?),
            }),
            EXCHANGE => Self::Exchange(read_exchange(reader)?),
            EXCHANGE_DELETED => Self::ExchangeDeleted(ExchangeId(reader.varint()?)),
            QUEUE => Self::Queue(QueueDefinition {
                vhost: text(reader)?,
                id: QueueId(reader.varint()?),
                name: text(reader)?,
                auto_delete: reader.u8()? & AUTO_DELETE != 0,
                arguments: table(reader)?,
            }),
            QUEUE_DELETED => Self::QueueDeleted(QueueId(reader.varint()?)),
            BOUND => Self::Bound(read_binding(reader)?),
            UNBOUND => Self::Unbound(read_binding(reader)?),
            _ => return None,
        };
        reader.is_empty().then_some(definition)
    }
}

fn put_table(out: &mut Vec<u8>, table: &Table) {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    put_sized(out, bytes.get(4..).unwrap_or_default());
}

fn table(reader: &mut Reader<'_>) -> Option<Table> {
    Table::decode(reader.sized()?).ok()
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    std::str::from_utf8(reader.sized()?).ok().map(str::to_owned)
}

fn kind(name: &str) -> Option<QueueKind> {
    [QueueKind::Classic, QueueKind::Quorum].into_iter().find(|kind| kind.name() == name)
}

fn read_exchange(reader: &mut Reader<'_>) -> Option<ExchangeDefinition> {
    let (vhost, id, name) = (text(reader)?, ExchangeId(reader.varint()?), text(reader)?);
    let kind = exchange::lookup(&text(reader)?)?;
    let (flags, arguments) = (reader.u8()?, table(reader)?);
    let alternate = arguments.get("alternate-exchange").and_then(|value| value.as_str()).map(Arc::from);
    let spec = ExchangeSpec {
        name: name.into(),
        kind,
        durable: flags & DURABLE != 0,
        auto_delete: flags & AUTO_DELETE != 0,
        internal: flags & INTERNAL != 0,
        arguments: (&arguments).into(),
        alternate,
    };
    Some(ExchangeDefinition { vhost, id, spec, was_bound: flags & WAS_BOUND != 0 })
}

fn put_binding(out: &mut Vec<u8>, tag: u8, bound: &BindingDefinition) {
    out.push(tag);
    put_varint(out, bound.source.0);
    match bound.binding.destination {
        Destination::Queue(id) => {
            out.push(TO_QUEUE);
            put_varint(out, id.0);
        }
        Destination::Exchange(id) => {
            out.push(TO_EXCHANGE);
            put_varint(out, id.0);
        }
    }
    put_sized(out, &bound.binding.routing_key);
    put_sized(out, bound.binding.arguments().as_bytes());
}

fn read_binding(reader: &mut Reader<'_>) -> Option<BindingDefinition> {
    let source = ExchangeId(reader.varint()?);
    let destination = match reader.u8()? {
        TO_QUEUE => Destination::Queue(QueueId(reader.varint()?)),
        TO_EXCHANGE => Destination::Exchange(ExchangeId(reader.varint()?)),
        _ => return None,
    };
    let (routing_key, arguments) = (reader.sized()?, table(reader)?);
    Some(BindingDefinition { source, binding: Binding::new(destination, routing_key, arguments).into() })
}

/// What a row of changes comes to.
#[derive(Debug, Default)]
pub struct Definitions {
    /// Virtual hosts by name.
    pub vhosts: BTreeMap<String, VhostDefinition>,
    /// Exchanges by identity.
    pub exchanges: BTreeMap<u64, ExchangeDefinition>,
    /// Queues by identity.
    pub queues: BTreeMap<u64, QueueDefinition>,
    /// Bindings by all that they are, numbered in the order in which they were made.
    bindings: BTreeMap<Vec<u8>, (u64, BindingDefinition)>,
    next_binding: u64,
}

impl Definitions {
    /// Applies one more change.
    pub fn apply(&mut self, definition: Definition) {
        match definition {
            Definition::Vhost(vhost) => {
                self.vhosts.insert(vhost.name.clone(), vhost);
            }
            Definition::Exchange(exchange) => {
                self.exchanges.insert(exchange.id.0, exchange);
            }
            Definition::ExchangeDeleted(id) => {
                self.exchanges.remove(&id.0);
            }
            Definition::Queue(queue) => {
                self.queues.insert(queue.id.0, queue);
            }
            Definition::QueueDeleted(id) => {
                self.queues.remove(&id.0);
            }
            Definition::Bound(bound) => {
                // One that is heard of again keeps its place.
                self.bindings.entry(identity(&bound)).or_insert((self.next_binding, bound));
                self.next_binding += 1;
            }
            Definition::Unbound(bound) => {
                self.bindings.remove(&identity(&bound));
            }
        }
    }

    /// The bindings of which both ends are still there, in the order in which they were made.
    pub fn bindings(&self) -> impl Iterator<Item = &BindingDefinition> {
        let has_ends = |(_, bound): &&(u64, BindingDefinition)| {
            let has_destination = match bound.binding.destination {
                Destination::Queue(id) => self.queues.contains_key(&id.0),
                Destination::Exchange(id) => self.exchanges.contains_key(&id.0),
            };
            has_destination && self.exchanges.contains_key(&bound.source.0)
        };
        let mut bindings: Vec<_> = self.bindings.values().filter(has_ends).collect();
        bindings.sort_unstable_by_key(|(number, _)| *number);
        bindings.into_iter().map(|(_, bound)| bound)
    }

    /// The largest identity that occurs.
    pub fn last_id(&self) -> u64 {
        let exchanges = self.exchanges.keys().next_back();
        let queues = self.queues.keys().next_back();
        let delayed = self.vhosts.values().map(|vhost| &vhost.delayed.0).max();
        [exchanges, queues, delayed].into_iter().flatten().copied().max().unwrap_or(0)
    }
}

/// Equal bindings have equal bytes.
fn identity(bound: &BindingDefinition) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_binding(&mut bytes, BOUND, bound);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(id: u64) -> Definition {
        let arguments = [("x-max-length", 5)].into_iter().collect();
        let (vhost, name) = ("/".to_owned(), "q".to_owned());
        Definition::Queue(QueueDefinition { vhost, id: QueueId(id), name, auto_delete: true, arguments })
    }

    fn exchange(id: u64, kind: &str) -> Definition {
        let spec = ExchangeSpec {
            name: "x".into(),
            kind: exchange::lookup(kind).unwrap(),
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: (&[("alternate-exchange", "other")].into_iter().collect::<Table>()).into(),
            alternate: Some("other".into()),
        };
        Definition::Exchange(ExchangeDefinition {
            vhost: "/".to_owned(),
            id: ExchangeId(id),
            spec,
            was_bound: id.is_multiple_of(2),
        })
    }

    fn bound(source: u64, queue: u64, key: &str) -> BindingDefinition {
        let arguments = [("b", 1), ("a", 2)].into_iter().collect();
        let destination = Destination::Queue(QueueId(queue));
        let binding = Binding::new(destination, key.as_bytes(), arguments).into();
        BindingDefinition { source: ExchangeId(source), binding }
    }

    #[test]
    fn definitions_come_back() {
        let vhost =
            VhostDefinition { name: "/".to_owned(), default_queue_kind: QueueKind::Quorum, delayed: QueueId(3) };
        let all = [
            Definition::Vhost(vhost),
            exchange(4, "topic"),
            queue(5),
            Definition::Bound(bound(4, 5, "a.#")),
            Definition::Unbound(bound(4, 5, "a.#")),
            Definition::ExchangeDeleted(ExchangeId(4)),
            Definition::QueueDeleted(QueueId(5)),
        ];
        for definition in all {
            let bytes = definition.encode();
            let back = Definition::decode(&bytes).unwrap();
            assert_eq!(format!("{back:?}"), format!("{definition:?}"));
            assert!(Definition::decode(&bytes[..bytes.len() - 1]).is_none());
        }
    }

    #[test]
    fn a_change_that_was_seen_already_does_no_harm() {
        let changes = [exchange(4, "topic"), queue(5), Definition::QueueDeleted(QueueId(5)), queue(6)];
        let mut definitions = Definitions::default();
        for definition in changes.iter().chain(&changes).cloned() {
            definitions.apply(definition);
        }
        assert_eq!(definitions.queues.keys().copied().collect::<Vec<_>>(), [6]);
        assert_eq!(definitions.last_id(), 6);
    }

    #[test]
    fn a_binding_goes_with_either_end() {
        let mut definitions = Definitions::default();
        let bind = |queue| Definition::Bound(bound(4, queue, "k"));
        for definition in [exchange(4, "direct"), queue(5), queue(6), bind(5), bind(6), bind(5)] {
            definitions.apply(definition);
        }
        assert_eq!(definitions.bindings().count(), 2);
        definitions.apply(Definition::QueueDeleted(QueueId(5)));
        assert_eq!(definitions.bindings().count(), 1);
        definitions.apply(Definition::Unbound(bound(4, 6, "k")));
        assert_eq!(definitions.bindings().count(), 0);
    }

    /// Hash exchanges number their buckets by it.
    #[test]
    fn bindings_keep_the_order_in_which_they_were_made() {
        let mut definitions = Definitions::default();
        let bind = |key| Definition::Bound(bound(4, 5, key));
        let unbind = |key| Definition::Unbound(bound(4, 5, key));
        for change in
            [exchange(4, "direct"), queue(5), bind("z"), bind("a"), bind("m"), bind("z"), unbind("a"), bind("a")]
        {
            definitions.apply(change);
        }
        let keys: Vec<_> = definitions.bindings().map(|bound| bound.binding.routing_key.to_vec()).collect();
        assert_eq!(keys, [b"z", b"m", b"a"]);
    }
}
