//! Files of Erlang terms: `advanced.config`, the old `rabbitmq.config`, and `enabled_plugins`.

use std::path::Path;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::{char, multispace1};
use nom::combinator::{map, opt, value};
use nom::error::Error;
use nom::multi::many0_count;
use nom::sequence::{delimited, preceded};
use nom::{Err, IResult, Parser};

use super::erl_arguments::meaning;
use super::listeners::listen;
use super::meaning::Meaning::{Missing, Needless, Sets};
use super::tls_terms::read_ssl_options;
use crate::config::given::{Origin, Place, Read};
use crate::config::setting::Setting;

/// A term, as far as settings need it, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Term<'a> {
    /// An atom, a number, a string or a binary.
    Word(&'a str, &'a str),
    List(&'a str, Vec<Self>),
    Tuple(&'a str, Vec<Self>),
}

/// Terms that are deeper hold no setting, and are not to fill the stack.
const DEPTH_MAX: usize = 32;

fn parsed(text: &str) -> Result<Term<'_>, &str> {
    let result = delimited(blank, |input| term(input, 0), (blank, opt(char('.')), blank)).parse(text);
    match result {
        Ok(("", term)) => Ok(term),
        Ok((rest, _)) => Err(rest),
        Err(Err::Error(error) | Err::Failure(error)) => Err(error.input),
        Err(Err::Incomplete(_)) => Err(""),
    }
}

/// Blanks and comments.
fn blank(input: &str) -> IResult<&str, ()> {
    let comment = preceded(char('%'), take_till(|character| character == '\n'));
    value((), many0_count(alt((multispace1, comment)))).parse(input)
}

fn term(at: &str, depth: usize) -> IResult<&str, Term<'_>> {
    if depth > DEPTH_MAX {
        return Err(Err::Failure(Error::new(at, nom::error::ErrorKind::TooLarge)));
    }
    let list = |input| delimited(char('['), |items| terms(items, depth), char(']')).parse(input);
    let tuple = |input| delimited(char('{'), |items| terms(items, depth), char('}')).parse(input);
    alt((
        map(list, |items| Term::List(at, items)),
        map(tuple, |items| Term::Tuple(at, items)),
        map(word, |word| Term::Word(at, word)),
    ))
    .parse(at)
}

/// Terms with commas between them; one that is forgotten is passed over.
fn terms(input: &str, depth: usize) -> IResult<&str, Vec<Term<'_>>> {
    let (mut rest, ()) = blank(input)?;
    let mut items = Vec::new();
    loop {
        let (behind, item) = match term(rest, depth + 1) {
            Ok(found) => found,
            Err(Err::Error(_)) => return Ok((rest, items)),
            Err(error) => return Err(error),
        };
        items.push(item);
        (rest, _) = (blank, opt(char(',')), blank).parse(behind)?;
    }
}

fn word(input: &str) -> IResult<&str, &str> {
    let quoted = |mark: char| delimited(char(mark), take_till(move |character| character == mark), char(mark));
    let binary = delimited(tag("<<\""), take_while(|character| character != '"'), tag("\">>"));
    let is_plain = |character: char| character.is_alphanumeric() || "_@.+-#".contains(character);
    let plain = take_while1(is_plain);
    let (rest, word) = alt((binary, quoted('"'), quoted('\''), plain)).parse(input)?;
    // The dot at the end of the file is no part of a word.
    match word.strip_suffix('.') {
        // It alone is no word: taken for one, it would be found again and again.
        Some("") if rest.is_empty() => Err(Err::Error(Error::new(input, nom::error::ErrorKind::Eof))),
        Some(shorter) if rest.is_empty() => Ok((".", shorter)),
        _ => Ok((rest, word)),
    }
}

/// A file with its text, to say where something is.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    pub(super) fn origin(&self, at: &str) -> Origin {
        Origin::File(Place::of(self.file, self.text, self.text.len().saturating_sub(at.len())))
    }
}

