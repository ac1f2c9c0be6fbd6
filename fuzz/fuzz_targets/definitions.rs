//! Any octets as a file of definitions: nothing panics, what is wrong is said with a place that is in the file, and what was imported
//! can be exported and imported again, to the same end.

#![no_main]

use std::sync::Arc;

use leveret::internals::broker::Broker;
use leveret::internals::broker::definitions_file::{DefinitionsFile, ExportOrigin, place_of};
use leveret::internals::broker::node::Node;
use leveret::internals::broker::random::Random;
use libfuzzer_sys::fuzz_target;

const NOW_MS: u64 = 1_600_000_000_000;
const ORIGIN: ExportOrigin<'_> = ExportOrigin { version: "4.2.0", product: "RabbitMQ", cluster_name: "fuzz" };

fuzz_target!(|octets: &[u8]| {
    for read in [DefinitionsFile::read(octets), DefinitionsFile::read_into(octets, "/")] {
        match read {
            Ok(file) => import(&file, octets),
            Err(error) => {
                let lines = octets.iter().filter(|octet| **octet == b'\n').count() + 1;
                let place = place_of(octets, &error);
                assert!(place.is_none_or(|(line, _)| (1..=lines).contains(&line)), "{error:?}: {place:?}");
                assert!(!error.explained().is_empty());
            }
        }
    }
});

fn import(file: &DefinitionsFile, octets: &[u8]) {
    let broker = broker();
    if let Err(error) = broker.import(file, NOW_MS) {
        let _place = place_of(octets, &error);
        return;
    }
    let exported = broker.export(&ORIGIN);
    let text = serde_json::to_vec(&exported).expect("it is JSON");
    let file = DefinitionsFile::read(&text).expect("what was exported can be read");
    let again = self::broker();
    again.import(&file, NOW_MS).expect("what was exported can be imported");
    assert_eq!(again.export(&ORIGIN), exported);
}

fn broker() -> Arc<Broker> {
    let broker = Broker::new(Arc::new(Node { random: Random::seeded(7), ..Node::default() }));
    broker.begin().expect("a new broker has guest");
    Arc::new(broker)
}
