//! Places on a web server.

use super::{SettingValue, allowed};

/// The path of a place on a web server: empty, or words with a slash before each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlPath(String);

impl UrlPath {
    /// The path as requests have it, without a slash at its end.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Where Prometheus looks.
    pub(crate) fn metrics() -> Self {
        Self("/metrics".to_owned())
    }
}

/// Whether nothing on the way, and no table of paths, reads more into a word than its letters.
fn is_plain(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !matches!(word, "" | "." | "..") && word.bytes().all(is_plain)
}

impl SettingValue for UrlPath {
    const NAME: &'static str = "WEB_PATH";
    const ALLOWED: &'static str = "a path of letters, digits and - . _ ~ such as /tools/broker";

    fn read(text: &str) -> Result<Self, String> {
        // As in RabbitMQ, the first slash may be missing.
        let path = text.strip_prefix('/').unwrap_or(text);
        let path = path.strip_suffix('/').unwrap_or(path);
        if text == "/" {
            return Ok(Self::default());
        }
        if path.split('/').all(is_plain) { Ok(Self(format!("/{path}"))) } else { Err(allowed::<Self>()) }
    }

    fn show(&self) -> Option<String> {
        Some(if self.0.is_empty() { "/".to_owned() } else { self.0.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_both_ends_may_be_left_out() {
        for (text, path, shown) in
            [("/mq/prod", "/mq/prod", "/mq/prod"), ("mq", "/mq", "/mq"), ("/mq/", "/mq", "/mq"), ("/", "", "/")]
        {
            let read = UrlPath::read(text).unwrap();
            assert_eq!((read.as_str(), read.show().as_deref()), (path, Some(shown)), "{text}");
        }
    }

    #[test]
    fn what_has_a_meaning_of_its_own_in_an_address_is_refused() {
        for text in ["", "/a//b", "//", "/a/../b", "/.", "/a?b", "/a#b", "/{a}", "/:a", "/a%20b", "/a b", "/\u{e4}"] {
            assert_eq!(UrlPath::read(text), Err(allowed::<UrlPath>()), "{text}");
        }
    }
}
