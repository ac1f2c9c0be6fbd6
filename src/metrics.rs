//! What the broker counts, under RabbitMQ's names, in one table each: a new counter is one line here and the place that counts.
//!
//! A counter has one owner where it can: a queue counts under its lock, a channel in its connection's task. Others read it at any
//! time. So counting is an addition and a store, and never an operation that processors must agree about.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one task, or whoever holds one lock, adds to, and that anybody reads.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds. Two that add at the same time may lose what one of them added: a counter with several owners is a
    /// [`SharedCounter`].
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// Replaces the number by one that its owner counts elsewhere.
    pub(crate) fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that many tasks add to: for what happens once in a batch, or seldom.
#[derive(Debug, Default)]
pub(crate) struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Counts from 0 again.
    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters with one owner can be set to what the owner counts elsewhere; those with several cannot.
macro_rules! setter {
    (Counter $stats:ident $counters:ident $($name:ident)*) => {
        impl $counters {
            /// Replaces the numbers by those that their owner counts elsewhere.
            pub(crate) fn set(&self, stats: &$stats) {
                $(self.$name.set(stats.$name);)*
            }
        }
    };
    (SharedCounter $($rest:ident)*) => {};
}

/// Makes, of one table, a struct of plain numbers, one of counters, and the list of RabbitMQ's names.
macro_rules! counters {
    (
        $(#[$stats_doc:meta])* $vis:vis $stats:ident,
        $(#[$counters_doc:meta])* $counters:ident of $counter:ident:
        $($(#[$doc:meta])* $name:ident,)*
    ) => {
        $(#[$stats_doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis struct $stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[allow(dead_code, reason = "not all of these numbers are told by name")]
        impl $stats {
            /// The names that RabbitMQ's API has for how fast each number grows, in the order of [`Self::named`].
            pub(crate) const DETAILS: &[&str] = &[$(concat!(stringify!($name), "_details")),*];

            /// Each number, in the order of [`Self::DETAILS`].
            pub(crate) const fn numbers(&self) -> [u64; Self::DETAILS.len()] {
                [$(self.$name),*]
            }

            /// Each number with its name in RabbitMQ's API.
            pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
                [$((stringify!($name), self.$name)),*].into_iter()
            }
        }

        impl std::ops::AddAssign for $stats {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)*
            }
        }

        $(#[$counters_doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $counters {
            $($(#[$doc])* pub $name: $counter,)*
        }

        impl $counters {
            /// The numbers as they are now.
            pub(crate) fn read(&self) -> $stats {
                $stats { $($name: self.$name.get(),)* }
            }
        }

        setter! { $counter $stats $counters $($name)* }
    };
}

counters! {
    /// What passed through a queue or a channel: the `message_stats` of RabbitMQ's API.
    pub MessageStats,
    /// [`MessageStats`] that others may read while their owner counts.
    MessageCounters of Counter:
    /// Messages that were published.
    publish,
    /// Publishes that were confirmed.
    confirm,
    /// Mandatory messages that went back to their publisher because no queue took them.
    return_unroutable,
    /// Messages that were dropped because no queue took them.
    drop_unroutable,
    /// Deliveries to consumers that acknowledge.
    deliver,
    /// Deliveries to consumers that do not acknowledge.
    deliver_no_ack,
    /// Messages taken with `basic.get` that are to be acknowledged.
    get,
    /// Messages taken with `basic.get` that need no acknowledgement.
    get_no_ack,
    /// Answers to `basic.get` that no message is there.
    get_empty,
    /// Deliveries of messages that were delivered before.
    redeliver,
    /// Deliveries that were acknowledged.
    ack,
    /// Messages that were lost because they cannot be read back: stretches of files, each of one message at least.
    unreadable,
}

counters! {
    /// What passed through an exchange.
    pub(crate) ExchangeStats,
    /// [`ExchangeStats`] that all publishers add to, once for a batch.
    ExchangeCounters of SharedCounter:
    /// Messages that were published to the exchange.
    publish_in,
    /// Copies that the exchange gave to queues.
    publish_out,
}

counters! {
    /// What came and went on the whole broker: the `churn_rates` of RabbitMQ's API.
    pub(crate) ChurnStats,
    /// [`ChurnStats`] that everybody adds to.
    ChurnCounters of SharedCounter:
    /// Connections that were opened.
    connection_created,
    /// Connections that ended.
    connection_closed,
    /// Channels that were opened.
    channel_created,
    /// Channels that ended.
    channel_closed,
    /// Queues that were declared, whether or not they were there already.
    queue_declared,
    /// Queues that were made.
    queue_created,
    /// Queues that were deleted, or expired.
    queue_deleted,
}

counters! {
    /// How many tried to log in.
    pub(crate) LoginStats,
    /// [`LoginStats`] that every login adds to.
    LoginCounters of SharedCounter:
    /// Logins with the right credentials.
    auth_attempts_succeeded,
    /// Logins that were refused.
    auth_attempts_failed,
}

/// What the files of the store cost.
#[derive(Debug, Default)]
pub(crate) struct IoCounters {
    pub(crate) read_ops: SharedCounter,
    /// Bytes that were read.
    pub(crate) read_bytes: SharedCounter,
    /// Microseconds that reads took.
    pub(crate) read_us: SharedCounter,
    pub(crate) write_ops: SharedCounter,
    /// Bytes that were written.
    pub(crate) write_bytes: SharedCounter,
    /// Microseconds that writes took.
    pub(crate) write_us: SharedCounter,
    /// Microseconds that it took to make files durable.
    pub(crate) sync_us: SharedCounter,
    /// How often that took no longer than each of [`SYNC_BUCKETS_US`] and longer than the one before; the last of all are longer.
    pub(crate) syncs: [SharedCounter; SYNC_BUCKETS_US.len() + 1],
}

/// Bounds of the times that files take to be made durable, in microseconds.
pub(crate) const SYNC_BUCKETS_US: [u64; 10] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

impl IoCounters {
    /// A file was made durable, which took so long.
    pub(crate) fn note_sync(&self, elapsed_us: u64) {
        self.sync_us.add(elapsed_us);
        let bucket = SYNC_BUCKETS_US.partition_point(|bound_us| *bound_us < elapsed_us);
        if let Some(counter) = self.syncs.get(bucket) {
            counter.add(1);
        }
    }
}

/// Messages that died in a queue, by why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeathStats {
    /// Refused by a consumer.
    pub(crate) rejected: u64,
    /// Too old.
    pub(crate) expired: u64,
    /// Too many.
    pub(crate) maxlen: u64,
    /// Delivered too often.
    pub(crate) delivery_limit: u64,
    /// Those of a queue that delivers dead letters at least once, which other queues have taken.
    pub(crate) confirmed: u64,
}

impl std::ops::AddAssign for DeathStats {
    fn add_assign(&mut self, other: Self) {
        self.rejected += other.rejected;
        self.expired += other.expired;
        self.maxlen += other.maxlen;
        self.delivery_limit += other.delivery_limit;
        self.confirmed += other.confirmed;
    }
}

impl LoginCounters {
    /// Counts from 0 again.
    pub(crate) fn reset(&self) {
        self.auth_attempts_succeeded.reset();
        self.auth_attempts_failed.reset();
    }

    /// Counts a login.
    pub(crate) fn note(&self, is_right: bool) {
        if is_right { self.auth_attempts_succeeded.add(1) } else { self.auth_attempts_failed.add(1) }
    }
}

impl MessageStats {
    /// All deliveries, of whatever kind: `deliver_get` of RabbitMQ's API.
    pub(crate) fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_under_their_names() {
        let counters = MessageCounters::default();
        counters.publish.add(2);
        counters.publish.add(3);
        counters.get.add(1);
        let stats = counters.read();
        assert_eq!((stats.publish, stats.get, stats.deliver_get()), (5, 1, 1));
        let named: Vec<_> = stats.named().filter(|(_, count)| *count > 0).collect();
        assert_eq!(named, [("publish", 5), ("get", 1)]);
    }

    #[test]
    fn a_sync_is_counted_in_the_first_bucket_that_it_fits() {
        let io = IoCounters::default();
        [0, 100, 101, 2_000_000].into_iter().for_each(|us| io.note_sync(us));
        let counts: Vec<_> = io.syncs.iter().map(SharedCounter::get).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(io.sync_us.get(), 2_000_201);
    }

    #[test]
    fn stats_add_up() {
        let mut sum = ExchangeStats { publish_in: 1, publish_out: 2 };
        sum += ExchangeStats { publish_in: 10, publish_out: 20 };
        assert_eq!(sum, ExchangeStats { publish_in: 11, publish_out: 22 });
    }

    #[test]
    fn many_add_to_a_shared_counter() {
        let churn = ChurnCounters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| churn.queue_created.add(1)));
            }
        });
        assert_eq!(churn.read().queue_created, 4000);
    }
}
