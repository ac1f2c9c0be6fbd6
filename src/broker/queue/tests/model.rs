//! The naive queue: a list of messages, sorted anew whenever somebody asks for the order, with no index and no memory of whose
//! turn it is. It does not say which consumer gets a message; it says whether the one who got it was allowed to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::harness::{Fresh, NewConsumer};
use crate::broker::queue::arguments::{Overflow, QueueArguments, QueueKind};
use crate::broker::queue::{DELIVERY_OVERHEAD_BYTES, DeathReason, Return, Settlement};
use crate::broker::sink::{DeliveryCounts, Token};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Ready,
    /// Ready in front of the others: a quorum queue's returned messages, in the order of return.
    Returned(u64),
    HeldBack {
        until_ms: u64,
    },
    Unacked(Unacked),
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Unacked {
    token: Token,
    channel: u64,
    /// Who answers for it, if not its channel.
    consumer: Option<u64>,
    /// It went to a consumer, whatever became of that.
    is_consumed: bool,
    /// When it is late; `u64::MAX` for never.
    deadline_ms: u64,
    /// Its place in the order of deliveries.
    delivery: u64,
}

#[derive(Clone, Debug)]
struct ModelMessage {
    id: u32,
    seq: u64,
    level: u8,
    body_bytes: u64,
    counted_bytes: u64,
    expires_at_ms: u64,
    redelivered: bool,
    counts: DeliveryCounts,
    place: Place,
}

impl ModelMessage {
    fn unacked(&self) -> Option<Unacked> {
        if let Place::Unacked(unacked) = self.place { Some(unacked) } else { None }
    }

    fn held_until_ms(&self) -> Option<u64> {
        if let Place::HeldBack { until_ms } = self.place { Some(until_ms) } else { None }
    }

    /// The lane in which it is ready. Each lane has a head of its own, which is the only one that can expire.
    fn lane(&self) -> Option<(u8, Reverse<u8>)> {
        match self.place {
            Place::Returned(_) => Some((0, Reverse(0))),
            Place::Ready => Some((1, Reverse(self.level))),
            Place::HeldBack { .. } | Place::Unacked(_) => None,
        }
    }

