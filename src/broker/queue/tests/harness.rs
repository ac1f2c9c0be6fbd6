//! The queue as the tests see it: the only place that calls it. It stands for the handle (which transition is followed by which),
//! for the list of deadlines, and for the connections that consume.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::arguments::QueueArguments;
use crate::broker::queue::looking::Seen as Looked;
use crate::broker::queue::{
    Burial, ChannelCredit, ChunkRelief, ConsumerSpec, DELIVERY_OVERHEAD_BYTES, DeadLetter, Effective, Got,
    MessageState, NewMessage, Queue, Removed, Return, SeenMessage, Settlement,
};
use crate::broker::sink::{Delivery, Notice, Sink, Token};
use crate::message::{Facts, MemoryGauge, Message, address};
use crate::store::journal::Journal;

pub(super) const CHANNEL: u64 = 1;
pub(super) const OTHER_CHANNEL: u64 = 2;

/// A message that is to be published; its routing key is its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    pub(super) id: u32,
    pub(super) body_bytes: usize,
    pub(super) priority: Option<u8>,
    pub(super) expiration_ms: Option<u64>,
    /// Deliveries that failed in other queues before.
    pub(super) failed: u32,
}

pub(super) fn fresh(id: u32) -> Fresh {
    Fresh { id, body_bytes: 0, priority: None, expiration_ms: None, failed: 0 }
}

impl Fresh {
    pub(super) fn sized(self, body_bytes: usize) -> Self {
        Self { body_bytes, ..self }
    }

    pub(super) fn priority(self, priority: u8) -> Self {
        Self { priority: Some(priority), ..self }
    }

    fn message(self) -> NewMessage {
        let facts = Facts { priority: self.priority, ..Facts::default() };
        let address = address("", &self.id.to_be_bytes());
        let body = vec![0; self.body_bytes];
        let message = Message::standalone(&Arc::new(MemoryGauge::default()), facts, &address, &[0, 0], &body);
        NewMessage { message, expiration_ms: self.expiration_ms, failed: self.failed }
    }
}

/// The number of a published message.
pub(super) fn id_of(message: &Message) -> u32 {
    u32::from_be_bytes(message.routing_key().try_into().expect("the routing key is the number"))
}

pub(super) fn ids(deliveries: &[Delivery]) -> Vec<u32> {
    deliveries.iter().map(|delivery| id_of(&delivery.message)).collect()
}

/// A consumer that is to be added.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewConsumer {
    pub(super) id: u64,
    pub(super) channel: u64,
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    pub(super) priority: i64,
    pub(super) prefetch_count: u16,
    pub(super) timeout_ms: Option<u64>,
    pub(super) room_bytes: usize,
}

pub(super) fn consumer(id: u64) -> NewConsumer {
    NewConsumer {
        id,
        channel: CHANNEL,
        no_ack: false,
        exclusive: false,
        priority: 0,
        prefetch_count: 0,
        timeout_ms: None,
        room_bytes: usize::MAX,
    }
}

impl NewConsumer {
    pub(super) fn prefetch(self, prefetch_count: u16) -> Self {
        Self { prefetch_count, ..self }
    }

    pub(super) fn priority(self, priority: i64) -> Self {
        Self { priority, ..self }
    }

    pub(super) fn timeout_ms(self, timeout_ms: u64) -> Self {
        Self { timeout_ms: Some(timeout_ms), ..self }
    }

    pub(super) fn room(self, room_bytes: usize) -> Self {
        Self { room_bytes, ..self }
    }
}

/// The connection of one consumer: keeps what it is handed, and has room for so many bytes.
#[derive(Debug, Default)]
pub(super) struct FakeSink {
    deliveries: Mutex<Vec<Delivery>>,
    tokens: Mutex<Vec<Token>>,
    room_bytes: AtomicUsize,
    is_starved: AtomicBool,
    pub(super) notices: Mutex<Vec<Notice>>,
}

impl FakeSink {
    /// What arrived since the last look.
    pub(super) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut *self.deliveries.lock().unwrap())
    }

    /// As [`FakeSink::take`]; the tokens are kept for [`FakeSink::tokens`].
    pub(super) fn take_keeping_tokens(&self) -> Vec<Delivery> {
        let taken = self.take();
        self.tokens.lock().unwrap().extend(taken.iter().filter_map(|delivery| delivery.token));
        taken
    }

    pub(super) fn tokens(&self) -> Vec<Token> {
        std::mem::take(&mut *self.tokens.lock().unwrap())
    }

    /// Makes room; whoever starved is to be resumed now.
    pub(super) fn give_room(&self, bytes: usize) {
        self.room_bytes.store(bytes, Ordering::Relaxed);
        self.is_starved.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_starved(&self) -> bool {
        self.is_starved.load(Ordering::Relaxed)
    }
}

impl Sink for FakeSink {
    fn room_bytes(&self) -> usize {
        self.room_bytes.load(Ordering::Relaxed)
    }

    fn starve(&self, _: ConsumerId) {
        self.is_starved.store(true, Ordering::Relaxed);
    }

    fn deliver(&self, deliveries: &mut Vec<Delivery>) {
        let bytes: usize =
            deliveries.iter().map(|delivery| delivery.message.body_bytes() + DELIVERY_OVERHEAD_BYTES).sum();
        let room_bytes = self.room_bytes();
        if room_bytes != usize::MAX {
            self.room_bytes.store(room_bytes.saturating_sub(bytes), Ordering::Relaxed);
        }
        self.deliveries.lock().unwrap().append(deliveries);
    }

    fn reply(&self, _: Delivery) {}

