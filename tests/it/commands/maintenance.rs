//! What of a node that serves no clients goes on: the management API and the metrics, which RabbitMQ closes, too.

use std::net::SocketAddr;

use serde_json::json;

use super::Tools;
use crate::broker::Management;

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
