//! Any octets as a field table and as properties: nothing panics, validating and decoding agree, and a form once reached is
//! kept.

#![no_main]

use leveret::internals::properties::{self, Properties};
use leveret::internals::table::{self, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let decoded = Table::decode(octets);
    assert_eq!(table::validate(octets).err(), decoded.as_ref().err().copied());
    if let Ok(table) = decoded {
        let once = encoded(&table);
        // The length in front is not part of what is decoded.
        let again = Table::decode(&once[4..]).expect("what was encoded can be decoded");
        assert_eq!(encoded(&again), once);
        let canonical = table::canonical(octets).expect("it is valid");
        assert_eq!(table::canonical(&canonical).expect("it stays valid"), canonical);
    }

    let received = properties::receive(octets);
    assert_eq!(properties::validate(octets).err(), received.as_ref().err().copied());
    if let Ok(received) = received {
        assert_eq!(properties::receive(&received).expect("they stay valid"), received);
        let properties = Properties::new(&received);
        let _summary = properties.summary();
        if let Some(headers) = properties.headers() {
            let _headers = headers.to_owned();
        }
    }
});

fn encoded(table: &Table) -> Vec<u8> {
    let mut out = Vec::new();
    table.encode(&mut out);
    out
}
