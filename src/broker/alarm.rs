//! The alarms: while messages take too much memory, or the disk has too little space, publishers wait. Nothing is dropped.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::ids::ConnectionId;
use super::own::{Event, OwnMessages};
use super::sink::{Notice, Sink};

const MEMORY: u8 = 1;
const DISK: u8 = 2;

/// Whether publishers must wait, and why. The memory alarm is raised above the watermark and cleared below four fifths of it, so
/// that publishers are not stopped and started for every message; the disk alarm by whoever watches the disk.
///
/// The watermark is about memory that is counted. The process takes more: what its allocator keeps, tasks, sockets. Where all of it
/// comes close to what the process may have, the watermark is lowered to what is counted at that moment. So the alarm is cleared
/// once a fifth of that is gone, even if the allocator keeps the memory: messages that come then find room in it.
#[derive(Debug)]
pub struct Alarm {
    watermark_bytes: AtomicU64,
    /// Below so many bytes of free space the disk alarm is raised, by whoever watches the disk.
    disk_free_limit_bytes: AtomicU64,
    /// The watermark that holds now.
    lowered_bytes: AtomicU64,
    /// All memory that the process may take.
    resident_bytes_max: u64,
    /// How much it took when the watermark was lowered last; `None` while it is not.
    lowered_at: Mutex<Option<u64>>,
    /// Which alarms are raised.
    raised: AtomicU8,
    /// The memory alarm was raised, and nobody has tried yet to make do with less memory.
    wants_relief: AtomicBool,
    blocked: Mutex<FxHashMap<ConnectionId, Arc<dyn Sink>>>,
    /// Who is told of it, and in the name of which node.
    told: OnceLock<(Arc<OwnMessages>, Arc<str>)>,
}

impl Default for Alarm {
    fn default() -> Self {
        Self {
            watermark_bytes: AtomicU64::new(u64::MAX),
            disk_free_limit_bytes: AtomicU64::new(0),
            lowered_bytes: AtomicU64::new(u64::MAX),
            resident_bytes_max: u64::MAX,
            lowered_at: Mutex::new(None),
            raised: AtomicU8::new(0),
            wants_relief: AtomicBool::new(false),
            blocked: Mutex::default(),
            told: OnceLock::new(),
        }
    }
}

impl Alarm {
    /// An alarm with this watermark for memory that is counted, in a process that may take so much in all.
    pub fn new(watermark_bytes: u64, resident_bytes_max: u64) -> Self {
        let [watermark_bytes, lowered_bytes] = [watermark_bytes; 2].map(AtomicU64::new);
        Self { watermark_bytes, lowered_bytes, resident_bytes_max, ..Self::default() }
    }

    /// Tells of alarms from now on as events of this node.
    pub(crate) fn tell_events(&self, own_messages: &Arc<OwnMessages>, node_name: &Arc<str>) {
        // A broker does this once.
        self.told.set((Arc::clone(own_messages), Arc::clone(node_name))).ok();
    }

    /// `set` or `cleared`.
    fn tell(&self, what: &str, alarm: u8) {
        if let Some((own_messages, node_name)) = self.told.get() {
            let source = if alarm == MEMORY { "memory" } else { "disk" };
            own_messages.event(|| Event::alarm(what, source, node_name));
        }
    }

    /// The watermark for memory.
    pub(crate) fn watermark_bytes(&self) -> u64 {
        self.watermark_bytes.load(Ordering::Relaxed)
    }

    /// From now on this is the watermark for memory. [`Alarm::check`] must follow.
    pub(crate) fn set_watermark(&self, bytes: u64) {
        // Nobody lowers it meanwhile.
        let lowered_at = self.lowered_at.lock();
        self.watermark_bytes.store(bytes, Ordering::Relaxed);
        if lowered_at.is_some() {
            // Lowered for the sake of the process: a higher setting does not give that back.
            self.lowered_bytes.fetch_min(bytes, Ordering::Relaxed);
        } else {
            self.lowered_bytes.store(bytes, Ordering::Relaxed);
        }
    }

    /// Below so many bytes of free space the disk alarm is raised.
    pub(crate) fn disk_free_limit_bytes(&self) -> u64 {
        self.disk_free_limit_bytes.load(Ordering::Relaxed)
    }

