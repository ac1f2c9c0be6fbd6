//! Permissions and topic permissions.

use serde_json::{Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table, WhenEmpty};
use super::verb::{BOTH, CTL, Verb};
use crate::commands::client::escaped;
use crate::commands::exit;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("clear_permissions", CTL, "Takes a user's permissions in a virtual host away", clear)
        .takes(1, 1, "[--vhost <vhost>] <username>")
        .says(|it| {
            Some(format!("Clearing permissions for user \"{}\" in vhost \"{}\" ...", it.argument(0), it.vhost()))
        }),
    Verb::new("clear_topic_permissions", CTL, "Takes a user's topic permissions in a virtual host away", clear_topic)
        .takes(1, 2, "[--vhost <vhost>] <username> [<exchange>]")
        .says(|it| {
            let on = it.arguments.get(1).map_or_else(String::new, |exchange| format!(" on \"{exchange}\""));
            Some(format!(
                "Clearing topic permissions{on} for user \"{}\" in vhost \"{}\" ...",
                it.argument(0),
                it.vhost()
            ))
        }),
    Verb::new("list_permissions", BOTH, "Lists permissions in a virtual host", list)
        .takes(0, 0, "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]")
        .says(|it| Some(format!("Listing permissions for vhost \"{}\" ...", it.vhost()))),
    Verb::new("list_topic_permissions", BOTH, "Lists topic permissions in a virtual host", list_topic)
        .takes(0, 0, "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]")
        .says(|it| Some(format!("Listing topic permissions for vhost \"{}\" ...", it.vhost()))),
    Verb::new("list_user_permissions", BOTH, "Lists a user's permissions in all virtual hosts", list_of_user)
        .takes(1, 1, "[--no-table-headers] <username> [--timeout <timeout>]")
        .says(|it| Some(format!("Listing permissions for user \"{}\" ...", it.argument(0)))),
    Verb::new("list_user_topic_permissions", BOTH, "Lists a user's topic permissions", list_topic_of_user)
        .takes(1, 1, "[--no-table-headers] <username> [--timeout <timeout>]")
        .says(|it| Some(format!("Listing topic permissions for user \"{}\" ...", it.argument(0)))),
    Verb::new("set_permissions", CTL, "Sets what a user may do in a virtual host", set)
        .takes(4, 4, "[--vhost <vhost>] <username> <conf> <write> <read>")
        .says(|it| {
            Some(format!("Setting permissions for user \"{}\" in vhost \"{}\" ...", it.argument(0), it.vhost()))
        }),
    Verb::new("set_permissions_globally", CTL, "Sets what a user may do in all virtual hosts", set_everywhere)
        .takes(4, 4, "<username> <conf> <write> <read>")
        .says(|it| Some(format!("Setting permissions for user \"{}\" in all virtual hosts ...", it.argument(0)))),
    Verb::new("set_topic_permissions", CTL, "Sets with which keys a user may use a topic exchange", set_topic)
        .takes(4, 4, "[--vhost <vhost>] <username> <exchange> <write> <read>")
        .says(|it| {
            Some(format!(
                "Setting topic permissions on \"{}\" for user \"{}\" in vhost \"{}\" ...",
                it.argument(1),
                it.argument(0),
                it.vhost()
            ))
        }),
];

fn path(kind: &str, vhost: &str, user: &str) -> String {
    format!("/{kind}/{}/{}", escaped(vhost), escaped(user))
}

/// What both kinds of permissions need: the virtual host and the user.
fn check_both(it: &Invocation, vhost: &str) -> Result<(), Failure> {
    let (user, client) = (it.argument(0), it.client()?);
    if client.find(&format!("/vhosts/{}", escaped(vhost)))?.is_none() {
        return Err(Failure::said(exit::UNAVAILABLE, format!("Virtual host {vhost} does not exist")));
    }
    if client.find(&format!("/users/{}", escaped(user)))?.is_none() {
        return Err(Failure::said(exit::NO_USER, format!("User {user} does not exist")));
    }
    Ok(())
}

