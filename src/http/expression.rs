//! Regular expressions that a client sends with a request, to choose by name.

use std::cell::{Cell, OnceCell};

use fancy_regex::{Error, Regex, RegexBuilder};

/// An expression of a client is not to take more memory than this when it is compiled.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// One that looks around or refers to groups may turn back so often in a name. The first number is enough for nearly all: one for each
/// place where it could begin. With more than the last it does not match.
const STEPS_OF_A_NAME: [usize; 2] = [300, 10_000];
/// So often it may turn back in all names of a request together that the first number was not enough for: 30 ms, at 30 ns each.
const STEPS_OF_A_REQUEST: usize = 1_000_000;

/// Why a request is refused whose expression takes too long.
pub(super) const TOO_COSTLY: &str =
    "this regular expression takes too long with the names that are there: use a simpler one, or fewer wildcards in it";

/// An expression of one request, found anywhere in a name. What takes too long with a name does not match it.
#[derive(Debug)]
pub(super) struct NameExpression {
    text: String,
    ignores_case: bool,
    /// The same with each number of [`STEPS_OF_A_NAME`]. The engine does not tell how many steps it took, only that they were
    /// too many; so what needs few is found out with few.
    tries: [OnceCell<Option<Regex>>; STEPS_OF_A_NAME.len()],
    steps_left: Cell<usize>,
    is_too_costly: Cell<bool>,
}

impl NameExpression {
    /// # Errors
    /// When it is malformed, or would be too large.
    pub(super) fn new(text: &str, ignores_case: bool) -> Result<Self, Error> {
        let expression = Self {
            text: text.to_owned(),
            ignores_case,
            tries: Default::default(),
            steps_left: Cell::new(STEPS_OF_A_REQUEST),
            is_too_costly: Cell::new(false),
        };
        let ([first, ..], [steps, ..]) = (&expression.tries, STEPS_OF_A_NAME);
        let compiled = expression.compiled(steps)?;
        first.get_or_init(|| Some(compiled));
        Ok(expression)
    }

    fn compiled(&self, steps: usize) -> Result<Regex, Error> {
        let mut builder = RegexBuilder::new(&self.text);
        builder.case_insensitive(self.ignores_case).delegate_size_limit(REGEX_BYTES_MAX).backtrack_limit(steps);
        builder.build()
    }

    /// Whether it is found in a name. Once it is too costly it is found in none, and costs nothing more.
    pub(super) fn is_match(&self, name: &str) -> bool {
        for (number, (regex, steps)) in self.tries.iter().zip(STEPS_OF_A_NAME).enumerate() {
            if !self.may_take(number, steps) {
                return false;
            }
            // It was compiled before, with another number.
            let Some(regex) = regex.get_or_init(|| self.compiled(steps).ok()) else { return false };
            if let Ok(is_match) = regex.is_match(name) {
                return is_match;
            }
        }
        false
    }

    /// Whether a try with so many steps may be made; the first one of a name always, as long as none was refused.
    fn may_take(&self, number: usize, steps: usize) -> bool {
        if self.is_too_costly.get() {
            return false;
        }
        if number > 0 {
            match self.steps_left.get().checked_sub(steps) {
                Some(left) => self.steps_left.set(left),
                None => self.is_too_costly.set(true),
            }
        }
        !self.is_too_costly.get()
    }

    /// Whether names were left out because all of them together would have taken too long. The request is to be refused then.
    pub(super) fn is_too_costly(&self) -> bool {
        self.is_too_costly.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It turns back in each name as often as it may.
    const HOSTILE: &str = "^(?=(a+)+$)(a|aa)+\\1x$";

    #[test]
    fn an_expression_is_found_anywhere() {
        let is_match = |text: &str, name: &str| NameExpression::new(text, true).unwrap().is_match(name);
        assert!(is_match("B", "abc") && !is_match("^b", "abc") && is_match("^(?!x)", "abc"));
        assert!(is_match("(.)\\1$", &format!("{}bb", "ab".repeat(100))), "with more steps than the first try has");
    }

    #[test]
    fn all_names_together_have_a_bound() {
        let hostile = NameExpression::new(HOSTILE, false).unwrap();
        let name = "a".repeat(255);
        assert!(!hostile.is_match(&name));
        assert!(!hostile.is_too_costly(), "one name is none too many");
        let tried = (0..10_000).take_while(|_| !hostile.is_match(&name) && !hostile.is_too_costly()).count();
        assert_eq!(tried + 1, STEPS_OF_A_REQUEST / 10_000);
        assert!(!hostile.is_match("aax"), "nothing is tried any more");
    }

    #[test]
    fn names_in_which_it_need_not_turn_back_are_not_counted() {
        for text in ["^(?!amq\\.)", "orders.*[0-9]$", "(?<=q)7"] {
            let expression = NameExpression::new(text, false).unwrap();
            let found = (0..20_000).filter(|number| expression.is_match(&format!("orders.new-q{number}"))).count();
            assert!(found > 1_000 && !expression.is_too_costly(), "{text}: {found}");
        }
    }
}