    /// Its place in its lane.
    fn rank(&self) -> u64 {
        if let Place::Returned(at) = self.place { at } else { self.seq }
    }
}

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
    unburied: Vec<(Death, u64)>,
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
            unburied: Vec::new(),
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
        let dead = self.deaths.iter().chain(&self.unburied).filter(|_| self.keeps_dead()).map(|(_, bytes)| *bytes);
        let counted: Vec<_> = in_queue.chain(dead).collect();
        (counted.len() as u64, counted.iter().sum())
    }

    pub(super) fn held_back_count(&self) -> usize {
        self.messages.iter().filter_map(ModelMessage::held_until_ms).count()
    }

    pub(super) fn dead_letter_count(&self) -> usize {
        self.unburied.len() + if self.is_returning() { self.deaths.len() } else { 0 }
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
                self.die(Death { id: fresh.id, reason: DeathReason::MaxLength, failed: fresh.failed }, 0);
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

    pub(super) fn is_returning(&self) -> bool {
        !self.returns.is_empty()
    }

    /// One transition puts some more messages back.
    pub(super) fn go_on_returning(&mut self) {
        let mut left = self.returns_max;
        self.put_back(&mut left);
    }

    pub(super) fn finish_returns(&mut self) {
        while self.is_returning() {
            self.go_on_returning();
        }
    }

    fn put_back(&mut self, left: &mut u16) {
        while let Some((tokens, cause, since_ms)) = self.returns.front_mut() {
            if *left == 0 {
                return;
            }
            let Some(token) = tokens.pop_front() else {
                self.returns.pop_front();
                if !self.is_returning() {
                    self.all_returned();
                }
                continue;
            };
            *left -= 1;
            let (cause, since_ms) = (*cause, *since_ms);
            self.put_back_one(token, cause, since_ms);
        }
    }

    fn all_returned(&mut self) {
        if self.arguments.kind == QueueKind::Classic {
            self.trim();
        }
        self.promote();
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

    pub(super) fn requeue(&mut self, tokens: &[Token], cause: Return) {
        let mut left = self.returns_max;
        self.take_back(tokens, cause, &mut left);
    }

    fn take_back(&mut self, tokens: &[Token], cause: Return, left: &mut u16) {
        let is_first = !self.is_returning();
        self.returns.push_back((tokens.iter().copied().collect(), cause, self.now_ms));
        if is_first {
            self.put_back(left);
        }
    }

    fn put_back_one(&mut self, token: Token, cause: Return, since_ms: u64) {
        let Some(mut message) = self.take_out(token) else { return };
        message.place = Place::Ready;
        let is_failure = matches!(cause, Return::Rejected | Return::Lost);
        message.counts.acquired += 1;
        message.counts.failed += u32::from(is_failure);
        if self.arguments.kind == QueueKind::Quorum {
            if self.arguments.delivery_limit.is_some_and(|limit| message.counts.failed > limit) {
                return self.kill(message, DeathReason::DeliveryLimit);
            }
            let retry = self.arguments.delayed_retry;
            let retry = retry.filter(|retry| if is_failure { retry.failed } else { retry.returned });
            message.place = match retry {
                None => Place::Returned(self.number()),
                Some(retry) => {
                    let delay_ms = (retry.min_ms * u64::from(message.counts.failed.max(1))).min(retry.max_ms);
                    Place::HeldBack { until_ms: since_ms + delay_ms }
                }
            };
        }
        self.messages.push(message);
    }

    pub(super) fn purge(&mut self) -> usize {
        let before = self.messages.len() + self.unburied.len();
        self.messages.retain(|message| message.unacked().is_some());
        self.unburied.clear();
        self.retry_ms = None;
        before - self.messages.len()
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
            for (death, counted_bytes) in std::mem::take(&mut self.unburied) {
                self.die(death, counted_bytes);
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

    // --- delivery ------------------------------------------------------------------------------------------------------

    /// Checks the deliveries that were observed, one by one in the queue's order, and drops what the queue must have dropped.
    pub(super) fn pump(&mut self, observed: &mut Observed) {
        if self.is_returning() {
            return;
        }
        while !self.consumers.is_empty() {
            let Some(head) = self.order().first().map(|head| (*head).clone()) else { break };
            if head.expires_at_ms < self.now_ms {
                self.expire(self.now_ms - 1);
                continue;
            }
            let found = observed.iter().find(|(_, seen)| seen.front().is_some_and(|seen| seen.id == head.id));
            let Some(id) = found.map(|(id, _)| *id) else {
                let idle = self.consumers.iter().find(|consumer| self.is_eligible(consumer));
                assert!(idle.is_none(), "message {} is ready, and idle is {idle:?}", head.id);
                break;
            };
            let seen = observed.get_mut(&id).and_then(VecDeque::pop_front).expect("it was just looked at");
            self.check_turn(id, &head);
            let consumer = self.consumers.iter_mut().find(|consumer| consumer.new.id == id).expect("checked");
            if consumer.room_bytes != usize::MAX {
                let cost = seen_cost(head.body_bytes);
                consumer.room_bytes = consumer.room_bytes.saturating_sub(cost);
            }
            let (channel, no_ack) = (consumer.new.channel, consumer.new.no_ack);
            assert_eq!(seen.token.is_none(), no_ack, "message {}", head.id);
            self.deliver(&seen, channel, Some(id));
        }
        self.expire(self.now_ms);
        self.trim();
    }

    fn check_turn(&self, id: u64, head: &ModelMessage) {
        let Some(consumer) = self.consumers.iter().find(|consumer| consumer.new.id == id) else {
            panic!("consumer {id} is gone, and got message {}", head.id);
        };
        assert!(self.is_eligible(consumer), "message {} went to {consumer:?}, which has no credit or no room", head.id);
        let better =
            self.consumers.iter().find(|other| other.new.priority > consumer.new.priority && self.is_eligible(other));
        assert!(better.is_none(), "message {} went to {consumer:?} before {better:?}", head.id);
    }

    fn deliver(&mut self, seen: &Seen, channel: u64, consumer: Option<u64>) {
        let delivery = self.number();
        let spec = self.consumers.iter().find(|spec| consumer == Some(spec.new.id));
        let timeout_ms = spec.and_then(|spec| spec.new.timeout_ms).or(self.arguments.consumer_timeout_ms);
        let deadline_ms = timeout_ms.map_or(u64::MAX, |timeout_ms| self.now_ms + timeout_ms);
        let at = self.messages.iter().position(|message| message.id == seen.id).expect("it is in the queue");
        let message = &mut self.messages[at];
        let DeliveryCounts { acquired, failed } = message.counts;
        let counts = match self.arguments.kind {
            QueueKind::Classic => DeliveryCounts::default(),
            // Failures elsewhere are shown as deliveries until there are deliveries here.
            QueueKind::Quorum => DeliveryCounts { acquired: if acquired == 0 { failed } else { acquired }, failed },
        };
        let expected = Seen {
            id: message.id,
            token: seen.token,
            redelivered: std::mem::replace(&mut message.redelivered, true),
            counts,
        };
        assert_eq!(seen, &expected);
        match seen.token {
            None => {
                self.messages.remove(at);
            }
            Some(token) => {
                message.place = Place::Unacked(Unacked {
                    token,
                    channel,
                    consumer,
                    is_consumed: consumer.is_some(),
                    deadline_ms,
                    delivery,
                })
            }
        }
    }

    fn expire(&mut self, limit_ms: u64) {
        loop {
            let due = self.heads().into_iter().find(|head| head.expires_at_ms <= limit_ms).map(|head| head.id);
            let Some(id) = due else { break };
            let message = self.remove(id);
            self.kill(message, DeathReason::Expired);
        }
    }

    fn trim(&mut self) {
        if self.arguments.overflow != Overflow::DropHead {
            return;
        }
        let max = self.arguments.max_length.unwrap_or(u64::MAX);
        let max_bytes = self.arguments.max_length_bytes.unwrap_or(u64::MAX);
        while self.size().0 > max || self.size().1 > max_bytes {
            // What is held back counts, and cannot be dropped.
            let Some(head) = self.order().first().map(|head| head.id) else { break };
            let message = self.remove(head);
            self.kill(message, DeathReason::MaxLength);
        }
    }

    fn remove(&mut self, id: u32) -> ModelMessage {
        let at = self.messages.iter().position(|message| message.id == id).expect("it is in the queue");
        self.messages.remove(at)
    }

    // --- deaths --------------------------------------------------------------------------------------------------------

    fn kill(&mut self, message: ModelMessage, reason: DeathReason) {
        self.die(Death { id: message.id, reason, failed: message.counts.failed }, message.counted_bytes);
    }

    fn keeps_dead(&self) -> bool {
        self.arguments.dead_letter_at_least_once && self.arguments.overflow == Overflow::RejectPublish
    }

    fn die(&mut self, death: Death, counted_bytes: u64) {
        if self.arguments.dead_letter_exchange.is_some() {
            self.deaths.push((death, counted_bytes));
        }
    }

    /// The deaths since the last look, in their order.
    pub(super) fn take_deaths(&mut self) -> Vec<Death> {
        if self.is_returning() {
            return Vec::new();
        }
        let deaths = std::mem::take(&mut self.deaths);
        if self.finds_no_grave && self.keeps_dead() && !deaths.is_empty() {
            self.unburied.extend(deaths.iter().cloned());
            self.retry_ms.get_or_insert(self.now_ms + 1_000);
        }
        deaths.into_iter().map(|(death, _)| death).collect()
    }

    fn heir(&self) -> Option<u64> {
        let best = self.consumers.iter().map(|consumer| consumer.new.priority).max();
        self.consumers.iter().find(|consumer| Some(consumer.new.priority) == best).map(|consumer| consumer.new.id)
    }

    /// Once the active consumer that yields has nothing unacknowledged, the one of highest priority takes over.
    fn promote(&mut self) {
        if !self.is_returning() && self.yields && self.active.is_some_and(|active| self.unacked_of(active) == 0) {
            self.active = self.heir();
            self.yields = false;
        }
    }
}

fn seen_cost(body_bytes: u64) -> usize {
    usize::try_from(body_bytes).expect("small") + DELIVERY_OVERHEAD_BYTES
}