fn set_in(it: &Invocation, vhost: &str) -> Result<(), Failure> {
    let body = json!({ "configure": it.argument(1), "write": it.argument(2), "read": it.argument(3) });
    it.client()?.put(&path("permissions", vhost, it.argument(0)), &body)?;
    Ok(())
}

fn set(it: &Invocation) -> Result<Output, Failure> {
    check_both(it, it.vhost())?;
    set_in(it, it.vhost())?;
    Ok(Output::Nothing)
}

fn set_everywhere(it: &Invocation) -> Result<Output, Failure> {
    let vhosts = it.client()?.get("/vhosts")?;
    for vhost in vhosts.as_array().into_iter().flatten().filter_map(|vhost| vhost.get("name")?.as_str()) {
        check_both(it, vhost)?;
        set_in(it, vhost)?;
    }
    Ok(Output::Nothing)
}

fn set_topic(it: &Invocation) -> Result<Output, Failure> {
    check_both(it, it.vhost())?;
    let body = json!({ "exchange": it.argument(1), "write": it.argument(2), "read": it.argument(3) });
    it.client()?.put(&path("topic-permissions", it.vhost(), it.argument(0)), &body)?;
    Ok(Output::Nothing)
}

fn clear(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.delete(&path("permissions", it.vhost(), it.argument(0)))?;
    Ok(Output::Nothing)
}

fn clear_topic(it: &Invocation) -> Result<Output, Failure> {
    let of_user = path("topic-permissions", it.vhost(), it.argument(0));
    let path = match it.arguments.get(1) {
        Some(exchange) => format!("{of_user}/{}", escaped(exchange)),
        None => of_user,
    };
    it.client()?.delete(&path)?;
    Ok(Output::Nothing)
}

fn rows(found: &Value, keys: &[&str]) -> Vec<Vec<Cell>> {
    let cell = |item: &Value, key: &&str| Cell::Plain(item.get(*key).cloned().unwrap_or_default());
    let row = |item: &Value| keys.iter().map(|key| cell(item, key)).collect();
    found.as_array().into_iter().flatten().map(row).collect()
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let path = format!("/vhosts/{}/permissions", escaped(it.vhost()));
    let found = it.client()?.find(&path)?.ok_or_else(|| Failure::no_vhost(it.vhost()))?;
    let columns = ["user", "configure", "write", "read"];
    Ok(Table::new(&columns, rows(&found, &columns)).when_empty(WhenEmpty::EmptyLine).into())
}

fn list_topic(it: &Invocation) -> Result<Output, Failure> {
    let path = format!("/vhosts/{}/topic-permissions", escaped(it.vhost()));
    let found = it.client()?.find(&path)?.ok_or_else(|| Failure::no_vhost(it.vhost()))?;
    let columns = ["user", "exchange", "write", "read"];
    Ok(Table::new(&columns, rows(&found, &columns)).when_empty(WhenEmpty::EmptyLine).into())
}

fn of_user(it: &Invocation, kind: &str) -> Result<Value, Failure> {
    let user = it.argument(0);
    let found = it.client()?.find(&format!("/users/{}/{kind}", escaped(user)))?;
    found.ok_or_else(|| Failure::said(exit::UNAVAILABLE, format!("{{:no_such_user, \"{user}\"}}")))
}

fn list_of_user(it: &Invocation) -> Result<Output, Failure> {
    let found = of_user(it, "permissions")?;
    let columns = ["vhost", "configure", "write", "read"];
    Ok(Table::new(&columns, rows(&found, &columns)).when_empty(WhenEmpty::EmptyLine).into())
}

fn list_topic_of_user(it: &Invocation) -> Result<Output, Failure> {
    let found = of_user(it, "topic-permissions")?;
    let columns = ["vhost", "exchange", "write", "read"];
    Ok(Table::new(&columns, rows(&found, &columns)).when_empty(WhenEmpty::EmptyLine).into())
}
