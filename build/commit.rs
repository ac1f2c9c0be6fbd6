//! How a commit is told to a build without git.

/// So many digits tell commits apart.
const SHORT: usize = 8;

fn is_commit(text: &str) -> bool {
    text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The one that the environment names. The container's build says `unknown` when it was not told.
pub(super) fn given(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty() && *text != "unknown").map(str::to_owned)
}

/// The one that `git archive` has written into `packaging/commit`, which holds `$Format:%h$` in a working copy.
pub(super) fn of_archive(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| is_commit(text)).map(str::to_owned)
}

/// The one that `cargo package` has written into `.cargo_vcs_info.json`.
pub(super) fn of_package(text: &str) -> Option<String> {
    let (_, behind) = text.split_once("\"sha1\"")?;
    let commit = behind.split('"').nth(1)?;
    is_commit(commit).then(|| commit.chars().take(SHORT).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_names_its_commit_and_a_working_copy_does_not() {
        assert_eq!(of_archive("6649b4e\n").as_deref(), Some("6649b4e"));
        assert_eq!(of_archive(include_str!("../packaging/commit")), None);
    }

    #[test]
    fn a_package_names_its_commit() {
        let text = "{\n  \"git\": {\n    \"sha1\": \"6649b4e0123456789012345678901234567890ab\"\n  },\n  \"path_in_vcs\": \"\"\n}";
        assert_eq!(of_package(text).as_deref(), Some("6649b4e0"));
        assert_eq!(of_package("{}"), None);
    }

    #[test]
    fn what_is_unknown_is_not_told() {
        assert_eq!(given(Some("abc ")).as_deref(), Some("abc"));
        assert_eq!((given(Some("unknown")), given(Some("")), given(None)), (None, None, None));
    }
}
