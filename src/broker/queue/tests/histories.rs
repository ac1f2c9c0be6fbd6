//! Random histories of a queue, compared with the naive model step by step. A failure is shrunk by proptest, which prints the
//! shortest history that fails and the seed.

mod strategies;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use strategies::{ChosenEnd, Step, a_step, any_arguments};

use super::harness::{Fresh, Harness, NewConsumer, id_of};
use super::model::{Death, Model, Observed, Seen};
use crate::broker::queue::arguments::{QueueArguments, QueueKind};
use crate::broker::queue::returning::RETURNS_MAX;
use crate::broker::queue::{MessageState, Return, SeenMessage, Settlement};
use crate::broker::sink::{Delivery, Notice, Token};

/// A queue and its model, side by side.
struct Pair {
    queue: Harness,
    model: Model,
    /// The limit that the consumers of all channels share here; 0 for none.
    channel_limit: u32,
    is_classic: bool,
    next_message: u32,
    next_consumer: u64,
    settled: Vec<Token>,
}

impl Pair {
    fn new(arguments: &QueueArguments, channel_limit: u32, finds_no_grave: bool, returns_max: u16) -> Self {
        let mut queue = Harness::new(arguments.clone());
        queue.set_returns_max(returns_max);
        let mut model = Model::new(arguments.clone(), channel_limit, finds_no_grave, queue.now_ms);
        model.set_returns_max(returns_max);
        queue.finds_no_grave = finds_no_grave;
        queue.credit.set(channel_limit, 0);
        Self {
            model,
            queue,
            channel_limit,
            is_classic: arguments.kind == QueueKind::Classic,
            next_message: 0,
            next_consumer: 0,
            settled: Vec::new(),
        }
    }

