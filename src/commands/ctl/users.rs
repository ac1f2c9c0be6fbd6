//! Users: `add_user`, `change_password` and the like.

use hyper::Method;
use serde_json::{Value, json};

use super::arguments::Invocation;
use super::failure::Failure;
use super::output::{Cell, Output, Table};
use super::verb::{BOTH, CTL, Verb, flag};
use crate::commands::client::escaped;
use crate::commands::exit;
use crate::commands::target::Credentials;

pub(super) const VERBS: &[Verb] = &[
    Verb::new("add_user", CTL, "Creates a user, who has no permissions at first", add)
        .takes(1, 2, "<username> [<password>] [<password_hash> --pre-hashed-password]")
        .switches(&[flag("pre-hashed-password")])
        .says(|it| Some(format!("Adding user \"{}\" ...", it.argument(0)))),
    Verb::new("authenticate_user", CTL, "Says whether a password is right", authenticate)
        .takes(1, 2, "<username> <password>")
        .says(|it| Some(format!("Authenticating user \"{}\" ...", it.argument(0)))),
    Verb::new("change_password", CTL, "Gives a user another password", change_password)
        .takes(1, 2, "<username> <password>")
        .says(|it| Some(format!("Changing password for user \"{}\" ...", it.argument(0)))),
    Verb::new("clear_password", CTL, "Takes a user's password away: it cannot log in with one", clear_password)
        .takes(1, 1, "<username>")
        .says(|it| Some(format!("Clearing password for user \"{}\" ...", it.argument(0)))),
    Verb::new("delete_user", CTL, "Removes a user", delete)
        .takes(1, 1, "<username>")
        .says(|it| Some(format!("Deleting user \"{}\" ...", it.argument(0)))),
    Verb::new("list_users", BOTH, "Lists users and their tags", list)
        .takes(0, 0, "[--no-table-headers] [--timeout <timeout>]")
        .says(|_| Some("Listing users ...".to_owned())),
    Verb::new("set_user_tags", CTL, "Gives a user other tags", set_tags)
        .takes(1, super::verb::ANY, "<username> <tag> [...]")
        .says(|it| {
            let tags = it.arguments.get(1..).unwrap_or_default().join(", ");
            Some(format!("Setting tags for user \"{}\" to [{tags}] ...", it.argument(0)))
        }),
    Verb::new("hash_password", BOTH, "Computes the hash of a password", hash)
        .takes(0, 1, "<cleartext_password>")
        .says(|it| Some(format!("Will hash password {}", it.argument(0)))),
];

fn path(user: &str) -> String {
    format!("/users/{}", escaped(user))
}

/// The password that was given, or the first line of the standard input.
fn password(it: &Invocation) -> Result<String, Failure> {
    if let Some(password) = it.arguments.get(1) {
        return Ok(password.clone());
    }
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => Err(Failure::said(exit::UNAVAILABLE, "not_enough_args")),
        Ok(_) => Ok(line.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

fn add(it: &Invocation) -> Result<Output, Failure> {
    let (user, client) = (it.argument(0), it.client()?);
    let secret = password(it)?;
    if client.find(&path(user))?.is_some() {
        return Err(Failure::said(exit::SOFTWARE, format!("User \"{user}\" already exists")));
    }
    let body = if it.is_set("pre-hashed-password") {
        json!({ "password_hash": secret, "tags": "" })
    } else {
        json!({ "password": secret, "tags": "" })
    };
    client.put(&path(user), &body)?;
    if it.is_quiet() {
        return Ok(Output::Nothing);
    }
    Ok(Output::Message(
        "Done. Don't forget to grant the user permissions to some virtual hosts! See 'rabbitmqctl help set_permissions' \
         to learn more."
            .to_owned(),
    ))
}

fn authenticate(it: &Invocation) -> Result<Output, Failure> {
    let user = it.argument(0);
    let credentials = Credentials { user: user.to_owned(), password: password(it)? };
    let (status, answer) = it.client()?.ask(&Method::GET, "/whoami", Vec::new(), None, Some(&credentials))?;
    let answer: Value = serde_json::from_slice(&answer).unwrap_or(Value::Null);
    // Who has no tag may not ask, but is told so only after the password was right.
    let is_known = status == 200 || answer.get("reason").and_then(Value::as_str) == Some("Not management user");
    if is_known {
        return Ok(Output::Message("Success".to_owned()));
    }
    let text = format!("Error: failed to authenticate user \"{user}\"\nuser '{user}' - invalid credentials");
    Err(Failure::said(exit::DATA, text))
}

/// Changes what is kept of a user.
fn change(it: &Invocation, change: impl FnOnce(&mut Value)) -> Result<Output, Failure> {
    let (user, client) = (it.argument(0), it.client()?);
    let found = client.find(&path(user))?.ok_or_else(|| Failure::no_user(user))?;
    let mut kept = json!({});
    for key in ["password_hash", "hashing_algorithm", "tags"] {
        if let (Some(fields), Some(value)) = (kept.as_object_mut(), found.get(key)) {
            fields.insert(key.to_owned(), value.clone());
        }
    }
    change(&mut kept);
    client.put(&path(user), &kept)?;
    Ok(Output::Nothing)
}

fn change_password(it: &Invocation) -> Result<Output, Failure> {
    let password = password(it)?;
    change(it, |user| *user = json!({ "password": password, "tags": user.get("tags") }))
}

fn clear_password(it: &Invocation) -> Result<Output, Failure> {
    change(it, |user| *user = json!({ "password_hash": "", "tags": user.get("tags") }))
}

fn set_tags(it: &Invocation) -> Result<Output, Failure> {
    let tags = it.arguments.get(1..).unwrap_or_default().join(",");
    change(it, |user| {
        if let Some(user) = user.as_object_mut() {
            user.insert("tags".to_owned(), Value::from(tags));
        }
    })
}

fn delete(it: &Invocation) -> Result<Output, Failure> {
    it.client()?.delete(&path(it.argument(0)))?;
    Ok(Output::Nothing)
}

fn list(it: &Invocation) -> Result<Output, Failure> {
    let users = it.client()?.get("/users")?;
    let row =
        |user: &Value| vec![Cell::Plain(user.get("name").cloned().unwrap_or_default()), Cell::words(user.get("tags"))];
    let rows = users.as_array().into_iter().flatten().map(row).collect();
    Ok(Table::new(&["user", "tags"], rows).into())
}

fn hash(it: &Invocation) -> Result<Output, Failure> {
    let password = if it.arguments.is_empty() {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok();
        line.trim_end_matches(['\r', '\n']).to_owned()
    } else {
        it.argument(0).to_owned()
    };
    let answer = it.client()?.get(&format!("/auth/hash_password/{}", escaped(&password)))?;
    Ok(Output::Message(answer.get("ok").and_then(Value::as_str).unwrap_or_default().to_owned()))
}
