//! A type's name means one thing.

use std::collections::{BTreeMap, BTreeSet};

use super::{code, room_of, root, sources};

/// Names that two types still have, with the reason.
const SHARED_NAMES: &[&str] = &[
    // The front of the library, and the state of the broker that it runs.
    "Broker", // Of queues and the store, to be renamed there.
    "Access", "Choice", "Group", "Head", "Read", "Turn",
    // New ones of the HTTP API and of webhooks, to be renamed there.
    "Asked", "Talk",
];

/// A name that means one thing needs no path to be understood. Types that only one file sees may be called as it likes.
#[test]
fn a_type_name_is_unique_in_the_library() {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources(&root("src")) {
        // The program's commands are no part of the library, and tests may repeat the names of what they imitate.
        if room_of(&file) == "commands" || file.contains("tests") || file.ends_with("testing.rs") {
            continue;
        }
        // What two systems have of their own has the same names: only one of the files is compiled.
        let file = file.replace("_windows.rs", ".rs").replace("/windows.rs", "/unix.rs");
        for (_, line) in code(&text) {
            let Some(item) = line.trim_start().strip_prefix("pub") else { continue };
            // `pub(super)`, `pub(in crate::broker)`.
            let item = item.strip_prefix('(').and_then(|scope| scope.split_once(')')).map_or(item, |(_, item)| item);
            let mut words = item.trim_start().split(|character: char| !character.is_alphanumeric() && character != '_');
            if let (Some("struct" | "enum" | "trait" | "type"), Some(name)) = (words.next(), words.next())
                // A macro's name is a variable.
                && !name.is_empty()
            {
                places.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    let mended = SHARED_NAMES.iter().filter(|name| places.get(**name).is_none_or(|files| files.len() < 2));
    assert_eq!(mended.collect::<Vec<_>>(), [&""; 0], "these need no line in SHARED_NAMES any more");
    places.retain(|name, files| files.len() > 1 && !SHARED_NAMES.contains(&name.as_str()));
    assert!(places.is_empty(), "two types of one name: {places:#?}");
}
