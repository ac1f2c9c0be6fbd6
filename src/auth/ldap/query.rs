//! Queries: `{in_group, "cn=admins"}`, `{'and', [...]}`, `{for, [{permission, configure, ...}]}`.

use crate::erlang::{Commas, Term, parsed};

/// Why a text is no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidQuery {
    /// It is no Erlang term.
    #[error("an Erlang term such as {{in_group, \"cn=admins,ou=groups\"}} is expected, not '{0}'")]
    NoTerm(String),
    /// It is no query that is known.
    #[error(
        "this is no query: {0}; there are constant, in_group, in_group_nested, exists, match, equals, and, or, not, for, \
         string, attribute"
    )]
    Unknown(String),
}

/// How deep is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchScope {
    /// One level below.
    OneLevel,
    /// All levels below.
    Subtree,
}

/// Something that is a text, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    Pattern(String),
    /// The values of an attribute of an entry.
    Attribute {
        /// The entry, as a pattern.
        dn: String,
        /// The name of the attribute whose values are meant.
        name: String,
    },
}

/// Something that is asked of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]

pub(crate) enum Query {
    Constant(bool),
    InGroup {
        dn: String,
        attribute: String,
    },
    InGroupNested {
        dn: String,
        attribute: String,
        scope: SearchScope,
    },
    Exists(String),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
    Equals(Text, Text),
    Match(Text, Text),
    /// The query of the first row whose variable has this value.
    For(Vec<(String, String, Self)>),
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidQuery> {
        query(&read(text)?)
    }
}

/// Reads queries of tags: `[{administrator, {constant, false}}]`.
///
/// # Errors
/// When they are none.
pub(crate) fn tag_queries(text: &str) -> Result<Vec<(String, Query)>, InvalidQuery> {
    let Term::List(_, items) = read(text)? else {
        return Err(InvalidQuery::Unknown("a list of tags is expected".to_owned()));
    };
    items
        .iter()
        .map(|item| match parts(item) {
            Some([tag, of_tag]) => Ok((word(tag)?, query(of_tag)?)),
            _ => Err(unknown(item)),
        })
        .collect()
}

fn read(text: &str) -> Result<Term<'_>, InvalidQuery> {
    parsed(text, Commas::Needed).map_err(|rest| InvalidQuery::NoTerm(rest.chars().take(40).collect()))
}

fn parts<'a, 'b>(term: &'b Term<'a>) -> Option<&'b [Term<'a>]> {
    if let Term::Tuple(_, parts) = term { Some(parts) } else { None }
}

fn unknown(term: &Term<'_>) -> InvalidQuery {
    InvalidQuery::Unknown(term.text().chars().take(80).collect())
}

fn word(term: &Term<'_>) -> Result<String, InvalidQuery> {
    term.word().ok_or_else(|| unknown(term))
}

fn list(term: &Term<'_>) -> Result<Vec<Query>, InvalidQuery> {
    if let Term::List(_, items) = term { items.iter().map(query).collect() } else { Err(unknown(term)) }
}

fn query(term: &Term<'_>) -> Result<Query, InvalidQuery> {
    let Some([first, arguments @ ..]) = parts(term) else { return Err(unknown(term)) };
    let member = || "member".to_owned();
    Ok(match (first.atom().unwrap_or_default(), arguments) {
        ("constant", [answer]) if matches!(answer.atom(), Some("true" | "false")) => {
            Query::Constant(answer.atom() == Some("true"))
        }
        ("in_group", [dn]) => Query::InGroup { dn: word(dn)?, attribute: member() },
        ("in_group", [dn, attribute]) => Query::InGroup { dn: word(dn)?, attribute: word(attribute)? },
        ("in_group_nested", [dn]) => {
            Query::InGroupNested { dn: word(dn)?, attribute: member(), scope: SearchScope::Subtree }
        }
        ("in_group_nested", [dn, attribute]) => {
            Query::InGroupNested { dn: word(dn)?, attribute: word(attribute)?, scope: SearchScope::Subtree }
        }
        ("in_group_nested", [dn, attribute, scope]) => {
            Query::InGroupNested { dn: word(dn)?, attribute: word(attribute)?, scope: depth(scope)? }
        }
        ("exists", [dn]) => Query::Exists(word(dn)?),
        ("not", [negated]) => Query::Not(Box::new(query(negated)?)),
        ("and", [all]) => Query::And(list(all)?),
        ("or", [any]) => Query::Or(list(any)?),
        ("equals", [one, other]) => Query::Equals(text(one)?, text(other)?),
        ("match", [one, pattern]) => Query::Match(text(one)?, text(pattern)?),
        ("for", [Term::List(_, rows)]) => Query::For(rows.iter().map(row).collect::<Result<_, _>>()?),
        _ => return Err(unknown(term)),
    })
}

