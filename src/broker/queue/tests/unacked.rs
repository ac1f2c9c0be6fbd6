//! The table of unacknowledged messages against a plain map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::broker::ids::{ChannelId, ConsumerId};
use crate::broker::queue::entry::sample;
use crate::broker::queue::unacked::{HolderId, Unacked, UnackedTable};
use crate::broker::sink::Token;

fn unacked(delivery: u64) -> Unacked {
    Unacked { entry: sample(delivery), deadline_ms: delivery, delivery }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many deliveries to the consumer, or the getting channel, of this number.
    Deliver(u64, bool, usize),
    /// Settles every `stride`-th delivery from one on, of all there are.
    Settle { from: usize, stride: usize, count: usize },
    /// The consumer of this number is gone.
    Leave(u64),
    /// Takes back all of this channel.
    TakeBack(u64),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u64, prop::bool::weighted(0.8), 1..700_usize).prop_map(|(who, consumes, count)| Step::Deliver(who, consumes, count)),
        4 => (any::<usize>(), 1..9_usize, 1..700_usize).prop_map(|(from, stride, count)| Step::Settle { from, stride, count }),
        1 => (0..4_u64).prop_map(Step::Leave),
        1 => (0..4_u64).prop_map(Step::TakeBack),
    ]
}

#[derive(Default)]
struct Pair {
    table: UnackedTable,
    consumers: BTreeMap<u64, HolderId>,
    /// By delivery: its token, its channel, and who holds it.
    model: BTreeMap<u64, (Token, u64, Option<u64>)>,
    settled: Vec<Token>,
    deliveries: u64,
}

impl Pair {
    fn step(&mut self, step: Step) {
        match step {
            Step::Deliver(who, consumes, count) => (0..count).for_each(|_| self.deliver(who, consumes)),
            Step::Settle { from, stride, count } => {
                let from = from % self.model.len().max(1);
                let chosen: Vec<_> = self.model.keys().copied().skip(from).step_by(stride).take(count).collect();
                for delivery in chosen {
                    let (token, _, holder) = self.model.remove(&delivery).unwrap();
                    let (found, consumer) = self.table.remove(token).expect("it is there");
                    assert_eq!((found.delivery, consumer), (delivery, holder.map(ConsumerId)));
                    self.settled.push(token);
                }
            }
            Step::Leave(who) => {
                if let Some(id) = self.consumers.remove(&who) {
                    self.table.leave(id, None);
                    self.model.values_mut().filter(|(_, _, holder)| *holder == Some(who)).for_each(|of| of.2 = None);
                }
            }
            Step::TakeBack(channel) => self.take_back(channel),
        }
        self.table.check();
        assert_eq!(self.table.len(), self.model.len());
        assert!(self.table.next_look_ms().is_some() || self.model.is_empty(), "somebody looks");
        assert!(self.settled.iter().rev().take(50).all(|token| self.table.remove(*token).is_none()), "once only");
    }

    fn deliver(&mut self, who: u64, consumes: bool) {
        self.deliveries += 1;
        let (channel, holder) = (ChannelId(who % 2), consumes.then_some(who));
        let id = match holder {
            Some(who) => {
                *self.consumers.entry(who).or_insert_with(|| self.table.add_consumer(channel, ConsumerId(who)))
            }
            None => self.table.getter(channel),
        };
        let token = self.table.insert(id, unacked(self.deliveries));
        self.model.insert(self.deliveries, (token, channel.0, holder));
    }

    fn take_back(&mut self, channel: u64) {
        for who in self.consumers.keys().copied().filter(|who| who % 2 == channel).collect::<Vec<_>>() {
            self.step(Step::Leave(who));
        }
        let mut found = Vec::new();
        for id in self.table.of_channel(ChannelId(channel)) {
            while let Some(unacked) = self.table.pop(id) {
                found.push(unacked.delivery);
            }
        }
        found.sort_unstable();
        let expected: Vec<_> = self.model.extract_if(.., |_, of| of.1 == channel).collect();
        assert!(found.into_iter().eq(expected.iter().map(|(delivery, _)| *delivery)));
        self.settled.extend(expected.into_iter().map(|(_, (token, ..))| token));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn who_holds_what_is_found(steps in prop::collection::vec(a_step(), 1..40)) {
        let mut pair = Pair::default();
        steps.into_iter().for_each(|step| pair.step(step));
    }

    /// Each holder is named when its first message is late, and not before.
    #[test]
    fn what_is_late_is_found(settled in prop::collection::vec((1..200_u64, 1..400_u64), 0..100)) {
        let mut pair = Pair::default();
        (0..200).for_each(|number| pair.deliver(number % 4, true));
        let mut now_ms = 0;
        for (delivery, later_ms) in settled {
            if let Some((token, ..)) = pair.model.remove(&delivery) {
                pair.table.remove(token);
            }
            now_ms += later_ms;
            while let Some((channel, consumer)) = pair.table.pop_late(now_ms) {
                let who = consumer.expect("nothing was taken with `basic.get`").0;
                prop_assert_eq!(who % 2, channel.0);
                let id = pair.consumers.remove(&who).expect("named once");
                pair.table.leave(id, None);
                let of_it: Vec<_> = pair.model.extract_if(.., |_, of| of.2 == Some(who)).collect();
                prop_assert!(of_it.first().is_some_and(|(delivery, _)| *delivery <= now_ms));
                while pair.table.pop(id).is_some() {}
            }
            prop_assert!(pair.model.first_key_value().is_none_or(|(first, _)| *first > now_ms));
            pair.table.check();
        }
    }
}
