//! The store of a broker and its threads: one that writes the log, one that moves messages to segment files, and some that read
//! them back.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::watch;

use super::metered::Metered;
use super::start_error::StartFailure;
use super::wake_ups::WakeUps;
use crate::broker::Broker;
use crate::broker::node::Node;
use crate::broker::pager::Pager;
use crate::clock::Clock;
use crate::host::file_of_rabbitmq;
use crate::message::MemoryGauge;
use crate::metrics::IoCounters;
use crate::store::disk::{Disk, RealDisk};
use crate::store::failure::Call;
use crate::store::loader::Loader;
use crate::store::recovery::{Opening, Recovered, RecoveredQueue, Report, recover};
use crate::store::wal::Wal;
use crate::store::{Log, Sizes, StoreError, StoredLog};

/// Threads that read messages back.
const READERS: usize = 2;
/// When something is scarce, how long until messages are moved or read again.
const SCARCE_PAUSE: Duration = Duration::from_millis(500);
/// What messages may take in memory before those that wait longest are in files only.
const MEMORY_BUDGET_BYTES: u64 = 96 * 1024 * 1024;

/// What was found in a data directory, before it belongs to a broker.
pub(super) struct Opened {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    pub(super) io: Arc<IoCounters>,
    pub(super) wal: Arc<Wal>,
    pub(super) loader: Arc<Loader>,
    definitions: Vec<Vec<u8>>,
    queues: std::collections::HashMap<u64, RecoveredQueue>,
    pub(super) next_id: u64,
    is_salvaged: bool,
}

/// A store with its threads.
#[derive(Debug)]
pub(super) struct Storage {
    wal: Arc<Wal>,
    loader: Arc<Loader>,
    pager: Arc<Pager>,
    threads: Vec<JoinHandle<()>>,
    failed: watch::Receiver<bool>,
}

/// Opens a data directory.
///
/// # Errors
/// When it cannot be used, or is damaged and not to be salvaged.
pub(super) fn open(path: &Path, gauge: &Arc<MemoryGauge>, salvage: bool, nonce: u32) -> Result<Opened, StartFailure> {
    let io = Arc::<IoCounters>::default();
    let disk: Arc<dyn Disk> = Arc::new(Metered::new(Arc::new(RealDisk::open(path)?), Arc::clone(&io)));
    let recovered = recover(&disk, gauge, Opening { salvage, nonce, sizes: Sizes::default() })?;
    let Recovered { definitions, queues, next_id, resume, segments, report } = recovered;
    tell(path, &report);
    let is_salvaged = report.is_salvaged();
    let wal = Arc::new(Wal::new(Arc::clone(&disk), resume));
    let loader = Arc::new(Loader::new(Arc::new(segments)));
    Ok(Opened { directory: path.to_owned(), disk, io, wal, loader, definitions, queues, next_id, is_salvaged })
}

fn tell(directory: &Path, report: &Report) {
    let path = directory.display();
    if report.is_salvaged() {
        tell_of_salvage(&path, report);
    }
    for returned in &report.returned {
        tracing::error!("{returned}");
    }
    for mended in &report.mended {
        tracing::warn!("{mended}");
    }
    for moved in &report.moved {
        tracing::warn!("kept what cannot be used as {moved}");
    }
    if report.cut_off_bytes > 0 {
        let bytes = report.cut_off_bytes;
        tracing::warn!(
            "the last write to the log was cut off: left out {bytes} bytes that nobody was told to be durable"
        );
    }
    if report.is_new {
        tracing::info!("made the data directory {path}");
        if let Some(file) = file_of_rabbitmq(directory) {
            let file = file.display();
            tracing::warn!(
                "{file} is RabbitMQ's, and is not read: export its definitions with RabbitMQ and import them here; messages stay there"
            );
        }
    } else if report.is_clean {
        tracing::info!("opened the data directory {path}");
    } else {
        tracing::warn!(
            "recovered the data directory {path} after a crash: read {} changes from {} bytes of log",
            report.groups,
            report.log_bytes
        );
    }
}

fn tell_of_salvage(path: &impl Display, report: &Report) {
    for skipped in &report.skipped {
        tracing::error!("salvaging {path}: {skipped}");
    }
    for (what, count) in [
        ("changes read from the log", report.groups),
        ("bytes read from the log", report.log_bytes),
        ("places that were left out", report.skipped.len() as u64),
        ("segment files searched for messages", report.salvaged.scanned_files),
        ("messages found there again", report.salvaged.messages),
        ("queues that they belong to", report.salvaged.queues),
        ("files kept in lost+found", report.moved.len() as u64),
    ] {
        tracing::warn!("salvaging {path}: {count:>12} {what}");
    }
}

