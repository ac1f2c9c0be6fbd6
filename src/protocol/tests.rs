//! The parts together: a stream of octets gives the same commands however it is cut into reads, with and without the fast path.

use std::collections::HashMap;

use proptest::prelude::*;

use super::assembler::{Assembled, Assembler, Publish};
use super::command::{BasicMethod, Command};
use super::fast::{self, SettlementKind};
use super::frame::{self, FRAME_END};
use super::method::samples;
use crate::error::AmqpError;

pub(super) const FRAME_MAX: u32 = 8192;
pub(super) const MAX_MESSAGE_SIZE: u64 = 20_000;

/// What a stream of octets asks for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Method { channel: u16, command: Command },
    Publish { channel: u16, publish: Publish, properties: Vec<u8>, body: Vec<u8> },
    Refused(AmqpError),
}

/// Properties and body of a content.
type Content = (Vec<u8>, Vec<u8>);

impl super::assembler::BodySink for Content {
    fn extend_body(&mut self, piece: &[u8]) {
        self.1.extend_from_slice(piece);
    }
}

/// Reads a stream as a connection's driver does, with every channel open.
#[derive(Default)]
pub(super) struct Reader {
    fast: bool,
    buffer: Vec<u8>,
    channels: HashMap<u16, Assembler<Content>>,
    pub(super) events: Vec<Event>,
}

impl Reader {
    pub(super) fn new(fast: bool) -> Self {
        Self { fast, ..Self::default() }
    }

    /// Takes one read. After a refusal nothing more is taken.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while !matches!(self.events.last(), Some(Event::Refused(error)) if error.scope == crate::error::Scope::Connection)
        {
            let taken = match self.take_fast() {
                0 => self.take_frame(),
                taken => taken,
            };
            if taken == 0 {
                break;
            }
            self.buffer.drain(..taken);
        }
    }

    /// Octets not yet taken.
    pub(super) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    fn take_fast(&mut self) -> usize {
        if !self.fast {
            return 0;
        }
        if let Some(settlement) = fast::next_settlement(&self.buffer)
            && self.channels.entry(settlement.channel).or_default().is_idle()
        {
            let delivery_tag = settlement.delivery_tag;
            let command = match settlement.kind {
                SettlementKind::Ack { multiple } => Command::Basic(BasicMethod::Ack { delivery_tag, multiple }),
                SettlementKind::Nack { multiple, requeue } => {
                    Command::Basic(BasicMethod::Nack { delivery_tag, multiple, requeue })
                }
                SettlementKind::Reject { requeue } => Command::Basic(BasicMethod::Reject { delivery_tag, requeue }),
            };
            self.events.push(Event::Method { channel: settlement.channel, command });
            return settlement.consumed;
        }
        let Some(publish) = fast::next_publish(&self.buffer, FRAME_MAX, MAX_MESSAGE_SIZE) else { return 0 };
        if !self.channels.entry(publish.channel).or_default().is_idle() {
            return 0;
        }
        let body: Vec<u8> = publish.body.flatten().copied().collect();
        assert_eq!(body.len(), publish.body_bytes as usize);
        if let Some(single) = publish.body.single() {
            assert_eq!(single, body);
        }
        self.events.push(Event::Publish {
            channel: publish.channel,
            publish: Publish {
                exchange: publish.exchange.into(),
                routing_key: publish.routing_key.into(),
                mandatory: publish.mandatory,
                immediate: publish.immediate,
            },
            properties: publish.properties.into(),
            body,
        });
        publish.consumed
    }

    fn take_frame(&mut self) -> usize {
        let (frame, taken) = match frame::next_frame(&self.buffer, FRAME_MAX) {
            Ok(Some(taken)) => taken,
            Ok(None) => return 0,
            Err(error) => {
                self.events.push(Event::Refused(error));
                return 0;
            }
        };
        let channel = frame.channel;
        let assembler = self.channels.entry(channel).or_default();
        match assembler.frame(&frame, MAX_MESSAGE_SIZE, |_, header| (header.properties.to_vec(), Vec::new())) {
            Ok(None) => {}
            Ok(Some(Assembled::Method(command))) => self.events.push(Event::Method { channel, command }),
            Ok(Some(Assembled::Publish(publish, (properties, body)))) => {
                self.events.push(Event::Publish { channel, publish, properties, body });
            }
            Err(error) => self.events.push(Event::Refused(error)),
        }
        taken
    }
}

/// All that a stream asks for when it comes in one read.
pub(super) fn events(bytes: &[u8], fast: bool) -> Vec<Event> {
    let mut reader = Reader::new(fast);
    reader.read(bytes);
    reader.events
}

pub(super) fn frame_of(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    [&frame::header(kind, channel, payload.len()), payload, &[FRAME_END]].concat()
}

/// A publish with its body cut into frames of this size.
pub(super) fn publish_frames(channel: u16, arguments: &[u8], properties: &[u8], body: &[u8], piece: usize) -> Vec<u8> {
    let mut bytes = frame_of(frame::METHOD, channel, &[b"\0\x3c\0\x28\0\0", arguments].concat());
    let size = (body.len() as u64).to_be_bytes();
    bytes.extend(frame_of(frame::HEADER, channel, &[b"\0\x3c\0\0", &size[..], properties].concat()));
    for piece in body.chunks(piece) {
        bytes.extend(frame_of(frame::BODY, channel, piece));
    }
    bytes
}

