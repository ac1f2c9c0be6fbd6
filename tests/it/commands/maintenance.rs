//! A node that serves no clients: the ports of AMQP are closed. The management API and the metrics go on, which RabbitMQ closes, too.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use super::Tools;
use crate::broker::Management;
use crate::tls::{Authority, Files};

#[test]
fn a_node_without_clients_tells_so_over_http_and_is_revived_there() {
    let arguments = ["--prometheus-listen", "127.0.0.1:0"];
    let tools = Tools::start_with("maintenance-http", &arguments);
    let at = |name: &str| {
        let port = tools.program.ports()[name].as_u64().unwrap().try_into().unwrap();
        Management::at(SocketAddr::from(([127, 0, 0, 1], port)))
    };
    let (api, metrics) = (at("http"), at("prometheus").authorized_by(None));
    let status = |of: &Management, path: &str| of.send("GET", path, "", &[]).status;
    let ways = [
        ("rabbitmq-upgrade drain", "/api/leveret/app/revive"),
        ("rabbitmqctl suspend_listeners", "/api/leveret/app/resume"),
        ("rabbitmqctl stop_app", "/api/leveret/app/start"),
    ];
    for (command, back) in ways {
        tools.ok(command);
        let states = ["/api/health/checks/is-in-service", "/api/health/checks/ready-to-serve-clients", "/api/overview"];
        assert_eq!(states.map(|path| status(&api, path)), [503, 503, 200], "{command}");
        assert_eq!(
            ["/readyz", "/healthz", "/metrics"].map(|path| status(&metrics, path)),
            [503, 200, 200],
            "{command}"
        );
        // From another machine: there is no other way.
        assert_eq!(api.request("POST", back, Some(&json!({}))).0, 204, "{command}");
        assert_eq!(states.map(|path| status(&api, path)), [200, 200, 200], "{command}");
        assert_eq!(status(&metrics, "/readyz"), 200, "{command}");
    }
}

#[test]
fn the_ports_of_amqp_are_closed_while_nobody_is_let_in() {
    let authority = Authority::new("Maintenance");
    let files = Files::new(&authority, &authority.server());
    let (cert, key) = (files.certfile().display().to_string(), files.keyfile().display().to_string());
    let arguments = ["--amqps-listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let tools = Tools::start_with("maintenance-amqp", &arguments);
    let ports = tools.program.ports();
    let connect = |name: &str| {
        let port = ports[name].as_u64().unwrap().try_into().unwrap();
        TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).map(|_| ()).map_err(|error| error.kind())
    };
    let ways = [
        ("rabbitmq-upgrade drain", "rabbitmq-upgrade revive"),
        ("rabbitmqctl suspend_listeners", "rabbitmqctl resume_listeners"),
        ("rabbitmqctl stop_app", "rabbitmqctl start_app"),
    ];
    for (command, back) in ways {
        tools.ok(command);
        assert_eq!(["amqp", "amqps"].map(connect), [Err(ErrorKind::ConnectionRefused); 2], "{command}");
        tools.ok(back);
        assert_eq!(["amqp", "amqps"].map(connect), [Ok(()); 2], "{back}");
    }
}
