//! What was given for settings, from where, and what is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::setting::Setting;

/// Where a value comes from. What stands further down overrides what stands further up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// A place in a file.
    File(FilePlace),
    /// An environment variable of this name.
    Variable(String),
    /// A flag of the command line, without its dashes.
    Flag(String),
}

/// A place in a file. Lines and columns are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePlace {
    /// The file, by the path that it was opened with.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl FilePlace {
    /// The place of a byte in a text.
    pub(crate) fn of(file: &Path, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { file: file.to_owned(), line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => place.fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

impl Origin {
    /// How much it counts.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File(_) => 1,
            Self::Variable(_) => 2,
            Self::Flag(_) => 3,
        }
    }
}

/// A value that was given.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The setting that it is a value of.
    pub(crate) setting: &'static Setting,
    /// It as text; several of a list.
    pub(crate) texts: Vec<String>,
    /// The file, variable or flag that gave it.
    pub(crate) origin: Origin,
}

/// What was read of one source.
#[derive(Debug, Default)]
pub(super) struct GivenSettings {
    /// What it gives, in its order.
    pub(crate) given: Vec<Given>,
    /// What is wrong with it.
    pub(crate) problems: Vec<Problem>,
}

impl GivenSettings {
    pub(super) fn warn(&mut self, origin: Origin, text: impl Into<String>) {
        self.problems.push(Problem { severity: ProblemSeverity::Unknown, origin, text: text.into() });
    }

    pub(super) fn refuse(&mut self, origin: Origin, text: impl Into<String>) {
        self.problems.push(Problem { severity: ProblemSeverity::Wrong, origin, text: text.into() });
    }

    pub(super) fn note(&mut self, origin: Origin, text: impl Into<String>) {
        self.problems.push(Problem { severity: ProblemSeverity::Note, origin, text: text.into() });
    }

    pub(super) fn add(&mut self, other: Self) {
        self.given.extend(other.given);
        self.problems.extend(other.problems);
    }
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemSeverity {
    /// Worth a line, and nothing is to be done.
    Note,
    /// It has no effect; a check fails.
    Unknown,
    /// The broker does not start.
    Wrong,
}

/// Something that is wrong with what was given: one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: ProblemSeverity,
    /// The file, variable or flag that is wrong.
    pub origin: Origin,
    /// What, and what to do.
    pub text: String,
}

/// One line, whatever stands in a wrong value.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}", self.origin, self.text);
        if !text.contains(char::is_control) {
            return f.write_str(&text);
        }
        // A value with a line break would be a second line of the log.
        let escape = |character: char| {
            if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
        };
        f.write_str(&text.chars().map(escape).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line() {
        let problem = Problem {
            severity: ProblemSeverity::Wrong,
            origin: Origin::Flag("x".to_owned()),
            text: "'a\nb\u{1b}'".to_owned(),
        };
        assert_eq!(problem.to_string(), r"--x: 'a\nb\u{1b}'");
    }
}
