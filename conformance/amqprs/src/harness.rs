//! What the stories share: deadlines, checks, the proxy's control connection, and connections and names
//! that are tidied up after a story.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use amqprs::callbacks::ChannelCallback;
use amqprs::channel::{
    Channel, ConfirmSelectArguments, ExchangeDeclareArguments, ExchangeDeleteArguments, QueueDeclareArguments,
    QueueDeleteArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::{Ack, BasicProperties, Cancel, CloseChannel, FieldTable, FieldValue, Nack, Return};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{unbounded_channel, UnboundedReceiver, UnboundedSender};
use tokio::time::{sleep, timeout, Instant};

pub type Outcome<V = ()> = Result<V, Box<dyn std::error::Error>>;
pub type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

pub const WAIT: Duration = Duration::from_secs(60);

pub struct Story {
    pub name: &'static str,
    pub body: for<'a> fn(&'a Context) -> Running<'a>,
    pub deadline: Duration,
}

#[macro_export]
macro_rules! check {
    ($holds:expr, $($otherwise:tt)+) => {
        if !$holds {
            return Err(format!($($otherwise)+).into());
        }
    };
}

pub fn equal<A: Debug + PartialEq<B>, B: Debug>(what: &str, actual: A, expected: B) -> Outcome {
    check!(actual == expected, "{what}: got {actual:?}, want {expected:?}");
    Ok(())
}

/// The next item of `queue`, or an error if there is none in time.
pub async fn next<V>(what: &str, queue: &mut UnboundedReceiver<V>) -> Outcome<V> {
    match timeout(WAIT, queue.recv()).await {
        Ok(Some(item)) => Ok(item),
        Ok(None) => Err(format!("no {what}: the end").into()),
        Err(_) => Err(format!("no {what} within {WAIT:?}").into()),
    }
}

/// Polls `probe` until it says true.
pub async fn until(what: &str, mut probe: impl AsyncFnMut() -> Outcome<bool>) -> Outcome {
    let end = Instant::now() + WAIT;
    while !probe().await? {
        check!(Instant::now() < end, "not within {WAIT:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

pub fn env(name: &str) -> Outcome<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set").into())
}

pub fn unique(what: &str) -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("conformance-{what}-{random:x}")
}

pub fn table<const N: usize>(entries: [(&str, FieldValue); N]) -> FieldTable {
    let mut table = FieldTable::new();
    for (name, value) in entries {
        table.insert(name.try_into().expect("a short name"), value);
    }
    table
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = if *first == b'%' { tail.get(..2) } else { None };
        match code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The parts of an amqp:// URL.
pub struct Address {
    pub user: String,
    pub password: String,
    pub vhost: String,
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn from_env(name: &str) -> Outcome<Address> {
        let url = env(name)?;
        let rest = url.strip_prefix("amqp://").ok_or("not an amqp:// URL")?;
        let (authority, vhost) = rest.split_once('/').unwrap_or((rest, "%2F"));
        let (login, address) = authority.rsplit_once('@').unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "5672"));
        Ok(Address {
            user: percent_decoded(user),
            password: percent_decoded(password),
            vhost: percent_decoded(vhost),
            host: host.to_string(),
            port: port.parse()?,
        })
    }

    pub async fn connect(&self, heartbeat: u16) -> Result<Connection, Error> {
        let arguments = OpenConnectionArguments::new(&self.host, self.port, &self.user, &self.password)
            .virtual_host(&self.vhost)
            .heartbeat(heartbeat)
            .finish();
        Connection::open(&arguments).await
    }
}

/// What the broker tells a channel unasked.
#[derive(Debug, PartialEq)]
pub enum Event {
    Closed(u16, String),
    Cancelled(String),
    Acked(u64, bool),
    Nacked(u64, bool),
    Returned {
        code: u16,
        text: String,
        exchange: String,
        key: String,
        message_id: Option<String>,
        headers: Option<FieldTable>,
        body: String,
    },
}

struct Forward(UnboundedSender<Event>);

impl Forward {
    fn tell(&self, event: Event) {
        self.0.send(event).ok(); // a story that is over listens no more
    }
}

#[async_trait::async_trait]
impl ChannelCallback for Forward {
    async fn close(&mut self, _: &Channel, close: CloseChannel) -> Result<(), Error> {
        self.tell(Event::Closed(close.reply_code(), close.reply_text().clone()));
        Ok(())
    }

    async fn cancel(&mut self, _: &Channel, cancel: Cancel) -> Result<(), Error> {
        self.tell(Event::Cancelled(cancel.consumer_tag().clone()));
        Ok(())
    }

    async fn flow(&mut self, _: &Channel, active: bool) -> Result<bool, Error> {
        Ok(active)
    }

    async fn publish_ack(&mut self, _: &Channel, ack: Ack) {
        self.tell(Event::Acked(ack.delivery_tag(), ack.mutiple()));
    }

    async fn publish_nack(&mut self, _: &Channel, nack: Nack) {
        self.tell(Event::Nacked(nack.delivery_tag(), nack.multiple()));
    }

    async fn publish_return(&mut self, _: &Channel, returned: Return, properties: BasicProperties, content: Vec<u8>) {
        self.tell(Event::Returned {
            code: returned.reply_code(),
            text: returned.reply_text().clone(),
            exchange: returned.exchange().clone(),
            key: returned.routing_key().clone(),
            message_id: properties.message_id().cloned(),
            headers: properties.headers().cloned(),
            body: String::from_utf8_lossy(&content).into_owned(),
        });
    }
}

