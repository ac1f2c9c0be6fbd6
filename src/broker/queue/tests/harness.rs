//! The queue as the tests see it. It stands for the handle, which publishes dead letters, and for the list of deadlines.

mod clients;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use clients::{FakeSink, Fresh, NewConsumer, consumer, fresh, id_of, ids};

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::arguments::QueueArguments;
use crate::broker::queue::looking::Seen as Looked;
use crate::broker::queue::{
    Aftermath, ChannelCredit, ChunkRelief, ConsumerSpec, DeadLetter, Effective, Got, MessageState, NewMessage,
    NextDeadLetters, Queue, Removed, Return, SeenMessage, Settlement,
};
use crate::broker::sink::{Delivery, Sink, Token};
use crate::store::journal::Journal;
use crate::store::seq::Seq;
use crate::table::EncodedTable;

pub(super) const CHANNEL: u64 = 1;
pub(super) const OTHER_CHANNEL: u64 = 2;

/// A queue with its surroundings.
#[derive(Debug)]
pub(super) struct Harness {
    queue: Queue,
    pub(super) now_ms: u64,
    /// The list of deadlines: when the queue's timer is to be called.
    ordered_ms: Vec<u64>,
    sinks: BTreeMap<u64, Arc<FakeSink>>,
    /// The connection of all that is taken with `basic.get`.
    pub(super) getter: Arc<FakeSink>,
    /// The prefetch that the consumers of a channel share.
    pub(super) credit: Arc<ChannelCredit>,
    /// Dead letters, in the order of death.
    dead: Vec<DeadLetter>,
    /// Dead letters find no queue, and the queue is told.
    pub(super) finds_no_grave: bool,
    pub(super) is_expired: bool,
}

impl Harness {
    pub(super) fn new(arguments: QueueArguments) -> Self {
        let now_ms = 1_000_000;
        let mut harness = Self {
            queue: Queue::new(arguments, Journal::default(), now_ms),
            now_ms,
            ordered_ms: Vec::new(),
            sinks: BTreeMap::new(),
            getter: Arc::default(),
            credit: Arc::default(),
            dead: Vec::new(),
            finds_no_grave: false,
            is_expired: false,
        };
        harness.transition(|_| {});
        harness
    }

    /// The places of the messages that were refused.
    pub(super) fn publish(&mut self, messages: Vec<Fresh>) -> Vec<usize> {
        self.publish_new(messages.into_iter().map(Fresh::message))
    }

    pub(super) fn publish_new(&mut self, messages: impl IntoIterator<Item = NewMessage>) -> Vec<usize> {
        let now_ms = self.now_ms;
        self.offering(|queue| {
            let published = messages.into_iter().enumerate();
            published.filter_map(|(place, new)| queue.publish(new, now_ms).is_err().then_some(place)).collect()
        })
    }

    pub(super) fn may_consume(&self, exclusive: bool) -> bool {
        self.queue.may_consume(exclusive)
    }

    pub(super) fn consume(&mut self, new: NewConsumer) -> Arc<FakeSink> {
        let sink = Arc::new(FakeSink::default());
        sink.give_room(new.room_bytes);
        self.consume_with(new, &sink);
        sink
    }

    /// Adds a consumer of a connection that is there already.
    pub(super) fn consume_with(&mut self, new: NewConsumer, sink: &Arc<FakeSink>) {
        self.sinks.insert(new.id, Arc::clone(sink));
        let spec = ConsumerSpec {
            raw_arguments: EncodedTable::default(),
            id: ConsumerId(new.id),
            channel: ChannelId(new.channel),
            consumer_tag: "tag".into(),
            sink: Arc::clone(sink) as Arc<dyn Sink>,
            no_ack: new.no_ack,
            exclusive: new.exclusive,
            priority: new.priority,
            prefetch_count: new.prefetch_count,
            channel_credit: Arc::clone(&self.credit),
            timeout_ms: new.timeout_ms,
        };
        self.transition(|queue| queue.consume(spec));
        self.resume(new.id);
    }

    pub(super) fn resume(&mut self, consumer: u64) {
        self.offering(|queue| queue.resume(ConsumerId(consumer)));
    }

