//! `rabbitmq.conf`: lines of `key = value`, as sysctl has them.

use std::path::Path;

use nom::branch::alt;
use nom::bytes::complete::{take_till, take_while1};
use nom::character::complete::{char, space0};
use nom::combinator::{eof, map, opt};
use nom::error::{Error, ErrorKind};
use nom::sequence::{delimited, preceded, terminated};
use nom::{Err, IResult, Parser};

use crate::config::environment::Environment;
use crate::config::given::{FilePlace, GivenSettings, Origin};

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfEntry {
    /// Words with points between them.
    pub(super) key: String,
    /// Without quotation marks, and with the values of variables.
    pub(super) value: String,
    /// Where the key stands.
    pub(super) origin: Origin,
}

/// Reads the entries of a file. What cannot be read is a problem each.
pub(super) fn entries(file: &Path, text: &str, environment: &Environment, read: &mut GivenSettings) -> Vec<ConfEntry> {
    let mut entries = Vec::new();
    // A byte order mark is no part of the first key.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in (1..).zip(text.lines()) {
        let origin = |rest: &str| {
            let before = line.len().saturating_sub(rest.len());
            let column = line.get(..before).unwrap_or(line).chars().count() + 1;
            Origin::File(FilePlace { file: file.to_owned(), line: number, column })
        };
        match parsed(line) {
            Ok((_, None)) => {}
            Ok((_, Some((at, key, value)))) => {
                let origin = origin(at);
                match interpolated(value, environment) {
                    Ok(value) => entries.push(ConfEntry { key: key.to_owned(), value, origin: origin.clone() }),
                    Err(reason) => read.refuse(origin.clone(), format!("{key}: {reason}")),
                }
                if value.contains("${") {
                    read.warn(origin, format!("{key}: variables are written $(NAME); ${{NAME}} stays as it is"));
                }
            }
            Err(Err::Error(error) | Err::Failure(error)) => read.refuse(origin(error.input), expected(&error)),
            Err(Err::Incomplete(_)) => {}
        }
    }
    entries
}

/// What was expected where a line cannot be read.
fn expected(error: &Error<&str>) -> &'static str {
    if error.code == ErrorKind::Char && error.input.is_empty() {
        "a line is 'key = value'; here it ends too early"
    } else if error.code == ErrorKind::Char {
        "a line is 'key = value'; here is no '='"
    } else if error.code == ErrorKind::Eof {
        "nothing but a comment may stand behind the value; a value with blanks or # stands in '...'"
    } else {
        "a line is 'key = value', or begins with '#'"
    }
}

/// An entry of a line: where it begins, its key, its value.
type Found<'a> = Option<(&'a str, &'a str, &'a str)>;

fn parsed(line: &str) -> IResult<&str, Found<'_>> {
    let blank = map((space0, opt(comment), eof), |_| None);
    alt((blank, map(terminated(entry, (space0, opt(comment), eof)), Some))).parse(line)
}

fn comment(input: &str) -> IResult<&str, &str> {
    preceded(char('#'), take_till(|_| false)).parse(input)
}

fn entry(input: &str) -> IResult<&str, (&str, &str, &str)> {
    let (at, _) = space0(input)?;
    let (rest, key) =
        take_while1(|character: char| !character.is_whitespace() && !"=#".contains(character)).parse(at)?;
    let (rest, _) = delimited(space0, char('='), space0).parse(rest)?;
    let (rest, value) = alt((quoted('\''), quoted('"'), unquoted)).parse(rest)?;
    Ok((rest, (at, key, value)))
}

fn quoted<'a>(mark: char) -> impl Parser<&'a str, Output = &'a str, Error = Error<&'a str>> {
    delimited(char(mark), take_till(move |character| character == mark), char(mark))
}

/// Up to a comment or the end of the line, without blanks at the end.
fn unquoted(input: &str) -> IResult<&str, &str> {
    let (_, value) = take_till(|character| character == '#').parse(input)?;
    let value = value.trim_end();
    Ok((input.get(value.len()..).unwrap_or_default(), value))
}

/// A value in which `$(NAME)` is the value of a variable.
fn interpolated(value: &str, environment: &Environment) -> Result<String, String> {
    let mut rest = value;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once("$(") {
        let (name, behind) = after.split_once(')').ok_or("'$(' has no ')'")?;
        let variable = environment.get(name).ok_or_else(|| format!("the variable {name} is not set"))?;
        text.push_str(before);
        text.push_str(variable);
        // Goes on behind what was put in: a value of a variable is not read for more variables.
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str, &str)], told: &[&str]) {
        let mut read = GivenSettings::default();
        let environment = Environment::from([("NAME", "anna")]);
        let entries = entries(Path::new("r.conf"), text, &environment, &mut read);
        let entries: Vec<_> =
            entries.iter().map(|e| (e.key.as_str(), e.value.as_str(), e.origin.to_string())).collect();
        let entries: Vec<_> = entries.iter().map(|(key, value, place)| (*key, *value, place.as_str())).collect();
        assert_eq!(entries, expected, "{text}");
        let problems: Vec<_> = read.problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, told, "{text}");
    }

    #[test]
    fn lines_are_read_with_and_without_blanks_quotes_and_comments() {
        check(
            "# comment\n\n  a.b = c d  # why\r\na=b\nq = 'x # y'\ne =\nv = $(NAME)@$(NAME)\n",
            &[
                ("a.b", "c d", "r.conf:3:3"),
                ("a", "b", "r.conf:4:1"),
                ("q", "x # y", "r.conf:5:1"),
                ("e", "", "r.conf:6:1"),
                ("v", "anna@anna", "r.conf:7:1"),
            ],
            &[],
        );
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_place() {
        check("a b\n", &[], &["r.conf:1:3: a line is 'key = value'; here is no '='"]);
        check("  key\n", &[], &["r.conf:1:6: a line is 'key = value'; here it ends too early"]);
        check("= 5", &[], &["r.conf:1:1: a line is 'key = value', or begins with '#'"]);
        check(
            "a = 'b' c",
            &[],
            &["r.conf:1:9: nothing but a comment may stand behind the value; a value with blanks or # stands in '...'"],
        );
        check("a = $(NOBODY)", &[], &["r.conf:1:1: a: the variable NOBODY is not set"]);
        check(
            "a = ${NAME}",
            &[("a", "${NAME}", "r.conf:1:1")],
            &["r.conf:1:1: a: variables are written $(NAME); ${NAME} stays as it is"],
        );
    }
}