/// A channel, what the broker told it, and how much was published on it.
pub struct Listening {
    channel: Channel,
    pub events: RefCell<UnboundedReceiver<Event>>,
    pub published: Cell<u64>,
}

impl Deref for Listening {
    type Target = Channel;
    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Listening {
    pub async fn open(connection: &Connection) -> Outcome<Listening> {
        let channel = connection.open_channel(None).await?;
        let (sender, events) = unbounded_channel();
        channel.register_callback(Forward(sender)).await?;
        Ok(Listening { channel, events: RefCell::new(events), published: Cell::new(0) })
    }

    pub async fn close(self) -> Outcome {
        Ok(self.channel.close().await?)
    }

    #[expect(clippy::await_holding_refcell_ref, reason = "one task only listens to a channel")]
    pub async fn event(&self, what: &str) -> Outcome<Event> {
        next(what, &mut self.events.borrow_mut()).await
    }

    /// Awaits the confirm of everything published so far; whether the last was acked.
    pub async fn confirmed(&self) -> Outcome<bool> {
        loop {
            let (tag, acked) = match self.event("confirm").await? {
                Event::Acked(tag, _) => (tag, true),
                Event::Nacked(tag, _) => (tag, false),
                other => return Err(format!("a confirm was due, {other:?} came").into()),
            };
            if tag == self.published.get() {
                return Ok(acked);
            }
        }
    }
}

/// The connections of one story, and the names to delete after it.
#[derive(Default)]
pub struct Context {
    first: RefCell<Option<Connection>>,
    queues: RefCell<Vec<String>>,
    exchanges: RefCell<Vec<String>>,
}

impl Context {
    pub async fn connect(&self) -> Outcome<Connection> {
        Ok(Address::from_env("AMQP_URL")?.connect(60).await?)
    }

    /// A channel on the story's first connection.
    pub async fn channel(&self) -> Outcome<Listening> {
        let connection = self.first.borrow().clone();
        let connection = match connection {
            Some(connection) => connection,
            None => {
                let connection = self.connect().await?;
                self.first.replace(Some(connection.clone()));
                connection
            }
        };
        Listening::open(&connection).await
    }

    pub async fn confirming(&self) -> Outcome<Listening> {
        let channel = self.channel().await?;
        channel.confirm_select(ConfirmSelectArguments::new(false)).await?;
        Ok(channel)
    }

    pub fn queue_name(&self) -> String {
        let name = unique("queue");
        self.queues.borrow_mut().push(name.clone());
        name
    }

    pub fn exchange_name(&self) -> String {
        let name = unique("exchange");
        self.exchanges.borrow_mut().push(name.clone());
        name
    }

    pub async fn queue<const N: usize>(
        &self,
        channel: &Channel,
        arguments: [(&str, FieldValue); N],
    ) -> Outcome<String> {
        let name = self.queue_name();
        let mut declaration = QueueDeclareArguments::durable_client_named(&name);
        channel.queue_declare(declaration.arguments(table(arguments)).finish()).await?;
        Ok(name)
    }

    pub async fn exchange(&self, channel: &Channel, kind: &str) -> Outcome<String> {
        let name = self.exchange_name();
        channel.exchange_declare(ExchangeDeclareArguments::new(&name, kind).durable(true).finish()).await?;
        Ok(name)
    }

    async fn tidy(&self) -> Outcome {
        if let Some(connection) = self.first.take() {
            connection.close().await.ok(); // it may be lost already
        }
        let connection = self.connect().await?;
        let channel = connection.open_channel(None).await?;
        for name in self.queues.take() {
            channel.queue_delete(QueueDeleteArguments::new(&name)).await?;
        }
        for name in self.exchanges.take() {
            channel.exchange_delete(ExchangeDeleteArguments::new(&name)).await?;
        }
        channel.close().await?;
        Ok(connection.close().await?)
    }
}

/// Sends one command (freeze, thaw, cut) to the test proxy.
pub async fn proxy(command: &str) -> Outcome {
    let mut stream = BufReader::new(TcpStream::connect(env("PROXY_CONTROL")?).await?);
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut answer = String::new();
    timeout(WAIT, stream.read_line(&mut answer)).await??;
    equal("the proxy's answer", answer.as_str(), "ok\n")
}

/// Why `running` failed, or nothing.
async fn attempt(deadline: Duration, running: impl Future<Output = Outcome>) -> Option<String> {
    let reason = match timeout(deadline, running).await {
        Ok(Ok(())) => return None,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not finished within {deadline:?}"),
    };
    Some(reason.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Runs the stories that are named on the command line, or all; the number that failed.
pub async fn tell(stories: &[Story]) -> usize {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (mut passed, mut failed) = (0, 0);
    for name in wanted.iter().filter(|name| !stories.iter().any(|story| story.name == **name)) {
        failed += 1;
        println!("FAIL {name}: no such story");
    }
    for story in stories {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == story.name) {
            continue;
        }
        let context = Context::default();
        let reason = attempt(story.deadline, (story.body)(&context)).await;
        let untidy = attempt(story.deadline, context.tidy()).await;
        match reason.or(untidy.map(|why| format!("tidying up: {why}"))) {
            None => {
                passed += 1;
                println!("ok {}", story.name);
            }
            Some(reason) => {
                failed += 1;
                println!("FAIL {}: {reason}", story.name);
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    failed
}
