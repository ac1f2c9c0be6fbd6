//! What ARCHITECTURE.md and CONTRIBUTING.md say of the code, read off the source: what is against it fails here and not in a review.
//!
//! Not a compiler: it looks for words in lines that are no comments. What it cannot see, such as a type that is passed on without
//! being named, it lets through.

mod citations;
mod confined;
mod names;
mod rooms;
mod settings;
mod signatures;

use std::fs;
use std::path::{Path, PathBuf};

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

/// The files under `folder` as (path within it, text).
fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("the source is there") {
            let path = entry.expect("the source is there").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name =
                    path.strip_prefix(folder).expect("it lies in the folder").to_string_lossy().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).expect("it can be read")));
            }
        }
    }
    found.sort();
    found
}

/// Lines that are no comments, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// `broker/queue.rs` lies in the room `broker`, `table.rs` in `table`.
fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// The first names of all paths in the line that begin with `prefix`, also in braces: `crate::{a, b::c}`.
fn names_after<'a>(line: &'a str, prefix: &str) -> Vec<&'a str> {
    let is_name = |character: char| character.is_alphanumeric() || character == '_';
    let mut names = Vec::new();
    for (at, _) in line.match_indices(prefix) {
        if line[..at].chars().next_back().is_some_and(|before| is_name(before) || before == ':') {
            continue;
        }
        let rest = &line[at + prefix.len()..];
        let items: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        names.extend(items.iter().filter_map(|item| item.split(|character| !is_name(character)).next()));
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn every_file_says_what_lives_in_it() {
    let silent = sources(&root("src")).into_iter().filter(|(_, text)| !text.starts_with("//!"));
    // What tests are for, their names say.
    let silent: Vec<_> = silent.map(|(file, _)| file).filter(|file| !file.ends_with("tests.rs")).collect();
    assert_eq!(silent, [""; 0]);
}
