//! Sections of `docs/behaviour.md` that tests, code and exceptions cite.

use std::collections::BTreeSet;
use std::fs;

use super::{root, sources};

/// Repeats other sections in short, so there is nothing of its own to show.
const CHECKLIST: &str = "11";

/// The sections of `docs/behaviour.md`: the conventions at its beginning, and the smallest numbered ones.
fn sections(reference: &str) -> Vec<String> {
    let number = |heading: &str| heading.split([' ', '\t']).next().unwrap_or_default().trim_end_matches('.').to_owned();
    let headings = reference.lines().filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")));
    let numbers: Vec<String> = headings.map(number).collect();
    let is_divided = |chapter: &str| numbers.iter().any(|number| number.starts_with(&format!("{chapter}.")));
    let smallest = numbers.iter().filter(|number| !is_divided(number) && *number != CHECKLIST);
    std::iter::once("conventions".to_owned()).chain(smallest.cloned()).collect()
}

/// The sections that a citation names: the first one, and those that are joined to it by "and".
fn cited(citation: &str) -> Vec<&str> {
    let mut words = citation.split_whitespace().map(|word| word.trim_matches(|c: char| ",:;`)(".contains(c)));
    let mut sections: Vec<_> = words.next().into_iter().collect();
    let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    let rest: Vec<_> = words.collect();
    sections.extend(rest.windows(2).filter(|pair| pair[0] == "and").map(|pair| pair[1]).filter(is_number));
    sections
}

/// A section that nobody cites is a gap in the tests; one that does not exist is a slip of the pen.
#[test]
fn citations_of_the_behaviour_reference_name_sections_that_exist_and_leave_none_out() {
    let reference = fs::read_to_string(root("docs/behaviour.md")).unwrap();
    let known = sections(&reference);
    let mut seen = BTreeSet::new();
    let mut unknown = Vec::new();
    let mut look = |place: String, citation: &str| {
        for section in cited(citation) {
            let section = section.trim_end_matches('.').to_owned();
            if !known.contains(&section) {
                unknown.push(format!("{place} cites section {section}"));
            }
            seen.insert(section);
        }
    };
    for (file, text) in sources(&root("tests/it")) {
        for citation in text.lines().filter_map(|line| line.trim_start().strip_prefix("/// reference: ")) {
            look(format!("tests/it/{file}"), citation);
        }
    }
    let exceptions = fs::read_to_string(root("conformance/exceptions.toml")).unwrap();
    for sections in exceptions.lines().filter_map(|line| line.strip_prefix("section = ")) {
        for section in sections.trim_matches('"').split(',').filter(|section| !section.contains("row")) {
            look(
                "conformance/exceptions.toml".to_owned(),
                section.trim().trim_start_matches("and every column on streams in "),
            );
        }
    }
    for (file, text) in sources(&root("src")) {
        for (_, citation) in
            text.match_indices("(behaviour reference ").map(|(at, found)| (at, &text[at + found.len()..]))
        {
            let section = citation.split([')', ',', ';', ' ']).next().unwrap_or_default();
            // The code may cite a whole chapter.
            let is_chapter = known.iter().any(|known| known.split('.').next() == Some(section));
            if !is_chapter {
                look(format!("src/{file}"), section);
            }
        }
    }
    assert!(unknown.is_empty(), "\n{}", unknown.join("\n"));
    let uncited: Vec<_> = known.iter().filter(|section| !seen.contains(*section)).collect();
    assert_eq!(uncited, [""; 0], "sections with neither a test nor an exception");
}
