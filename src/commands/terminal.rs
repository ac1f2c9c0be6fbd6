//! Text of others on a terminal: names and bodies may hold anything, and must not act on it.

/// The same in one line, with escapes in place of control characters.
pub(super) fn harmless(text: &str) -> String {
    let shown = |character: char| {
        if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
    };
    text.chars().map(shown).collect()
}

/// The same, with its lines kept.
pub(super) fn harmless_lines(text: &str) -> impl Iterator<Item = String> {
    text.split('\n').map(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped_and_other_text_stays() {
        assert_eq!(harmless("a\u{1b}[2J\u{9b}1m\n"), r"a\u{1b}[2J\u{9b}1m\n");
        assert_eq!(harmless("\u{fc}'\"\\ \u{1f407}"), "\u{fc}'\"\\ \u{1f407}");
        assert_eq!(harmless_lines("a\n\u{7}").collect::<Vec<_>>(), ["a", r"\u{7}"]);
    }
}
