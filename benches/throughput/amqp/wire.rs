//! Frames, methods and fields as bytes.

use crate::error::{Error, Result};

pub(crate) const METHOD: u8 = 1;
pub(crate) const HEADER: u8 = 2;
pub(crate) const BODY: u8 = 3;
pub(crate) const HEARTBEAT: u8 = 8;
pub(crate) const FRAME_END: u8 = 0xCE;

/// What a frame adds to its payload: type, channel, size, frame-end.
pub(crate) const FRAME_OVERHEAD: usize = 8;

/// A method's class and method ids as they stand on the wire, read as one number.
pub(crate) type MethodId = u32;

const fn id(class: u16, method: u16) -> MethodId {
    (class as u32) << 16 | method as u32
}

pub(crate) const CONNECTION_START: MethodId = id(10, 10);
pub(crate) const CONNECTION_START_OK: MethodId = id(10, 11);
pub(crate) const CONNECTION_TUNE: MethodId = id(10, 30);
pub(crate) const CONNECTION_TUNE_OK: MethodId = id(10, 31);
pub(crate) const CONNECTION_OPEN: MethodId = id(10, 40);
pub(crate) const CONNECTION_OPEN_OK: MethodId = id(10, 41);
pub(crate) const CONNECTION_CLOSE: MethodId = id(10, 50);
pub(crate) const CONNECTION_CLOSE_OK: MethodId = id(10, 51);
pub(crate) const CHANNEL_OPEN: MethodId = id(20, 10);
pub(crate) const CHANNEL_OPEN_OK: MethodId = id(20, 11);
pub(crate) const CHANNEL_CLOSE: MethodId = id(20, 40);
pub(crate) const CHANNEL_CLOSE_OK: MethodId = id(20, 41);
pub(crate) const EXCHANGE_DECLARE: MethodId = id(40, 10);
pub(crate) const EXCHANGE_DECLARE_OK: MethodId = id(40, 11);
pub(crate) const QUEUE_DECLARE: MethodId = id(50, 10);
pub(crate) const QUEUE_DECLARE_OK: MethodId = id(50, 11);
pub(crate) const QUEUE_BIND: MethodId = id(50, 20);
pub(crate) const QUEUE_BIND_OK: MethodId = id(50, 21);
pub(crate) const QUEUE_UNBIND: MethodId = id(50, 50);
pub(crate) const QUEUE_UNBIND_OK: MethodId = id(50, 51);
pub(crate) const QUEUE_DELETE: MethodId = id(50, 40);
pub(crate) const QUEUE_DELETE_OK: MethodId = id(50, 41);
pub(crate) const BASIC_QOS: MethodId = id(60, 10);
pub(crate) const BASIC_QOS_OK: MethodId = id(60, 11);
pub(crate) const BASIC_CONSUME: MethodId = id(60, 20);
pub(crate) const BASIC_CONSUME_OK: MethodId = id(60, 21);
pub(crate) const BASIC_PUBLISH: MethodId = id(60, 40);
pub(crate) const BASIC_RETURN: MethodId = id(60, 50);
pub(crate) const BASIC_DELIVER: MethodId = id(60, 60);
pub(crate) const BASIC_ACK: MethodId = id(60, 80);
pub(crate) const BASIC_NACK: MethodId = id(60, 120);
pub(crate) const CONFIRM_SELECT: MethodId = id(85, 10);
pub(crate) const CONFIRM_SELECT_OK: MethodId = id(85, 11);

/// Appends one frame to `out`.
pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8], out: &mut Vec<u8>) {
    let size = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.push(kind);
    out.extend(channel.to_be_bytes());
    out.extend(size.to_be_bytes());
    out.extend(payload);
    out.push(FRAME_END);
}

/// Appends a content header of the basic class.
pub(crate) fn content_header(channel: u16, body_bytes: usize, properties: &Properties, out: &mut Vec<u8>) {
    let mut payload = vec![0, 60, 0, 0];
    payload.extend(u64::try_from(body_bytes).unwrap_or(u64::MAX).to_be_bytes());
    properties.encode(&mut payload);
    frame(HEADER, channel, &payload, out);
}

/// Appends a whole publish: method, header, and bodies of at most `frame_max`.
pub(crate) fn publish(publish: &Publish, body: &[u8], frame_max: usize, out: &mut Vec<u8>) {
    Method::new(publish.channel, BASIC_PUBLISH)
        .short(0)
        .short_string(&publish.exchange)
        .short_string(&publish.routing_key)
        .octet(u8::from(publish.mandatory))
        .encode(out);
    content_header(publish.channel, body.len(), &publish.properties, out);
    for part in body.chunks(frame_max - FRAME_OVERHEAD) {
        frame(BODY, publish.channel, part, out);
    }
}

/// Everything of a message but its body.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) channel: u16,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) mandatory: bool,
    pub(crate) properties: Properties,
}

impl Publish {
    /// To a queue by its name, on channel 1, without properties.
    pub(crate) fn to_queue(queue: impl Into<String>) -> Self {
        Self::to("", queue)
    }

    pub(crate) fn to(exchange: impl Into<String>, routing_key: impl Into<String>) -> Self {
        Self {
            channel: 1,
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            mandatory: false,
            properties: Properties::default(),
        }
    }
}