    /// Says what the limit is. Whoever watches the disk must be told, too.
    pub(crate) fn set_disk_free_limit(&self, bytes: u64) {
        self.disk_free_limit_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Whether the watermark is lowered: then somebody is to look again what the process takes.
    pub(crate) fn is_lowered(&self) -> bool {
        self.lowered_bytes.load(Ordering::Relaxed) < self.watermark_bytes()
    }

    /// Lowers the watermark if the process takes too much while so much is counted, or gives it back. [`Alarm::check`] must follow.
    pub(crate) fn note_resident(&self, resident_bytes: u64, used_bytes: u64) {
        let mut lowered_at = self.lowered_at.lock();
        // A fifth of room before it is given back, or the watermark would go up and down with each message.
        if resident_bytes <= self.resident_bytes_max / 5 * 4 {
            if lowered_at.take().is_some() {
                self.lowered_bytes.store(self.watermark_bytes(), Ordering::Relaxed);
                tracing::info!(resident_bytes, "the process takes little memory again");
            }
            return;
        }
        // Not lower and lower while messages leave: only if it takes still more.
        let limit_bytes = lowered_at.map_or(self.resident_bytes_max, |at| at + self.resident_bytes_max / 16);
        if resident_bytes > limit_bytes {
            *lowered_at = Some(resident_bytes);
            // One byte below what is counted now, so that the alarm is raised by the check that follows.
            self.lowered_bytes.fetch_min(used_bytes.saturating_sub(1), Ordering::Relaxed);
            let resident_bytes_max = self.resident_bytes_max;
            tracing::warn!(
                resident_bytes,
                resident_bytes_max,
                used_bytes,
                "the process takes nearly all memory that it may have"
            );
        }
    }

    /// Whether publishers must wait.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed) != 0
    }

    /// Whether the alarm for memory is raised.
    pub(crate) fn is_memory(&self) -> bool {
        self.raised.load(Ordering::Relaxed) & MEMORY != 0
    }

    /// Whether the alarm for the disk is raised.
    pub(crate) fn is_disk(&self) -> bool {
        self.raised.load(Ordering::Relaxed) & DISK != 0
    }

