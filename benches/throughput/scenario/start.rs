//! What a process costs before it has done anything, and how soon it is there again. For a leveret that is started here.

use std::{fs, slice};

use super::backlog::{drain, fill, wait_for_count};
use super::{Load, unique_name};
use crate::amqp::wire::Table;
use crate::amqp::{Connection, Durability};
use crate::error::{Error, Result};
use crate::latency::Latency;
use crate::launch::Signal;
use crate::meter::{Meter, Sample, now};
use crate::target::Target;

/// Starts anew, again and again, with an empty directory; then looks at the last one.
pub(super) fn empty(target: &Target, load: Load) -> Result<Sample> {
    let recipe = target.recipe()?;
    let meter = Meter::start(target);
    let mut times = Vec::new();
    for _ in 0..load.messages {
        let launched = recipe.launch()?;
        times.push(nanos(launched.took));
    }
    let launched = recipe.launch()?;
    let memory = launched.process()?.memory();
    let mut sample = meter.stop(load.messages);
    sample.seconds = times.iter().sum::<u64>() as f64 / 1e9;
    sample.latency = Latency::of(times);
    (sample.broker, sample.memory) = (None, Some(memory));
    sample.extra.push(("binary_mib", fs::metadata(&recipe.binary)?.len() as f64 / 1024.0 / 1024.0));
    Ok(sample)
}

/// Stops and starts with as many durable queues.
pub(super) fn with_queues(target: &Target, load: Load) -> Result<Sample> {
    let recipe = target.recipe_with_disk()?;
    let first = recipe.launch()?;
    let mut connection = Connection::open(&first.url()?)?;
    let names: Vec<String> = (0..load.messages).map(|_| unique_name("q")).collect();
    for name in &names {
        connection.declare_queue(name, Durability::Durable, &Table::default())?;
    }
    connection.close()?;
    let second = first.restart(Signal::Terminate)?;
    let mut sample = Meter::start(target).stop(load.messages);
    sample.seconds = second.took.as_secs_f64();
    (sample.broker, sample.memory) = (Some(second.process()?.usage()), Some(second.process()?.memory()));
    let mut connection = Connection::open(&second.url()?)?;
    names.iter().try_for_each(|name| connection.message_count(name).map(drop))?;
    connection.close()?;
    sample.extra.push(("listening_ms", second.took.as_secs_f64() * 1e3));
    Ok(sample)
}

/// Fills a queue, kills the process with signal 9, starts it again, and sees whether everything is there.
pub(super) fn after_kill(target: &Target, load: Load) -> Result<Sample> {
    let recipe = target.recipe_with_disk()?;
    let first = recipe.launch()?;
    let before = Target::of(&first)?;
    let queue = unique_name("q");
    let mut connection = Connection::open(&before.url)?;
    connection.declare_queue(&queue, Durability::Durable, &Table::default())?;
    // Numbered always: whether a start was fast does not matter if it lost something.
    let load = Load { verify: true, ..load };
    fill(&before, load, slice::from_ref(&queue), Durability::Durable, &mut connection)?;
    drop(connection);

    let begin = now();
    let second = first.restart(Signal::Kill)?;
    let listening = second.took;
    let after = Target::of(&second)?;
    let mut connection = Connection::open(&after.url)?;
    wait_for_count(&mut connection, slice::from_ref(&queue), |count| count >= load.messages)?;
    let counted = begin.elapsed();
    let mut sample = Meter::start(&after).stop(load.messages);
    sample.seconds = listening.as_secs_f64();
    (sample.broker, sample.memory) = (Some(second.process()?.usage()), Some(second.process()?.memory()));
    sample.extra.push(("listening_ms", listening.as_secs_f64() * 1e3));
    sample.extra.push(("counted_ms", counted.as_secs_f64() * 1e3));
    drain(&after, load, slice::from_ref(&queue), Durability::Durable, &mut connection)?;
    if connection.message_count(&queue)? != 0 {
        return Err(Error::verification("more messages than were published"));
    }
    connection.close()?;
    Ok(sample)
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
