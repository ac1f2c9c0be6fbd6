//! A form with a file, as browsers send it: `multipart/form-data`. Pure, and only as much as finding one file in a body that is there as a
//! whole; the libraries for it read streams.

/// The file that a form carries; `None` when the body is no such form, or has no file.
pub(super) fn file<'a>(content_type: &str, body: &'a [u8]) -> Option<&'a [u8]> {
    let boundary = boundary(content_type)?;
    let delimiter = format!("--{boundary}");
    let mut rest = body.get(position(body, delimiter.as_bytes())? + delimiter.len()..)?;
    let end = format!("\r\n{delimiter}");
    loop {
        // After the last part there are two hyphens instead of a line break.
        let part = rest.strip_prefix(b"\r\n")?;
        let end_at = position(part, end.as_bytes())?;
        let (headers, content) = split_head(part.get(..end_at)?)?;
        if names_file(headers) {
            return Some(content);
        }
        rest = part.get(end_at + end.len()..)?;
    }
}

/// A boundary is no longer than this, by its definition.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Whether a body of this type is such a form.
pub(super) fn is_form(content_type: &str) -> bool {
    content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
}

fn boundary(content_type: &str) -> Option<&str> {
    if !is_form(content_type) {
        return None;
    }
    let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let mut found = parameters.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    found
        .next()
        .map(|(_, value)| value.trim_matches('"'))
        .filter(|boundary| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()))
}

fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = position(part, b"\r\n\r\n")?;
    Some((part.get(..at)?, part.get(at + 4..)?))
}

/// Whether these headers are those of the field `file`.
fn names_file(headers: &[u8]) -> bool {
    let headers = String::from_utf8_lossy(headers).to_ascii_lowercase();
    let mut lines = headers.split("\r\n");
    let disposition = lines.find_map(|line| line.strip_prefix("content-disposition:"));
    let parameters = disposition.unwrap_or_default().split(';').map(str::trim);
    parameters.filter_map(|parameter| parameter.strip_prefix("name=")).any(|name| name.trim_matches('"') == "file")
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=X";

    fn form(file: &str) -> String {
        let vhost = "--X\r\nContent-Disposition: form-data; name=\"vhost\"\r\n\r\n/\r\n";
        let head =
            "Content-Disposition: form-data; name=\"file\"; filename=\"a.json\"\r\nContent-Type: application/json";
        format!("{vhost}--X\r\n{head}\r\n\r\n{file}\r\n--X--\r\n")
    }

    #[test]
    fn the_file_of_a_form_is_found() {
        assert_eq!(file(TYPE, form("{\"a\":\r\n1}").as_bytes()), Some(&b"{\"a\":\r\n1}"[..]));
        assert_eq!(file("multipart/form-data; boundary=\"X\"", form("").as_bytes()), Some(&b""[..]));
        assert_eq!(file("application/json", form("{}").as_bytes()), None);
        assert_eq!(file(TYPE, b"--X\r\n\r\n"), None);
        assert_eq!(file("multipart/form-data", form("{}").as_bytes()), None);
        let other = "--X\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n{}\r\n--X--\r\n";
        assert_eq!(file(TYPE, other.as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(body in prop::collection::vec(prop::sample::select(&b"-X\r\n:;=\"fileContent "[..]), 0..80)) {
            file(TYPE, &body);
        }
    }
}
