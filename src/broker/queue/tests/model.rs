//! The naive queue: a list of messages, sorted anew whenever somebody asks for the order, with no index and no memory of whose
//! turn it is. It does not say which consumer gets a message; it says whether the one who got it was allowed to.

mod deaths;
mod delivery;
mod message;
mod returning;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use message::{ModelMessage, Place, Unacked};

use super::harness::{Fresh, NewConsumer};
use crate::broker::queue::arguments::{DeadLetters, Overflow, QueueArguments, QueueKind};
use crate::broker::queue::{DeathReason, Return, Settlement};
use crate::broker::sink::Token;
use crate::message::DeliveryCounts;

#[derive(Clone, Debug)]
struct ModelConsumer {
    new: NewConsumer,
    room_bytes: usize,
}

/// A delivery as a client sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) id: u32,
    pub(super) token: Option<Token>,
    pub(super) redelivered: bool,
    pub(super) counts: DeliveryCounts,
}

/// A death as the dead letter exchange sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Death {
    pub(super) id: u32,
    pub(super) reason: DeathReason,
    pub(super) target: Arc<DeadLetters>,
    pub(super) failed: u32,
}

/// What each consumer got since it was asked last.
pub(super) type Observed = BTreeMap<u64, VecDeque<Seen>>;

#[derive(Debug)]
pub(super) struct Model {
    arguments: QueueArguments,
    pub(super) now_ms: u64,
    messages: Vec<ModelMessage>,
    /// In the order of registration.
    consumers: Vec<ModelConsumer>,
    active: Option<u64>,
    /// The active one gets nothing more, and is replaced once it has nothing unacknowledged.
    yields: bool,
    channel_limit: u32,
    next: u64,
    used_at_ms: u64,
    /// Deaths that the queue is still to tell of, and what each counts for the limit in bytes.
    deaths: Vec<(Death, u64)>,
    /// Dead letters that found no queue, and when they are tried again.
    unrouted: Vec<(Death, u64)>,
    retry_ms: Option<u64>,
    finds_no_grave: bool,
    /// What is on its way back: its tokens, and why and since when.
    returns: VecDeque<(VecDeque<Token>, Return, u64)>,
    /// So many come back in one transition.
    returns_max: u16,
}

impl Model {
    pub(super) fn new(arguments: QueueArguments, channel_limit: u32, finds_no_grave: bool, now_ms: u64) -> Self {
        Self {
            arguments,
            now_ms,
            messages: Vec::new(),
            consumers: Vec::new(),
            active: None,
            yields: false,
            channel_limit,
            next: 0,
            used_at_ms: now_ms,
            deaths: Vec::new(),
            unrouted: Vec::new(),
            retry_ms: None,
            finds_no_grave,
            returns: VecDeque::new(),
            returns_max: u16::MAX,
        }
    }

    /// Fewer messages come back in one transition.
    pub(super) fn set_returns_max(&mut self, returns_max: u16) {
        self.returns_max = returns_max;
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    // --- looking -------------------------------------------------------------------------------------------------------

    /// The ready messages in the order of delivery.
    fn order(&self) -> Vec<&ModelMessage> {
        let mut order: Vec<_> = self.messages.iter().filter(|message| message.lane().is_some()).collect();
        order.sort_by_key(|message| (message.lane(), message.rank()));
        order
    }

    /// Their numbers.
    pub(super) fn ready_ids(&self) -> Vec<u32> {
        self.order().iter().map(|message| message.id).collect()
    }

    fn unacked(&self) -> impl Iterator<Item = Unacked> + '_ {
        self.messages.iter().filter_map(ModelMessage::unacked)
    }

    pub(super) fn ready_count(&self) -> usize {
        self.order().len()
    }

    /// How many messages count for the limits, and how many bytes.
    fn size(&self) -> (u64, u64) {
        let is_held = |message: &&ModelMessage| message.lane().is_some() || message.held_until_ms().is_some();
        let in_queue = self.messages.iter().filter(is_held).map(|message| message.counted_bytes);
        let dead = self.deaths.iter().chain(&self.unrouted).filter(|_| self.keeps_dead()).map(|(_, bytes)| *bytes);
        let counted: Vec<_> = in_queue.chain(dead).collect();
        (counted.len() as u64, counted.iter().sum())
    }

