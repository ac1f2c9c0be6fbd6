//! Whom a token is for: `aud` names one of the resource servers that this broker is.

use serde_json::Value;

use super::token::{InvalidToken, Rules};

/// Whether an audience has this name in it.
pub(super) fn has(audience: Option<&Value>, id: &str) -> bool {
    match audience {
        Some(Value::String(text)) => text.split(' ').any(|name| name == id),
        Some(Value::Array(names)) => names.iter().any(|name| name.as_str() == Some(id)),
        _ => false,
    }
}

/// The resource server that a token is for. If there is one only, the rules themselves say later whether it is for that one.
///
/// # Errors
/// In RabbitMQ's words: when it is for none or for several of them.
pub(crate) fn choose<'a, T>(
    audience: Option<&Value>,
    servers: &'a [T],
    rules: impl Fn(&T) -> &Rules,
) -> Result<&'a T, InvalidToken> {
    if let [only] = servers {
        return Ok(only);
    }
    let mut own = servers.iter().filter(|server| has(audience, &rules(server).resource_server_id));
    match (own.next(), own.next()) {
        (Some(found), None) => Ok(found),
        (Some(_), Some(_)) => Err(InvalidToken::audience("only_one_resource_server_as_audience_found_many")),
        (None, _) => {
            let lenient = servers.iter().find(|server| !rules(server).verify_aud);
            lenient.ok_or_else(|| InvalidToken::audience(none(audience)))
        }
    }
}

/// What is said of a token that is for none.
pub(super) const fn none(audience: Option<&Value>) -> &'static str {
    if audience.is_none() { "no_aud_found" } else { "no_matching_aud_found" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(id: &str) -> Rules {
        Rules { resource_server_id: id.to_owned(), ..Rules::default() }
    }

    #[test]
    fn one_of_several_servers_is_named() {
        let servers = [server("prod"), server("dev")];
        let chosen = |audience: Option<Value>| {
            let found = choose(audience.as_ref(), &servers, |rules| rules);
            found.map(|rules| rules.resource_server_id.clone()).map_err(|error| error.to_string())
        };
        assert_eq!(chosen(Some(json!("dev other"))).as_deref(), Ok("dev"));
        assert_eq!(chosen(Some(json!(["x", "prod"]))).as_deref(), Ok("prod"));
        let refused = |audience| chosen(audience).unwrap_err();
        assert!(refused(Some(json!(["prod", "dev"]))).contains("only_one_resource_server_as_audience_found_many"));
        assert!(refused(Some(json!("else"))).contains("no_matching_aud_found"));
        assert!(refused(None).contains("no_aud_found"));
    }

    #[test]
    fn one_that_is_lenient_takes_what_is_for_nobody_else() {
        let servers = [server("prod"), Rules { verify_aud: false, ..server("dev") }];
        let id = |audience: Value| choose(Some(&audience), &servers, |rules| rules).unwrap().resource_server_id.clone();
        assert_eq!((id(json!("x")), id(json!("prod"))), ("dev".to_owned(), "prod".to_owned()));
    }
}
