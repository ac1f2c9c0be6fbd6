//! A broker on a disk, without threads: whoever holds it does by hand what the server's threads do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use leveret::Compatibility;
use leveret::internals::broker::Broker;
use leveret::internals::broker::ids::ConsumerId;
use leveret::internals::broker::node::{Node, NodeSettings};
use leveret::internals::broker::pager::Pager;
use leveret::internals::broker::queue::arguments::QueueKind;
use leveret::internals::broker::random::Random as BrokerRandom;
use leveret::internals::broker::sink::{Delivery, Notice, Sink};
use leveret::internals::broker::vhost::Vhost;
use leveret::internals::store::disk::Disk;
use leveret::internals::store::loader::Loader;
use leveret::internals::store::recovery::{Opening, Report, recover};
use leveret::internals::store::wal::Wal;
use leveret::internals::store::{Log, Sizes, StoreError, StoredLog};

use crate::disk::SimDisk;
use crate::queues;
use crate::random::Random;

/// How large everything is: small, so that a short history moves much.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub sizes: Sizes,
    pub window_bytes: u64,
    pub locked_messages_max: usize,
    pub budget_bytes: u64,
}

impl Scale {
    pub fn of(random: &mut Random) -> Self {
        let log_file_bytes = *random.pick(&[4096, 8192, 32_768]);
        Self {
            sizes: Sizes {
                log_file_bytes,
                segment_file_bytes: *random.pick(&[1024, 4096, 16_384]),
                block_bytes: *random.pick(&[256, 1024, 8192]),
                excess_bytes: *random.pick(&[0, 2048, u64::MAX]),
            },
            window_bytes: *random.pick(&[4096, 16_384, 65_536]),
            locked_messages_max: *random.pick(&[1, 3, 1000]),
            budget_bytes: *random.pick(&[2048, 16_384, u64::MAX]),
        }
    }
}

/// Takes what it is given.
#[derive(Debug, Default)]
pub struct Basket(pub Mutex<Vec<Delivery>>);

impl Sink for Basket {
    fn room_bytes(&self) -> usize {
        usize::MAX / 2
    }

    fn starve(&self, _: ConsumerId) {}

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        self.0.lock().unwrap().append(deliveries);
    }

    fn reply(&self, _: Delivery) {}

    fn notify(&self, _: Notice) {}
}

/// The broker and what belongs to it.
pub struct World {
    pub disk: Arc<SimDisk>,
    pub broker: Arc<Broker>,
    pub vhost: Arc<Vhost>,
    pub wal: Arc<Wal>,
    pub loader: Arc<Loader>,
    pub pager: Pager,
    /// Where the log ended that was found.
    pub head: u64,
    pub report: Report,
}

impl World {
    /// Opens what is on the disk; `salvage` as for the server.
    pub fn open(disk: &Arc<SimDisk>, scale: &Scale, now_ms: u64, salvage: bool) -> Result<Self, StoreError> {
        // The ledger counts deliveries as 4.3 does.
        let settings = NodeSettings { compatibility: Compatibility::V4_3, ..NodeSettings::default() };
        let mut node = Node { random: BrokerRandom::seeded(1), settings, ..Node::default() };
        let as_disk = Arc::clone(disk) as Arc<dyn Disk>;
        let recovered = recover(&as_disk, &node.memory, Opening { salvage, nonce: nonce(), sizes: scale.sizes })?;
        let head = recovered.resume.head;
        let wal = Arc::new(Wal::new(Arc::clone(&as_disk), recovered.resume));
        let loader = Arc::new(Loader::new(Arc::new(recovered.segments)));
        node.ids.skip_to(recovered.next_id);
        node.log = Arc::clone(&wal) as Arc<dyn Log>;
        node.loader = Some(Arc::clone(&loader));
        let broker = Arc::new(Broker::new(Arc::new(node)));
        broker.restore(&recovered.definitions, recovered.queues, loader.segments(), now_ms)?;
        let vhost = broker.add_vhost("/", QueueKind::Classic);
        queues::declare_all(&vhost, now_ms);
        let segments = Arc::clone(loader.segments());
        let log = Arc::clone(&wal) as Arc<dyn StoredLog>;
        let pager = Pager::new(Arc::clone(&broker), log, segments, as_disk, scale.budget_bytes)
            .with_sizes(scale.window_bytes, scale.locked_messages_max);
        if recovered.report.is_salvaged() {
            pager.finish()?;
        }
        let (disk, report) = (Arc::clone(disk), recovered.report);
        Ok(Self { disk, broker, vhost, wal, loader, pager, head, report })
    }
}

impl Drop for World {
    /// What waits to be read for a queue holds the queue, which holds all this.
    fn drop(&mut self) {
        self.loader.stop();
    }
}

/// A number that no other start has.
pub fn nonce() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
