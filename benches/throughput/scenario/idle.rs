//! Many connections that do nothing.

use std::thread;
use std::time::Duration;

use super::Load;
use crate::amqp::Connection;
use crate::error::Result;
use crate::meter::{Meter, Sample};
use crate::process::{ProcessTree, own_files_max};
use crate::target::Target;

/// How long the connections are watched while they idle.
const IDLE: Duration = Duration::from_secs(1);

/// What a broker, or we, may have open beside these sockets: libraries, queues, other listeners.
const OTHER_FILES: u64 = 256;

/// Opens as many connections as asked for, or as the limits on open files allow on both sides.
pub(super) fn run(target: &Target, load: Load) -> Result<Sample> {
    let files_max = target.process.map_or(u64::MAX, ProcessTree::files_max).min(own_files_max());
    let count = load.messages.min(files_max.saturating_sub(OTHER_FILES)).max(1);
    let before = target.process.map(ProcessTree::memory);
    let meter = Meter::start(target);
    let connections = (0..count).map(|_| Connection::open(&target.url)).collect::<Result<Vec<_>>>()?;
    let mut sample = meter.stop(count);

    let idle = Meter::start(target);
    thread::sleep(IDLE);
    let idle = idle.stop(count);
    sample.memory = idle.memory;
    if let Some((before, after)) = before.zip(idle.memory) {
        let grown = after.rss_bytes.saturating_sub(before.rss_bytes) as f64;
        sample.extra.push(("rss_kib_per_connection", grown / 1024.0 / count as f64));
    }
    if let Some(usage) = idle.broker {
        sample.extra.push(("idle_cpu_ms_per_second", (usage.user + usage.system).as_secs_f64() * 1e3 / idle.seconds));
    }
    connections.into_iter().try_for_each(Connection::close)?;
    Ok(sample)
}
