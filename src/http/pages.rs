//! The management pages: the files that `web/` is built into, from inside the binary.
//!
//! They are kept compressed. All but `index.html` have a hash of their content in their name, so that a browser asks for each of them once.

use std::io::Read;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use flate2::read::GzDecoder;

use super::target::had_trailing_slash;

/// A file of the pages.
#[derive(Clone, Copy, Debug)]
struct File {
    /// Where it is served.
    path: &'static str,
    content_type: &'static str,
    /// A hash of what is in it, in quotes.
    etag: &'static str,
    gzip: &'static [u8],
}

/// All of them, as `npm run build` in `web/` lists them.
const FILES: &[File] = include!("../../web/dist/files.rs");

/// Where RabbitMQ's guides and bookmarks lead.
const MOVED: &[(&str, &str)] = &[
    ("/api", "/api/index.html"),
    ("/api/", "/api/index.html"),
    ("/doc/stats.html", "/api/index.html"),
    ("/cli", "/cli/index.html"),
    ("/cli/", "/cli/index.html"),
];

const HEADERS: [(header::HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "accept-encoding"),
];

/// The answer to a request for a page below a prefix, which may do what `policy` says; `None` when there is no such file.
pub(super) fn answer(prefix: &str, parts: &Parts, policy: &HeaderValue) -> Option<Response> {
    let path = match parts.uri.path().strip_prefix(prefix) {
        Some("") if had_trailing_slash(parts) => "/",
        // The first page names others by where they are from it, so its own address must end with a slash.
        Some("") => return Some(moved(prefix, "/")),
        Some(path) if path.starts_with('/') => path,
        Some(_) | None if parts.uri.path() == "/" => return Some(moved(prefix, "/")),
        Some(_) | None => return None,
    };
    if let Some((_, to)) = MOVED.iter().find(|(from, _)| *from == path) {
        return Some(moved(prefix, to));
    }
    let file = find(path)?;
    Some(match parts.method {
        Method::GET | Method::HEAD => served(file, parts, policy),
        _ => not_allowed(),
    })
}

fn not_allowed() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("HEAD, GET"));
    response
}

/// A file, unless the browser has it already.
fn served(file: &'static File, parts: &Parts, policy: &HeaderValue) -> Response {
    let headers = &parts.headers;
    let mut response = Response::new(Body::empty());
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let own = response.headers_mut();
    own.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    own.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    own.insert(header::ETAG, HeaderValue::from_static(file.etag));
    own.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control(file)));
    if names(headers, header::IF_NONE_MATCH).any(|etag| etag.trim_start_matches("W/") == file.etag || etag == "*") {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    let body = if takes_gzip(headers) {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Body::from(file.gzip)
    } else {
        Body::from(unpacked(file))
    };
    if parts.method == Method::GET {
        *response.body_mut() = body;
    }
    response
}

fn moved(prefix: &str, to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = HeaderValue::from_str(&format!("{prefix}{to}"));
    response.headers_mut().insert(header::LOCATION, location.unwrap_or_else(|_| HeaderValue::from_static("/")));
    response
}

fn find(path: &str) -> Option<&'static File> {
    let path = if path == "/" { "/index.html" } else { path };
    FILES.iter().find(|file| file.path == path)
}

/// What has a hash in its name never changes; what has none is asked for each time.
fn cache_control(file: &File) -> &'static str {
    if file.path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" }
}

/// The parts of a header that is a list.
fn names(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).map(str::trim)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    names(headers, header::ACCEPT_ENCODING).any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = matches!(quality.trim().trim_start_matches("q="), "0" | "0.0" | "0.00" | "0.000");
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

/// The file as it was before it was compressed, for those few who do not take it so.
fn unpacked(file: &File) -> Vec<u8> {
    let mut plain = Vec::new();
    if let Err(error) = GzDecoder::new(file.gzip).read_to_end(&mut plain) {
        debug_assert!(false, "{} was not compressed by the build: {error}", file.path);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_unpacks_and_index_html_names_the_others() {
        let index = find("/").map(unpacked).unwrap_or_default();
        let index = String::from_utf8_lossy(&index);
        for file in FILES {
            assert!(!unpacked(file).is_empty(), "{}", file.path);
            assert!(file.etag.starts_with('"') && file.etag.ends_with('"'), "{}", file.etag);
        }
        let is_named = |file: &&File| file.path.contains("/assets/main-") && index.contains(&format!(".{}", file.path));
        assert_eq!(FILES.iter().filter(is_named).count(), 2, "script and style");
    }

    #[test]
    fn what_has_moved_is_there() {
        for (from, to) in MOVED {
            assert!(find(from).is_none() && find(to).is_some(), "{from} to {to}");
        }
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (accepts, expected) in [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepts))]);
            assert_eq!(takes_gzip(&headers), expected, "{accepts}");
        }
    }
}