/// Reads settings of applications: `[{rabbit, [{loopback_users, []}]}].`
pub(super) fn read_settings(file: &Path, text: &str, read: &mut Read) {
    let source = Source { file, text };
    let applications = match parsed(text) {
        Ok(Term::List(_, applications)) => applications,
        Ok(Term::Tuple(at, _) | Term::Word(at, _)) | Err(at) => {
            read.refuse(source.origin(at), "here a list of Erlang terms is expected: [{rabbit, [{heartbeat, 60}]}].");
            return;
        }
    };
    for application in applications {
        let Term::Tuple(_, parts) = application else { continue };
        let [Term::Word(_, name), Term::List(_, settings)] = parts.as_slice() else { continue };
        for setting in settings {
            let Term::Tuple(at, pair) = setting else { continue };
            match pair.as_slice() {
                [Term::Word(_, "ssl_options"), Term::List(_, options)] if *name == "rabbit" => {
                    read_ssl_options(&source, options, read);
                }
                [Term::Word(_, "tcp_listeners"), Term::List(_, none)] if *name == "rabbit" && none.is_empty() => {
                    let setting = Setting::find("no_amqp");
                    read.given.extend(setting.map(|setting| setting.given(vec!["true".to_owned()], source.origin(at))));
                }
                [Term::Word(_, "ssl_listeners"), Term::List(_, none)] if *name == "rabbit" && none.is_empty() => {}
                [Term::Word(_, key), value] => take(&source, (name, key), value, at, read),
                _ => {}
            }
        }
    }
}

fn take(source: &Source<'_>, (application, key): (&str, &str), value: &Term<'_>, at: &str, read: &mut Read) {
    let origin = source.origin(at);
    let texts = match value {
        Term::Word(_, word) => vec![(*word).to_owned()],
        Term::List(_, items) if items.is_empty() => vec!["none".to_owned()],
        Term::List(_, items) => items.iter().filter_map(item).collect(),
        // `{absolute, 1000}`
        Term::Tuple(_, parts) => parts.last().and_then(word_of).map(str::to_owned).into_iter().collect(),
    };
    match meaning(application, key) {
        Some(Sets(name, convert)) => {
            let Some(setting) = Setting::find(name) else { return };
            let converted: Result<Vec<_>, _> = texts.iter().map(|text| convert(text)).collect();
            match converted {
                Ok(texts) => read.given.push(setting.given(texts, origin)),
                Err(reason) => read.refuse(origin, format!("{key} cannot be '{}': {reason}", texts.join(","))),
            }
        }
        Some(Needless(why)) => read.note(origin, format!("{key} {why}")),
        Some(Missing(what)) => read.warn(origin, format!("{key} has no effect: {what}")),
        None => read.warn(origin, format!("{key} of {application} is not understood and has no effect")),
    }
}

/// An item of a list. A pair is an address with its port: `{"127.0.0.1", 5672}`.
fn item(term: &Term<'_>) -> Option<String> {
    match term {
        Term::Word(_, word) => Some((*word).to_owned()),
        Term::Tuple(_, pair) => match pair.as_slice() {
            [Term::Word(_, address), Term::Word(_, port)] => Some(listen(Some(*address), port)),
            _ => None,
        },
        Term::List(..) => None,
    }
}

pub(super) fn word_of<'a>(term: &Term<'a>) -> Option<&'a str> {
    if let Term::Word(_, word) = term { Some(word) } else { None }
}

/// Plugins of RabbitMQ whose work is always done here, or is not needed.
const BUILT_IN: [&str; 9] = [
    "rabbitmq_management",
    "rabbitmq_management_agent",
    "rabbitmq_web_dispatch",
    "rabbitmq_delayed_message_exchange",
    "rabbitmq_event_exchange",
    "rabbitmq_consistent_hash_exchange",
    "rabbitmq_recent_history_exchange",
    "rabbitmq_random_exchange",
    "rabbitmq_prometheus",
];
const MORE_BUILT_IN: [&str; 3] = ["rabbitmq_sharding", "rabbitmq_auth_mechanism_ssl", "rabbitmq_priority_queue"];