fn depth(term: &Term<'_>) -> Result<SearchScope, InvalidQuery> {
    match word(term)?.as_str() {
        "subtree" => Ok(SearchScope::Subtree),
        "singlelevel" | "single_level" | "onelevel" | "one_level" => Ok(SearchScope::OneLevel),
        _ => Err(unknown(term)),
    }
}

fn row(term: &Term<'_>) -> Result<(String, String, Query), InvalidQuery> {
    match parts(term) {
        Some([variable, value, of_value]) => Ok((word(variable)?, word(value)?, query(of_value)?)),
        _ => Err(unknown(term)),
    }
}

fn text(term: &Term<'_>) -> Result<Text, InvalidQuery> {
    if let (Term::Word(..), None) = (term, term.atom()) {
        return Ok(Text::Pattern(word(term)?));
    }
    match parts(term) {
        Some([name, pattern]) if name.atom() == Some("string") => Ok(Text::Pattern(word(pattern)?)),
        Some([name, dn, of_dn]) if name.atom() == Some("attribute") => {
            Ok(Text::Attribute { dn: word(dn)?, name: word(of_dn)? })
        }
        _ => Err(unknown(term)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_of_rabbitmqs_documentation_are_read() {
        let read = |text: &str| Query::parse(text).unwrap();
        assert_eq!(read("{constant, true}."), Query::Constant(true));
        let admins = Query::InGroup { dn: "ou=${vhost}-users".to_owned(), attribute: "member".to_owned() };
        assert_eq!(read("{in_group, \"ou=${vhost}-users\"}"), admins);
        let nested = "{in_group_nested, \"cn=a\", \"uniqueMember\", onelevel}";
        let expected = Query::InGroupNested {
            dn: "cn=a".to_owned(),
            attribute: "uniqueMember".to_owned(),
            scope: SearchScope::OneLevel,
        };
        assert_eq!(read(nested), expected);
        let attribute = Text::Attribute { dn: "${user_dn}".to_owned(), name: "rabbit".to_owned() };
        let pattern = |text: &str| Text::Pattern(text.to_owned());
        assert_eq!(
            read(
                "{for, [{permission, configure, {'not', {exists, \"cn=x\"}}}, {permission, write, {'or', [{equals, \"${name}\", \"a\"}, \
                 {match, {attribute, \"${user_dn}\", \"rabbit\"}, {string, \"^a\"}}]}}]}"
            ),
            Query::For(vec![
                (
                    "permission".to_owned(),
                    "configure".to_owned(),
                    Query::Not(Box::new(Query::Exists("cn=x".to_owned())))
                ),
                (
                    "permission".to_owned(),
                    "write".to_owned(),
                    Query::Or(vec![
                        Query::Equals(pattern("${name}"), pattern("a")),
                        Query::Match(attribute, pattern("^a")),
                    ])
                ),
            ])
        );
        let tags = tag_queries("[{administrator, {constant, false}}, {management, {'and', []}}]").unwrap();
        assert_eq!(
            tags,
            [("administrator".to_owned(), Query::Constant(false)), ("management".to_owned(), Query::And(vec![]))]
        );
    }

    #[test]
    fn what_is_no_query_is_told() {
        for text in [
            "",
            "true",
            "{constant, maybe}",
            "{in_group}",
            "{paint, \"it\"}",
            "{'and', {constant, true}}",
            "{for, [{a, b}]}",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        assert!(tag_queries("{constant, true}").is_err() && tag_queries("[{administrator}]").is_err());
    }
}
