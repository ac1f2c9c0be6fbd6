//! `report`: everything that helps somebody elsewhere to understand what is wrong with a broker.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::cluster::Cluster;
use super::failure::Failure;
use super::formats;
use super::output::Output;
use super::status::Status;
use super::verb::{self, BOTH, Verb};

pub(super) const VERBS: &[Verb] = &[Verb::new("report", BOTH, "Displays status, configuration and all lists", report)
    .takes(0, 0, "[--timeout <timeout>]")
    .says(|it| Some(format!("Reporting server status of node {} ...\n", it.node())))];

/// What follows the status, each as its own verb writes it.
const OF_ALL: [&str; 3] = ["environment", "list_connections", "list_channels"];
/// And of each virtual host.
const OF_A_VHOST: [&str; 4] = ["list_queues", "list_exchanges", "list_bindings", "list_permissions"];

fn report(it: &Invocation) -> Result<Output, Failure> {
    let (status, cluster) = (Status::of(it)?, Cluster::of(it)?);
    let node = &status.name;
    let mut text = format!(
        "Status of node {node} ...\n{}\nCluster status of node {node} ...\n{}",
        status.text(it),
        cluster.text()
    );
    for name in OF_ALL {
        text += &part(it, name, None)?;
    }
    let vhosts = it.client()?.get("/vhosts?columns=name")?;
    for vhost in vhosts.as_array().into_iter().flatten().filter_map(|vhost| vhost.get("name")?.as_str()) {
        for name in OF_A_VHOST {
            text += &part(it, name, Some(vhost))?;
        }
    }
    let environment: Value = super::runtime::configured(it)?.into_iter().collect();
    let data = json!({ "status": status.data(), "cluster_status": cluster.data(), "environment": environment });
    Ok(Output::Report { text, data })
}

/// What another verb writes, asked with the same options.
fn part(it: &Invocation, name: &str, vhost: Option<&str>) -> Result<String, Failure> {
    let Some(verb) = verb::find(it.tool, name) else { return Ok(String::new()) };
    // The verb takes no arguments: of those without a dash the first is its name, and others are values of options.
    let mut given: Vec<_> = vec![name.to_owned()];
    let own = it.given.iter().position(|argument| *argument == it.verb.name);
    given.extend(it.given.iter().enumerate().filter(|(at, _)| Some(*at) != own).map(|(_, text)| text.clone()));
    given.extend(vhost.into_iter().flat_map(|vhost| ["--vhost".to_owned(), vhost.to_owned()]));
    let asked = Invocation::read(it.tool, verb, &given).map_err(Failure::usage)?;
    let banner = (verb.banner)(&asked).map(|banner| banner + "\n").unwrap_or_default();
    let output = (verb.run)(&asked)?;
    Ok(format!("\n{banner}{}", formats::render(&asked, &output)))
}
