//! `proxy_protocol = true`: proxies connect for clients, and say for whom. RabbitMQ 4.3.6 shows the same addresses.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::broker::Management;
use crate::client::{Connect, eventually};
use crate::process::{Directory, Program};
use crate::tls::{Authority, Files, Trust, tunnel};

const LINE: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 5672\r\n";
/// Version 2, with something behind the addresses.
const OCTETS: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x29\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x16\x28\x04\0\x02hi";
/// The proxy speaks for itself.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn configured(name: &str, arguments: &[&str]) -> (Directory, Program) {
    let directory = Directory::new(name);
    std::fs::create_dir_all(directory.path()).unwrap();
    let conf = directory.path().join("rabbitmq.conf");
    std::fs::write(&conf, "proxy_protocol = true\n").unwrap();
    let own = ["--in-memory", "--http-listen", "127.0.0.1:0", "--config", conf.to_str().unwrap()];
    let program = Program::start(&format!("{name}-run"), &[own.as_slice(), arguments].concat());
    (directory, program)
}

/// A proxy that says this first, in pieces of so many octets.
async fn proxy(broker: SocketAddr, header: &'static [u8], at_once: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut behind = TcpStream::connect(broker).await.unwrap();
                behind.set_nodelay(true).unwrap();
                for piece in header.chunks(at_once) {
                    behind.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                tokio::io::copy_bidirectional(&mut client, &mut behind).await.ok();
            });
        }
    });
    address
}

fn management(program: &Program) -> Management {
    let port = program.ports()["http"].as_u64().unwrap().try_into().unwrap();
    Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_where_its_proxy_says() {
    let (_directory, mut program) = configured("proxy", &["--guest-from-anywhere"]);
    let api = management(&program);
    for (header, at_once, name) in [
        (LINE, 1000, "192.0.2.1:56324 -> 192.0.2.2:5672"),
        (LINE, 1, "192.0.2.1:56324 -> 192.0.2.2:5672"),
        (OCTETS, 1000, "[2001:db8::1]:56324 -> [2001:db8::2]:5672"),
        (OCTETS, 7, "[2001:db8::1]:56324 -> [2001:db8::2]:5672"),
    ] {
        let proxy = proxy(program.address(), header, at_once).await;
        let connection = Connect::to(proxy).open().await;
        let connections = api.get("/api/connections");
        let (peer, local) = name.split_once(" -> ").unwrap();
        let [peer, local] = [peer, local].map(|address| address.parse::<SocketAddr>().unwrap());
        let shown = &connections[0];
        assert_eq!(shown["name"].as_str().unwrap().replace(['[', ']'], ""), name.replace(['[', ']'], ""));
        assert_eq!(shown["peer_host"], peer.ip().to_string());
        assert_eq!(shown["peer_port"], peer.port());
        assert_eq!((&shown["host"], &shown["port"]), (&local.ip().to_string().into(), &local.port().into()));
        connection.close().await;
        eventually("it is gone", async || match api.get("/api/connections").as_array().unwrap().len() {
            0 => Ok(()),
            _ => Err("it is there".to_owned()),
        })
        .await;
    }
    let log = program.stop();
    assert!(log.contains("192.0.2.1:56324"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_says_it_before_its_client_shakes_hands() {
    let authority = Authority::new("Test CA");
    let files = Files::new(&authority, &authority.server());
    let [cert, key] = [files.certfile(), files.keyfile()].map(|file| file.to_str().unwrap().to_owned());
    let listen = ["--guest-from-anywhere", "--amqps-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let (_directory, program) = configured("proxy-tls", &listen);
    let api = management(&program);
    let amqps = SocketAddr::from(([127, 0, 0, 1], program.ports()["amqps"].as_u64().unwrap().try_into().unwrap()));
    for (header, at_once, peer) in
        [(LINE, 1000, "192.0.2.1"), (LINE, 1, "192.0.2.1"), (OCTETS, 1000, "2001:db8::1"), (OCTETS, 7, "2001:db8::1")]
    {
        let place = tunnel(proxy(amqps, header, at_once).await, Trust::of(&authority)).await;
        let connection = Connect::to(place).open().await;
        let shown = &api.get("/api/connections")[0];
        assert_eq!((shown["peer_host"].as_str(), shown["ssl"].as_bool()), (Some(peer), Some(true)), "{shown}");
        connection.close().await;
        eventually("it is gone", async || match api.get("/api/connections").as_array().unwrap().len() {
            0 => Ok(()),
            _ => Err("it is there".to_owned()),
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_is_let_in_from_where_the_client_is_and_not_from_its_proxy() {
    let (_directory, program) = configured("proxy-guest", &[]);
    let refused = Connect::to(proxy(program.address(), LINE, 1000).await).start().await;
    refused.expect_close(403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.", (0, 0)).await;
    Connect::to(proxy(program.address(), LOCAL, 1000).await).open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_of_the_kind_is_closed_with_one_line() {
    let (_directory, mut program) = configured("proxy-none", &[]);
    for octets in [&b"AMQP\0\0\x09\x01"[..], b"PROXY TCP4 nowhere\r\n"] {
        let mut socket = TcpStream::connect(program.address()).await.unwrap();
        socket.write_all(octets).await.unwrap();
        // Closed, or reset where there was more than was read.
        socket.read_to_end(&mut Vec::new()).await.ok();
    }
    // Whoever looks whether the port is open.
    drop(TcpStream::connect(program.address()).await.unwrap());
    let log = program.stop();
    assert_eq!(log.matches("a proxy was to send a PROXY header").count(), 2, "{log}");
    assert!(log.contains("it begins with something else; with proxy_protocol = true only proxies"), "{log}");
}
