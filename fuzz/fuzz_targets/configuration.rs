//! Any text as a file of the configuration, of each kind: nothing panics, whatever is wrong is one line with a place that is in the text,
//! and what holds can be written down and read back.

#![no_main]

use std::path::Path;

use leveret::internals::config::{Configuration, Environment, Origin, ProblemSeverity, read_text};
use libfuzzer_sys::fuzz_target;

const FILES: [&str; 4] = ["rabbitmq.conf", "advanced.config", "enabled_plugins", "leveret.toml"];

fuzz_target!(|input: &[u8]| {
    let Some((kind, octets)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let file = Path::new(FILES[usize::from(*kind) % FILES.len()]);
    let environment = Environment::from([("NAME", text)]);
    let configuration = read_text(file, text, &environment);
    check(&configuration, text);

    let written = configuration.settings.effective();
    let again = read_text(Path::new("leveret.toml"), &written, &Environment::default());
    // A password is not written down, and settings that exclude each other may have been wrong before.
    let wrong = again
        .problems
        .iter()
        .find(|problem| problem.severity != ProblemSeverity::Note && !problem.text.contains("exclude each other"));
    assert!(wrong.is_none(), "{written}: {wrong:?}");
});

fn check(configuration: &Configuration, text: &str) {
    let lines = text.lines().count().max(1) + 1;
    for problem in &configuration.problems {
        assert!(!problem.to_string().contains(char::is_control), "{problem:?}");
        if let Origin::File(place) = &problem.origin {
            assert!((1..=lines).contains(&place.line) && place.column >= 1, "{problem:?}");
        }
    }
}