    pub(super) fn cancel(&mut self, consumer: u64) -> bool {
        let now_ms = self.now_ms;
        self.offering(|queue| queue.cancel(ConsumerId(consumer), now_ms))
    }

    pub(super) fn close_channel(&mut self, channel: u64) {
        let now_ms = self.now_ms;
        self.offering(|queue| {
            queue.cancel_all_of(ChannelId(channel), now_ms);
            queue.requeue_all_of(ChannelId(channel), now_ms);
        });
    }

    pub(super) fn get(&mut self, channel: u64, no_ack: bool) -> Option<Delivery> {
        let (now_ms, sink) = (self.now_ms, Arc::clone(&self.getter) as Arc<dyn Sink>);
        let got = self.transition(|queue| {
            let got = queue.get(ChannelId(channel), no_ack, now_ms);
            if matches!(got, Got::Delivery(..)) && !no_ack {
                queue.remember_getter(ChannelId(channel), &sink);
            }
            got
        });
        match got {
            Got::Delivery(delivery, left) => {
                assert_eq!(left, self.ready_count());
                Some(*delivery)
            }
            Got::Empty => None,
            Got::Busy => self.get(channel, no_ack),
            Got::OnDisk(load) => panic!("nothing was moved to a file, and yet {load:?}"),
        }
    }

    pub(super) fn get_all(&mut self, channel: u64) -> Vec<Delivery> {
        std::iter::from_fn(|| self.get(channel, false)).collect()
    }

    pub(super) fn settle(&mut self, tokens: Vec<Token>, settlement: Settlement) {
        let mut tokens = tokens.into_iter().peekable();
        loop {
            self.offering(|queue| queue.settle(&mut tokens, settlement));
            if tokens.peek().is_none() {
                return;
            }
        }
    }

    pub(super) fn requeue(&mut self, tokens: Vec<Token>, cause: Return) {
        let now_ms = self.now_ms;
        self.offering(|queue| queue.requeue(tokens, cause, now_ms));
    }

    /// Fewer messages are put back in one transition.
    pub(super) fn set_returns_max(&mut self, returns_max: u16) {
        self.queue.set_returns_max(returns_max);
    }

    pub(super) fn is_returning(&self) -> bool {
        self.queue.is_returning()
    }

    /// Puts some more messages back.
    pub(super) fn go_on_returning(&mut self) {
        self.offering(Queue::go_on_returning);
    }

    /// A policy changes what the queue obeys.
    pub(super) fn apply(&mut self, arguments: QueueArguments) {
        let (effective, now_ms) = (Effective { arguments: arguments.into(), policies: None }, self.now_ms);
        self.transition(|queue| queue.apply(effective, now_ms));
    }

    pub(super) fn purge(&mut self) -> usize {
        while self.is_returning() {
            self.go_on_returning();
        }
        let removed = self.transition(Queue::purge);
        self.forget(removed)
    }

    pub(super) fn touch(&mut self) {
        let now_ms = self.now_ms;
        self.transition(|queue| queue.touch(now_ms));
    }

    pub(super) fn compact(&mut self) {
        let mut relief = ChunkRelief::default();
        while self.transition(|queue| queue.relieve_chunks(&mut relief)) {}
    }

    pub(super) fn delete(&mut self) -> usize {
        let removed = self.transition(Queue::delete);
        self.forget(removed)
    }

    fn forget(&mut self, mut removed: Removed) -> usize {
        removed.tell_consumers();
        while !self.transition(|queue| queue.forget(&mut removed)).is_last {}
        removed.count
    }

    /// Moves the time, calling the queue's timer whenever it ordered that; stops early when the queue expires.
    pub(super) fn advance(&mut self, by_ms: u64) {
        let end_ms = self.now_ms + by_ms;
        while let Some(at_ms) = self.next_call_ms().filter(|&at_ms| at_ms <= end_ms && !self.is_expired) {
            self.call(at_ms);
        }
        if !self.is_expired {
            self.now_ms = end_ms;
        }
    }

    /// When the timer is to be called next.
    pub(super) fn next_call_ms(&self) -> Option<u64> {
        self.ordered_ms.iter().copied().min()
    }

