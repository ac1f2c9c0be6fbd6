//! Erlang terms, as far as queries need them.

use nom::branch::alt;
use nom::bytes::complete::{take_till, take_while1};
use nom::character::complete::{char, multispace1};
use nom::combinator::{map, opt, value};
use nom::error::{Error, ErrorKind};
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{Err, IResult, Parser};

/// A term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// A word without quotation marks: `in_group`.
    Atom(String),
    /// A string: `"ou=people"`.
    Text(String),
    /// `[a, b]`
    List(Vec<Self>),
    /// `{a, b}`
    Tuple(Vec<Self>),
}

/// Terms that are deeper are no queries, and are not to fill the stack.
const DEPTH_MAX: usize = 32;

/// Reads a term, with a dot behind it or not.
///
/// # Errors
/// What is left where something else is expected.
pub(super) fn parsed(text: &str) -> Result<Term, String> {
    match delimited(blank, |input| term(input, 0), (blank, opt(char('.')), blank)).parse(text) {
        Ok(("", term)) => Ok(term),
        Ok((rest, _)) => Err(shortened(rest)),
        Err(Err::Error(error) | Err::Failure(error)) => Err(shortened(error.input)),
        Err(Err::Incomplete(_)) => Err(String::new()),
    }
}

fn shortened(rest: &str) -> String {
    rest.chars().take(40).collect()
}

fn blank(input: &str) -> IResult<&str, ()> {
    let comment = preceded(char('%'), take_till(|character| character == '\n'));
    value((), many0_count(alt((multispace1, comment)))).parse(input)
}

fn term(input: &str, depth: usize) -> IResult<&str, Term> {
    if depth > DEPTH_MAX {
        return Err(Err::Failure(Error::new(input, ErrorKind::TooLarge)));
    }
    let list = |input| delimited(char('['), |items| terms(items, depth), char(']')).parse(input);
    let tuple = |input| delimited(char('{'), |items| terms(items, depth), char('}')).parse(input);
    let atom = take_while1(|character: char| character.is_alphanumeric() || matches!(character, '_' | '@'));
    let quoted = |mark: char| delimited(char(mark), take_till(move |character| character == mark), char(mark));
    alt((
        map(list, Term::List),
        map(tuple, Term::Tuple),
        map(quoted('"'), |text: &str| Term::Text(text.replace("\\\\", "\\"))),
        map(quoted('\''), |text: &str| Term::Atom(text.to_owned())),
        map(atom, |text: &str| Term::Atom(text.to_owned())),
    ))
    .parse(input)
}

fn terms(input: &str, depth: usize) -> IResult<&str, Vec<Term>> {
    let (mut rest, ()) = blank(input)?;
    let mut items = Vec::new();
    loop {
        let (behind, item) = match term(rest, depth + 1) {
            Ok(found) => found,
            // No item is there: the list ends.
            Err(Err::Error(_)) => return Ok((rest, items)),
            Err(error) => return Err(error),
        };
        items.push(item);
        let (behind, comma) = (blank, opt(char(','))).map(|((), comma)| comma).parse(behind)?;
        (rest, ()) = blank(behind)?;
        if comma.is_none() {
            return Ok((rest, items));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read() {
        let text = |text: &str| Term::Text(text.to_owned());
        let atom = |text: &str| Term::Atom(text.to_owned());
        let read = parsed(" {in_group, \"cn=a,ou=b\"}. % why\n").unwrap();
        assert_eq!(read, Term::Tuple(vec![atom("in_group"), text("cn=a,ou=b")]));
        assert_eq!(
            parsed("[{a,[]},{'b c', {}}]").unwrap(),
            Term::List(vec![
                Term::Tuple(vec![atom("a"), Term::List(vec![])]),
                Term::Tuple(vec![atom("b c"), Term::Tuple(vec![])]),
            ])
        );
        for wrong in ["", "{", "{a b}", "{a,} x", "\"open", &"[".repeat(100_000)] {
            assert!(parsed(wrong).is_err(), "{wrong:.10}");
        }
    }
}
