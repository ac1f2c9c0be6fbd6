//! Things that come and go: connections, queues, bindings. One after the other, and each waits for its reply.

use super::{Load, unique_name};
use crate::amqp::wire::Table;
use crate::amqp::{Connection, Durability};
use crate::error::Result;
use crate::meter::{Meter, Sample};
use crate::target::Target;

/// Connect, log in, open a channel, close it and the connection.
pub(super) fn connections(target: &Target, load: Load) -> Result<Sample> {
    let meter = Meter::start(target);
    for _ in 0..load.messages {
        let mut connection = Connection::open(&target.url)?;
        connection.close_channel()?;
        connection.close()?;
    }
    Ok(meter.stop(load.messages))
}

/// Declares as many queues, and deletes them.
pub(super) fn queues(target: &Target, load: Load, durability: Durability) -> Result<Vec<Sample>> {
    let mut connection = Connection::open(&target.url)?;
    let names: Vec<String> = (0..load.messages).map(|_| unique_name("q")).collect();
    let meter = Meter::start(target);
    names.iter().try_for_each(|name| connection.declare_queue(name, durability, &Table::default()))?;
    let declared = meter.stop(load.messages).of_phase("declare");
    let meter = Meter::start(target);
    names.iter().try_for_each(|name| connection.delete_queue(name))?;
    let deleted = meter.stop(load.messages).of_phase("delete");
    connection.close()?;
    Ok(vec![declared, deleted])
}

/// Binds one queue to `amq.direct` under as many keys, and unbinds it.
pub(super) fn bindings(target: &Target, load: Load, durability: Durability) -> Result<Vec<Sample>> {
    let mut connection = Connection::open(&target.url)?;
    let queue = unique_name("q");
    connection.declare_queue(&queue, durability, &Table::default())?;
    let keys: Vec<String> = (0..load.messages).map(|_| unique_name("k")).collect();
    let meter = Meter::start(target);
    keys.iter().try_for_each(|key| connection.bind_queue(&queue, "amq.direct", key, &Table::default()))?;
    let bound = meter.stop(load.messages).of_phase("bind");
    let meter = Meter::start(target);
    keys.iter().try_for_each(|key| connection.unbind_queue(&queue, "amq.direct", key))?;
    let unbound = meter.stop(load.messages).of_phase("unbind");
    connection.delete_queue(&queue)?;
    connection.close()?;
    Ok(vec![bound, unbound])
}
