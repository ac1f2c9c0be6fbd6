//! Erlang terms: files of RabbitMQ (`advanced.config`, `enabled_plugins`) and what is asked of directories are written in them.

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_till, take_while1};
use nom::character::complete::{anychar, char, multispace1};
use nom::combinator::{consumed, map, opt, recognize, value};
use nom::error::{Error, ErrorKind};
use nom::multi::many0_count;
use nom::sequence::{delimited, pair, preceded};
use nom::{Err, IResult, Offset, Parser};

/// A term, with the text that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Term<'a> {
    /// An atom, a number, a string or a binary, without its marks.
    Word(&'a str, &'a str),
    /// `[a, b]`
    List(&'a str, Vec<Self>),
    /// `{a, b}`
    Tuple(&'a str, Vec<Self>),
}

impl<'a> Term<'a> {
    /// What it was read from.
    pub(crate) const fn text(&self) -> &'a str {
        let (Self::Word(text, _) | Self::List(text, _) | Self::Tuple(text, _)) = self;
        text
    }

    /// A word as it is meant: what stands behind a backslash stands for itself.
    pub(crate) fn word(&self) -> Option<String> {
        let Self::Word(_, word) = self else { return None };
        let mut meant = String::with_capacity(word.len());
        let mut characters = word.chars();
        while let Some(character) = characters.next() {
            meant.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
        Some(meant)
    }

    /// A word that is no string and no binary.
    pub(crate) fn atom(&self) -> Option<&'a str> {
        match self {
            Self::Word(text, word) if !text.starts_with(['"', '<']) => Some(word),
            Self::Word(..) | Self::List(..) | Self::Tuple(..) => None,
        }
    }
}

/// What stands between terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commas {
    /// A comma.
    Needed,
    /// A comma that may have been forgotten.
    Optional,
}

/// Terms that are deeper are not to fill the stack.
const DEPTH_MAX: usize = 32;

/// Reads a term, with a dot behind it or not.
///
/// # Errors
/// What is left where something else is expected.
pub(crate) fn parsed(text: &str, commas: Commas) -> Result<Term<'_>, &str> {
    match delimited(blank, |input| term(input, commas, 0), (blank, opt(char('.')), blank)).parse(text) {
        Ok(("", term)) => Ok(term),
        Ok((rest, _)) => Err(rest),
        Err(Err::Error(error) | Err::Failure(error)) => Err(error.input),
        Err(Err::Incomplete(_)) => Err(text),
    }
}

/// Where in a text a part of it begins.
pub(crate) fn place(text: &str, part: &str) -> usize {
    text.offset(part)
}

/// Blanks and comments.
fn blank(input: &str) -> IResult<&str, ()> {
    let comment = preceded(char('%'), take_till(|character| character == '\n'));
    value((), many0_count(alt((multispace1, comment)))).parse(input)
}

fn term(at: &str, commas: Commas, depth: usize) -> IResult<&str, Term<'_>> {
    if depth > DEPTH_MAX {
        return Err(Err::Failure(Error::new(at, ErrorKind::TooLarge)));
    }
    let list = |input| delimited(char('['), |items| terms(items, commas, depth), char(']')).parse(input);
    let tuple = |input| delimited(char('{'), |items| terms(items, commas, depth), char('}')).parse(input);
    // A map is as a list of pairs.
    let fields = |input| delimited(tag("#{"), |items| fields(items, commas, depth), char('}')).parse(input);
    alt((
        map(consumed(fields), |(text, items)| Term::List(text, items)),
        map(consumed(list), |(text, items)| Term::List(text, items)),
        map(consumed(tuple), |(text, items)| Term::Tuple(text, items)),
        map(consumed(word), |(text, word)| Term::Word(text, word)),
    ))
    .parse(at)
}

/// `a => b, c => d`
fn fields(input: &str, commas: Commas, depth: usize) -> IResult<&str, Vec<Term<'_>>> {
    let (mut rest, ()) = blank(input)?;
    let mut items = Vec::new();
    loop {
        let arrow = (blank, alt((tag("=>"), tag(":="))), blank);
        let one = |input| term(input, commas, depth + 1);
        let field = consumed((one, preceded(arrow, one))).parse(rest);
        let (behind, (text, (key, value))) = match field {
            Ok(found) => found,
            Err(Err::Error(_)) => return Ok((rest, items)),
            Err(error) => return Err(error),
        };
        items.push(Term::Tuple(text, vec![key, value]));
        let (behind, (_, comma, _)) = (blank, opt(char(',')), blank).parse(behind)?;
        rest = behind;
        if comma.is_none() && commas == Commas::Needed {
            return Ok((rest, items));
        }
    }
}

