//! Regular expressions that a client sends with a request, to choose by name.

use fancy_regex::{Error, Regex, RegexBuilder};

/// An expression of a client is not to take more memory than this when it is compiled.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// One that looks around or refers to groups is given up after so many steps a name.
const BACKTRACKS_MAX: usize = 10_000;

/// An expression, found anywhere in a name. What takes too long matches nothing.
#[derive(Debug)]
pub(super) struct NameExpression(Regex);

impl NameExpression {
    /// # Errors
    /// When it is malformed, or would be too large.
    pub(super) fn new(text: &str, ignores_case: bool) -> Result<Self, Error> {
        let mut builder = RegexBuilder::new(text);
        builder.case_insensitive(ignores_case).delegate_size_limit(REGEX_BYTES_MAX).backtrack_limit(BACKTRACKS_MAX);
        builder.build().map(Self)
    }

    pub(super) fn is_match(&self, name: &str) -> bool {
        self.0.is_match(name).unwrap_or(false)
    }
}
