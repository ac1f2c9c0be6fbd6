//! `/leveret/app`: whether clients are let in, which `rabbitmqctl stop_app`, `start_app` and `reset`, `rabbitmq-upgrade drain` and `revive` change.

use std::fmt;
use std::sync::Arc;

use serde_json::json;

use super::answer::Answer;
use super::later::Watch;
use super::refusal::Refusal;
use super::request::Request;
use crate::broker::Broker;
use crate::connection::admission::{Admission, Suspension};

/// Makes a broker as new: removes everything, and makes what a new one has.
pub(crate) type StartOver = Box<dyn Fn(&Broker) -> Result<(), String> + Send + Sync>;

/// What lets clients in, and makes the broker as new.
pub(crate) struct App {
    admission: Arc<Admission>,
    start_over: StartOver,
}

impl App {
    pub(crate) fn new(admission: Arc<Admission>, start_over: StartOver) -> Self {
        Self { admission, start_over }
    }

    /// So many connections of HTTP are served at a time; others wait to be accepted.
    pub(super) fn http_connections_max(&self) -> usize {
        self.admission.limits().http
    }

    /// Whether clients are let in.
    pub(super) fn is_in_service(&self) -> bool {
        self.admission.suspension().is_none()
    }

    /// How many connections there may be: so many as are configured, or as the limit of open files allows.
    pub(super) fn connections_max(&self, configured: Option<u64>) -> u64 {
        configured.unwrap_or(u64::MAX).min(self.admission.limits().connections as u64)
    }

    /// Whether the node is in maintenance.
    pub(super) fn is_drained(&self) -> bool {
        self.admission.is_suspended_by(Suspension::Drained)
    }
}

impl fmt::Debug for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("App").field("admission", &self.admission).finish_non_exhaustive()
    }
}

/// `GET /leveret/app`.
pub(super) fn get(request: &Request<'_>) -> Result<Answer, Refusal> {
    let app = &request.api.app;
    let is_running = !app.admission.is_suspended_by(Suspension::Stopped);
    Ok(Answer::json(&json!({ "running": is_running, "drained": app.is_drained() })))
}

/// Listeners that close their sockets, or open them: nobody is answered before, so that the next command or client finds them so.
struct Followed(Arc<Admission>);

/// A listener needs its turn, or a tenth of a second if it has just failed to accept. It is not waited for longer than this.
const FOLLOWED_WITHIN_MS: u64 = 5_000;

impl Watch for Followed {
    fn look(&mut self, waited_ms: u64) -> Option<Result<Answer, Refusal>> {
        let is_over = self.0.is_followed() || waited_ms >= FOLLOWED_WITHIN_MS;
        is_over.then(|| Ok(Answer::no_content()))
    }
}

/// 204, once the listeners have done what is asked of them.
fn once_followed(request: &Request<'_>) -> Answer {
    Answer::after_brief_watch(Followed(Arc::clone(&request.api.app.admission)))
}

/// Lets nobody in, and closes the connections that are not to stay.
fn suspend(request: &Request<'_>, why: Suspension) -> Answer {
    request.api.app.admission.suspend(why);
    if let Some(goodbye) = why.goodbye() {
        request.api.broker.node().registry.close_where(|_| true, &goodbye);
    }
    once_followed(request)
}

/// `POST /leveret/app/stop`: closes all connections, and lets nobody in.
pub(super) fn stop(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "stop_app: closing all connections, and letting nobody in");
    Ok(suspend(request, Suspension::Stopped))
}

/// `POST /leveret/app/start`: lets clients in again.
pub(super) fn start(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "start_app: letting clients in");
    let admission = &request.api.app.admission;
    if admission.is_suspended_by(Suspension::Stopped) {
        // As in RabbitMQ, a start ends a maintenance.
        for why in [Suspension::Drained, Suspension::Listeners, Suspension::Stopped] {
            admission.resume(why);
        }
    }
    Ok(once_followed(request))
}

/// `POST /leveret/app/suspend`: lets nobody else in.
pub(super) fn suspend_listeners(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::warn!(user = request.caller()?.name(), "suspend_listeners: letting nobody else in");
    Ok(suspend(request, Suspension::Listeners))
}

/// `POST /leveret/app/resume`: lets clients in again.
pub(super) fn resume_listeners(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "resume_listeners: letting clients in");
    request.api.app.admission.resume(Suspension::Listeners);
    Ok(once_followed(request))
}

/// `POST /leveret/app/drain`: the same as a stop, for maintenance.
pub(super) fn drain(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::warn!(
        user = request.caller()?.name(),
        "drain: closing all connections, and letting nobody in, for maintenance"
    );
    Ok(suspend(request, Suspension::Drained))
}

/// `POST /leveret/app/revive`: ends the maintenance.
pub(super) fn revive(request: &Request<'_>) -> Result<Answer, Refusal> {
    tracing::info!(user = request.caller()?.name(), "revive: the maintenance is over, letting clients in");
    // As in RabbitMQ, also those that were suspended by themselves.
    for why in [Suspension::Drained, Suspension::Listeners] {
        request.api.app.admission.resume(why);
    }
    Ok(once_followed(request))
}

/// `POST /leveret/app/reset`: removes everything. Only while nobody is let in, so that nobody loses what is in use.
pub(super) fn reset(request: &Request<'_>) -> Result<Answer, Refusal> {
    if !request.api.app.admission.is_suspended_by(Suspension::Stopped) {
        return Err(Refusal::bad_request("clients are let in; stop that first with /leveret/app/stop (stop_app)"));
    }
    tracing::info!(user = request.caller()?.name(), "reset: removing everything");
    (request.api.app.start_over)(&request.api.broker).map_err(Refusal::bad_request)?;
    Ok(Answer::no_content().once_durable(request.api.broker.administered_at()))
}