/// Reads `enabled_plugins`, and says which of them are not there.
pub(super) fn read_plugins(file: &Path, text: &str, read: &mut Read) {
    let source = Source { file, text };
    let plugins = match parsed(text) {
        Ok(Term::List(_, plugins)) => plugins,
        Ok(Term::Tuple(at, _) | Term::Word(at, _)) | Err(at) => {
            read.warn(source.origin(at), "here a list of plugins is expected: [rabbitmq_management].");
            return;
        }
    };
    for plugin in plugins {
        let Term::Word(at, name) = plugin else { continue };
        if !BUILT_IN.contains(&name) && !MORE_BUILT_IN.contains(&name) {
            read.warn(source.origin(at), format!("the plugin {name} is not there, and what it does is not done"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(read: &Read) -> Vec<String> {
        read.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_of_applications_are_read() {
        let text = "%% old form\n[{rabbit, [{loopback_users, []}, {heartbeat, 30},\n  {default_user, <<\"anna\">>}, {colour, red}]}].\n";
        let mut read = Read::default();
        read_settings(Path::new("r.config"), text, &mut read);
        let given: Vec<_> = read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect();
        let expected = [("loopback_users", "none"), ("heartbeat", "30"), ("default_user", "anna")];
        assert_eq!(given, expected.map(|(name, text)| (name, text.to_owned())));
        assert_eq!(told(&read), ["r.config:3:31: colour of rabbit is not understood and has no effect"]);
    }

    #[test]
    fn listeners_are_ports_or_pairs_or_none() {
        let given = |listeners: &str| {
            let mut read = Read::default();
            read_settings(Path::new("r"), &format!("[{{rabbit,[{{{listeners}}}]}}]."), &mut read);
            assert_eq!(told(&read), [""; 0]);
            read.given.iter().map(|given| (given.setting.name, given.texts.join("|"))).collect::<Vec<_>>()
        };
        let expected = [("amqp_listen", ":5672|127.0.0.1:5673|[::1]:5674".to_owned())];
        assert_eq!(given("tcp_listeners,[5672,{\"127.0.0.1\",5673},{\"::1\",5674}]"), expected);
        assert_eq!(given("tcp_listeners,[]"), [("no_amqp", "true".to_owned())]);
        assert_eq!(given("ssl_listeners,[5671]"), [("amqps_listen", ":5671".to_owned())]);
    }

    #[test]
    fn what_is_no_term_is_told_with_its_place() {
        let mut read = Read::default();
        read_settings(Path::new("r.config"), "[{rabbit, [}].", &mut read);
        assert_eq!(
            told(&read),
            ["r.config:1:1: here a list of Erlang terms is expected: [{rabbit, [{heartbeat, 60}]}]."]
        );
        let mut read = Read::default();
        read_settings(Path::new("r.config"), &"[".repeat(100_000), &mut read);
        assert_eq!(read.problems.len(), 1);
    }

    /// Found by the fuzzer: it was read for ever.
    #[test]
    fn a_list_that_does_not_end_is_told() {
        for text in ["[a.", "[.", "[{rabbit, [{heartbeat, 10}.", "."] {
            let mut read = Read::default();
            read_settings(Path::new("r.config"), text, &mut read);
            assert_eq!(read.problems.len(), 1, "{text}");
        }
    }

    #[test]
    fn plugins_are_read_leniently() {
        let mut read = Read::default();
        read_plugins(Path::new("e"), "[rabbitmq_management , rabbitmq_prometheus\n rabbitmq_mqtt].", &mut read);
        assert_eq!(told(&read), ["e:2:2: the plugin rabbitmq_mqtt is not there, and what it does is not done"]);
    }
}
