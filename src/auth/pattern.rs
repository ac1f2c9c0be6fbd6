//! Regular expressions as permissions and policies have them: unanchored, in the dialect of RabbitMQ, which has look-arounds.

use std::fmt;

use fancy_regex::{Regex, RegexBuilder};

/// An expression is given up after so many steps, and then matches nothing: some would take for ever. One without look-around and
/// references to groups takes time that is linear, and none of these.
const BACKTRACKS_MAX: usize = 20_000;

/// A compiled expression.
#[derive(Clone)]
pub(crate) struct Pattern {
    text: Box<str>,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    Everything,
    Nothing,
    Matching(Regex),
}

/// An expression is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid regular expression '{pattern}': {reason}")]
pub struct InvalidPattern {
    /// The expression as it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Pattern {
    /// An expression that permits: an empty one would match everything, and permits nothing in RabbitMQ.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn of_permission(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() { Ok(Self::nothing()) } else { Self::new(text) }
    }

    /// An expression as it stands, an empty one too: that matches everything.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn new(text: &str) -> Result<Self, InvalidPattern> {
        let matcher = if text == ".*" { Matcher::Everything } else { Matcher::Matching(compile(text)?) };
        Ok(Self { text: text.into(), matcher })
    }

    /// A pattern that no name matches.
    pub(crate) fn nothing() -> Self {
        Self { text: Box::default(), matcher: Matcher::Nothing }
    }

    /// Whether it is found in this.
    pub(crate) fn is_match(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Everything => true,
            Matcher::Nothing => false,
            // One that took too long says no.
            Matcher::Matching(regex) => regex.is_match(name).unwrap_or(false),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

fn compile(text: &str) -> Result<Regex, InvalidPattern> {
    let invalid =
        |error: fancy_regex::Error| InvalidPattern { pattern: text.to_owned(), reason: reason(&error.to_string()) };
    RegexBuilder::new(text).backtrack_limit(BACKTRACKS_MAX).build().map_err(invalid)
}

/// Some errors draw the expression over several lines; the last one says what is wrong.
fn reason(error: &str) -> String {
    error.lines().next_back().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_anywhere() {
        let is_match = |pattern: &str, name: &str| Pattern::new(pattern).unwrap().is_match(name);
        assert!(is_match("b", "abc") && !is_match("^b", "abc") && is_match("", "abc"));
        assert!(is_match("^(?!amq\\.).*", "orders") && !is_match("^(?!amq\\.).*", "amq.gen-x"));
        assert!(
            Pattern::of_permission(".*").unwrap().is_match("") && !Pattern::of_permission("").unwrap().is_match("")
        );
    }

    #[test]
    fn a_malformed_one_says_why() {
        let error = Pattern::new("(").unwrap_err();
        assert!(!error.reason.is_empty() && !error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn one_that_would_take_for_ever_matches_nothing() {
        let pattern = Pattern::new("^(?=(a+)+$)(a|aa)+\\1x$").unwrap();
        assert!(!pattern.is_match(&"a".repeat(255)));
    }
}
