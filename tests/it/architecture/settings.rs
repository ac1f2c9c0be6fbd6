//! A setting is a row of a table and a place that obeys it. The compiler asks for the row alone.

use std::collections::BTreeSet;

use super::{code, root, sources};

const TABLE: &str = "config/settings.rs";
/// What it says of the names of settings is not what they do.
const TRANSLATIONS: &str = "config/rabbitmq/";

/// `    name: Type = default, ...`
fn name_of_row(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix("    ")?.split_once(": ")?;
    let is_name = name.chars().all(|character| character.is_ascii_lowercase() || "_0123456789".contains(character));
    (is_name && rest.contains(" = ")).then_some(name)
}

#[test]
fn every_setting_is_obeyed_somewhere() {
    let sources = sources(&root("src"));
    let (_, table) = sources.iter().find(|(file, _)| file == TABLE).expect("there are settings");
    let mut unread: BTreeSet<&str> = code(table).filter_map(|(_, line)| name_of_row(line)).collect();
    assert!(unread.len() > 100, "rows look otherwise now: {unread:?}");
    for (_, text) in sources.iter().filter(|(file, _)| file != TABLE && !file.starts_with(TRANSLATIONS)) {
        for (_, line) in code(text) {
            for word in line.split(|character: char| !character.is_alphanumeric() && character != '_') {
                unread.remove(word);
            }
        }
    }
    assert_eq!(unread, BTreeSet::new(), "nothing reads these");
}
