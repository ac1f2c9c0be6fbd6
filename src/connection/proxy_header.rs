//! The PROXY protocol: the line (version 1) or the octets (version 2) by which a proxy says, before everything else, for which client it
//! has connected. Pure: how much is to be read next follows from what has come.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::session::Addresses;

/// So much can be read first without reading beyond the shortest header.
const FIRST_OCTETS: usize = 8;
/// What a header of version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED_OCTETS: usize = 16;
/// The longest line of version 1, with its end.
const LINE_OCTETS_MAX: usize = 107;
/// Behind the addresses a proxy may say more, such as names and certificates. Nobody needs as much as this.
const BEHIND_OCTETS_MAX: usize = 4 * 1024;

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// So many more octets belong to it for sure.
    Needs(usize),
    /// It is whole. `None` where the proxy speaks for itself, as to see whether the broker is there, or for a client of another network.
    Whole(Option<Addresses>),
}

/// Why something is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedProxyHeader {
    /// The first octets are those of something else.
    #[error(
        "it begins with something else; with proxy_protocol = true only proxies that send such a header can connect"
    )]
    Absent,
    /// A line of version 1.
    #[error("its line is not 'PROXY TCP4|TCP6 SOURCE DESTINATION SOURCE_PORT DESTINATION_PORT'")]
    Line,
    /// The proxy went away in its middle.
    #[error("it ends too early")]
    Cut,
    /// What follows the signature of version 2.
    #[error("its version, command or length makes no sense")]
    Fixed,
}

impl ProxyHeader {
    /// What is known of a header of which this has come.
    ///
    /// # Errors
    /// When it will never be one.
    pub fn of(octets: &[u8]) -> Result<Self, MalformedProxyHeader> {
        if octets.len() < FIRST_OCTETS {
            return Ok(Self::Needs(FIRST_OCTETS - octets.len()));
        }
        if octets.starts_with(b"PROXY ") {
            line(octets)
        } else if octets.iter().zip(SIGNATURE).all(|(octet, expected)| *octet == expected) {
            binary(octets)
        } else {
            Err(MalformedProxyHeader::Absent)
        }
    }
}

/// Version 1. Its end is known only when it comes.
fn line(octets: &[u8]) -> Result<ProxyHeader, MalformedProxyHeader> {
    let Some(line) = octets.strip_suffix(b"\r\n") else {
        let is_over = octets.len() >= LINE_OCTETS_MAX || octets.contains(&b'\n');
        return if is_over { Err(MalformedProxyHeader::Line) } else { Ok(ProxyHeader::Needs(1)) };
    };
    let line = std::str::from_utf8(line).map_err(|_error| MalformedProxyHeader::Line)?;
    let words: Vec<_> = line.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Ok(ProxyHeader::Whole(None)),
        ["PROXY", family @ ("TCP4" | "TCP6"), source, destination, source_port, destination_port] => {
            let is_v4 = *family == "TCP4";
            let end = |address, port| line_end(is_v4, address, port).ok_or(MalformedProxyHeader::Line);
            let (peer, local) = (end(source, source_port)?, end(destination, destination_port)?);
            Ok(ProxyHeader::Whole(Some(Addresses { peer, local })))
        }
        _ => Err(MalformedProxyHeader::Line),
    }
}

fn line_end(is_v4: bool, address: &str, port: &str) -> Option<SocketAddr> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|_| is_number)?;
    Some(if is_v4 {
        SocketAddr::from((address.parse::<Ipv4Addr>().ok()?, port))
    } else {
        SocketAddr::from((address.parse::<Ipv6Addr>().ok()?, port))
    })
}

