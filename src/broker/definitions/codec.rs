//! Definitions in bytes (docs/format.md).

use std::sync::Arc;

use super::{Administered, BindingDefinition, Definition, ExchangeDefinition, QueueDefinition, VhostDefinition};
use crate::broker::exchange::{self, Binding, Destination};
use crate::broker::ids::{ExchangeId, QueueId};
use crate::broker::queue::arguments::QueueKind;
use crate::broker::topology::ExchangeSpec;
use crate::store::codec::{Reader, put_sized, put_varint};
use crate::table::Table;

/// How a virtual host was written before it had a description.
const BARE_VHOST: u8 = 1;
const EXCHANGE: u8 = 2;
const EXCHANGE_DELETED: u8 = 3;
const QUEUE: u8 = 4;
const QUEUE_DELETED: u8 = 5;
pub(super) const BOUND: u8 = 6;
const UNBOUND: u8 = 7;
const ADMINISTERED: u8 = 8;

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
            Self::Administered(change) => {
                out.push(ADMINISTERED);
                let json = serde_json::to_vec(change);
                debug_assert!(json.is_ok(), "all keys are texts");
                put_sized(&mut out, &json.unwrap_or_default());
            }
            Self::Exchange(exchange) => put_exchange(&mut out, exchange),
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
            BARE_VHOST => {
                let (name, kind, delayed) = (text(reader)?, text(reader)?, QueueId(reader.varint()?));
                let vhost = VhostDefinition::new(&name, QueueKind::from_name(&kind)?, delayed);
                Self::Administered(Administered::Vhost(vhost))
            }
            ADMINISTERED => Self::Administered(serde_json::from_slice(reader.sized()?).ok()?),
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
        // Bytes that are left over were written by no version.
        reader.is_empty().then_some(definition)
    }
}

fn put_table(out: &mut Vec<u8>, table: &Table) {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    // Without AMQP's length of four bytes: there is one in front already.
    put_sized(out, bytes.get(4..).unwrap_or_default());
}

fn table(reader: &mut Reader<'_>) -> Option<Table> {
    Table::decode(reader.sized()?).ok()
}

fn text(reader: &mut Reader<'_>) -> Option<String> {
    std::str::from_utf8(reader.sized()?).ok().map(str::to_owned)
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

fn put_exchange(out: &mut Vec<u8>, exchange: &ExchangeDefinition) {
    let spec = &exchange.spec;
    let bits = [
        (spec.durable, DURABLE),
        (spec.auto_delete, AUTO_DELETE),
        (spec.internal, INTERNAL),
        (exchange.was_bound, WAS_BOUND),
    ];
    out.push(EXCHANGE);
    put_sized(out, exchange.vhost.as_bytes());
    put_varint(out, exchange.id.0);
    put_sized(out, spec.name.as_bytes());
    put_sized(out, spec.kind.name.as_bytes());
    out.push(bits.into_iter().filter(|(is_set, _)| *is_set).fold(0, |flags, (_, bit)| flags | bit));
    put_table(out, &spec.arguments.fields().to_owned());
}

pub(super) fn put_binding(out: &mut Vec<u8>, tag: u8, bound: &BindingDefinition) {
    out.push(tag);
    put_varint(out, bound.source.0);
    match bound.binding.destination() {
        Destination::Queue(id) => {
            out.push(TO_QUEUE);
            put_varint(out, id.0);
        }
        Destination::Exchange(id) => {
            out.push(TO_EXCHANGE);
            put_varint(out, id.0);
        }
    }
    put_sized(out, bound.binding.routing_key());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_host_of_before_is_understood() {
        let bytes = b"\x01\x01/\x06quorum\x03";
        let Some(Definition::Administered(Administered::Vhost(vhost))) = Definition::decode(bytes) else { panic!() };
        assert_eq!(vhost, VhostDefinition::new("/", QueueKind::Quorum, QueueId(3)));
    }
}
