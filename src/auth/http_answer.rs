//! What a web server may answer when it is a backend: `allow`, `allow TAG TAG`, `deny`, `deny REASON`.

use super::backend::BackendAnswer;

/// Who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserAnswer {
    /// It may log in, and has these tags.
    Allow(Vec<String>),
    /// It may not, and perhaps why.
    Deny(Option<String>),
    /// This is no answer.
    Unreadable,
}

/// Reads the answer about a login.
pub(crate) fn of_user(body: &str) -> UserAnswer {
    let body = body.trim_matches(' ');
    if let Some(reason) = body.strip_prefix("deny ") {
        return UserAnswer::Deny(Some(reason.to_owned()));
    }
    let lower = body.to_lowercase();
    match lower.strip_prefix("allow") {
        Some(tags) => UserAnswer::Allow(tags.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()),
        None if lower == "deny" => UserAnswer::Deny(None),
        None => UserAnswer::Unreadable,
    }
}

/// Reads the answer about a permission. The reason of a refusal is told to the client only if that is wanted.
pub(crate) fn of_question(body: &str, discloses: bool) -> BackendAnswer {
    let body = body.trim_matches(' ');
    if let Some(reason) = body.strip_prefix("deny ") {
        return BackendAnswer::Deny(discloses.then(|| reason.to_owned()));
    }
    match body.to_lowercase().as_str() {
        "allow" => BackendAnswer::Allow,
        "deny" => BackendAnswer::Deny(None),
        _ => BackendAnswer::CannotSay(format!("{{bad_response,{body:?}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_allowed_with_tags_and_denied_with_reasons() {
        let tags = |tags: &[&str]| UserAnswer::Allow(tags.iter().map(|&tag| tag.to_owned()).collect());
        assert_eq!(of_user("allow"), tags(&[]));
        assert_eq!(of_user(" Allow Administrator  management "), tags(&["administrator", "management"]));
        assert_eq!(of_user("deny"), UserAnswer::Deny(None));
        assert_eq!(of_user("DENY"), UserAnswer::Deny(None));
        assert_eq!(of_user("deny wrong moon"), UserAnswer::Deny(Some("wrong moon".to_owned())));
        for body in ["", "yes", "deny\n", "<html>"] {
            assert_eq!(of_user(body), UserAnswer::Unreadable, "{body:?}");
        }
    }

    #[test]
    fn a_reason_is_told_if_that_is_wanted() {
        assert_eq!(of_question("allow", false), BackendAnswer::Allow);
        assert_eq!(of_question("deny no", false), BackendAnswer::Deny(None));
        assert_eq!(of_question("deny no", true), BackendAnswer::Deny(Some("no".to_owned())));
        assert_eq!(
            of_question("allow administrator", true),
            BackendAnswer::CannotSay("{bad_response,\"allow administrator\"}".to_owned())
        );
    }
}
