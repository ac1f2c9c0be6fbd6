//! Any octets as a stream of frames: nothing panics, the fast path takes nothing that the general path takes otherwise, and
//! a stream cut in two gives what it gives whole. The first octet says where to cut.

#![no_main]

use std::collections::HashMap;

use leveret::internals::connection::proxy_header::ProxyHeader;
use leveret::internals::error::{AmqpError, Scope};
use leveret::internals::protocol::assembler::{Assembled, Assembler, BodySink, Publish};
use leveret::internals::protocol::command::{BasicMethod, Command};
use leveret::internals::protocol::fast::{self, FastSettlement, SettlementKind};
use leveret::internals::protocol::frame::{self, Frame};
use libfuzzer_sys::fuzz_target;

const FRAME_MAX: u32 = 8192;
const MAX_MESSAGE_SIZE: u64 = 4096;

#[derive(Default, Debug, PartialEq)]
struct Content {
    properties: Vec<u8>,
    body: Vec<u8>,
}

impl BodySink for Content {
    fn extend_body(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }
}

type Event = (u16, Result<Assembled<Content>, AmqpError>);

fuzz_target!(|input: &[u8]| {
    let Some((&cut, stream)) = input.split_first() else { return };
    let (first, second) = stream.split_at(usize::from(cut).min(stream.len()));
    let whole = read(&[stream], false);
    assert_eq!(read(&[stream], true), whole);
    assert_eq!(read(&[first, second], false), whole);
    assert_eq!(read(&[first, second], true), whole);
    introduce(stream);
});

/// What a proxy may say before all frames: it asks for more until it is whole or refused, and never for what comes behind it.
fn introduce(stream: &[u8]) {
    let mut come = 0;
    while let Some(Ok(ProxyHeader::Needs(more))) = stream.get(..come).map(ProxyHeader::of) {
        assert!(more > 0);
        come += more;
    }
}

fn read(reads: &[&[u8]], fast: bool) -> Vec<Event> {
    let mut buffer = Vec::new();
    let mut channels = HashMap::new();
    let mut events = Vec::new();
    for octets in reads {
        buffer.extend_from_slice(octets);
        while !closed(&events) {
            let taken = match take_fast(&buffer, fast, &channels, &mut events) {
                0 => take_frame(&buffer, &mut channels, &mut events),
                taken => taken,
            };
            if taken == 0 {
                break;
            }
            buffer.drain(..taken);
        }
    }
    events
}

fn closed(events: &[Event]) -> bool {
    matches!(events.last(), Some((_, Err(error))) if error.scope == Scope::Connection)
}

fn take_fast(buffer: &[u8], fast: bool, channels: &HashMap<u16, Assembler<Content>>, events: &mut Vec<Event>) -> usize {
    let is_idle = |channel| channels.get(&channel).is_none_or(Assembler::is_idle);
    if !fast {
        return 0;
    }
    if let Some(settlement) = fast::next_settlement(buffer).filter(|settlement| is_idle(settlement.channel)) {
        events.push((settlement.channel, Ok(Assembled::Method(command(settlement)))));
        return settlement.consumed;
    }
    let Some(found) = fast::next_publish(buffer, FRAME_MAX, MAX_MESSAGE_SIZE) else { return 0 };
    if !is_idle(found.channel) {
        return 0;
    }
    let publish = Publish {
        exchange: found.exchange.into(),
        routing_key: found.routing_key.into(),
        mandatory: found.mandatory,
        immediate: found.immediate,
    };
    let content = Content { properties: found.properties.into(), body: found.body.flatten().copied().collect() };
    assert!(found.body.single().is_none_or(|body| body == content.body));
    events.push((found.channel, Ok(Assembled::Publish(publish, content))));
    found.consumed
}

fn command(settlement: FastSettlement) -> Command {
    let delivery_tag = settlement.delivery_tag;
    match settlement.kind {
        SettlementKind::Ack { multiple } => Command::Basic(BasicMethod::Ack { delivery_tag, multiple }),
        SettlementKind::Nack { multiple, requeue } => {
            Command::Basic(BasicMethod::Nack { delivery_tag, multiple, requeue })
        }
        SettlementKind::Reject { requeue } => Command::Basic(BasicMethod::Reject { delivery_tag, requeue }),
    }
}

fn take_frame(buffer: &[u8], channels: &mut HashMap<u16, Assembler<Content>>, events: &mut Vec<Event>) -> usize {
    let (frame, taken): (Frame<'_>, usize) = match frame::next_frame(buffer, FRAME_MAX) {
        Ok(Some(found)) => found,
        Ok(None) => return 0,
        Err(error) => {
            events.push((0, Err(error)));
            return 0;
        }
    };
    let begin = |_: &Publish, header: &leveret::internals::protocol::content::ContentHeader<'_>| Content {
        properties: header.properties.to_vec(),
        body: Vec::with_capacity(header.body_bytes_to_reserve()),
    };
    let assembled = channels.entry(frame.channel).or_default().frame(&frame, MAX_MESSAGE_SIZE, begin);
    events.extend(assembled.transpose().map(|event| (frame.channel, event)));
    taken
}
