//! The methods that tests send. The crate `amq-protocol` encodes them; argument tables are spliced in from
//! [`Table`], whose order and tags that crate would not keep.

use amq_protocol::frame::{AMQPFrame, WriteContext, gen_frame, parse_frame};
use amq_protocol::protocol::{AMQPClass, basic, exchange, queue};
use amq_protocol::types::FieldTable;

use super::properties::Properties;
use super::table::{Table, Value};

/// A method's payload: class, method, arguments.
#[derive(Clone, Debug)]
pub struct Request(pub Vec<u8>);

impl Request {
    /// Class and method id.
    pub fn ids(&self) -> (u16, u16) {
        (u16::from_be_bytes([self.0[0], self.0[1]]), u16::from_be_bytes([self.0[2], self.0[3]]))
    }

    /// A method whose last argument is a table.
    fn with_table(method: AMQPClass, table: &Table) -> Self {
        let Self(mut payload) = Self::from(method);
        payload.truncate(payload.len() - 4);
        payload.extend_from_slice(&table.encode());
        Self(payload)
    }
}

impl From<AMQPClass> for Request {
    fn from(method: AMQPClass) -> Self {
        let frame = AMQPFrame::Method(1, method);
        let (bytes, _) = gen_frame(&frame)(WriteContext::from(Vec::new())).expect("a method encodes").into_inner();
        Self(bytes[7..bytes.len() - 1].to_vec())
    }
}

/// Reads a method's payload; the inverse of [`Request`].
pub fn parse_method(payload: &[u8]) -> AMQPClass {
    let frame = [&[1, 0, 1][..], &(payload.len() as u32).to_be_bytes(), payload, &[0xCE]].concat();
    match parse_frame(frame.as_slice()) {
        Ok((_, AMQPFrame::Method(_, method))) => method,
        other => panic!("not a method: {payload:?}: {other:?}"),
    }
}

macro_rules! methods_into_requests {
    ($($class:ident: $($method:ident)*;)*) => {
        $($(
            impl From<amq_protocol::protocol::$class::$method> for Request {
                fn from(method: amq_protocol::protocol::$class::$method) -> Self {
                    amq_protocol::protocol::$class::AMQPMethod::$method(method).into()
                }
            }
        )*)*
    };
}

macro_rules! classes_into_requests {
    ($($class:ident $variant:ident;)*) => {
        $(
            impl From<amq_protocol::protocol::$class::AMQPMethod> for Request {
                fn from(method: amq_protocol::protocol::$class::AMQPMethod) -> Self {
                    AMQPClass::$variant(method).into()
                }
            }
        )*
    };
}

classes_into_requests! {
    basic Basic;
    connection Connection;
    channel Channel;
    access Access;
    exchange Exchange;
    queue Queue;
    tx Tx;
    confirm Confirm;
}

methods_into_requests! {
    basic: Qos Cancel CancelOk Get Ack Reject Nack Recover RecoverAsync;
    connection: StartOk SecureOk TuneOk Open Close CloseOk UpdateSecret;
    channel: Open Flow FlowOk Close CloseOk;
    access: Request;
    exchange: Delete;
    queue: DeclareOk Purge Delete;
    tx: Select Commit Rollback;
    confirm: Select;
}

/// `queue.declare`.
#[derive(Clone, Debug, Default)]
pub struct QueueDeclare {
    method: queue::Declare,
    arguments: Table,
}

/// A `queue.declare` of this name, with every flag false.
pub fn queue(name: &str) -> QueueDeclare {
    QueueDeclare { method: queue::Declare { queue: name.into(), ..Default::default() }, arguments: Table::default() }
}

impl QueueDeclare {
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.method.passive = true;
        self
    }

    #[must_use]
    pub fn durable(mut self) -> Self {
        self.method.durable = true;
        self
    }

    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.method.exclusive = true;
        self
    }

    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.method.auto_delete = true;
        self
    }

    #[must_use]
    pub fn no_wait(mut self) -> Self {
        self.method.nowait = true;
        self
    }

    #[must_use]
    pub fn arg(mut self, name: &str, value: Value) -> Self {
        self.arguments.0.push((name.as_bytes().to_vec(), value));
        self
    }

    #[must_use]
    pub fn args(mut self, arguments: Table) -> Self {
        self.arguments.0.extend(arguments.0);
        self
    }

    /// A durable quorum queue.
    #[must_use]
    pub fn quorum(self) -> Self {
        self.durable().arg("x-queue-type", super::table::S("quorum"))
    }
}

impl From<QueueDeclare> for Request {
    fn from(declare: QueueDeclare) -> Self {
        Self::with_table(AMQPClass::Queue(queue::AMQPMethod::Declare(declare.method)), &declare.arguments)
    }
}

/// `exchange.declare`.
#[derive(Clone, Debug, Default)]
pub struct ExchangeDeclare {
    method: exchange::Declare,
    arguments: Table,
}

/// An `exchange.declare` of this name and type, with every flag false.
pub fn exchange(name: &str, kind: &str) -> ExchangeDeclare {
    let method = exchange::Declare { exchange: name.into(), kind: kind.into(), ..Default::default() };
    ExchangeDeclare { method, arguments: Table::default() }
}

impl ExchangeDeclare {
    #[must_use]
    pub fn passive(mut self) -> Self {
        self.method.passive = true;
        self
    }