    fn run(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.step(step);
            self.compare();
            if self.queue.is_expired {
                break;
            }
        }
        let (ready, consumers) = (self.model.ready_count(), self.model.consumer_ids());
        assert_eq!(self.queue.delete(), ready);
        for (id, sink) in self.queue.sinks() {
            let notices = sink.notices.lock().unwrap();
            let is_told = notices.iter().any(|notice| matches!(notice, Notice::ConsumerCancelled(_)));
            assert_eq!(is_told, consumers.contains(&id), "consumer {id}");
        }
        assert_eq!((self.queue.ready_count(), self.queue.unacked_count(), self.queue.consumer_count()), (0, 0, 0));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Publish(messages) => self.publish(messages),
            Step::Consume(new) => self.consume(new),
            Step::Cancel { which } => {
                let Some(id) = pick(&self.model.consumer_ids(), which) else { return };
                let is_last = self.model.consumer_ids().len() == 1;
                assert_eq!(self.queue.cancel(id), is_last);
                self.model.cancel(id);
                self.pump();
            }
            Step::CloseChannel { channel } => self.close_channel(channel),
            Step::Get { channel, no_ack } => {
                let got = self.queue.get(channel, no_ack).as_ref().map(seen);
                self.finish_returns();
                self.model.get(channel, got.as_ref());
            }
            Step::Settle { from, count, settlement } => {
                let tokens = self.outstanding(from, count);
                self.release(&tokens);
                self.queue.settle(tokens.clone(), settlement);
                self.model.settle(&tokens, settlement);
                self.resume_all();
                self.settled.extend(tokens);
            }
            Step::Requeue { from, count, cause, reversed } => self.requeue(from, count, cause, reversed),
            Step::SettleAgain { which } => {
                // Its channel knows no tag any more for what is on its way back.
                let Some(token) = pick(&self.settled, which).filter(|token| !self.model.holds(*token)) else { return };
                self.queue.settle(vec![token], Settlement::Rejected);
                self.pump();
            }
            Step::GiveRoom { which, room_bytes } => self.give_room(which, room_bytes),
            Step::Resume { which } => {
                let Some(id) = pick(&self.model.consumer_ids(), which) else { return };
                self.queue.resume(id);
                self.pump();
            }
            Step::Choose { which, count, end } => self.choose(which, count, end),
            Step::Purge => {
                let purged = self.queue.purge();
                self.finish_returns();
                // Those that find no queue are purged as well.
                self.compare_deaths();
                assert_eq!(purged, self.model.purge());
            }
            Step::GoOn => {
                self.queue.go_on_returning();
                self.model.go_on_returning();
                self.pump();
            }
            Step::Touch => {
                self.queue.touch();
                self.model.touch();
            }
            Step::Compact => self.queue.compact(),
            Step::Apply(arguments) => self.apply(*arguments),
            Step::Advance { by_ms } => self.advance(by_ms),
        }
    }

    /// Every second one of the ready messages from a place on.
    fn choose(&mut self, which: usize, count: usize, end: ChosenEnd) {
        let ready = self.queue.look_at(MessageState::Ready, 0, usize::MAX);
        let from = which % ready.len().max(1);
        let chosen: Vec<_> = ready.iter().skip(from).step_by(2).take(count).collect();
        // A quorum queue puts a message that came back before behind the front, where its number says.
        let end = if self.is_classic || end != ChosenEnd::PutBack { end } else { ChosenEnd::Moved };
        let taken = self.queue.choose(
            chosen.iter().map(|seen| seen.id).collect(),
            end == ChosenEnd::Deleted,
            end == ChosenEnd::PutBack,
        );
        // What has expired behind others can only be deleted.
        let is_due = |seen: &&&SeenMessage| seen.expires_at_ms.is_some_and(|at_ms| at_ms <= self.queue.now_ms);
        let due_count = if end == ChosenEnd::Deleted { 0 } else { chosen.iter().filter(is_due).count() };
        assert_eq!(taken.len(), chosen.len() - due_count);
        let taken = chosen.iter().filter(|seen| taken.contains(&seen.id));
        let numbers: Vec<_> = taken.filter_map(|seen| Some(id_of(seen.message.as_ref()?))).collect();
        if end != ChosenEnd::PutBack {
            self.model.remove_ready(&numbers);
        }
        self.pump();
    }

    /// A policy changes neither the type, nor what no policy has a key for; and what a history cannot have, no policy brings.
    fn apply(&mut self, wanted: QueueArguments) {
        let declared = self.model.arguments();
        let same_kind = wanted.kind == declared.kind;
        let of_kind = if same_kind { &wanted } else { declared };
        let applied = QueueArguments {
            delivery_limit: of_kind.delivery_limit,
            consumer_timeout_ms: of_kind.consumer_timeout_ms,
            delayed_retry: of_kind.delayed_retry,
            dead_letter_at_least_once: of_kind.dead_letter_at_least_once,
            overflow: of_kind.overflow,
            max_length: wanted.max_length,
            max_length_bytes: wanted.max_length_bytes,
            message_ttl_ms: wanted.message_ttl_ms,
            expires_ms: wanted.expires_ms,
            dead_letters: wanted.dead_letters,
            ..declared.clone()
        };
        let applied = if self.channel_limit > 0 { sharing_a_limit(applied) } else { applied };
        self.queue.apply(applied.clone());
        self.model.apply(applied);
        self.pump();
    }

    fn requeue(&mut self, from: usize, count: usize, cause: Return, reversed: bool) {
        let mut tokens = self.outstanding(from, count);
        if reversed {
            tokens.reverse();
        }
        self.release(&tokens);
        self.queue.requeue(tokens.clone(), cause);
        self.model.requeue(&tokens, cause);
        self.resume_all();
        self.settled.extend(tokens);
    }

    /// Whoever needs an answer has waited for all that was on its way back.
    fn finish_returns(&mut self) {
        if self.model.is_returning() {
            self.model.finish_returns();
            self.pump();
        }
    }

    fn publish(&mut self, mut messages: Vec<Fresh>) {
        for message in &mut messages {
            self.next_message += 1;
            message.id = self.next_message;
            if self.channel_limit > 0 {
                message.expiration_ms = None;
            }
        }
        let refused = self.queue.publish(messages.clone());
        let mut observed = self.observe();
        for (place, message) in messages.iter().enumerate() {
            assert_eq!(self.model.publish(message, &mut observed), !refused.contains(&place), "{message:?}");
        }
        self.model.pump(&mut observed);
        check_all_expected(&observed);
    }

    fn consume(&mut self, mut new: NewConsumer) {
        if self.channel_limit > 0 {
            new.priority = 0;
        }
        // Classic queues know no timeout, and quorum queues, which do, no shared limit.
        if self.is_classic || self.channel_limit > 0 {
            new.timeout_ms = None;
        }
        assert_eq!(self.queue.may_consume(new.exclusive), self.model.may_consume(new.exclusive));
        if !self.model.may_consume(new.exclusive) {
            return;
        }
        self.next_consumer += 1;
        new.id = self.next_consumer;
        self.queue.consume(new);
        self.model.consume(new);
        self.pump();
    }

    /// The connection of a closed channel is not told of its credit; the limit is the channel's own and goes with it.
    fn close_channel(&mut self, channel: u64) {
        if self.channel_limit > 0 {
            return;
        }
        self.queue.close_channel(channel);
        self.model.close_channel(channel);
        self.pump();
    }

    fn give_room(&mut self, which: usize, room_bytes: usize) {
        let Some(id) = pick(&self.model.consumer_ids(), which) else { return };
        if let Some((_, sink)) = self.queue.sinks().find(|(other, _)| *other == id) {
            sink.give_room(room_bytes);
        }
        self.model.give_room(id, room_bytes);
        self.queue.resume(id);
        self.pump();
    }

    fn advance(&mut self, by_ms: u64) {
        let end_ms = self.queue.now_ms + by_ms;
        while let Some(at_ms) = self.queue.next_call_ms().filter(|&at_ms| at_ms <= end_ms) {
            self.queue.call(at_ms);
            self.model.now_ms = self.queue.now_ms;
            let (late, is_expired) = self.model.on_timer();
            for id in late {
                let (_, sink) = self.queue.sinks().find(|(other, _)| *other == id).expect("it was added");
                let notices = sink.notices.lock().unwrap();
                assert!(matches!(notices[..], [Notice::ConsumerTimedOut(..)]), "consumer {id} was told {notices:?}");
            }
            self.pump();
            assert_eq!(self.queue.is_expired, is_expired);
            self.compare();
            if is_expired {
                return;
            }
        }
        self.queue.advance(end_ms - self.queue.now_ms);
        self.model.now_ms = self.queue.now_ms;
    }

    /// Tells the shared limit of messages that are about to be settled, as a channel does.
    fn release(&self, tokens: &[Token]) {
        self.queue.credit.release(self.model.consumed_among(tokens));
    }

    fn resume_all(&mut self) {
        if self.channel_limit > 0 {
            for id in self.model.consumer_ids() {
                self.queue.resume(id);
            }
        }
        self.pump();
    }

    fn outstanding(&self, from: usize, count: usize) -> Vec<Token> {
        let tokens = self.model.tokens();
        let from = if tokens.is_empty() { 0 } else { from % tokens.len() };
        tokens.into_iter().skip(from).take(count).collect()
    }

    fn pump(&mut self) {
        let mut observed = self.observe();
        self.model.pump(&mut observed);
        check_all_expected(&observed);
    }

    fn observe(&self) -> Observed {
        self.queue.sinks().map(|(id, sink)| (id, sink.take().iter().map(seen).collect())).collect()
    }

    fn compare_deaths(&mut self) {
        let dead: Vec<_> = self.queue.take_dead().iter().map(death).collect();
        assert_eq!(dead, self.model.take_deaths());
    }

    /// A look shows the ready messages in the order of delivery, from any place on, and each of the others once.
    fn compare_looks(&self) {
        let order = self.model.ready_ids();
        for (offset, count) in [(0, usize::MAX), (1, 2), (order.len() / 2, 3)] {
            let seen = self.queue.look_at(MessageState::Ready, offset, count);
            let ids: Vec<_> = seen.iter().filter_map(|seen| Some(id_of(seen.message.as_ref()?))).collect();
            let wanted: Vec<_> = order.iter().skip(offset).take(count).copied().collect();
            assert_eq!(ids, wanted, "from {offset} on");
            assert!(seen.iter().enumerate().all(|(at, seen)| seen.position == offset + at), "places from {offset} on");
        }
        let counts = [
            (MessageState::Unacked, self.queue.unacked_count()),
            (MessageState::Delayed, self.queue.held_back_count()),
        ];
        for (state, count) in counts {
            let seen = self.queue.look_at(state, 0, usize::MAX);
            let ids: BTreeSet<_> = seen.iter().map(|seen| seen.id).collect();
            assert_eq!((seen.len(), ids.len()), (count, count), "{state:?}");
            let behind: Vec<_> = self.queue.look_at(state, count / 2, 2).iter().map(|seen| seen.id).collect();
            let wanted: Vec<_> = seen.iter().skip(count / 2).take(2).map(|seen| seen.id).collect();
            assert_eq!(behind, wanted, "{state:?}");
        }
        // Those that a full queue refused have no place in its order, and so no number of their own.
        assert_eq!(self.queue.look_at(MessageState::Dead, 0, usize::MAX).len(), self.queue.dead_letter_count());
    }

    fn compare(&mut self) {
        self.compare_looks();
        let expected = (self.model.ready_count(), self.model.unacked_count(), self.model.consumer_ids().len());
        let found = (self.queue.ready_count(), self.queue.unacked_count(), self.queue.consumer_count());
        assert_eq!(found, expected, "ready, unacked, consumers");
        self.compare_deaths();
        assert_eq!(self.queue.is_returning(), self.model.is_returning());
        let expected = (self.model.held_back_count(), self.model.dead_letter_count());
        assert_eq!((self.queue.held_back_count(), self.queue.dead_letter_count()), expected, "held back, dead letters");
        if let Some(due_ms) = self.model.next_due_ms() {
            let call_ms = self.queue.next_call_ms();
            assert!(call_ms.is_some_and(|at_ms| at_ms <= due_ms), "due at {due_ms}, to be called at {call_ms:?}");
        }
        for (id, sink) in self.queue.sinks() {
            assert!(!self.model.must_be_starved(id) || sink.is_starved(), "nobody will resume consumer {id}");
        }
    }
}

