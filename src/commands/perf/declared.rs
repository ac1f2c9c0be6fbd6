//! Exchange, queues and bindings of a run.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ExchangeKind};

use super::load::{Ended, failed};
use super::plan::{Argument, Plan};

fn arguments(plan: &Plan) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in &plan.queue_arguments {
        let value = match value {
            Argument::Number(number) => AMQPValue::LongLongInt(*number),
            Argument::Truth(truth) => AMQPValue::Boolean(*truth),
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
        };
        table.insert(name.as_str().into(), value);
    }
    table
}

/// Declares exchange, queues and bindings. Queues are durable: RabbitMQ 4.3 has no others that several connections may use.
pub(super) async fn declare(plan: &Plan, connection: &Connection) -> Result<(), Ended> {
    let channel = connection.create_channel().await.map_err(failed("cannot open a channel"))?;
    let auto_delete = plan.auto_delete;
    if let Some((name, kind)) = plan.exchange.as_ref().filter(|(name, _)| !name.starts_with("amq.")) {
        let options = ExchangeDeclareOptions { durable: true, auto_delete, ..Default::default() };
        let kind = exchange_kind(kind);
        let declared = channel.exchange_declare(name.as_str().into(), kind, options, FieldTable::default()).await;
        declared.map_err(failed(format!("cannot declare the exchange {name}")))?;
    }
    for (at, queue) in plan.queues.iter().enumerate() {
        let options = QueueDeclareOptions { durable: true, auto_delete, ..Default::default() };
        let declared = channel.queue_declare(queue.as_str().into(), options, arguments(plan)).await;
        declared.map_err(failed(format!("cannot declare the queue {queue}")))?;
        let Some((exchange, _)) = &plan.exchange else { continue };
        let key = plan.producers.get(at % plan.producers.len().max(1)).map_or(queue, |it| &it.routing_key);
        let (name, exchange) = (queue.as_str().into(), exchange.as_str().into());
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(name, exchange, key.as_str().into(), options, FieldTable::default()).await;
        bound.map_err(failed(format!("cannot bind the queue {queue}")))?;
    }
    channel.close(200, "done".into()).await.map_err(failed("cannot close a channel"))
}

fn exchange_kind(kind: &str) -> ExchangeKind {
    match kind {
        "direct" => ExchangeKind::Direct,
        "fanout" => ExchangeKind::Fanout,
        "topic" => ExchangeKind::Topic,
        "headers" => ExchangeKind::Headers,
        other => ExchangeKind::Custom(other.to_owned()),
    }
}