    pub(super) fn held_back_count(&self) -> usize {
        self.messages.iter().filter_map(ModelMessage::held_until_ms).count()
    }

    pub(super) fn dead_letter_count(&self) -> usize {
        self.unrouted.len() + if self.is_returning() { self.deaths.len() } else { 0 }
    }

    pub(super) fn unacked_count(&self) -> usize {
        self.unacked().count()
    }

    pub(super) fn consumer_ids(&self) -> Vec<u64> {
        self.consumers.iter().map(|consumer| consumer.new.id).collect()
    }

    /// The tokens that a client can settle, in the order of delivery.
    pub(super) fn tokens(&self) -> Vec<Token> {
        self.tokens_where(|unacked| self.returns.iter().all(|(tokens, ..)| !tokens.contains(&unacked.token)))
    }

    /// Whether this is neither settled nor back.
    pub(super) fn holds(&self, token: Token) -> bool {
        self.unacked().any(|unacked| unacked.token == token)
    }

    fn tokens_where(&self, wanted: impl Fn(&Unacked) -> bool) -> Vec<Token> {
        let mut found: Vec<_> = self.unacked().filter(wanted).collect();
        found.sort_by_key(|unacked| unacked.delivery);
        found.into_iter().map(|unacked| unacked.token).collect()
    }

    /// How many of these went to consumers, so that they took shared credit.
    pub(super) fn consumed_among(&self, tokens: &[Token]) -> u32 {
        let is_consumed = |unacked: &Unacked| unacked.is_consumed && tokens.contains(&unacked.token);
        u32::try_from(self.unacked().filter(is_consumed).count()).expect("few")
    }

    fn unacked_of(&self, id: u64) -> usize {
        self.unacked().filter(|unacked| unacked.consumer == Some(id)).count()
    }

    /// Whether nothing but room is missing.
    fn has_credit(&self, consumer: &ModelConsumer) -> bool {
        let is_active = self.active == Some(consumer.new.id) && !self.yields;
        if self.arguments.single_active_consumer && !is_active {
            return false;
        }
        let prefetch = usize::from(consumer.new.prefetch_count);
        let limit = self.channel_limit as usize;
        consumer.new.no_ack
            || (prefetch == 0 || self.unacked_of(consumer.new.id) < prefetch)
                && (limit == 0 || self.unacked().filter(|unacked| unacked.is_consumed).count() < limit)
    }

    fn is_eligible(&self, consumer: &ModelConsumer) -> bool {
        self.has_credit(consumer) && consumer.room_bytes > 0
    }

    pub(super) fn may_consume(&self, exclusive: bool) -> bool {
        match self.arguments.kind {
            QueueKind::Quorum => true,
            QueueKind::Classic if exclusive => self.consumers.is_empty() && !self.arguments.single_active_consumer,
            QueueKind::Classic => self.consumers.iter().all(|consumer| !consumer.new.exclusive),
        }
    }

    /// Whether a consumer must have asked to be resumed: it would get the head, but for the room.
    pub(super) fn must_be_starved(&self, id: u64) -> bool {
        let consumer = self.consumers.iter().find(|consumer| consumer.new.id == id);
        !self.is_returning()
            && self.ready_count() > 0
            && consumer.is_some_and(|consumer| self.has_credit(consumer) && consumer.room_bytes == 0)
    }

    // --- transitions ---------------------------------------------------------------------------------------------------

    /// Takes one message of a batch that arrives at one moment; false when it is refused, although whatever could be delivered
    /// was. [`Model::pump`] must follow the batch.
    pub(super) fn publish(&mut self, fresh: &Fresh, observed: &mut Observed) -> bool {
        let refuses = |model: &Self| model.arguments.overflow != Overflow::DropHead && model.is_full(fresh);
        if refuses(self) {
            self.pump(observed);
        }
        if refuses(self) {
            if self.arguments.overflow == Overflow::RejectPublishDlx {
                self.die(fresh.id, DeathReason::MaxLength, fresh.failed, 0);
            }
            return false;
        }
        let ttl_ms = [fresh.expiration_ms, self.arguments.message_ttl_ms].into_iter().flatten().min();
        let seq = self.number();
        self.messages.push(ModelMessage {
            id: fresh.id,
            seq,
            level: match (self.arguments.kind, self.arguments.max_priority) {
                (QueueKind::Quorum, _) => fresh.priority.unwrap_or(4).min(31),
                (QueueKind::Classic, max) => fresh.priority.unwrap_or(0).min(max.unwrap_or(0)),
            },
            body_bytes: fresh.body_bytes as u64,
            // The harness writes two bytes of properties.
            counted_bytes: fresh.body_bytes as u64 + if self.arguments.kind == QueueKind::Quorum { 2 } else { 0 },
            expires_at_ms: ttl_ms.map_or(u64::MAX, |ttl_ms| self.now_ms + ttl_ms),
            redelivered: fresh.failed > 0,
            counts: DeliveryCounts { acquired: 0, failed: fresh.failed },
            place: Place::Ready,
        });
        true
    }

