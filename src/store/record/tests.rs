use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn enqueued() -> impl Strategy<Value = Vec<Enqueued>> {
    let expiry = prop_oneof![Just(u64::MAX), any::<u64>()];
    let one = (1u64..100, any::<u64>(), expiry, counts(), any::<u8>(), any::<bool>(), any::<u64>());
    vec(one, 0..20).prop_map(|all| {
        let mut behind = 0;
        let message = |(gap, address, expires_at_ms, counts, level, redelivered, origin)| {
            behind += gap;
            let seq = Seq(behind);
            let address = Address::from_bits(address);
            Enqueued { seq, address, expires_at_ms, counts, level, redelivered, origin }
        };
        all.into_iter().map(message).collect()
    })
}

fn counts() -> impl Strategy<Value = DeliveryCounts> {
    any::<(u32, u32)>().prop_map(|(acquired, failed)| DeliveryCounts { acquired, failed })
}

fn seq() -> impl Strategy<Value = Seq> {
    (0..=SEQ_MAX).prop_map(Seq)
}

fn transaction() -> impl Strategy<Value = TransactionId> {
    any::<u64>().prop_map(TransactionId)
}

fn freed() -> impl Strategy<Value = Freed> {
    (0u32..9, any::<u16>(), any::<u16>(), any::<u32>(), any::<u64>()).prop_map(
        |(segment, start, length, stored, body_bytes)| Freed {
            segment: SegmentId(segment),
            start: u32::from(start),
            end: u32::from(start) + u32::from(length),
            stored,
            body_bytes,
        },
    )
}

fn record() -> impl Strategy<Value = Record<'static>> {
    let range = (0u64..1 << 40, 0u64..1 << 20)
        .prop_map(|(first, length)| SeqRange { first: Seq(first), last: Seq(first + length) });
    prop_oneof![
        (any::<u64>(), transaction(), enqueued()).prop_map(|(queue, transaction, messages)| Record::Enqueued {
            queue,
            transaction,
            messages
        }),
        (any::<u64>(), transaction(), vec(range, 0..9)).prop_map(|(queue, transaction, ranges)| Record::Settled {
            queue,
            transaction,
            ranges
        }),
        (transaction(), vec(freed(), 0..9)).prop_map(|(transaction, freed)| Record::Freed { transaction, freed }),
        (any::<u64>(), seq(), counts()).prop_map(|(queue, seq, counts)| Record::Counted { queue, seq, counts }),
        (any::<u64>(), any::<u8>(), seq()).prop_map(|(queue, level, below)| Record::Delivered { queue, level, below }),
        transaction().prop_map(|transaction| Record::Committed { transaction }),
        Just(Record::Definition(b"declare")),
    ]
}

/// The beginning of its row in docs/format.md. A new record does not compile until it has one here.
const fn row(record: &Record<'_>) -> &'static str {
    match record {
        Record::Enqueued { .. } => "| 1 | messages were added |",
        Record::Settled { .. } => "| 2 | messages are gone |",
        Record::Freed { .. } => "| 3 | places in segment files are free |",
        Record::Counted { .. } => "| 4 | a message came back, was rejected, or is out again |",
        Record::Delivered { .. } => "| 5 | delivered up to |",
        Record::Committed { .. } => "| 6 | a transaction took effect |",
        Record::Definition(_) => "| 7 | a definition changed |",
    }
}

proptest! {
    #[test]
    fn a_record_has_a_row_in_the_documentation_with_its_tag(record in record()) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let row = row(&record);
        prop_assert!(row.starts_with(&format!("| {} |", bytes[0])), "{}", row);
        prop_assert!(include_str!("../../../docs/format.md").contains(row), "{}", row);
    }

    #[test]
    fn records_come_back(all in vec(record(), 0..8)) {
        let mut bytes = Vec::new();
        for record in &all {
            record.encode(&mut bytes);
        }
        let read: Option<Vec<_>> = records(&bytes).collect();
        prop_assert_eq!(read, Some(all));
    }

    #[test]
    fn a_cut_record_is_refused(record in record(), cut in 1usize..1000) {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let kept = bytes.len() - 1 - cut % bytes.len();
        let read: Option<Vec<_>> = records(&bytes[..kept]).collect();
        prop_assert!(kept == 0 || read.is_none_or(|read| read != [record]));
    }

    #[test]
    fn a_place_that_no_queue_comes_to_is_refused(beyond in SEQ_MAX + 1..) {
        let (queue, transaction, seq) = (1, TransactionId::NONE, Seq(beyond));
        for record in [
            Record::Settled { queue, transaction, ranges: vec![SeqRange { first: Seq(1), last: seq }] },
            Record::Counted { queue, seq, counts: DeliveryCounts::default() },
            Record::Delivered { queue, level: 0, below: seq },
        ] {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            prop_assert!(records(&bytes).all(|read| read.is_none()), "{:?}", record);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        records(&bytes).for_each(drop);
    }
}
