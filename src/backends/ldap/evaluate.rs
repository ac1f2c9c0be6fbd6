//! Evaluates queries: in the order in which they stand, and no more of them than it takes.

use ldap3::Scope as Depth;

use super::directory::{Directory, Failed};
use crate::auth::Pattern;
use crate::auth::ldap::{FillVariables, Query, SearchScope, Text};

/// Groups in groups are followed to so many.
const GROUPS_MAX: usize = 1_000;

/// Whether a query holds.
pub(super) async fn holds(
    query: &Query,
    variables: &FillVariables,
    user_dn: &str,
    directory: &mut Directory,
    groups: &str,
) -> Result<bool, Failed> {
    match query {
        Query::Constant(answer) => Ok(*answer),
        Query::InGroup { dn, attribute } => directory.has(&variables.fill_dn(dn), attribute, user_dn).await,
        Query::InGroupNested { dn, attribute, scope } => {
            let depth = if *scope == SearchScope::Subtree { Depth::Subtree } else { Depth::OneLevel };
            nested(directory, groups, depth, attribute, user_dn, &variables.fill_dn(dn)).await
        }
        Query::Exists(dn) => directory.exists(&variables.fill_dn(dn)).await,
        Query::Not(negated) => Ok(!Box::pin(holds(negated, variables, user_dn, directory, groups)).await?),
        Query::And(all) => {
            for query in all {
                if !Box::pin(holds(query, variables, user_dn, directory, groups)).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Query::Or(any) => {
            for query in any {
                if Box::pin(holds(query, variables, user_dn, directory, groups)).await? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Query::Equals(one, other) => {
            let (one, other) = (texts(one, variables, directory).await?, texts(other, variables, directory).await?);
            Ok(one.iter().any(|text| other.contains(text)))
        }
        Query::Match(one, pattern) => {
            let (one, patterns) =
                (texts(one, variables, directory).await?, texts(pattern, variables, directory).await?);
            let matches =
                |pattern: &String| Pattern::new(pattern).is_ok_and(|regex| one.iter().any(|text| regex.is_match(text)));
            Ok(patterns.iter().any(matches))
        }
        Query::For(rows) => {
            for (variable, value, query) in rows {
                match variables.get(variable) {
                    None => return Err(Failed::Failed(format!("{{args_do_not_contain,{variable}}}"))),
                    Some(known) if known == value => {
                        return Box::pin(holds(query, variables, user_dn, directory, groups)).await;
                    }
                    Some(_) => {}
                }
            }
            Err(Failed::Failed("{for_query_incomplete}".to_owned()))
        }
    }
}

async fn texts(text: &Text, variables: &FillVariables, directory: &mut Directory) -> Result<Vec<String>, Failed> {
    match text {
        Text::Pattern(pattern) => Ok(vec![variables.fill(pattern)]),
        Text::Attribute { dn, name } => directory.values(&variables.fill_dn(dn), name).await,
    }
}

/// Whether somebody is in a group, or in a group that is in it, and so on. Each group is looked at once.
async fn nested(
    directory: &mut Directory,
    groups: &str,
    depth: Depth,
    attribute: &str,
    user_dn: &str,
    wanted: &str,
) -> Result<bool, Failed> {
    let mut seen = vec![user_dn.to_lowercase()];
    let mut next = vec![user_dn.to_owned()];
    while let Some(dn) = next.pop() {
        for group in directory.having_within(groups, depth, attribute, &dn).await? {
            if group.eq_ignore_ascii_case(wanted) {
                return Ok(true);
            }
            if seen.len() < GROUPS_MAX && !seen.contains(&group.to_lowercase()) {
                seen.push(group.to_lowercase());
                next.push(group);
            }
        }
    }
    Ok(false)
}
