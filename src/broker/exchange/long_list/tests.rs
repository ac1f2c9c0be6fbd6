use proptest::prelude::*;

use super::*;

/// Long enough that pieces are split and joined.
const OPERATIONS: usize = 3_000;

fn insert(list: &mut LongList<u32>, item: u32) {
    list.insert(item, |other| *other < item);
}

fn remove(list: &mut LongList<u32>, item: u32) -> Option<u32> {
    list.remove(|other| *other < item)
}

/// What must hold after each change.
fn check(list: &LongList<u32>) {
    let lengths: Vec<usize> = list.pieces.iter().map(Vec::len).collect();
    assert_eq!(lengths.iter().sum::<usize>(), list.len());
    assert!(lengths.iter().all(|length| *length <= PIECE_ITEMS_MAX), "{lengths:?}");
    assert!(lengths.iter().rev().skip(1).all(|length| *length > 0), "{lengths:?}");
    assert!(lengths.windows(2).all(|pair| pair[0] + pair[1] >= JOINED_ITEMS_MAX), "{lengths:?}");
    assert_eq!(list.lengths.tree, Sums::of(lengths.into_iter()).tree);
}

/// Grows for a while, then shrinks, and so on: what is always inserted and removed at random stays short.
fn operations() -> impl Strategy<Value = Vec<(u32, bool)>> {
    let phase = (1..=9_u32, 0..2_000_u32, prop::collection::vec((0..1_000_u32, 0..10_u32), 0..OPERATIONS / 4));
    prop::collection::vec(phase, 1..6).prop_map(|phases| {
        let items = |(share, from, items): (u32, u32, Vec<(u32, u32)>)| {
            items.into_iter().map(move |(item, chance)| (from + item, chance < share))
        };
        phases.into_iter().flat_map(items).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn it_has_the_items_of_a_sorted_vector_in_their_places(operations in operations()) {
        let (mut list, mut model) = (LongList::default(), Vec::new());
        for (item, is_inserted) in operations {
            let at = model.partition_point(|other| *other < item);
            if is_inserted {
                insert(&mut list, item);
                model.insert(at, item);
            } else {
                let expected = (at < model.len()).then(|| model.remove(at));
                prop_assert_eq!(remove(&mut list, item), expected);
            }
            check(&list);
            prop_assert_eq!(list.find_mut(|other| *other < item).copied(), model.get(at).copied());
            prop_assert_eq!(list.nth(at), model.get(at));
        }
        prop_assert!((0..=model.len()).all(|at| list.nth(at) == model.get(at)));
        prop_assert!(list.iter().eq(&model));
    }
}

#[test]
fn what_is_appended_fills_its_pieces() {
    let mut list = LongList::default();
    for item in 0..10_000 {
        insert(&mut list, item);
        check(&list);
    }
    assert_eq!(list.pieces.len(), 10_000_usize.div_ceil(PIECE_ITEMS_MAX));
}

#[test]
fn memory_is_given_back() {
    let mut list = LongList::default();
    for item in 0..10_000 {
        insert(&mut list, item * 7_919 % 10_007);
    }
    for item in 0..9_900 {
        assert!(remove(&mut list, item * 7_919 % 10_007).is_some());
        check(&list);
    }
    let capacity: usize = list.pieces.iter().map(Vec::capacity).sum();
    assert!(capacity <= 4 * list.len(), "{capacity} places for {} items", list.len());
}

/// Neither does the same item that comes and goes split a piece or join two each time.
#[test]
fn one_that_comes_and_goes_changes_no_pieces() {
    let mut list = LongList::default();
    for item in 0..10_000 {
        insert(&mut list, 2 * item);
    }
    for item in [0, 1, 511, 512, 513, 9_999, 20_001] {
        insert(&mut list, item);
        let pieces = list.pieces.len();
        for _ in 0..3 {
            assert_eq!(remove(&mut list, item), Some(item));
            assert_eq!(list.pieces.len(), pieces);
            insert(&mut list, item);
            assert_eq!(list.pieces.len(), pieces);
        }
    }
}

#[test]
fn an_empty_list_has_nothing() {
    let mut list = LongList::<u32>::default();
    assert_eq!((list.len(), list.nth(0), list.iter().next()), (0, None, None));
    assert_eq!((remove(&mut list, 0), list.find_mut(|_| false)), (None, None));
}