    /// Calls the timer.
    pub(super) fn call(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        self.ordered_ms.retain(|ordered_ms| *ordered_ms > self.now_ms);
        let now_ms = self.now_ms;
        self.is_expired = self.transition(|queue| queue.on_timer(now_ms));
    }

    /// The queue itself, to stop between two steps.
    pub(super) fn queue(&mut self) -> &mut Queue {
        &mut self.queue
    }

    pub(super) fn into_queue(self) -> Queue {
        self.queue
    }

    pub(super) fn ready_count(&self) -> usize {
        self.queue.ready_count()
    }

    pub(super) fn held_back_count(&self) -> usize {
        self.queue.held_back_count()
    }

    pub(super) fn dead_letter_count(&self) -> usize {
        self.queue.dead_letter_count()
    }

    pub(super) fn unacked_count(&self) -> usize {
        self.queue.unacked_count()
    }

    pub(super) fn consumer_count(&self) -> usize {
        self.queue.consumer_count()
    }

    pub(super) fn sinks(&self) -> impl Iterator<Item = (u64, &Arc<FakeSink>)> {
        self.sinks.iter().map(|(id, sink)| (*id, sink))
    }

    /// What died since the last look.
    pub(super) fn take_dead(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }

    /// Deletes chosen messages, or takes them out and puts them back or not: which they were.
    pub(super) fn choose(&mut self, mut ids: Vec<u64>, is_deleted: bool, is_put_back: bool) -> Vec<u64> {
        ids.sort_unstable();
        let ids: Vec<_> = ids.into_iter().map(Seq).collect();
        if is_deleted {
            let deleted = self.offering(|queue| queue.delete_chosen(&ids));
            assert_eq!(deleted.len(), ids.len());
            deleted.into_iter().map(|seq| seq.0).collect()
        } else {
            let now_ms = self.now_ms;
            let taken = self.transition(|queue| queue.take_chosen(&ids, ChannelId(u64::MAX), now_ms));
            let tokens: Vec<_> = taken.iter().map(|taken| taken.token).collect();
            let end = if is_put_back { Queue::return_chosen } else { Queue::finish_chosen };
            self.offering(|queue| end(queue, &tokens));
            taken.iter().map(|taken| taken.id).collect()
        }
    }

    /// What somebody sees who looks at these messages of a state.
    pub(super) fn look_at(&self, state: MessageState, offset: usize, count: usize) -> Vec<SeenMessage> {
        let seen = self.queue.look_at(state, offset, count).into_iter();
        seen.map(|seen| match seen {
            Looked::Message(message) => *message,
            Looked::OnDisk(..) | Looked::Part(_) => panic!("nothing was moved to a file"),
        })
        .collect()
    }

    /// A transition at the end of which consumers are offered what they can be given.
    fn offering<R>(&mut self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let now_ms = self.now_ms;
        self.transition(|queue| {
            let result = change(queue);
            queue.pump(now_ms);
            result
        })
    }

    /// A transition, and what it leaves to be done.
    fn transition<R>(&mut self, change: impl FnOnce(&mut Queue) -> R) -> R {
        let (result, aftermath) = self.queue.transition(change);
        if self.finish(aftermath) {
            self.publish_dead_letters();
        }
        result
    }

    fn finish(&mut self, aftermath: Aftermath) -> bool {
        self.ordered_ms.extend(aftermath.call_at_ms);
        aftermath.publish_dead_letters
    }

    fn publish_dead_letters(&mut self) {
        while let NextDeadLetters::Letters(letters) = self.queue.next_dead_letters() {
            for letter in letters {
                self.dead.push(letter);
                let (finds_no_grave, now_ms) = (self.finds_no_grave, self.now_ms);
                let (_, aftermath) = self.queue.transition(|queue| match finds_no_grave {
                    true => queue.keep_unrouted(now_ms),
                    false => queue.dead_letter_published(),
                });
                assert!(!self.finish(aftermath), "one publishes at a time");
            }
        }
        let (_, aftermath) = self.queue.transition(|_| ());
        assert!(!self.finish(aftermath), "all dead letters are published");
    }
}