impl Opened {
    /// Gives a broker what was found, and starts the threads.
    ///
    /// # Errors
    /// When a definition makes no sense.
    pub(super) fn start(
        self,
        broker: &Arc<Broker>,
        disk_free_limit_bytes: u64,
        clock: &Clock,
    ) -> Result<Storage, StoreError> {
        let Self { directory, disk, wal, loader, definitions, queues, is_salvaged, .. } = self;
        // Before any thread of the store runs: nothing moves while queues are filled.
        broker.restore(&definitions, queues, loader.segments(), clock.now_ms())?;
        let (tell_failed, failed) = watch::channel(false);
        wal.on_failed(Box::new(move || {
            tell_failed.send_replace(true);
        }));
        let wake_ups = WakeUps::start().map_err(StoreError::io(Call::Start, "a pipe".to_owned()))?;
        wal.on_due(Box::new(move |due| wake_ups.wake_soon(due)));
        let set_alarm = disk_alarm(Arc::downgrade(broker.node()), Arc::clone(&disk), directory);
        wal.on_low_space(disk_free_limit_bytes, Box::new(set_alarm));
        let log = Arc::downgrade(&wal);
        let have_shortened = move || {
            if let Some(log) = log.upgrade() {
                log.ask_to_shorten();
            }
        };
        loader.segments().on_excess(Box::new(have_shortened.clone()));
        broker.node().pressure.on_exceeded(MEMORY_BUDGET_BYTES, Box::new(have_shortened));
        let segments = Arc::clone(loader.segments());
        let log = Arc::clone(&wal) as Arc<dyn StoredLog>;
        let pager = Pager::new(Arc::clone(broker), log, segments, disk, MEMORY_BUDGET_BYTES);
        if is_salvaged {
            // So that the next start finds nothing wrong any more. The pager's thread is not there yet:
            // the log is synced here.
            pager.finish()?;
        }
        let mut storage = Storage { wal, loader, pager: Arc::new(pager), threads: Vec::new(), failed };
        storage.start_threads(clock)?;
        Ok(storage)
    }
}

/// What sets the alarm of the disk, and says so, or ends it.
fn disk_alarm(node: Weak<Node>, disk: Arc<dyn Disk>, directory: PathBuf) -> impl Fn(bool) + Send + Sync {
    move |is_low| {
        // The node has the log, and the log has this: a strong pointer would keep both for ever.
        let node = node.upgrade();
        if is_low {
            tracing::warn!(
                free_bytes = disk.free_bytes().ok(),
                limit_bytes = node.as_ref().map(|node| node.alarm.disk_free_limit_bytes()),
                data_dir = %directory.display(),
                tip = "free space there, or lower --disk-free-limit",
                "little space is left on the disk"
            );
        }
        if let Some(node) = node {
            node.alarm.set_disk(is_low);
        }
    }
}

impl Storage {
    fn start_threads(&mut self, clock: &Clock) -> Result<(), StoreError> {
        let wal = Arc::clone(&self.wal);
        self.spawn("leveret-log", move || wal.run())?;
        let (pager, wal) = (Arc::clone(&self.pager), Arc::clone(&self.wal));
        self.spawn("leveret-pager", move || pager.run(|| wal.pause(SCARCE_PAUSE)))?;
        for _ in 0..READERS {
            let (loader, wal, clock) = (Arc::clone(&self.loader), Arc::clone(&self.wal), clock.clone());
            self.spawn("leveret-reader", move || {
                // Only what waiting does not mend comes here. A message that cannot be read can be neither
                // delivered nor left out, so the store is over.
                if let Err(error) = loader.run(|| clock.now_ms(), || wal.pause(SCARCE_PAUSE)) {
                    wal.fail(error);
                }
            })?;
        }
        Ok(())
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
        self.threads.push(thread.map_err(StoreError::io(Call::Start, name.to_owned()))?);
        Ok(())
    }

    pub(super) fn wal(&self) -> &Arc<Wal> {
        &self.wal
    }

    /// Resolves when the store has failed. Cancel safe.
    pub(super) async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        // It ends without a failure only together with the store.
        failed.wait_for(|has_failed| *has_failed).await.ok();
        self.wal.failure().map(ToString::to_string).unwrap_or_default()
    }

    /// Makes everything durable, so that the next start has nothing to read, and ends the threads. Blocks.
    pub(super) fn stop(mut self) {
        // After a failure nothing can be made durable any more.
        if self.wal.failure().is_none()
            && let Err(error) = self.pager.finish()
        {
            tracing::error!(%error, "cannot stop cleanly: the next start has to read the log");
        }
        self.end();
        for thread in self.threads.drain(..) {
            // A panic of a thread was reported when it happened.
            thread.join().ok();
        }
    }

    fn end(&self) {
        self.wal.stop();
        self.loader.stop();
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        self.end();
    }
}
