//! The log of a broker that keeps everything in memory.

use std::sync::Arc;

use super::{Capabilities, Log, LogFailed, LogPosition, StoreError, TransactionId, Wake};
use crate::message::Chunk;

/// Keeps nothing: whatever it takes is as durable as it will ever be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MemoryLog;

impl Log for MemoryLog {
    fn capabilities(&self) -> Capabilities {
        Capabilities { keeps: false, moves_bodies: false }
    }

    fn begin(&self) -> u64 {
        0
    }

    fn end(&self, _: u64) {}

    fn owe(&self) -> u64 {
        0
    }

    fn paid(&self, _: u64) {}

    fn append_chunk(&self, _: &Arc<Chunk>) {}

    fn reusable_from(&self) -> u64 {
        0
    }

    fn append(&self, _: &[u8]) -> LogPosition {
        LogPosition::START
    }

    fn durable(&self) -> Result<LogPosition, LogFailed> {
        Ok(LogPosition::START)
    }

    fn want(&self, _: LogPosition) {}

    fn when_durable(&self, _: LogPosition, waiter: Arc<dyn Wake>) {
        waiter.wake();
    }

    fn is_behind(&self) -> bool {
        false
    }

    fn when_caught_up(&self, waiter: Arc<dyn Wake>) {
        waiter.wake();
    }

    fn new_transaction(&self) -> TransactionId {
        TransactionId::NONE
    }

    fn fail(&self, _: StoreError) {}
}
