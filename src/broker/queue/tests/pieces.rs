//! A list in pieces against a plain deque.

use std::collections::VecDeque;

use proptest::prelude::*;

use crate::broker::queue::pieces::{PIECE_MAX, Pieces};

#[derive(Clone, Debug)]
enum Act {
    Push(usize),
    Pop(usize),
    /// Takes so many from the front at once.
    TakeWhile(usize),
    /// Takes those out that such a number divides, from a place on, of pieces of which so many things are before.
    TakeSome {
        divisor: u32,
        from: usize,
        before: usize,
    },
    /// Changes the last one, and the first ones up to a place.
    Change(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let count = || prop_oneof![0..6_usize, 0..3 * PIECE_MAX, Just(PIECE_MAX)];
    prop_oneof![
        4 => count().prop_map(Act::Push),
        2 => count().prop_map(Act::Pop),
        1 => count().prop_map(Act::TakeWhile),
        1 => (1..5_u32, count(), count()).prop_map(|(divisor, from, before)| Act::TakeSome { divisor, from, before }),
        1 => count().prop_map(Act::Change),
    ]
}

#[derive(Default)]
struct Pair {
    pieces: Pieces<u32>,
    model: VecDeque<u32>,
    next: u32,
}

impl Pair {
    fn act(&mut self, act: Act) {
        let Self { pieces, model, next } = self;
        match act {
            Act::Push(count) => {
                for _ in 0..count {
                    pieces.push_back(*next);
                    model.push_back(*next);
                    *next += 2;
                }
            }
            Act::Pop(count) => (0..count).for_each(|_| assert_eq!(pieces.pop_front(), model.pop_front())),
            Act::TakeWhile(count) => {
                let last = model.get(count).copied().unwrap_or(u32::MAX);
                let mut taken = Vec::new();
                pieces.take_while(|thing| *thing < last, |thing| taken.push(thing));
                assert!(taken.into_iter().eq(model.drain(..count.min(model.len()))));
                assert!(pieces.is_empty() || *pieces.front().unwrap() == last);
            }
            Act::TakeSome { divisor, from, before } => {
                let mut looked_at = 0;
                for piece in pieces.pieces() {
                    if looked_at > before {
                        break;
                    }
                    looked_at += piece.len();
                }
                let is_wanted = |place: usize, thing: &u32| place >= from && thing.is_multiple_of(divisor);
                let mut taken = Vec::new();
                pieces.take_some(|_, there| there <= before, is_wanted, &mut taken);
                let (wanted, left): (Vec<_>, Vec<_>) =
                    model.drain(..).enumerate().partition(|(at, thing)| *at < looked_at && is_wanted(*at, thing));
                assert!(taken.into_iter().eq(wanted.into_iter().map(|(_, thing)| thing)));
                model.extend(left.into_iter().map(|(_, thing)| thing));
            }
            Act::Change(count) => {
                assert_eq!(pieces.back_mut().map(|last| std::mem::replace(last, *last | 1)), model.back().copied());
                model.back_mut().into_iter().for_each(|last| *last |= 1);
                pieces.first_mut(count).for_each(|(_, thing)| *thing |= 1);
                model.iter_mut().take(count).for_each(|thing| *thing |= 1);
            }
        }
    }

    fn check(&mut self, place: usize) {
        let Self { pieces, model, .. } = self;
        pieces.check();
        assert_eq!((pieces.len(), pieces.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(pieces.back_mut().copied(), model.back().copied());
        assert_eq!(pieces.front(), model.front());
        assert!(pieces.pieces().all(|piece| piece.len() <= PIECE_MAX));
        assert!(pieces.iter().eq(model.iter()));
        assert!(pieces.iter_mut().map(|thing| *thing).eq(model.iter().copied()));
        let place = place % (model.len() + 2);
        for place in [place, place / PIECE_MAX * PIECE_MAX, model.len()] {
            assert!(pieces.iter_at(place).eq(model.iter().skip(place)), "from {place} on");
            let first = pieces.first_mut(place).map(|(at, thing)| (at, *thing));
            let expected: Vec<_> = model.iter().copied().enumerate().take(place).collect();
            assert!(first.eq(expected.into_iter().rev()), "the first {place}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn pieces_are_a_list(acts in prop::collection::vec((act(), any::<usize>()), 1..14)) {
        let mut pair = Pair::default();
        for (act, place) in acts {
            pair.act(act);
            pair.check(place);
        }
        prop_assert!(pair.pieces.into_things().eq(pair.model));
    }
}

/// The memory of what was long is given back, however it is taken out.
#[test]
fn nothing_is_kept_of_what_was_long() {
    let takes: [fn(&mut Pieces<u32>); 3] = [
        |pieces| while pieces.pop_front().is_some() {},
        |pieces| pieces.take_while(|_| true, |_| {}),
        |pieces| pieces.take_some(|_, _| true, |_, _| true, &mut Vec::new()),
    ];
    for take in takes {
        for count in [PIECE_MAX, PIECE_MAX + 1, 3 * PIECE_MAX] {
            let mut pieces = Pieces::default();
            (0..count).for_each(|_| pieces.push_back(0));
            take(&mut pieces);
            assert_eq!(pieces.pieces().map(VecDeque::capacity).collect::<Vec<_>>(), [0], "of {count}");
        }
    }
    let mut pieces = Pieces::default();
    (0..PIECE_MAX).for_each(|at| pieces.push_back(at));
    pieces.take_while(|at| *at < PIECE_MAX - 10, |_| {});
    assert!(pieces.pieces().all(|piece| piece.capacity() < PIECE_MAX / 4), "of what was nearly all taken");
}