    fn is_full(&self, fresh: &Fresh) -> bool {
        let (count, bytes) = self.size();
        let max = self.arguments.max_length.unwrap_or(u64::MAX);
        let max_bytes = self.arguments.max_length_bytes.unwrap_or(u64::MAX);
        match self.arguments.kind {
            QueueKind::Classic => count + 1 > max || bytes + fresh.body_bytes as u64 > max_bytes,
            QueueKind::Quorum => count > 0 && (count >= max || bytes >= max_bytes),
        }
    }

    pub(super) fn consume(&mut self, new: NewConsumer) {
        self.consumers.push(ModelConsumer { new, room_bytes: new.room_bytes });
        if self.arguments.single_active_consumer && self.active.is_none() {
            self.active = Some(new.id);
        }
        let active = self.consumers.iter().find(|consumer| Some(consumer.new.id) == self.active);
        if self.arguments.kind == QueueKind::Quorum && active.is_some_and(|active| active.new.priority < new.priority) {
            self.yields = true;
        }
        self.promote();
    }

    pub(super) fn cancel(&mut self, id: u64) {
        self.consumers.retain(|consumer| consumer.new.id != id);
        self.used_at_ms = self.now_ms;
        for message in self.messages.iter_mut().filter(|_| self.arguments.kind == QueueKind::Quorum) {
            if let Place::Unacked(unacked) = &mut message.place
                && unacked.consumer == Some(id)
            {
                unacked.consumer = None;
            }
        }
        if self.active == Some(id) {
            self.active = self.heir();
            self.yields = false;
        }
    }

    pub(super) fn close_channel(&mut self, channel: u64) {
        let of_channel = self.consumers.iter().filter(|consumer| consumer.new.channel == channel);
        for id in of_channel.map(|consumer| consumer.new.id).collect::<Vec<_>>() {
            self.cancel(id);
        }
        let can_be_settled = self.tokens();
        let is_left = |unacked: &Unacked| unacked.channel == channel && can_be_settled.contains(&unacked.token);
        self.requeue(&self.tokens_where(is_left), Return::Lost);
    }

    /// The message that `basic.get` must answer, with its place in the order lost.
    pub(super) fn get(&mut self, channel: u64, seen: Option<&Seen>) {
        self.used_at_ms = self.now_ms;
        self.expire(self.now_ms);
        let head = self.order().first().map(|head| head.id);
        assert_eq!(seen.map(|seen| seen.id), head, "basic.get");
        if let Some(seen) = seen {
            self.deliver(seen, channel, None);
        }
        if self.arguments.kind == QueueKind::Classic {
            self.expire(self.now_ms);
        }
    }

    pub(super) fn settle(&mut self, tokens: &[Token], settlement: Settlement) {
        for token in tokens {
            let Some(mut message) = self.take_out(*token) else { continue };
            match settlement {
                Settlement::Acked => {}
                Settlement::Rejected => {
                    message.counts.failed += 1;
                    self.kill(message, DeathReason::Rejected);
                }
                Settlement::Nacked => self.kill(message, DeathReason::Rejected),
            }
        }
        self.promote();
    }

    fn take_out(&mut self, wanted: Token) -> Option<ModelMessage> {
        let is_it = |message: &ModelMessage| message.unacked().is_some_and(|unacked| unacked.token == wanted);
        let at = self.messages.iter().position(is_it)?;
        Some(self.messages.remove(at))
    }

