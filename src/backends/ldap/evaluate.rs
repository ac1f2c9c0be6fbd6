//! Evaluates queries: in the order in which they stand, and no more of them than it takes.

use ldap3::Scope as Depth;

use super::directory::{Directory, Failed};
use crate::auth::Pattern;
use crate::auth::ldap::{FillVariables, Query, SearchScope, Text};

/// Groups in groups are followed to so many.
const GROUPS_MAX: usize = 1_000;

/// Of whom queries are, and who is asked.
pub(super) struct Evaluation<'a> {
    pub(super) variables: &'a FillVariables,
    pub(super) user_dn: &'a str,
    pub(super) directory: &'a mut Directory,
    /// Groups are below this entry.
    pub(super) groups: &'a str,
}

impl Evaluation<'_> {
    /// Whether a query holds.
    pub(super) async fn holds(&mut self, query: &Query) -> Result<bool, Failed> {
        match query {
            Query::Constant(answer) => Ok(*answer),
            Query::InGroup { dn, attribute } => {
                self.directory.has(&self.variables.fill_dn(dn), attribute, self.user_dn).await
            }
            Query::InGroupNested { dn, attribute, scope } => {
                let depth = if *scope == SearchScope::Subtree { Depth::Subtree } else { Depth::OneLevel };
                self.is_nested_in(&self.variables.fill_dn(dn), depth, attribute).await
            }
            Query::Exists(dn) => self.directory.exists(&self.variables.fill_dn(dn)).await,
            Query::Not(negated) => Ok(!Box::pin(self.holds(negated)).await?),
            // All hold if none does not.
            Query::And(all) => Ok(!self.is_any(all, false).await?),
            Query::Or(any) => self.is_any(any, true).await,
            Query::Equals(one, other) => {
                let (one, other) = (self.texts(one).await?, self.texts(other).await?);
                Ok(one.iter().any(|text| other.contains(text)))
            }
            Query::Match(one, pattern) => {
                let (one, patterns) = (self.texts(one).await?, self.texts(pattern).await?);
                let is_matched = |regex: Pattern| one.iter().any(|text| regex.is_match(text));
                Ok(patterns.iter().any(|pattern| Pattern::new(pattern).is_ok_and(is_matched)))
            }
            Query::For(rows) => self.first_row(rows).await,
        }
    }

    /// Whether one of them has this answer; those behind it are not looked at.
    async fn is_any(&mut self, queries: &[Query], answer: bool) -> Result<bool, Failed> {
        for query in queries {
            if Box::pin(self.holds(query)).await? == answer {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the query holds of the first row whose variable has its value.
    async fn first_row(&mut self, rows: &[(String, String, Query)]) -> Result<bool, Failed> {
        for (variable, value, query) in rows {
            match self.variables.get(variable) {
                None => return Err(Failed::Failed(format!("{{args_do_not_contain,{variable}}}"))),
                Some(known) if known == value => return Box::pin(self.holds(query)).await,
                Some(_) => {}
            }
        }
        Err(Failed::Failed("{for_query_incomplete}".to_owned()))
    }

    async fn texts(&mut self, text: &Text) -> Result<Vec<String>, Failed> {
        match text {
            Text::Pattern(pattern) => Ok(vec![self.variables.fill(pattern)]),
            Text::Attribute { dn, name } => self.directory.values(&self.variables.fill_dn(dn), name).await,
        }
    }

    /// Whether the user is in a group, or in a group that is in it, and so on. Each group is looked at once.
    async fn is_nested_in(&mut self, wanted: &str, depth: Depth, attribute: &str) -> Result<bool, Failed> {
        let mut seen = vec![self.user_dn.to_lowercase()];
        let mut next = vec![self.user_dn.to_owned()];
        while let Some(dn) = next.pop() {
            for group in self.directory.having_within(self.groups, depth, attribute, &dn).await? {
                if group.eq_ignore_ascii_case(wanted) {
                    return Ok(true);
                }
                // Groups may be in each other, which ends where all were seen. Names of entries do not tell
                // upper from lower case.
                if seen.len() < GROUPS_MAX && !seen.contains(&group.to_lowercase()) {
                    seen.push(group.to_lowercase());
                    next.push(group);
                }
            }
        }
        Ok(false)
    }
}