/// Version 2.
fn binary(octets: &[u8]) -> Result<ProxyHeader, MalformedProxyHeader> {
    let Some((fixed, behind)) = octets.split_first_chunk::<FIXED_OCTETS>() else {
        return Ok(ProxyHeader::Needs(FIXED_OCTETS - octets.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, 0x20 | 0x21) || length > BEHIND_OCTETS_MAX {
        return Err(MalformedProxyHeader::Fixed);
    }
    if behind.len() < length {
        return Ok(ProxyHeader::Needs(length - behind.len()));
    }
    match (command, family) {
        (0x21, 0x11) => v4(behind).ok_or(MalformedProxyHeader::Fixed).map(whole),
        (0x21, 0x21) => v6(behind).ok_or(MalformedProxyHeader::Fixed).map(whole),
        // The proxy itself (LOCAL), datagrams, sockets of a file system, or nothing that is known.
        _ => Ok(ProxyHeader::Whole(None)),
    }
}

const fn whole(addresses: Addresses) -> ProxyHeader {
    ProxyHeader::Whole(Some(addresses))
}

fn v4(octets: &[u8]) -> Option<Addresses> {
    let (source, rest) = octets.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    let [peer_port, local_port] = ports(rest)?;
    let address = |octets: &[u8; 4], port| SocketAddr::from((Ipv4Addr::from(*octets), port));
    Some(Addresses { peer: address(source, peer_port), local: address(destination, local_port) })
}

fn v6(octets: &[u8]) -> Option<Addresses> {
    let (source, rest) = octets.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let [peer_port, local_port] = ports(rest)?;
    let address = |octets: &[u8; 16], port| SocketAddr::from((Ipv6Addr::from(*octets), port));
    Some(Addresses { peer: address(source, peer_port), local: address(destination, local_port) })
}

fn ports(octets: &[u8]) -> Option<[u16; 2]> {
    let (ports, _) = octets.split_first_chunk::<4>()?;
    let [a, b, c, d] = *ports;
    Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds a header in the steps that are asked for; it with how much was used.
    fn read(octets: &[u8]) -> Result<(Option<Option<Addresses>>, usize), MalformedProxyHeader> {
        let mut come = 0;
        loop {
            match ProxyHeader::of(&octets[..come])? {
                ProxyHeader::Whole(addresses) => return Ok((Some(addresses), come)),
                ProxyHeader::Needs(more) => {
                    assert!(more > 0);
                    if come + more > octets.len() {
                        return Ok((None, come));
                    }
                    come += more;
                }
            }
        }
    }

    fn addresses(peer: &str, local: &str) -> Addresses {
        Addresses { peer: peer.parse().unwrap(), local: local.parse().unwrap() }
    }

    fn binary_header(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
        let length = u16::try_from(behind.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, behind].concat()
    }

    #[test]
    fn lines_say_where_a_client_is() {
        let expected = addresses("192.0.2.1:56324", "192.0.2.2:5672");
        let line = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 5672\r\n";
        assert_eq!(read(&[&line[..], b"AMQP\0\0\x09\x01"].concat()), Ok((Some(Some(expected)), line.len())));
        let line = b"PROXY TCP6 2001:db8::1 ::1 1 65535\r\n";
        let expected = addresses("[2001:db8::1]:1", "[::1]:65535");
        assert_eq!(read(line), Ok((Some(Some(expected)), line.len())));
        for line in [&b"PROXY UNKNOWN\r\n"[..], b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"] {
            assert_eq!(read(&[line, b"AMQP\0\0\x09\x01"].concat()), Ok((Some(None), line.len())));
        }
    }

    #[test]
    fn octets_say_where_a_client_is() {
        let behind = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 4, 0x16, 0x28, 3, 0, 4, 1, 2, 3, 4];
        let header = binary_header(0x21, 0x11, &behind);
        let expected = addresses("192.0.2.1:56324", "192.0.2.2:5672");
        assert_eq!(read(&[&header[..], b"AMQP"].concat()), Ok((Some(Some(expected)), header.len())));
        let mut behind = [0; 36];
        (behind[15], behind[31], behind[33], behind[35]) = (1, 2, 3, 4);
        let expected = addresses("[::1]:3", "[::2]:4");
        assert_eq!(read(&binary_header(0x21, 0x21, &behind)), Ok((Some(Some(expected)), 52)));
        for header in
            [binary_header(0x20, 0, b""), binary_header(0x21, 0, b"more"), binary_header(0x21, 0x31, &[0; 216])]
        {
            assert_eq!(read(&header), Ok((Some(None), header.len())));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_it_shows() {
        for (octets, expected) in [
            (&b"AMQP\0\0\x09\x01"[..], MalformedProxyHeader::Absent),
            (b"PROXYTCP4 ", MalformedProxyHeader::Absent),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", MalformedProxyHeader::Line),
            (b"PROXY TCP4 ::1 192.0.2.2 1 2\r\n", MalformedProxyHeader::Line),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", MalformedProxyHeader::Line),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n", MalformedProxyHeader::Line),
            (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", MalformedProxyHeader::Line),
            (b"PROXY UNKNOWN\n", MalformedProxyHeader::Line),
            (&[&b"PROXY "[..], &[b'x'; 200]].concat(), MalformedProxyHeader::Line),
            (&binary_header(0x11, 0x11, &[0; 12]), MalformedProxyHeader::Fixed),
            (&binary_header(0x22, 0x11, &[0; 12]), MalformedProxyHeader::Fixed),
            (&binary_header(0x21, 0x11, &[0; 11]), MalformedProxyHeader::Fixed),
            (&binary_header(0x21, 0, &[0; BEHIND_OCTETS_MAX + 1]), MalformedProxyHeader::Fixed),
        ] {
            assert_eq!(read(octets), Err(expected), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_read_beyond_a_header(
            peer in any::<SocketAddr>().prop_filter("one family", |it| it.is_ipv4()),
            local in any::<SocketAddr>().prop_filter("one family", |it| it.is_ipv4()),
            behind in any::<Vec<u8>>(),
        ) {
            let line = format!("PROXY TCP4 {} {} {} {}\r\n", peer.ip(), local.ip(), peer.port(), local.port());
            let octets = [line.as_bytes(), &behind].concat();
            prop_assert_eq!(read(&octets), Ok((Some(Some(Addresses { peer, local })), line.len())));
        }

        #[test]
        fn any_octets_come_to_an_end(octets in any::<Vec<u8>>(), kind in 0..3) {
            let start: &[u8] = match kind { 0 => b"", 1 => b"PROXY ", _ => &SIGNATURE };
            let used = read(&[start, &octets].concat()).map_or(0, |(_, used)| used);
            prop_assert!(used <= start.len() + octets.len());
        }
    }
}