    /// RabbitMQ's reason in `connection.blocked`, while an alarm is raised (behaviour reference 1.11).
    fn reason(&self) -> Option<&'static str> {
        match self.raised.load(Ordering::Relaxed) {
            0 => None,
            MEMORY => Some("low on memory"),
            DISK => Some("low on disk"),
            _ => Some("low on disk & memory"),
        }
    }

    /// Whether it was raised since this was asked last: time to copy what keeps large chunks alive.
    pub(crate) fn takes_relief(&self) -> bool {
        self.wants_relief.swap(false, Ordering::Relaxed)
    }

    /// Looks at what is used now; whether that raised the alarm. Whoever adds or frees much memory calls this.
    pub fn check(&self, used_bytes: u64) -> bool {
        let watermark_bytes = self.lowered_bytes.load(Ordering::Relaxed);
        if used_bytes > watermark_bytes {
            // Of many that come here at once, one raises it and tells.
            if self.raised.fetch_or(MEMORY, Ordering::Relaxed) & MEMORY == 0 {
                tracing::warn!(
                    used_bytes,
                    watermark_bytes,
                    tip = "consume or purge what waits, or raise --memory-high-watermark",
                    "memory alarm raised: publishing connections are blocked"
                );
                self.tell("set", MEMORY);
                self.wants_relief.store(true, Ordering::Relaxed);
                return true;
            }
        } else if self.is_raised() && used_bytes <= watermark_bytes / 5 * 4 && self.clear(MEMORY) {
            tracing::info!(used_bytes, watermark_bytes, "memory alarm cleared");
        }
        false
    }

    /// Raises or clears the disk alarm.
    pub(crate) fn set_disk(&self, is_low: bool) {
        if is_low {
            if self.raised.fetch_or(DISK, Ordering::Relaxed) & DISK == 0 {
                tracing::warn!("disk alarm raised: publishing connections are blocked until there is space again");
                self.tell("set", DISK);
            }
        } else if self.clear(DISK) {
            tracing::info!("disk alarm cleared");
        }
    }

    /// Clears an alarm, and wakes who waits if it was the last one; whether it was raised.
    fn clear(&self, alarm: u8) -> bool {
        let before = self.raised.fetch_and(!alarm, Ordering::Relaxed);
        // It was the only one. While the other is raised, connections stay where they are.
        if before == alarm {
            for sink in std::mem::take(&mut *self.blocked.lock()).into_values() {
                sink.notify(Notice::AlarmChanged);
            }
        }
        let was_raised = before & alarm != 0;
        if was_raised {
            self.tell("cleared", alarm);
        }
        was_raised
    }

    /// Remembers a connection that waits for the alarm to be cleared, and tells it then: why it has to wait, or `None` when the alarm is
    /// not raised any more.
    pub(crate) fn wait(&self, connection: ConnectionId, sink: Arc<dyn Sink>) -> Option<&'static str> {
        let mut blocked = self.blocked.lock();
        // First in the list, then asked: whoever clears the alarm takes the list under the same lock, so one of
        // the two sees the other.
        blocked.insert(connection, sink);
        // Asked once: a moment later the answer may be another one.
        let reason = self.reason();
        if reason.is_none() {
            blocked.remove(&connection);
        }
        reason
    }

    /// Forgets a connection that is gone.
    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.blocked.lock().remove(&connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::ids::ConsumerId;
    use crate::broker::sink::Delivery;

    /// Counts how often it is told that the alarm is over.
    #[derive(Debug, Default)]
    struct Blocked(AtomicU8);

    impl Sink for Blocked {
        fn room_bytes(&self) -> usize {
            0
        }
        fn starve(&self, _: ConsumerId) {}
        fn deliver(&self, _: &mut Vec<Delivery>) {}
        fn reply(&self, _: Delivery) {}
        fn notify(&self, notice: Notice) {
            assert!(matches!(notice, Notice::AlarmChanged));
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// reference: 1.11, a second alarm: both are named, and publishers wait until both are cleared
    #[test]
    fn all_alarms_must_be_cleared() {
        for memory_first in [true, false] {
            let alarm = Alarm::new(1_000, u64::MAX);
            let connection = Arc::new(Blocked::default());
            let wait = || alarm.wait(ConnectionId(1), Arc::clone(&connection) as Arc<dyn Sink>);
            assert_eq!(wait(), None, "nothing to wait for");
            alarm.set_disk(true);
            assert_eq!(wait(), Some("low on disk"));
            assert!(alarm.check(1_001), "the memory alarm is raised now");
            assert!(!alarm.check(1_001), "and not again");
            assert_eq!(wait(), Some("low on disk & memory"));

            let clear = |memory: bool| match memory {
                true => drop(alarm.check(800)),
                false => alarm.set_disk(false),
            };
            clear(memory_first);
            assert_eq!(wait(), Some(if memory_first { "low on disk" } else { "low on memory" }));
            assert_eq!(connection.0.load(Ordering::Relaxed), 0, "one alarm is left");
            clear(!memory_first);
            assert_eq!(wait(), None, "both are over");
            assert_eq!(connection.0.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn another_watermark_holds_at_once() {
        let alarm = Alarm::new(1_000, 2_000);
        alarm.set_watermark(100);
        assert!(alarm.check(101) && alarm.watermark_bytes() == 100);
        alarm.set_watermark(1_000);
        assert!(!alarm.check(101) && !alarm.is_raised());
        alarm.note_resident(2_001, 500);
        alarm.set_watermark(5_000);
        assert!(alarm.is_lowered() && alarm.check(500), "the process takes too much all the same");
    }

    #[test]
    fn what_the_process_takes_raises_the_alarm_before_what_is_counted() {
        let alarm = Alarm::new(1_000, 2_000);
        let look = |resident, used| {
            alarm.note_resident(resident, used);
            alarm.check(used);
            alarm.is_raised()
        };
        assert!(!look(2_000, 500), "as much as it may");
        assert!(look(2_001, 500));
        // The allocator keeps what messages leave behind.
        assert!(look(2_001, 401));
        assert!(!look(2_001, 390), "a fifth is gone");
        assert!(!look(2_001, 499), "there was room for so much");
        assert!(look(2_001, 500));
        assert!(!look(2_001, 0));
        // It takes more than when it was too much before, with less that is counted.
        assert!(!look(2_100, 300));
        assert!(look(2_200, 300));
        assert!(!look(2_200, 200) && alarm.is_lowered());
        assert!(!look(1_601, 299) && look(1_601, 300), "not less than before by far");
        assert!(!look(1_600, 800) && !alarm.is_lowered(), "the watermark is what it was");
        assert!(!look(1_600, 1_000) && look(1_600, 1_001));
    }
}
