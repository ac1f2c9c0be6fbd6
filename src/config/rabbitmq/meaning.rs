//! What a name of RabbitMQ's means here, and how its value is written here.

use crate::config::value::read_bytesize;

/// What a variable or a key means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// It is this setting; its value is made of RabbitMQ's.
    Sets(&'static str, fn(&str) -> Result<String, String>),
    /// It changes nothing, and that is as it should be: why.
    Needless(&'static str),
    /// It has no effect, although it would have one in RabbitMQ: what is missing, and what to do.
    Missing(&'static str),
}

/// A value that is written here as in RabbitMQ.
#[expect(clippy::unnecessary_wraps, reason = "the others can fail")]
pub(super) fn same(value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}

/// Where to listen: in RabbitMQ a port alone is for all addresses.
pub(super) fn listen(value: &str) -> Result<String, String> {
    match value.parse::<u16>() {
        Ok(port) => Ok(format!(":{port}")),
        // RabbitMQ writes addresses of IPv6 without brackets: `::1:5672`.
        Err(_) if !value.starts_with('[') && value.matches(':').count() > 1 => {
            let (address, port) = value.rsplit_once(':').unwrap_or((value, ""));
            Ok(format!("[{address}]:{port}"))
        }
        Err(_) if value.contains(':') => Ok(value.to_owned()),
        Err(_) => Err("allowed is a port (5672), or an address and a port (127.0.0.1:5672)".to_owned()),
    }
}

/// A share of the memory: `0.4` is 40 %.
pub(super) fn relative(value: &str) -> Result<String, String> {
    let refused = || "allowed is a number such as 0.4, for 40 % of the memory".to_owned();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if value.is_empty() || !is_number(whole) || !is_number(fraction) {
        return Err(refused());
    }
    let permille: String = fraction.chars().chain("000".chars()).take(3).collect();
    let permille: u32 = format!("0{whole}{permille}").parse().ok().ok_or_else(refused)?;
    Ok(format!("{}.{}%", permille / 10, permille % 10))
}

/// What [`relative`] or a number of bytes says.
pub(super) fn relative_or_absolute(value: &str) -> Result<String, String> {
    // `0` and `1` are shares, too. As numbers of bytes they would be next to nothing.
    if value.contains('.') || value == "0" || value == "1" { relative(value) } else { information_unit(value) }
}

/// A number of bytes, of which RabbitMQ 4.3 reads a letter alone as a power of 1000: `1G` is `1GB`. Its commands, and the settings here, read
/// it as a power of 1024.
pub(super) fn information_unit(value: &str) -> Result<String, String> {
    let before = value.trim_end_matches(|character: char| "kmgtp".contains(character.to_ascii_lowercase()));
    let is_letter_alone =
        value.len() == before.len() + 1 && before.ends_with(|character: char| character.is_ascii_digit());
    Ok(if is_letter_alone { format!("{value}B") } else { value.to_owned() })
}

/// A number of bytes of which each unit is 1024 of the one below: `128KB` is 131072.
pub(super) fn bytesize(value: &str) -> Result<String, String> {
    let refused =
        || "allowed is a whole number of bytes, or of KB, MB or GB, of which each is 1024 of the one before".to_owned();
    read_bytesize(value).map(|bytes| bytes.to_string()).ok_or_else(refused)
}

/// Whether certificates of clients are looked at.
pub(super) fn verify(value: &str) -> Result<String, String> {
    match value {
        "verify_peer" => Ok("peer".to_owned()),
        "verify_none" => Ok("none".to_owned()),
        _ => Err("allowed is verify_peer or verify_none".to_owned()),
    }
}

/// A version of TLS.
pub(super) fn version(value: &str) -> Result<String, String> {
    value.strip_prefix("tlsv").map(str::to_owned).ok_or_else(|| "allowed is tlsv1.2 or tlsv1.3".to_owned())
}

/// Who begins a login to the pages.
pub(super) fn logon_type(value: &str) -> Result<String, String> {
    match value {
        "sp_initiated" | "idp_initiated" => same(value),
        _ => Err("allowed is sp_initiated or idp_initiated".to_owned()),
    }
}

/// As whom a client without credentials logs in.
pub(super) fn anonymous(value: &str) -> Result<String, String> {
    match value {
        "none" => Ok("false".to_owned()),
        "guest" => Ok("true".to_owned()),
        _ => Err("allowed is guest or none".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_here() {
        assert_eq!(listen("5673").as_deref(), Ok(":5673"));
        assert_eq!(listen("127.0.0.1:5673").as_deref(), Ok("127.0.0.1:5673"));
        assert!(listen("many").is_err());
        for (relative_value, percent) in
            [("0.4", "40.0%"), ("0.625", "62.5%"), ("1.5", "150.0%"), ("0", "0.0%"), (".5", "50.0%")]
        {
            assert_eq!(relative(relative_value).as_deref(), Ok(percent), "{relative_value}");
        }
        assert!(relative("much").is_err() && relative("").is_err() && relative("-1").is_err());
        for (size, same) in
            [("1G", "1GB"), ("500m", "500mB"), ("1GB", "1GB"), ("1GiB", "1GiB"), ("1Gi", "1Gi"), ("1", "1"), ("G", "G")]
        {
            assert_eq!(information_unit(size).as_deref(), Ok(same), "{size}");
        }
        for (size, bytes) in [("131072", "131072"), ("128KB", "131072"), ("1mb", "1048576"), ("1GB", "1073741824")] {
            assert_eq!(bytesize(size).as_deref(), Ok(bytes), "{size}");
        }
        assert!(bytesize("1TB").is_err() && bytesize("much").is_err());
        assert_eq!(relative_or_absolute("2GB").as_deref(), Ok("2GB"));
        assert_eq!(relative_or_absolute("0.5").as_deref(), Ok("50.0%"));
    }
}