fn terms(input: &str, commas: Commas, depth: usize) -> IResult<&str, Vec<Term<'_>>> {
    let (mut rest, ()) = blank(input)?;
    let mut items = Vec::new();
    loop {
        let (behind, item) = match term(rest, commas, depth + 1) {
            Ok(found) => found,
            // No item is there: the list ends.
            Err(Err::Error(_)) => return Ok((rest, items)),
            Err(error) => return Err(error),
        };
        items.push(item);
        let (behind, (_, comma, _)) = (blank, opt(char(',')), blank).parse(behind)?;
        rest = behind;
        if comma.is_none() && commas == Commas::Needed {
            return Ok((rest, items));
        }
    }
}

fn word(input: &str) -> IResult<&str, &str> {
    let binary = delimited(tag("<<"), quoted('"', "\"\\"), tag(">>"));
    let is_plain = |character: char| character.is_alphanumeric() || "_@.+-#".contains(character);
    let (rest, word) = alt((binary, quoted('"', "\"\\"), quoted('\'', "'\\"), take_while1(is_plain))).parse(input)?;
    // The dot at the end of the file is no part of a word.
    let without_dot = word.strip_suffix('.').filter(|_| rest.is_empty() && input.starts_with(word));
    match without_dot.and_then(|shorter| input.split_at_checked(shorter.len())) {
        // It alone is no word: taken for one, it would be found again and again.
        Some(("", _)) => Err(Err::Error(Error::new(input, ErrorKind::Eof))),
        Some((shorter, dot)) => Ok((dot, shorter)),
        None => Ok((rest, word)),
    }
}

/// What stands between two marks; a mark behind a backslash is none.
fn quoted<'a>(mark: char, special: &'static str) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    let escaped = recognize(pair(char('\\'), anychar));
    delimited(char(mark), recognize(many0_count(alt((is_not(special), escaped)))), char(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Term<'_> {
        parsed(text, Commas::Needed).unwrap()
    }

    #[test]
    fn terms_are_read_with_their_texts() {
        let text = " {in_group, \"cn=a,ou=b\"}. % why\n";
        let words = vec![Term::Word("in_group", "in_group"), Term::Word("\"cn=a,ou=b\"", "cn=a,ou=b")];
        assert_eq!(read(text), Term::Tuple("{in_group, \"cn=a,ou=b\"}", words));
        assert_eq!(place(text, read(text).text()), 1);
        let items = vec![
            Term::Tuple("{a,[]}", vec![Term::Word("a", "a"), Term::List("[]", vec![])]),
            Term::Tuple("{'b c', {}}", vec![Term::Word("'b c'", "b c"), Term::Tuple("{}", vec![])]),
        ];
        assert_eq!(read("[{a,[]},{'b c', {}}]"), Term::List("[{a,[]},{'b c', {}}]", items));
        assert_eq!(read("<<\"x\">>."), Term::Word("<<\"x\">>", "x"));
    }

    #[test]
    fn a_map_is_as_a_list_of_pairs() {
        let pair = |text, key, value| Term::Tuple(text, vec![key, value]);
        let (a, b) = (Term::Word("a", "a"), Term::Word("<<\"b\">>", "b"));
        let inner = Term::List("#{}", vec![]);
        let text = "#{a => <<\"b\">>, <<\"b\">> =>#{}}";
        let fields = vec![pair("a => <<\"b\">>", a, b.clone()), pair("<<\"b\">> =>#{}", b, inner)];
        assert_eq!(read(text), Term::List(text, fields));
        for wrong in ["#{a}", "#{a => }", "#{a => b", "#{=> b}"] {
            assert!(parsed(wrong, Commas::Needed).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_stands_behind_a_backslash_stands_for_itself() {
        assert_eq!(read(r#""a\"b\\c""#).word().as_deref(), Some(r#"a"b\c"#));
        assert_eq!(read(r#""^\\d+$""#).word().as_deref(), Some(r"^\d+$"));
        assert_eq!(
            (read("true").atom(), read("\"true\"").atom(), read("<<\"a\">>").atom()),
            (Some("true"), None, None)
        );
    }

    #[test]
    fn what_is_no_term_is_told() {
        for wrong in ["", "{", "{a b}", "{a,} x", "\"open", "\"open\\\"", ".", "[a.", &"[".repeat(100_000)] {
            assert!(parsed(wrong, Commas::Needed).is_err(), "{wrong:.10}");
        }
        let lenient = parsed("[a b]", Commas::Optional).unwrap();
        assert_eq!(lenient, Term::List("[a b]", vec![Term::Word("a", "a"), Term::Word("b", "b")]));
        for wrong in ["[a.", "[.", "."] {
            assert!(parsed(wrong, Commas::Optional).is_err(), "{wrong}");
        }
    }
}
