//! Methods: payload to [`Command`], [`Reply`] to frame.
//!
//! The crate `amq-protocol` parses and generates them; only this module and its children name its types. Four things are kept
//! from it. Field tables are cut out and read by [`Table`], because its own table parser recurses as deep as a peer wishes,
//! forgets the order of fields and wants UTF-8 names. `basic.publish` is read here, because its names need not be UTF-8.
//! Strings too long for it are cut, because it panics. Its parser's errors are told apart here and never leave.

mod command;
mod ids;
mod names;
mod reply;

use amq_protocol::frame::WriteContext;
use amq_protocol::protocol::{AMQPClass, gen_class, parse_class};

use crate::error::{AmqpError, MethodId};
use crate::protocol::command::{BasicMethod, Command, Reply};
use crate::protocol::frame::{self, FRAME_END};
use crate::protocol::octets;
use crate::table::Table;

pub(crate) use ids::{
    BASIC_ACK, BASIC_DELIVER, BASIC_GET_OK, BASIC_NACK, BASIC_PUBLISH, BASIC_REJECT, BASIC_RETURN, CHANNEL_CLOSE,
    CHANNEL_CLOSE_OK, CHANNEL_OPEN, CONNECTION_OPEN,
};
pub(crate) use names::name;

/// Octets of class and method id.
const ID_BYTES: usize = 4;
/// Where `connection.start` has its table: behind class, method and the two octets of the version.
const SERVER_PROPERTIES_AT: usize = ID_BYTES + 2;
/// An empty table, or the length of any table.
const LENGTH_BYTES: usize = 4;

/// Reads the payload of a method frame.
///
/// A method that clients may not send, or that does not exist, is [`Command::Unimplemented`]: RabbitMQ answers the former
/// with 503 and drops the socket without a word at the latter.
///
/// # Errors
///
/// 501 for a payload that is too short, arguments that do not fit the method or a short string that is not UTF-8; 502 for a
/// malformed field table, at which RabbitMQ drops the socket.
pub fn decode(payload: &[u8]) -> Result<Command, AmqpError> {
    let Some((ids, arguments)) = payload.split_first_chunk::<ID_BYTES>() else {
        return Err(frame::unknown_frame(frame::METHOD, payload));
    };
    let id = id(payload);
    if id == BASIC_PUBLISH {
        return basic_publish(arguments).ok_or_else(|| cannot_decode(id, arguments));
    }
    let Some(layout) = TableLayout::of(id) else {
        return Ok(match parse(id, payload, arguments)? {
            Some(class) => command::from_class(class, command::Rest { id, table: Table::default(), arguments }),
            None => Command::Unimplemented(id),
        });
    };
    let (before, table, after) = layout.cut(arguments).ok_or_else(|| cannot_decode(id, arguments))?;
    // The parser sees an empty table, so that nothing that a client nests can make it recurse.
    let without_table = [ids, before, &[0; LENGTH_BYTES], after].concat();
    let Some(class) = parse(id, &without_table, arguments)? else { return Ok(Command::Unimplemented(id)) };
    Ok(command::from_class(class, command::Rest { id, table: decode_table(id, table)?, arguments }))
}

/// The class and method id of a method frame's payload.
pub(crate) fn id(payload: &[u8]) -> MethodId {
    payload.first_chunk().map_or(MethodId::NONE, |&[c0, c1, m0, m1]| {
        MethodId::new(u16::from_be_bytes([c0, c1]), u16::from_be_bytes([m0, m1]))
    })
}

/// Appends the frame of a reply.
pub fn encode(reply: &Reply, channel: u16, out: &mut Vec<u8>) {
    // It has an empty table where that of `connection.start` belongs.
    let mut payload = generate(&reply::to_class(reply));
    if let Reply::ConnectionStart { server_properties, .. } = reply {
        let mut table = Vec::new();
        server_properties.encode(&mut table);
        payload.splice(SERVER_PROPERTIES_AT..SERVER_PROPERTIES_AT + LENGTH_BYTES, table);
    }
    out.extend_from_slice(&frame::header(frame::METHOD, channel, payload.len()));
    out.extend_from_slice(&payload);
    out.push(FRAME_END);
}

