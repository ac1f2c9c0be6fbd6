use super::*;

fn gauge() -> Arc<MemoryGauge> {
    Arc::new(MemoryGauge::default())
}

#[test]
fn records_of_one_chunk_read_back_apart() {
    let gauge = gauge();
    let mut writer = ChunkWriter::default();
    let facts = Facts { persistent: true, priority: Some(7), ..Facts::default() };
    let first = writer.push(facts, &address("x", b"key"), &[0, 0], b"hello");
    let second = writer.begin(Facts::default(), &address("", b"q"), &[0x10, 0, 2], 6);
    writer.extend_body(b"abc");
    writer.extend_body(b"def");
    let chunk = writer.finish(&gauge);
    let first = Message::new(Arc::clone(&chunk), first);
    let second = Message::new(chunk, second);
    assert_eq!((first.exchange(), first.routing_key(), first.body()), ("x", &b"key"[..], &b"hello"[..]));
    assert_eq!(first.facts(), facts);
    assert_eq!((second.exchange(), second.routing_key(), second.body()), ("", &b"q"[..], &b"abcdef"[..]));
    assert_eq!(second.property_bytes(), &[0x10, 0, 2]);
    assert_eq!(second.facts(), Facts::default());
}

#[test]
fn the_gauge_counts_a_chunk_until_its_last_message_goes() {
    let gauge = gauge();
    let message = Message::standalone(&gauge, Facts::default(), &address("", b"q"), &[0, 0], &[7; 100]);
    let copy = message.clone();
    let held = gauge.bytes();
    assert!(held > 100);
    drop(message);
    assert_eq!(gauge.bytes(), held);
    drop(copy);
    assert_eq!(gauge.bytes(), 0);
}

#[test]
fn a_lone_survivor_of_a_large_chunk_can_be_compacted() {
    let gauge = gauge();
    let mut writer = ChunkWriter::default();
    let offsets: Vec<_> =
        (0..1000).map(|_| writer.push(Facts::default(), &address("", b"q"), &[0, 0], &[1; 64])).collect();
    let chunk = writer.finish(&gauge);
    let survivor = Message::new(chunk, offsets[500]);
    assert!(survivor.pins_memory());
    let small = survivor.compacted();
    drop(survivor);
    assert_eq!(small.body(), &[1; 64]);
    assert!(gauge.bytes() < 200);
    assert!(!small.pins_memory());
}