    #[must_use]
    pub fn durable(mut self) -> Self {
        self.method.durable = true;
        self
    }

    #[must_use]
    pub fn auto_delete(mut self) -> Self {
        self.method.auto_delete = true;
        self
    }

    #[must_use]
    pub fn internal(mut self) -> Self {
        self.method.internal = true;
        self
    }

    #[must_use]
    pub fn no_wait(mut self) -> Self {
        self.method.nowait = true;
        self
    }

    #[must_use]
    pub fn arg(mut self, name: &str, value: Value) -> Self {
        self.arguments.0.push((name.as_bytes().to_vec(), value));
        self
    }
}

impl From<ExchangeDeclare> for Request {
    fn from(declare: ExchangeDeclare) -> Self {
        Self::with_table(AMQPClass::Exchange(exchange::AMQPMethod::Declare(declare.method)), &declare.arguments)
    }
}

/// `queue.bind` with arguments.
pub fn bind(queue: &str, exchange: &str, key: &str, arguments: &Table, nowait: bool) -> Request {
    let method = queue::Bind {
        queue: queue.into(),
        exchange: exchange.into(),
        routing_key: key.into(),
        nowait,
        arguments: FieldTable::default(),
    };
    Request::with_table(AMQPClass::Queue(queue::AMQPMethod::Bind(method)), arguments)
}

/// `queue.unbind` with arguments.
pub fn unbind(queue: &str, exchange: &str, key: &str, arguments: &Table) -> Request {
    let method = queue::Unbind {
        queue: queue.into(),
        exchange: exchange.into(),
        routing_key: key.into(),
        arguments: FieldTable::default(),
    };
    Request::with_table(AMQPClass::Queue(queue::AMQPMethod::Unbind(method)), arguments)
}

/// `exchange.bind` with arguments: from `source` to `destination`.
pub fn exchange_bind(destination: &str, source: &str, key: &str, arguments: &Table, nowait: bool) -> Request {
    let method = exchange::Bind {
        destination: destination.into(),
        source: source.into(),
        routing_key: key.into(),
        nowait,
        arguments: FieldTable::default(),
    };
    Request::with_table(AMQPClass::Exchange(exchange::AMQPMethod::Bind(method)), arguments)
}

/// `exchange.unbind` with arguments.
pub fn exchange_unbind(destination: &str, source: &str, key: &str, arguments: &Table, nowait: bool) -> Request {
    let method = exchange::Unbind {
        destination: destination.into(),
        source: source.into(),
        routing_key: key.into(),
        nowait,
        arguments: FieldTable::default(),
    };
    Request::with_table(AMQPClass::Exchange(exchange::AMQPMethod::Unbind(method)), arguments)
}

/// `basic.consume`.
#[derive(Clone, Debug, Default)]
pub struct Consume {
    pub method: basic::Consume,
    arguments: Table,
}

/// A `basic.consume` from this queue, with acknowledgements and a tag of the broker's choice.
pub fn consume(queue: &str) -> Consume {
    Consume { method: basic::Consume { queue: queue.into(), ..Default::default() }, arguments: Table::default() }
}

impl Consume {
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.method.consumer_tag = tag.into();
        self
    }

    #[must_use]
    pub fn no_ack(mut self) -> Self {
        self.method.no_ack = true;
        self
    }

    #[must_use]
    pub fn no_local(mut self) -> Self {
        self.method.no_local = true;
        self
    }

    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.method.exclusive = true;
        self
    }

    #[must_use]
    pub fn no_wait(mut self) -> Self {
        self.method.nowait = true;
        self
    }

    #[must_use]
    pub fn arg(mut self, name: &str, value: Value) -> Self {
        self.arguments.0.push((name.as_bytes().to_vec(), value));
        self
    }
}

impl From<Consume> for Request {
    fn from(consume: Consume) -> Self {
        Self::with_table(AMQPClass::Basic(basic::AMQPMethod::Consume(consume.method)), &consume.arguments)
    }
}

/// `basic.publish` and its content.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    pub exchange: String,
    pub routing_key: Vec<u8>,
    pub mandatory: bool,
    pub immediate: bool,
    pub properties: Properties,
    pub body: Vec<u8>,
}

/// A `basic.publish` with this body.
pub fn publish(exchange: &str, routing_key: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Publish {
    Publish {
        exchange: exchange.into(),
        routing_key: routing_key.as_ref().to_vec(),
        body: body.as_ref().to_vec(),
        ..Default::default()
    }
}

impl Publish {
    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    #[must_use]
    pub fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }

    #[must_use]
    pub fn with(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.properties.headers.get_or_insert_default().0.push((name.as_bytes().to_vec(), value));
        self
    }

    #[must_use]
    pub fn expiration(mut self, ms: &str) -> Self {
        self.properties.expiration = Some(ms.into());
        self
    }

    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.properties.priority = Some(priority);
        self
    }

    /// The method's payload; by hand, because a routing key need not be UTF-8.
    pub fn method(&self) -> Request {
        let mut payload = vec![0, 60, 0, 40, 0, 0];
        for text in [self.exchange.as_bytes(), &self.routing_key] {
            payload.push(text.len() as u8);
            payload.extend_from_slice(text);
        }
        payload.push(u8::from(self.mandatory) | u8::from(self.immediate) << 1);
        Request(payload)
    }
}