/// Where a method has its table: what stands in front of it. All but `connection.start-ok` begin with a reserved ticket.
struct TableLayout {
    ticket_bytes: usize,
    short_strings: usize,
    bit_bytes: usize,
}

impl TableLayout {
    /// The layout of the methods that clients may send and that have a table.
    fn of(id: MethodId) -> Option<Self> {
        let (ticket_bytes, short_strings, bit_bytes) = match (id.class_id, id.method_id) {
            (10, 11) => (0, 0, 0), // connection.start-ok
            (40, 10) => (2, 2, 1), // exchange.declare
            (40, 30) => (2, 3, 1), // exchange.bind
            (40, 40) => (2, 3, 1), // exchange.unbind
            (50, 10) => (2, 1, 1), // queue.declare
            (50, 20) => (2, 3, 1), // queue.bind
            (50, 50) => (2, 3, 0), // queue.unbind
            (60, 20) => (2, 2, 1), // basic.consume
            _ => return None,
        };
        Some(Self { ticket_bytes, short_strings, bit_bytes })
    }

    /// What stands before the table, the table's content, and what stands behind.
    fn cut<'a>(&self, arguments: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let (_, mut rest) = arguments.split_at_checked(self.ticket_bytes)?;
        for _ in 0..self.short_strings {
            (_, rest) = short_string(rest)?;
        }
        let (_, rest) = rest.split_at_checked(self.bit_bytes)?;
        let (before, _) = arguments.split_at_checked(arguments.len() - rest.len())?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (table, after) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Some((before, table, after))
    }
}

/// Has the method parsed; `None` when there is no such method. `arguments` are only shown.
fn parse(id: MethodId, payload: &[u8], arguments: &[u8]) -> Result<Option<AMQPClass>, AmqpError> {
    match parse_class(payload) {
        Ok(([], class)) => Ok(Some(class)),
        Ok(_) => Err(cannot_decode(id, arguments)),
        Err(error) if error.is_incomplete() => Err(cannot_decode(id, arguments)),
        Err(_) if !exists(payload) => Ok(None),
        // Nothing else can be wrong with arguments that are all there.
        Err(_) => Err(malformed_utf8()),
    }
}

/// Whether the parser knows the method: if so, its ids alone are a truncated method, or a whole one.
fn exists(payload: &[u8]) -> bool {
    // The parser tells an unknown method and malformed arguments with the same error.
    let ids = payload.get(..ID_BYTES).unwrap_or_default();
    parse_class(ids).map_or_else(|error| error.is_incomplete(), |_| true)
}

/// `ticket (u16), exchange, routing key, bits`. RabbitMQ does not ask for UTF-8 here. An exchange name that is not UTF-8 cannot
/// exist; with replacement characters it is still none, and can be shown.
fn basic_publish(arguments: &[u8]) -> Option<Command> {
    let (_ticket, rest) = arguments.split_first_chunk::<2>()?;
    let (exchange, rest) = short_string(rest)?;
    let (routing_key, rest) = short_string(rest)?;
    let [bits] = rest else { return None };
    Some(Command::Basic(BasicMethod::Publish {
        exchange: String::from_utf8_lossy(exchange).into_owned(),
        routing_key: routing_key.to_owned(),
        mandatory: bits & 1 != 0,
        immediate: bits & 2 != 0,
    }))
}

/// A short string, and what is behind it.
#[inline]
pub(super) fn short_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(length))
}

fn decode_table(id: MethodId, content: &[u8]) -> Result<Table, AmqpError> {
    Table::decode(content)
        .map_err(|error| AmqpError::syntax_error(format!("malformed field table: {error}")).with_method(id))
}

#[expect(clippy::expect_used, reason = "writing to a vector cannot fail")]
fn generate(class: &AMQPClass) -> Vec<u8> {
    gen_class(class)(WriteContext::from(Vec::new())).expect("a vector takes every octet").write
}

fn cannot_decode(id: MethodId, arguments: &[u8]) -> AmqpError {
    AmqpError::frame_error(format!("cannot decode {}", octets::numbers(arguments))).with_method(id)
}

fn malformed_utf8() -> AmqpError {
    AmqpError::frame_error("Malformed UTF-8 in shortstr").with_method(MethodId::NONE)
}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
