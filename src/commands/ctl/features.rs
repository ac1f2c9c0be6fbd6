//! Feature flags and deprecated features.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::columns::{self, Column, plain};
use super::failure::Failure;
use super::output::{Cell, Output, Table};
use super::verb::{ANY, BOTH, CTL, Verb, flag};
use crate::commands::client::{Problem, escaped};
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("enable_feature_flag", CTL, "Enables a feature flag, or all of them", enable)
        .takes(1, 1, "[--opt-in] <all | feature_flag>")
        .switches(&[flag("opt-in"), flag("experimental")])
        .says(|it| {
            Some(if it.argument(0) == "all" {
                "Enabling all feature flags ...".to_owned()
            } else {
                format!("Enabling feature flag \"{}\" ...", it.argument(0))
            })
        }),
    Verb::new("list_feature_flags", BOTH, "Lists feature flags", list)
        .takes(0, ANY, "[--no-table-headers] [<column> ...]")
        .checks(|it| columns::check(it, FLAGS))
        .says(|_| Some("Listing feature flags ...".to_owned())),
    Verb::new("list_deprecated_features", BOTH, "Lists deprecated features", deprecated)
        .takes(0, ANY, "[--used] [<column> ...]")
        .switches(&[flag("used")])
        .says(|_| Some("Listing deprecated features ...".to_owned())),
];

const FLAGS: &[Column] =
    &[plain("name"), plain("state"), plain("stability"), plain("provided_by"), plain("desc"), plain("doc_url")];

fn enable(it: &Invocation) -> Result<Output, Failure> {
    let flag = it.argument(0);
    if flag == "all" {
        // All that this broker has are enabled from the beginning.
        it.client()?.get("/feature-flags")?;
        return Ok(Output::Nothing);
    }
    match it.client()?.put(&format!("/feature-flags/{}/enable", escaped(flag)), &json!({ "name": flag })) {
        Ok(_) => Ok(Output::Nothing),
        Err(Problem::Refused { .. }) => {
            let text = format!("This feature flag is not supported by node {}", it.node());
            Err(Failure::said(exit::USAGE, text))
        }
        Err(problem) => Err(problem.into()),
    }
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let found = it.client()?.get("/feature-flags")?;
    Ok(columns::table(it, FLAGS, &["name", "state"], &found).into())
}

fn deprecated(it: &Invocation) -> Result<Output, Failure> {
    let path = if it.is_set("used") { "/deprecated-features/used" } else { "/deprecated-features" };
    let found = it.client()?.get(path)?;
    let columns = ["name", "deprecation_phase", "state"];
    let row =
        |item: &Value| columns.iter().map(|key| Cell::Plain(item.get(*key).cloned().unwrap_or_default())).collect();
    let rows = found.as_array().into_iter().flatten().map(row).collect();
    Ok(Table::new(&columns, rows).drawn().into())
}