/// As many properties as the scenarios use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Properties {
    pub(crate) headers: Option<Table>,
    pub(crate) persistent: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) reply_to: Option<String>,
}

impl Properties {
    /// Appends the flags and the properties themselves, in the order of the specification.
    fn encode(&self, out: &mut Vec<u8>) {
        let flags = u16::from(self.headers.is_some()) << 13
            | u16::from(self.persistent) << 12
            | u16::from(self.priority.is_some()) << 11
            | u16::from(self.reply_to.is_some()) << 9;
        out.extend(flags.to_be_bytes());
        if let Some(headers) = &self.headers {
            headers.encode(out);
        }
        if self.persistent {
            out.push(2);
        }
        out.extend(self.priority);
        if let Some(reply_to) = &self.reply_to {
            out.push(u8::try_from(reply_to.len()).unwrap_or(u8::MAX));
            out.extend(reply_to.as_bytes());
        }
    }
}

/// A field table under construction.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(Vec<u8>);

impl Table {
    pub(crate) fn string(mut self, name: &str, value: &str) -> Self {
        self.name(name, b'S');
        self.0.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.0.extend(value.as_bytes());
        self
    }

    pub(crate) fn int(mut self, name: &str, value: i32) -> Self {
        self.name(name, b'I');
        self.0.extend(value.to_be_bytes());
        self
    }

    fn name(&mut self, name: &str, kind: u8) {
        self.0.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        self.0.extend(name.as_bytes());
        self.0.push(kind);
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(u32::try_from(self.0.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(&self.0);
    }
}

/// Appends a `basic.ack`.
pub(crate) fn ack(channel: u16, delivery_tag: u64, multiple: bool, out: &mut Vec<u8>) {
    let [high, low] = channel.to_be_bytes();
    let [c0, c1, m0, m1] = BASIC_ACK.to_be_bytes();
    out.extend([METHOD, high, low, 0, 0, 0, 13, c0, c1, m0, m1]);
    out.extend(delivery_tag.to_be_bytes());
    out.extend([u8::from(multiple), FRAME_END]);
}

/// A method under construction: its arguments are appended in the order of the specification.
#[derive(Debug)]
pub(crate) struct Method {
    channel: u16,
    payload: Vec<u8>,
}

impl Method {
    pub(crate) fn new(channel: u16, id: MethodId) -> Self {
        Self { channel, payload: id.to_be_bytes().to_vec() }
    }

    /// One octet, or up to eight bits, the first argument lowest.
    pub(crate) fn octet(self, value: u8) -> Self {
        self.raw(&[value])
    }

    pub(crate) fn short(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn long(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// A short string; what exceeds its 255 bytes is cut off.
    pub(crate) fn short_string(self, text: &str) -> Self {
        let bytes = text.as_bytes().get(..255).unwrap_or(text.as_bytes());
        self.octet(u8::try_from(bytes.len()).unwrap_or(u8::MAX)).raw(bytes)
    }

    pub(crate) fn long_string(self, bytes: &[u8]) -> Self {
        self.long(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }

    pub(crate) fn table(mut self, table: &Table) -> Self {
        table.encode(&mut self.payload);
        self
    }

    pub(crate) fn empty_table(self) -> Self {
        self.long(0)
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        frame(METHOD, self.channel, &self.payload, out);
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.payload.extend(bytes);
        self
    }
}

/// The arguments of a method that arrived, read from the front.
#[derive(Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn octet(&mut self) -> Result<u8> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(crate) fn short(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn long(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn long_long(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn short_string(&mut self) -> Result<String> {
        let length = usize::from(self.octet()?);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// The bytes of a long string, or of a table: both are a 32-bit length and as many bytes.
    pub(crate) fn long_string(&mut self) -> Result<&'a [u8]> {
        let length = self.long()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Calls `found` with each entry of a table whose value is a string, and passes over all other values.
    pub(crate) fn strings_of_table(&mut self, mut found: impl FnMut(String, String)) -> Result<()> {
        let mut entries = Self(self.long_string()?);
        while !entries.0.is_empty() {
            let name = entries.short_string()?;
            match entries.octet()? {
                b'S' => found(name, String::from_utf8_lossy(entries.long_string()?).into_owned()),
                b'F' | b'A' | b'x' => drop(entries.long_string()?),
                b't' | b'b' | b'B' => drop(entries.take(1)?),
                b's' | b'u' | b'U' => drop(entries.take(2)?),
                b'I' | b'i' | b'f' => drop(entries.take(4)?),
                b'D' => drop(entries.take(5)?),
                b'l' | b'L' | b'd' | b'T' => drop(entries.take(8)?),
                b'V' => {}
                other => return Err(Error::unexpected(format!("a table field of the unknown type {other}"))),
            }
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(too_short)?;
        self.0 = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(too_short)?;
        self.0 = rest;
        Ok(head)
    }
}

fn too_short() -> Error {
    Error::unexpected("a method is shorter than its arguments")
}

/// The `reply_to` of a content header, where no property stands before it but those that the scenarios send.
pub(crate) fn reply_to_alone(header: &super::Frame<'_>) -> Result<String> {
    let mut fields = header.arguments();
    fields.long_long()?;
    match fields.short()? {
        flags if flags == 1 << 9 => fields.short_string(),
        _ => Ok(String::new()),
    }
}
