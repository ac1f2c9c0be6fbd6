//! One connection with one open channel: the handshake, requests that wait for their reply, and the close.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use super::Url;
use super::reader::{Frame, FrameReader};
use super::wire::{self, Fields, Method, MethodId};
use crate::error::Result;

/// The one channel of each connection.
pub(crate) const CHANNEL: u16 = 1;

/// What we ask for when the broker names no limit, and the most we accept: RabbitMQ's default.
const FRAME_MAX: u32 = 131_072;

/// Enough for the handshake; a consumer reserves more. Ten thousand idle connections must stay cheap.
const HANDSHAKE_BYTES: usize = 8 * 1024;

/// A connection on which channel 1 is open.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: TcpStream,
    reader: FrameReader,
    /// The negotiated frame size.
    pub(crate) frame_max: usize,
    /// Product and version from the broker's server-properties.
    pub(crate) server: String,
}

impl Connection {
    /// A broker that is silent for so long while we wait for it has lost something.
    pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(30);

    /// Connects, logs in with PLAIN, turns heartbeats off and opens the channel.
    pub(crate) fn open(url: &Url) -> Result<Self> {
        let socket = TcpStream::connect(&url.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Self::SILENCE_MAX))?;
        socket.set_write_timeout(Some(Self::SILENCE_MAX))?;
        let reader = FrameReader::new(HANDSHAKE_BYTES);
        let mut connection = Self { socket, reader, frame_max: 0, server: String::new() };
        connection.shake_hands(url)?;
        connection.open_channel(CHANNEL)?;
        Ok(connection)
    }

    fn shake_hands(&mut self, url: &Url) -> Result<()> {
        self.write(b"AMQP\x00\x00\x09\x01")?;
        let start = self.wait_for(wire::CONNECTION_START)?;
        self.server = server_of(&start)?;

        let response = format!("\0{}\0{}", url.user, url.password);
        let start_ok = Method::new(0, wire::CONNECTION_START_OK)
            .empty_table()
            .short_string("PLAIN")
            .long_string(response.as_bytes())
            .short_string("en_US");
        let tune = self.call(&start_ok, wire::CONNECTION_TUNE)?;
        let mut tune = Fields(&tune);
        let channel_max = tune.short()?;
        let frame_max = match tune.long()? {
            0 => FRAME_MAX,
            offered => offered.min(FRAME_MAX),
        };
        self.frame_max = usize::try_from(frame_max).unwrap_or(usize::MAX);

        let no_heartbeat = 0;
        self.send(&Method::new(0, wire::CONNECTION_TUNE_OK).short(channel_max).long(frame_max).short(no_heartbeat))?;
        let open = Method::new(0, wire::CONNECTION_OPEN).short_string(&url.vhost).short_string("").octet(0);
        self.call(&open, wire::CONNECTION_OPEN_OK)?;
        Ok(())
    }

    /// Closes the connection, which closes its channel and deletes its exclusive queues.
    pub(crate) fn close(mut self) -> Result<()> {
        let close = Method::new(0, wire::CONNECTION_CLOSE).short(200).short_string("done").short(0).short(0);
        self.call(&close, wire::CONNECTION_CLOSE_OK)?;
        Ok(())
    }

    /// Sends a method and returns the arguments of its reply.
    ///
    /// # Errors
    ///
    /// Anything but the reply arrives: no request here is made while deliveries are due, so one too many is an error.
    pub(crate) fn call(&mut self, request: &Method, reply: MethodId) -> Result<Vec<u8>> {
        self.send(request)?;
        self.wait_for(reply)
    }

    pub(super) fn send(&mut self, method: &Method) -> Result<()> {
        let mut bytes = Vec::new();
        method.encode(&mut bytes);
        self.write(&bytes)
    }

    fn wait_for(&mut self, reply: MethodId) -> Result<Vec<u8>> {
        loop {
            while let Some(frame) = self.reader.next()? {
                match frame.kind {
                    wire::HEARTBEAT => {}
                    wire::METHOD if frame.method_id() == reply => return Ok(frame.arguments().0.to_vec()),
                    _ => return Err(frame.unexpected()),
                }
            }
            self.reader.fill(&mut self.socket)?;
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.socket.write_all(bytes)?;
        Ok(())
    }

    /// A read that nothing comes to fails after this time.
    pub(crate) fn limit_reads(&self, time: Duration) -> Result<()> {
        Ok(self.socket.set_read_timeout(Some(time))?)
    }

    /// Lets one read take up to `bytes`.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.reader.reserve(bytes);
    }

    /// Calls `each` with every complete frame that has arrived, after waiting until there is one.
    pub(crate) fn read(&mut self, mut each: impl FnMut(&Frame<'_>) -> Result<()>) -> Result<()> {
        let mut any = false;
        loop {
            while let Some(frame) = self.reader.next()? {
                each(&frame)?;
                any = true;
            }
            if any {
                return Ok(());
            }
            self.reader.fill(&mut self.socket)?;
        }
    }
}

fn server_of(start: &[u8]) -> Result<String> {
    let mut arguments = Fields(start);
    arguments.short()?;
    let (mut product, mut version) = (String::from("unnamed broker"), String::new());
    arguments.strings_of_table(|name, value| match name.as_str() {
        "product" => product = value,
        "version" => version = value,
        _ => {}
    })?;
    Ok(format!("{product} {version}"))
}
