//! Direct reply-to: consumers of the pseudo-queue `amq.rabbitmq.reply-to`, found by the name that their requests carry
//! (behaviour reference 5.10).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;

use super::ids::ConsumerId;
use super::random::Random;
use super::sink::{Delivery, Sink};
use crate::message::Message;

/// The pseudo-queue that requesters consume from, and put into `reply-to`.
pub(crate) const PSEUDO_QUEUE: &str = "amq.rabbitmq.reply-to";
/// What the generated names begin with.
const PREFIX: &str = "amq.rabbitmq.reply-to.";
/// Replies that may wait for all requesters that do not read, in bytes.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Characters of each of the two generated parts, without the end of the second one.
const PART_CHARACTERS: usize = 22;
/// What the second generated part ends with. RabbitMQ's parts are base64: a process, and a key of 16 bytes. There are clients that
/// look at the shape of the name.
const END: &str = "==";

/// Where the replies of one requester go.
#[derive(Clone, Debug)]
pub(crate) struct ReplyConsumer {
    /// The requester's consumer.
    pub(crate) consumer: ConsumerId,
    /// The outbox of the connection that it was started on.
    pub(crate) sink: Arc<dyn Sink>,
}

impl ReplyConsumer {
    /// Hands a reply over; it needs no acknowledgement. A requester that does not read its replies loses those for which the
    /// [`ReplyBudget`] has no room.
    pub(crate) fn deliver(&self, message: Message) {
        self.sink.reply(Delivery {
            consumer: self.consumer,
            message,
            token: None,
            redelivered: false,
            counts: Default::default(),
        });
    }
}

/// What the replies that wait for their requesters may take together.
///
/// A requester may take as much as it leaves free, so however many do not read, there is some left for one that does.
#[derive(Debug, Default)]
pub struct ReplyBudget {
    used_bytes: AtomicUsize,
}

impl ReplyBudget {
    /// Takes room for a reply to a requester that has taken `held_bytes` already; whether there was. A reply alone may be larger
    /// than its share: else large ones would never get through.
    pub(crate) fn take(&self, held_bytes: usize, bytes: usize) -> bool {
        // Relaxed, for only the sum counts: nothing else is ordered by it.
        let taken = self.used_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let is_alone = held_bytes == 0 && used <= WAITING_BYTES_MAX / 2;
            let fits = held_bytes + bytes <= WAITING_BYTES_MAX.saturating_sub(used);
            (is_alone || fits).then_some(used + bytes)
        });
        taken.is_ok()
    }

    /// Gives room back.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// All reply consumers by their generated names.
#[derive(Debug, Default)]
pub struct ReplyConsumers {
    by_name: DashMap<Box<str>, ReplyConsumer>,
    budget: Arc<ReplyBudget>,
}

impl ReplyConsumers {
    /// What their replies may take together.
    pub(crate) fn budget(&self) -> &Arc<ReplyBudget> {
        &self.budget
    }

    /// Registers a requester and makes its name.
    pub(crate) fn register(&self, consumer: ReplyConsumer, random: &Random) -> String {
        // Whoever knows the name can send a reply there, so nobody must be able to guess it.
        let name = random.name(&(random.name(PREFIX) + ".")) + END;
        self.by_name.insert(name.as_str().into(), consumer);
        name
    }

    /// Forgets a requester; replies to it vanish from now on.
    pub(crate) fn remove(&self, name: &str) {
        self.by_name.remove(name);
    }

    /// The requester of this name, if it still consumes.
    pub(crate) fn get(&self, name: &str) -> Option<ReplyConsumer> {
        self.by_name.get(name).map(|found| found.clone())
    }
}

/// Whether this is a name that [`ReplyConsumers::register`] can have made.
pub(crate) fn is_generated_name(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|opaque| opaque.strip_suffix(END)?.split_once('.'));
    parts.is_some_and(|(first, second)| is_generated_part(first) && is_generated_part(second))
}

fn is_generated_part(part: &str) -> bool {
    part.len() == PART_CHARACTERS
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fifty requesters that never read kept 32 MiB each.
    #[test]
    fn those_who_do_not_read_share_one_budget_and_leave_some_to_others() {
        const REPLY_BYTES: usize = 10_000;
        let budget = ReplyBudget::default();
        let mut held = [0; 50];
        let mut is_full = false;
        while !is_full {
            is_full = true;
            for held in &mut held {
                if budget.take(*held, REPLY_BYTES) {
                    *held += REPLY_BYTES;
                    is_full = false;
                }
            }
        }
        let all: usize = held.iter().sum();
        assert!((WAITING_BYTES_MAX / 2..WAITING_BYTES_MAX).contains(&all), "{all}");
        assert!(budget.take(0, REPLY_BYTES), "one that reads still gets its replies");
        held.into_iter().chain([REPLY_BYTES]).for_each(|bytes| budget.give_back(bytes));
        assert_eq!(budget.used_bytes.into_inner(), 0);
    }

    #[test]
    fn a_single_reply_may_be_larger_than_the_budget() {
        let budget = ReplyBudget::default();
        assert!(budget.take(0, 2 * WAITING_BYTES_MAX));
        assert!(!budget.take(0, 2 * WAITING_BYTES_MAX), "but not another one beside it");
    }

    #[test]
    fn generated_names_are_told_from_others() {
        let random = Random::seeded(1);
        let made = random.name(&(random.name(PREFIX) + ".")) + END;
        assert!(is_generated_name(&made), "{made}");
        for other in ["", PSEUDO_QUEUE, PREFIX, "amq.rabbitmq.reply-to.a.b==", made.trim_end_matches('=')] {
            assert!(!is_generated_name(other), "{other}");
        }
    }
}
