//! What a request asks for, its path and its query, and for whose page.

use axum::http::request::Parts;
use axum::http::{Method, Uri};

/// Whether escapes in the path are whole.
pub(super) fn is_readable(uri: &Uri) -> bool {
    let path = uri.path().as_bytes();
    let is_escape = |at: usize| path.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    path.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| is_escape(at))
}

/// A request whose path has had a slash at its end.
#[derive(Clone, Copy, Debug)]
struct TrailingSlash;

/// A path with a slash at its end is the same without.
pub(super) fn drop_trailing_slash(parts: &mut Parts) {
    let path = parts.uri.path();
    let Some(shorter) = path.strip_suffix('/').filter(|shorter| shorter.len() > 1 && !shorter.ends_with('/')) else {
        return;
    };
    let shorter = match parts.uri.query() {
        Some(query) => format!("{shorter}?{query}"),
        None => shorter.to_owned(),
    };
    if let Ok(shorter) = shorter.parse() {
        parts.uri = shorter;
        parts.extensions.insert(TrailingSlash);
    }
}

/// Whether [`drop_trailing_slash`] has dropped one.
pub(super) fn had_trailing_slash(parts: &Parts) -> bool {
    parts.extensions.get::<TrailingSlash>().is_some()
}

/// The parameters of a query; `None` when it cannot be read.
pub(super) fn query(query: Option<&str>) -> Option<Vec<(String, String)>> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Some(Vec::new()) };
    if query.split('&').any(|pair| pair.is_empty() || pair.starts_with('=')) {
        return None;
    }
    let uri: Uri = format!("/?{query}").parse().ok()?;
    axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).ok().map(|query| query.0)
}

/// Whether a browser sends this for a page of somebody else, to change something with the credentials of its user.
pub(super) fn is_cross_site(parts: &Parts) -> bool {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return false;
    }
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let (Some(origin), Some(host)) = (text("origin"), text("host")) else { return false };
    origin.split_once("://").is_none_or(|(_, origin)| !origin.eq_ignore_ascii_case(host))
}
