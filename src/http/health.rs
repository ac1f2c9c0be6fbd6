//! Health checks: `/health/checks/...`, `/aliveness-test`, `/healthchecks/node`.

use serde_json::{Value, json};

use super::ListenerInfo;
use super::answer::Answer;
use super::refusal::Refusal;
use super::request::Request;

/// What a healthy thing answers. Scripts compare it byte for byte.
pub(super) fn ok(_: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!({ "status": "ok" })))
}

/// A check that failed, with what it found.
fn failed(mut found: Value) -> Answer {
    if let Some(found) = found.as_object_mut() {
        found.insert("status".to_owned(), json!("failed"));
    }
    Answer::json_with(503, &found)
}

/// `GET /health/checks/alarms`, `local-alarms`.
pub(super) fn alarms(request: &Request<'_>) -> Result<Answer, Refusal> {
    let alarm = &request.api.broker.node().alarm;
    let raised = [(alarm.is_memory(), "memory"), (alarm.is_disk(), "disk")];
    let alarms: Vec<_> = raised
        .into_iter()
        .filter(|(is_raised, _)| *is_raised)
        .map(|(_, resource)| json!({ "node": request.api.node(), "resource": resource }))
        .collect();
    if alarms.is_empty() {
        return ok(request);
    }
    Ok(failed(json!({ "reason": "There are alarms in effect in the cluster", "alarms": alarms })))
}

/// `GET /health/checks/is-in-service`, `ready-to-serve-clients`.
pub(super) fn in_service(request: &Request<'_>) -> Result<Answer, Refusal> {
    if request.api.app.is_in_service() {
        return ok(request);
    }
    Ok(failed(json!({ "reason": "this node is not in service: it is stopped, or in maintenance" })))
}

/// `GET /health/checks/below-node-connection-limit`: that of `connection_max`, and of the files that may be open.
pub(super) fn below_connection_limit(request: &Request<'_>) -> Result<Answer, Refusal> {
    let node = request.api.broker.node();
    let open = node.registry.connection_count();
    if (open as u64) < request.api.app.connections_max(node.settings.connections_max) {
        return ok(request);
    }
    Ok(failed(json!({ "reason": "node connection limit is reached" })))
}

/// `GET /health/checks/node-is-quorum-critical`.
pub(super) fn quorum_critical(_: &Request<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::json(&json!({ "status": "ok", "reason": "single node cluster" })))
}

/// `GET /health/checks/certificate-expiration/{within}/{unit}`: those of all listeners.
pub(super) fn certificates(request: &Request<'_>) -> Result<Answer, Refusal> {
    let unit_days = match request.part("unit") {
        "days" => 1,
        "weeks" => 7,
        "months" => 30,
        "years" => 365,
        _ => {
            let text = "Time unit not recognised. Supported units: days, weeks, months, years.";
            return Err(Refusal::bad_request(text));
        }
    };
    let Ok(within) = request.part("within").parse::<u32>() else {
        return Err(Refusal::bad_request("Invalid expiration value."));
    };
    let now_s = i64::try_from(request.api.clock.now_ms() / 1000).unwrap_or(i64::MAX);
    let limit_s = now_s.saturating_add(i64::from(within).saturating_mul(unit_days * 24 * 3600));
    let expiring = |listener: &ListenerInfo| {
        let certificates = listener.certificates.as_ref().filter(|found| found.valid_until_s() <= limit_s)?;
        Some(json!({
            "node": request.api.node(),
            "protocol": listener.protocol,
            "interface": listener.address.ip().to_string(),
            "port": listener.address.port(),
            "cacertfile_expires_on": [],
            "certfile_expires_on": [certificates.valid_until()],
        }))
    };
    let expired: Vec<_> = request.api.listeners.iter().filter_map(expiring).collect();
    if expired.is_empty() {
        return ok(request);
    }
    Ok(failed(json!({ "reason": "Certificates expiring", "expired": expired })))
}

/// `GET /health/checks/port-listener/{port}`.
pub(super) fn port_listener(request: &Request<'_>) -> Result<Answer, Refusal> {
    let port: u16 = request.part("port").parse().map_err(|_unreadable| Refusal::bad_request("Invalid port"))?;
    let ports: Vec<_> = request.api.listeners.iter().map(|listener| listener.address.port()).collect();
    if ports.contains(&port) {
        return Ok(Answer::json(&json!({ "status": "ok", "port": port })));
    }
    Ok(failed(json!({ "reason": "No active listener", "missing": port, "ports": ports })))
}

/// `GET /health/checks/protocol-listener/{protocols}`: all of them, if several are named.
pub(super) fn protocol_listener(request: &Request<'_>) -> Result<Answer, Refusal> {
    let mut protocols: Vec<_> = request.api.listeners.iter().map(|listener| listener.protocol).collect();
    protocols.sort_unstable();
    protocols.dedup();
    let alias = |name: &str| match name {
        "amqp091" | "amqp0.9.1" | "amqp0-9-1" => "amqp".to_owned(),
        other => other.to_owned(),
    };
    let wanted: Vec<_> = request.part("protocols").split(',').map(alias).collect();
    let missing: Vec<_> = wanted.iter().filter(|name| !protocols.contains(&name.as_str())).collect();
    if missing.is_empty() {
        return Ok(Answer::json(&json!({ "status": "ok", "protocols": protocols })));
    }
    Ok(failed(json!({ "reason": "No active listener", "missing": missing, "protocols": protocols })))
}

/// `GET /aliveness-test/{vhost}`.
pub(super) fn aliveness(request: &Request<'_>) -> Result<Answer, Refusal> {
    request.vhost()?;
    ok(request)
}

/// `GET /healthchecks/node/{node}`.
pub(super) fn node(request: &Request<'_>) -> Result<Answer, Refusal> {
    if request.part("node") != request.api.node() {
        return Err(Refusal::absent());
    }
    ok(request)
}