fn check_all_expected(observed: &Observed) {
    for (id, rest) in observed {
        assert!(rest.is_empty(), "consumer {id} got {rest:?} out of order, or without being asked");
    }
}

/// What a history with a shared limit can have.
fn sharing_a_limit(arguments: QueueArguments) -> QueueArguments {
    QueueArguments {
        max_length: None,
        max_length_bytes: None,
        message_ttl_ms: None,
        consumer_timeout_ms: None,
        ..arguments
    }
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    if from.is_empty() { None } else { Some(from[which % from.len()]) }
}

fn seen(delivery: &Delivery) -> Seen {
    Seen {
        id: id_of(&delivery.message),
        token: delivery.token,
        redelivered: delivery.redelivered,
        counts: delivery.counts,
    }
}

fn death(letter: &crate::broker::queue::DeadLetter) -> Death {
    let target = std::sync::Arc::clone(&letter.target);
    Death { id: id_of(&letter.message), reason: letter.reason, target, failed: letter.failed }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_queue_does_what_a_list_would_do(
        arguments in any_arguments(),
        finds_no_grave in any::<bool>(),
        returns_max in prop_oneof![1..4_u16, Just(RETURNS_MAX)],
        steps in vec(a_step(), 1..60),
    ) {
        Pair::new(&arguments, 0, finds_no_grave, returns_max).run(steps);
    }

    /// A consumer that lacks the credit which it shares is asked again one transition after the others. Where that shows, in
    /// priorities and in messages that cannot wait, this history does not go.
    #[test]
    fn consumers_that_share_a_limit_never_exceed_it_and_never_starve(
        arguments in any_arguments(),
        limit in 1..6_u32,
        returns_max in prop_oneof![1..4_u16, Just(RETURNS_MAX)],
        steps in vec(a_step(), 1..60),
    ) {
        Pair::new(&sharing_a_limit(arguments), limit, false, returns_max).run(steps);
    }
}