    fn notify(&self, notice: Notice) {
        self.notices.lock().unwrap().push(notice);
    }
}

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
        harness.finish();
        harness
    }

    /// The places of the messages that were refused.
    pub(super) fn publish(&mut self, messages: Vec<Fresh>) -> Vec<usize> {
        self.publish_new(messages.into_iter().map(Fresh::message))
    }

    pub(super) fn publish_new(&mut self, messages: impl IntoIterator<Item = NewMessage>) -> Vec<usize> {
        let mut refused = Vec::new();
        for (place, message) in messages.into_iter().enumerate() {
            if self.queue.publish(message, self.now_ms).is_err() {
                refused.push(place);
            }
        }
        self.pump();
        refused
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
        self.queue.consume(ConsumerSpec {
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
        });
        self.finish();
        self.resume(new.id);
    }

    pub(super) fn resume(&mut self, consumer: u64) {
        self.queue.resume(ConsumerId(consumer));
        self.pump();
    }

    pub(super) fn cancel(&mut self, consumer: u64) -> bool {
        let was_last = self.queue.cancel(ConsumerId(consumer), self.now_ms);
        self.pump();
        was_last
    }

    pub(super) fn close_channel(&mut self, channel: u64) {
        self.queue.cancel_all_of(ChannelId(channel), self.now_ms);
        self.queue.requeue_all_of(ChannelId(channel), self.now_ms);
        self.pump();
    }

    pub(super) fn get(&mut self, channel: u64, no_ack: bool) -> Option<Delivery> {
        let got = self.queue.get(ChannelId(channel), no_ack, self.now_ms);
        if matches!(got, Got::Delivery(..)) && !no_ack {
            let sink = Arc::clone(&self.getter) as Arc<dyn Sink>;
            self.queue.remember_getter(ChannelId(channel), &sink);
        }
        self.finish();
        match got {
            Got::Delivery(delivery, left) => {
                assert_eq!(left, self.ready_count());
                Some(*delivery)
            }
            Got::Empty => None,
            Got::Busy => self.get(channel, no_ack),
            Got::Away(load) => panic!("nothing was moved to a file, and yet {load:?}"),
        }
    }

    pub(super) fn get_all(&mut self, channel: u64) -> Vec<Delivery> {
        std::iter::from_fn(|| self.get(channel, false)).collect()
    }

    pub(super) fn settle(&mut self, tokens: Vec<Token>, settlement: Settlement) {
        self.queue.settle(tokens, settlement);
        self.pump();
    }

    pub(super) fn requeue(&mut self, tokens: Vec<Token>, cause: Return) {
        self.queue.requeue(tokens, cause, self.now_ms);
        self.pump();
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
        self.queue.go_on_returning();
        self.pump();
    }

    /// A policy changes what the queue obeys.
    pub(super) fn apply(&mut self, arguments: QueueArguments) {
        self.queue.apply(Effective { arguments: arguments.into(), policies: None }, self.now_ms);
        self.finish();
    }

    pub(super) fn purge(&mut self) -> usize {
        while self.is_returning() {
            self.go_on_returning();
        }
        let removed = self.queue.purge();
        self.forget(removed)
    }

    pub(super) fn touch(&mut self) {
        self.queue.touch(self.now_ms);
        self.finish();
    }

    pub(super) fn compact(&mut self) {
        let mut relief = ChunkRelief::default();
        while self.queue.relieve_chunks(&mut relief) {
            self.finish();
        }
    }

    pub(super) fn delete(&mut self) -> usize {
        let removed = self.queue.delete();
        self.forget(removed)
    }

    fn forget(&mut self, mut removed: Removed) -> usize {
        self.finish();
        removed.tell_consumers();
        while !self.queue.forget(&mut removed).is_last {
            self.finish();
        }
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
        self.is_expired = self.queue.on_timer(self.now_ms);
        self.finish();
    }

    /// The queue itself, to stop between two steps.
    pub(super) fn queue(&mut self) -> &mut Queue {
        &mut self.queue
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

    /// Deletes chosen messages, or takes them out and puts them back or not.
    pub(super) fn choose(&mut self, mut ids: Vec<u64>, is_deleted: bool, is_put_back: bool) {
        ids.sort_unstable();
        if is_deleted {
            assert_eq!(self.queue.delete_chosen(&ids).len(), ids.len());
        } else {
            let taken = self.queue.take_chosen(&ids, ChannelId(u64::MAX));
            assert_eq!(taken.len(), ids.len());
            let tokens: Vec<_> = taken.iter().map(|taken| taken.token).collect();
            if is_put_back { self.queue.return_chosen(&tokens) } else { self.queue.finish_chosen(&tokens) }
        }
        self.pump();
    }

    /// What somebody sees who looks at these messages of a state.
    pub(super) fn look_at(&self, state: MessageState, offset: usize, count: usize) -> Vec<SeenMessage> {
        let seen = self.queue.look_at(state, offset, count).into_iter();
        seen.map(|seen| match seen {
            Looked::Message(message) => *message,
            Looked::Away(..) | Looked::Part(_) => panic!("nothing was moved to a file"),
        })
        .collect()
    }

    fn pump(&mut self) {
        self.queue.pump(self.now_ms);
        self.finish();
    }

    /// Does what a transition leaves to be done.
    fn finish(&mut self) {
        let aftermath = self.queue.aftermath();
        self.ordered_ms.extend(aftermath.call_at_ms);
        if aftermath.bury_dead_letters {
            while let Burial::Letters(letters) = self.queue.next_burial() {
                for letter in letters {
                    self.dead.push(letter);
                    if self.finds_no_grave {
                        self.queue.keep_unburied(self.now_ms);
                    } else {
                        self.queue.buried();
                    }
                }
            }
            let aftermath = self.queue.aftermath();
            assert!(!aftermath.bury_dead_letters);
            self.ordered_ms.extend(aftermath.call_at_ms);
        }
    }
}