    pub(super) fn purge(&mut self) -> usize {
        let kept_dead = if self.keeps_dead() { self.unrouted.len() } else { 0 };
        let before = self.messages.len() + kept_dead;
        self.messages.retain(|message| message.unacked().is_some());
        if self.keeps_dead() {
            self.unrouted.clear();
            self.retry_ms = None;
        }
        before - self.messages.len()
    }

    /// These ready messages are gone, without a trace.
    pub(super) fn remove_ready(&mut self, ids: &[u32]) {
        self.messages.retain(|message| message.lane().is_none() || !ids.contains(&message.id));
    }

    pub(super) const fn arguments(&self) -> &QueueArguments {
        &self.arguments
    }

    /// Something else is obeyed from now on. [`Model::pump`] must follow.
    pub(super) fn apply(&mut self, arguments: QueueArguments) {
        let before = std::mem::replace(&mut self.arguments, arguments);
        if before.expires_ms != self.arguments.expires_ms {
            self.used_at_ms = self.now_ms;
        }
        let keeps_target = self.keeps_dead() && before.dead_letters == self.arguments.dead_letters;
        if before != self.arguments && !keeps_target && !self.unrouted.is_empty() {
            self.retry_ms = Some(self.now_ms);
        }
    }

    pub(super) fn touch(&mut self) {
        self.used_at_ms = self.now_ms;
    }

    pub(super) fn give_room(&mut self, id: u64, room_bytes: usize) {
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.new.id == id) {
            consumer.room_bytes = room_bytes;
        }
    }

    /// What the timer does; the consumers that were late, and whether the queue expired.
    pub(super) fn on_timer(&mut self) -> (Vec<u64>, bool) {
        let mut left = self.returns_max;
        self.put_back(&mut left);
        if self.is_returning() {
            return (Vec::new(), false);
        }
        let late = self.unacked().filter(|unacked| unacked.deadline_ms <= self.now_ms);
        let late: BTreeSet<_> = late.map(|unacked| (unacked.channel, unacked.consumer)).collect();
        let mut told = Vec::new();
        for (channel, consumer) in late {
            let tokens = self.tokens_where(|one| (one.channel, one.consumer) == (channel, consumer));
            if let Some(id) = consumer.filter(|id| self.consumer_ids().contains(id)) {
                let used_at_ms = self.used_at_ms;
                self.cancel(id);
                self.used_at_ms = used_at_ms;
                told.push(id);
            }
            self.take_back(&tokens, Return::TimedOut, &mut left);
        }
        let held = self.messages.iter().filter_map(|message| Some((message.held_until_ms()?, message.seq)));
        let mut due: Vec<_> = held.filter(|(until_ms, _)| *until_ms <= self.now_ms).collect();
        due.sort_unstable();
        for (_, seq) in due {
            let at = self.number();
            for message in self.messages.iter_mut().filter(|message| message.seq == seq) {
                message.place = Place::Returned(at);
            }
        }
        if self.retry_ms.is_some_and(|at_ms| at_ms <= self.now_ms) {
            self.retry_ms = None;
            for (death, counted_bytes) in std::mem::take(&mut self.unrouted) {
                self.die(death.id, death.reason, death.failed, counted_bytes);
            }
        }
        (told, self.expiry_ms().is_some_and(|at_ms| at_ms <= self.now_ms))
    }

    fn expiry_ms(&self) -> Option<u64> {
        let expires_ms = self.arguments.expires_ms.filter(|_| self.consumers.is_empty())?;
        Some(self.used_at_ms + expires_ms)
    }

    /// The first moment at which something is due; the timer must be called then at the latest.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let held_back = self.messages.iter().filter_map(ModelMessage::held_until_ms);
        let heads = self.heads().into_iter().map(|head| head.expires_at_ms);
        let late = self.unacked().map(|unacked| unacked.deadline_ms);
        let due = held_back.chain(heads).chain(late).chain(self.expiry_ms()).chain(self.retry_ms).min();
        due.filter(|&at_ms| at_ms != u64::MAX)
    }

    /// The messages that can expire: the first of every lane, or of the whole queue.
    fn heads(&self) -> Vec<&ModelMessage> {
        let mut heads: Vec<&ModelMessage> = Vec::new();
        for message in self.order() {
            if heads.last().is_none_or(|last| last.lane() != message.lane()) {
                heads.push(message);
            }
        }
        if self.arguments.kind == QueueKind::Classic {
            heads.truncate(1);
        }
        heads
    }
}