/// The arguments of `basic.publish` behind the ticket.
fn publish_arguments() -> impl Strategy<Value = Vec<u8>> {
    let name = || prop::collection::vec(prop_oneof![4 => 32..127_u8, 1 => any::<u8>()], 0..20);
    (name(), name(), 0..4_u8).prop_map(|(exchange, routing_key, bits)| {
        let length = |bytes: &[u8]| [u8::try_from(bytes.len()).unwrap()];
        [&length(&exchange)[..], &exchange, &length(&routing_key), &routing_key, &[bits]].concat()
    })
}

fn properties() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        b"\0\0".to_vec(),
        b"\x10\0\x02".to_vec(),
        b"\x88\0\x04text\x05".to_vec(),
        b"\x20\0\0\0\0\x06\x01aV\x01bV".to_vec(),
        // Out of order, so that they are not sent on as they came.
        b"\x20\0\0\0\0\x06\x01bV\x01aV".to_vec(),
        // An undefined flag.
        b"\0\x02".to_vec(),
    ])
}

fn publish() -> impl Strategy<Value = Vec<u8>> {
    (1..4_u16, publish_arguments(), properties(), prop::collection::vec(any::<u8>(), 0..300), 1..200_usize).prop_map(
        |(channel, arguments, properties, body, piece)| publish_frames(channel, &arguments, &properties, &body, piece),
    )
}

fn settlement() -> impl Strategy<Value = Vec<u8>> {
    (1..4_u16, prop::sample::select(vec![80_u8, 90, 120]), any::<u64>(), any::<u8>()).prop_map(
        |(channel, method, delivery_tag, bits)| {
            let payload = [&[0, 60, 0, method], &delivery_tag.to_be_bytes()[..], &[bits]].concat();
            frame_of(frame::METHOD, channel, &payload)
        },
    )
}

fn other_method() -> impl Strategy<Value = Vec<u8>> {
    let without_content = |payload: &Vec<u8>| !payload.starts_with(b"\0\x3c\0\x28");
    let payloads: Vec<_> =
        samples::methods().iter().map(|(class, _)| samples::payload(class)).filter(without_content).collect();
    (0..4_u16, prop::sample::select(payloads)).prop_map(|(channel, payload)| frame_of(frame::METHOD, channel, &payload))
}

/// Whole frames, most of them in an order that makes sense.
pub(super) fn stream() -> impl Strategy<Value = Vec<u8>> {
    let heartbeat = Just(frame_of(frame::HEARTBEAT, 0, b""));
    prop::collection::vec(prop_oneof![5 => publish(), 3 => settlement(), 1 => other_method(), 1 => heartbeat], 0..8)
        .prop_map(|frames| frames.concat())
}

/// The same with a few octets changed, taken out or put in.
pub(super) fn damaged_stream() -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<prop::sample::Index>(), 0..3_u8, prop_oneof![0..12_u8, any::<u8>()]);
    (stream(), prop::collection::vec(damage, 0..3)).prop_map(|(mut bytes, damages)| {
        for (at, kind, octet) in damages {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = octet,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, octet),
            }
        }
        bytes
    })
}

/// What must hold of any octets at all.
fn check(bytes: &[u8], cuts: &[prop::sample::Index]) -> Result<(), TestCaseError> {
    let whole = events(bytes, false);
    prop_assert_eq!(&events(bytes, true), &whole, "the fast path disagrees");
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(bytes.len());
    for fast in [false, true] {
        let mut reader = Reader::new(fast);
        let mut start = 0;
        for &end in &cuts {
            reader.read(&bytes[start..end]);
            start = end;
        }
        prop_assert_eq!(&reader.events, &whole, "reads of another size disagree");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_split_into_reads_gives_the_same_commands(
        bytes in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        check(&bytes, &cuts)?;
        let mut reader = Reader::new(true);
        reader.read(&bytes);
        prop_assert_eq!(reader.rest(), b"");
    }

    #[test]
    fn any_split_of_a_damaged_stream_gives_the_same_commands_and_refusals(
        bytes in damaged_stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        check(&bytes, &cuts)?;
    }

    #[test]
    fn no_octets_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check(&bytes, &[])?;
    }
}

#[test]
fn contents_of_different_channels_may_interleave() {
    let a = publish_frames(1, b"\0\x01a\0", b"\0\0", b"one", 3);
    let b = publish_frames(2, b"\0\x01b\0", b"\0\0", b"two", 3);
    let body_at = |bytes: &[u8]| bytes.len() - 11;
    let (a_head, a_body) = a.split_at(body_at(&a));
    let (b_head, b_body) = b.split_at(body_at(&b));
    let heartbeat = frame_of(frame::HEARTBEAT, 0, b"");
    let bodies: Vec<_> = events(&[a_head, b_head, &heartbeat, b_body, a_body].concat(), true)
        .into_iter()
        .map(|event| {
            let Event::Publish { channel, body, .. } = event else { panic!("{event:?}") };
            (channel, body)
        })
        .collect();
    assert_eq!(bodies, [(2, b"two".to_vec()), (1, b"one".to_vec())]);
}
